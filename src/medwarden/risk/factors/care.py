"""How the device is looked after: operating system support, management, and whether anyone knows it."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from medwarden.model.device import Device, DeviceClass, Verdict
from medwarden.model.finding import FindingEvidence, Severity
from medwarden.model.life_cycle import Ending
from medwarden.risk.context import RiskContext
from medwarden.risk.factor import Advice, Group, Hit, RiskFactor
from medwarden.risk.facts import MOST, from_ledger, said

YEARS_TO_FULL = 5
_FULL_AGE = timedelta(days=365 * YEARS_TO_FULL)
"""Ages count by whole months, so that a score does not change every day for it."""
CONFIDENT = 0.6
"""Below this confidence in class or category a device counts as not known."""


def _ballots(verdict: Verdict | None, device: Device) -> tuple[FindingEvidence, ...]:
    if verdict is None:
        return ()
    return tuple(
        FindingEvidence(b.evidence_field, b.evidence_value, device.first_seen, device.last_seen)
        for b in sorted(verdict.ballots, key=lambda b: -b.weight)[:MOST]
    )


class UnsupportedOs:
    """The maker of the operating system no longer repairs it."""

    id: ClassVar[str] = "unsupported_os"
    title: ClassVar[str] = "Operating system without updates"
    group: ClassVar[Group] = Group.LIFECYCLE
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.HIGH,
        title="Operating system out of support",
        fix="Ask the maker for the upgrade path and put replacement into the equipment plan.",
        meanwhile="isolate the device with its learnt policy (only the servers it needs), block SMB "
        "and RDP to it, "
        "and watch it for new peers.",
        mitre=("T1210", "T0866"),
    )

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where security updates ended before the assessment; full strength after five years."""
        if device.os is None:
            return None
        ended = context.support_ends(device.os, device.os_version)
        if ended is None or ended >= context.today:
            return None
        age = context.today - ended
        name = (
            device.os
            if not device.os_version or device.os_version in device.os
            else (f"{device.os} {device.os_version}")
        )
        verdict = device.verdict("os_version") or device.verdict("os")
        evidence = _ballots(verdict, device) or from_ledger(
            said(device, "ntlmssp.os_version", "smb.native_os", "http.user_agent", "dhcp.vendor_class")
        )
        return Hit(
            f"{name} has had no security updates since {ended.isoformat()}.",
            evidence,
            strength=0.6 + 0.4 * min(1.0, timedelta(days=age.days // 30 * 30) / _FULL_AGE),
        )


_ENDED = {
    Ending.SALE: "It is sold no longer",
    Ending.SUPPORT: "Its maker supports it no longer",
    Ending.SECURITY: "Its maker corrects its weaknesses no longer",
    Ending.LIFE: "Its life is over by its maker's word",
}


class UnsupportedDevice:
    """The maker no longer repairs the device itself."""

    id: ClassVar[str] = "unsupported_device"
    title: ClassVar[str] = "Device without support of its maker"
    group: ClassVar[Group] = Group.LIFECYCLE
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.MEDIUM,
        title="Device out of support",
        fix="Put its replacement into the equipment plan and ask the maker what can still be had.",
        meanwhile="let only the peers it needs reach it (its learnt policy); keep a copy of its settings.",
        mitre=("T1210", "T0866"),
    )

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where the day on which help ends is known and over; full strength after five years."""
        end = context.record(device).support
        if end is None or end.day >= context.today:
            return None
        age = context.today - end.day
        return Hit(
            f"{_ENDED[end.ending]} since {end.day.isoformat()} ({end.source}).",
            (FindingEvidence("support", end.reason[:300], end.since_ns, device.last_seen),)
            if end.reason
            else (),
            strength=0.6 + 0.4 * min(1.0, timedelta(days=age.days // 30 * 30) / _FULL_AGE),
        )


class Unmanaged:
    """Nobody was seen to manage the device."""

    id: ClassVar[str] = "unmanaged"
    title: ClassVar[str] = "Not managed"
    group: ClassVar[Group] = Group.LIFECYCLE
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None

    def judge(self, device: Device, _context: RiskContext) -> Hit | None:
        """Apply where the inventory concluded that nothing manages the device."""
        if device.managed is not False or device.device_class is DeviceClass.NET:
            return None
        return Hit(
            "No sign of central management was seen (directory, update server, agent): patches and settings "
            "depend on somebody remembering the device.",
            _ballots(device.verdict("managed"), device),
        )


class UnknownIdentity:
    """It is on the network and nobody can say what it is."""

    id: ClassVar[str] = "unknown_identity"
    title: ClassVar[str] = "Not identified"
    group: ClassVar[Group] = Group.LIFECYCLE
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.LOW,
        title="Device not identified",
        fix="Find the device at its switch port and record category, maker, model and owner; one "
        "answer labels all "
        "of its kind.",
        meanwhile="keep it in a segment for unknown devices until somebody owns it.",
        mitre=("T1200", "T0864"),
    )

    def judge(self, device: Device, _context: RiskContext) -> Hit | None:
        """Apply where class or category is not known or held with little confidence."""
        kind = device.verdict("class")
        category = device.verdict("category")
        if device.device_class is DeviceClass.UNKNOWN:
            why, strength = "What this device is could not be told from what it says.", 1.0
        elif device.category is None or device.category.startswith("unknown"):
            why, strength = f"It is taken for {device.device_class.value}, but not more is known.", 0.6
        elif category is not None and category.confidence < CONFIDENT:
            runner = f", perhaps {category.runner_up}" if category.runner_up else ""
            why = f"Its category is held with {category.confidence:.0%} confidence only{runner}."
            strength = 0.4
        else:
            return None
        return Hit(why, _ballots(category or kind, device), strength)


FACTORS: tuple[RiskFactor, ...] = (
    UnsupportedOs(),
    UnsupportedDevice(),
    Unmanaged(),
    UnknownIdentity(),
)
