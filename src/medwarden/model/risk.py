"""The risk score of a device: factors whose points add up to it exactly."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from medwarden.model.finding import FindingEvidence


class RiskLevel(StrEnum):
    """Levels of a score from 0 to 100, lowest first."""

    NONE = "none"  # 0
    LOW = "low"  # 1-24
    MEDIUM = "medium"  # 25-49
    HIGH = "high"  # 50-74
    CRITICAL = "critical"  # 75-100

    @classmethod
    def of(cls, score: int) -> RiskLevel:
        """Return the level of ``score`` (0 to 100)."""
        if score <= 0:
            return cls.NONE
        if score < 25:
            return cls.LOW
        if score < 50:
            return cls.MEDIUM
        return cls.HIGH if score < 75 else cls.CRITICAL

    @property
    def rank(self) -> int:
        """Return 0 for none up to 4 for critical."""
        return list(RiskLevel).index(self)


class Factor(msgspec.Struct, frozen=True):
    """One reason for a score: its points (negative ones lower it), and what it rests on.

    ``raw_points`` are the points before scaling; ``points`` are whole numbers that add up to the
    score of the device, ``part`` whole numbers that add up to the sub-score the factor belongs to.
    """

    id: str
    title: str
    group: str  # exposure, protocol, credentials, lifecycle, live, impact, data, control
    points: int
    raw_points: float
    why: str
    evidence: tuple[FindingEvidence, ...] = ()
    part: int = 0


class RiskScore(msgspec.Struct, frozen=True):
    """Score 0 to 100, its level, and the factors whose ``points`` add up to it exactly.

    It is ``likelihood`` times ``impact`` (each 0 to 100) over 100, rounded to whole points. The parts of the
    factors that make trouble likely, and of controls, add up to ``likelihood``; those of impact factors and
    ``base_impact``, what any device on the network counts, to ``impact``.
    """

    device: str
    score: int
    level: RiskLevel
    factors: tuple[Factor, ...]
    rules_version: str
    likelihood: int = 0
    impact: int = 0

    @property
    def base_impact(self) -> int:
        """Return what is left of ``impact`` beside the parts of impact factors."""
        return self.impact - sum(f.part for f in self.factors if f.group == "impact")
