"""Floor 3, engine: risk of a device as factors whose points add up, and the findings behind them."""

from __future__ import annotations

from medwarden.risk.assess import assess_device
from medwarden.risk.context import RiskContext
from medwarden.risk.levels import GroupScore, aggregate
from medwarden.risk.score import without
from medwarden.risk.weights import rules_version

__all__ = [
    "GroupScore",
    "RiskContext",
    "aggregate",
    "assess_device",
    "rules_version",
    "without",
]
