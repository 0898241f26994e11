"""Verdicts on devices and vulnerabilities: now, at a date, and what they weigh."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

import msgspec
from django.db.models import Q, QuerySet

from medwarden.model.scan import ScanOutcome
from medwarden.model.vulnerability import MatchState
from medwarden.risk.context import KnownVulnerability
from medwarden.risk.matching.findings import RECORDS, RELEASE
from medwarden.risk.matching.platforms import RELEASE_UNKNOWN
from medwarden.risk.matching.seen_by import Own, merged, sentence
from medwarden.store.bulk import among
from medwarden.store.models import (
    Device,
    Irrelevance,
    ProfileMember,
    VulnerabilityVerdict,
    VulnerabilityWeight,
)
from medwarden.store.queries.known import Known
from medwarden.store.queries.matched_remedies import remedies_of
from medwarden.store.queries.scans import SightingView, scanned_devices, seen_on
from medwarden.store.queries.scope import Scope

_AT_ONCE = 400


class VerdictView(msgspec.Struct, frozen=True):
    """One device and one vulnerability: the verdict, why, on what evidence, since when, and how grave.

    ``seen_by`` are those who see it (``medwarden`` and scanners), ``contradiction`` what does not agree;
    ``until_ns`` is when a person's word that it is irrelevant ends.
    """

    device: str
    mac: str | None
    macs: tuple[str, ...]
    ip: str | None
    label: str
    vulnerability: str
    advisory: str
    state: MatchState
    reason: str
    evidence: tuple[dict[str, object], ...]
    rules_version: str
    since_ns: int
    score: float | None
    exploited: bool
    exploits: bool
    epss: float | None
    title: str
    remedy: str
    seen_by: tuple[str, ...] = ()
    contradiction: str = ""
    until_ns: int | None = None
    exploit_count: int = 0
    exploits_by: dict[str, int] = {}


class VerdictFilter(msgspec.Struct, frozen=True):
    """Which verdicts: of some devices, states, a vulnerability or advisory; ``text`` is part of them.

    ``subjects`` are what findings on them are about (:func:`.risk.matching.findings.subject_of`): all
    verdicts on these are among those returned, others may be.
    """

    devices: tuple[str, ...] | None = None
    states: tuple[str, ...] = ()
    vulnerability: str = ""
    advisory: str = ""
    text: str = ""
    subjects: frozenset[str] | None = None


def verdicts(scope: Scope, wanted: VerdictFilter, *, at_ns: int, now: bool = True) -> Iterator[VerdictView]:
    """Yield verdicts by device and vulnerability as they stand at ``at_ns``, with what scanners say of them.

    ``now`` takes what counts at present (a person's word still ends at its time); otherwise the spans that
    held at ``at_ns``.
    """
    members = _at(scope.over(ProfileMember.objects.all()), at_ns, now)
    scanned = scanned_devices(scope, at_ns, now=now, vulnerability=wanted.vulnerability)
    if wanted.devices is not None:
        members = members.filter(device_id__in=among(wanted.devices))
        scanned = sorted(set(scanned) & set(wanted.devices))
    profiles = dict.fromkeys(scanned, "") | dict(members.values_list("device_id", "profile_id"))
    known = _of_profiles({profile for profile in profiles.values() if profile}, wanted, at_ns, now)
    remedies = remedies_of(known, wanted.vulnerability)
    weights = _Weights(scope.tenant)
    words = _people(scope.tenant, at_ns)
    ordered = sorted(profiles)
    for start in range(0, len(ordered), _AT_ONCE):
        part = ordered[start : start + _AT_ONCE]
        devices = _devices(scope, part)
        seen = seen_on(scope, part, at_ns, now=now, vulnerability=wanted.vulnerability)
        weights.read(
            {row.vulnerability for device in part for row in known.get(profiles[device], ())}
            | {name for said in seen.values() for name in said}
        )
        for device_id in part:
            if device_id not in devices:
                continue
            own = {row.vulnerability: row for row in known.get(profiles[device_id], ())}
            said = seen.get(device_id, {})
            for name in sorted(own.keys() | (said.keys() if not wanted.advisory else set())):
                view = _view(
                    devices[device_id],
                    name,
                    own.get(name),
                    said.get(name, ()),
                    weights.of.get(name),
                    words.get((device_id, name)) or words.get((profiles[device_id], name)),
                    remedies.get((profiles[device_id], name)),
                )
                if view is not None and _fits(view, wanted):
                    yield view


def _devices(scope: Scope, ids: Sequence[str]) -> dict[str, Device]:
    """Return devices of the scope by their keys alone: by tenant and site SQLite might read them all."""
    rows = Device.objects.filter(pk__in=among(ids))
    rows = rows.only("tenant_id", "site_id", "name", "vendor", "model", "macs", "ips")
    return {row.pk: row for row in rows if scope.holds(row.tenant_id, row.site_id)}


class _Weights:
    """How much vulnerabilities matter, read as they are come upon."""

    def __init__(self, tenant: str) -> None:
        self._tenant = tenant
        self._read: set[str] = set()
        self.of: dict[str, VulnerabilityWeight] = {}

    def read(self, vulnerabilities: Collection[str]) -> None:
        """Read those that were not read yet."""
        missing = set(vulnerabilities) - self._read
        if missing:
            rows = VulnerabilityWeight.objects.filter(
                tenant_id=self._tenant, vulnerability__in=among(missing)
            )
            self.of.update((row.vulnerability, row) for row in rows)
            self._read |= missing


def _at(rows: QuerySet[ProfileMember], at_ns: int, now: bool) -> QuerySet[ProfileMember]:
    if now:
        return rows.filter(until_ns=None)
    return rows.filter(since_ns__lte=at_ns).filter(Q(until_ns=None) | Q(until_ns__gt=at_ns))


def _of_profiles(
    profiles: Collection[str], wanted: VerdictFilter, at_ns: int, now: bool
) -> dict[str, list[VulnerabilityVerdict]]:
    found: defaultdict[str, list[VulnerabilityVerdict]] = defaultdict(list)
    keys = sorted(profiles)
    for start in range(0, len(keys), _AT_ONCE):
        rows = VulnerabilityVerdict.objects.filter(profile_id__in=keys[start : start + _AT_ONCE])
        if now:
            rows = rows.filter(until_ns=None)
        else:
            rows = rows.filter(since_ns__lte=at_ns).filter(Q(until_ns=None) | Q(until_ns__gt=at_ns))
        if wanted.vulnerability:
            rows = rows.filter(vulnerability__iexact=wanted.vulnerability)
        if wanted.advisory:
            rows = rows.filter(advisory__iexact=wanted.advisory)
        if wanted.subjects is not None:
            named = Q(advisory__in=["" if each == RECORDS else each for each in wanted.subjects])
            doubtful = Q(state=MatchState.POTENTIAL.value) if RELEASE in wanted.subjects else Q()
            rows = rows.filter(named | doubtful) if doubtful else rows.filter(named)
        for row in rows.order_by("profile_id", "vulnerability"):
            found[row.profile_id].append(row)
    return found


def _people(tenant: str, at_ns: int) -> dict[tuple[str, str], Irrelevance]:
    """Return the words of people that hold, by device or profile and vulnerability."""
    rows = (
        Irrelevance.objects.filter(tenant_id=tenant, at_ns__lte=at_ns, expires_ns__gt=at_ns)
        .filter(Q(ended_ns=None) | Q(ended_ns__gt=at_ns))
        .order_by("at_ns")
    )
    return {(row.device_id or row.profile_id or "", row.vulnerability): row for row in rows}


def _view(
    device: Device,
    vulnerability: str,
    row: VulnerabilityVerdict | None,
    said: Sequence[SightingView],
    weight: VulnerabilityWeight | None,
    word: Irrelevance | None,
    remedy: str | None,
) -> VerdictView | None:
    """Return one verdict of the own conclusion, scanners and people; None where nothing comes of them.

    ``remedy`` is that of the matched product; where none was chosen yet, the first of any source is shown.
    """
    if remedy is None:
        remedy = weight.remedy if weight else ""
    own = Own(MatchState(row.state), row.reason, row.since_ns) if row is not None else None
    found = merged(own, [each.seen for each in said])
    if found is None or (row is None and not vulnerability.startswith("CVE-")):
        return None
    state, reason = found.state, found.reason
    if word is not None and state in (MatchState.CONFIRMED, MatchState.POTENTIAL):
        called = MatchState(word.said)
        words = called.value.replace("_", " ")
        said_by = word.author or word.actor
        reason = f"{said_by} called it {words}: {word.reason} (before that: {state.value}; {reason})"
        state = called
    made = " ".join(part for part in (device.vendor, device.model) if part)
    aspects = tuple(row.aspects) if row is not None else ()
    scores = [each.score for each in said if each.score is not None]
    return VerdictView(
        device=device.pk,
        mac=next(iter(device.macs), None),
        macs=tuple(device.macs),
        ip=next(iter(device.ips), None),
        label=device.name or made or device.pk,
        vulnerability=vulnerability,
        advisory=row.advisory if row is not None else "",
        state=state,
        reason=reason,
        evidence=aspects + tuple(_aspect(each) for each in said),
        rules_version=row.rules_version if row is not None else "scan",
        since_ns=row.since_ns if row is not None else min(each.since_ns for each in said),
        score=weight.score if weight and weight.score is not None else max(scores, default=None),
        exploited=bool(weight and weight.exploited),
        exploits=bool(weight and weight.exploits),
        epss=weight.epss if weight else None,
        title=(weight.title if weight else "") or next((s.seen.title for s in said if s.seen.title), ""),
        remedy=remedy or next((each.remedy for each in said if each.remedy), ""),
        seen_by=found.seen_by,
        contradiction=found.contradiction,
        until_ns=word.expires_ns if word is not None and state is MatchState.IRRELEVANT else None,
        exploit_count=weight.exploit_count if weight else 0,
        exploits_by=weight.exploits_by if weight else {},
    )


def _aspect(said: SightingView) -> dict[str, object]:
    """Return what a scanner says as a piece of evidence beside the aspects of the own conclusion."""
    agrees = {ScanOutcome.VULNERABLE: True, ScanOutcome.POTENTIAL: None}.get(said.seen.outcome, False)
    return {
        "name": "scanner",
        "agrees": agrees,
        "device_value": said.seen.installed,
        "evidence_field": f"scan:{said.seen.scanner}",
        "claim_value": said.seen.fixed or said.check,
        "why": sentence(said.seen),
    }


def _fits(view: VerdictView, wanted: VerdictFilter) -> bool:
    if wanted.states and view.state.value not in wanted.states:
        return False
    said = " ".join(
        (view.label, view.device, *view.macs, view.ip or "", view.vulnerability, view.advisory)
    ).lower()
    return all(term in said for term in wanted.text.lower().split())


def members_of(profiles: Collection[str]) -> dict[str, list[str]]:
    """Return the devices that have these profiles now, by site."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    keys = sorted(profiles)
    for start in range(0, len(keys), _AT_ONCE):
        rows = ProfileMember.objects.filter(profile_id__in=keys[start : start + _AT_ONCE], until_ns=None)
        for site, device in rows.values_list("site_id", "device_id"):
            found[site].append(device)
    return found


def sites_of(devices: Collection[str]) -> dict[str, list[str]]:
    """Return devices by the site at which they are."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    rows = Device.objects.filter(pk__in=among(devices)).order_by("pk") if devices else Device.objects.none()
    for site, device in rows.values_list("site_id", "pk"):
        found[site].append(device)
    return found


def members_since(devices: Sequence[str], since_ns: int) -> list[str]:
    """Return those of ``devices`` (a few hundred at most) that have their profile since ``since_ns``."""
    rows = ProfileMember.objects.filter(device_id__in=devices, until_ns=None, since_ns=since_ns)
    return list(rows.values_list("device_id", flat=True))


def alike_to(device: str) -> list[str]:
    """Return the devices of the same site that have the profile of ``device`` now, itself among them."""
    member = ProfileMember.objects.filter(device_id=device, until_ns=None).first()
    if member is None:
        return [device]
    rows = ProfileMember.objects.filter(profile_id=member.profile_id, site_id=member.site_id, until_ns=None)
    return list(rows.order_by("device_id").values_list("device_id", flat=True))


def profiles_with(tenant: str, vulnerabilities: Collection[str]) -> set[str]:
    """Return the profiles of which any of some vulnerabilities is confirmed or potential now."""
    concerning = (MatchState.CONFIRMED.value, MatchState.POTENTIAL.value)
    found: set[str] = set()
    wanted = sorted(vulnerabilities)
    for start in range(0, len(wanted), _AT_ONCE):
        rows = VulnerabilityVerdict.objects.filter(
            tenant_id=tenant,
            vulnerability__in=wanted[start : start + _AT_ONCE],
            until_ns=None,
            state__in=concerning,
        )
        found.update(rows.values_list("profile_id", flat=True))
    return found


def alike(device: str) -> list[str]:
    """Return the devices that share the profile of ``device`` at its site, itself among them."""
    own = ProfileMember.objects.filter(device_id=device, until_ns=None).first()
    if own is None:
        return [device]
    rows = ProfileMember.objects.filter(profile_id=own.profile_id, site_id=own.site_id, until_ns=None)
    return list(rows.values_list("device_id", flat=True))


def with_verdict(tenant: str, vulnerabilities: Collection[str]) -> set[str]:
    """Return the profiles of which something is said of any of some vulnerabilities now."""
    rows = VulnerabilityVerdict.objects.filter(
        tenant_id=tenant, vulnerability__in=among(vulnerabilities), until_ns=None
    )
    return set(rows.values_list("profile_id", flat=True))


def subjects_of(tenant: str, vulnerabilities: Collection[str], since_ns: int) -> frozenset[str]:
    """Return what findings on some vulnerabilities are about, now and just before ``since_ns``."""
    rows = VulnerabilityVerdict.objects.filter(
        Q(until_ns=None) | Q(until_ns=since_ns), tenant_id=tenant, vulnerability__in=among(vulnerabilities)
    )
    found = {advisory or RECORDS for advisory in rows.values_list("advisory", flat=True).distinct()}
    doubtful = rows.filter(state=MatchState.POTENTIAL.value, aspects__icontains=RELEASE_UNKNOWN)
    return frozenset(found | {RELEASE} if doubtful.exists() else found)


def without_profile(tenant: str, site: str) -> list[str]:
    """Return the devices of a site that no profile was noted for."""
    if ProfileMember.objects.filter(until_ns=None).count() == Device.objects.count():
        return []  # each device has one at most: counting both is a tenth of comparing them
    held = ProfileMember.objects.filter(until_ns=None).values("device")
    never = among(Device.objects.exclude(pk__in=held).values_list("pk", flat=True))
    rows = Device.objects.filter(pk__in=never, tenant_id=tenant, site_id=site)
    return list(rows.values_list("pk", flat=True))


def matched_vulnerabilities(profiles: Sequence[str]) -> set[str]:
    """Return the vulnerabilities that something is said of for these profiles."""
    found: set[str] = set()
    for start in range(0, len(profiles), _AT_ONCE):
        rows = VulnerabilityVerdict.objects.filter(
            profile_id__in=profiles[start : start + _AT_ONCE], until_ns=None
        )
        found.update(rows.values_list("vulnerability", flat=True).distinct())
    return found


def known_of(scope: Scope, ids: Sequence[str], at_ns: int) -> dict[str, tuple[KnownVulnerability, ...]]:
    """Return what the risk of devices needs of their vulnerabilities: those that concern them or may."""
    return Known(scope.tenant, at_ns).of(ids)
