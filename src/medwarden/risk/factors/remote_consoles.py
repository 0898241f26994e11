"""Consoles and desktops reached over the network: telnet, and weak RDP."""

from __future__ import annotations

from typing import ClassVar

from medwarden.model.device import Device
from medwarden.model.finding import Severity
from medwarden.risk.context import RiskContext
from medwarden.risk.factor import Advice, Group, Hit, RiskFactor
from medwarden.risk.facts import from_ledger, from_services, from_talk, named, offers, said, talk

WEAK_RDP = frozenset(
    {"rdp", "standard", "standard_rdp", "rc4", "none", "protocol_rdp", "0", "tls-without-nla"}
)


class TelnetServer:
    """The device offers a console without encryption."""

    id: ClassVar[str] = "telnet_server"
    title: ClassVar[str] = "Telnet console"
    group: ClassVar[Group] = Group.PROTOCOL
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.HIGH,
        title="Telnet console offered",
        fix="Switch telnet off and use SSH; on medical devices ask the maker's service, as telnet "
        "is often left "
        "over from installation.",
        meanwhile="block tcp/23 to the device at the switch or firewall for all but the maker's "
        "service address.",
        mitre=("T1021", "T1040", "T0886"),
    )

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where a telnet service answered or its negotiation was heard."""
        services = offers(device, "telnet", ports=(23,))
        calls = talk(device, "telnet", role="server", port=23)
        if not services and not calls:
            return None
        who = f" It was used by {named(context.peer(c) for c in calls)}." if calls else ""
        login = said(device, "telnet.login", "telnet.banner")
        return Hit(
            f"A telnet console answers: user names, passwords and commands cross the network in clear.{who}",
            from_services(services) + from_talk(calls, context) + from_ledger(login),
        )


class TelnetClient:
    """Somebody works from this device on telnet consoles."""

    id: ClassVar[str] = "telnet_client"
    title: ClassVar[str] = "Telnet used"
    group: ClassVar[Group] = Group.PROTOCOL
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.MEDIUM,
        title="Telnet used to reach other systems",
        fix="Move the work to SSH or the product's management program and change the passwords that "
        "were used.",
        meanwhile="allow telnet only from a jump host in the management network.",
        mitre=("T1040", "T1552"),
    )

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where the device opened telnet connections that were answered."""
        calls = talk(device, "telnet", role="client", port=23)
        if not calls:
            return None
        return Hit(
            f"Telnet was used to reach {named(context.peer(c) for c in calls)}; the password went in clear.",
            from_talk(calls, context),
        )


class WeakRdp:
    """Remote desktop that does not ask who is there before it starts a session."""

    id: ClassVar[str] = "weak_rdp"
    title: ClassVar[str] = "Weak remote desktop security"
    group: ClassVar[Group] = Group.PROTOCOL
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.MEDIUM,
        title="Remote desktop without network level authentication",
        fix="Require network level authentication (CredSSP) and TLS for remote desktop by group policy.",
        meanwhile="allow tcp/3389 only from a jump host that requires a second factor.",
        mitre=("T1021.001", "T1557"),
    )

    def judge(self, device: Device, _context: RiskContext) -> Hit | None:
        """Apply where the negotiated or demanded security (MS-RDPBCGR 2.2.1.2) is standard RDP security."""
        entries = said(device, "rdp.security", where=lambda v: v.replace(" ", "_") in WEAK_RDP)
        if entries:
            return Hit(
                "Remote desktop accepted standard RDP security: no authentication before the session and a "
                "channel that can be intercepted.",
                from_ledger(entries),
            )
        late = said(device, "rdp.security", where="tls".__eq__)
        if not late:
            return None
        return Hit(
            "Remote desktop starts a session over TLS before it asks who is there.",
            from_ledger(late),
            strength=0.5,
            severity=Severity.LOW,
        )


FACTORS: tuple[RiskFactor, ...] = (TelnetServer(), TelnetClient(), WeakRdp())
