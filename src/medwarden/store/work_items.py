"""What is open at a site as the work queue needs it: concerns that devices share, facts of the devices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec
from django.db.models import Min, Q

from medwarden.kernel.ids import stable_id
from medwarden.knowledge.taxonomy import categories
from medwarden.model.finding import FindingKind, Severity
from medwarden.model.vulnerability import MatchState
from medwarden.risk.matching.findings import TYPE as VULNERABILITY_TYPE
from medwarden.risk.matching.findings import severity
from medwarden.risk.work.actions import Concern, DeviceFacts
from medwarden.risk.work.choice import ActionKind, Choice
from medwarden.risk.work.states import AcceptScope, AcceptState
from medwarden.store.models import (
    Device,
    Finding,
    Irrelevance,
    ProfileMember,
    RiskAcceptance,
    VulnerabilityVerdict,
    VulnerabilityWeight,
    WorkRemedy,
)
from medwarden.store.queries.scans import scanned_devices
from medwarden.store.queries.scope import Scope
from medwarden.store.queries.vulnerabilities import VerdictFilter, VerdictView, verdicts

CONCERNING = (MatchState.CONFIRMED.value, MatchState.POTENTIAL.value)
_AT_ONCE = 400
_UNDONE = ("open", "acknowledged")
_INTERNET = "inbound_internet"
_MEANWHILE = " Until then, or where the device cannot be changed: "


class Standing(msgspec.Struct, frozen=True):
    """What is open at a site: its concerns and what the order of work needs of its devices."""

    concerns: tuple[Concern, ...]
    facts: Mapping[str, DeviceFacts]


About = Mapping[str, tuple[str | None, str, str, str]]
"""Category, maker, model and subnet of devices, by id."""


def standing(tenant: str, site: str, now_ns: int) -> Standing:
    """Return what is open at a site at ``now_ns``, with what is accepted set apart."""
    devices = _about(tenant, site)
    internet = set(
        Finding.objects.filter(tenant_id=tenant, site_id=site, type=_INTERNET)
        .exclude(state__in=("resolved", "false_positive"))
        .values_list("device_id", flat=True)
    )
    known = categories()
    facts = {
        pk: DeviceFacts(known[about[0]].criticality if about[0] in known else 0, pk in internet)
        for pk, about in devices.items()
    }
    return Standing(tuple(_concerns(tenant, site, now_ns, devices, None)), facts)


def action_concerns(tenant: str, site: str, keys: Collection[str], now_ns: int) -> Iterator[Concern]:
    """Yield what actions of a site are made of."""
    for concern in _concerns(tenant, site, now_ns, _about(tenant, site), keys):
        if concern.choice.key in keys:
            yield concern


def device_keys(tenant: str, site: str, device: str, now_ns: int) -> set[str]:
    """Return the keys of the actions that one device is part of."""
    about = {key: facts for key, facts in _about(tenant, site, device).items() if key == device}
    return {concern.choice.key for concern in _concerns(tenant, site, now_ns, about, None)}


def _concerns(
    tenant: str, site: str, now_ns: int, devices: About, keys: Collection[str] | None
) -> Iterator[Concern]:
    borne = _Borne(tenant, site, now_ns, devices)
    scanned = frozenset(scanned_devices(Scope(tenant, (site,)), now_ns)) & devices.keys()
    alone = {device: about for device, about in devices.items() if device not in scanned}
    yield from _of_verdicts(tenant, site, now_ns, alone, borne, keys)
    if scanned:
        yield from _of_scanned(tenant, site, now_ns, sorted(scanned), borne)
    yield from _of_findings(tenant, site, devices, borne, keys)


def _about(tenant: str, site: str, device: str = "") -> About:
    rows = Device.objects.filter(tenant_id=tenant, site_id=site, retired_at=None)
    rows = rows.filter(pk=device) if device else rows
    return {
        pk: (category, vendor or "", model or "", subnet or "")
        for pk, category, vendor, model, subnet in rows.values_list(
            "pk", "category", "vendor", "model", "subnet"
        )
    }


class _Borne:
    """Which devices' risk is accepted, by subject."""

    def __init__(self, tenant: str, site: str, now_ns: int, devices: About) -> None:
        self._by_subject: defaultdict[str, list[RiskAcceptance]] = defaultdict(list)
        self._devices = devices
        rows = RiskAcceptance.objects.filter(
            tenant_id=tenant, site_id=site, state=AcceptState.APPROVED.value, expires_ns__gt=now_ns
        )
        for row in rows:
            for subject in row.subjects:
                self._by_subject[subject].append(row)

    def of(self, subject: str, devices: frozenset[str]) -> frozenset[str]:
        """Return those of ``devices`` whose risk is accepted for ``subject``."""
        found: set[str] = set()
        for row in self._by_subject.get(subject, ()):
            found |= covered(row, devices, self._devices)
        return frozenset(found)


def covered(row: RiskAcceptance, devices: Collection[str], about: About) -> set[str]:
    """Return those of ``devices`` that an acceptance speaks of and whose conditions hold."""
    named = set(row.devices)
    found = set()
    for device in devices:
        _, vendor, model, subnet = about[device]
        if row.subnet and subnet != row.subnet:
            continue
        if (
            row.scope == AcceptScope.SITE.value
            or (row.scope == AcceptScope.DEVICE.value and device in named)
            or (row.scope == AcceptScope.MODEL.value and (vendor, model) == (row.vendor, row.model))
        ):
            found.add(device)
    return found


# ---------------------------------------------------------------- vulnerabilities


def members(tenant: str, site: str, devices: Collection[str] | None = None) -> dict[str, set[str]]:
    """Return the devices of a site by the profile they have now; only those of ``devices`` where given."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    rows = ProfileMember.objects.filter(tenant_id=tenant, site_id=site, until_ns=None)
    if devices is not None and len(devices) <= _AT_ONCE:
        rows = rows.filter(device_id__in=list(devices))
    for device, profile in rows.values_list("device_id", "profile_id"):
        if devices is None or device in devices:
            found[profile].add(device)
    return found


def _of_verdicts(
    tenant: str,
    site: str,
    now_ns: int,
    devices: About,
    borne: _Borne,
    keys: Collection[str] | None,
) -> Iterator[Concern]:
    by_profile = members(tenant, site, devices)
    remedies = {
        (row.profile_id, row.vulnerability): (row.key, msgspec.convert(row.choice, Choice))
        for row in _remedies(tenant, by_profile, keys)
    }
    by_profile = {profile: by_profile[profile] for profile in {profile for profile, _ in remedies}}
    if not by_profile:
        return
    weights = {w.vulnerability: w for w in VulnerabilityWeight.objects.filter(tenant_id=tenant)}
    people = _people(tenant, now_ns)
    aside = _SetAside(tenant, site)
    first = _first_known(tenant, {key for key, _ in remedies.values()} if keys is not None else None)
    since = dict(
        ProfileMember.objects.filter(tenant_id=tenant, site_id=site)
        .values_list("device_id")
        .annotate(first=Min("since_ns"))
    )
    for row in _verdicts(by_profile):
        chosen = remedies.get((row.profile_id, row.vulnerability))
        if chosen is None or (row.profile_id, row.vulnerability) in people:
            continue
        weight = weights.get(row.vulnerability)
        state = MatchState(row.state)
        exploited = bool(weight and weight.exploited)
        epss = weight.epss if weight else None
        grave = severity(
            state, weight.score if weight else None, exploited, bool(weight and weight.exploits), epss
        )
        if state is MatchState.POTENTIAL and grave.rank < Severity.MEDIUM.rank:
            continue
        here = frozenset(d for d in by_profile[row.profile_id] if (d, row.vulnerability) not in people)
        false, bears = aside.parted(site, row.advisory, here)
        here -= false
        accepted = borne.of(row.vulnerability, here) | bears
        if not here:
            continue
        known = max(
            first.get((chosen[0], row.vulnerability), row.since_ns),
            min(since.get(device, row.since_ns) for device in here),
        )
        yield Concern(
            subject=row.vulnerability,
            choice=chosen[1],
            severity=grave,
            sure=state is MatchState.CONFIRMED,
            known_ns=known,
            devices=here - accepted,
            accepted=accepted,
            exploited=exploited,
            exploits=bool(weight and weight.exploits),
            epss=epss,
        )


def _verdicts(profiles: Collection[str]) -> Iterator[VulnerabilityVerdict]:
    keys = sorted(profiles)
    for start in range(0, len(keys), _AT_ONCE):
        yield from VulnerabilityVerdict.objects.filter(
            profile_id__in=keys[start : start + _AT_ONCE], until_ns=None, state__in=CONCERNING
        ).defer("aspects")


def _remedies(tenant: str, profiles: Collection[str], keys: Collection[str] | None) -> Iterator[WorkRemedy]:
    rows = WorkRemedy.objects.filter(tenant_id=tenant)
    if keys is not None and len(keys) <= _AT_ONCE:
        yield from (row for row in rows.filter(key__in=list(keys)) if row.profile_id in profiles)
        return
    wanted = sorted(profiles)
    for start in range(0, len(wanted), _AT_ONCE):
        part = rows.filter(profile_id__in=wanted[start : start + _AT_ONCE])
        yield from part if keys is None else (row for row in part if row.key in keys)


def _people(tenant: str, now_ns: int) -> set[tuple[str, str]]:
    rows = Irrelevance.objects.filter(tenant_id=tenant, expires_ns__gt=now_ns).filter(
        Q(ended_ns=None) | Q(ended_ns__gt=now_ns)
    )
    return {(row.device_id or row.profile_id or "", row.vulnerability) for row in rows}


class _SetAside:
    """Findings on vulnerabilities that people called false or accepted where findings are listed."""

    def __init__(self, tenant: str, site: str) -> None:
        rows = Finding.objects.filter(
            tenant_id=tenant, site_id=site, type=VULNERABILITY_TYPE, state__in=("false_positive", "accepted")
        )
        self._states: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for pk, device, state in rows.values_list("pk", "device_id", "state"):
            self._states[device][pk] = state

    def parted(
        self, site: str, advisory: str, devices: frozenset[str]
    ) -> tuple[frozenset[str], frozenset[str]]:
        """Return those of ``devices`` where the finding on ``advisory`` is false, and where accepted."""
        found: dict[str, set[str]] = {"false_positive": set(), "accepted": set()}
        for device in devices & self._states.keys():
            pk = stable_id("f", site, device, VULNERABILITY_TYPE, advisory or "records")
            state = self._states[device].get(pk)
            if state is not None:
                found[state].add(device)
        return frozenset(found["false_positive"]), frozenset(found["accepted"])


def _first_known(tenant: str, only: Collection[str] | None) -> dict[tuple[str, str], int]:
    """Return when each vulnerability was first said to concern any profile of an action, by both.

    A device that gets another version on which it still is open does not begin anew.
    """
    keys: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    remedies = WorkRemedy.objects.filter(tenant_id=tenant)
    if only is not None and len(only) <= _AT_ONCE:
        remedies = remedies.filter(key__in=list(only))
    for profile, vulnerability, key in remedies.values_list("profile_id", "vulnerability", "key"):
        keys[profile, vulnerability].append(key)
    found: dict[tuple[str, str], int] = {}
    known_rows = VulnerabilityVerdict.objects.filter(tenant_id=tenant, state__in=CONCERNING)
    if only is not None and len(keys) <= _AT_ONCE:
        known_rows = known_rows.filter(profile_id__in=sorted({profile for profile, _ in keys}))
    rows = known_rows.values_list("profile_id", "vulnerability").annotate(first=Min("since_ns"))
    for profile, vulnerability, first in rows:
        for key in keys.get((profile, vulnerability), ()):
            known = found.get((key, vulnerability))
            found[key, vulnerability] = first if known is None else min(first, known)
    return found


# ---------------------------------------------------------------- what scanners see


def _of_scanned(
    tenant: str, site: str, now_ns: int, devices: Sequence[str], borne: _Borne
) -> Iterator[Concern]:
    """Yield what is open on devices that a scanner looked at, its word merged with our own."""
    member = dict(
        ProfileMember.objects.filter(tenant_id=tenant, site_id=site, until_ns=None).values_list(
            "device_id", "profile_id"
        )
    )
    remedies = {
        (row.profile_id, row.vulnerability): msgspec.convert(row.choice, Choice)
        for row in _remedies(tenant, {member[device] for device in devices if device in member}, None)
    }
    aside = _SetAside(tenant, site)
    wanted = VerdictFilter(devices=tuple(devices), states=CONCERNING)
    for view in verdicts(Scope(tenant, (site,)), wanted, at_ns=now_ns):
        grave = severity(view.state, view.score, view.exploited, view.exploits, view.epss)
        if view.state is MatchState.POTENTIAL and grave.rank < Severity.MEDIUM.rank:
            continue
        here = frozenset((view.device,))
        false, bears = aside.parted(site, view.advisory, here)
        if false:
            continue
        accepted = borne.of(view.vulnerability, here) | bears
        yield Concern(
            subject=view.vulnerability,
            choice=remedies.get((member.get(view.device, ""), view.vulnerability)) or _advised(view),
            severity=grave,
            sure=view.state is MatchState.CONFIRMED,
            known_ns=view.since_ns,
            devices=here - accepted,
            accepted=accepted,
            exploited=view.exploited,
            exploits=view.exploits,
            epss=view.epss,
        )


def _advised(view: VerdictView) -> Choice:
    """Return what a scanner advises about a vulnerability that it alone sees."""
    remedy = view.remedy.strip()
    if not remedy:
        return Choice(
            ActionKind.PRACTICE,
            ("scanner", view.title or view.vulnerability),
            texts=(("", f"Close {view.title or view.vulnerability}, which a scanner saw", ""),),
        )
    return Choice(ActionKind.PRACTICE, ("scanner", remedy[:120]), texts=(("", remedy[:600], ""),))


# ---------------------------------------------------------------- findings


def _of_findings(
    tenant: str, site: str, devices: About, borne: _Borne, keys: Collection[str] | None
) -> Iterator[Concern]:
    groups: defaultdict[tuple[str, str, str], list[Finding]] = defaultdict(list)
    rows = (
        Finding.objects.filter(tenant_id=tenant, site_id=site, state__in=(*_UNDONE, "accepted"))
        .exclude(kind=FindingKind.VULNERABILITY.value)
        .defer("evidence", "mitre", "detail")
    )
    if len(devices) <= _AT_ONCE:
        rows = rows.filter(device_id__in=list(devices))
    if keys is not None:
        rows = rows.filter(type__in=_types_of(rows.order_by().values_list("kind", "type").distinct(), keys))
    for row in rows:
        if row.device_id in devices:
            groups[row.kind, row.type, subject_of(row)].append(row)
    for (kind, type, subject), found in groups.items():
        everyone = frozenset(row.device_id for row in found)
        accepted = borne.of(subject, everyone) | {r.device_id for r in found if r.state == "accepted"}
        live = [row for row in found if row.device_id not in accepted] or found
        worst = max(live, key=lambda row: (row.severity_rank, row.pk))
        fix, _, meanwhile = worst.fix.partition(_MEANWHILE)
        recall = kind == FindingKind.RECALL.value
        yield Concern(
            subject=subject,
            choice=Choice(
                kind=ActionKind.RECALL if recall else ActionKind.PRACTICE,
                subject=(subject,) if recall else (type,),
                texts=(("", fix, ""),),
                meanwhile=(("", meanwhile, ""),) if meanwhile else (),
            ),
            severity=Severity(worst.severity),
            sure=True,
            known_ns=min(row.opened_ns for row in live),
            devices=everyone - accepted,
            accepted=accepted,
            vulnerability=False,
        )


def _types_of(kinds: Iterable[tuple[str, str]], keys: Collection[str]) -> list[str]:
    """Return the types of findings that actions of these keys may hold."""
    return [
        name
        for kind, name in kinds
        if kind == FindingKind.RECALL.value or Choice(ActionKind.PRACTICE, (name,)).key in keys
    ]


def subject_of(finding: Finding) -> str:
    """Return what findings of one kind share: their type; of a recall, what it is about."""
    if finding.kind == FindingKind.RECALL.value:
        return f"{finding.type}: {finding.title.rpartition(': ')[0] or finding.title}"
    return finding.type
