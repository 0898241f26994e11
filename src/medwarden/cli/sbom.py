"""Software components: ``sbom attach``, ``list``, ``show`` and ``remove``."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from medwarden.cli.output import home_option, json_option, plain, print_json, print_table
from medwarden.kernel.clock import iso


@click.group()
def sbom() -> None:
    """Keep the makers' bills of software components with devices and models."""


@sbom.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--device", default="", help="A device by its id, MAC or IP address.")
@click.option("--vendor", default="", help="A maker, with --model.")
@click.option("--model", default="")
@click.option("--firmware", default="", help="The firmware of the model that it is of; none: of any.")
@home_option
def attach(file: Path, device: str, vendor: str, model: str, firmware: str, home: Path | None) -> int:
    """Attach a CycloneDX or SPDX file to a device or to a maker's model."""
    from medwarden.app.home import data_folder
    from medwarden.app.sbom import attach as keep

    actor = f"cli:{getpass.getuser()}"
    folder = data_folder(home)
    click.echo(keep(folder, file, actor=actor, device=device, vendor=vendor, model=model, firmware=firmware))
    return 0


@sbom.command("list")
@click.option("--device", default="", help="Only those of this device and its model.")
@click.option("--text", default="")
@home_option
@json_option
def list_bills(device: str, text: str, home: Path | None, as_json: bool) -> int:
    """Show the bills there are."""
    from medwarden.app.home import data_folder
    from medwarden.app.sbom import bill_list

    found = bill_list(data_folder(home), device=device, text=text)
    if as_json:
        for bill in found:
            print_json(plain(bill))
        return 0
    columns = ("id", "of", "name", "version", "format", "components", "attached", "from")
    rows = [
        (
            b.id,
            b.subject.device or f"{b.subject.vendor} {b.subject.model} {b.subject.firmware}".strip(),
            b.name, b.version, b.format, b.components, iso(b.at_ns)[:16], b.source,
        )
        for b in found
    ]  # fmt: skip
    print_table("", columns, rows, right=("components",))
    return 0


@sbom.command()
@click.argument("bill")
@click.option("--text", default="", help="Only components with these words in name, version or purl.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 1000))
@home_option
@json_option
def show(bill: str, text: str, limit: int, home: Path | None, as_json: bool) -> int:
    """Show the components of a bill."""
    from medwarden.app.home import data_folder
    from medwarden.app.sbom import shown

    page = shown(data_folder(home), bill, text=text, limit=limit)
    if as_json:
        for component in page.items:
            print_json(plain(component))
        return 0
    columns = ("name", "version", "supplier", "purl", "cpe", "licences", "needs")
    rows = [
        (c.name, c.version, c.supplier, c.purl, c.cpe, ", ".join(c.licences), len(c.depends))
        for c in page.items
    ]
    print_table("", columns, rows, right=("needs",))
    if page.total > len(page.items):
        click.echo(f"{len(page.items)} of {page.total} components", err=True)
    return 0


@sbom.command()
@click.argument("bill")
@click.option("--reason", required=True, help="Why; kept in the audit chain.")
@home_option
def remove(bill: str, reason: str, home: Path | None) -> int:
    """Remove a bill."""
    from medwarden.app.home import data_folder
    from medwarden.app.sbom import remove as take_away

    take_away(data_folder(home), bill, actor=f"cli:{getpass.getuser()}", reason=reason)
    return 0
