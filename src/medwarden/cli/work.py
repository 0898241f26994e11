"""What to do first: ``work list``, ``show``, ``set``, ``accept`` and what belongs to them."""

from __future__ import annotations

import csv
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from medwarden.cli.output import home_option, json_option, plain, print_json, print_table
from medwarden.kernel.clock import iso
from medwarden.kernel.printable import printable
from medwarden.risk.work.choice import ActionKind
from medwarden.risk.work.states import WORDS, WorkState

if TYPE_CHECKING:
    from medwarden.app.work_desk import Asked
    from medwarden.store.queries.work import AcceptanceRow, ActionRow

_MOST_SHOWN = 20
_SEVERITIES = ("critical", "high", "medium", "low", "info")


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


@click.group()
def work() -> None:
    """Say what to do first about risk, who does it until when, and what is accepted."""


def _day(at_ns: int | None) -> str:
    return "" if at_ns is None else iso(at_ns)[:10]


@work.command("list")
@click.argument("text", metavar="[FILTER]...", nargs=-1)
@click.option("--state", multiple=True, type=click.Choice([state.value for state in WorkState]))
@click.option("--severity", multiple=True, type=click.Choice(_SEVERITIES))
@click.option("--kind", multiple=True, type=click.Choice([kind.value for kind in ActionKind]))
@click.option("--owner", multiple=True, help="A person or team; - for what nobody does.")
@click.option("--label", multiple=True)
@click.option("--due", default="", type=click.Choice(["", "late", "soon", "later"]))
@click.option("--exploited", is_flag=True, help="Only what is used in attacks.")
@click.option("--cve", default="", help="Only actions about this vulnerability.")
@click.option("--device", default="", help="Only actions about this device: its id, MAC or IP address.")
@click.option(
    "--view", default="open", show_default=True, type=click.Choice(["open", "accepted", "closed", "all"])
)
@click.option("--sort", default="-priority", show_default=True, help="priority, due, devices, findings ...")
@click.option("--csv", "as_csv", is_flag=True, help="Print the exchange table for ticketing systems.")
@click.option("--site", default=None)
@home_option
@json_option
def list_actions(
    text: tuple[str, ...],
    state: tuple[str, ...],
    severity: tuple[str, ...],
    kind: tuple[str, ...],
    owner: tuple[str, ...],
    label: tuple[str, ...],
    due: str,
    exploited: bool,
    cve: str,
    device: str,
    view: str,
    sort: str,
    as_csv: bool,
    site: str | None,
    home: Path | None,
    as_json: bool,
) -> int:
    """Show what to do, the most urgent first, and how many findings each closes.

    FILTER is part of the title, of the work order or of the owner's name.
    """
    from medwarden.app.home import data_folder
    from medwarden.app.work_desk import Asked, queue

    asked = Asked(
        " ".join(text), state, severity, kind, owner, label, due, exploited, cve, device, view, sort
    )
    if as_csv:
        return _print_csv(data_folder(home), asked, site)
    found, all_of_it = queue(data_folder(home), asked, site=site)
    if as_json:
        for row in found:
            print_json(plain(row))
        return 0
    columns = ("id", "prio", "severity", "due", "state", "owner", "devices", "findings", "what to do")
    print_table("", columns, [_cells(row) for row in found], right=("prio", "devices", "findings"))
    click.echo(
        f"{all_of_it.actions} actions: {all_of_it.findings} findings on {all_of_it.devices} devices; "
        f"{all_of_it.late} late, {all_of_it.exploited} used in attacks, {all_of_it.unowned} without an owner",
        err=True,
    )
    return 0


def _cells(row: ActionRow) -> tuple[object, ...]:
    due = _day(row.due_ns) + (" late" if row.late else "")
    state = WORDS[WorkState(row.state)]
    return (
        row.id, row.priority, row.severity, due, state, row.owner, row.devices, row.findings, row.title
    )  # fmt: skip


def _print_csv(home: Path, asked: Asked, site: str | None) -> int:
    from medwarden.app.work_desk import table
    from medwarden.app.work_table import HEADER, csv_cells

    writer = csv.writer(sys.stdout)
    writer.writerow(HEADER)
    for row in table(home, asked, site=site):
        writer.writerow(csv_cells(row))
    return 0


@work.command()
@click.argument("name", nargs=-1, required=True)
@click.option("--site", default=None)
@home_option
@json_option
def show(name: tuple[str, ...], site: str | None, home: Path | None, as_json: bool) -> int:
    """Show one action (its id, or words of its title) with its devices, findings and history."""
    from medwarden.app.home import data_folder
    from medwarden.app.work_desk import show as shown

    found = shown(data_folder(home), " ".join(name), site=site)
    if as_json:
        print_json(plain(found))
        return 0
    row = found.action
    click.echo(f"{printable(row.title)}\n{row.shown.what}; priority {row.priority}, due {_day(row.due_ns)}")
    for reason in row.shown.reasons:
        click.echo(f"  {reason.points:+5d}  {printable(reason.why)}")
    if found.effect is not None:
        e = found.effect
        click.echo(
            f"  scores of {e.devices} of {e.of} devices, {e.how}: highest {e.worst} to {e.worst_after}, "
            f"mean {e.mean} to {e.mean_after}, {e.points} points in all"
        )
    for who, said, url in row.shown.texts:
        click.echo(f"  {printable(' '.join(part for part in (who and who + ':', said, url) if part))}")
    print_table(
        "Findings", ("id", "severity", "cvss", "exploited", "devices", "accepted"),
        [(s.id, s.severity, s.score, "yes" if s.exploited else "", s.devices, s.accepted)
         for s in found.subjects],
        right=("cvss", "devices", "accepted"),
    )  # fmt: skip
    print_table(
        "Devices", ("id", "name", "ip", "maker", "model", "version", "findings", "sure", "accepted"),
        [(d.id, d.name, d.ip, d.vendor, d.model, d.firmware, d.findings, "yes" if d.sure else "perhaps",
          "yes" if d.accepted else "") for d in found.devices],
        right=("findings",),
    )  # fmt: skip
    print_table(
        "History", ("when", "who", "what", "before", "after", "why", "decision"),
        [(iso(e.at_ns)[:16], e.actor, e.what, _said(e.what, e.before), _said(e.what, e.after), e.reason,
          f"{e.batch} (taken back)" if e.undone_ns else e.batch) for e in found.history],
    )  # fmt: skip
    return 0


def _said(what: str, value: object) -> str:
    if what == "due" and isinstance(value, int):
        return _day(value)
    if isinstance(value, list):
        return ", ".join(str(part) for part in value if isinstance(part, str) and part)
    return "" if value is None or isinstance(value, dict) else str(value)


@work.command("set")
@click.argument("names", metavar="ACTION...", nargs=-1, required=True)
@click.option("--state", type=click.Choice([s.value for s in WorkState if s is not WorkState.VERIFIED]))
@click.option("--owner", help="Who does it: a user name, or with --team any name; - for nobody.")
@click.option("--team", is_flag=True, help="The owner is a team.")
@click.option("--due", help="The day until which it is to be done, YYYY-MM-DD; - for that of the rules.")
@click.option("--work-order", help="The number of the work order; - for none.")
@click.option("--label", "labels", multiple=True, help="Labels that it has then; - for none.")
@click.option("--note", default="")
@click.option("--reason", default="", help="Why; needed for a change of state, kept with every change.")
@home_option
def change_actions(
    names: tuple[str, ...],
    state: str | None,
    owner: str | None,
    team: bool,
    due: str | None,
    work_order: str | None,
    labels: tuple[str, ...],
    note: str,
    reason: str,
    home: Path | None,
) -> int:
    """Change owner, state, day, work order or labels of actions, or write a note; one decision for all."""
    from medwarden.app.home import data_folder
    from medwarden.app.work_desk import Wanted, change

    wanted = Wanted(
        state=state,
        owner="" if owner == "-" else owner,
        team=team,
        due=due,
        work_order="" if work_order == "-" else work_order,
        labels=None if not labels else tuple(label for label in labels if label != "-"),
        note=note,
    )
    batch = change(data_folder(home), names, wanted, actor=_actor(), reason=reason)
    click.echo(f"done; to take it back: medwarden work undo {batch}" if batch else "nothing changed")
    return 0


@work.command()
@click.argument("decision")
@click.option("--reason", default="")
@home_option
def undo(decision: str, reason: str, home: Path | None) -> int:
    """Take a decision back: all steps that were taken in it."""
    from medwarden.app.home import data_folder
    from medwarden.app.work_desk import take_back

    steps = take_back(data_folder(home), decision, actor=_actor(), reason=reason)
    click.echo(f"{steps} steps are taken back")
    return 0


@work.command()
@click.argument("name", metavar="ACTION")
@click.option("--until", required=True, help="The day until which the risk is borne, YYYY-MM-DD.")
@click.option("--reason", required=True)
@click.option("--device", "devices", multiple=True, help="Only for this device: id, MAC or IP address.")
@click.option("--vendor", default="", help="Only for devices of this maker ...")
@click.option("--model", default="", help="... and model.")
@click.option("--only", "subjects", multiple=True, help="Only this vulnerability or type of finding.")
@click.option("--conditions", default="", help="What has to stay as it is for that.")
@click.option("--subnet", default="", help="It holds only for devices in this subnet.")
@click.option("--approver", default="", help="Who approves it: a user whose role may accept risks.")
@home_option
@json_option
def accept(
    name: str,
    until: str,
    reason: str,
    devices: tuple[str, ...],
    vendor: str,
    model: str,
    subjects: tuple[str, ...],
    conditions: str,
    subnet: str,
    approver: str,
    home: Path | None,
    as_json: bool,
) -> int:
    """Ask that the risk of an action is borne until a day, for devices, a model or the whole site.

    Without --approver it waits for somebody whose role may accept risks.
    """
    from medwarden.app.home import data_folder
    from medwarden.app.work_desk import Bear, bear

    row = bear(
        data_folder(home),
        name,
        Bear(until, devices, vendor, model, subjects, conditions, subnet),
        actor=_actor(),
        reason=reason,
        approver=approver,
    )
    return _print_acceptance(row, as_json)


def _print_acceptance(row: AcceptanceRow, as_json: bool) -> int:
    if as_json:
        print_json(plain(row))
    else:
        click.echo(f"{row.id}: {row.state} until {_day(row.expires_ns)}: {printable(row.title)}")
    return 0


@work.command()
@click.argument("acceptance")
@click.option("--approve/--refuse", required=True)
@click.option("--approver", required=True, help="Who decides: a user whose role may accept risks.")
@click.option("--reason", default="")
@home_option
@json_option
def decide(
    acceptance: str, approve: bool, approver: str, reason: str, home: Path | None, as_json: bool
) -> int:
    """Approve or refuse the wish that a risk is accepted."""
    from medwarden.app.home import data_folder
    from medwarden.app.work_desk import decide as settle

    row = settle(
        data_folder(home), acceptance, approve=approve, approver=approver, actor=_actor(), reason=reason
    )
    return _print_acceptance(row, as_json)


@work.command()
@click.argument("acceptance")
@click.option("--reason", required=True)
@home_option
@json_option
def withdraw(acceptance: str, reason: str, home: Path | None, as_json: bool) -> int:
    """End an accepted risk before its day; what it covered is open again."""
    from medwarden.app.home import data_folder
    from medwarden.app.work_desk import withdraw as end

    return _print_acceptance(end(data_folder(home), acceptance, actor=_actor(), reason=reason), as_json)


@work.command()
@click.option("--site", default=None)
@home_option
@json_option
def accepted(site: str | None, home: Path | None, as_json: bool) -> int:
    """Show risks that are accepted, asked to be, or were."""
    from medwarden.app.home import data_folder
    from medwarden.app.work_desk import borne

    found = borne(data_folder(home), site=site)
    if as_json:
        for row in found:
            print_json(plain(row))
        return 0
    print_table(
        "", ("id", "state", "until", "for", "what", "asked by", "approver", "why"),
        [(r.id, r.state, _day(r.expires_ns), _for(r), r.title, r.asked_by, r.approver, r.reason)
         for r in found],
    )  # fmt: skip
    return 0


def _for(row: AcceptanceRow) -> str:
    if row.scope == "device":
        return f"{len(row.devices)} devices"
    return " ".join((row.vendor, row.model)).strip() if row.scope == "model" else f"site {row.site}"


@work.command("import")
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--reason", default="")
@click.option("--site", default=None)
@home_option
@json_option
def import_table(table: Path, reason: str, site: str | None, home: Path | None, as_json: bool) -> int:
    """Take owner, state, due day, work order, labels and notes back from a table of `work list --csv`."""
    from medwarden.app.home import data_folder
    from medwarden.app.work_desk import take_table

    done = take_table(data_folder(home), table, actor=_actor(), reason=reason, site=site)
    if as_json:
        print_json(plain(done))
    else:
        click.echo(
            f"{done.rows} rows: {done.changed} actions changed, {done.same} as before, "
            f"{len(done.problems)} could not be used"
        )
    for problem in done.problems[:_MOST_SHOWN]:
        click.echo(
            f"medwarden: {printable(str(table))}, line {problem.line}: {printable(problem.reason)}", err=True
        )
    return 1 if done.problems else 0
