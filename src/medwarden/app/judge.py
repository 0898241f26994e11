"""Identify and assess devices that were heard of since they were last looked at."""

from __future__ import annotations

from collections.abc import Sequence

from medwarden.app.attributes import fill_devices
from medwarden.app.fingerprints import load_own
from medwarden.app.models import load_model
from medwarden.app.reconcile import follow
from medwarden.app.spoofing import find_contradictions
from medwarden.inventory.labelling import identify, labelling_version
from medwarden.inventory.plan import Plan
from medwarden.kernel.clock import Clock, wall_clock
from medwarden.knowledge.end_of_support import support_ends
from medwarden.model.device import Device, DeviceClass
from medwarden.risk.assess import assess_device
from medwarden.risk.context import RiskContext
from medwarden.risk.weights import rules_version
from medwarden.store.chain import folder_of_database
from medwarden.store.changes import Change
from medwarden.store.findings import record_findings
from medwarden.store.identities import record_identities
from medwarden.store.places import plan_rows
from medwarden.store.queries import complete_devices, stale_devices
from medwarden.store.queries.devices import each_device
from medwarden.store.queries.scope import Scope
from medwarden.store.scores import record_scores

_AT_ONCE = 200


def judge_stale(tenant: str, site: str) -> int:
    """Identify and assess every stale device of a site; return how many there were.

    All are identified before any is assessed: the risk of a device depends on who its neighbours are.
    """
    judged = identify_stale(tenant, site)
    if judged:
        assess(tenant, site, judged)
        follow(tenant, site)
        fill_devices(tenant, site, judged)
    return len(judged)


def identify_stale(tenant: str, site: str) -> list[str]:
    """Identify every stale device of a site and store the verdicts; return whose they are."""
    folder = folder_of_database()
    if folder is not None:
        load_own(folder)
        load_model(folder)
    judged: dict[str, None] = {}
    plan: Plan | None = None
    while ids := stale_devices(site, _AT_ONCE):
        plan = plan or Plan(plan_rows(tenant, site))
        devices = [identify(device, plan) for device in complete_devices(ids)]
        with Change(
            "rule:identity", "evidence changed", rule_version=labelling_version(), tenant=tenant, site=site
        ) as change:
            record_identities(change, devices)
        find_contradictions(tenant, site, devices)
        judged |= dict.fromkeys(ids)
    return list(judged)


def assess(tenant: str, site: str, ids: Sequence[str]) -> None:
    """Score devices and bring their findings in line with what is seen now."""
    context = surroundings(tenant, site)
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        outcomes = [assess_device(device, context) for device in complete_devices(part)]
        with Change(
            "rule:risk", "identity or traffic changed", rule_version=rules_version(), tenant=tenant, site=site
        ) as change:
            record_scores(change, [score for score, _ in outcomes])
            record_findings(change, part, [finding for _, found in outcomes for finding in found])


def surroundings(tenant: str, site: str, clock: Clock = wall_clock) -> RiskContext:
    """Return what the devices of a site are to each other, from the light rows of the inventory.

    Ends of support are judged by ``clock``: what an old capture showed is out of support today.
    """
    scope = Scope(tenant, (site,))
    return RiskContext.build(
        (
            Device(
                id=row.id,
                site=row.site,
                macs=tuple(row.macs),
                ips=tuple(row.ips),
                vlans=tuple(row.vlans),
                names=tuple(row.names),
                device_class=DeviceClass(row.device_class),
                category=row.category,
                vendor=row.vendor,
                model=row.model,
                subnet=row.subnet,
                first_seen=row.first_seen,
                last_seen=row.last_seen,
            )
            for row in each_device(scope)
        ),
        clock(),
        support_ends=support_ends,
    )
