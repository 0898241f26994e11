"""The comparisons of a maker's form with what was heard, one function each."""

from __future__ import annotations

from collections.abc import Iterable

from medwarden.kernel.clock import NANOSECONDS
from medwarden.model.device import Conversation, Device
from medwarden.model.evidence import LedgerEntry
from medwarden.model.finding import FindingEvidence, Severity
from medwarden.model.mds2 import Disclosure
from medwarden.risk.context import RiskContext
from medwarden.risk.facts import from_ledger, from_services, from_talk, named, offers, quantity, said
from medwarden.risk.mds2_difference import Comparison, Difference, quoted

_CLINICAL = frozenset({"dicom", "hl7", "hl7v2", "mllp", "fhir", "dicomweb", "astm", "poct1a", "sdc"})
_CLEAR = frozenset({"dicom", "hl7", "hl7v2", "mllp"})
_TUNNELS = {
    "teamviewer": "TeamViewer", "anydesk": "AnyDesk", "openvpn": "OpenVPN", "wireguard": "WireGuard",
    "ike": "an IPsec VPN", "ipsec": "an IPsec VPN", "l2tp": "an L2TP VPN", "pptp": "a PPTP VPN",
}  # fmt: skip
_CONSOLES = {"rdp": "remote desktop", "vnc": "VNC", "rfb": "VNC", "ssh": "SSH", "telnet": "telnet"}
_NEEDLESS = ("telnet", "ftp", "tftp", "rlogin", "rsh", "finger")
_HARMLESS = frozenset({"dns", "ntp"})
_NAMES = ("dns.query", "dns.domain", "tls.sni", "http.host", "quic.sni")
_WATCHED_NS = 14 * 86_400 * NANOSECONDS
"""How long a device must have been heard before silence says something."""

ANTI_MALWARE_HOSTS = (
    "liveupdate.symantec.com", "symantecliveupdate.com", "symantec.com", "sep.securitycloud.symantec.com",
    "mcafee.com", "trellix.com", "sophos.com", "sophosupd.com", "sophosxl.net", "trendmicro.com",
    "kaspersky.com", "kaspersky-labs.com", "eset.com", "bitdefender.com", "bitdefender.net", "avast.com",
    "avira.com", "avira-update.com", "f-secure.com", "withsecure.com", "cloudsink.net", "crowdstrike.com",
    "sentinelone.net", "carbonblack.io", "cylance.com", "clamav.net", "malwarebytes.com",
    "definitionupdates.microsoft.com", "wdcp.microsoft.com", "wdcpalt.microsoft.com", "wd.microsoft.com",
    "cortex.paloaltonetworks.com", "traps.paloaltonetworks.com",
)  # fmt: skip
"""Names that programs against malware look up to bring themselves up to date, and all beneath them."""

_SURE = 0.8
_FAMILIES = {
    "windows": "windows", "linux": "linux", "ubuntu": "linux", "debian": "linux", "red hat": "linux",
    "centos": "linux", "suse": "linux", "android": "android", "ios": "ios", "ipados": "ios",
    "macos": "macos", "vxworks": "vxworks", "qnx": "qnx", "solaris": "solaris", "threadx": "threadx",
    "freertos": "freertos", "nucleus": "nucleus", "vmware esxi": "esxi", "esxi": "esxi",
}  # fmt: skip
_SNIFFING = ("T1040", "T0842")
_REMOTE = ("T1133", "T1219", "T0822")


def _patient_data(device: Device) -> tuple[LedgerEntry, ...]:
    return tuple(e for e in device.ledger if e.field.endswith(".patient_data") and e.value == "yes")


def _calls(device: Device, applications: Iterable[str]) -> tuple[Conversation, ...]:
    wanted = frozenset(applications)
    return tuple(c for c in device.conversations if c.established and c.application in wanted)


def _encryption(device: Device, disclosure: Disclosure, context: RiskContext) -> Difference | None:
    """Says that patient data are encrypted on the way; they, or their protocols, were read in clear."""
    if disclosure.says("encrypted_in_transit") is not True:
        return None
    read, calls = _patient_data(device), _calls(device, _CLEAR)
    if not read and not calls:
        return None
    questions, words, evidence = quoted(disclosure, "encrypted_in_transit")
    peers = named(context.peer(c) for c in calls)
    what = "patient data were read on the wire" if read else "DICOM or HL7 was read on the wire"
    return Difference(
        type="declared_encrypted",
        claims=("encrypted_in_transit",),
        questions=questions,
        severity=Severity.HIGH if read else Severity.MEDIUM,
        title="Said to encrypt, seen in clear",
        said=f"The maker's form says that patient data are encrypted before they are sent ({words}).",
        seen=f"But {what}{f', to and from {peers}' if peers else ''}.",
        fix="Ask the maker's service which setting or option encrypts, and switch it on at both ends. Until "
        "then keep the device and its peers in a segment of their own.",
        evidence=evidence + from_ledger(read) + from_talk(calls, context),
        mitre=_SNIFFING,
    )


def _remote_service(device: Device, disclosure: Disclosure, context: RiskContext) -> Difference | None:
    """Says that nobody services it from afar; a tunnel, or a console that was used, was seen."""
    if disclosure.says("remote_service") is not False or disclosure.says("remote_functions") is True:
        return None
    tunnels = _calls(device, _TUNNELS)
    consoles = tuple(c for c in _calls(device, _CONSOLES) if c.role == "server")
    if not tunnels and not consoles:
        return None
    questions, words, evidence = quoted(disclosure, "remote_service")
    names = {**_TUNNELS, **_CONSOLES}
    used = named(names[c.application or ""] for c in tunnels + consoles)
    outside = any(c.scope == "internet" for c in tunnels + consoles)
    return Difference(
        type="declared_no_remote_service",
        claims=("remote_service",),
        questions=questions,
        severity=Severity.HIGH if outside else Severity.MEDIUM if tunnels else Severity.LOW,
        title="Said to have no service from afar, but seen",
        said=f"The maker's form says that the device is not serviced from afar ({words}).",
        seen=f"But {used} was seen with {named(context.peer(c) for c in tunnels + consoles)}"
        f"{', across the internet' if outside else ''}.",
        fix="Find out who uses this access and by whose leave. Close it, or have it go through the "
        "hospital's own gateway for service with a name, a time and a record.",
        evidence=evidence + from_talk(tunnels + consoles, context),
        mitre=_REMOTE,
    )


def _no_patient_data(device: Device, disclosure: Disclosure, context: RiskContext) -> Difference | None:
    """Says that it handles no patient data, or sends none; they were read in what it sent."""
    name = next((n for n in ("phi_handled", "phi_on_network") if disclosure.says(n) is False), None)
    read = _patient_data(device)
    if name is None or not read:
        return None
    questions, words, evidence = quoted(disclosure, name)
    calls = _calls(device, _CLINICAL)
    what = "handles no patient data" if name == "phi_handled" else "sends no patient data over the network"
    return Difference(
        type="declared_no_patient_data",
        claims=(name,),
        questions=questions,
        severity=Severity.HIGH,
        title="Said to handle no patient data, but seen",
        said=f"The maker's form says that the device {what} ({words}).",
        seen="But patient data were recognised in what it sent or received.",
        fix="Treat the device as one with patient data: protect its traffic and what it keeps. Tell the "
        "maker that the form does not fit how the device is used.",
        evidence=evidence + from_ledger(read) + from_talk(calls, context),
        mitre=_SNIFFING,
    )


def _wireless(device: Device, disclosure: Disclosure, _context: RiskContext) -> Difference | None:
    """Says that it has no radio; it was heard in a wireless network."""
    name = next((n for n in ("wireless", "wifi") if disclosure.says(n) is False), None)
    if name is None:
        return None
    heard = said(device, "wireless.ssid", "radius.ssid") + said(
        device, "radius.nas_port_type", where=lambda value: "wireless" in value or "802.11" in value
    )
    place = device.place.ssid if device.place is not None else None
    if not heard and not place:
        return None
    questions, words, evidence = quoted(disclosure, name)
    network = place or next((e.value for e in heard if e.field.endswith("ssid")), "")
    held = from_ledger(heard) or (
        FindingEvidence("place.ssid", place or "", device.first_seen, device.last_seen),
    )
    return Difference(
        type="declared_no_wireless",
        claims=(name,),
        questions=questions,
        severity=Severity.MEDIUM,
        title="Said to have no wireless, but seen there",
        said=f"The maker's form says that the device does not connect over the air ({words}).",
        seen=f"But it was heard in a wireless network{f', {network}' if network else ''}. It may "
        "hang behind a wireless bridge.",
        fix="Look at the device: an adapter or bridge that the maker does not know of may void its approval. "
        "Connect it by cable, or ask the maker.",
        evidence=evidence + held,
        mitre=("T1200", "T0860"),
    )


def _outside(device: Device, disclosure: Disclosure, context: RiskContext) -> Difference | None:
    """Says that it talks to nobody outside; it was answered from the internet."""
    if disclosure.says("external_communication") is not False:
        return None
    calls = tuple(c for c in device.conversations if c.established and c.scope == "internet")
    if not calls:
        return None
    questions, words, evidence = quoted(disclosure, "external_communication")
    harmless = all(c.application in _HARMLESS for c in calls)
    return Difference(
        type="declared_no_outside",
        claims=("external_communication",),
        questions=questions,
        severity=Severity.LOW if harmless else Severity.MEDIUM,
        title="Said to talk to nobody outside, but seen",
        said=f"The maker's form says that the device talks to no system outside the hospital ({words}).",
        seen=f"But it spoke with {quantity(len({c.peer_ip for c in calls}), 'address', 'addresses')} on the "
        f"internet: {named(context.peer(c) for c in calls)}.",
        fix="Close the way to the internet for this device; by the maker's own word it needs none. Then "
        "watch whether anything is missing.",
        evidence=evidence + from_talk(calls, context),
        mitre=("T1041", "T0885"),
    )


def _patient_data_outside(device: Device, disclosure: Disclosure, context: RiskContext) -> Difference | None:
    """Says that patient data stay inside or go to listed systems; some crossed the internet."""
    name = "phi_outside" if disclosure.says("phi_outside") is False else "fixed_destinations"
    if name == "fixed_destinations" and disclosure.says(name) is not True:
        return None
    calls = tuple(c for c in _calls(device, _CLINICAL) if c.scope == "internet")
    if not calls or not _patient_data(device):
        return None
    questions, words, evidence = quoted(disclosure, name)
    what = "do not leave the hospital" if name == "phi_outside" else "go to listed systems alone"
    return Difference(
        type="declared_patient_data_inside",
        claims=(name,),
        questions=questions,
        severity=Severity.HIGH,
        title="Said to keep patient data inside, but seen outside",
        said=f"The maker's form says that patient data {what} ({words}).",
        seen=f"But a clinical protocol was spoken across the internet with "
        f"{named(context.peer(c) for c in calls)}.",
        fix="Close this way at once and find out what was sent, when and to whom: it may have to be "
        "reported.",
        evidence=evidence + from_ledger(_patient_data(device)) + from_talk(calls, context),
        mitre=("T1041", "T1567"),
    )


def _looked_up(device: Device) -> tuple[LedgerEntry, ...]:
    return said(
        device,
        *_NAMES,
        where=lambda name: any(name == host or name.endswith(f".{host}") for host in ANTI_MALWARE_HOSTS),
    )


def _anti_malware(device: Device, disclosure: Disclosure, _context: RiskContext) -> Difference | None:
    """Says that it has anti-malware software; no update of any was seen in a long time of listening."""
    if disclosure.says("anti_malware") is not True or _looked_up(device):
        return None
    names = said(device, *_NAMES)
    heard_ns = device.last_seen - device.first_seen
    if heard_ns < _WATCHED_NS or not names:
        return None
    questions, words, evidence = quoted(disclosure, "anti_malware")
    days = heard_ns // (86_400 * NANOSECONDS)
    return Difference(
        type="declared_anti_malware",
        claims=("anti_malware",),
        questions=questions,
        severity=Severity.LOW,
        title="Said to have anti-malware software, no update seen",
        said=f"The maker's form says that the device has anti-malware software ({words}).",
        seen=f"In {days} days of listening none of its makers' update servers was asked for. Updates may "
        "come from a server in the house, by service, or not at all.",
        fix="Look up on the device, or ask the maker's service, of which day its definitions are, and how "
        "they get there.",
        evidence=evidence + from_ledger(names),
        mitre=("T1562.001",),
    )


def _unforeseen_anti_malware(
    device: Device, disclosure: Disclosure, _context: RiskContext
) -> Difference | None:
    """Says that anti-malware software is not supported; updates of some were seen."""
    if disclosure.says("anti_malware_supported") is not False or disclosure.says("anti_malware") is True:
        return None
    names = _looked_up(device)
    if not names:
        return None
    questions, words, evidence = quoted(disclosure, "anti_malware_supported")
    return Difference(
        type="declared_no_anti_malware",
        claims=("anti_malware_supported",),
        questions=questions,
        severity=Severity.LOW,
        title="Anti-malware software that the maker does not support",
        said=f"The maker's form says that anti-malware software is not supported ({words}).",
        seen=f"But updates of some were looked up: {named(e.value for e in names)}.",
        fix="Ask the maker whether the device may be used so: software that the maker does not know of can "
        "disturb it and void its approval.",
        evidence=evidence + from_ledger(names),
    )


def _operating_system(device: Device, disclosure: Disclosure, _context: RiskContext) -> Difference | None:
    """Names an operating system; another family, or another release of Windows, was recognised."""
    verdict = device.verdict("os")
    if not disclosure.systems or not device.os or (verdict is not None and verdict.confidence < _SURE):
        return None
    known = device.os.casefold()
    family = next((f for name, f in _FAMILIES.items() if known.startswith(name)), None)
    if family is None:
        return None
    alike = [system for system in disclosure.systems if system.family == family]
    release = " ".join(part for part in (device.os, device.os_version) if part)
    version = device.verdict("os_version")
    sure = version is None or version.confidence >= _SURE
    if alike and not (family == "windows" and device.os_version and sure and _other(alike, release)):
        return None
    stated = named(system.words for system in disclosure.systems)
    question = disclosure.systems[0].question
    at = disclosure.imported_ns
    ballots = verdict.ballots[:4] if verdict is not None else ()
    return Difference(
        type="declared_operating_system",
        claims=("operating_system",),
        questions=(question,),
        severity=Severity.LOW if alike else Severity.MEDIUM,
        title="Another operating system than declared",
        said=f"The maker's form names {stated} ({question}).",
        seen=f"But the device was recognised as {release}.",
        fix="Find out which version is installed and ask the maker for the form of that version: patches, "
        "end of support and weaknesses follow from it.",
        evidence=(
            FindingEvidence(f"mds2.{question}", f"{stated} ({disclosure.title})", at, at),
            *(
                FindingEvidence(b.evidence_field, b.evidence_value, device.first_seen, device.last_seen)
                for b in ballots
            ),
        ),
    )


def _other(declared: Iterable[object], release: str) -> bool:
    """Tell whether every declared release of Windows is named, and none is the one that was recognised."""
    words = set(release.casefold().replace("windows", " ").split())
    versions = [set(getattr(system, "version", "").split()) for system in declared]
    return all(versions) and not any(v <= words or words <= v for v in versions)


def _ports(device: Device, disclosure: Disclosure, _context: RiskContext) -> Difference | None:
    """Lists its ports; services answered on others."""
    if not disclosure.ports:
        return None
    beside = tuple(
        service
        for service in device.services
        if service.flows and not any(p.covers(service.transport, service.port) for p in disclosure.ports)
    )
    if not beside:
        return None
    questions, _, evidence = quoted(disclosure, "ports_listed")
    grave = any(s.application in {**_CONSOLES, **_TUNNELS} for s in beside)
    shown = named(f"{s.transport}/{s.port}" for s in beside)
    listed = named((f"{p.transport or 'port'}/{p.port}" for p in disclosure.ports), most=6)
    return Difference(
        type="declared_ports",
        claims=("ports_listed",),
        questions=questions or tuple({p.where for p in disclosure.ports if p.where})[:3],
        severity=Severity.MEDIUM if grave else Severity.LOW,
        title="Ports that the maker does not list",
        said=f"The maker's form lists {listed}.",
        seen=f"But the device also answers on {shown}.",
        fix="Ask the maker what these services are for. What nobody needs can be closed at the device or by "
        "its policy.",
        evidence=evidence + from_services(beside),
        mitre=("T1046", "T0846"),
    )


def _needless_services(device: Device, disclosure: Disclosure, context: RiskContext) -> Difference | None:
    """Says that services that are not needed are off; telnet, FTP or the like answers."""
    if disclosure.says("services_closed") is not True:
        return None
    services = offers(device, *_NEEDLESS, ports=(23, 21, 69))
    if not services:
        return None
    questions, words, evidence = quoted(disclosure, "services_closed")
    calls = tuple(c for c in _calls(device, _NEEDLESS) if c.role == "server")
    return Difference(
        type="declared_services_closed",
        claims=("services_closed",),
        questions=questions,
        severity=Severity.MEDIUM,
        title="Said to run no needless services, but seen",
        said=f"The maker's form says that services that are not needed are off ({words}).",
        seen=f"But {named(s.application or f'{s.transport}/{s.port}' for s in services)} answers, which "
        "sends passwords in clear. The maker may count it as needed.",
        fix="Ask the maker whether the service is needed, and by whom. Where it is not, have it switched "
        "off; where it is, let only that peer reach it.",
        evidence=evidence + from_services(services) + from_talk(calls, context),
        mitre=("T1021", "T0886"),
    )


COMPARISONS: tuple[Comparison, ...] = (
    _encryption,
    _remote_service,
    _no_patient_data,
    _wireless,
    _outside,
    _patient_data_outside,
    _anti_malware,
    _unforeseen_anti_malware,
    _operating_system,
    _ports,
    _needless_services,
)
