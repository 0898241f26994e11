"""Registered products: ``gudid import`` and ``gudid lookup``."""

from __future__ import annotations

from pathlib import Path

import click

from medwarden.cli.output import home_option, json_option, plain, print_json, print_table
from medwarden.kernel.errors import ConfigurationError
from medwarden.kernel.printable import printable

_MOST_SHOWN = 20


@click.group()
def gudid() -> None:
    """Look products up by their unique device identifier, in an index on this machine."""


@gudid.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@home_option
@json_option
def import_files(files: tuple[Path, ...], home: Path | None, as_json: bool) -> int:
    """Take in AccessGUDID's release (zip or folder), openFDA's UDI JSON or the FDA's foiclass.txt."""
    from medwarden.app.gudid import import_files as take_in
    from medwarden.app.home import data_folder

    built = take_in(data_folder(home), files)
    if as_json:
        print_json(plain(built))
    else:
        click.echo(
            f"{built.products} products and {built.codes} product codes, {built.skipped} records left out"
        )
    for problem in built.problems[:_MOST_SHOWN]:
        click.echo(f"medwarden: {printable(problem)}", err=True)
    return 1 if built.skipped else 0


@gudid.command()
@click.argument("udi", required=False)
@click.option("--device", help="A device by its id, MAC or IP address, instead of a UDI.")
@home_option
@json_option
def lookup(udi: str | None, device: str | None, home: Path | None, as_json: bool) -> int:
    """Show what is registered under a UDI, or what a device may be by its UDI in the books or its model."""
    from medwarden.app.gudid import lookup as look_up
    from medwarden.app.gudid import registered_at
    from medwarden.app.home import data_folder
    from medwarden.knowledge.gudid import facts_of

    if (udi is None) is (device is None):
        raise ConfigurationError("name either a UDI or --device")
    folder = data_folder(home)
    if device is not None:
        found = registered_at(folder, device)
        if as_json:
            print_json(plain(found))
            return 0
        rows = [
            (h.score, h.product.di, h.product.company, h.product.model, "; ".join(h.why)) for h in found.hits
        ]
        print_table("", ("score", "DI", "company", "model", "why"), rows, right=("score",))
        print_table("", ("fact", "value"), [(fact.field, fact.value) for fact in found.facts])
        if found.problem:
            click.echo(f"medwarden: {printable(found.problem)}", err=True)
        return 0
    hit = look_up(folder, udi or "")
    if hit is None:
        click.echo("medwarden: it is not listed in the index", err=True)
        return 1
    if as_json:
        print_json({"hit": plain(hit[0]), "categories": list(hit[1])})
    else:
        facts = [(fact.field, fact.value) for fact in facts_of(hit[0])]
        print_table("", ("fact", "value"), [*facts, ("categories", ", ".join(hit[1]))])
    return 0
