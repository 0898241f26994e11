"""Books of equipment: ``books import``, ``list``, ``show``, ``undo`` and ``remove``."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from medwarden.cli.output import home_option, json_option, plain, print_json, print_table
from medwarden.kernel.clock import iso
from medwarden.kernel.printable import printable

_MOST_SHOWN = 20
_ORDERS = {"day": True, "month": False}


@click.group()
def books() -> None:
    """Take in what CMMS, CMDB and spreadsheets say of the equipment."""


@books.command("import")
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@home_option
@click.option("--name", default="", help="What to call the book (default: the file's name).")
@click.option(
    "--map", "mapping", multiple=True, metavar="HEADING=FIELD",
    help="Correct a column, e.g. --map 'Asset No=asset_tag'; FIELD - leaves it aside. Kept with the book.",
)  # fmt: skip
@click.option(
    "--dates", type=click.Choice(list(_ORDERS)), help="What comes first in dates such as 03/04/2026."
)
@click.option("--site", default=None, help="Site the book is of (made when new).")
@click.option("--try", "trial", is_flag=True, help="Show how the table is read and change nothing.")
@json_option
def import_table(
    table: Path,
    home: Path | None,
    name: str,
    mapping: tuple[str, ...],
    dates: str | None,
    site: str | None,
    trial: bool,
    as_json: bool,
) -> int:
    """Take a table (CSV, TSV or XLSX) in as a book and match its rows with the devices of the network.

    Imported again, rows are recognised by record number, asset tag or serial; what is new, changed and gone
    is counted, and can be taken back with `books undo`.
    """
    from medwarden.app.books import import_file
    from medwarden.app.home import data_folder

    outcome = import_file(
        data_folder(home),
        table,
        actor=f"cli:{getpass.getuser()}",
        name=name,
        mapping=mapping,
        days_first=None if dates is None else _ORDERS[dates],
        site=site,
        trial=trial,
    )
    if as_json:
        print_json(plain(outcome))
    else:
        print_table("", ("heading", "field"), [*outcome.columns, *((h, "-") for h in outcome.unmapped)])
        click.echo(
            f"{outcome.rows} rows ({outcome.system}): {outcome.new} new, {outcome.changed} changed, "
            f"{outcome.same} as before, {outcome.gone} gone; {outcome.rejected} lines could not be used"
            + (" (nothing was changed)" if trial else "")
        )
    for problem in outcome.problems[:_MOST_SHOWN]:
        click.echo(
            f"medwarden: {printable(str(table))}, line {problem.line}: {printable(problem.reason)}", err=True
        )
    if len(outcome.problems) > _MOST_SHOWN:
        click.echo(f"medwarden: and {len(outcome.problems) - _MOST_SHOWN} more", err=True)
    return 1 if outcome.rejected else 0


@books.command("list")
@home_option
@json_option
def list_books(home: Path | None, as_json: bool) -> int:
    """Show the books there are, and how many of their rows were found on the network."""
    from medwarden.app.books import book_list
    from medwarden.app.home import data_folder

    found = book_list(data_folder(home))
    if as_json:
        for book in found:
            print_json(plain(book))
        return 0
    columns = ("site", "name", "system", "version", "rows", "matched", "open", "rejected", "imported", "from")
    rows = [
        (
            b.site,
            b.name,
            b.system,
            b.version,
            b.rows,
            b.matched,
            b.open,
            b.rejected,
            iso(b.imported_ns)[:16],
            b.source,
        )
        for b in found
    ]
    print_table("", columns, rows, right=("version", "rows", "matched", "open", "rejected"))
    return 0


@books.command()
@click.argument("name")
@home_option
@click.option("--site", default=None)
@click.option("--text", default="", help="Only rows that contain these words.")
@click.option("--versions", "history", is_flag=True, help="Show the imports instead of the rows.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 1000))
@json_option
def show(
    name: str, home: Path | None, site: str | None, text: str, history: bool, limit: int, as_json: bool
) -> int:
    """Show the rows of a book, or its imports."""
    from medwarden.app.books import rows, versions
    from medwarden.app.home import data_folder

    folder = data_folder(home)
    if history:
        imports = versions(folder, name, site)
        if as_json:
            for version in imports:
                print_json(plain(version))
            return 0
        print_table(
            "",
            ("version", "imported", "by", "from", "rows", "new", "changed", "gone", "rejected", "taken back"),
            [
                (v.number, iso(v.at_ns)[:16], v.actor, v.source, v.rows, v.new, v.changed, v.gone, v.rejected,
                 "" if v.undone_ns is None else iso(v.undone_ns)[:16])
                for v in imports
            ],
        )  # fmt: skip
        return 0
    page = rows(folder, name, text=text, limit=limit, site=site)
    if as_json:
        for row in page.items:
            print_json(plain(row))
        return 0
    fields = list(dict.fromkeys(field for row in page.items for field in row.said))
    print_table(
        "", ("line", *fields), [[row.line, *(row.said.get(f, "") for f in fields)] for row in page.items]
    )
    if page.total > len(page.items):
        click.echo(f"{len(page.items)} of {page.total} rows", err=True)
    return 0


@books.command()
@click.argument("name")
@home_option
@click.option("--site", default=None)
def undo(name: str, home: Path | None, site: str | None) -> int:
    """Take the latest import of a book back."""
    from medwarden.app.books import undo as take_back
    from medwarden.app.home import data_folder

    version = take_back(data_folder(home), name, actor=f"cli:{getpass.getuser()}", site=site)
    click.echo(f"{name}: {f'version {version} counts again' if version else 'empty again'}")
    return 0


@books.command()
@click.argument("name")
@click.option("--reason", required=True, help="Why; kept in the audit chain.")
@home_option
@click.option("--site", default=None)
def remove(name: str, reason: str, home: Path | None, site: str | None) -> int:
    """Remove a book with its matches and what people decided of them."""
    from medwarden.app.books import remove as take_away
    from medwarden.app.home import data_folder

    take_away(data_folder(home), name, actor=f"cli:{getpass.getuser()}", reason=reason, site=site)
    return 0
