"""Identify and assess devices that were heard of since they were last looked at.

Devices are identified by their own evidence and by the company that is stored, then those of which others
tell something else by now; what is due is stored, so that whoever comes next goes on where one was killed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path

from medwarden.app.attributes import fill_devices
from medwarden.app.beside import MANY, Beside, Identified, Outcome, in_parts
from medwarden.app.fingerprints import load_own
from medwarden.app.life_cycle import match_support
from medwarden.app.models import load_model
from medwarden.app.owed import take_up
from medwarden.app.recalls import match_devices as match_recalls
from medwarden.app.risk_rules import rules_in_force
from medwarden.app.risk_world import World
from medwarden.app.spoofing import find_contradictions, suspected
from medwarden.app.surroundings import surroundings, surroundings_with
from medwarden.app.vulnerabilities import match_devices, refresh
from medwarden.app.vulnerability_findings import tell
from medwarden.inventory.labelling import judge, labelling_version
from medwarden.inventory.plan import Plan
from medwarden.model.device import Device
from medwarden.model.finding import FindingKind
from medwarden.risk.assess import assess_device
from medwarden.risk.context import RiskContext
from medwarden.risk.matching.engine import RULES
from medwarden.risk.mds2 import KINDS as DECLARED
from medwarden.risk.mds2 import compare
from medwarden.risk.mds2 import findings_of as declared
from medwarden.store.chain import folder_of_database
from medwarden.store.changes import Change
from medwarden.store.company import note_matched, record_company
from medwarden.store.findings import record_findings
from medwarden.store.identities import record_identities
from medwarden.store.knowledge import Knowledge
from medwarden.store.marking import marks_of
from medwarden.store.owed import owe_comparison
from medwarden.store.places import plan_rows
from medwarden.store.queries import complete_devices, due_devices, stale_devices
from medwarden.store.queries.company import (
    company_around,
    members_of,
    told_otherwise,
    unmatched_devices,
)
from medwarden.store.scores import mark_due, record_scores
from medwarden.store.vulnerabilities import standing

_AT_ONCE = 200
_SCORED_AT_ONCE = 400
_SAME = 2000
"""Up to so many devices that are what they were are scored in the surroundings that are kept."""
_MOST_ROUNDS = 3
_KINDS = frozenset({FindingKind.EXPOSURE}) | DECLARED
"""What findings are brought in line with when a device is assessed."""


class Judging:
    """Identifying and assessing devices of one site, as far as nothing is written."""

    def __init__(self, tenant: str, site: str) -> None:
        self.tenant = tenant
        self.site = site
        self._context: RiskContext | None = None

    @cached_property
    def _world(self) -> World:
        return World(self.tenant, self.site)

    @cached_property
    def _plan(self) -> Plan:
        return Plan(plan_rows(self.tenant, self.site))

    def identified(self, ids: Sequence[str]) -> list[Identified]:
        """Return devices with what they are, by their own evidence and by the company they keep.

        Who is met for the first time is judged alone: of a large backlog the others are not known yet, and
        what they tell is asked for when they are.
        """
        marks = marks_of(ids)
        devices = complete_devices(ids)
        met = members_of(ids)
        company = company_around([d for d in devices if d.id in met]) if met else None
        return [(judge(d, self._plan, company if d.id in met else None), marks.get(d.id, 0)) for d in devices]

    def assessed(self, ids: Sequence[str]) -> list[Outcome]:
        """Return the scores and findings of devices; what is around them is read once."""
        self._context = self._context or surroundings(self.tenant, self.site)
        return self._outcomes(complete_devices(ids), self._context)

    def assessed_few(self, ids: Sequence[str]) -> list[Outcome]:
        """Return the scores and findings of all devices that changed, in the surroundings that are kept."""
        devices = complete_devices(ids)
        return self._outcomes(devices, surroundings_with(self.tenant, self.site, devices))

    def _outcomes(self, devices: Sequence[Device], context: RiskContext) -> list[Outcome]:
        context = self._world.around(context, devices)
        return [_outcome(device, context) for device in devices]


def _outcome(device: Device, context: RiskContext) -> Outcome:
    """Return the score of a device and its findings, those of its maker's form beside them."""
    score, findings = assess_device(device, context)
    disclosure = context.disclosures.get(device.id)
    if disclosure is None:
        return score, findings
    return score, findings + declared(device, disclosure, compare(device, disclosure, context))


def _tell_left(folder: Path, tenant: str, site: str, left: Sequence[str]) -> None:
    """Tell of the devices of which somebody who was killed had not, and judge what he had only noted."""
    if left:
        with Knowledge(folder) as knowledge:
            newest = knowledge.newest
        if newest and any(judged != (newest, RULES) for judged in standing(tenant).values()):
            refresh(folder, tenant)
        tell(tenant, site, left)


def judge_stale(tenant: str, site: str) -> int:
    """Identify and assess every device of a site that is stale or told otherwise; return how many there were.

    All are identified before any is assessed: the risk of a device depends on who its neighbours are. A
    large backlog is judged in a second process while this one stores. What a process that was killed had
    only identified is assessed with them, what it had not told is told, and what is owed to the site is
    taken up.
    """
    folder = _knowledge()
    left = unmatched_devices(site)
    with _beside(folder, tenant, site, _backlog(site)) as beside:
        identified = _identify_stale(tenant, site, beside)
        judged = list(dict.fromkeys([*identified, *left]))
        if judged:
            fill_devices(tenant, site, judged)
            if folder is not None:
                match_devices(folder, tenant, site, judged)
                _tell_left(folder, tenant, site, left)
                match_recalls(folder, tenant, site, judged)
                match_support(folder, tenant, site, judged)
            _assess(tenant, site, judged, beside, "identity or traffic changed", matched=True)
    take_up(tenant, site)
    return len(judged)


def assess_due(tenant: str, site: str, most: int | None = None) -> int:
    """Score the devices whose scores rest on something that changed, as far as they are not stale.

    That is knowledge, a person's word, weights, findings; what the devices are is not asked again. ``most``
    leaves further ones for later. Returns how many were scored.
    """
    ids = due_devices(site, most)
    if ids:
        with _beside(folder_of_database(), tenant, site, len(ids)) as beside:
            _assess(tenant, site, ids, beside, "what the score rests on changed", same=len(ids) <= _SAME)
    return len(ids)


def identify_stale(tenant: str, site: str) -> list[str]:
    """Identify every stale device of a site and store the verdicts; return whose they are."""
    folder = _knowledge()
    with _beside(folder, tenant, site, _backlog(site)) as beside:
        return _identify_stale(tenant, site, beside)


def assess(tenant: str, site: str, ids: Sequence[str], reason: str = "identity or traffic changed") -> None:
    """Score devices and bring their findings in line with what is seen now; ``reason`` says why now."""
    with _beside(folder_of_database(), tenant, site, len(ids)) as beside:
        _assess(tenant, site, ids, beside, reason)


def _knowledge() -> Path | None:
    """Bring fingerprints and model up to date with the data folder, and return that."""
    folder = folder_of_database()
    if folder is not None:
        load_own(folder)
        load_model(folder)
    return folder


def _backlog(site: str) -> int:
    """Return how many devices of a site are to be identified, as far as it matters how many."""
    return len(stale_devices(site, MANY)) + len(told_otherwise(site, MANY))


def _beside(
    folder: Path | None, tenant: str, site: str, devices: int
) -> AbstractContextManager[Beside | None]:
    if folder is None or devices < MANY or len(os.sched_getaffinity(0)) < 2:
        return nullcontext()
    return Beside(folder, tenant, site)


def _identify_stale(tenant: str, site: str, beside: Beside | None) -> list[str]:
    """Identify stale devices, then those of which others tell something else now; return whose they are."""
    judging = Judging(tenant, site)
    return list(
        dict.fromkeys(
            each for due in (stale_devices, told_otherwise) for each in _identify_due(judging, due, beside)
        )
    )


def _identify_due(judging: Judging, due: Callable[[str, int], list[str]], beside: Beside | None) -> list[str]:
    """Identify devices as long as ``due`` names any of a site; return whose they are.

    One that is due again and again is left for the next time.
    """
    tenant, site = judging.tenant, judging.site
    judged: Counter[str] = Counter()

    def following(under_way: Sequence[str]) -> list[str]:
        waiting = {*under_way, *(each for each, rounds in judged.items() if rounds >= _MOST_ROUNDS)}
        return [i for i in due(site, _AT_ONCE + len(waiting)) if i not in waiting][:_AT_ONCE]

    for ids, found in in_parts(beside, following, judging.identified, list[Identified], assess=False):
        devices = [each.device for each, _ in found]
        suspects = suspected(devices)
        with Change(
            "rule:identity", "evidence changed", rule_version=labelling_version(), tenant=tenant, site=site
        ) as change:
            record_identities(change, devices, {each.device.id: marks for each, marks in found})
            record_company([each for each, _ in found])
            mark_due(change, ids)
            find_contradictions(tenant, site, suspects)
            owe_comparison(change, site)
        judged.update(ids)
    return list(judged)


def _assess(
    tenant: str,
    site: str,
    ids: Sequence[str],
    beside: Beside | None,
    reason: str,
    *,
    matched: bool = False,
    same: bool = False,
) -> None:
    """Score devices; ``matched``: what else follows from their identity was looked for before.

    ``same`` says that they are what they were, so the surroundings that are kept need not be read again.
    """
    judging = Judging(tenant, site)
    # Before anything is read: what is noted of a device from here on keeps its score due.
    marks, version = marks_of(ids), rules_in_force(folder_of_database()).version
    starts = iter(range(0, len(ids), _SCORED_AT_ONCE))

    def following(_under_way: Sequence[str]) -> list[str]:
        start = next(starts, len(ids))
        return list(ids[start : start + _SCORED_AT_ONCE])

    here = judging.assessed_few if same or len(ids) <= _AT_ONCE else judging.assessed
    for part, outcomes in in_parts(beside, following, here, list[Outcome], assess=True):
        with Change("rule:risk", reason, rule_version=version, tenant=tenant, site=site) as change:
            record_scores(change, [score for score, _ in outcomes], marks)
            found = [finding for _, findings in outcomes for finding in findings]
            record_findings(change, part, found, kinds=_KINDS)
            if matched:
                note_matched(part)
