"""How commands speak: data on stdout, progress and errors on stderr, tables that fit the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from medwarden.kernel.printable import printable
from medwarden.model.accounting import InputReport

_F = TypeVar("_F", bound=Callable[..., object])


def processes_option(command: _F) -> _F:
    """Add ``--processes``: how many share the packets."""
    return click.option(
        "--processes",
        default=1,
        show_default=True,
        type=click.IntRange(1, 64),
        help="Processes that share the packets; more than there are processors help nothing.",
    )(command)


def home_option(command: _F) -> _F:
    """Add ``--home``: the data folder."""
    return click.option(
        "--home",
        type=click.Path(file_okay=False, readable=False, path_type=Path),
        help="The data folder (default: MEDWARDEN_HOME, else the user's data folder).",
    )(command)


def json_option(command: _F) -> _F:
    """Add ``--json``: data for programs instead of a table for people."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")(command)


def print_json(value: object) -> None:
    """Print one value as one line of JSON."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[str] = ()
) -> None:
    """Print a table; columns named in ``right`` are numbers."""
    table = Table(
        title=title or None, title_justify="left", header_style="bold", show_edge=False, pad_edge=False
    )
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else printable(str(cell)) for cell in row))
    width = None if sys.stdout.isatty() else 200
    Console(file=sys.stdout, markup=False, highlight=False, width=width).print(table)


@contextmanager
def progress_of_inputs(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """Yield a function that shows how many inputs are done; silent where stderr is no terminal."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task(what, total=None)

        def show(done: int, total: int, name: str) -> None:
            bar.update(task, completed=done, total=total, description=f"{what} {printable(name)[-48:]}")

        yield show


def report_inputs(inputs: Sequence[InputReport], beside: Sequence[Path]) -> int:
    """Print errors of inputs, one line each, and a sum; return the exit status (1 when one had an error)."""
    errors = [report for report in inputs if report.error]
    for report in errors:
        click.echo(f"medwarden: {printable(report.error or '')}", err=True)
    read = sum(r.packets.read for r in inputs)
    parsed = sum(r.packets.parsed for r in inputs)
    rejected = sum(r.packets.rejected for r in inputs)
    dropped = sum(r.packets.dropped for r in inputs)
    already = sum(r.already for r in inputs)
    records = sum(r.records.read for r in inputs)
    told = sum(r.records.parsed for r in inputs)
    refused = sum(r.records.rejected for r in inputs)
    lost = sum(r.records.dropped for r in inputs)
    click.echo(
        f"{len(inputs)} inputs: {read} packets read = {parsed} parsed "
        f"+ {rejected} rejected + {dropped} dropped"
        + (
            f", {records} log records read = {told} parsed + {refused} rejected + {lost} dropped"
            if records
            else ""
        )
        + (f"; {already} inputs were already known" if already else "")
        + (f"; {len(errors)} with an error" if errors else "")
        + (f"; {len(beside)} files beside them are no captures or logs" if beside else ""),
        err=True,
    )
    return 1 if errors else 0


def plain(value: object) -> object:
    """Return ``value`` in types that JSON knows."""
    return msgspec.to_builtins(value)
