"""Commands of what nobody could name: ``unknown``, ``answer`` and ``answers``."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from medwarden.cli.output import home_option, json_option, plain, print_json, print_table
from medwarden.kernel.clock import iso
from medwarden.kernel.errors import ConfigurationError, ResourceError

if TYPE_CHECKING:
    from medwarden.app.answers import Preview

_SITE = click.option("--site", default=None, help="Only devices of this site.")
_LEVELS = ("class", "category", "vendor", "model", "os", "os_version", "firmware", "serial")
_MOST_ROWS = 40


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


@click.command()
@click.option("--level", "levels", multiple=True, type=click.Choice(_LEVELS), help="Level that is open.")
@click.option("--limit", default=25, show_default=True, type=click.IntRange(1, 1000))
@click.option("--offset", default=0, type=click.IntRange(0))
@_SITE
@home_option
@json_option
def unknown(
    levels: tuple[str, ...], limit: int, offset: int, site: str | None, home: Path | None, as_json: bool
) -> int:
    """Show devices nobody could name, gathered so that one answer labels many."""
    from medwarden.app.home import data_folder
    from medwarden.app.unknown import unknown_queue
    from medwarden.inventory.clusters import LEVELS
    from medwarden.store.open import open_store

    with open_store(data_folder(home), writer=False):
        from medwarden.store.queries import Scope

        scope = Scope(sites=None if site is None else (site,))
        page = unknown_queue(scope, levels=levels or LEVELS, offset=offset, limit=limit)
    if as_json:
        for cluster in page.items:
            print_json(plain(cluster))
        return 0
    rows = [
        (
            cluster.id,
            len(cluster.devices),
            f"{cluster.gain:.1f}",
            cluster.name.partition(": ")[2] or cluster.name,
            "; ".join(f"{g.label} {g.confidence:.0%}" for g in cluster.guesses[:2]),
        )
        for cluster in page.items
    ]
    columns = ("id", "devices", "gain", "what they share", "looks like")
    print_table("", columns, rows, right=("devices", "gain"))
    click.echo(f"{page.total} clusters; answer one with `medwarden answer ID --category ...`", err=True)
    return 0


@click.command()
@click.argument("targets", nargs=-1, required=True)
@click.option("--class", "device_class", default="", help="IoMT, IoT, OT, IT or NET.")
@click.option("--category", default="", help="A category of the taxonomy, by id or name.")
@click.option("--vendor", default="")
@click.option("--model", default="")
@click.option("--os", "system", default="")
@click.option("--firmware", default="")
@click.option("--serial", default="")
@click.option("--reason", default="", help="Why; stands in the audit chain.")
@click.option("--preview", "only_shown", is_flag=True, help="Show what would change; change nothing.")
@_SITE
@home_option
@json_option
def answer(
    targets: tuple[str, ...],
    device_class: str,
    category: str,
    vendor: str,
    model: str,
    system: str,
    firmware: str,
    serial: str,
    reason: str,
    only_shown: bool,
    site: str | None,
    home: Path | None,
    as_json: bool,
) -> int:
    """Say what a cluster of the queue, or devices (id, MAC or IP address) are."""
    from medwarden.app.answers import give_answer, preview
    from medwarden.app.home import data_folder
    from medwarden.store.open import open_store

    folder = data_folder(home)
    labels = {
        "class": device_class, "category": category, "vendor": vendor, "model": model, "os": system,
        "firmware": firmware, "serial": serial,
    }  # fmt: skip
    target = targets[0] if len(targets) == 1 else targets
    with open_store(folder, writer=not only_shown, role="answers"):
        from medwarden.store.queries import Scope

        _begin(folder)
        scope = Scope(sites=None if site is None else (site,))
        if only_shown:
            shown, number = preview(scope, target, labels), 0
        else:
            given = give_answer(scope, target, labels, home=folder, actor=_actor(), reason=reason)
            shown, number = given.preview, given.answer.number
    if as_json:
        print_json({"answer": number or None, "preview": plain(shown)})
    else:
        _show(shown)
    if number:
        click.echo(f"answer {number} was given; `medwarden answers undo {number}` takes it back", err=True)
    return 0


def _begin(folder: Path) -> None:
    """Label by the folder's own rules and model, as its worker does."""
    from medwarden.app.fingerprints import load_own
    from medwarden.app.models import load_model

    load_own(folder)
    load_model(folder)


def _show(shown: Preview) -> None:
    rows = [
        (e.label, e.level, e.before, e.after, "answered" if e.answered else "follows")
        for e in shown.changes[:_MOST_ROWS]
    ]
    print_table("", ("device", "level", "before", "after", "why"), rows)
    if len(shown.changes) > _MOST_ROWS:
        click.echo(f"... and {len(shown.changes) - _MOST_ROWS} more changes")
    followed = (
        f"{shown.reached} further devices show the same, {shown.kept} of them stay as they are"
        if shown.rule is not None
        else f"not passed on to other devices: {shown.why_not}"
    )
    tested = shown.after
    click.echo(f"{len(shown.devices)} devices answered; {followed}")
    click.echo(
        f"labels found without their own devices: {tested.right} right of {tested.answered} given, "
        f"of {tested.n} asked"
    )
    click.echo(f"learnt in {shown.trained_seconds:.1f} s, {shown.seconds:.1f} s in all", err=True)


@click.group()
def answers() -> None:
    """Answers that were given: list, undo, export the queue, import a filled-in table."""


@answers.command("list")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 1000))
@click.option("--offset", default=0, type=click.IntRange(0))
@home_option
@json_option
def list_answers(limit: int, offset: int, home: Path | None, as_json: bool) -> int:
    """Show answers, the latest first."""
    from medwarden.app.home import data_folder
    from medwarden.store.open import open_store

    with open_store(data_folder(home), writer=False):
        from medwarden.store.answers import answers as stored
        from medwarden.store.queries import Scope

        page = stored(Scope(), offset=offset, limit=limit)
    if as_json:
        for each in page.items:
            print_json(plain(each))
        return 0
    rows = [
        (
            each.number,
            iso(each.at_ns)[:19],
            each.actor,
            len(each.devices),
            ", ".join(f"{level} {label}" for level, label in each.labels.items()),
            "" if each.rule is None else "passed on",
            "" if each.undone_ns is None else f"taken back by {each.undone_by}",
            each.reason,
        )
        for each in page.items
    ]
    columns = ("number", "given", "by", "devices", "says", "to others", "state", "reason")
    print_table("", columns, rows, right=("number", "devices"))
    return 0


@answers.command()
@click.argument("number")
@click.option("--reason", default="", help="Why; stands in the audit chain.")
@home_option
def undo(number: str, reason: str, home: Path | None) -> int:
    """Take an answer back, and what was learnt from it."""
    from medwarden.app.answers import undo_answer
    from medwarden.app.home import data_folder
    from medwarden.store.open import open_store

    folder = data_folder(home)
    with open_store(folder, writer=True, role="answers"):
        from medwarden.store.queries import Scope

        _begin(folder)
        done = undo_answer(Scope(), number, home=folder, actor=_actor(), reason=reason)
    _show(done.preview)
    click.echo(f"answer {done.answer.number} was taken back; version {done.version} is in force", err=True)
    return 0


@answers.command()
@click.argument("table", type=click.Path(dir_okay=False, path_type=Path))
@_SITE
@home_option
def export(table: Path, site: str | None, home: Path | None) -> int:
    """Write the queue as CSV with columns to fill in; `answers import` reads it back."""
    from medwarden.app.answer_tables import queue_table
    from medwarden.app.home import data_folder
    from medwarden.app.unknown import all_clusters
    from medwarden.store.open import open_store

    with open_store(data_folder(home), writer=False):
        from medwarden.store.queries import Scope

        found = all_clusters(Scope(sites=None if site is None else (site,)))
    try:
        table.write_text(queue_table(found), encoding="utf-8-sig", newline="")
    except OSError as error:
        raise ResourceError(f"{table}: {error.strerror}") from error
    click.echo(
        f"{len(found)} questions about {sum(len(c.devices) for c in found)} devices: {table}", err=True
    )
    return 0


@answers.command("import")
@click.argument("table", type=click.Path(dir_okay=False, path_type=Path))
@_SITE
@home_option
def import_table(table: Path, site: str | None, home: Path | None) -> int:
    """Give every answer of a table (CSV, as `answers export` writes it)."""
    from medwarden.app.answer_tables import import_answers
    from medwarden.app.home import data_folder
    from medwarden.store.open import open_store

    try:
        data = table.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{table}: {error.strerror}") from error
    folder = data_folder(home)
    with open_store(folder, writer=True, role="answers"):
        from medwarden.store.queries import Scope

        _begin(folder)
        scope = Scope(sites=None if site is None else (site,))
        done = import_answers(scope, data, str(table), home=folder, actor=_actor())
    for problem in done.problems:
        click.echo(f"medwarden: {table}, line {problem.line}: {problem.reason}", err=True)
    devices = sum(len(given.answer.devices) for given in done.given)
    click.echo(f"{len(done.given)} answers about {devices} devices; {done.empty} lines without one", err=True)
    return 1 if done.problems else 0
