"""Compensating controls that were seen to work; they lower the score."""

from __future__ import annotations

from typing import ClassVar

from medwarden.model.device import Device, DeviceClass
from medwarden.model.finding import FindingEvidence
from medwarden.risk.context import RiskContext
from medwarden.risk.factor import Advice, Group, Hit, RiskFactor
from medwarden.risk.factors.reach import neighbourhoods
from medwarden.risk.factors.transport_security import is_modern
from medwarden.risk.factors.windows_networking import SIGNED, UNSIGNED
from medwarden.risk.facts import from_ledger, from_talk, said
from medwarden.risk.present import policy_of


class DicomOverTls:
    """DICOM that travels encrypted."""

    id: ClassVar[str] = "dicom_over_tls"
    title: ClassVar[str] = "DICOM over TLS"
    group: ClassVar[Group] = Group.CONTROL
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where DICOM was carried by TLS and never seen in clear."""
        calls = tuple(
            c
            for c in device.conversations
            if c.established
            and (c.application in {"dicom-tls", "dicom_tls"} or (c.application == "tls" and c.port == 2762))
        )
        clear = any(c.application == "dicom" for c in device.conversations)
        if clear or not calls:
            return None
        return Hit(
            "DICOM was seen on TLS connections only (PS3.15 annex B).",
            from_talk(calls, context),
        )


class SmbSigningRequired:
    """SMB sessions cannot be relayed or altered."""

    id: ClassVar[str] = "smb_signing_required"
    title: ClassVar[str] = "SMB signing required"
    group: ClassVar[Group] = Group.CONTROL
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None

    def judge(self, device: Device, _context: RiskContext) -> Hit | None:
        """Apply where signing was required and never waived."""
        entries = said(device, "smb.signing", where=SIGNED.__contains__)
        if not entries or said(device, "smb.signing", where=UNSIGNED.__contains__):
            return None
        return Hit("The file service requires signatures.", from_ledger(entries))


class ModernTlsOnly:
    """Every TLS connection was at version 1.2 or later."""

    id: ClassVar[str] = "modern_tls_only"
    title: ClassVar[str] = "Current TLS only"
    group: ClassVar[Group] = Group.CONTROL
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None

    def judge(self, device: Device, _context: RiskContext) -> Hit | None:
        """Apply where versions were agreed on and all of them are 1.2 or 1.3."""
        entries = said(device, "tls.version")
        if not entries or not all(is_modern(e.value) for e in entries):
            return None
        return Hit("All TLS connections of its services use version 1.2 or later.", from_ledger(entries))


class OwnSegment:
    """A medical device among its like."""

    id: ClassVar[str] = "own_segment"
    title: ClassVar[str] = "Segment without IT"
    group: ClassVar[Group] = Group.CONTROL
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply to medical devices whose subnet holds three or more, all medical or infrastructure."""
        if not context.medical(device):
            return None
        around = neighbourhoods(device, context)
        allowed = (DeviceClass.IOMT, DeviceClass.NET)
        if not around or any(n.total < 3 or n.of(*allowed) < n.total for n in around):
            return None
        return Hit(
            f"{around[0].name} holds medical devices only.",
            tuple(
                FindingEvidence(
                    "segment", f"{n.name}: {n.total} devices", device.first_seen, device.last_seen
                )
                for n in around
            ),
        )


class EnforcedPolicy:
    """An allow list that the network holds it to."""

    id: ClassVar[str] = "enforced_policy"
    title: ClassVar[str] = "Allow list enforced"
    group: ClassVar[Group] = Group.CONTROL
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where a policy is enforced and nothing that it forbids was seen since."""
        policy = policy_of(device, context)
        if policy is None:
            return None
        return Hit(
            f"{policy.title} is enforced, and nothing else was seen since: it can be reached "
            f"{_REACH[policy.reach]}.",
            (
                FindingEvidence(
                    "policy", policy.title, policy.since_ns, max(policy.since_ns, device.last_seen)
                ),
            ),
            strength=_RELIEF[policy.reach],
        )


_REACH = {
    "none": "by nobody",
    "segment": "from its own segment only, by named peers",
    "beyond": "by named peers only",
}
_RELIEF = {"none": 1.0, "segment": 0.8, "beyond": 0.5}

FACTORS: tuple[RiskFactor, ...] = (
    DicomOverTls(),
    SmbSigningRequired(),
    ModernTlsOnly(),
    OwnSegment(),
    EnforcedPolicy(),
)
