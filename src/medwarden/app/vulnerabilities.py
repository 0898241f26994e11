"""Devices against vulnerabilities: judged when either changes, shown, and told as findings.

Claims are filed when knowledge changes (:mod:`medwarden.store.filed_claims`); the engine takes those that a
device may meet and is kept in the process as long as knowledge stays the same. Devices of a profile that was
judged already need no engine at all.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import yaml

from medwarden.app.changed_claims import changed_since, engine_of
from medwarden.app.judged_anew import Judged, in_parts
from medwarden.app.vulnerability_findings import tell, tell_owed
from medwarden.kernel.clock import wall_clock
from medwarden.kernel.errors import ConfigurationError
from medwarden.knowledge.written_yaml import check_depth
from medwarden.risk.factor import Basis
from medwarden.risk.matching.engine import RULES, Engine
from medwarden.risk.matching.names import Aliases
from medwarden.store.filed_claims import FiledClaims
from medwarden.store.knowledge import Knowledge
from medwarden.store.open import open_store

if TYPE_CHECKING:
    from medwarden.store.changes import Change
    from medwarden.store.queries.vulnerabilities import VerdictView

ALIASES_FILE = "aliases.yaml"
_AT_ONCE = 400
_FEW_DEVICES = 2000
"""Devices up to which verdicts, findings and what is due are stored in one transaction.

A second of processor time here is half a minute on a machine that is busy, and a sensor waits for its turn.
"""
_MOST_ROUNDS = 5
"""Times that one judges again because others stored what they judged meanwhile, maybe by older knowledge."""
_WEIGHTS_AT_ONCE = 5000
_MOST_SUBJECTS = 50
"""Subjects of findings up to which only those are brought in line."""

_log = logging.getLogger(__name__)


class _Loaded(msgspec.Struct):
    """An engine that takes the claims of an edition of knowledge as it needs them."""

    home: Path
    aliases: float
    newest: int
    engine: Engine


_loaded: list[_Loaded] = []


def own_aliases(home: Path) -> Aliases:
    """Return a hospital's own names of makers and products; none without its file.

    Raises ConfigurationError where the file does not hold.
    """
    path = home / ALIASES_FILE
    if not path.is_file():
        return Aliases()
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        check_depth(text, str(path))
        return msgspec.convert(yaml.safe_load(text) or {}, Aliases)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"{path} is not as it should be: {error}") from error


def _engine(home: Path, knowledge: Knowledge) -> _Loaded:
    """Return an engine that knows all claims, another one where knowledge or names changed since."""
    path = home / ALIASES_FILE
    stamp = path.stat().st_mtime if path.is_file() else 0.0
    for held in _loaded:
        if (held.home, held.aliases, held.newest) == (home, stamp, knowledge.newest):
            return held
    newest, engine = knowledge.newest, Engine(own_aliases(home), FiledClaims(knowledge))
    _loaded[:] = [_Loaded(home, stamp, newest, engine)]
    return _loaded[0]


def read_ahead(home: Path) -> None:
    """File the claims that are not filed, so that the first device of a kind that is new does not wait."""
    with Knowledge(home) as knowledge:
        if knowledge.newest:
            FiledClaims(knowledge).file()
            _engine(home, knowledge)


def named_products(home: Path) -> dict[str, list[str]]:
    """Return the products that knowledge names, by maker as it is written; nothing without knowledge."""
    with Knowledge(home) as knowledge:
        return _engine(home, knowledge).engine.named() if knowledge.newest else {}


def advised_products(home: Path) -> dict[str, list[str]]:
    """Return the products that advisories name, by maker as it is written."""
    found: dict[str, set[str]] = {}
    with Knowledge(home) as knowledge:
        for advisory in knowledge.advisories() if knowledge.newest else ():
            for record in advisory.vulnerabilities:
                for claim in record.claims:
                    if claim.vendor:
                        found.setdefault(claim.vendor, set()).add(claim.product)
    return {vendor: sorted(products) for vendor, products in found.items()}


def match_devices(home: Path, tenant: str, site: str, ids: Sequence[str]) -> int:
    """Note the profiles of devices that changed and judge those; return how many devices' profiles moved.

    A profile that some device had before is judged too where knowledge changed since. On an open store of a
    writer. Nothing is written for devices whose profile is what it was.
    """
    from medwarden.store.changes import Change
    from medwarden.store.queries.vulnerabilities import members_since, sites_of
    from medwarden.store.vulnerabilities import (
        profiles_behind,
        profiles_in_use,
        profiles_of,
        record_members,
        record_verdicts,
    )

    moved: list[str] = []
    others: list[str] = []
    with Knowledge(home) as knowledge:
        edition = knowledge.newest
        if edition == 0:
            return 0
        for part in _parts(list(ids)):
            with Change("rule:matching", "devices changed", RULES, tenant=tenant, site=site) as change:
                record_members(change, profiles_of(tenant, part), "the device's identity changed")
                moved += members_since(part, change.now_ns)
        behind = profiles_behind(moved, edition, RULES)
        if behind:
            engine = _engine(home, knowledge).engine
            judged = {key: engine.judge(each) for key, each in profiles_in_use(tenant, behind).items()}
            _weigh(tenant, knowledge, {m.vulnerability for found in judged.values() for m in found})
            here = set(moved)
            for keys in in_parts(judged):
                with Change("rule:matching", "devices changed", RULES, tenant=tenant, site=site) as change:
                    changed = record_verdicts(
                        change, {key: judged[key] for key in keys}, edition=edition, rules=RULES,
                        cause="devices of a new kind appeared", stood=behind,
                    )  # fmt: skip
                    others += _owe_telling(change, changed, but=here)
    if moved:
        tell(tenant, site, moved)
    for place, devices in sites_of(others).items():
        tell_owed(tenant, place, devices)
    return len(moved)


def rejudge(home: Path, tenant: str, site: str, ids: Collection[str]) -> None:
    """Judge devices anew of which somebody said something: profiles, findings, scores."""
    from medwarden.store.changes import Change
    from medwarden.store.scores import mark_due

    if not ids:
        return
    ordered = sorted(ids)
    match_devices(home, tenant, site, ordered)
    with Change("rule:matching", "a scanner's report", RULES, tenant=tenant, site=site) as change:
        mark_due(change, ordered)
    tell_owed(tenant, site, ordered)


def weigh(home: Path, tenant: str, vulnerabilities: Collection[str]) -> None:
    """Store how much vulnerabilities matter that scanners saw, as far as knowledge tells."""
    with Knowledge(home) as knowledge:
        if knowledge.newest:
            _weigh(tenant, knowledge, set(vulnerabilities))


def refresh(home: Path, tenant: str) -> int:
    """Judge by the knowledge there is now; return how many profiles' verdicts changed.

    Where only some vulnerabilities changed since the last time, only they are judged. On an open store of a
    writer.
    """
    moved: list[int] = []
    with Knowledge(home) as knowledge:
        while knowledge.newest and len(moved) < _MOST_ROUNDS:
            judged = _judged_anew(home, tenant, knowledge)
            if judged is None:
                break
            moved += _settle_some(tenant, knowledge, judged) or _settle_all(tenant, knowledge, judged)
            if judged.is_in_force():
                break
    if moved:
        _score_due(tenant)
    read_ahead(home)
    return sum(moved)


def _judged_anew(home: Path, tenant: str, knowledge: Knowledge) -> Judged | None:
    """Judge the profiles that are behind knowledge or rules; None where none is."""
    from medwarden.store.vulnerabilities import profiles_in_use, standing

    edition = knowledge.newest
    stood = standing(tenant)
    if _note_members(tenant, first_only=_moved_on(set(stood.values()), edition)):
        stood = standing(tenant)
    behind = {key: value for key, value in stood.items() if value != (edition, RULES)}
    if not behind:
        return None
    oldest = min(judged for judged, _ in behind.values())
    alike = all(at >= 0 and rules == RULES and knowledge.gave(at) for at, rules in set(behind.values()))
    changed = changed_since(knowledge, oldest) if alike else None
    profiles = profiles_in_use(tenant, behind)
    if changed is None:
        engine = _engine(home, knowledge).engine
        return Judged({}, {key: engine.judge(each) for key, each in profiles.items()}, None, edition, behind)
    some = engine_of(knowledge, changed.ids, own_aliases(home))
    judged = Judged({}, {}, changed, edition, behind)
    for key, profile in profiles.items():
        if changed.articles.isdisjoint(article.upper() for article in profile.updates):
            said = some.judge(profile)
            judged.profiles[key] = [m for m in said if m.vulnerability in changed.ids]
        else:
            judged.whole[key] = _engine(home, knowledge).engine.judge(profile)
    return judged


def _settle_some(tenant: str, knowledge: Knowledge, judged: Judged) -> tuple[int] | None:
    """Store what a few changed vulnerabilities come to, told and scored; None where it is too much.

    Verdicts, weights, findings and what is due are one transaction, so that nothing is half told; scores
    follow from what is due.
    """
    from medwarden.app.touched import assess_touched
    from medwarden.app.vulnerability_weights import weights_of
    from medwarden.store.changes import Change
    from medwarden.store.queries.vulnerabilities import members_of, profiles_with, subjects_of, with_verdict
    from medwarden.store.scores import mark_touched
    from medwarden.store.vulnerabilities import note_judged, record_weights

    if judged.changed is None:
        return None
    only = judged.changed.ids
    concerned = {key for key, found in judged.profiles.items() if found} | with_verdict(tenant, only)
    concerned |= judged.whole.keys()
    if sum(len(devices) for devices in members_of(concerned).values()) > _FEW_DEVICES:
        return None
    weights = weights_of(knowledge, judged.vulnerabilities)
    with Change("rule:matching", "knowledge changed", RULES, tenant=tenant) as change:
        moved = judged.record(change, sorted(concerned))
        note_judged(change, judged.profiles, edition=judged.edition, rules=RULES, stood=judged.stood)
        altered = record_weights(change, weights)
        members = members_of(moved | profiles_with(tenant, altered))
        fresh = {site: mark_touched(change, devices) for site, devices in members.items()}
        subjects = subjects_of(tenant, only | altered, change.now_ns)
        wholly = set(chain.from_iterable(members_of(judged.whole).values()))
        for site, devices in members.items():
            some, about = set(devices) - wholly, subjects if len(subjects) <= _MOST_SUBJECTS else None
            tell(tenant, site, sorted(some), subjects=about, because=judged.because)
            tell(tenant, site, sorted(set(devices) & wholly), because=judged.because)
    assess_touched(tenant, fresh, Basis.VULNERABILITIES, judged.because)
    return (len(moved),)


def _settle_all(tenant: str, knowledge: Knowledge, judged: Judged) -> tuple[int]:
    """Store what is judged, whatever changed, in parts."""
    from medwarden.app.vulnerability_weights import weights_of
    from medwarden.store.changes import Change
    from medwarden.store.queries.vulnerabilities import members_of, profiles_with
    from medwarden.store.vulnerabilities import record_weights

    # Weights first: verdicts that stand are not weighed again.
    weights = weights_of(knowledge, judged.vulnerabilities)
    altered: set[str] = set()
    for start in range(0, len(weights), _WEIGHTS_AT_ONCE):
        with Change("rule:matching", "knowledge changed", RULES, tenant=tenant) as change:
            names = record_weights(change, weights[start : start + _WEIGHTS_AT_ONCE])
            some = profiles_with(tenant, names)
            _owe_telling(change, some)
            altered |= some
    moved: set[str] = set()
    for keys in judged.parts():
        with Change("rule:matching", "knowledge changed", RULES, tenant=tenant) as change:
            changed = judged.record(change, keys)
            _owe_telling(change, changed)
            moved |= changed
    for site, devices in members_of(moved | altered).items():
        tell_owed(tenant, site, devices, because=judged.because)
    return (len(moved),)


def _owe_telling(change: Change, profiles: Collection[str], but: Collection[str] = ()) -> list[str]:
    """Have devices of profiles scored, and their findings told, if need be by who comes next.

    Returns which devices; those in ``but`` the caller sees to.
    """
    from medwarden.store.company import note_unmatched
    from medwarden.store.queries.vulnerabilities import members_of
    from medwarden.store.scores import mark_due

    devices = [each for each in chain.from_iterable(members_of(profiles).values()) if each not in but]
    if devices:
        mark_due(change, devices)
        note_unmatched(devices)
    return devices


def _moved_on(stood: Collection[tuple[int, str]], edition: int) -> bool:
    """Tell whether some profiles are behind knowledge, and all were judged by these rules before."""
    return any(judged < edition for judged, _ in stood) and all(
        rules == RULES and judged >= 0 for judged, rules in stood
    )


def _note_members(tenant: str, *, first_only: bool = False) -> bool:
    """Note which profile each device of a tenant has now; ``first_only`` of those that had none.

    Returns whether any was looked at.
    A device whose identity changes is noted when it does (:func:`match_devices`); all are gone through where
    nothing else brought the caller here, which finds what was missed.
    """
    from medwarden.store.changes import Change
    from medwarden.store.models import Device, Site
    from medwarden.store.queries.vulnerabilities import without_profile
    from medwarden.store.vulnerabilities import profiles_of, record_members

    looked = False
    for site in Site.objects.filter(tenant_id=tenant).values_list("pk", flat=True):
        first = set(without_profile(tenant, site))
        everyone = Device.objects.filter(tenant_id=tenant, site_id=site).values_list("pk", flat=True)
        for part in _parts(sorted(first) if first_only else list(everyone)):
            looked = True
            cause = "the device was new" if first.issuperset(part) else "the device's identity changed"
            with Change("rule:matching", "knowledge changed", RULES, tenant=tenant, site=site) as change:
                record_members(change, profiles_of(tenant, part), cause)
    return looked


def _score_due(tenant: str) -> None:
    """Score the devices whose verdicts changed."""
    from medwarden.app.judge import assess_due
    from medwarden.store.models import Site

    for site in Site.objects.filter(tenant_id=tenant).values_list("pk", flat=True):
        assess_due(tenant, site)


def _parts(keys: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(keys), _AT_ONCE):
        yield keys[start : start + _AT_ONCE]


def _weigh(tenant: str, knowledge: Knowledge, vulnerabilities: set[str]) -> None:
    """Store how much matched vulnerabilities matter; scores of whom they concern are due."""
    from medwarden.app.vulnerability_weights import weights_of
    from medwarden.store.changes import Change
    from medwarden.store.queries.vulnerabilities import members_of, profiles_with
    from medwarden.store.scores import mark_due
    from medwarden.store.vulnerabilities import record_weights

    weights = weights_of(knowledge, vulnerabilities)
    for start in range(0, len(weights), _WEIGHTS_AT_ONCE):
        with Change("rule:matching", "knowledge changed", RULES, tenant=tenant) as change:
            altered = record_weights(change, weights[start : start + _WEIGHTS_AT_ONCE])
            mark_due(change, chain.from_iterable(members_of(profiles_with(tenant, altered)).values()))


def shown(
    home: Path, *, text: str = "", states: tuple[str, ...] = (), vulnerability: str = "", device: str = ""
) -> list[VerdictView]:
    """Return the verdicts on every device and vulnerability, after bringing them up to date."""
    with open_store(home, writer=True, role="vulnerabilities"):
        from medwarden.app.inventory import one_device
        from medwarden.store.models import DEFAULT_TENANT
        from medwarden.store.queries import Scope
        from medwarden.store.queries.vulnerabilities import VerdictFilter, verdicts

        refresh(home, DEFAULT_TENANT)
        wanted = VerdictFilter(
            devices=(one_device(device).id,) if device else None,
            states=states,
            vulnerability=vulnerability,
            text=text,
        )
        return list(verdicts(Scope(), wanted, at_ns=wall_clock()))


def call_irrelevant(
    home: Path,
    device: str,
    vulnerability: str,
    *,
    reason: str,
    actor: str,
    expires_ns: int,
    alike: bool = False,
) -> None:
    """Keep a person's word that a vulnerability is irrelevant for a device (its id, MAC or IP)."""
    with open_store(home, writer=True, role="vulnerabilities"):
        from medwarden.app.inventory import one_device
        from medwarden.store.models import DEFAULT_TENANT

        found = one_device(device)
        called_irrelevant(
            DEFAULT_TENANT, found.site, found.id, vulnerability,
            reason=reason, actor=actor, expires_ns=expires_ns, alike=alike,
        )  # fmt: skip


def called_irrelevant(
    tenant: str,
    site: str,
    device: str,
    vulnerability: str,
    *,
    reason: str,
    actor: str,
    expires_ns: int,
    alike: bool = False,
) -> None:
    """Do the same with a device's id, on a store that is open already (the console)."""
    from medwarden.store.changes import Change
    from medwarden.store.scores import mark_due
    from medwarden.store.vulnerabilities import declare_irrelevant

    with Change(actor, reason, tenant=tenant, site=site) as change:
        declare_irrelevant(change, device, vulnerability, expires_ns=expires_ns, alike=alike)
        concerned = _alike(device) if alike else [device]
        mark_due(change, concerned)
        tell(tenant, site, concerned)


def call_relevant(home: Path, device: str, vulnerability: str, *, reason: str, actor: str) -> None:
    """Take back a person's word that a vulnerability is irrelevant for a device."""
    with open_store(home, writer=True, role="vulnerabilities"):
        from medwarden.app.inventory import one_device
        from medwarden.store.models import DEFAULT_TENANT

        found = one_device(device)
        called_relevant(DEFAULT_TENANT, found.site, found.id, vulnerability, reason=reason, actor=actor)


def called_relevant(
    tenant: str, site: str, device: str, vulnerability: str, *, reason: str, actor: str
) -> None:
    """Do the same with a device's id, on a store that is open already (the console)."""
    from medwarden.store.changes import Change
    from medwarden.store.scores import mark_due
    from medwarden.store.vulnerabilities import take_back_irrelevance

    with Change(actor, reason, tenant=tenant, site=site) as change:
        take_back_irrelevance(change, device, vulnerability)
        concerned = _alike(device)
        mark_due(change, concerned)
        tell(tenant, site, concerned)


def _alike(device: str) -> list[str]:
    """Return the devices that share a device's profile at its site, itself among them."""
    from medwarden.store.queries.vulnerabilities import alike

    return alike(device)
