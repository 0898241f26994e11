"""Disclosure forms of makers: ``mds2 import``, ``list``, ``show``, ``compare`` and the rest."""

from __future__ import annotations

import csv
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from medwarden.cli.output import home_option, json_option, plain, print_json, print_table
from medwarden.kernel.clock import iso
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.kernel.printable import neutral_cell

if TYPE_CHECKING:
    from medwarden.app.mds2 import Imported

_SHOWN_PROBLEMS = 12


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


@click.group()
def mds2() -> None:
    """Keep makers' disclosure forms (MDS2) and compare them with what is heard."""


@mds2.command("import")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--vendor", default="", help="The maker, where the form does not name it or not rightly.")
@click.option("--model", default="", help="The model, where the form does not name it or not rightly.")
@click.option("--dry-run", is_flag=True, help="Show what would be read and change nothing.")
@home_option
@json_option
def import_forms(
    files: tuple[Path, ...], vendor: str, model: str, dry_run: bool, home: Path | None, as_json: bool
) -> int:
    """Bring forms in: HN 1-2013 and HN 1-2019 as XLSX, XLSM, XLS or PDF."""
    from medwarden.app.home import data_folder
    from medwarden.app.mds2 import import_file

    failed = 0
    for path in files:
        try:
            done = import_file(
                data_folder(home), path, actor=_actor(), vendor=vendor, model=model, trial=dry_run
            )
        except (MalformedInput, ConfigurationError) as error:
            failed += 1
            reason = error.reason if isinstance(error, MalformedInput) else str(error)
            if as_json:
                print_json({"file": path.name, "error": reason})
            else:
                click.echo(f"{path.name}: not brought in: {reason}", err=True)
            continue
        if as_json:
            print_json({"file": path.name, **_told(done)})
        else:
            _say(path, done, dry_run)
    return 1 if failed else 0


def _told(done: Imported) -> dict[str, object]:
    form = done.form
    return {
        "id": done.id, "new": done.new, "edition": form.edition.value, "header": plain(form.header),
        "read_from": form.read_from, "answers": sum(a.given for a in form.answers),
        "ports": len(form.ports), "devices": done.devices, "problems": plain(form.problems),
    }  # fmt: skip


def _say(path: Path, done: Imported, trial: bool) -> None:
    form = done.form
    header = form.header
    given = sum(answer.given for answer in form.answers)
    state = "read, nothing kept" if trial else f"kept as {done.id}" if done.new else f"known as {done.id}"
    click.echo(f"{path.name}: {header.vendor} {header.model}, {form.edition.value}, {state}")
    day = f", of {header.released}" if header.released else ""
    click.echo(f"  {given} answers{day}, by {form.read_from}; {done.devices} devices")
    for problem in form.problems[:_SHOWN_PROBLEMS]:
        where = f" ({problem.where})" if problem.where else ""
        click.echo(f"  {problem.kind.value}: {problem.words}{where}")
    if len(form.problems) > _SHOWN_PROBLEMS:
        click.echo(f"  and {len(form.problems) - _SHOWN_PROBLEMS} more: see --json")


@mds2.command("list")
@click.option("--text", default="", help="Part of maker, model or number.")
@click.option("--withdrawn", is_flag=True, help="Withdrawn forms too.")
@click.option("--coverage", "by_model", is_flag=True, help="Models of the inventory and their forms instead.")
@home_option
@json_option
def list_forms(text: str, withdrawn: bool, by_model: bool, home: Path | None, as_json: bool) -> int:
    """Show the forms there are, or which models have one."""
    from medwarden.app.home import data_folder
    from medwarden.app.mds2_lists import covered_models, form_list

    folder = data_folder(home)
    if by_model:
        rows = covered_models(folder)
        if as_json:
            for row in rows:
                print_json(plain(row))
            return 0
        print_table(
            "",
            ("maker", "model", "devices", "with form", "form of", "differences", "gravest"),
            [
                (r.vendor, r.model, r.devices, r.with_form, r.released or ("yes" if r.form else "missing"),
                 r.differences, r.gravest)
                for r in rows
            ],
            right=("devices", "with form", "differences"),
        )  # fmt: skip
        return 0
    found = form_list(folder, text=text, withdrawn=withdrawn)
    if as_json:
        for form in found:
            print_json(plain(form))
        return 0
    print_table(
        "",
        ("id", "maker", "model", "edition", "of", "answers", "problems", "counts", "brought in"),
        [
            (f.id, f.vendor, f.model, f.edition, f.released, f.answers, f.problems,
             "withdrawn" if f.withdrawn_ns else "yes" if f.counts else "older", iso(f.at_ns)[:16])
            for f in found
        ],
        right=("answers", "problems"),
    )  # fmt: skip
    return 0


@mds2.command()
@click.argument("form")
@click.option("--claims", is_flag=True, help="What the form claims instead of its answers.")
@home_option
@json_option
def show(form: str, claims: bool, home: Path | None, as_json: bool) -> int:
    """Show a form: its answers in our words, or what it claims."""
    from medwarden.app.home import data_folder
    from medwarden.app.mds2_lists import shown

    found = shown(data_folder(home), form)
    if as_json:
        print_json(plain(found))
        return 0
    view = found.view
    click.echo(f"{view.vendor} {view.model}: {view.edition}, {view.document} of {view.released or 'no day'}")
    if claims:
        words = {True: "yes", False: "no", None: "open"}
        rows = [(c.title, words[c.holds], c.question, c.written, c.note) for c in found.claims]
        print_table("", ("claim", "holds", "question", "written", "note"), rows)
    else:
        answers = [(a.question, a.words, a.stance, a.written, a.note) for a in found.answers]
        print_table("", ("question", "words", "answer", "written", "note"), answers)
    for problem in found.problems:
        click.echo(f"{problem.kind.value}: {problem.words}", err=True)
    return 0


@mds2.command()
@click.option("--device", default="", help="One device by its id, MAC or IP address.")
@click.option("--form", default="", help="The devices of one form.")
@home_option
@json_option
def compare(device: str, form: str, home: Path | None, as_json: bool) -> int:
    """Show where what was heard differs from what makers declare."""
    from medwarden.app.home import data_folder
    from medwarden.app.mds2_lists import differing

    found = differing(data_folder(home), device=device, form=form)
    if as_json:
        for row in found:
            print_json(plain(row))
        return 0
    if not found:
        click.echo("Nothing that was heard contradicts a form.")
        return 0
    rows = [(r.label, r.severity, r.title, ", ".join(r.questions), f"{r.said} {r.seen}") for r in found]
    print_table("", ("device", "severity", "difference", "question", "why"), rows)
    return 0


@mds2.command()
@click.argument("form")
@click.option("--device", default="", help="A device by its id, MAC or IP address.")
@click.option("--vendor", default="", help="A maker as the inventory names it, with --model.")
@click.option("--model", default="")
@click.option("--not", "apart", is_flag=True, help="It is not of this device or model.")
@click.option("--forget", is_flag=True, help="Take the word back; names decide again.")
@click.option("--reason", required=True, help="Why; kept in the audit chain.")
@home_option
def attach(
    form: str, device: str, vendor: str, model: str, apart: bool, forget: bool, reason: str, home: Path | None
) -> int:
    """Say of which device or model a form is, where the names do not say it."""
    from medwarden.app.home import data_folder
    from medwarden.app.mds2_lists import attach_by_hand

    belongs = None if forget else not apart
    count = attach_by_hand(
        data_folder(home), form, actor=_actor(), reason=reason, device=device, vendor=vendor, model=model,
        belongs=belongs,
    )  # fmt: skip
    click.echo(f"the form counts for {count} devices now")
    return 0


@mds2.command()
@click.argument("form")
@click.option("--reason", required=True, help="Why; kept in the audit chain.")
@click.option("--undo", is_flag=True, help="Let a withdrawn form count again.")
@home_option
def remove(form: str, reason: str, undo: bool, home: Path | None) -> int:
    """Let a form count no more (it stays in the history), or count again."""
    from medwarden.app.home import data_folder
    from medwarden.app.mds2_lists import change_standing

    change_standing(data_folder(home), form, actor=_actor(), reason=reason, back=undo)
    return 0


@mds2.command()
@click.argument("form", required=False, default="")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="A CSV file; else standard output."
)
@home_option
@json_option
def export(form: str, out: Path | None, home: Path | None, as_json: bool) -> int:
    """Write the answers of a form, or of all that count, question by question."""
    from medwarden.app.home import data_folder
    from medwarden.app.mds2 import EXPORTED
    from medwarden.app.mds2_lists import exported_rows

    rows = exported_rows(data_folder(home), form)
    if as_json:
        for row in rows:
            print_json(row)
        return 0
    target = out.open("w", newline="", encoding="utf-8") if out is not None else sys.stdout
    try:
        writer = csv.DictWriter(target, EXPORTED)
        writer.writeheader()
        writer.writerows({key: neutral_cell(value) for key, value in row.items()} for row in rows)
    finally:
        if out is not None:
            target.close()
    return 0
