"""Devices and the vulnerabilities that concern them: ``vulnerabilities``."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from medwarden.cli.output import home_option, json_option, print_json, print_table
from medwarden.kernel.clock import NANOSECONDS, iso
from medwarden.model.vulnerability import MatchState

if TYPE_CHECKING:
    from medwarden.store.queries.vulnerabilities import VerdictView


@click.command()
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
def vulnerabilities(
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
    columns = ("device", "cve", "advisory", "verdict", "cvss", "exploited", "why")
    print_table("", columns, [_cells(row) for row in found])
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
        "cvss": row.score,
        "epss": row.epss,
        "since": iso(row.since_ns),
        "rules": row.rules_version,
    }


def _cells(row: VerdictView) -> tuple[str, ...]:
    score = "" if row.score is None else f"{row.score:.1f}"
    used = "yes" if row.exploited else ""
    return (row.label, row.vulnerability, row.advisory, row.state.value, score, used, row.reason)
