"""The plan of places: ``places import`` and ``places list``."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from medwarden.cli.output import home_option, json_option, plain, print_json, print_table

_COLUMNS = ("kind", "key", "building", "floor", "room", "department")
_MOST_SHOWN = 20


@click.group()
def places() -> None:
    """Say which switch port, access point, station or subnet is in which room."""


@places.command("import")
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@home_option
@click.option("--site", default=None, help="Site the plan is of (made when new).")
@json_option
def import_table(table: Path, home: Path | None, site: str | None, as_json: bool) -> int:
    """Replace a site's plan by a CSV table and place all devices by it.

    Columns: building, floor, room, department; and what is there: switch and port, ap, station, unit,
    circuit, subnet, vlan or mac.
    """
    from medwarden.app.home import data_folder
    from medwarden.app.places import import_plan

    outcome = import_plan(data_folder(home), table, actor=f"cli:{getpass.getuser()}", site=site)
    if as_json:
        print_json(plain(outcome))
    else:
        click.echo(
            f"{outcome.rows} places in use (before: {outcome.before}), {outcome.devices} devices placed anew"
        )
    for problem in outcome.problems[:_MOST_SHOWN]:
        click.echo(f"medwarden: {table}, line {problem.line}: {problem.reason}", err=True)
    if len(outcome.problems) > _MOST_SHOWN:
        click.echo(f"medwarden: and {len(outcome.problems) - _MOST_SHOWN} more lines", err=True)
    return 1 if outcome.problems else 0


@places.command("list")
@home_option
@click.option("--site", default=None, help="Site whose plan to show.")
@json_option
def list_places(home: Path | None, site: str | None, as_json: bool) -> int:
    """Show the plan there is."""
    from medwarden.app.home import data_folder
    from medwarden.app.places import plan_of

    rows = plan_of(data_folder(home), site)
    if as_json:
        for row in rows:
            print_json(plain(row))
        return 0
    print_table("", _COLUMNS, [[getattr(row, c) or "" for c in _COLUMNS] for row in rows])
    return 0
