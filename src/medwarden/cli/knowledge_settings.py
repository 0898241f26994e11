"""What an operator sets for knowledge: when it is looked for, of whom, and from when it is stale."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from medwarden.cli.output import home_option, json_option, plain, print_json, print_table
from medwarden.kernel.printable import printable

if TYPE_CHECKING:
    from medwarden.app.knowledge_settings import Schedule


@click.command()
@click.option("--on/--off", "on", default=None, help="Look every day, or never by itself.")
@click.option("--at", default=None, metavar="HH:MM", help="Time of day from which it is looked.")
@click.option("--zone", default=None, help="Time zone of that time, as Europe/Berlin.")
@click.option("--jitter", default=None, type=click.IntRange(0, 360), help="Minutes that may be added.")
@click.option("--feed", "feeds", multiple=True, help="Only this feed; may be given again.")
@click.option("--all-feeds", is_flag=True, help="All feeds of ordinary size again.")
@home_option
@json_option
def schedule(
    on: bool | None,
    at: str | None,
    zone: str | None,
    jitter: int | None,
    feeds: tuple[str, ...],
    all_feeds: bool,
    home: Path | None,
    as_json: bool,
) -> int:
    """Say when knowledge is looked for by itself, and show it. Off in a fresh folder."""
    from medwarden.app.home import data_folder
    from medwarden.app.knowledge_settings import read_settings
    from medwarden.app.knowledge_steering import next_moment, set_schedule

    folder = data_folder(home)

    def decided(held: Schedule) -> Schedule:
        return msgspec.structs.replace(
            held,
            on=held.on if on is None else on,
            at=at or held.at,
            zone=zone or held.zone,
            jitter_minutes=held.jitter_minutes if jitter is None else jitter,
            feeds=() if all_feeds else feeds or held.feeds,
        )

    held = read_settings(folder).schedule
    wanted = decided(held)
    if wanted != held:
        actor = f"cli:{getpass.getuser()}"
        wanted = set_schedule(folder, decided, actor=actor, reason="knowledge schedule").schedule
    moment = next_moment(folder)
    if as_json:
        print_json({"schedule": plain(wanted), "next": moment})
    else:
        which = ", ".join(wanted.feeds) or "all feeds of ordinary size"
        click.echo(
            f"every day from {wanted.at} ({wanted.zone}), up to {wanted.jitter_minutes} minutes later:"
            f" {which}; next {moment}"
            if wanted.on
            else "off: nothing is looked for by itself"
        )
    return 0


@click.group()
def provider() -> None:
    """Choose publishers of CSAF advisories."""


@provider.command("list")
@home_option
@json_option
def list_(home: Path | None, as_json: bool) -> int:
    """List those that are asked and those that are known; others can be added by domain or address."""
    from medwarden.app.home import data_folder
    from medwarden.app.knowledge_settings import read_settings
    from medwarden.app.knowledge_steering import providers

    rows = providers(read_settings(data_folder(home)))
    if as_json:
        for row in rows:
            print_json(plain(row))
    else:
        print_table(
            "",
            ("asked", "name", "address", "concerns"),
            [("yes" if r.asked else "", r.name, r.address, r.concerns) for r in rows],
        )
    return 0


def _set_provider(named: str, home: Path | None, asked: bool) -> int:
    from medwarden.app.home import data_folder
    from medwarden.app.knowledge_settings import chosen_providers
    from medwarden.app.knowledge_steering import set_provider

    done = set_provider(
        data_folder(home), named, asked=asked, actor=f"cli:{getpass.getuser()}", reason="knowledge provider"
    )
    click.echo(f"asked are: {printable(', '.join(chosen_providers(done)) or 'none')}")
    return 0


@provider.command()
@click.argument("named")
@home_option
def add(named: str, home: Path | None) -> int:
    """Ask a provider: its name in the list, its domain, or the address of its provider-metadata.json."""
    return _set_provider(named, home, asked=True)


@provider.command()
@click.argument("named")
@home_option
def remove(named: str, home: Path | None) -> int:
    """Ask a provider no longer. What it brought stays."""
    return _set_provider(named, home, asked=False)


@click.command("stale-after")
@click.argument("feed")
@click.argument("hours", type=click.IntRange(min=1), required=False)
@home_option
def stale_after(feed: str, hours: int | None, home: Path | None) -> int:
    """Say from which age (in HOURS) a feed counts as stale; without HOURS its own age holds again."""
    from medwarden.app.home import data_folder
    from medwarden.app.knowledge_steering import set_stale_after

    folder = data_folder(home)
    most = set_stale_after(
        folder, feed, hours, actor=f"cli:{getpass.getuser()}", reason="knowledge stale-after"
    )
    click.echo(f"{feed} is stale after {most} hours")
    return 0


@click.command()
@click.argument("names", nargs=-1)
@click.option("--none", is_flag=True, help="Ask for none any longer.")
@home_option
def ecosystems(names: tuple[str, ...], none: bool, home: Path | None) -> int:
    """Choose of which software packages (PyPI, Debian, npm ...) OSV's vulnerabilities are brought."""
    from medwarden.app.home import data_folder
    from medwarden.app.knowledge_settings import read_settings
    from medwarden.app.knowledge_steering import set_ecosystems

    folder = data_folder(home)
    if names or none:
        set_ecosystems(folder, names, actor=f"cli:{getpass.getuser()}", reason="knowledge ecosystems")
    click.echo(", ".join(read_settings(folder).osv or ()) or "none")
    return 0
