"""Finding the risk factors: every module in ``factors/`` that names its members in ``FACTORS``.

To add a factor, write a file there (or a class in one that is there) and a line in ``weights.yaml``.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from medwarden.kernel.errors import ConfigurationError
from medwarden.risk import factors
from medwarden.risk.factor import Basis, Group, Resting, RiskFactor
from medwarden.risk.weights import Weights, default_weights

_ORDER = list(Group)


@cache
def all_factors() -> tuple[RiskFactor, ...]:
    """Return every risk factor, by group and id.

    Raises ConfigurationError where two factors share an id, one has no weight or a weight no factor.
    """
    found: dict[str, RiskFactor] = {}
    for module in pkgutil.iter_modules(factors.__path__):
        for factor in importlib.import_module(f"{factors.__name__}.{module.name}").FACTORS:
            if factor.id in found:
                raise ConfigurationError(f"two risk factors are called {factor.id}")
            found[factor.id] = factor
    check(tuple(found.values()), default_weights())
    return tuple(sorted(found.values(), key=lambda f: (_ORDER.index(f.group), f.id)))


@cache
def resting_on(basis: Basis) -> tuple[RiskFactor, ...]:
    """Return the factors that are to be judged again where ``basis`` is all that changed."""
    return tuple(f for f in all_factors() if isinstance(f, Resting) and basis in f.rests_on)


def check(members: tuple[RiskFactor, ...], weights: Weights) -> None:
    """Raise ConfigurationError unless ``members`` and ``weights`` name the same factors, signs fitting."""
    ids = {factor.id for factor in members}
    if stray := sorted(ids ^ set(weights.points)):
        raise ConfigurationError(f"risk factor without weight, or weight without factor: {', '.join(stray)}")
    superseded = {name for factor in members for name in factor.supersedes}
    impact = weights.shape.base_impact
    for factor in members:
        points = weights.of(factor.id)
        if (points < 0) != (factor.group is Group.CONTROL) or points == 0:
            raise ConfigurationError(f"weights.yaml: {factor.id} has points of the wrong sign")
        if factor.group is Group.IMPACT:
            impact += points
        if isinstance(factor, Resting) and (
            factor.advice is not None or factor.supersedes or factor.id in superseded
        ):
            raise ConfigurationError(f"{factor.id} is judged by itself: it can neither advise nor supersede")
        if unknown := set(factor.supersedes) - ids:
            raise ConfigurationError(f"{factor.id} supersedes unknown factors: {', '.join(sorted(unknown))}")
    if impact > 1 + 1e-9:
        raise ConfigurationError("weights.yaml: base_impact and the impact factors add up to more than 1")
