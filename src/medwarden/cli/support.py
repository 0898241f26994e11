"""Ends of support: ``support``, ``support import``, ``lists``, ``undo`` and ``remove``."""

from __future__ import annotations

import getpass
from pathlib import Path

import click
import msgspec

from medwarden.cli.output import home_option, json_option, plain, print_json, print_table
from medwarden.kernel.clock import iso

_ORDERS = {"day": True, "month": False}


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


@click.group(invoke_without_command=True)
@click.option(
    "--when", default="", type=click.Choice(["", "ended", "year", "later"]), help="By when it ends."
)
@click.option("--ending", default="", type=click.Choice(["", "sale", "support", "security", "life"]))
@click.option("--sure", is_flag=True, help="Only devices that are surely meant.")
@click.option("--text", default="", help="Part of a device's name, maker or model.")
@click.option("--site", default=None, help="Only this site.")
@home_option
@json_option
@click.pass_context
def support(
    context: click.Context,
    when: str,
    ending: str,
    sure: bool,
    text: str,
    site: str | None,
    home: Path | None,
    as_json: bool,
) -> int:
    """Say of devices until when makers support, correct and sell them, the soonest end first."""
    if context.invoked_subcommand is not None:
        return 0
    from medwarden.app.home import data_folder
    from medwarden.app.life_cycle import shown

    found = shown(data_folder(home), when=when, ending=ending, sure=sure, text=text, site=site)
    if as_json:
        for end in found:
            print_json(plain(end))
        return 0
    columns = ("device", "maker", "model", "end of", "day", "meant", "source")
    rows = [
        (
            e.name, e.vendor or "", e.model or "", f"{e.ending} ({e.subject})", e.day,
            "surely" if e.state == "confirmed" else "perhaps", e.source,
        )
        for e in found
    ]  # fmt: skip
    print_table("", columns, rows)
    return 0


@support.command("import")
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", default="", help="What to call the list (default: the file's name).")
@click.option(
    "--map", "mapping", multiple=True, metavar="HEADING=FIELD",
    help="Correct a column, e.g. --map 'Gerätemodell=model'; FIELD - leaves it aside.",
)  # fmt: skip
@click.option(
    "--dates", type=click.Choice(list(_ORDERS)), help="What comes first in dates such as 03/04/2026."
)
@click.option("--try", "trial", is_flag=True, help="Show how the table is read and change nothing.")
@home_option
@json_option
def import_table(
    table: Path,
    name: str,
    mapping: tuple[str, ...],
    dates: str | None,
    trial: bool,
    home: Path | None,
    as_json: bool,
) -> int:
    """Take a table (CSV, TSV or XLSX) in that says of models what ends when, and compare devices with it."""
    from medwarden.app.home import data_folder
    from medwarden.app.life_cycle import import_file

    read, done = import_file(
        data_folder(home), table, actor=_actor(), name=name, mapping=mapping,
        days_first=None if dates is None else _ORDERS[dates], trial=trial,
    )  # fmt: skip
    if as_json:
        print_json({"read": plain(read), "imported": None if done is None else plain(done)})
        return 0
    for heading, field in read.columns:
        click.echo(f"{heading}: {field}")
    if read.unmapped:
        click.echo(f"left aside: {', '.join(read.unmapped)}")
    for problem in read.problems[:20]:
        click.echo(f"line {problem.line}: {problem.reason}", err=True)
    if done is None:
        click.echo(f"{len(read.ends)} ends, {read.rejected} lines unusable; nothing was changed")
    elif done.same:
        click.echo(f"{done.name} holds this very file already")
    else:
        click.echo(
            f"{done.name}: {done.rows} ends, {done.rejected} lines unusable;"
            f" of {done.devices} devices something else is said"
        )
    return 0


@support.command("lists")
@home_option
@json_option
def lists(home: Path | None, as_json: bool) -> int:
    """Show the hospital's own lists that are in force."""
    from medwarden.app.home import data_folder
    from medwarden.app.life_cycle import lists as in_force

    found = in_force(data_folder(home))
    if as_json:
        for each in found:
            print_json({**msgspec.to_builtins(each), "at": iso(each.at_ns)})
        return 0
    rows = [(e.name, e.file, e.rows, e.rejected, e.number, iso(e.at_ns), e.actor) for e in found]
    columns = ("list", "file", "ends", "unusable", "import", "imported", "by")
    print_table("", columns, rows, right=("ends", "unusable", "import"))
    return 0


@support.command("undo")
@click.argument("name")
@click.option("--reason", required=True, help="Why; kept in the audit chain.")
@home_option
def undo(name: str, reason: str, home: Path | None) -> int:
    """Take the latest import of the list NAME back."""
    from medwarden.app.home import data_folder
    from medwarden.app.life_cycle import undo_list

    number = undo_list(data_folder(home), name, actor=_actor(), reason=reason)
    click.echo(f"import {number} of {name} counts again" if number else f"{name} says nothing any more")
    return 0


@support.command("remove")
@click.argument("name")
@click.option("--reason", required=True, help="Why; kept in the audit chain.")
@home_option
def remove(name: str, reason: str, home: Path | None) -> int:
    """Remove the list NAME: what it said of devices counts no more."""
    from medwarden.app.home import data_folder
    from medwarden.app.life_cycle import remove_list

    remove_list(data_folder(home), name, actor=_actor(), reason=reason)
    click.echo(f"{name} is removed")
    return 0
