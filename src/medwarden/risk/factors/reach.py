"""Who can reach the device and whom it reaches: internet, remote access, shared segments."""

from __future__ import annotations

from typing import ClassVar

from medwarden.model.device import Conversation, Device, DeviceClass
from medwarden.model.finding import FindingEvidence, Severity
from medwarden.risk.context import Neighbourhood, RiskContext
from medwarden.risk.factor import Advice, Group, Hit, RiskFactor
from medwarden.risk.facts import MOST, from_services, from_talk, named, offers, quantity

CLEAR_TEXT = frozenset(
    {"http", "ftp", "telnet", "mqtt", "dicom", "hl7", "hl7v2", "mllp", "smtp", "pop3", "imap", "ldap", "sip",
     "rtsp", "tftp", "syslog", "snmp", "modbus", "bacnet", "intellivue", "vnc"}
)  # fmt: skip
"""Applications that are readable on the path as such."""

UNATTENDED = frozenset({DeviceClass.IOMT, DeviceClass.IOT, DeviceClass.OT})
MANY_PEERS = 40
FEW_PEERS = 8
REMOTE: dict[str, tuple[tuple[int, ...], float]] = {
    "telnet": ((23,), 1.0),
    "vnc": ((5900, 5901), 1.0),
    "rdp": ((3389,), 0.8),
    "teamviewer": ((5938,), 0.8),
    "ssh": ((22,), 0.3),
}
"""Remote access by application: its ports, and how much of the points it is worth."""


def _internet(device: Device, role: str) -> tuple[Conversation, ...]:
    return tuple(
        c for c in device.conversations if c.scope == "internet" and c.role == role and c.established
    )


class InboundInternet:
    """Somebody on the internet opened a connection and was answered."""

    id: ClassVar[str] = "inbound_internet"
    title: ClassVar[str] = "Reached from the internet"
    group: ClassVar[Group] = Group.EXPOSURE
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.CRITICAL,
        title="Connections from the internet are answered",
        fix="Remove the port forwarding or firewall rule today. Where a vendor needs access, broker "
        "it: named "
        "person, second factor, time limit, recorded.",
        meanwhile="limit the rule to the vendor's own addresses and watch every connection.",
        mitre=("T1190", "T1133", "T0883"),
    )

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where an internet peer was the client of an answered connection."""
        calls = tuple(c for c in _internet(device, "server") if c.transport != "icmp")
        if not calls:
            return None
        services = named(f"{c.application or 'unrecognised'} ({c.transport}/{c.port})" for c in calls)
        peers = len({c.peer_ip for c in calls})
        return Hit(
            f"{quantity(peers, 'internet address', 'internet addresses')} reached {services}.",
            from_talk(calls, context),
        )


class InternetClearText:
    """A device without a person at it sends readable traffic to the internet."""

    id: ClassVar[str] = "internet_cleartext"
    title: ClassVar[str] = "Clear text to the internet"
    group: ClassVar[Group] = Group.EXPOSURE
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.MEDIUM,
        title="Clear-text traffic to the internet",
        fix="Block it at the firewall unless the maker documents it, and then only to the named "
        "server over TLS.",
        meanwhile="let it pass through a proxy that allows the named servers alone and logs what is sent.",
        mitre=("T1040", "T1071", "T1048.003"),
    )

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply to medical, building and other unattended devices with clear-text connections out."""
        if device.device_class not in UNATTENDED and not context.medical(device):
            return None
        calls = tuple(c for c in _internet(device, "client") if c.application in CLEAR_TEXT)
        if not calls:
            return None
        medical = context.medical(device)
        return Hit(
            f"Readable traffic ({named(c.application or '' for c in calls)}) goes to "
            f"{named(context.peer(c) for c in calls)} on the internet.",
            from_talk(calls, context),
            strength=1.0 if medical else 0.6,
            severity=Severity.HIGH if medical else Severity.MEDIUM,
        )


class ManyInternetPeers:
    """A medical device with more internet peers than its work explains."""

    id: ClassVar[str] = "many_internet_peers"
    title: ClassVar[str] = "Many internet peers"
    group: ClassVar[Group] = Group.EXPOSURE
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.MEDIUM,
        title="Many internet peers for a medical device",
        fix="Allow only the maker's named servers; a browser or mail on a medical device has to go.",
        meanwhile="let the device reach the internet through a proxy with an allow list only.",
        mitre=("T1071", "T1189", "T0883"),
    )

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply to medical devices with at least eight internet peers; full strength from forty."""
        if not context.medical(device):
            return None
        calls = _internet(device, "client")
        peers = {c.peer_name or c.peer_ip for c in calls}
        if len(peers) < FEW_PEERS:
            return None
        return Hit(
            f"{len(peers)} internet peers were contacted; a medical device needs few, if any.",
            from_talk(calls, context),
            strength=min(1.0, len(peers) / MANY_PEERS),
        )


class RemoteAccessService:
    """A desktop or console can be opened over the network."""

    id: ClassVar[str] = "remote_access_service"
    title: ClassVar[str] = "Remote access offered"
    group: ClassVar[Group] = Group.EXPOSURE
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.LOW,
        title="Remote access service offered",
        fix="Switch the service off where nobody needs it; elsewhere allow it from a jump host with a second "
        "factor only.",
        meanwhile="block its ports at the switch or firewall except from the jump host.",
        mitre=("T1021", "T1133", "T0886"),
    )

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where RDP, VNC, SSH, telnet or TeamViewer answered; routers and switches may offer SSH."""
        found = {
            name: services
            for name, (ports, _) in REMOTE.items()
            if (services := offers(device, name, ports=ports))
        }
        if device.device_class in (DeviceClass.NET, DeviceClass.IT):
            found.pop("ssh", None)  # how these are meant to be administered
        if not found:
            return None
        strength = max(REMOTE[name][1] for name in found)
        medical = context.medical(device)
        return Hit(
            f"{named(name.upper() if name != 'telnet' else name for name in found)} can be opened "
            "over the network.",
            from_services(s for services in found.values() for s in services),
            strength=strength,
            severity=Severity.MEDIUM if medical and strength >= 0.8 else Severity.LOW,
        )


class MixedSubnet:
    """A medical device shares its segment with office computers."""

    id: ClassVar[str] = "mixed_subnet"
    title: ClassVar[str] = "Segment shared with IT"
    group: ClassVar[Group] = Group.EXPOSURE
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.MEDIUM,
        title="Medical device in a segment with IT",
        fix="Move the device to a segment for its category with a firewall in front; the learnt "
        "policy says what "
        "it has to reach.",
        meanwhile="enforce the learnt policy where the device is plugged in (access list on the "
        "port or by NAC).",
        mitre=("T1210", "T1570", "T0866"),
    )

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply to medical devices whose subnet, or else VLAN, holds office IT or other IoT."""
        if not context.medical(device):
            return None
        around = neighbourhoods(device, context)
        mixed = [n for n in around if n.office + n.of(DeviceClass.IOT) > 0]
        if not mixed:
            return None
        worst = max(mixed, key=lambda n: n.office + n.of(DeviceClass.IOT))
        it, iot = worst.office, worst.of(DeviceClass.IOT)
        words = " and ".join(
            part for part in (f"{it} office IT" if it else "", f"{iot} other IoT" if iot else "") if part
        )
        evidence = tuple(
            FindingEvidence(
                "segment",
                f"{n.name}: {', '.join(f'{count} {kind.value}' for kind, count in sorted(n.counts.items()))}",
                device.first_seen,
                device.last_seen,
                n.total,
            )
            for n in mixed[:MOST]
        )
        share = (it + iot) / max(worst.total, 1)
        return Hit(
            f"{worst.name} also holds {words} {'device' if it + iot == 1 else 'devices'}: each of "
            "them can reach "
            "this one unfiltered.",
            evidence,
            strength=1.0 if share >= 0.5 else 0.6,
        )


def neighbourhoods(device: Device, context: RiskContext) -> tuple[Neighbourhood, ...]:
    """Return the subnet of ``device`` and, where that is not known, its VLANs."""
    if device.subnet:
        here = context.subnets.get((device.site, device.subnet))
        return (here,) if here else ()
    return tuple(
        context.vlans[device.site, vlan] for vlan in device.vlans if (device.site, vlan) in context.vlans
    )


FACTORS: tuple[RiskFactor, ...] = (
    InboundInternet(),
    InternetClearText(),
    ManyInternetPeers(),
    RemoteAccessService(),
    MixedSubnet(),
)
