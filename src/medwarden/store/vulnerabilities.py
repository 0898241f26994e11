"""Keep verdicts on vulnerabilities: who has which profile, what is said of a profile, what people decided.

Writers close the span of what no longer counts and open a new one with the cause, and write nothing where
nothing changed. See :mod:`medwarden.store.models.vulnerabilities`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec
from django.db.models import TextField
from django.db.models.functions import Cast

from medwarden.kernel.errors import ConfigurationError
from medwarden.kernel.ids import stable_id
from medwarden.model.vulnerability import Match
from medwarden.risk.matching.heard import FIELDS, Heard, Report, heard_of
from medwarden.risk.matching.profile import SURE, Profile, Software
from medwarden.store.bulk import among, insert_rows, update_rows
from medwarden.store.changes import Change
from medwarden.store.models import (
    ComponentList,
    Device,
    EvidenceEntry,
    Irrelevance,
    MatchProfile,
    ProfileMember,
    ScannerSighting,
    SoftwareComponent,
    VulnerabilityVerdict,
    VulnerabilityWeight,
)
from medwarden.store.prepared import Prepared, PreparedRows, one_of
from medwarden.store.scans import reported_of

_AT_ONCE = 400
_NAMED = 50
"""Verdicts that ended of which an audit entry tells why."""
VENDOR_SURE = 0.5
"""The model tells the maker too: its own confidence only has to speak for it rather than against."""


class Weight(msgspec.Struct, frozen=True):
    """How much a vulnerability matters; fields as in the table of that name."""

    vulnerability: str
    score: float | None = None
    exploited: bool = False
    exploits: bool = False
    epss: float | None = None
    title: str = ""
    remedy: str = ""
    vectors: list[dict[str, object]] = []
    weaknesses: list[str] = []
    exploit_count: int = 0
    exploits_by: dict[str, int] = {}


def profile_id(tenant: str, profile: Profile) -> str:
    """Return the id of a profile: the same facts always have the same."""
    return stable_id("vp", tenant, msgspec.json.encode(_sorted(profile)).decode())


def _sorted(profile: Profile) -> dict[str, object]:
    facts: dict[str, object] = msgspec.to_builtins(profile)
    facts["updates"] = sorted(profile.updates)
    return facts


_MATCHED = PreparedRows(
    Device, lambda ids, tenant: Device.objects.filter(tenant_id=tenant, pk__in=one_of(ids))
)
_HEARD = Prepared(
    lambda ids: EvidenceEntry.objects.filter(device_id__in=one_of(ids), field__in=FIELDS),
    "device_id",
    "field",
    "value",
)
_BUILDS = Prepared(
    lambda ids: ScannerSighting.objects.filter(
        device__in=one_of(ids), until_ns=None, credentialed=True, installed__startswith="10.0."
    ).distinct(),
    "device",
    "scanner",
    "installed",
)
_BILLS = PreparedRows(ComponentList, lambda tenant: ComponentList.objects.filter(tenant_id=tenant))
_KNOWN = Prepared(lambda profiles: MatchProfile.objects.filter(pk__in=one_of(profiles)), "pk")
_SITES = Prepared(lambda ids: Device.objects.filter(pk__in=one_of(ids)), "pk", "site_id")
_MEMBERS = PreparedRows(
    ProfileMember, lambda ids: ProfileMember.objects.filter(device_id__in=one_of(ids), until_ns=None)
)


def profiles_of(tenant: str, ids: Sequence[str], *, serials: bool = False) -> dict[str, Profile]:
    """Return the profile of each device that is there, by its id; ``serials`` where a source names any."""
    found: dict[str, Profile] = {}
    components = _Components(tenant)
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        running = heard_on(part)
        for row in _MATCHED(part, tenant):
            heard = running.get(row.pk, Heard())
            found[row.pk] = Profile(
                vendor=row.vendor or "",
                model=row.model or "",
                firmware=row.firmware or "",
                os=row.os or "",
                os_version=row.os_version or "",
                serial=(row.serial or "") if serials else "",
                category=row.category or "",
                vendor_sure=row.confidence.get("vendor", 1.0) >= VENDOR_SURE,
                model_sure=row.confidence.get("model", 1.0) >= SURE,
                software=components.of(row) + heard.software,
                updates=heard.updates,
                build=heard.build if "windows" in (row.os or "").lower() else "",
            )
    return found


def heard_on(ids: Sequence[str]) -> dict[str, Heard]:
    """Return what was heard of programs, builds and updates on devices, and what scanners report of them."""
    evidence: dict[str, set[tuple[str, str]]] = {}
    for device, field, value in _HEARD(ids):
        evidence.setdefault(device, set()).add((field, value))
    reports: dict[str, list[Report]] = {}
    for device, said in reported_of(ids).items():
        reports[device] = [
            Report(each.scanner, each.credentialed, each.software, each.updates, (each.os,)) for each in said
        ]
    for device, scanner, installed in _BUILDS(ids):
        reports.setdefault(device, []).append(Report(scanner, True, (), (), (installed,)))
    return {
        device: heard_of(evidence.get(device, ()), reports.get(device, ()))
        for device in evidence.keys() | reports.keys()
    }


class _Components:
    """The components of bills of materials, by device and by model."""

    def __init__(self, tenant: str) -> None:
        self._bills = list(_BILLS(tenant))
        self._read: dict[str, tuple[Software, ...]] = {}

    def of(self, device: Device) -> tuple[Software, ...]:
        return tuple(
            software for bill in self._bills if self._fits(bill, device) for software in self._contents(bill)
        )

    @staticmethod
    def _fits(bill: ComponentList, device: Device) -> bool:
        if bill.device_id:
            return bill.device_id == device.pk
        if (bill.vendor.lower(), bill.model.lower()) != (
            (device.vendor or "").lower(),
            (device.model or "").lower(),
        ):
            return False
        return not bill.firmware or bill.firmware.lower() == (device.firmware or "").lower()

    def _contents(self, bill: ComponentList) -> tuple[Software, ...]:
        if bill.pk not in self._read:
            self._read[bill.pk] = tuple(
                Software(row.name, row.version, row.supplier, row.purl, row.cpe, f"sbom:{bill.name}")
                for row in SoftwareComponent.objects.filter(bill=bill).order_by("position")
            )
        return self._read[bill.pk]


def record_members(change: Change, profiles: Mapping[str, Profile], cause: str) -> dict[str, Profile]:
    """Note which profile each device has now; return the profiles that were not known, by id.

    A device whose profile is the one it had writes nothing.
    """
    ids = {device: profile_id(change.tenant, profile) for device, profile in profiles.items()}
    by_id = {ids[device]: profile for device, profile in profiles.items()}
    known = _existing(by_id)
    fresh = {key: profile for key, profile in by_id.items() if key not in known}
    insert_rows(
        [
            MatchProfile(id=key, tenant_id=change.tenant, site_id=None, facts=_sorted(profile))
            for key, profile in fresh.items()
        ]
    )
    devices = list(ids)
    for start in range(0, len(devices), _AT_ONCE):
        part = devices[start : start + _AT_ONCE]
        sites: dict[str, str] = dict(_SITES(part))
        current = {row.device_id: row for row in _MEMBERS(part)}
        moved = [device for device in part if device in sites and not _same(current.get(device), ids[device])]
        ended = [current[device] for device in moved if device in current]
        for row in ended:
            row.until_ns = change.now_ns
        update_rows(ended, ("until_ns",))
        insert_rows(
            [
                ProfileMember(
                    tenant_id=change.tenant, site_id=sites[device], device_id=device, profile_id=ids[device],
                    since_ns=change.now_ns, until_ns=None, cause=cause[:200],
                )
                for device in moved
            ]
        )  # fmt: skip
    return fresh


def _existing(ids: Collection[str]) -> set[str]:
    return {key for (key,) in _KNOWN(ids)}


def _same(row: ProfileMember | None, profile: str) -> bool:
    return row is not None and row.profile_id == profile


_FACTS = msgspec.json.Decoder(Profile)
_known: dict[str, Profile] = {}
"""Profiles that were read, by id: the same id always has the same facts."""
_MOST_KNOWN = 50_000


def profiles_in_use(tenant: str, only: Collection[str] | None = None) -> dict[str, Profile]:
    """Return the profiles that some device has now, by id; ``only`` of those with these ids."""
    used = ProfileMember.objects.filter(tenant_id=tenant, until_ns=None).values("profile")
    rows = MatchProfile.objects.filter(tenant_id=tenant, pk__in=used)
    wanted = set(rows.values_list("pk", flat=True)) if only is None else set(only)
    if len(_known) > _MOST_KNOWN:
        _known.clear()
    missing = wanted - _known.keys()
    if missing:
        texts = MatchProfile.objects.filter(tenant_id=tenant, pk__in=among(missing))
        texts = texts.annotate(text=Cast("facts", TextField()))  # decoded once, into what it becomes
        _known.update((key, _FACTS.decode(text)) for key, text in texts.values_list("pk", "text"))
    return {key: _known[key] for key in wanted}


def standing(tenant: str) -> dict[str, tuple[int, str]]:
    """Return by which edition of knowledge and which rules each profile in use was judged."""
    used = ProfileMember.objects.filter(tenant_id=tenant, until_ns=None).values("profile")
    rows = MatchProfile.objects.filter(tenant_id=tenant, pk__in=used)
    return {
        key: (edition, rules) for key, edition, rules in rows.values_list("pk", "edition", "rules_version")
    }


def profiles_behind(devices: Collection[str], edition: int, rules: str) -> dict[str, tuple[int, str]]:
    """Return the profiles of devices that other knowledge or rules judged: by which."""
    rows = ProfileMember.objects.filter(device_id__in=among(devices), until_ns=None)
    stood = judged_by(set(rows.values_list("profile_id", flat=True)))
    return {key: judged for key, judged in stood.items() if judged != (edition, rules)}


def record_verdicts(
    change: Change,
    verdicts: Mapping[str, Sequence[Match]],
    *,
    edition: int,
    rules: str,
    cause: str,
    only: frozenset[str] | None = None,
    why: Mapping[str, str] | None = None,
    stood: Mapping[str, tuple[int, str]] | None = None,
) -> set[str]:
    """Bring the verdicts of profiles in line with what the engine says now; return profiles that changed.

    ``only`` limits this to some vulnerabilities: verdicts on others stay as they are. ``why`` tells the cause
    of some by their ids, ``cause`` of the others. What nothing is said of any more is named in the audit.
    Profiles that do not stand as they ``stood`` (edition and rules, read before judging began) are left as
    they are: somebody judged them meanwhile, or had them judged anew, and knew more.
    """
    changed: set[str] = set()
    causes = why or {}
    over: dict[str, str] = {}
    keys = _as_they_stood(verdicts, stood)
    for start in range(0, len(keys), _AT_ONCE):
        part = keys[start : start + _AT_ONCE]
        rows = VulnerabilityVerdict.objects.filter(profile_id__in=part, until_ns=None)
        if only is not None:
            rows = rows.filter(vulnerability__in=among(only))
        held: dict[str, dict[str, VulnerabilityVerdict]] = {}
        for row in rows:
            held.setdefault(row.profile_id, {})[row.vulnerability] = row
        ended: list[VulnerabilityVerdict] = []
        begun: list[VulnerabilityVerdict] = []
        for key in part:
            now = {match.vulnerability: match for match in verdicts[key]}
            before = held.get(key, {})
            ended += [
                row for name, row in before.items() if name not in now or not _as_before(row, now[name])
            ]
            fresh = [m for name, m in now.items() if name not in before or not _as_before(before[name], m)]
            begun += [_verdict(change, key, m, causes.get(m.vulnerability, cause)) for m in fresh]
            gone = [name for name in before if name not in now]
            over.update((name, causes.get(name, cause)) for name in gone)
            if fresh or gone:
                changed.add(key)
        for row in ended:
            row.until_ns = change.now_ns
        update_rows(ended, ("until_ns",))
        insert_rows(begun)
        note_judged(change, part, edition=edition, rules=rules)
    if changed:
        told: dict[str, object] = {"changed": len(changed), "cause": cause}
        if over:
            told |= {"ended": len(over), "ended_because": dict(sorted(over.items())[:_NAMED])}
        change.record("vulnerabilities.judged", "profiles", None, told)
    return changed


def note_judged(
    change: Change,
    profiles: Collection[str],
    *,
    edition: int,
    rules: str,
    stood: Mapping[str, tuple[int, str]] | None = None,
) -> None:
    """Note by which edition and which rules profiles were judged; of those that stand as they ``stood``."""
    rows = MatchProfile.objects.filter(pk__in=among(_as_they_stood(profiles, stood)))
    rows.update(edition=edition, rules_version=rules, judged_ns=change.now_ns)


def _as_they_stood(profiles: Iterable[str], stood: Mapping[str, tuple[int, str]] | None) -> list[str]:
    """Return those of some profiles whose edition and rules are as they were; all where nobody says how."""
    ordered = list(profiles)
    if stood is None:
        return ordered
    now = judged_by(ordered)
    return [key for key in ordered if key in now and now[key] == stood.get(key)]


def judged_by(profiles: Collection[str]) -> dict[str, tuple[int, str]]:
    """Return by which edition of knowledge and which rules profiles were judged."""
    rows = MatchProfile.objects.filter(pk__in=among(profiles))
    return {
        key: (edition, rules) for key, edition, rules in rows.values_list("pk", "edition", "rules_version")
    }


def _as_before(row: VulnerabilityVerdict, match: Match) -> bool:
    return (row.state, row.advisory, row.reason) == (match.state.value, match.advisory, match.reason)


def _verdict(change: Change, profile: str, match: Match, cause: str) -> VulnerabilityVerdict:
    return VulnerabilityVerdict(
        tenant_id=change.tenant,
        site_id=None,
        profile_id=profile,
        vulnerability=match.vulnerability[:60],
        advisory=match.advisory[:120],
        state=match.state.value,
        reason=match.reason,
        aspects=[msgspec.to_builtins(aspect) for aspect in match.aspects],
        rules_version=match.rules_version,
        since_ns=change.now_ns,
        until_ns=None,
        cause=cause[:200],
    )


def record_weights(change: Change, weights: Iterable[Weight]) -> set[str]:
    """Store how much vulnerabilities matter; what did not change writes nothing. Return those that did."""
    fresh = {weight.vulnerability: weight for weight in weights}
    rows = {
        row.vulnerability: row
        for row in VulnerabilityWeight.objects.filter(tenant_id=change.tenant, vulnerability__in=among(fresh))
    }
    names = (
        "score", "exploited", "exploits", "epss", "vectors", "weaknesses", "title", "remedy",
        "exploit_count", "exploits_by",
    )  # fmt: skip
    altered = []
    for name, row in rows.items():
        if any(getattr(row, field) != getattr(fresh[name], field) for field in names):
            for field in names:
                setattr(row, field, getattr(fresh[name], field))
            altered.append(row)
    update_rows(altered, names)
    insert_rows(
        [
            VulnerabilityWeight(tenant_id=change.tenant, site_id=None, **msgspec.structs.asdict(weight))
            for name, weight in fresh.items()
            if name not in rows
        ]
    )
    return {row.vulnerability for row in altered} | (fresh.keys() - rows.keys())


def declare_irrelevant(
    change: Change, device: str, vulnerability: str, *, expires_ns: int, alike: bool = False
) -> None:
    """Keep a person's word that a vulnerability is irrelevant for a device, or for all ``alike`` it.

    The change's reason is the reason. Raises ConfigurationError where the device is not there, nothing is
    said of it and the vulnerability, the reason is empty or the end is not in the future.
    """
    row = Device.objects.filter(tenant_id=change.tenant, pk=device).first()
    member = ProfileMember.objects.filter(tenant_id=change.tenant, device_id=device, until_ns=None).first()
    if row is None or (alike and member is None):
        raise ConfigurationError(f"nothing was matched for a device {device[:40]!r} yet")
    if not _said_of(device, member, vulnerability):
        raise ConfigurationError(f"nothing says that {vulnerability[:60]!r} concerns this device")
    if not change.reason.strip():
        raise ConfigurationError("say why it is irrelevant")
    if expires_ns <= change.now_ns:
        raise ConfigurationError("say until when it is irrelevant: a day in the future")
    Irrelevance(
        tenant_id=change.tenant,
        site_id=None if alike else row.site_id,
        device_id=None if alike else device,
        profile_id=member.profile_id if alike and member is not None else None,
        vulnerability=vulnerability,
        reason=change.reason,
        actor=change.actor[:150],
        at_ns=change.now_ns,
        expires_ns=expires_ns,
    ).save(force_insert=True)
    change.record(
        "vulnerability.irrelevant",
        f"device:{device}",
        None,
        {"vulnerability": vulnerability, "expires_ns": expires_ns, "alike": alike},
    )


def _said_of(device: str, member: ProfileMember | None, vulnerability: str) -> bool:
    """Tell whether the matching or a scanner says something of a device and a vulnerability."""
    if ScannerSighting.objects.filter(device=device, vulnerability=vulnerability, until_ns=None).exists():
        return True
    rows = VulnerabilityVerdict.objects.filter(vulnerability=vulnerability, until_ns=None)
    return member is not None and rows.filter(profile_id=member.profile_id).exists()


def take_back_irrelevance(change: Change, device: str, vulnerability: str) -> None:
    """End a person's word on a device and a vulnerability. Raises ConfigurationError where there is none."""
    profiles = ProfileMember.objects.filter(device_id=device, until_ns=None).values("profile")
    rows = Irrelevance.objects.filter(tenant_id=change.tenant, vulnerability=vulnerability, ended_ns=None)
    ended = rows.filter(device_id=device).update(ended_ns=change.now_ns) + rows.filter(
        profile_id__in=profiles
    ).update(ended_ns=change.now_ns)
    if not ended:
        raise ConfigurationError(f"nobody called {vulnerability[:60]!r} irrelevant for this device")
    change.record("vulnerability.relevant", f"device:{device}", {"vulnerability": vulnerability}, None)
