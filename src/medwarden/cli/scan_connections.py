"""Scanners that are asked: ``scans connect``, ``connections``, ``change``, ``pull`` and ``disconnect``.

Credentials are never arguments: they are asked for at the terminal without being shown, or read from standard
input, two lines.
"""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from medwarden.cli.output import home_option, json_option, plain, print_json, print_table
from medwarden.kernel.clock import iso
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.kernel.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from medwarden.connectors.scanners.desk import ConnectorManifest, Credentials

_INTERFACES = ("gmp", "insightvm", "nessus", "qualys", "tenable")


def _settings(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options that connecting and changing share."""
    for option in (
        click.option("--address", help="Where it answers, as https://nessus.example:8834."),
        click.option(
            "--authorities",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="CA certificates (PEM) by which its certificate is believed.",
        ),
        click.option("--fingerprint", help="SHA-256 of its own certificate, believed whoever signed it."),
        click.option("--proxy", help="As http://proxy.example:3128."),
        click.option(
            "--choose", "chosen", multiple=True, help="Only this scan, report or task (repeatable)."
        ),
        click.option("--every", "every_hours", type=int, help="Ask every so many hours; 0: by hand only."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("name")
@click.option("--interface", required=True, type=click.Choice(_INTERFACES))
@_settings
@click.option("--site", default=None, help="Site whose devices it scans (made when new).")
@home_option
def connect(
    name: str,
    interface: str,
    address: str | None,
    authorities: Path | None,
    fingerprint: str | None,
    proxy: str | None,
    chosen: tuple[str, ...],
    every_hours: int | None,
    site: str | None,
    home: Path | None,
) -> int:
    """Ask a scanner for its reports from now on, under a NAME of your choice."""
    from medwarden.app.home import data_folder
    from medwarden.app.scanners import Wanted, connect_named, interfaces

    manifest = next(each for each in interfaces() if each.name == interface)
    wanted = Wanted(
        interface=interface, address=address or manifest.address, name=name,
        credentials=_credentials(manifest), authorities=_pem(authorities), fingerprint=fingerprint,
        proxy=proxy, chosen=chosen, every_hours=every_hours,
    )  # fmt: skip
    connect_named(data_folder(home), wanted, actor=_actor(), site=site)
    click.echo(f"{printable(name)} is connected; ask it with: medwarden scans pull {printable(name)}")
    return 0


@click.command()
@click.argument("name")
@click.option("--rename", "new_name", help="Another name.")
@_settings
@click.option("--all", "everything", is_flag=True, help="Nothing is chosen any longer: take everything.")
@click.option("--credentials", is_flag=True, help="Ask for new credentials.")
@home_option
def change(
    name: str,
    new_name: str | None,
    address: str | None,
    authorities: Path | None,
    fingerprint: str | None,
    proxy: str | None,
    chosen: tuple[str, ...],
    every_hours: int | None,
    everything: bool,
    credentials: bool,
    home: Path | None,
) -> int:
    """Change a connection; what is not named stays."""
    from medwarden.app.home import data_folder
    from medwarden.app.scanners import Wanted, change_named, connections_of, interfaces

    folder = data_folder(home)
    given: Credentials | None = None
    if credentials:
        row = next((each for each in connections_of(folder) if name in (each.name, each.id)), None)
        if row is None:
            raise ConfigurationError(f"there is no connection to a scanner called {name[:60]!r}")
        given = _credentials(next(each for each in interfaces() if each.name == row.interface))
    wanted = Wanted(
        address=address, name=new_name, credentials=given, authorities=_pem(authorities),
        fingerprint=fingerprint, proxy=proxy, chosen=chosen if chosen or everything else None,
        every_hours=every_hours,
    )  # fmt: skip
    change_named(folder, name, wanted, actor=_actor())
    click.echo(f"{printable(new_name or name)} is changed")
    return 0


@click.command()
@home_option
@json_option
def connections(home: Path | None, as_json: bool) -> int:
    """Show the scanners that are asked, how it went last, and when they are asked next."""
    from medwarden.app.home import data_folder
    from medwarden.app.scanners import connections_of

    found = connections_of(data_folder(home))
    if as_json:
        for row in found:
            print_json(plain(row))
        return 0
    columns = ("name", "interface", "address", "site", "last", "reports", "next", "problem")
    rows = [
        (
            c.name, c.interface, c.address, c.site, iso(c.ended_ns)[:16] if c.ended_ns else "never",
            c.brought, iso(c.next_ns)[:16] if c.next_ns else "by hand", c.error or "; ".join(c.failures),
        )
        for c in found
    ]  # fmt: skip
    print_table("", columns, rows, right=("reports",))
    return 0


@click.command()
@click.argument("names", nargs=-1)
@click.option("--due", "only_due", is_flag=True, help="Only those whose hours are over, as the worker does.")
@home_option
@json_option
def pull(names: tuple[str, ...], only_due: bool, home: Path | None, as_json: bool) -> int:
    """Ask scanners for what is new there: those NAMED, else all."""
    from medwarden.app.home import data_folder
    from medwarden.app.scanner_pull import pull as ask

    done = ask(data_folder(home), names, only_due=only_due)
    for report in done:
        if as_json:
            print_json(plain(report))
        else:
            click.echo(
                f"{printable(report.connection)}: {report.reports} new reports, {report.known} of "
                f"{report.hosts} hosts are devices here, {report.sightings} sightings"
            )
        for problem in (*report.failures, *([report.error] if report.error else ())):
            click.echo(f"medwarden: {printable(report.connection)}: {printable(problem)}", err=True)
    return 1 if any(report.error or report.failures for report in done) else 0


@click.command()
@click.argument("name")
@click.option("--reason", required=True, help="Why; kept in the audit chain.")
@home_option
def disconnect(name: str, reason: str, home: Path | None) -> int:
    """Ask a scanner no longer and forget its credentials; its reports stay."""
    from medwarden.app.home import data_folder
    from medwarden.app.scanners import disconnect_named

    disconnect_named(data_folder(home), name, actor=_actor(), reason=reason)
    click.echo(f"{printable(name)} is asked no longer; its credentials are forgotten")
    return 0


def _credentials(manifest: ConnectorManifest) -> Credentials:
    """Ask for credentials at the terminal, or read them from standard input."""
    from medwarden.connectors.scanners.desk import Credentials

    if sys.stdin.isatty():
        account = click.prompt(f"{manifest.account} of {manifest.title}", hide_input=True, err=True)
        secret = click.prompt(manifest.secret, hide_input=True, err=True)
        return Credentials(account, secret)
    lines = [line.rstrip("\r\n") for line in (sys.stdin.readline(), sys.stdin.readline())]
    return Credentials(*lines)


def _pem(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ResourceError(f"{path} is no file of certificates that can be read ({error})") from error


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


COMMANDS = (connect, change, connections, pull, disconnect)
