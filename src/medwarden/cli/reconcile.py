"""Books against the network: ``reconcile`` and what people decide of it."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

import click

from medwarden.cli.output import home_option, json_option, plain, print_json, print_table
from medwarden.kernel.clock import iso
from medwarden.kernel.errors import ResourceError


@click.group(invoke_without_command=True)
@home_option
@click.option(
    "--show", "situation", default="open", show_default=True, metavar="SITUATION",
    help="both, open, book_only, network_only, disagreeing, retired_heard, silent or duplicate.",
)  # fmt: skip
@click.option("--book", default="", help="Only this book.")
@click.option("--text", default="", help="Only lines that contain these words.")
@click.option("--field", default="", help="Of disagreeing: only where this field does.")
@click.option("--site", default=None)
@click.option("--now", "anew", is_flag=True, help="Match all rows anew first.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, formulas neutralised.")
@json_option
@click.pass_context
def reconcile(
    context: click.Context,
    home: Path | None,
    situation: str,
    book: str,
    text: str,
    field: str,
    site: str | None,
    anew: bool,
    as_csv: bool,
    as_json: bool,
) -> int:
    """Compare the books with the network: what is in both, in one only, and what contradicts.

    Prints how many lines each situation has and the lines of one.
    """
    if context.invoked_subcommand is not None:
        return 0
    from medwarden.app.home import data_folder
    from medwarden.app.reconcile import reconcile_now, reconciliation
    from medwarden.app.reconcile_export import LINE_COLUMNS, csv_text, line_cells

    folder = data_folder(home)
    if anew:
        reconcile_now(folder, site=site)
    found = reconciliation(folder, situation, book=book, text=text, field=field, site=site)
    if as_json:
        print_json(plain(found))
    elif as_csv:
        sys.stdout.write(csv_text(LINE_COLUMNS, [line_cells(line) for line in found.lines]))
    else:
        print_table("", ("situation", "lines"), list(found.counts.items()), right=("lines",))
        if found.lines:
            print_table("", LINE_COLUMNS, [line_cells(line) for line in found.lines])
    return 0


def _decide(
    home: Path | None, book: str, row: str, device: str, word: str, reason: str, site: str | None
) -> int:
    from medwarden.app.home import data_folder
    from medwarden.app.reconcile import decide_at

    actor = f"cli:{getpass.getuser()}"
    found = decide_at(data_folder(home), book, row, device, word, actor=actor, reason=reason, site=site)
    click.echo(f"{book}, {row}: {word} {found}")
    return 0


_book = click.argument("book")
_row = click.argument("row")
_device = click.argument("device")
_reason = click.option("--reason", required=True, help="Why; kept with the decision.")
_site = click.option("--site", default=None)


@reconcile.command()
@_book
@_row
@_device
@_reason
@home_option
@_site
def accept(book: str, row: str, device: str, reason: str, home: Path | None, site: str | None) -> int:
    """Say that ROW of BOOK (key, asset tag, serial or line) is DEVICE (id, MAC or IP); the same as pin."""
    return _decide(home, book, row, device, "pin", reason, site)


@reconcile.command()
@_book
@_row
@_device
@_reason
@home_option
@_site
def pin(book: str, row: str, device: str, reason: str, home: Path | None, site: str | None) -> int:
    """Say that ROW of BOOK is DEVICE, whatever is heard later."""
    return _decide(home, book, row, device, "pin", reason, site)


@reconcile.command()
@_book
@_row
@_device
@_reason
@home_option
@_site
def reject(book: str, row: str, device: str, reason: str, home: Path | None, site: str | None) -> int:
    """Say that ROW of BOOK is not DEVICE."""
    return _decide(home, book, row, device, "reject", reason, site)


@reconcile.command()
@_book
@_row
@_device
@_reason
@home_option
@_site
def forget(book: str, row: str, device: str, reason: str, home: Path | None, site: str | None) -> int:
    """Take a decision on ROW and DEVICE back."""
    return _decide(home, book, row, device, "forget", reason, site)


@reconcile.command()
@click.option("--for", "book", required=True, help="The book whose rows to write.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write (default: output)."
)
@home_option
@_site
@json_option
def export(book: str, out: Path | None, home: Path | None, site: str | None, as_json: bool) -> int:
    """Write what to create and update in a CMMS, in the book's own columns, formulas neutralised."""
    from medwarden.app.home import data_folder
    from medwarden.app.reconcile_export import csv_text, rows_for

    found = rows_for(data_folder(home), book, actor=f"cli:{getpass.getuser()}", site=site)
    if as_json:
        print_json(plain(found))
        return 0
    text = csv_text(found.columns, found.rows)
    if out is None:
        sys.stdout.write(text)
    else:
        try:
            out.write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            raise ResourceError(f"{out}: {error.strerror}") from error
    click.echo(f"{found.updated} rows to update, {found.created} to create", err=True)
    return 0


@reconcile.command()
@_device
@home_option
@json_option
def device(device: str, home: Path | None, as_json: bool) -> int:
    """Show, field by field, who says what of DEVICE since when, and whose word counts."""
    from medwarden.app.home import data_folder
    from medwarden.app.reconcile import compared_at

    found = compared_at(data_folder(home), device)
    if as_json:
        print_json({book: plain(views) for book, views in found.items()})
        return 0
    for book, views in found.items():
        print_table(
            book,
            ("field", "book", "since", "network", "by", "since ", "agree", "counts"),
            [
                (v.field, v.book and v.book.value, v.book and iso(v.book.since_ns)[:10],
                 v.network and v.network.value, v.network and v.network.who,
                 v.network and iso(v.network.since_ns)[:10],
                 "yes" if v.agree else "", v.winner)
                for v in views
            ],
        )  # fmt: skip
    return 0
