"""From any answer about a device down to packets and log lines, or to the person or list that said it.

One function follows one step: a fact that was heard ends at inputs, packets and lines (:mod:`.origin`); an
answer that was concluded names what it rests on, each of which can be followed in turn; a word of a person, a
book, a plan or a maker ends at who said it, when and where it stands.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medwarden.app.disclosures import disclosure_for
from medwarden.app.origin import Origin, Said, follows_from_traffic, origin
from medwarden.inventory.grounds import (
    ADDRESSES,
    PLAN,
    Ground,
    grounds_of,
    heard,
    levels_meant,
    part_of_place,
)
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.device import Device
from medwarden.model.place import PlanKey
from medwarden.model.statement import Authority
from medwarden.operations.in_use import last_work

if TYPE_CHECKING:
    from medwarden.model.vulnerability import Aspect
    from medwarden.store.models import BookRow, VulnerabilityVerdict
    from medwarden.store.queries.scope import Scope

STATEMENT, STATED, BOOK, ATTRIBUTE, FORM = "statement.", "stated", "book.", "attribute.", "mds2."
BOOK_OF_FACTS, OF_UDI = "book:", " (UDI)"
"""How facts that recalls look at name a book, and what they took out of the identifier that stands in it."""
BILL = "sbom:"

_COUNTED = re.compile(r"(.+): \d+ [a-z_]+(?:, \d+ [a-z_]+)*")
_CUT = 300
_MOST = 50

_Beneath = tuple[tuple[Ground, ...], tuple[Said, ...]]
_NOTHING: _Beneath = (), ()


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
        own = _own_value(scope, device, field, value)
        return Origin(device.id, field, own, (), 0, 0, grounds[:_MOST], said)
    return origin(scope, home, device.id, field, value, look=look, offset=offset, limit=limit)


def _beneath(scope: Scope, device: Device, field: str, value: str) -> _Beneath:
    """Return what an answer rests on and who said it; nothing of either for a fact that was heard."""
    own_address = field in ADDRESSES and " " not in value
    if heard(device, field, value) or follows_from_traffic(field) or own_address:
        return _NOTHING
    for concluded in (_of_recall, _of_vulnerability):
        if (found := concluded(scope, device, field, value)) != _NOTHING:
            return found
    for begins, tell in _TELLERS.items():
        if field.startswith(begins):
            return (), tuple(tell(scope, device, field.removeprefix(begins), value))
    if field.startswith("finding "):
        return _of_finding(scope, device, field.removeprefix("finding "), value)
    if field == "support":
        return _of_support(scope, device, value)
    if field == "at work":
        return _of_work(device), ()
    if field == "segment":
        return _of_segment(device, value)
    said = tuple(_of_policy(scope, value)) if field == "policy" else ()
    return grounds_of(device, field, value), said


def _own_value(scope: Scope, device: Device, field: str, value: str) -> str:
    """Return ``value`` where the device has or had it or was told it in these words, else what it has now.

    Raises ConfigurationError where it has nothing of the kind.
    """
    levels = levels_meant(field)
    part = part_of_place(field)
    if levels:
        had = _labels(scope, device, levels)
    elif part is not None:
        had = _places(device, part)
    elif field == "at work":
        work = last_work(device)
        had = [] if work is None else [work.what]
    else:
        return value
    if value in had or _stands_in_evidence(scope, device, field, value):
        return value
    if not had:
        raise ConfigurationError(f"the device never was {field[:80]} = {value[:80]!r}")
    return had[0]


def _labels(scope: Scope, device: Device, levels: Iterable[str]) -> list[str]:
    """Return what a device is, might be and was at some levels, what it is first."""
    from medwarden.store.models import VerdictChange

    found: list[str] = []
    for level in levels:
        verdict = device.verdict(level)
        known = getattr(device, level, None)
        found += [] if known is None else [str(known)]
        if verdict is not None:
            found += [verdict.label or "", *(ballot.label for ballot in verdict.ballots)]
        past = scope.over(VerdictChange.objects.filter(device_id=device.id, level=level))
        found += [label for pair in past.values_list("new", "old") for label in pair]
    return [label for label in dict.fromkeys(found) if label]


def _places(device: Device, part: str) -> list[str]:
    """Return the words for a part of a device's place; for the whole place where ``part`` is empty."""
    if device.place is None:
        return [device.location] if device.location else []
    whole = [device.place.label, device.location] if not part else []
    parts = [b.value for b in device.place.basis if part in ("", b.part)]
    return [words for words in (*whole, *parts) if words]


def _stands_in_evidence(scope: Scope, device: Device, field: str, value: str) -> bool:
    """Tell whether a finding or factor of a device names this piece of evidence in these words."""
    from medwarden.store.models import FactorSpan, Finding

    findings = scope.over(Finding.objects.filter(device_id=device.id)).values_list("evidence", flat=True)
    spans = scope.over(FactorSpan.objects.filter(device_id=device.id)).values_list("evidence", flat=True)
    return any(
        each["field"] == field and each["value"].startswith(value)
        for evidence in (*findings, *spans)
        for each in evidence
    )


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
    """Yield the rows of a book that are this device, as they stand there or stood last."""
    for row in _book_rows(device.id, book__name=name.removesuffix(OF_UDI)):
        yield _from_book(row, value)


def _book_rows(device: str, **wanted: str) -> list[BookRow]:
    from medwarden.store.models import BookMatch, BookRow
    from medwarden.store.statements import HELD

    held = BookMatch.objects.filter(device_id=device, state__in=HELD, **wanted).values_list("book_id", "key")
    found = []
    for book, key in held:
        row = BookRow.objects.filter(book_id=book, key=key).select_related("book").order_by("-since").first()
        found += [] if row is None else [row]
    return found


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


def _by_bill(scope: Scope, device: Device, name: str, value: str) -> Iterator[Said]:
    """Yield the bills of software of a device or its model by that name, and who attached them."""
    from medwarden.store.models import ComponentList

    for bill in ComponentList.objects.filter(tenant_id=scope.tenant, name=name).order_by("-at_ns"):
        same = (bill.vendor.casefold(), bill.model.casefold())
        mine = ((device.vendor or "").casefold(), (device.model or "").casefold())
        if bill.device_id == device.id or (bill.device_id is None and same == mine):
            attached = f"attached by {bill.actor}"
            yield Said(name or "bill of software", value, bill.at_ns, bill.source, attached, "records")


_TELLERS: dict[str, Callable[[Scope, Device, str, str], Iterator[Said]]] = {
    STATEMENT: _by_statement,
    STATED: _by_statement,
    BOOK: _by_book,
    BOOK_OF_FACTS: _by_book,
    BILL: _by_bill,
    PLAN: _by_plan,
    ATTRIBUTE: _by_attribute,
    FORM: _by_form,
}


def _aspects(found: object) -> tuple[Aspect, ...]:
    from medwarden.model.vulnerability import Aspect

    return msgspec.convert(found, tuple[Aspect, ...], strict=False)


def _grounds_of_aspects(device: Device, aspects: Iterable[Aspect]) -> tuple[Ground, ...]:
    """Return the device's side of what was compared, as far as it is known and leads on."""
    found = {
        Ground(a.evidence_field or a.name, a.device_value, f"{a.name}: {a.why}"): None
        for a in aspects
        if a.device_value
    }
    return tuple(ground for ground in found if _leads_on(device, ground))


def _leads_on(device: Device, ground: Ground) -> bool:
    """Tell whether there is more beneath; what only the verdict's own sentence still says has nothing."""
    field, value = ground.field, ground.value
    return (
        heard(device, field, value)
        or follows_from_traffic(field)
        or field.startswith((BOOK, BOOK_OF_FACTS, BILL))
        or bool(grounds_of(device, field, value))
    )


def _of_recall(scope: Scope, device: Device, field: str, value: str) -> _Beneath:
    """Return what a recall compared in these words, and the notice; a verdict that ended counts as well.

    A notice speaks also of what is not known of a device: then the way ends at the notice.
    """
    from medwarden.store.models import RecallCase, RecallVerdict

    spans = scope.over(RecallVerdict.objects.filter(device_id=device.id)).select_related("notice")
    told = [
        (row, aspects)
        for row in spans.order_by("-since_ns", "-pk")
        if (aspects := _in_words(row.aspects, field, value))
    ]
    grounds: list[Ground] = []
    said: dict[str, Said] = {}
    for row, aspects in [pair for pair in told if pair[0].until_ns is None] or told[:1]:
        number = row.notice.number
        case = row.until_ns is None or RecallCase.objects.filter(notice=row.notice, device=device.id).exists()
        page = "recall" if case else "notice"
        said[number] = Said(f"notice {number}", row.reason, row.since_ns, number, row.cause, page, number)
        grounds += _grounds_of_aspects(device, aspects)
    return tuple(dict.fromkeys(grounds)), tuple(said.values())


def _in_words(stored: object, field: str, words: str) -> list[Aspect]:
    """Return the aspects that a finding names by this field in these words."""
    return [
        a
        for a in _aspects(stored)
        if (a.evidence_field or a.name) == field and f"{a.device_value} {a.why}".strip()[:_CUT] == words
    ]


def _of_vulnerability(scope: Scope, device: Device, vulnerability: str, words: str) -> _Beneath:
    """Return what the verdict on a vulnerability rests on, whatever its name looks like: the latest verdict.

    Where it was said in these ``words`` before, that verdict counts: a finding keeps the words it was opened
    with when the verdict ends.
    """
    from medwarden.store.models import ProfileMember

    rows: list[VulnerabilityVerdict] = []
    for member in scope.over(ProfileMember.objects.filter(device_id=device.id)):
        rows += _verdicts_during(scope, member.profile_id, vulnerability, member.since_ns, member.until_ns)
    if not rows:
        return _NOTHING
    row = max(
        rows,
        key=lambda r: (
            bool(words) and r.reason.startswith(words[:_CUT]),
            r.until_ns is None,
            r.since_ns,
            r.pk,
        ),
    )
    where = row.advisory or "published records"
    page = "vulnerability" if row.until_ns is None else ""
    said = Said("the publisher", row.reason, row.since_ns, where, row.cause, page, vulnerability)
    return _grounds_of_aspects(device, _aspects(row.aspects)), (said,)


def _verdicts_during(
    scope: Scope, profile: str, vulnerability: str, since_ns: int, until_ns: int | None
) -> list[VulnerabilityVerdict]:
    """Return the verdicts on a profile that held at some time between two moments."""
    from medwarden.store.models import VulnerabilityVerdict

    rows = VulnerabilityVerdict.objects.filter(
        tenant_id=scope.tenant, profile_id=profile, vulnerability=vulnerability
    )
    return [
        row
        for row in rows
        if (row.until_ns is None or row.until_ns >= since_ns)
        and (until_ns is None or row.since_ns <= until_ns)
    ]


def _of_finding(scope: Scope, device: Device, kind: str, title: str) -> _Beneath:
    """Return the findings of a kind with this title; all of the kind where they are called otherwise now."""
    from medwarden.store.models import Finding

    rows = list(scope.over(Finding.objects.filter(device_id=device.id, type=kind)).order_by("-last_seen"))
    grounds: dict[Ground, None] = {}
    said = []
    for row in [row for row in rows if row.title.startswith(title[:_CUT])] or rows:
        grounds |= dict.fromkeys(Ground(e["field"], e["value"]) for e in row.evidence if e["value"])
        said.append(
            Said("medwarden", row.title, row.opened_ns, row.rule_version, row.detail, "finding", row.pk)
        )
    return tuple(grounds), tuple(said)


def _of_support(scope: Scope, device: Device, reason: str) -> _Beneath:
    """Return which lists say that something ends; those that said so last where the day moved since."""
    from medwarden.store.queries.life_cycle import history_of

    spans = [
        (end, until) for end, until in history_of(scope, device.id) if end.reason.startswith(reason[:_CUT])
    ]
    ends = [end for end, until in spans if until is None] or [end for end, _ in spans[:1]]
    grounds = dict.fromkeys(g for end in ends for g in _grounds_of_aspects(device, end.aspects))
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


def _of_segment(device: Device, value: str) -> _Beneath:
    """Return which addresses put a device into a segment, and the devices there; nothing for others."""
    counted = _COUNTED.fullmatch(value)
    name = counted[1] if counted else value
    if name in {f"VLAN {vlan}" for vlan in device.vlans}:
        vlan = name.removeprefix("VLAN ")
        return (Ground("vlan", vlan, "it was heard there"),), ()
    try:
        network = ipaddress.ip_network(name, strict=False)
    except ValueError:
        return _NOTHING
    grounds = grounds_of(device, "segment", name)
    if not any(ipaddress.ip_address(ip) in network for ip in device.ips):
        return _NOTHING
    where = f"the devices of {network}"
    return grounds, (Said("medwarden", value, None, where, page="devices", key=str(network)),)


def _of_work(device: Device) -> tuple[Ground, ...]:
    work = last_work(device)
    return () if work is None or not work.field else (Ground(work.field, work.value, work.what),)


def _of_policy(scope: Scope, title: str) -> Iterator[Said]:
    """Yield the policies that are called so now, else those that were."""
    from medwarden.store.models import Policy, PolicyVersion

    named: dict[str, PolicyVersion] = {}
    for policy in scope.over(Policy.objects.filter(title=title)):
        version = PolicyVersion.objects.filter(policy=policy).order_by("-at_ns", "-pk").first()
        if version is not None:
            named[policy.pk] = version
    if not named:
        called = scope.over(PolicyVersion.objects.filter(document__title=title)).order_by("at_ns", "pk")
        named = {version.policy_id: version for version in called}
    for policy_id, version in named.items():
        where = f"version {version.version}, {version.state}"
        yield Said(version.actor, title, version.at_ns, where, version.reason, "policy", policy_id)
