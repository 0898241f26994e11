"""Vulnerabilities as the risk of devices takes them: read once for all devices that are alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

import msgspec
from django.db.models import Q

from medwarden.model.vulnerability import Cvss, MatchState
from medwarden.risk.context import KnownVulnerability
from medwarden.store.models import Irrelevance, ProfileMember, VulnerabilityVerdict, VulnerabilityWeight
from medwarden.store.prepared import Prepared, one_of
from medwarden.store.queries.scans import scanned_among
from medwarden.store.queries.scope import Scope

_AT_ONCE = 400
_CONCERNING = (MatchState.CONFIRMED.value, MatchState.POTENTIAL.value)


_MEMBERS = Prepared(
    lambda ids, tenant: ProfileMember.objects.filter(
        tenant_id=tenant, device_id__in=one_of(ids), until_ns=None
    ),
    "device_id",
    "profile_id",
)
_VERDICTS = Prepared(
    lambda profiles: VulnerabilityVerdict.objects.filter(
        profile_id__in=one_of(profiles), until_ns=None, state__in=_CONCERNING
    ).order_by("profile_id", "vulnerability"),
    "profile_id",
    "vulnerability",
    "state",
    "reason",
    "since_ns",
)


_WORDS = Prepared(
    lambda tenant, at_ns: Irrelevance.objects.filter(
        Q(ended_ns=None) | Q(ended_ns__gt=at_ns),
        tenant_id=tenant,
        at_ns__lte=at_ns,
        expires_ns__gt=at_ns,
    ),
    "device_id",
    "profile_id",
    "vulnerability",
)


class Known:
    """What concerns the devices of a tenant or may, as it stands when it is first asked for.

    Profiles that were asked for are kept, so that a large site is read once for each kind of device.
    """

    def __init__(self, tenant: str, at_ns: int) -> None:
        self._tenant = tenant
        self._at_ns = at_ns
        self._by_profile: dict[str, tuple[KnownVulnerability, ...]] = {}
        self._weights: dict[str, VulnerabilityWeight] = {}
        self._words: set[tuple[str, str]] | None = None

    def of(self, ids: Sequence[str]) -> dict[str, tuple[KnownVulnerability, ...]]:
        """Return what concerns each of some devices; those that nothing concerns are left out."""
        scanned = scanned_among(self._tenant, ids)
        seen = [device for device in ids if device in scanned]
        found = self._of_scanned(seen) if seen else {}
        members: dict[str, str] = {}
        for part in _parts([device for device in ids if device not in scanned]):
            members.update(_MEMBERS(part, self._tenant))
        if not members:
            return found
        self._read({profile for profile in members.values() if profile not in self._by_profile})
        if self._words is None:
            self._words = self._people()
        return found | {
            device: kept
            for device, profile in members.items()
            if (kept := self._without_words(device, profile))
        }

    def _of_scanned(self, ids: Sequence[str]) -> dict[str, tuple[KnownVulnerability, ...]]:
        """Return what concerns devices of which a scanner says something: the verdict of both, one by one."""
        from medwarden.store.queries.vulnerabilities import VerdictFilter, verdicts

        wanted = VerdictFilter(devices=tuple(ids), states=_CONCERNING)
        views = list(verdicts(Scope(self._tenant), wanted, at_ns=self._at_ns))
        self._weigh({view.vulnerability for view in views} - self._weights.keys())
        found: defaultdict[str, list[KnownVulnerability]] = defaultdict(list)
        for view in views:
            weight = self._weights.get(view.vulnerability)
            known = _known(weight, view.vulnerability, view.state.value, view.reason, view.since_ns)
            if known.score is None and view.score is not None:
                known = msgspec.structs.replace(known, score=view.score)
            found[view.device].append(known)
        return {device: tuple(known) for device, known in found.items()}

    def _without_words(self, device: str, profile: str) -> tuple[KnownVulnerability, ...]:
        known = self._by_profile[profile]
        if not self._words:
            return known
        words = self._words
        if not any(
            (device, one.vulnerability) in words or (profile, one.vulnerability) in words for one in known
        ):
            return known
        return tuple(
            one
            for one in known
            if (device, one.vulnerability) not in words and (profile, one.vulnerability) not in words
        )

    def _people(self) -> set[tuple[str, str]]:
        return {
            (device or profile or "", vulnerability)
            for device, profile, vulnerability in _WORDS(self._tenant, self._at_ns)
        }

    def _read(self, profiles: Collection[str]) -> None:
        said: defaultdict[str, list[tuple[str, str, str, int]]] = defaultdict(list)
        for part in _parts(sorted(profiles)):
            for profile, *verdict in _VERDICTS(part):
                said[profile].append(tuple(verdict))
        self._weigh({name for verdicts in said.values() for name, *_ in verdicts} - self._weights.keys())
        for profile in profiles:
            self._by_profile[profile] = tuple(
                _known(self._weights.get(name), name, state, reason, since)
                for name, state, reason, since in said.get(profile, ())
            )

    def _weigh(self, vulnerabilities: Collection[str]) -> None:
        for part in _parts(sorted(vulnerabilities)):
            rows = VulnerabilityWeight.objects.filter(tenant_id=self._tenant, vulnerability__in=part)
            self._weights.update((row.vulnerability, row) for row in rows.defer("title", "remedy"))


def _parts(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _AT_ONCE):
        yield keys[start : start + _AT_ONCE]


def _known(
    weight: VulnerabilityWeight | None, name: str, state: str, reason: str, since_ns: int
) -> KnownVulnerability:
    if weight is None:
        return KnownVulnerability(name, MatchState(state), reason, since_ns)
    return KnownVulnerability(
        name,
        MatchState(state),
        reason,
        since_ns,
        weight.score,
        weight.exploited,
        weight.exploits,
        weight.epss,
        msgspec.convert(weight.vectors, tuple[Cvss, ...]),
        tuple(weight.weaknesses),
        weight.exploit_count,
    )
