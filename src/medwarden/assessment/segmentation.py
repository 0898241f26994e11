"""Segments and conversations: who shares a subnet with whom, who talks to whom, what is open, what leaves."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from medwarden.assessment.result import DataPath, ExposedService, InternetUse, Segment, Segmentation
from medwarden.assessment.words import category_name, is_medical, is_stranger, what
from medwarden.model.device import Conversation, Device, DeviceClass, Service

NO_SEGMENT = "segment not known"
INTERNET = "Internet"
OTHERS = "Other addresses"
OTHER_KINDS = "Other kinds of device"
KINDS_SHOWN = 16
YES = frozenset({"yes", "true", "1"})
CLEAR_TEXT = frozenset(
    {"http", "ftp", "telnet", "mqtt", "dicom", "hl7", "hl7v2", "mllp", "smtp", "pop3", "imap", "ldap", "sip",
     "rtsp", "tftp", "syslog", "snmp", "modbus", "bacnet", "intellivue", "vnc"}
)  # fmt: skip
_CONCERNS: tuple[tuple[str, str, int, tuple[str, ...], tuple[int, ...]], ...] = (
    ("Telnet", "console in clear text", 3, ("telnet",), (23,)),
    ("VNC", "desktop, often with one shared password", 3, ("vnc", "rfb"), (5900, 5901)),
    ("FTP", "files and passwords in clear text", 3, ("ftp",), (21,)),
    ("RDP", "desktop; entry of most ransomware", 2, ("rdp",), (3389,)),
    ("SMB", "file shares; path of worms", 2, ("smb", "netbios-ssn"), (445, 139)),
    ("DICOM", "images and patient data", 2, ("dicom",), (104, 11112)),
    ("HL7", "messages with patient data", 2, ("hl7", "hl7v2", "mllp"), (2575,)),
    ("SNMP", "configuration, often with a default community", 2, ("snmp",), (161,)),
    ("Database", "data with no application in front", 2, ("mssql", "mysql", "postgres", "oracle", "mongodb"),
     (1433, 1521, 3306, 5432, 27017)),
    ("MQTT", "messages of sensors and devices", 2, ("mqtt",), (1883,)),
    ("Modbus, BACnet, EtherNet/IP", "plant control without log-in", 2, ("modbus", "bacnet", "enip"),
     (502, 44818, 47808)),
    ("HTTP", "pages and log-ins in clear text", 1, ("http",), (80, 8080)),
    ("SSH", "console; sound where keys and versions are kept", 1, ("ssh",), (22,)),
    ("Printing", "documents in clear text", 1, ("ipp", "jetdirect"), (631, 9100)),
)  # fmt: skip


def segmentation_of(devices: Sequence[Device]) -> Segmentation:
    """Return the segments, the medical devices in mixed ones, and flows between kinds of devices."""
    members: dict[str, list[Device]] = defaultdict(list)
    several = len({d.site for d in devices}) > 1
    for device in devices:
        name = device.subnet or NO_SEGMENT
        members[f"{device.site}: {name}" if several else name].append(device)
    segments = tuple(
        sorted(
            (_segment(name, inside) for name, inside in members.items()),
            key=lambda s: (s.name.endswith(NO_SEGMENT), not s.mixed, -s.medical, -s.total, s.name),
        )
    )
    placed = [s for s in segments if not s.name.endswith(NO_SEGMENT)]
    kinds, talk = _talk(devices)
    return Segmentation(
        segments=segments,
        medical_placed=sum(s.medical for s in placed),
        medical_mixed=sum(s.medical for s in placed if s.mixed),
        kinds=kinds,
        talk=talk,
    )


def _segment(name: str, inside: Sequence[Device]) -> Segment:
    classes = Counter(d.device_class for d in inside)
    return Segment(
        name=name,
        vlans=tuple(sorted({vlan for d in inside for vlan in d.vlans})),
        classes=tuple(classes[kind] for kind in DeviceClass),
        medical=sum(map(is_medical, inside)),
        strangers=sum(map(is_stranger, inside)),
        total=len(inside),
    )


def _talk(
    devices: Sequence[Device],
) -> tuple[tuple[str, ...], dict[tuple[str, str], tuple[int, tuple[str, ...]]]]:
    """Return kinds of devices by traffic, and flows between them; each conversation counts once."""
    by_id = {d.id: d for d in devices}
    flows: Counter[tuple[str, str]] = Counter()
    applications: dict[tuple[str, str], set[str]] = defaultdict(set)
    for device in devices:
        for c in device.conversations:
            if not c.established or c.scope in ("multicast", "broadcast"):
                continue
            if c.role == "server" and c.peer_device in by_id:
                continue  # told by the client already
            own, other = category_name(device.category), _kind_of_peer(c, by_id)
            pair = (own, other) if c.role == "client" else (other, own)
            flows[pair] += c.flows
            if c.application:
                applications[pair].add(c.application)
    weight: Counter[str] = Counter()
    for (client, server), number in flows.items():
        weight[client] += number
        weight[server] += number
    ordered = [kind for kind, _ in sorted(weight.items(), key=lambda item: (-item[1], item[0]))]
    shown = [kind for kind in ordered if kind not in (INTERNET, OTHERS)][:KINDS_SHOWN]
    kinds = (*shown, OTHER_KINDS, OTHERS, INTERNET)
    folded: Counter[tuple[str, str]] = Counter()
    said: dict[tuple[str, str], set[str]] = defaultdict(set)
    for (client, server), number in flows.items():
        pair = (client if client in kinds else OTHER_KINDS, server if server in kinds else OTHER_KINDS)
        folded[pair] += number
        said[pair] |= applications[client, server]
    used = {kind for pair in folded for kind in pair}
    return (
        tuple(kind for kind in kinds if kind in used),
        {pair: (number, tuple(sorted(said[pair]))) for pair, number in sorted(folded.items())},
    )


def _kind_of_peer(conversation: Conversation, by_id: Mapping[str, Device]) -> str:
    known = by_id.get(conversation.peer_device or "")
    if known is not None:
        return category_name(known.category)
    return INTERNET if conversation.scope == "internet" else OTHERS


def paths_of(devices: Sequence[Device]) -> tuple[DataPath, ...]:
    """Return who sends patient data in clear to whom, most flows first.

    A path is an answered DICOM or HL7 conversation of a device that was heard to send patient data in
    that protocol; where no such conversation is known, the receiver is told as not seen.
    """
    by_id = {d.id: d for d in devices}
    paths = []
    for device in devices:
        for protocol, names in (("DICOM", ("dicom",)), ("HL7", ("hl7", "hl7v2", "mllp")), ("SDC", ("sdc",))):
            heard = [e for e in device.values(f"{names[0]}.patient_data") if e.value.lower() in YES]
            if not heard:
                continue
            calls = [c for c in device.conversations if c.established and c.application in names]
            receivers: dict[tuple[str, str, str], list[Conversation]] = defaultdict(list)
            for c in calls:
                receivers[_receiver(c, by_id)].append(c)
            paths += [_path(protocol, device, receiver, group) for receiver, group in receivers.items()]
            if not calls:
                first, last = min(e.first_seen for e in heard), max(e.last_seen for e in heard)
                count = sum(e.count for e in heard)
                paths.append(
                    DataPath(protocol, device, "receiver not seen", "", "unknown", (), count, 0, first, last)
                )
    return tuple(sorted(paths, key=lambda p: (p.scope != "internet", -p.flows, p.sender.label, p.receiver)))


def _receiver(c: Conversation, by_id: Mapping[str, Device]) -> tuple[str, str, str]:
    """Return the other side of a conversation: its name, what it is, and where."""
    known = by_id.get(c.peer_device or "")
    if known is not None:
        return known.label, what(known), c.scope
    name = c.peer_name or c.peer_ip or "an unknown peer"
    return name, "on the internet" if c.scope == "internet" else "not identified", c.scope


def _path(
    protocol: str, sender: Device, receiver: tuple[str, str, str], calls: Sequence[Conversation]
) -> DataPath:
    return DataPath(
        protocol,
        sender,
        *receiver,
        ports=tuple(sorted({c.port for c in calls})),
        flows=sum(c.flows for c in calls),
        bytes=sum(c.bytes_sent for c in calls),
        first_seen=min(c.first_seen for c in calls),
        last_seen=max(c.last_seen for c in calls),
    )


def services_of(devices: Sequence[Device]) -> tuple[ExposedService, ...]:
    """Return services that deserve a question, worst first, with the devices that offer them."""
    found = []
    for name, concern, rank, applications, ports in _CONCERNS:
        offering: dict[str, Device] = {}
        seen: list[Service] = []
        for device in devices:
            mine = [
                s
                for s in device.services
                if s.application in applications or (s.application is None and s.port in ports)
            ]
            if mine:
                offering[device.id] = device
                seen += mine
        if offering:
            chosen = tuple(sorted(offering.values(), key=lambda d: (not is_medical(d), d.label)))
            found.append(
                ExposedService(
                    name=name,
                    concern=concern,
                    rank=rank,
                    ports=tuple(
                        f"{transport}/{port}"
                        for port, transport in sorted({(s.port, s.transport) for s in seen})
                    ),
                    devices=chosen,
                    medical=sum(map(is_medical, chosen)),
                    clients=sum(s.clients for s in seen),
                )
            )
    return tuple(sorted(found, key=lambda s: (-s.rank, -s.medical, -len(s.devices), s.name)))


def internet_of(devices: Sequence[Device]) -> tuple[InternetUse, ...]:
    """Return which devices are reached from the internet, and which others reach it: medical ones first.

    IT and network devices that only reach out are left out; that is what they are for.
    """
    uses = []
    for device in devices:
        for role in ("server", "client"):
            calls = [
                c
                for c in device.conversations
                if c.scope == "internet"
                and c.role == role
                and c.established
                and not c.transport.startswith("icmp")
            ]
            ordinary = device.device_class in (DeviceClass.IT, DeviceClass.NET) and not is_medical(device)
            if calls and not (role == "client" and ordinary):
                uses.append(_use(device, role == "server", calls))
    return tuple(
        sorted(uses, key=lambda u: (not u.inbound, not is_medical(u.device), -u.flows, u.device.label))
    )


def _use(device: Device, inbound: bool, calls: Sequence[Conversation]) -> InternetUse:
    ordered = sorted(calls, key=lambda c: -c.flows)
    applications = dict.fromkeys(c.application or f"{c.transport}/{c.port}" for c in ordered)
    return InternetUse(
        device=device,
        inbound=inbound,
        peers=tuple(dict.fromkeys(c.peer_name or c.peer_ip or "unknown" for c in ordered)),
        applications=tuple(applications),
        clear=tuple(name for name in applications if name in CLEAR_TEXT),
        flows=sum(c.flows for c in calls),
    )
