"""Letters to makers as pages and exports show them, and what is worth asking."""

from __future__ import annotations

from collections import defaultdict

import msgspec

from medwarden.model.vulnerability import MatchState
from medwarden.risk.recalls.letter import Answered, Asked, LetterState
from medwarden.store.models import (
    MakerLetter,
    MakerLetterEvent,
    MatchProfile,
    ProfileMember,
    VulnerabilityVerdict,
    VulnerabilityWeight,
)
from medwarden.store.queries.scope import Page, Scope, bounds

_AT_ONCE = 400
_MOST_ASKED = 60


class Reminder(msgspec.Struct, frozen=True):
    """When a maker was reminded, and who there."""

    at_ns: int
    to: str


class LetterView(msgspec.Struct, frozen=True):
    """One letter; ``late`` where it was sent, the day is past and no answer came."""

    number: str
    maker: str
    model: str
    firmware: str
    vulnerabilities: tuple[str, ...]
    devices: int
    text: str
    state: str
    owner: str
    sent_ns: int | None
    sent_to: str
    due_ns: int | None
    late: bool
    reminders: tuple[Reminder, ...]
    answer: tuple[Answered, ...]
    answered_ns: int | None
    document: str
    created_ns: int

    @property
    def product(self) -> str:
        """Return model and firmware in words."""
        return f"{self.model} {self.firmware}".strip() or "every model"


class LetterEventView(msgspec.Struct, frozen=True):
    """One thing that happened to a letter."""

    at_ns: int
    actor: str
    kind: str
    note: str
    undone_ns: int | None


class WorthAsking(msgspec.Struct, frozen=True):
    """A model at a version of which vulnerabilities are open: what a letter would ask."""

    maker: str
    model: str
    firmware: str
    devices: int
    vulnerabilities: tuple[str, ...]
    exploited: int
    worst: float | None


def letters(
    scope: Scope, now_ns: int, *, state: str = "", text: str = "", offset: int = 0, limit: int = 50
) -> Page[LetterView]:
    """Return a page of letters, late ones first, then those that wait for an answer, then the rest."""
    offset, limit = bounds(offset, limit)
    rows = MakerLetter.objects.filter(tenant_id=scope.tenant)
    found = [_view(row, now_ns) for row in rows]
    terms = text.lower().split()
    if state == "late":
        found = [view for view in found if view.late]
    elif state:
        found = [view for view in found if view.state == state]
    found = [
        view
        for view in found
        if all(
            term
            in " ".join((view.number, view.maker, view.model, view.firmware, *view.vulnerabilities)).lower()
            for term in terms
        )
    ]
    order = [
        LetterState.SENT.value,
        LetterState.DRAFT.value,
        LetterState.ANSWERED.value,
        LetterState.CLOSED.value,
    ]
    found.sort(key=lambda view: (not view.late, order.index(view.state), view.due_ns or 0, view.number))
    return Page(tuple(found[offset : offset + limit]), len(found), offset, limit)


def letter(scope: Scope, number: str, now_ns: int) -> LetterView | None:
    """Return a letter by its number, or None."""
    row = MakerLetter.objects.filter(tenant_id=scope.tenant, pk=number).first()
    return None if row is None else _view(row, now_ns)


def _view(row: MakerLetter, now_ns: int) -> LetterView:
    return LetterView(
        number=row.pk,
        maker=row.maker,
        model=row.model,
        firmware=row.firmware,
        vulnerabilities=tuple(row.vulnerabilities),
        devices=len(row.devices),
        text=row.text,
        state=row.state,
        owner=row.owner,
        sent_ns=row.sent_ns,
        sent_to=row.sent_to,
        due_ns=row.due_ns,
        late=row.state == LetterState.SENT.value and row.due_ns is not None and row.due_ns < now_ns,
        reminders=tuple(Reminder(at, to) for at, to in row.reminders),
        answer=msgspec.convert(row.answer, tuple[Answered, ...]),
        answered_ns=row.answered_ns,
        document=row.document,
        created_ns=row.created_ns,
    )


def letter_events(scope: Scope, number: str) -> list[LetterEventView]:
    """Return what happened to a letter, the latest first."""
    rows = MakerLetterEvent.objects.filter(tenant_id=scope.tenant, letter_id=number)
    return [
        LetterEventView(r.at_ns, r.actor, r.kind, r.note, r.undone_ns) for r in rows.order_by("-at_ns", "-pk")
    ]


def asked_of(tenant: str, vulnerabilities: tuple[str, ...]) -> tuple[Asked, ...]:
    """Return what is known of vulnerabilities that a letter asks about."""
    rows = {
        row.vulnerability: row
        for row in VulnerabilityWeight.objects.filter(tenant_id=tenant, vulnerability__in=vulnerabilities)
    }
    return tuple(
        Asked(each, rows[each].title, rows[each].score, rows[each].exploited) if each in rows else Asked(each)
        for each in vulnerabilities
    )


def devices_of(scope: Scope, maker: str, model: str, firmware: str) -> tuple[str, ...]:
    """Return the devices of a model at a firmware version, by what matching looks at."""
    found = []
    for profile in MatchProfile.objects.filter(tenant_id=scope.tenant):
        facts = profile.facts
        if (facts.get("vendor"), facts.get("model"), facts.get("firmware", "")) == (maker, model, firmware):
            rows = scope.over(ProfileMember.objects.filter(profile=profile, until_ns=None))
            found += list(rows.values_list("device_id", flat=True))
    return tuple(sorted(set(found)))


def worth_asking(scope: Scope, *, most: int = 50) -> list[WorthAsking]:
    """Return what letters would ask: potential verdicts by maker, model and firmware, the gravest first.

    What an open or answered letter asks about already is left out.
    """
    members: defaultdict[str, int] = defaultdict(int)
    rows = scope.over(ProfileMember.objects.filter(until_ns=None))
    for profile in rows.values_list("profile_id", flat=True):
        members[profile] += 1
    groups: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    keys = list(members)
    for start in range(0, len(keys), _AT_ONCE):
        for row in MatchProfile.objects.filter(pk__in=keys[start : start + _AT_ONCE]):
            facts = row.facts
            if facts.get("vendor") and facts.get("model"):
                groups[facts["vendor"], facts["model"], facts.get("firmware", "")].append(row.pk)
    asked: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
    for written in MakerLetter.objects.filter(tenant_id=scope.tenant).exclude(state=LetterState.CLOSED.value):
        asked[written.maker, written.model, written.firmware].update(written.vulnerabilities)
    open_ones = _potential(keys)
    weights = {
        name: (score, exploited)
        for name, score, exploited in VulnerabilityWeight.objects.filter(tenant_id=scope.tenant).values_list(
            "vulnerability", "score", "exploited"
        )
    }
    found = []
    for (maker, model, firmware), profiles in groups.items():
        names = {name for key in profiles for name in open_ones.get(key, ())} - asked[maker, model, firmware]
        if not names:
            continue
        ordered = sorted(
            names, key=lambda n: (not weights.get(n, (0, False))[1], -(weights.get(n, (0, 0))[0] or 0), n)
        )
        scores = [score for name in names if (score := weights.get(name, (None, False))[0]) is not None]
        exploited = sum(bool(weights.get(name, (None, False))[1]) for name in names)
        count = sum(members[key] for key in profiles)
        found.append(
            WorthAsking(
                maker,
                model,
                firmware,
                count,
                tuple(ordered[:_MOST_ASKED]),
                exploited,
                max(scores, default=None),
            )
        )
    found.sort(key=lambda w: (-w.exploited, -(w.worst or 0), -w.devices, w.maker, w.model))
    return found[:most]


def _potential(profiles: list[str]) -> dict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for start in range(0, len(profiles), _AT_ONCE):
        rows = VulnerabilityVerdict.objects.filter(
            profile_id__in=profiles[start : start + _AT_ONCE], until_ns=None, state=MatchState.POTENTIAL.value
        )
        for profile, name in rows.values_list("profile_id", "vulnerability"):
            found[profile].add(name)
    return found
