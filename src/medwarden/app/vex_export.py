"""The hospital's verdicts on vulnerabilities as VEX documents, in versions that count what changed.

A product is a kind of device (maker, model, version); devices that a person judged otherwise than their kind
stand as products of their own. Serial numbers and hardware addresses are written only when asked for.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

import medwarden
from medwarden.kernel.clock import Clock, iso, wall_clock
from medwarden.kernel.errors import ConfigurationError
from medwarden.kernel.ids import stable_id
from medwarden.model.vulnerability import MatchState
from medwarden.risk.work.choice import ActionKind, Choice
from medwarden.risk.work.vex.statement import Issuer, OwnProduct, OwnVerdict, Revision, VexStatus
from medwarden.risk.work.vex.write_csaf import csaf
from medwarden.risk.work.vex.write_openvex import openvex

if TYPE_CHECKING:
    from medwarden.risk.matching.profile import Profile
    from medwarden.store.models import Irrelevance, VulnerabilityVerdict
    from medwarden.store.queries import Scope

FORMS = ("csaf", "openvex")
PUBLISHER = "vex.publisher"
_REVISIONS = "vex.revisions"
_AT_ONCE = 400
_CPE = re.compile(
    r"^cpe:2\.3:[aho*-](?::(?:(?:\?*|\*?)(?:[a-zA-Z0-9_.-]|\\[\\*?!\"#$%&'()+,/:;<=>@\[\]^`{|}~])+(?:\?*|\*?)"
    r"|[*-])){5}(?::(?:[a-zA-Z]{2,3}(?:-(?:[a-zA-Z]{2}|[0-9]{3}))?|[*-]))(?::(?:(?:\?*|\*?)(?:[a-zA-Z0-9_.-]"
    r"|\\[\\*?!\"#$%&'()+,/:;<=>@\[\]^`{|}~])+(?:\?*|\*?)|[*-])){4}$"
)
"""A whole CPE 2.3 name as the schema of CSAF asks."""

_STATUSES = {
    MatchState.CONFIRMED: VexStatus.AFFECTED,
    MatchState.POTENTIAL: VexStatus.UNDER_INVESTIGATION,
    MatchState.FIXED: VexStatus.FIXED,
    MatchState.NOT_AFFECTED: VexStatus.NOT_AFFECTED,
    MatchState.IRRELEVANT: VexStatus.NOT_AFFECTED,
}
_CATEGORIES = {
    ActionKind.UPDATE: "vendor_fix",
    ActionKind.PATCH: "vendor_fix",
    ActionKind.REPLACE: "no_fix_planned",
    ActionKind.ASK: "none_available",
}


class Chosen(msgspec.Struct, frozen=True):
    """Which verdicts go out: '' is every one. ``devices`` writes serial numbers and hardware addresses."""

    vendor: str = ""
    vulnerability: str = ""
    device: str = ""
    status: tuple[str, ...] = ()
    devices: bool = False


class Written(msgspec.Struct, frozen=True):
    """A document as bytes, the file name that CSAF 2.0 section 5.1 gives it, and how much it says."""

    document: bytes
    name: str
    version: int
    statements: int


def publisher(tenant: str) -> Issuer:
    """Return who issues documents: what the hospital set, else a name that is nobody else's."""
    from medwarden.store.settings import setting

    said = setting(PUBLISHER, {"name": "", "namespace": ""}, tenant=tenant)
    return Issuer(
        said.get("name") or f"Operator {tenant}", said.get("namespace") or f"https://{tenant}.invalid"
    )


def set_publisher(tenant: str, name: str, namespace: str, *, actor: str, reason: str = "") -> None:
    """Keep who issues documents. Raises ConfigurationError where the address is no https address."""
    from medwarden.store.changes import Change
    from medwarden.store.settings import set_setting

    if not name.strip() or not re.fullmatch(r"https://[A-Za-z0-9.-]+(?:/[\w./~-]*)?", namespace.strip()):
        raise ConfigurationError(
            "say the hospital's name and an address of its own, such as https://clinic.org"
        )
    with Change(actor, reason or "issuer of VEX documents", tenant=tenant) as change:
        set_setting(change, PUBLISHER, {"name": name.strip()[:200], "namespace": namespace.strip()[:200]})


def write(scope: Scope, form: str, chosen: Chosen, *, actor: str, clock: Clock = wall_clock) -> Written:
    """Return the verdicts of a scope as a document of ``form`` (csaf or openvex), on an open store.

    The same verdicts are the same version; others raise it by one. Raises ConfigurationError for another form
    or where there is no verdict to tell.
    """
    if form not in FORMS:
        raise ConfigurationError(f"there is no form {form[:20]!r}: use {' or '.join(FORMS)}")
    verdicts = sorted(_verdicts(scope, chosen, clock()), key=lambda v: (v.vulnerability, v.product.id))
    if not verdicts:
        raise ConfigurationError("no verdict is like that: nothing to tell")
    issuer = publisher(scope.tenant)
    parts = (*(scope.sites or ()), *msgspec.structs.astuple(chosen)[:3], *chosen.status, str(chosen.devices))
    id = f"{scope.tenant}-{stable_id('vex', scope.tenant, *parts)}"
    revisions = _revisions(scope.tenant, id, verdicts, issuer, actor, clock)
    name = f"medwarden {medwarden.__version__}"
    make = csaf if form == "csaf" else openvex
    document = msgspec.json.format(msgspec.json.encode(make(verdicts, issuer, id, revisions, name)), indent=2)
    file = re.sub(r"[^+\-a-z0-9]+", "_", id.lower()) + (".json" if form == "csaf" else ".openvex.json")
    return Written(document + b"\n", file, revisions[-1].number, len(verdicts))


def _revisions(
    tenant: str, id: str, verdicts: list[OwnVerdict], issuer: Issuer, actor: str, clock: Clock
) -> list[Revision]:
    from medwarden.store.changes import Change
    from medwarden.store.settings import set_setting, setting

    digest = hashlib.sha256(msgspec.json.encode((verdicts, issuer))).hexdigest()[:32]
    key = f"{_REVISIONS}.{id}"[:120]
    known = setting(key, list[dict[str, str]](), tenant=tenant)
    if not known or known[-1]["digest"] != digest:
        known = [*known, {"date": iso(clock()), "digest": digest}]
        with Change(actor, "VEX document written", tenant=tenant) as change:
            set_setting(change, key, known)
    return [Revision(number, each["date"]) for number, each in enumerate(known, 1)]


# ---------------------------------------------------------------- what is said


def _verdicts(scope: Scope, chosen: Chosen, now_ns: int) -> Iterable[OwnVerdict]:
    members, profiles = _members(scope, chosen)
    words = _words(scope.tenant, now_ns)
    titles, actions = _titles(scope.tenant), _actions(scope.tenant)
    products = _Products(scope, chosen, profiles, members)
    for row in _rows(members, chosen.vulnerability):
        apart = {
            device: word
            for device in members[row.profile_id]
            if (word := words.get((device, row.vulnerability))) is not None
        }
        groups: list[tuple[OwnProduct, Irrelevance | None]] = [
            (products.of_device(row.profile_id, device), apart[device]) for device in sorted(apart)
        ]
        if len(apart) < len(members[row.profile_id]):
            groups.append(
                (products.of_profile(row.profile_id), words.get((row.profile_id, row.vulnerability)))
            )
        for product, said in groups:
            verdict = _verdict(row, product, said, profiles[row.profile_id], titles, actions)
            if not chosen.status or verdict.says.value in chosen.status:
                yield verdict


def _members(scope: Scope, chosen: Chosen) -> tuple[dict[str, list[str]], dict[str, Profile]]:
    from medwarden.store.models import ProfileMember
    from medwarden.store.vulnerabilities import profiles_in_use

    profiles = {
        key: profile
        for key, profile in profiles_in_use(scope.tenant).items()
        if chosen.vendor.lower() in profile.vendor.lower()
    }
    found: defaultdict[str, list[str]] = defaultdict(list)
    rows = scope.over(ProfileMember.objects.filter(until_ns=None, device__retired_at=None))
    if chosen.device:
        rows = rows.filter(device_id=chosen.device)
    for device, profile in rows.values_list("device_id", "profile_id"):
        if profile in profiles:
            found[profile].append(device)
    return found, profiles


def _rows(members: Mapping[str, list[str]], vulnerability: str) -> Iterable[VulnerabilityVerdict]:
    from medwarden.store.models import VulnerabilityVerdict

    keys = sorted(members)
    for start in range(0, len(keys), _AT_ONCE):
        rows = VulnerabilityVerdict.objects.filter(
            profile_id__in=keys[start : start + _AT_ONCE], until_ns=None
        )
        yield from rows.filter(vulnerability__iexact=vulnerability) if vulnerability else rows


def _words(tenant: str, now_ns: int) -> dict[tuple[str, str], Irrelevance]:
    from django.db.models import Q

    from medwarden.store.models import Irrelevance

    rows = Irrelevance.objects.filter(tenant_id=tenant, expires_ns__gt=now_ns).filter(
        Q(ended_ns=None) | Q(ended_ns__gt=now_ns)
    )
    return {(row.device_id or row.profile_id or "", row.vulnerability): row for row in rows.order_by("at_ns")}


def _titles(tenant: str) -> dict[str, str]:
    from medwarden.store.models import VulnerabilityWeight

    return dict(VulnerabilityWeight.objects.filter(tenant_id=tenant).values_list("vulnerability", "title"))


def _actions(tenant: str) -> dict[tuple[str, str], tuple[str, str]]:
    """Return what is done (words, category of CSAF) by profile and vulnerability."""
    from medwarden.store.models import WorkAction, WorkRemedy

    titles = dict(WorkAction.objects.filter(tenant_id=tenant).values_list("key", "title"))
    return {
        (profile, vulnerability): (titles[key], _CATEGORIES.get(ActionKind(choice["kind"]), "mitigation"))
        for profile, vulnerability, key, choice in WorkRemedy.objects.filter(tenant_id=tenant).values_list(
            "profile_id", "vulnerability", "key", "choice"
        )
        if key in titles
    }


def _verdict(
    row: VulnerabilityVerdict,
    product: OwnProduct,
    word: Irrelevance | None,
    profile: Profile,
    titles: Mapping[str, str],
    actions: Mapping[tuple[str, str], tuple[str, str]],
) -> OwnVerdict:
    state, text, grounds, since = MatchState(row.state), row.reason, "", row.since_ns
    if word is not None and state in (MatchState.CONFIRMED, MatchState.POTENTIAL):
        state, text, grounds, since = MatchState(word.said), word.reason, word.justification, word.at_ns
        if word.author:
            text = f"{word.author}: {text}"
    elif state is MatchState.NOT_AFFECTED:
        grounds = _grounds(row.aspects)
    if profile.serial:
        text = text.replace(profile.serial, "(serial number)")
    says = _STATUSES[state]
    action, kind = actions.get((row.profile_id, row.vulnerability), ("", ""))
    return OwnVerdict(
        vulnerability=row.vulnerability,
        product=product,
        says=says,
        justification=grounds if says is VexStatus.NOT_AFFECTED else "",
        text=text[:2000],
        action=action or "Reachable only for the peers it needs, until its maker says what to do.",
        action_kind=kind or "mitigation",
        title=titles.get(row.vulnerability, "")[:500],
        since_ns=since,
    )


def _grounds(aspects: Iterable[Mapping[str, object]]) -> str:
    """Return why a product is not affected, where one side of the comparison alone says so."""
    against = {str(aspect.get("name")) for aspect in aspects if aspect.get("agrees") is False}
    if against == {"version"}:
        return "vulnerable_code_not_present"
    return "component_not_present" if against and against <= {"platform", "product"} else ""


class _Products:
    """Products of a document, by profile and by device."""

    def __init__(
        self, scope: Scope, chosen: Chosen, profiles: Mapping[str, Profile], members: Mapping[str, list[str]]
    ) -> None:
        from medwarden.store.models import Device, WorkRemedy

        self._profiles, self._members = profiles, members
        self._known: dict[str, str] = {}
        for profile, choice in WorkRemedy.objects.filter(tenant_id=scope.tenant).values_list(
            "profile_id", "choice"
        ):
            found = msgspec.convert(choice, Choice)
            if found.kind not in (ActionKind.PATCH, ActionKind.COMPONENT) and _CPE.match(found.cpe):
                self._known.setdefault(profile, found.cpe)
        self._marks: dict[str, tuple[str, tuple[str, ...]]] = {}
        if chosen.devices:
            ids = sorted({device for devices in members.values() for device in devices})
            for start in range(0, len(ids), _AT_ONCE):
                rows = Device.objects.filter(pk__in=ids[start : start + _AT_ONCE])
                self._marks.update({row.pk: (row.serial or "", tuple(row.macs)) for row in rows})

    def of_profile(self, key: str) -> OwnProduct:
        return self._product(key, key, self._members[key])

    def of_device(self, key: str, device: str) -> OwnProduct:
        return self._product(f"{key}.{device}", key, [device])

    def _product(self, id: str, key: str, devices: Iterable[str]) -> OwnProduct:
        profile = self._profiles[key]
        marks = [self._marks[device] for device in devices if device in self._marks]
        return OwnProduct(
            id=id,
            vendor=profile.vendor,
            product=profile.model or profile.os,
            version=profile.firmware or (profile.os_version if not profile.model else ""),
            cpe=self._known.get(key, ""),
            serials=tuple(serial for serial, _ in marks if serial),
            macs=tuple(mac for _, macs in marks for mac in macs),
        )
