"""Recalls and makers' notices: which devices they concern, and the work on them: ``recalls``."""

from __future__ import annotations

import csv
import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from medwarden.cli.output import home_option, json_option, plain, print_json, print_table
from medwarden.kernel.clock import iso, wall_clock
from medwarden.kernel.printable import neutral_text
from medwarden.model.recall import RecallClass
from medwarden.risk.recalls.engine import RecallState
from medwarden.risk.recalls.workflow import DueDays, Step

if TYPE_CHECKING:
    from medwarden.app.recall_desk import Entered
    from medwarden.store.queries import Scope

_TENANT = "default"
_MOST = 1000
site_option = click.option("--site", default=None, help="Only this site.")
reason_option = click.option("--reason", required=True, help="Why; kept in the audit chain.")


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


@contextmanager
def _opened(home: Path | None) -> Iterator[Path]:
    """Open the data folder to write; yield where it lies."""
    from medwarden.app.home import data_folder
    from medwarden.store.open import open_store

    folder = data_folder(home)
    with open_store(folder, writer=True, role="recalls"):
        yield folder


def _scope(site: str | None) -> Scope:
    from medwarden.store.queries import Scope

    return Scope(_TENANT, None if site is None else (site,))


@click.group()
def recalls() -> None:
    """Recalls and makers' notices: whom they concern, and what is done about it."""


@recalls.command("list")
@click.argument("text", metavar="[FILTER]...", nargs=-1)
@click.option("--class", "classes", multiple=True, type=click.Choice([c.value for c in RecallClass]))
@click.option(
    "--work", default="open", show_default=True, type=click.Choice(["open", "closed", "ended", "all"])
)
@click.option("--overdue", is_flag=True, help="Only notices with devices whose day is past.")
@site_option
@home_option
@json_option
def listed(
    text: tuple[str, ...],
    classes: tuple[str, ...],
    work: str,
    overdue: bool,
    site: str | None,
    home: Path | None,
    as_json: bool,
) -> int:
    """Compare devices with notices, and list the notices that concern any, the most urgent first."""
    from medwarden.app.recalls import refresh

    with _opened(home) as folder:
        from medwarden.store.queries.recalls import NoticeFilter, board, unnamed_medical

        refresh(folder, _TENANT)
        wanted = NoticeFilter(work=work, classes=classes, text=" ".join(text), overdue=overdue)
        page = board(_scope(site), wanted, wall_clock(), limit=_MOST)
        unnamed = unnamed_medical(_scope(site))
        if as_json:
            for view in page.items:
                print_json(plain(view))
        else:
            columns = (
                "notice",
                "class",
                "maker",
                "title",
                "affected",
                "unknown",
                "may be",
                "open",
                "late",
                "due",
            )
            print_table(
                "",
                columns,
                [
                    (v.number, v.recall_class, v.maker, v.title, v.affected, v.unknown, v.may_be, v.open,
                     v.overdue, iso(v.next_due_ns)[:10] if v.next_due_ns else "")
                    for v in page.items
                ],
                right=("affected", "unknown", "may be", "open", "late"),
            )  # fmt: skip
    if unnamed:
        click.echo(
            f"{unnamed} medical devices have no known model: no notice can be compared with them", err=True
        )
    return 0


@recalls.command()
@click.argument("text", metavar="[FILTER]...", nargs=-1)
@click.option("--notice", default="", help="Only this notice.")
@click.option("--device", default="", help="Only this device: its id, MAC or IP address.")
@click.option("--verdict", multiple=True, type=click.Choice([s.value for s in RecallState]))
@click.option("--step", multiple=True, type=click.Choice([s.value for s in Step]))
@click.option("--overdue", is_flag=True)
@site_option
@home_option
@json_option
def devices(
    text: tuple[str, ...],
    notice: str,
    device: str,
    verdict: tuple[str, ...],
    step: tuple[str, ...],
    overdue: bool,
    site: str | None,
    home: Path | None,
    as_json: bool,
) -> int:
    """Say of every device and notice: affected, unknown, may be affected, not affected; and why."""
    from medwarden.app.recalls import refresh

    with _opened(home) as folder:
        from medwarden.app.inventory import one_device
        from medwarden.store.queries.recall_cases import CaseFilter, cases

        refresh(folder, _TENANT)
        wanted = CaseFilter(
            notice=notice,
            states=verdict,
            steps=step,
            text=" ".join(text),
            overdue=overdue,
            device=one_device(device).id if device else "",
        )
        offset, now = 0, wall_clock()
        rows: list[tuple[object, ...]] = []
        while True:
            page = cases(_scope(site), wanted, now, offset=offset, limit=_MOST)
            for view in page.items:
                if as_json:
                    print_json(plain(view))
                else:
                    due = iso(view.due_ns)[:10] if view.due_ns else ""
                    rows.append(
                        (
                            view.id,
                            view.label,
                            view.notice,
                            view.recall_class,
                            view.state,
                            view.step,
                            due,
                            view.reason,
                        )
                    )
            offset += _MOST
            if offset >= page.total:
                break
        if not as_json:
            print_table("", ("case", "device", "notice", "class", "verdict", "step", "due", "why"), rows)
    return 0


@recalls.command()
@click.argument("number")
@site_option
@home_option
@json_option
def show(number: str, site: str | None, home: Path | None, as_json: bool) -> int:
    """Show one notice: what it says, its versions, its devices."""
    with _opened(home):
        from medwarden.kernel.errors import ConfigurationError
        from medwarden.store.queries.recall_cases import CaseFilter, each_case
        from medwarden.store.queries.recalls import notice_body, versions

        scope = _scope(site)
        body = notice_body(scope, number)
        if body is None:
            raise ConfigurationError(f"there is no notice {number[:60]!r}: see 'medwarden recalls list'")
        found = each_case(scope, CaseFilter(notice=number), wall_clock())
        if as_json:
            print_json(
                {"notice": plain(body), "devices": plain(found), "versions": plain(versions(scope, number))}
            )
            return 0
        for name, value in (
            ("notice", body.id), ("class", body.recall_class.value), ("maker", body.maker),
            ("title", body.title), ("status", body.status), ("begun", body.begun),
            ("reason", body.reason), ("action", body.action),
            *(("limits", scope_.codes) for scope_ in body.scopes if scope_.codes),
        ):  # fmt: skip
            if value:
                click.echo(f"{name}: {value}")
        print_table(
            "",
            ("case", "device", "verdict", "step", "why"),
            [(v.id, v.label, v.state, v.step, v.reason) for v in found],
        )
    return 0


def _entered_options(command: click.decorators.FC) -> click.decorators.FC:
    """Add what a person may say of a notice."""
    for name, words in (
        ("--url", "Where it is published."),
        ("--made", 'Days of manufacture, as written: "before June 2020".'),
        ("--version", 'Firmware versions, as written: "below 3.1".'),
        ("--serials", 'Serial numbers, as written: "1000 through 2000, A7".'),
        ("--lots", "Lots, as written."),
        ("--identifiers", "UDI-DIs, with commas between."),
        ("--models", "Model or catalogue numbers, with commas between."),
        ("--begun", "The day of the notice (2026-01-31)."),
        ("--action", "What it asks for."),
        ("--why", "What is wrong."),
        ("--product", "The product's name."),
        ("--maker", "Who makes it."),
        ("--title", "What it is about."),
    ):
        command = click.option(name, default=None, help=words)(command)
    return click.option(
        "--class", "recall_class", default=None, type=click.Choice([c.value for c in RecallClass])
    )(command)


def _with(entered: Entered, given: dict[str, str | None]) -> Entered:
    """Return a notice with what was given in place of what it said."""
    renamed = {("reason" if name == "why" else name): value for name, value in given.items()}
    return msgspec.structs.replace(entered, **{n: v for n, v in renamed.items() if v is not None})


@recalls.command()
@click.option("--number", default="", help="The maker's own number; without one the next of ours.")
@_entered_options
@click.option("--reason", default="", help="Where it came from; kept in the audit chain.")
@home_option
def enter(number: str, reason: str, home: Path | None, **given: str | None) -> int:
    """Enter a maker's notice; it is compared with every device at once."""
    from medwarden.app.recall_desk import Entered, notice_of
    from medwarden.app.recall_desk import enter as keep

    with _opened(home):
        entered = _with(Entered(title="", maker="", number=number), given)
        click.echo(keep(_TENANT, notice_of(entered), actor=_actor(), reason=reason))
    return 0


@recalls.command("import")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--reason", default="")
@home_option
def take_in(files: tuple[Path, ...], reason: str, home: Path | None) -> int:
    """Take notices of makers in as CSAF documents; one that is known already is corrected."""
    from medwarden.app.recall_desk import enter_document

    with _opened(home):
        for file in files:
            for number in enter_document(
                _TENANT, file.read_bytes(), file.name, actor=_actor(), reason=reason
            ):
                click.echo(number)
    return 0


@recalls.command()
@click.argument("number")
@_entered_options
@reason_option
@home_option
def correct(number: str, reason: str, home: Path | None, **given: str | None) -> int:
    """Correct a notice of your own; the words before are kept as a version."""
    from medwarden.app.recall_desk import correct as change
    from medwarden.app.recall_desk import entered_of, notice_of
    from medwarden.kernel.errors import ConfigurationError

    with _opened(home):
        from medwarden.store.queries.recalls import notice_body

        body = notice_body(_scope(None), number)
        if body is None:
            raise ConfigurationError(f"there is no notice {number[:60]!r}")
        notice = notice_of(_with(entered_of(body), given))
        version = change(_TENANT, number, notice, actor=_actor(), reason=reason)
    click.echo(f"{number}: version {version}")
    return 0


@recalls.command()
@click.argument("number")
@reason_option
@home_option
def withdraw(number: str, reason: str, home: Path | None) -> int:
    """Take a notice of your own back; its record stays."""
    from medwarden.app.recall_desk import withdraw as take_back

    with _opened(home):
        take_back(_TENANT, number, actor=_actor(), reason=reason)
    return 0


@recalls.command()
@click.argument("cases", nargs=-1, required=True)
@click.option(
    "--to", "step", default=None, type=click.Choice([s.value for s in Step]), help="The step to take."
)
@click.option("--evidence", default="", help="What was done or seen; a note where no step is taken.")
@click.option("--reference", multiple=True, help="Where the proof is: a document's number or address.")
@click.option("--owner", default=None)
@click.option("--work-order", default=None)
@click.option("--due", default=None, help="The day by which it shall be closed (2026-01-31).")
@home_option
def step(
    cases: tuple[str, ...],
    step: str | None,
    evidence: str,
    reference: tuple[str, ...],
    owner: str | None,
    work_order: str | None,
    due: str | None,
    home: Path | None,
) -> int:
    """Take a step in CASES, add notes and proof, say who does it and by when; all or nothing."""
    from medwarden.app.recall_desk import Work, work_on

    with _opened(home):
        work = Work(step, evidence, reference, owner, work_order, due)
        click.echo(f"{work_on(_TENANT, cases, work, actor=_actor())} cases")
    return 0


@recalls.command()
@click.argument("case")
@reason_option
@home_option
def undo(case: str, reason: str, home: Path | None) -> int:
    """Take the last entry of a case back."""
    from medwarden.app.recall_desk import undo as take_back

    with _opened(home):
        click.echo(f"taken back: {take_back(_TENANT, case, actor=_actor(), reason=reason)}")
    return 0


@recalls.command()
@click.argument("number")
@click.option("--owner", default=None, help="Who is in charge.")
@click.option("--contact", default=None, help="Whom to call at the maker.")
@click.option("--note", default=None)
@home_option
def describe(number: str, owner: str | None, contact: str | None, note: str | None, home: Path | None) -> int:
    """Say who is in charge of a notice, whom to call at the maker, and notes."""
    from medwarden.app.recall_desk import describe as keep

    with _opened(home):
        keep(_TENANT, number, actor=_actor(), owner=owner, contact=contact, note=note)
    return 0


@recalls.command()
@click.argument("number")
@reason_option
@click.option("--despite", default="", help="Why it is closed although devices are open.")
@home_option
def close(number: str, reason: str, despite: str, home: Path | None) -> int:
    """Close a notice with a record of what was done; print the record's digest."""
    from medwarden.app.recall_desk import close as end

    with _opened(home):
        record = end(_TENANT, number, actor=_actor(), reason=reason, despite=despite)
    click.echo(f"{number} is closed; digest of its record: {record['digest']}")
    return 0


@recalls.command()
@click.argument("number")
@reason_option
@home_option
def reopen(number: str, reason: str, home: Path | None) -> int:
    """Open a closed notice again."""
    from medwarden.app.recall_desk import reopen as begin

    with _opened(home):
        begin(_TENANT, number, actor=_actor(), reason=reason)
    return 0


@recalls.command()
@click.argument("number")
@click.option("--as", "kind", default="html", show_default=True, type=click.Choice(["html", "json", "csv"]))
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="A file instead of the terminal."
)
@site_option
@home_option
def report(number: str, kind: str, out: Path | None, site: str | None, home: Path | None) -> int:
    """Write the closure report of a notice: its devices and what was done at each, with the record."""
    from medwarden.app.recall_desk import report_file

    with _opened(home):
        text = report_file(_scope(site), number, kind, wall_clock())
    if out is None:
        sys.stdout.write(text)
    else:
        out.write_text(text, encoding="utf-8")
    return 0


@recalls.command("due")
@click.option("--set", "pairs", multiple=True, metavar="CLASS=DAYS", help="I, II, III or unclassified.")
@click.option("--reason", default="")
@home_option
def due_days_command(pairs: tuple[str, ...], reason: str, home: Path | None) -> int:
    """Show or change within how many days a device shall be done, by class of the notice."""
    from medwarden.app.recalls import due_days, set_due_days

    given: dict[str, int] = {}
    for pair in pairs:
        name, _, days = pair.partition("=")
        if name not in DueDays.__struct_fields__ or not days.isdecimal() or len(days) > 5:
            raise click.UsageError(f"{pair!r}: write I=7, II=30, III=90 or unclassified=30")
        given[name] = int(days)
    if given and not reason:
        raise click.UsageError("say --reason")
    with _opened(home):
        if given:
            days_now = msgspec.structs.replace(due_days(_TENANT), **given)
            set_due_days(_TENANT, days_now, actor=_actor(), reason=reason)
        for name, value in msgspec.structs.asdict(due_days(_TENANT)).items():
            click.echo(f"{name}: {value} days")
    return 0


@recalls.command()
@click.option("--as", "kind", default="table", show_default=True, type=click.Choice(["table", "json", "csv"]))
@site_option
@home_option
def outlook(kind: str, site: str | None, home: Path | None) -> int:
    """List devices to replace: class I recalls, end of support, age; with their cost where a book has it."""
    from medwarden.app.replacement import replacements

    with _opened(home) as folder:
        found = replacements(folder, _scope(site))
    columns = ("device", "name", "urgency", "age", "cost", "currency", "why")
    rows = [
        (o.device, o.label, o.urgency.value, "" if o.age_years is None else f"{o.age_years:.1f}",
         "" if o.cost is None else f"{o.cost:.0f}", o.currency, " ".join(o.why))
        for o in found
    ]  # fmt: skip
    if kind == "json":
        for each in found:
            print_json(plain(each))
    elif kind == "csv":
        writer = csv.writer(sys.stdout)
        writer.writerows([columns, *([neutral_text(cell) for cell in row] for row in rows)])
    else:
        print_table("", columns, rows, right=("age", "cost"))
    return 0
