"""What an action would change in the scores of its devices: assessed anew without what it closes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from medwarden.model.device import Device
from medwarden.model.risk import RiskLevel
from medwarden.risk.context import RiskContext
from medwarden.risk.counterfactual import Action, ActionKind, what_if
from medwarden.risk.score import without
from medwarden.risk.work.choice import ActionKind as WorkKind

MOST = 60
"""Devices of an action, those at the highest risk, whose scores are computed; the rest is not guessed."""


class Effect(msgspec.Struct, frozen=True):
    """Scores of some devices of an action before and after it; ``how`` says what was assumed.

    ``points`` is what all of them lose together, ``levels`` how many would leave each level for a lower one.
    """

    devices: int
    of: int
    worst: int
    worst_after: int
    mean: int
    mean_after: int
    points: int
    lower: int
    how: str


def effect_of(
    tenant: str,
    site: str,
    kind: WorkKind,
    subjects: Mapping[str, Collection[str]],
    devices: Sequence[str],
    vulnerabilities: Collection[str],
) -> Effect | None:
    """Return what an action does to scores; None where nothing can be said (a question to the maker).

    ``subjects`` are what it closes at each device, those among ``vulnerabilities`` by a correction, the
    others by ending the practice; ``devices`` are in the order in which they matter.
    """
    from medwarden.app.risk_world import World
    from medwarden.app.surroundings import surroundings_with
    from medwarden.store.queries import complete_devices

    if kind is WorkKind.ASK or not devices:
        return None
    chosen = [device for device in devices if device in subjects][:MOST]
    known = {device.id: device for device in complete_devices(chosen)}
    here = [known[device] for device in chosen if device in known]
    if not here:
        return None
    context = World(tenant, site).around(surroundings_with(tenant, site, here), here)
    scores = [_scores(device, context, kind, subjects[device.id], vulnerabilities) for device in here]
    before, after = [b for b, _ in scores], [a for _, a in scores]
    return Effect(
        devices=len(here),
        of=len(devices),
        worst=max(before),
        worst_after=max(after),
        mean=round(sum(before) / len(here)),
        mean_after=round(sum(after) / len(here)),
        points=sum(before) - sum(after),
        lower=sum(RiskLevel.of(a).rank < RiskLevel.of(b).rank for b, a in scores),
        how=_HOW.get(kind, "once what it closes is closed"),
    )


_HOW = {
    WorkKind.RESTRICT: "if nobody at all reached the devices: the most that segmenting can do",
    WorkKind.REPLACE: "once a device without these findings stands in its place",
}


def _scores(
    device: Device,
    context: RiskContext,
    kind: WorkKind,
    subjects: Collection[str],
    vulnerabilities: Collection[str],
) -> tuple[int, int]:
    if kind is WorkKind.RESTRICT:
        found = what_if(device, context, (Action(ActionKind.ISOLATE),))
        return found.before.score, found.score
    known = [Action(ActionKind.PATCH, name) for name in sorted(subjects) if name in vulnerabilities]
    found = what_if(device, context, known)
    practices = [name for name in subjects if name not in vulnerabilities]
    after = 0 if found.after is None else without(found.after, practices, context.rules.weights.shape).score
    return found.before.score, after
