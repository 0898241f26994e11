"""Commands of safe active query: ``query plan``, ``run``, ``subnet``, ``protect``, ``override``, ``log``."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from medwarden.cli.output import home_option, json_option, plain, print_json, print_table

if TYPE_CHECKING:
    from medwarden.sensors.active.prober import ProbeSetting

_F = TypeVar("_F", bound=Callable[..., object])

_REASON = click.option("--reason", required=True, help="Why; stands beside the decision in the audit chain.")
_SITE = click.option("--site", default=None, help="Site (default: the first).")
_UNTIL = click.option(
    "--hours-valid", default=None, type=click.FloatRange(min=0.01), help="End by itself after so many hours."
)
_AS = click.option("--as", "person", default=None, help="Act as this person of the console, with his rights.")
_STEPS = ("label", "ip", "port", "prober", "outcome", "reason", "by")


@click.group()
def query() -> None:
    """Ask devices who they are: off by default, one bounded question each, never one that is protected."""


def _asking(command: _F) -> _F:
    for option in reversed(
        (
            click.option("--device", default="", help="Only this device (id or address)."),
            click.option("--prober", "probers", multiple=True, help="Only this prober (may be repeated)."),
            click.option(
                "--secrets",
                type=click.Path(exists=True, dir_okay=False, path_type=Path),
                help="TOML file with community or snmp_user, readable by its owner alone.",
            ),
            click.option("--source", default="", help="Address of this machine to ask from."),
            click.option("--titles", is_flag=True, help="Let http_head fetch the page for its title."),
        )
    ):
        command = option(command)
    return command


@query.command()
@_asking
@home_option
@_SITE
@json_option
def plan(
    home: Path | None,
    site: str | None,
    as_json: bool,
    device: str,
    probers: tuple[str, ...],
    secrets: Path | None,
    source: str,
    titles: bool,
) -> int:
    """Say what a run would send to whom, and what is refused and why. Sends nothing."""
    from medwarden.app.home import data_folder
    from medwarden.app.query import Wanted, plan_query, read_secrets

    wanted = Wanted(site, device, probers)
    steps = plan_query(data_folder(home), wanted, read_secrets(secrets, _setting(source, titles)))
    if as_json:
        for step in steps:
            print_json(plain(step))
    else:
        rows = [[getattr(step, column) for column in (*_STEPS, "asks")] for step in steps]
        print_table("", (*_STEPS, "asks"), rows, right=("port",))
    permitted = sum(step.outcome == "permitted" for step in steps)
    click.echo(f"{permitted} of {len(steps)} questions would be asked; nothing was sent", err=True)
    return 0


@query.command()
@_asking
@home_option
@_SITE
@_REASON
@_AS
@click.option("--per-minute", default=60.0, show_default=True, type=click.FloatRange(min=0.1, max=600))
@json_option
def run(
    home: Path | None,
    site: str | None,
    reason: str,
    person: str | None,
    per_minute: float,
    as_json: bool,
    device: str,
    probers: tuple[str, ...],
    secrets: Path | None,
    source: str,
    titles: bool,
) -> int:
    """Ask what the interlock permits, one device after the other, and store the answers."""
    from medwarden.app.home import data_folder
    from medwarden.app.query import Planned, Wanted, read_secrets, run_query
    from medwarden.app.query_rules import actor_of

    def show(step: Planned) -> None:
        if as_json:
            print_json(plain(step))
        else:
            words = f" ({step.reason})" if step.reason else ""
            click.echo(f"{step.ip:<15} {step.prober:<18} {step.outcome}{words}")

    folder = data_folder(home)
    steps = run_query(
        folder,
        Wanted(site, device, probers, per_minute),
        read_secrets(secrets, _setting(source, titles)),
        actor=actor_of(folder, person, _actor(), "enable_probing"),
        reason=reason,
        on_step=show,
    )
    refused = sum(step.outcome == "refused" for step in steps)
    answered = sum(step.outcome == "answered" for step in steps)
    click.echo(f"{len(steps) - refused} asked, {answered} answered, {refused} refused", err=True)
    return 0


@query.group()
def subnet() -> None:
    """Subnets in which active query is on."""


@subnet.command("add")
@click.argument("network")
@click.option(
    "--prober", "probers", multiple=True, required=True, help="Allow this prober (may be repeated)."
)
@click.option("--per-minute", default=30, show_default=True, help="Probes a minute into this subnet.")
@click.option("--hour", "hours", multiple=True, type=click.IntRange(0, 23), help="Only in this hour (UTC).")
@click.option(
    "--listed",
    multiple=True,
    help="A life-critical category that may be asked here; `unknown` vouches for unknown devices.",
)
@home_option
@_SITE
@_REASON
@_UNTIL
@_AS
def subnet_add(
    network: str,
    probers: tuple[str, ...],
    per_minute: int,
    hours: tuple[int, ...],
    listed: tuple[str, ...],
    home: Path | None,
    site: str | None,
    reason: str,
    hours_valid: float | None,
    person: str | None,
) -> int:
    """Switch active query on in NETWORK."""
    from medwarden.app.home import data_folder
    from medwarden.app.query_rules import SubnetRule, add_subnet

    rule = SubnetRule(network, probers, per_minute, hours or tuple(range(24)), listed)
    click.echo(add_subnet(data_folder(home), rule, site, hours_valid, _actor(), person, reason))
    return 0


@subnet.command("remove")
@click.argument("network")
@home_option
@_REASON
@_AS
def subnet_remove(network: str, home: Path | None, reason: str, person: str | None) -> int:
    """Switch active query off in NETWORK (or the subnet of that id)."""
    from medwarden.app.home import data_folder
    from medwarden.app.query_rules import remove_subnet

    remove_subnet(data_folder(home), network, _actor(), person, reason)
    return 0


@subnet.command("list")
@home_option
@json_option
def subnet_list(home: Path | None, as_json: bool) -> int:
    """Show where active query is on."""
    from medwarden.app.query_rules import rule_rows

    columns = ("id", "site", "network", "probers", "categories", "per_minute", "who", "reason")
    return _list(home, as_json, rule_rows, "subnets", columns)


@query.group()
def protect() -> None:
    """The do-not-probe list: what no prober touches, whatever else is allowed."""


@protect.command("add")
@click.argument("kind", type=click.Choice(["device", "mac", "ip", "subnet", "category", "vendor", "model"]))
@click.argument("value")
@home_option
@_SITE
@_REASON
@_UNTIL
@_AS
def protect_add(
    kind: str,
    value: str,
    home: Path | None,
    site: str | None,
    reason: str,
    hours_valid: float | None,
    person: str | None,
) -> int:
    """Protect VALUE (a model as vendor/model); without --site everywhere."""
    from medwarden.app.home import data_folder
    from medwarden.app.query_rules import add_protection

    click.echo(add_protection(data_folder(home), kind, value, site, hours_valid, _actor(), person, reason))
    return 0


@protect.command("remove")
@click.argument("identifier")
@home_option
@_REASON
@_AS
def protect_remove(identifier: str, home: Path | None, reason: str, person: str | None) -> int:
    """End the entry of that id."""
    from medwarden.app.home import data_folder
    from medwarden.app.query_rules import remove_protection

    remove_protection(data_folder(home), identifier, _actor(), person, reason)
    return 0


@protect.command("list")
@home_option
@json_option
def protect_list(home: Path | None, as_json: bool) -> int:
    """Show the do-not-probe list."""
    from medwarden.app.query_rules import rule_rows

    return _list(home, as_json, rule_rows, "protections", ("id", "site", "kind", "value", "who", "reason"))


@query.command()
@click.argument("device")
@click.option("--prober", "probers", multiple=True, required=True, help="For this prober (may be repeated).")
@click.option(
    "--lift",
    "lifts",
    multiple=True,
    required=True,
    type=click.Choice(["nobody known there", "unknown kind", "life-critical", "use unknown", "in use"]),
    help="What no longer protects it (may be repeated).",
)
@click.option("--minutes", default=15.0, show_default=True, type=click.FloatRange(min=0.1, max=1440))
@home_option
@_SITE
@_REASON
@click.option("--as", "person", required=True, help="Who answers for it: a person of the console.")
def override(
    device: str,
    probers: tuple[str, ...],
    lifts: tuple[str, ...],
    minutes: float,
    home: Path | None,
    site: str | None,
    reason: str,
    person: str,
) -> int:
    """Let a named person answer for asking DEVICE (id, or address where none is known) for some minutes."""
    from medwarden.app.home import data_folder
    from medwarden.app.query_rules import add_override

    folder = data_folder(home)
    click.echo(add_override(folder, device, probers, lifts, minutes, site, _actor(), person, reason))
    return 0


@query.command()
@home_option
@json_option
def log(home: Path | None, as_json: bool) -> int:
    """Show the latest probes that were sent or refused."""
    from medwarden.app.query_rules import rule_rows

    columns = ("at", "label", "ip", "port", "prober", "outcome", "reason", "by", "actor")
    return _list(home, as_json, rule_rows, "log", columns)


def _list(
    home: Path | None,
    as_json: bool,
    rows_of: Callable[[Path, str], list[dict[str, object]]],
    what: str,
    columns: tuple[str, ...],
) -> int:
    from medwarden.app.home import data_folder

    rows = rows_of(data_folder(home), what)
    if as_json:
        for row in rows:
            print_json(row)
        return 0
    print_table("", columns, [[_cell(row[column]) for column in columns] for row in rows])
    return 0


def _cell(value: object) -> object:
    return ", ".join(str(part) for part in value) if isinstance(value, list) else value


def _setting(source: str, titles: bool) -> ProbeSetting:
    from medwarden.sensors.active.exchange import Limits
    from medwarden.sensors.active.prober import ProbeSetting

    return ProbeSetting(limits=Limits(source_ip=source), titles_allowed=titles)


def _actor() -> str:
    return f"cli:{getpass.getuser()}"
