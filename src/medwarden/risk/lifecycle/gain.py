"""How many points of its score a device loses when a new one takes its place.

A new device of the same kind does the same work at the same place: what it is for, whom it talks to and how
it is reached stay. What goes is what comes of age: open recalls, known vulnerabilities, missing support of
maker and system. By the rules of the score itself, without these factors; an end of support to come is added
first.
"""

from __future__ import annotations

from collections.abc import Sequence

from medwarden.model.risk import Factor
from medwarden.risk.factor import Group
from medwarden.risk.score import compose
from medwarden.risk.weights import Rules

REPLACED = frozenset(
    {
        "unsupported_os",
        "unsupported_device",
        "exploited_vulnerabilities",
        "exploitable_vulnerabilities",
        "known_vulnerabilities",
        "open_recall",
        "smbv1",
    }
)
"""Factors that a new device of the kind does not have."""

_COMING = "unsupported_device"
_FIRST = 0.6
"""Strength of the factor on the day on which support ends (:mod:`medwarden.risk.factors.care`)."""


def points_gone(device: str, factors: Sequence[Factor], rules: Rules, *, support_over: bool = False) -> int:
    """Return the points that go with the device; ``support_over``: its support has ended by then."""
    now = list(factors)
    if support_over and all(factor.id != _COMING for factor in now):
        raw = rules.weights.of(_COMING) * _FIRST
        now.append(Factor(_COMING, "", Group.LIFECYCLE.value, 0, raw, "", ()))
    left = [factor for factor in now if factor.id not in REPLACED]
    shape = rules.weights.shape
    before, after = (compose(device, some, rules.version, shape).score for some in (now, left))
    return max(0, before - after)
