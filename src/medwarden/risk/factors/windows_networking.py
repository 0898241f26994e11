"""SMB version 1, unsigned SMB, and name services that believe anybody."""

from __future__ import annotations

from typing import ClassVar

from medwarden.model.device import Device
from medwarden.model.finding import Severity
from medwarden.risk.context import RiskContext
from medwarden.risk.factor import Advice, Group, Hit, RiskFactor
from medwarden.risk.facts import from_ledger, from_talk, said, talk

UNSIGNED = frozenset({"disabled", "no", "none", "off", "not required", "not_required", "enabled", "optional"})
SIGNED = frozenset({"required", "yes", "mandatory"})


SMB1_DIALECTS = ("nt lm 0.12", "nt lanman", "lanman", "lm1.2x", "pc network program", "microsoft networks")
SMB1_NAMES = frozenset({"1", "1.0", "smb1", "smbv1", "smb 1", "smb 1.0", "cifs"})


def is_smb1(value: str) -> bool:
    """Tell whether a dialect string, in lower case, is one of SMB 1 (MS-CIFS 2.2.4.52, MS-SMB)."""
    return value.startswith(SMB1_DIALECTS) or value in SMB1_NAMES


class Smb1:
    """The first version of SMB, which worms travel on."""

    id: ClassVar[str] = "smbv1"
    title: ClassVar[str] = "SMB version 1"
    group: ClassVar[Group] = Group.PROTOCOL
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.HIGH,
        title="SMB version 1 in use",
        fix="Switch SMB 1 off (feature FS-SMB1 on Windows) after moving scanners and shares to SMB 2 or 3; "
        "install MS17-010 where the maker allows it.",
        meanwhile="block tcp/445 and tcp/139 to and from the device except for the one file server it needs, "
        "and keep that server's share read-only where possible.",
        mitre=("T1210", "T1021.002", "T0866"),
    )

    def judge(self, device: Device, _context: RiskContext) -> Hit | None:
        """Apply where SMB 1 was agreed on, or offered as the only or a possible dialect."""
        agreed = said(device, "smb.dialect", "smb.version", where=is_smb1)
        if agreed:
            return Hit(
                "SMB version 1 was spoken: the protocol of WannaCry and NotPetya, without protection "
                "against alteration.",
                from_ledger(agreed),
            )
        offered = said(
            device, "smb.dialects", where=lambda v: any(map(is_smb1, v.replace(";", ",").split(",")))
        )
        if not offered:
            return None
        return Hit(
            "SMB version 1 is still offered when connecting.",
            from_ledger(offered),
            strength=0.4,
            severity=Severity.MEDIUM,
        )


class SmbUnsigned:
    """SMB without required signatures."""

    id: ClassVar[str] = "smb_unsigned"
    title: ClassVar[str] = "SMB signing not required"
    group: ClassVar[Group] = Group.PROTOCOL
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.MEDIUM,
        title="SMB signing not required",
        fix="Require SMB signing by group policy (Microsoft network server: digitally sign "
        "communications, always).",
        meanwhile="allow SMB only between the device and the servers it needs, and switch LLMNR and "
        "NBNS off, "
        "which relay attacks start from.",
        mitre=("T1557.001", "T1021.002"),
    )

    def judge(self, device: Device, _context: RiskContext) -> Hit | None:
        """Apply where the server side stated that it does not require signatures (MS-SMB2 2.2.4)."""
        entries = said(device, "smb.signing", where=UNSIGNED.__contains__)
        if not entries or said(device, "smb.signing", where=SIGNED.__contains__):
            return None
        return Hit(
            "The file service accepts sessions without signatures, so a log-in can be relayed to it.",
            from_ledger(entries),
        )


class LegacyNames:
    """LLMNR and NetBIOS name queries."""

    id: ClassVar[str] = "legacy_names"
    title: ClassVar[str] = "Names asked of everybody (LLMNR, NBNS)"
    group: ClassVar[Group] = Group.PROTOCOL
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.LOW,
        title="LLMNR or NetBIOS names in use",
        fix="Switch LLMNR off by group policy and NetBIOS over TCP/IP by DHCP option 43 or adapter setting.",
        meanwhile="separate the device from user networks: only a neighbour on the same segment can "
        "answer falsely.",
        mitre=("T1557.001",),
    )

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where the device queried names by LLMNR (RFC 4795) or NBNS (RFC 1002)."""
        entries = said(
            device,
            "llmnr.query",
            "nbns.query",
            "nbns.name",
        )
        calls = tuple(
            c
            for c in device.conversations
            if c.application in {"llmnr", "nbns", "netbios-ns"} and c.role == "client"
        ) or talk(device, "llmnr", "nbns", role="client")
        if not entries and not calls:
            return None
        return Hit(
            "Names are asked of every neighbour; any of them may answer and collect the log-in.",
            from_ledger(entries) + from_talk(calls, context),
        )


FACTORS: tuple[RiskFactor, ...] = (Smb1(), SmbUnsigned(), LegacyNames())
