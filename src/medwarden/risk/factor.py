"""How a risk factor declares itself, and what it says when it applies."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Protocol, runtime_checkable

import msgspec

from medwarden.model.device import Device
from medwarden.model.finding import FindingEvidence, FindingKind, Severity
from medwarden.risk.context import RiskContext


class Group(StrEnum):
    """What kind of reason a factor is; groups are shown together."""

    EXPOSURE = "exposure"
    PROTOCOL = "protocol"
    CREDENTIALS = "credentials"
    LIFECYCLE = "lifecycle"
    LIVE = "live"
    IMPACT = "impact"
    DATA = "data"
    CONTROL = "control"


class Basis(StrEnum):
    """What a score rests on that can change while a device and all around it stay what they are."""

    VULNERABILITIES = "vulnerabilities"
    FINDINGS = "findings"


class Advice(msgspec.Struct, frozen=True):
    """The finding a factor raises: its words, severity and remedy.

    ``fix`` is the proper cure; ``meanwhile`` what a hospital can do when the device cannot be changed
    (no patch, no maker, no maintenance window). Both are shown, in this order.
    """

    severity: Severity
    title: str
    fix: str
    meanwhile: str
    mitre: tuple[str, ...]
    kind: FindingKind = FindingKind.EXPOSURE


class Hit(msgspec.Struct, frozen=True):
    """A factor that applies: why, on what evidence, and how strongly (above 0, up to 1).

    ``subject`` tells apart several findings of one type on one device; ``severity`` replaces the
    declared severity where this case is milder or worse.
    """

    why: str
    evidence: tuple[FindingEvidence, ...] = ()
    strength: float = 1.0
    subject: str = ""
    severity: Severity | None = None


class RiskFactor(Protocol):
    """One reason for a score. Its points stand in ``weights.yaml`` under its id.

    A file in ``factors/`` names its members in ``FACTORS``; nothing else has to be touched. A factor
    without ``advice`` counts but raises no finding. ``supersedes`` names factors that this one
    includes: where it applies, they do not.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    group: ClassVar[Group]
    advice: ClassVar[Advice | None]
    supersedes: ClassVar[tuple[str, ...]]

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Return why the factor applies to ``device``, or None where it does not."""
        ...


@runtime_checkable
class Resting(RiskFactor, Protocol):
    """A factor that looks at what can change alone, and of the device at no more than its row says.

    Where only that changed, such factors are judged again and the others stay what they were
    (:func:`medwarden.risk.assess.reassess_device`). They raise no findings, supersede nothing and are
    superseded by nothing; :func:`medwarden.risk.registry.check` holds them to it. Any other factor must not
    look at vulnerabilities or findings.
    """

    rests_on: ClassVar[frozenset[Basis]]
