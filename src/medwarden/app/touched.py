"""Score devices of which nothing changed but what is known of their vulnerabilities, or their findings.

What they are, whom they talk to and what is around them is what it was, so the factors that rest on it are
taken as they are stored and only the others are judged again. The score is the one that a full assessment
would give; who was due for anything else is left to that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from medwarden.app.risk_world import World
from medwarden.kernel.clock import Clock, wall_clock
from medwarden.risk.assess import reassess_device
from medwarden.risk.factor import Basis
from medwarden.store.bulk import among
from medwarden.store.changes import Change
from medwarden.store.models import Device
from medwarden.store.queries.device import light_devices
from medwarden.store.scores import held_scores, record_beside

_AT_ONCE = 400
REASON = "what the score rests on changed"


def assess_touched(
    tenant: str,
    touched: Mapping[str, Mapping[str, int]],
    basis: Basis,
    reason: str = REASON,
    clock: Clock = wall_clock,
) -> None:
    """Score devices, by site, that were up to date until a change of ``basis`` marked them.

    ``reason`` is why, ``touched`` how often each was marked by then, as
    :func:`~medwarden.store.scores.mark_touched` tells it. A device that was marked again since, that is to be
    identified first, that was never scored by the rules in force or stands behind an enforced policy stays
    due for a full assessment.
    """
    for site, marks in touched.items():
        world, ids = World(tenant, site), list(marks)
        for start in range(0, len(ids), _AT_ONCE):
            version = world.rules.version
            with Change("rule:risk", reason, version, tenant=tenant, site=site, clock=clock) as change:
                _assess(change, world, ids[start : start + _AT_ONCE], basis, marks)


def _assess(change: Change, world: World, ids: Sequence[str], basis: Basis, marks: Mapping[str, int]) -> None:
    held = held_scores(ids)
    due = [device for device in held.due(marks) if held.rules_version(device) == world.rules.version]
    devices = [d for d in light_devices(Device.objects.filter(pk__in=among(due))) if not world.enforces(d)]
    context = world.touched(devices, change.now_ns)
    scores = [reassess_device(d, context, held.standing(d.id), basis) for d in devices]
    record_beside(change, scores, held, marks)
