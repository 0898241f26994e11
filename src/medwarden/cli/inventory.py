"""Commands that show what is known: ``devices``, ``device`` and ``findings``."""

from __future__ import annotations

from pathlib import Path

import click

from medwarden.cli.output import home_option, json_option, print_json, print_table
from medwarden.kernel.printable import printable


@click.command()
@click.argument("filter", nargs=-1)
@home_option
@click.option(
    "--class", "device_class", default=None, help="Only this class: IoMT, IoT, OT, IT, NET, unknown."
)
@click.option("--category", default=None, help="Only this category of the taxonomy.")
@click.option("--site", default=None, help="Only this site.")
@json_option
def devices(
    filter: tuple[str, ...],
    home: Path | None,
    device_class: str | None,
    category: str | None,
    site: str | None,
    as_json: bool,
) -> int:
    """Show the inventory. FILTER is part of a name, address, vendor, model, serial or AE title."""
    from medwarden.app.home import data_folder
    from medwarden.app.inventory import Wanted, contract_devices, device_rows

    wanted = Wanted(" ".join(filter), device_class, category, site)
    if as_json:
        for line in contract_devices(data_folder(home), wanted):
            print_json(line)
        return 0
    columns = ("id", "name", "class", "category", "vendor", "model", "ip", "mac", "risk", "last seen")
    print_table("", columns, device_rows(data_folder(home), wanted), right=("risk",))
    return 0


@click.command()
@click.argument("identifier")
@home_option
@json_option
def device(identifier: str, home: Path | None, as_json: bool) -> int:
    """Show one device with its evidence. IDENTIFIER is an id, a MAC or an IP address."""
    from medwarden.app.home import data_folder
    from medwarden.app.inventory import contract_device

    found = contract_device(data_folder(home), identifier)
    if as_json:
        print_json(found)
        return 0
    for name, value in found.items():
        if name in ("attributes", "services", "risk") or value in (None, [], ""):
            continue
        click.echo(f"{name:12} {printable(_text(value))}")
    risk, attributes = found["risk"], found["attributes"]
    assert isinstance(risk, dict) and isinstance(attributes, list)
    click.echo(f"{'risk':12} {risk['score']} ({risk['level']})")
    rows = [
        (a["field"], a["value"], f"{a['confidence']:.2f}", "; ".join(_support(e) for e in a["evidence"][:3]))
        for a in attributes
    ]
    print_table("", ("attribute", "value", "confidence", "evidence"), rows, right=("confidence",))
    return 0


@click.command()
@home_option
@click.option("--all", "everything", is_flag=True, help="Also findings that are resolved, accepted or false.")
@json_option
def findings(home: Path | None, everything: bool, as_json: bool) -> int:
    """Show findings, gravest first."""
    from medwarden.app.home import data_folder
    from medwarden.app.inventory import finding_rows

    rows = finding_rows(data_folder(home), everything=everything)
    if as_json:
        for row in rows:
            print_json(row)
        return 0
    print_table(
        "",
        ("severity", "state", "title", "type", "device", "id"),
        [(r["severity"], r["state"], r["title"], r["type"], r["device"], r["id"]) for r in rows],
    )
    return 0


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(v) for v in value)
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items() if v is not None)
    return str(value)


def _support(evidence: dict[str, object]) -> str:
    return f"{evidence['field']}={evidence['value']} ({evidence['source']}, {evidence['count']}x)"
