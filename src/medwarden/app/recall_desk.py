"""What people do with recalls: enter and correct notices, take steps at devices, close, reopen, report.

All on an open store of a writer; every function says who did it and why, and brings findings in line.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from html import escape
from typing import TYPE_CHECKING

import msgspec

from medwarden.app.recalls import notices_in, refresh, tell_sites
from medwarden.kernel.clock import from_datetime, iso
from medwarden.kernel.errors import ConfigurationError
from medwarden.kernel.printable import neutral_text
from medwarden.model.recall import RecallClass
from medwarden.risk.recalls.notice import MAKER, Notice, Scope
from medwarden.risk.recalls.workflow import WORDS, Step
from medwarden.store.chain import folder_of_database

if TYPE_CHECKING:
    from medwarden.store.queries import Scope as StoreScope

_LIST = 2000


class Entered(msgspec.Struct, frozen=True):
    """A notice as a person enters it: one product, and what limits it; lists are texts as they stand in it.

    ``serials`` and ``lots`` may hold ranges ("1000 through 2000, A7"); ``version`` is a text on firmware
    versions ("below 3.1"), ``made`` one on days of manufacture.
    """

    title: str
    maker: str
    product: str = ""
    number: str = ""
    recall_class: str = "unclassified"
    reason: str = ""
    action: str = ""
    begun: str = ""
    models: str = ""
    identifiers: str = ""
    lots: str = ""
    serials: str = ""
    version: str = ""
    made: str = ""
    url: str = ""


def notice_of(entered: Entered) -> Notice:
    """Return what a person entered as a notice. Raises ConfigurationError for a class or day that is none."""
    if entered.recall_class not in set(RecallClass):
        raise ConfigurationError(f"the class is one of {', '.join(RecallClass)}")
    begun = entered.begun.strip()
    if begun:
        day_of(begun)
    texts = [
        f"Serial numbers: {entered.serials.strip()}" if entered.serials.strip() else "",
        f"Lot numbers: {entered.lots.strip()}" if entered.lots.strip() else "",
    ]
    scope = Scope(
        maker=entered.maker.strip()[:300],
        product=entered.product.strip()[:_LIST],
        models=_listed(entered.models),
        identifiers=tuple(code.zfill(14) for code in _listed(entered.identifiers)),
        codes="\n".join(text for text in texts if text)[:20_000] or "All units",
        version=entered.version.strip()[:400],
        made=entered.made.strip()[:400],
    )
    if not any(texts) and (scope.version or scope.made):
        scope = msgspec.structs.replace(scope, codes="")
    return Notice(
        id=entered.number.strip()[:120].replace("/", "-"),  # it is part of an address
        title=entered.title.strip()[:400],
        maker=scope.maker,
        origin=MAKER,
        reason=entered.reason.strip()[:8000],
        action=entered.action.strip()[:8000],
        recall_class=RecallClass(entered.recall_class),
        begun=begun,
        scopes=(scope,),
        url=entered.url.strip()[:500],
        sources=(MAKER,),
    )


def _listed(text: str) -> tuple[str, ...]:
    parts = text.replace("\n", ",").replace(";", ",").split(",")
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))[:500]


def entered_of(notice: Notice) -> Entered:
    """Return a notice in the form in which a person enters it, to be corrected."""
    scope = notice.scopes[0] if notice.scopes else Scope("", "")
    serials, lots = "", ""
    for line in scope.codes.splitlines():
        if line.startswith("Serial numbers: "):
            serials = line.removeprefix("Serial numbers: ")
        elif line.startswith("Lot numbers: "):
            lots = line.removeprefix("Lot numbers: ")
    return Entered(
        title=notice.title,
        maker=notice.maker,
        product=scope.product,
        number=notice.id,
        recall_class=notice.recall_class.value,
        reason=notice.reason,
        action=notice.action,
        begun=notice.begun,
        models=", ".join(scope.models),
        identifiers=", ".join(scope.identifiers),
        lots=lots or ", ".join(scope.lots),
        serials=serials or ", ".join(scope.serials),
        version=scope.version,
        made=scope.made,
        url=notice.url,
    )


def day_of(text: str) -> date:
    """Return a day written as ISO 8601. Raises ConfigurationError for anything else."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise ConfigurationError(f"{text[:40]!r} is no day: write it as 2026-01-31") from error


def end_of(day: date) -> int:
    """Return the last moment of a day in UTC, in nanoseconds."""
    return from_datetime(datetime.combine(day, time(23, 59, 59), tzinfo=UTC))


def enter(tenant: str, notice: Notice, *, actor: str, reason: str) -> str:
    """Keep a notice of a maker and compare it with every device; return its number."""
    from medwarden.store.changes import Change
    from medwarden.store.recalls import enter_notice

    with Change(actor, reason or "a maker's notice", tenant=tenant) as change:
        number = enter_notice(change, notice)
    _compare(tenant)
    return number


def enter_document(tenant: str, document: bytes, name: str, *, actor: str, reason: str) -> list[str]:
    """Keep the notices of a CSAF document; one that is known already is corrected. Return their numbers.

    Raises MalformedInput for what is no CSAF document.
    """
    from medwarden.store.changes import Change
    from medwarden.store.models import RecallNotice
    from medwarden.store.recalls import correct_notice, enter_notice

    why = reason or f"document {name[:120]}"
    numbers = []
    for notice in notices_in(document, name):
        known = RecallNotice.objects.filter(tenant_id=tenant, number=notice.id).exists()
        with Change(actor, why, tenant=tenant) as change:
            if known:
                correct_notice(change, notice.id, notice)
            else:
                enter_notice(change, notice)
        numbers.append(notice.id)
    _compare(tenant)
    return numbers


def correct(tenant: str, number: str, notice: Notice, *, actor: str, reason: str) -> int:
    """Correct a notice of one's own; return the number of its new version."""
    from medwarden.store.changes import Change
    from medwarden.store.recalls import correct_notice

    with Change(actor, reason, tenant=tenant) as change:
        version = correct_notice(change, number, notice)
    _compare(tenant)
    return version


def withdraw(tenant: str, number: str, *, actor: str, reason: str) -> None:
    """Take a notice of one's own back; cases that nobody touched are closed by it."""
    from medwarden.store.changes import Change
    from medwarden.store.recalls import withdraw_notice

    with Change(actor, reason, tenant=tenant) as change:
        withdraw_notice(change, number)
    _compare(tenant)


def _compare(tenant: str) -> None:
    folder = folder_of_database()
    if folder is not None:
        refresh(folder, tenant)


class Work(msgspec.Struct, frozen=True):
    """What a person does to cases: each part that is not None is done, all in one change.

    ``step`` and ``note`` need ``evidence``; ``due`` is a day (ISO 8601) or '' for none.
    """

    step: str | None = None
    evidence: str = ""
    references: tuple[str, ...] = ()
    owner: str | None = None
    work_order: str | None = None
    due: str | None = None


def work_on(tenant: str, ids: Sequence[str], work: Work, *, actor: str, site: str | None = None) -> int:
    """Do something at one or many cases, all of it or nothing; return how many cases there are.

    Raises ConfigurationError where a step cannot follow, evidence is missing, or nothing is asked for.
    """
    from medwarden.store.changes import Change
    from medwarden.store.recall_cases import (
        Done,
        add_note,
        cases_named,
        move_cases,
        set_due,
        set_owner,
        set_work_order,
    )

    if work.step is not None and work.step not in set(Step):
        raise ConfigurationError(f"the step is one of {', '.join(Step)}")
    if work.step is None and not work.evidence and work.owner is work.work_order is work.due is None:
        raise ConfigurationError("say what to do: a step, a note, an owner, a work order or a day")
    done = Done(work.evidence, work.references)
    with Change(actor, work.evidence or "work on recalls", tenant=tenant, site=site) as change:
        cases = cases_named(change, ids)
        if work.owner is not None:
            set_owner(change, ids, work.owner)
        if work.work_order is not None:
            set_work_order(change, ids, work.work_order)
        if work.due is not None:
            set_due(change, ids, end_of(day_of(work.due)) if work.due else None)
        if work.step is not None:
            move_cases(change, ids, Step(work.step), done)
        elif work.evidence:
            add_note(change, ids, done)
    tell_sites(tenant, [(case.site_id, case.device) for case in cases])
    return len(cases)


def undo(tenant: str, case: str, *, actor: str, reason: str, site: str | None = None) -> str:
    """Take the last entry of a case back; return what kind it was."""
    from medwarden.store.changes import Change
    from medwarden.store.recall_cases import cases_named, undo_last

    with Change(actor, reason or "taken back", tenant=tenant, site=site) as change:
        (row,) = cases_named(change, [case])
        kind = undo_last(change, case)
    tell_sites(tenant, [(row.site_id, row.device)])
    return kind


def describe(
    tenant: str,
    number: str,
    *,
    actor: str,
    owner: str | None = None,
    contact: str | None = None,
    note: str | None = None,
) -> None:
    """Keep who is in charge of a notice, whom to call at the maker, and notes."""
    from medwarden.store.changes import Change
    from medwarden.store.recall_cases import describe_notice

    with Change(actor, "work on recalls", tenant=tenant) as change:
        describe_notice(change, number, owner=owner, contact=contact, note=note)


def close(tenant: str, number: str, *, actor: str, reason: str, despite: str = "") -> dict[str, object]:
    """Close a notice and return its record. Raises ConfigurationError while devices are open."""
    from medwarden.store.changes import Change
    from medwarden.store.recall_cases import close_notice

    with Change(actor, reason, tenant=tenant) as change:
        return close_notice(change, number, despite=despite)


def reopen(tenant: str, number: str, *, actor: str, reason: str) -> None:
    """Open a closed notice again."""
    from medwarden.store.changes import Change
    from medwarden.store.recall_cases import reopen_notice

    with Change(actor, reason, tenant=tenant) as change:
        reopen_notice(change, number)


REPORT_HEADER = (
    "notice", "class", "title", "device", "name", "maker", "model", "place", "verdict", "reason", "step",
    "owner", "work_order", "due", "opened", "last_entry", "evidence", "references",
)  # fmt: skip


def report_rows(scope: StoreScope, number: str, now_ns: int) -> list[dict[str, object]]:
    """Return a notice's devices with what was done at each, one row a device, as exports have them."""
    from medwarden.store.queries.recall_cases import CaseFilter, case_steps, each_case

    rows: list[dict[str, object]] = []
    for view in sorted(
        each_case(scope, CaseFilter(notice=number), now_ns), key=lambda v: (v.label, v.device)
    ):
        entries = [e for e in case_steps(scope, view.id) if e.undone_ns is None] if view.id else []
        told = [e for e in reversed(entries) if e.evidence]
        references = dict.fromkeys(r for e in told for r in e.references)
        values = (
            view.notice, view.recall_class, view.title, view.device, view.label, view.vendor or "",
            view.model or "", view.location or "", view.state, view.reason, view.step, view.owner,
            view.work_order, iso(view.due_ns)[:10] if view.due_ns else "",
            iso(view.opened_ns)[:10] if view.opened_ns else "", iso(entries[0].at_ns) if entries else "",
            " | ".join(f"{iso(e.at_ns)[:10]} {e.actor}: {e.evidence}" for e in told), " ".join(references),
        )  # fmt: skip
        rows.append(dict(zip(REPORT_HEADER, values, strict=True)))
    return rows


def report_file(scope: StoreScope, number: str, kind: str, now_ns: int) -> str:
    """Return the closure report as ``html``, ``json`` (with the closing record) or ``csv``.

    Raises ConfigurationError for an unknown notice or another kind.
    """
    from medwarden.store.queries.recalls import closure_of, notice_body

    if kind == "html":
        return report_html(scope, number, now_ns)
    body = notice_body(scope, number)
    if body is None:
        raise ConfigurationError(f"there is no notice {number[:60]!r}")
    rows = report_rows(scope, number, now_ns)
    if kind == "json":
        document = {"notice": body, "closure": closure_of(scope, number), "devices": rows}
        return msgspec.json.format(msgspec.json.encode(document)).decode() + "\n"
    if kind != "csv":
        raise ConfigurationError("a report is written as html, json or csv")
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(REPORT_HEADER)
    writer.writerows([neutral_text(str(value)) for value in row.values()] for row in rows)
    return out.getvalue()


def report_html(scope: StoreScope, number: str, now_ns: int) -> str:
    """Return the closure report of a notice as one page that prints, without any address of elsewhere."""
    from medwarden.store.queries.recalls import closure_of, notice_body, notices

    body = notice_body(scope, number)
    if body is None:
        raise ConfigurationError(f"there is no notice {number[:60]!r}")
    (view,) = notices(scope, now_ns, number)
    closure = closure_of(scope, number)
    rows = report_rows(scope, number, now_ns)
    known = [
        ("Notice", body.id), ("Maker", body.maker), ("Class", body.recall_class.value), ("Begun", body.begun),
        ("Version here", str(view.version)), ("In charge", view.owner), ("Contact", view.contact),
        ("Devices concerned", str(view.concerned)), ("Not affected", str(view.not_affected)),
        ("Still open", str(view.open)),
    ]  # fmt: skip
    if closure is not None:
        known += [
            ("Closed", f"{closure['closed_at']} by {closure['closed_by']}"),
            ("Conclusion", str(closure["reason"])),
            ("Closed all the same because", str(closure["despite"])),
            ("Digest of the record (SHA-256)", str(closure["digest"])),
        ]
    head = "".join(f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in known if v)
    columns = ("name", "model", "place", "verdict", "reason", "step", "work_order", "evidence", "references")
    cells = "".join(
        "<tr>" + "".join(f"<td>{escape(_shown(c, str(row[c])))}</td>" for c in columns) + "</tr>"
        for row in rows
    )
    heads = "".join(f"<th>{escape(column.replace('_', ' ').capitalize())}</th>" for column in columns)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Recall {escape(body.id)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(body.title)}</h1><table>{head}</table>"
        f"<h2>What is wrong</h2><p>{escape(body.reason) or '-'}</p>"
        f"<h2>What the maker asks for</h2><p>{escape(body.action) or '-'}</p>"
        f"<h2>Devices ({len(rows)})</h2><table><thead><tr>{heads}</tr></thead><tbody>{cells}</tbody></table>"
        f"<p>Written {iso(now_ns)}.</p></body></html>\n"
    )


_STYLE = (
    "body{font:14px/1.4 system-ui,sans-serif;margin:2em;color:#111}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;padding:.25em .5em;border-bottom:1px solid #ccc}"
    "p{white-space:pre-line}@media print{body{margin:0}tr{break-inside:avoid}}"
)


def _shown(column: str, value: str) -> str:
    if column == "step":
        return WORDS[Step(value)][0] if value else "Not opened"
    return value.replace("_", " ") if column == "verdict" else value
