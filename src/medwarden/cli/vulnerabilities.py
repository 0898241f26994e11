"""Devices and the vulnerabilities that concern them: ``vulnerabilities``, and ``vulnerabilities alias``."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from medwarden.cli.output import home_option, json_option, plain, print_json, print_table
from medwarden.kernel.clock import NANOSECONDS, iso
from medwarden.model.vulnerability import MatchState

if TYPE_CHECKING:
    from medwarden.store.queries.vulnerabilities import VerdictView


class _ListByDefault(click.Group):
    """What is no command of the group is a filter of its list."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("-h", "--help")):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ListByDefault)
def vulnerabilities() -> None:
    """Say of every device and vulnerability: confirmed, potential, fixed, not affected or irrelevant.

    Without a command the list is shown: `vulnerabilities --json`, `vulnerabilities pump-1`; its options are
    told by `vulnerabilities list --help`.
    """


@vulnerabilities.command("list")
@click.argument("text", metavar="[FILTER]...", nargs=-1)
@click.option("--verdict", multiple=True, type=click.Choice([state.value for state in MatchState]))
@click.option("--cve", default="", help="Only this vulnerability.")
@click.option("--device", default="", help="Only this device: its id, MAC or IP address.")
@click.option(
    "--irrelevant", is_flag=True, help="Call --cve irrelevant for --device, with --reason and --until."
)
@click.option("--relevant", is_flag=True, help="Take that back, with --reason.")
@click.option("--reason", default="")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="The day on which it ends.")
@click.option("--alike", is_flag=True, help="For all devices of the same maker, model and version.")
@home_option
@json_option
def list_verdicts(
    text: tuple[str, ...],
    verdict: tuple[str, ...],
    cve: str,
    device: str,
    irrelevant: bool,
    relevant: bool,
    reason: str,
    until: datetime | None,
    alike: bool,
    home: Path | None,
    as_json: bool,
) -> int:
    """Say of every device and vulnerability: confirmed, potential, fixed, not affected or irrelevant.

    FILTER is part of a device's name or address, a CVE or an advisory.
    """
    from medwarden.app.home import data_folder
    from medwarden.app.vulnerabilities import call_irrelevant, call_relevant, shown

    folder = data_folder(home)
    actor = f"cli:{getpass.getuser()}"
    if irrelevant or relevant:
        if not (device and cve and reason) or (irrelevant and until is None):
            raise click.UsageError("say --device, --cve, --reason and, to call it irrelevant, --until")
        if until is not None and irrelevant:
            expires = int(until.replace(tzinfo=UTC).timestamp()) * NANOSECONDS
            call_irrelevant(folder, device, cve, reason=reason, actor=actor, expires_ns=expires, alike=alike)
        else:
            call_relevant(folder, device, cve, reason=reason, actor=actor)
        return 0
    found = shown(folder, text=" ".join(text), states=verdict, vulnerability=cve, device=device)
    if as_json:
        for row in found:
            print_json(_contract(row))
        return 0
    columns = ("device", "cve", "advisory", "verdict", "cvss", "exploited", "exploits", "why")
    print_table("", columns, [_cells(row) for row in found], right=("exploits",))
    return 0


def _contract(row: VerdictView) -> dict[str, object]:
    """Return a verdict in the form of the published contract."""
    return {
        "device": row.device,
        "mac": row.mac,
        "ip": row.ip,
        "cve": row.vulnerability,
        "advisory": row.advisory,
        "verdict": row.state.value,
        "reason": row.reason,
        "evidence": list(row.evidence),
        "exploited": row.exploited,
        "exploits": row.exploit_count,
        "exploits_by": row.exploits_by,
        "cvss": row.score,
        "epss": row.epss,
        "since": iso(row.since_ns),
        "rules": row.rules_version,
    }


def _cells(row: VerdictView) -> tuple[str, ...]:
    score = "" if row.score is None else f"{row.score:.1f}"
    used = "yes" if row.exploited else ""
    code = str(row.exploit_count or "")
    return (row.label, row.vulnerability, row.advisory, row.state.value, score, used, code, row.reason)


@vulnerabilities.group()
def alias() -> None:
    """Say which names of makers and products mean the same; devices are matched anew."""


@alias.command("list")
@home_option
@json_option
def alias_list(home: Path | None, as_json: bool) -> int:
    """Show the hospital's own groups of names (those that are shipped count beside them)."""
    from medwarden.app.aliases import alias_groups
    from medwarden.app.home import data_folder

    groups = alias_groups(data_folder(home))
    if as_json:
        for kind, vendor, names in groups:
            print_json({"kind": kind, "vendor": vendor, "names": list(names)})
        return 0
    rows = [(kind, vendor, " = ".join(names)) for kind, vendor, names in groups]
    print_table("", ("kind", "maker", "names"), rows)
    return 0


@alias.command("add")
@click.option("--vendor", default="", help="The maker.")
@click.option("--also", multiple=True, help="Another name of the maker.")
@click.option("--product", multiple=True, help="A name of one product of --vendor; give two or more.")
@click.option("--related", multiple=True, help="Makers of one house; give two or more.")
@click.option("--reason", required=True, help="Why; kept in the audit chain.")
@home_option
def alias_add(
    vendor: str,
    also: tuple[str, ...],
    product: tuple[str, ...],
    related: tuple[str, ...],
    reason: str,
    home: Path | None,
) -> int:
    """Add names that mean the same."""
    from medwarden.app.aliases import Wish, change_aliases
    from medwarden.app.home import data_folder

    wish = Wish(vendor, product, also, related)
    moved = change_aliases(data_folder(home), wish, actor=f"cli:{getpass.getuser()}", reason=reason)
    click.echo(f"kept; the verdicts of {moved} kinds of device changed")
    return 0


@alias.command("remove")
@click.argument("name")
@click.option("--reason", required=True, help="Why; kept in the audit chain.")
@home_option
def alias_remove(name: str, reason: str, home: Path | None) -> int:
    """Remove the hospital's own groups that hold NAME."""
    from medwarden.app.aliases import change_aliases
    from medwarden.app.home import data_folder

    moved = change_aliases(data_folder(home), name, actor=f"cli:{getpass.getuser()}", reason=reason)
    click.echo(f"removed; the verdicts of {moved} kinds of device changed")
    return 0


@alias.command("suggest")
@home_option
@json_option
def alias_suggest(home: Path | None, as_json: bool) -> int:
    """Show names of the inventory that may mean what sources call otherwise; nothing is changed."""
    from medwarden.app.aliases import suggested
    from medwarden.app.home import data_folder

    found = suggested(data_folder(home))
    if as_json:
        for each in found:
            print_json(plain(each))
        return 0
    rows = [(s.kind, s.vendor, s.ours, s.theirs, s.devices, s.why) for s in found]
    print_table("", ("kind", "maker", "here", "sources", "devices", "why"), rows, right=("devices",))
    return 0
