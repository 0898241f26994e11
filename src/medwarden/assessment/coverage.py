"""What could be seen and what could not: the assessment's own limits, from its data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from medwarden.assessment.result import Gap
from medwarden.assessment.sources import SourceTells, source_gaps
from medwarden.assessment.words import DAY, duration, is_medical, percent, quantity
from medwarden.model.accounting import InputReport
from medwarden.model.device import Conversation, Device

ENOUGH = 14 * DAY
LITTLE = 2 * DAY
SMALL_SEGMENT = 2
ENCRYPTED = frozenset(
    {"tls", "https", "quic", "ssh", "dicom-tls", "hl7-tls", "ipsec", "wireguard", "openvpn", "dtls"}
)
SEEN, PARTLY, NOT_SEEN = "seen", "partly", "not seen"


def gaps_of(
    devices: Sequence[Device],
    inputs: Sequence[InputReport],
    span: int,
    sources: Mapping[str, SourceTells] | None = None,
) -> tuple[Gap, ...]:
    """Return one statement per question of coverage and per kind of log, what was not seen first.

    ``sources`` says what the logs among ``inputs`` can tell, by their format.
    """
    calls = [c for d in devices for c in d.conversations if c.scope in ("internal", "internet")]
    fields = Counter(e.field.partition(".")[0] for d in devices for e in d.ledger)
    gaps = [
        _time(span),
        _intake(inputs),
        _both_directions(calls),
        _within_segments(devices),
        _link_layer(devices),
        _addresses(fields),
        _clinical(devices, fields),
        _encryption(calls),
        _recognised(calls),
        _small_segments(devices),
        _patient_data(devices),
        _systems(devices),
        *source_gaps(inputs, sources or {}),
    ]
    order = [NOT_SEEN, PARTLY, SEEN]
    return tuple(sorted((g for g in gaps if g is not None), key=lambda g: order.index(g.state)))


def _by_share(share: float, good: float, some: float) -> str:
    return SEEN if share >= good else PARTLY if share >= some else NOT_SEEN


def _time(span: int) -> Gap:
    state = SEEN if span >= ENOUGH else PARTLY if span >= LITTLE else NOT_SEEN
    return Gap(
        "Weekly and monthly work",
        state,
        f"The traffic spans {duration(span)}. Devices that were off, and work done weekly or "
        "monthly, are missing "
        "from a short span.",
        "Observe at least 14 days before enforcing a policy.",
    )


def _intake(inputs: Sequence[InputReport]) -> Gap | None:
    if not inputs:
        return None
    read = sum(i.packets.read + i.records.read for i in inputs)
    lost = sum(
        i.packets.rejected + i.packets.dropped + i.records.rejected + i.records.dropped for i in inputs
    )
    errors = [i for i in inputs if i.error]
    malformed = sum(sum(i.malformed.values()) for i in inputs)
    share = 1 - lost / read if read else 0.0
    state = SEEN if share >= 0.999 and not errors else PARTLY if share >= 0.5 else NOT_SEEN
    return Gap(
        "Complete inputs",
        state,
        f"{quantity(len(inputs), 'input')}: {read:,} packets and records read, {lost:,} rejected or dropped, "
        f"{malformed:,} payloads malformed, {quantity(len(errors), 'input')} with an error.",
        "See the appendix for each input; record again where much was dropped.",
    )


def _both_directions(calls: Sequence[Conversation]) -> Gap | None:
    if not calls:
        return None
    one_way = sum(1 for c in calls if c.bytes_sent == 0 or c.bytes_received == 0)
    share = 1 - one_way / len(calls)
    return Gap(
        "Both directions of conversations",
        _by_share(share, 0.9, 0.5),
        f"{percent(share)} of {quantity(len(calls), 'unicast conversation')} were heard in both "
        "directions; the "
        "rest was unanswered or passed the sensor one way only.",
        "Mirror both directions of the port or VLAN, and both links of a redundant pair.",
    )


def _within_segments(devices: Sequence[Device]) -> Gap | None:
    segment = {d.id: (d.site, d.subnet) for d in devices if d.subnet}
    shared = Counter(segment.values())
    if not any(number > 1 for number in shared.values()):
        return None
    inside = {
        segment[d.id]
        for d in devices
        if d.id in segment
        for c in d.conversations
        if c.peer_device in segment and segment[c.peer_device] == segment[d.id] and c.established
    }
    several = [name for name, number in shared.items() if number > 1]
    share = len(inside & set(several)) / len(several)
    return Gap(
        "Traffic inside segments",
        _by_share(share, 0.8, 0.2),
        f"In {len(inside & set(several)):,} of {quantity(len(several), 'segment')} with several devices, "
        "conversations between neighbours were seen. Elsewhere the sensor may only hear what "
        "crosses the router.",
        "Mirror access switches, or export flows from them.",
    )


def _link_layer(devices: Sequence[Device]) -> Gap | None:
    if not devices:
        return None
    share = sum(1 for d in devices if d.macs) / len(devices)
    return Gap(
        "Hardware addresses",
        _by_share(share, 0.9, 0.3),
        f"{percent(share)} of devices were seen with their MAC address. Behind a router several "
        "devices may look "
        "like one, and one may change its address unnoticed.",
        "Place a sensor inside the segment, or bring in ARP and DHCP tables of the router.",
    )


def _addresses(fields: Counter[str]) -> Gap:
    seen = [
        name
        for key, name in (("dhcp", "DHCP"), ("dhcpv6", "DHCPv6"), ("dns", "DNS"), ("mdns", "mDNS"))
        if fields[key]
    ]
    state = SEEN if "DHCP" in seen and len(seen) > 1 else PARTLY if seen else NOT_SEEN
    return Gap(
        "Names and address assignment",
        state,
        f"Heard: {', '.join(seen)}."
        if seen
        else "Neither DHCP nor DNS was heard: names and makers are harder to tell.",
        "Forward DHCP and DNS logs, or mirror the servers' ports.",
    )


def _clinical(devices: Sequence[Device], fields: Counter[str]) -> Gap:
    spoken = {c.application for d in devices for c in d.conversations if c.application}
    checks: tuple[tuple[str, Callable[[], bool]], ...] = (
        ("DICOM", lambda: bool(fields["dicom"]) or "dicom" in spoken),
        ("HL7 v2", lambda: bool(fields["hl7"]) or bool(spoken & {"hl7", "hl7v2", "mllp"})),
        ("SDC", lambda: bool(fields["sdc"]) or "sdc" in spoken),
    )
    seen = [name for name, check in checks if check()]
    missing = [name for name, check in checks if not check()]
    state = SEEN if {"DICOM", "HL7 v2"} <= set(seen) else PARTLY if seen else NOT_SEEN
    return Gap(
        "Clinical traffic",
        state,
        (f"Heard: {', '.join(seen)}. " if seen else "")
        + (f"Not heard: {', '.join(missing)}." if missing else ""),
        "Mirror the ports of PACS, RIS, interface engine and laboratory system.",
    )


def _encryption(calls: Sequence[Conversation]) -> Gap | None:
    known = [c for c in calls if c.application]
    if not known:
        return None
    share = sum(1 for c in known if c.application in ENCRYPTED) / len(known)
    return Gap(
        "Content of connections",
        _by_share(1 - share, 0.6, 0.2),
        f"{percent(share)} of recognised conversations are encrypted: good for patients, but what "
        "is inside is "
        "known by its ends only.",
        "Bring in inventories (CMMS, directory, MDS2 forms) for what traffic cannot say.",
    )


def _recognised(calls: Sequence[Conversation]) -> Gap | None:
    answered = [c for c in calls if c.established]
    if not answered:
        return None
    share = sum(1 for c in answered if c.application) / len(answered)
    return Gap(
        "Applications",
        _by_share(share, 0.85, 0.4),
        f"The application of {percent(share)} of answered conversations was recognised; the rest is "
        "told by port.",
        "Record the start of connections: long-lived ones tell their protocol only when they open.",
    )


def _small_segments(devices: Sequence[Device]) -> Gap | None:
    sizes = Counter((d.site, d.subnet) for d in devices if d.subnet)
    if not sizes:
        return None
    small = [name for (_, name), number in sizes.items() if number <= SMALL_SEGMENT]
    share = 1 - len(small) / len(sizes)
    few = f"{SMALL_SEGMENT} devices or fewer"
    return Gap(
        "Whole segments",
        _by_share(share, 0.8, 0.3),
        f"{len(small):,} of {quantity(len(sizes), 'segment')} show {few}: they may be seen from outside only."
        if small
        else f"All of {quantity(len(sizes), 'segment')} show more than {SMALL_SEGMENT} devices.",
        "Check with the network plan whether these segments hold more, and place a sensor there.",
    )


def _patient_data(devices: Sequence[Device]) -> Gap | None:
    medical = [d for d in devices if is_medical(d)]
    if not medical:
        return None
    share = sum(1 for d in medical if d.phi is not None) / len(medical)
    return Gap(
        "Patient data on medical devices",
        _by_share(share, 0.8, 0.2),
        f"For {percent(share)} of {quantity(len(medical), 'medical device')} traffic shows whether "
        "they carry patient "
        "data; for the others it cannot be told.",
        "Add MDS2 forms of the makers.",
    )


def _systems(devices: Sequence[Device]) -> Gap | None:
    if not devices:
        return None
    share = sum(1 for d in devices if d.os) / len(devices)
    return Gap(
        "Operating systems",
        _by_share(share, 0.7, 0.2),
        f"The operating system of {percent(share)} of devices is known. Devices without one may be "
        "out of support.",
        "Add MDS2 forms, agent or scanner exports.",
    )
