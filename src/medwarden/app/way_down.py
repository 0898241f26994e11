"""From any answer about a device down to packets and log lines, or to the person or list that said it.

One function follows one step: a fact that was heard ends at inputs, packets and lines (:mod:`.origin`); an
answer that was concluded names what it rests on, each of which can be followed in turn; a word of a person, a
book, a plan or a maker ends at who said it, when and where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medwarden.app.disclosures import disclosure_for
from medwarden.app.origin import Origin, Said, follows_from_traffic, origin
from medwarden.inventory.grounds import ADDRESSES, PLAN, Ground, grounds_of, heard
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.device import Device
from medwarden.model.place import PlanKey
from medwarden.model.statement import Authority
from medwarden.operations.in_use import last_work

if TYPE_CHECKING:
    from medwarden.store.models import BookRow
    from medwarden.store.queries.scope import Scope

STATEMENT, STATED, BOOK, ATTRIBUTE, FORM = "statement.", "stated", "book.", "attribute.", "mds2."
_VULNERABILITY = re.compile(r"(?:CVE|GHSA|ICSA|ICSMA|EUVD|CSAF)-[\w.-]+")
_MOST = 50


def way_down(
    scope: Scope,
    home: Path,
    device_id: str,
    field: str,
    value: str,
    *,
    look: bool = True,
    offset: int = 0,
    limit: int = 10,
) -> Origin:
    """Return where ``field`` = ``value`` of a device comes from, on a store that is open already.

    Raises ConfigurationError where there is no such device or nothing is known of it.
    """
    from medwarden.store import queries

    device = queries.device(scope, device_id)
    if device is None:
        raise ConfigurationError(f"there is no device {device_id[:80]!r}")
    grounds, said = _beneath(scope, device, field, value)
    if grounds or said:
        shown = grounds[:_MOST]
        return Origin(device.id, field, value, (), 0, 0, shown, said)
    return origin(scope, home, device.id, field, value, look=look, offset=offset, limit=limit)


def _beneath(
    scope: Scope, device: Device, field: str, value: str
) -> tuple[tuple[Ground, ...], tuple[Said, ...]]:
    """Return what an answer rests on and who said it; nothing of either for a fact that was heard."""
    own_address = field in ADDRESSES and " " not in value
    if heard(device, field, value) or follows_from_traffic(field) or own_address:
        return (), ()
    for begins, tell in _TELLERS.items():
        if field.startswith(begins):
            return (), tuple(tell(scope, device, field.removeprefix(begins), value))
    if _VULNERABILITY.fullmatch(field):
        return _of_vulnerability(scope, device, field)
    if field.startswith("finding "):
        return _of_finding(scope, device, field.removeprefix("finding "), value)
    if field == "support":
        return _of_support(scope, device, value)
    if field == "at work":
        return _of_work(device), ()
    said = tuple(_of_policy(scope, value)) if field == "policy" else ()
    if field == "segment":
        network = value.partition(": ")[0]
        said = (Said("medwarden", value, None, f"the devices of {network}", page="devices", key=network),)
    return grounds_of(device, field, value), said


def _by_statement(scope: Scope, device: Device, authority: str, value: str) -> Iterator[Said]:
    """Yield who gave a device a label: the answer of a person, or the row of a book."""
    from medwarden.store.models import Answer

    for said in device.statements:
        if authority not in ("", said.authority.value) or value not in (
            f"{said.by}: {said.label}",
            f"{said.by}: {said.level} {said.label}",
        ):
            continue
        _, _, reference = said.reference.partition(":")
        if said.authority is Authority.PERSON:
            row = Answer.objects.filter(tenant_id=scope.tenant, number=reference).first()
            reason = "" if row is None else row.reason
            yield Said(
                said.by, f"{said.level}: {said.label}", said.at_ns, f"answer {reference}", reason, "answers"
            )
        else:
            book, _, key = reference.partition(":")
            for each in _book_rows(device.id, book=book, key=key):
                yield _from_book(each, f"{said.level}: {said.label}")


def _by_book(_scope: Scope, device: Device, name: str, value: str) -> Iterator[Said]:
    """Yield the rows of a book that are this device."""
    for row in _book_rows(device.id, book__name=name):
        yield _from_book(row, value)


def _book_rows(device: str, **wanted: str) -> list[BookRow]:
    from medwarden.store.models import BookMatch, BookRow
    from medwarden.store.statements import HELD

    held = BookMatch.objects.filter(device_id=device, state__in=HELD, **wanted).values_list("book_id", "key")
    return [
        row
        for book, key in held
        for row in BookRow.objects.filter(book_id=book, key=key, until=None).select_related("book")
    ]


def _from_book(row: BookRow, what: str) -> Said:
    from medwarden.store.models import BookVersion

    version = BookVersion.objects.filter(book=row.book, number=row.book.version).first()
    brought = "" if version is None else f"imported by {version.actor}"
    source = row.book.name if version is None else version.source
    return Said(
        row.book.name, what, row.since_ns, f"{source}, line {row.line}", brought, "book", row.book.name
    )


def _by_plan(scope: Scope, device: Device, kind: str, value: str) -> Iterator[Said]:
    """Yield the row of the hospital's plan that holds for what was heard, and who brought the plan in."""
    from medwarden.store import queries
    from medwarden.store.places import planned

    row = planned(scope.tenant, device.site, PlanKey(kind), value) if kind in set(PlanKey) else None
    if row is None:
        return
    entries = queries.history(scope, subject=f"site:{device.site}", action="plan.replaced", limit=1)
    what = ", ".join(part for part in (row.building, row.floor, row.room, row.department) if part)
    line = f", line {row.line}" if row.line else ""
    for entry in entries:
        where = f"{entry.reason.removeprefix('plan imported from ')}{line}"
        yield Said(
            entry.actor, f"{row.key}: {what}", entry.at_ns, where, "the plan of places", "plan", row.key
        )
    if not entries:
        yield Said("the plan of places", f"{row.key}: {what}", None, line.strip(", "), "", "plan", row.key)


def _by_attribute(scope: Scope, device: Device, name: str, _value: str) -> Iterator[Said]:
    """Yield who or which rule set an attribute of the hospital's own."""
    from medwarden.store.attributes import values_of

    for held in values_of(scope, [device.id]).get(device.id, []):
        if held.name == name:
            where = f"rule {held.rule}" if held.rule else "set by hand"
            yield Said(held.actor, held.value, held.at_ns, where, held.why, "records")


def _by_form(scope: Scope, device: Device, question: str, value: str) -> Iterator[Said]:
    """Yield what the maker's form answers, and who brought it in."""
    from medwarden.store.mds2 import form_of

    told = disclosure_for(scope.tenant, device)
    if told is None:
        return
    view, form = form_of(scope, told.form)
    answer = form.answer(question)
    stood = f", {answer.where}" if answer is not None and answer.where else ""
    yield Said(
        f"{view.vendor} (MDS2)",
        value if answer is None else f"{question}: {answer.written or value}",
        view.at_ns,
        f"{view.source}{stood}",
        f"imported by {view.actor}; {told.attached}",
        "form",
        told.form,
    )


_TELLERS: dict[str, Callable[[Scope, Device, str, str], Iterator[Said]]] = {
    STATEMENT: _by_statement,
    STATED: _by_statement,
    BOOK: _by_book,
    PLAN: _by_plan,
    ATTRIBUTE: _by_attribute,
    FORM: _by_form,
}


def _aspects(found: object) -> tuple[Ground, ...]:
    """Return the device's side of what was compared, as far as the device's side is known."""
    from medwarden.model.vulnerability import Aspect

    aspects = msgspec.convert(found, tuple[Aspect, ...], strict=False)
    return tuple(
        Ground(a.evidence_field or a.name, a.device_value, f"{a.name}: {a.why}")
        for a in aspects
        if a.device_value
    )


def _of_vulnerability(
    scope: Scope, device: Device, vulnerability: str
) -> tuple[tuple[Ground, ...], tuple[Said, ...]]:
    from medwarden.store.models import ProfileMember, VulnerabilityVerdict

    profiles = scope.over(ProfileMember.objects.filter(device_id=device.id, until_ns=None))
    rows = VulnerabilityVerdict.objects.filter(
        profile_id__in=profiles.values_list("profile_id", flat=True),
        vulnerability=vulnerability,
        until_ns=None,
    )
    grounds: list[Ground] = []
    said = []
    for row in rows:
        grounds += _aspects(row.aspects)
        where = row.advisory or "published records"
        said.append(
            Said("the publisher", row.reason, row.since_ns, where, row.cause, "vulnerability", vulnerability)
        )
    return tuple(dict.fromkeys(grounds)), tuple(said)


def _of_finding(
    scope: Scope, device: Device, kind: str, title: str
) -> tuple[tuple[Ground, ...], tuple[Said, ...]]:
    from medwarden.store.models import Finding

    rows = scope.over(Finding.objects.filter(device_id=device.id, type=kind)).order_by("-last_seen")
    grounds: dict[Ground, None] = {}
    said = []
    for row in rows:
        if row.title.startswith(title[:300]):
            grounds |= dict.fromkeys(Ground(e["field"], e["value"]) for e in row.evidence)
            said.append(
                Said("medwarden", row.title, row.opened_ns, row.rule_version, row.detail, "finding", row.pk)
            )
    return tuple(grounds), tuple(said)


def _of_support(scope: Scope, device: Device, reason: str) -> tuple[tuple[Ground, ...], tuple[Said, ...]]:
    from medwarden.store.queries.life_cycle import ends_of

    ends = [e for e in ends_of(scope, [device.id]).get(device.id, ()) if e.reason.startswith(reason[:300])]
    grounds = dict.fromkeys(g for end in ends for g in _aspects(msgspec.to_builtins(end.aspects)))
    said = tuple(
        Said(
            end.source,
            f"{end.ending.value} ends on {end.day.isoformat()}",
            end.since_ns,
            end.url or end.notice,
            end.reason,
            "support",
        )
        for end in ends
    )
    return tuple(grounds), said


def _of_work(device: Device) -> tuple[Ground, ...]:
    work = last_work(device)
    return () if work is None or not work.field else (Ground(work.field, work.value, work.what),)


def _of_policy(scope: Scope, title: str) -> Iterator[Said]:
    from medwarden.store.models import Policy, PolicyVersion

    for policy in scope.over(Policy.objects.filter(title=title)):
        version = PolicyVersion.objects.filter(policy=policy).order_by("-at_ns", "-pk").first()
        if version is not None:
            where = f"version {version.version}, {version.state}"
            yield Said(version.actor, policy.title, version.at_ns, where, version.reason, "policy", policy.pk)
