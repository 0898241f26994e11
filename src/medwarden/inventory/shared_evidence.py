"""What two devices of one kind have in common, as pairs that can be said in words.

The pairs leave out what belongs to one device alone: addresses, serial numbers, the numbers in host
names. Each field has a rank: what a device declares of itself tells its kind best, then how its programs
call themselves, then whose network card it has, then names, peers and the layout of its packets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from medwarden.inventory.labels.tokens import NAME_FIELDS, mac_tails, normalise
from medwarden.knowledge.fingerprints.rules import FIELD_GROUPS
from medwarden.knowledge.oui import hypervisor_of, is_locally_administered, maker_of
from medwarden.model.device import Device
from medwarden.model.evidence import LedgerEntry

Shared = tuple[str, str]
"""A field and its value without what belongs to one device."""

PREFIX = "prefix"
"""First three octets of an address, where no maker is registered for it."""
MAKER = "oui.registered"
PEER = "peer"
SERVES = "flow.serves"

_DECLARED = frozenset(
    {
        *FIELD_GROUPS["@products"],
        *FIELD_GROUPS["@makers"],
        *("snmp.sys_object_id", "bacnet.vendor_id", "dicom.implementation_class_uid"),
        *("dicom.implementation_version_name", "dicom.manufacturer", "hl7.sending_application"),
    }
)
_PROGRAMS = frozenset(
    {
        *FIELD_GROUPS["@banners"],
        *FIELD_GROUPS["@agents"],
        *("dhcp.vendor_class", "dhcp.vendor_identifying_class", "ssdp.server", "rtsp.server"),
        *("mdns.service", "wsd.types", "tls.certificate_issuer", "mqtt.client_id"),
    }
)
_LAYOUT = frozenset({"dhcp.parameter_request_list", "tls.ja4", "tcp.stack", SERVES})
_WEIGHTS = (3.0, 2.5, 2.0, 1.5, 1.5, 1.0)
_DECLARED_RANK, _PROGRAM_RANK, _CARD_RANK, _NAME_RANK, _PEER_RANK, _LAYOUT_RANK = range(6)

_SILENT = frozenset(
    {
        *("arp.ip", "ndp.ip", "dhcp.address", "dhcp.client_id", "dhcp.lease_time", "dhcp.requested_address"),
        *("dhcp.router", "dhcp.server_identifier", "dhcp.subnet_mask", "dhcp.domain_name"),
        *("dhcp.message_type", "dns.name", "mdns.txt.mac", "mdns.query", "http.status"),
    }
)
"""Fields that tell of a network or of one device, never of a kind."""
_PERSONAL = re.compile(
    r"serial|\.mac$|address|\.uid$|uuid|\.udi$|key_hash|fingerprint|asset|password|location"
)
_HOST_NUMBER = re.compile(r"(?<=[a-z_#-])\d+\b|(?<![0-9a-z.])\d+(?![0-9a-z.])|(?<=[a-z])\d{2,}\b")
_MARKS = re.compile(r"#+(?:[-_.:]*#)*")
_MOST = 48
_LONGEST = 120


def rank_of(field: str) -> int:
    """Return how well a field tells the kind of a device: 0 best, 5 least."""
    if field in (PREFIX, MAKER):
        return _CARD_RANK
    if field == PEER:
        return _PEER_RANK
    if field in _LAYOUT:
        return _LAYOUT_RANK
    if field in NAME_FIELDS or field in FIELD_GROUPS["@domains"]:
        return _NAME_RANK
    if field in _PROGRAMS:
        return _PROGRAM_RANK
    return _DECLARED_RANK if field in _DECLARED else _NAME_RANK


def weight_of(shared: Shared) -> float:
    """Return how much a pair weighs before it is asked how rare it is."""
    return _WEIGHTS[rank_of(shared[0])]


def shared_evidence(device: Device, peers: Mapping[str, str] | None = None) -> tuple[Shared, ...]:
    """Return the pairs of a device, the most telling first; ``peers`` names devices it talks to by their id.

    At most 48 pairs are returned, so that a device that says a thousand things costs no more than others.
    """
    tails = tuple(tail for tail in mac_tails(device.macs) if len(tail) > 4)
    found: dict[Shared, None] = {}
    for entry in device.ledger:
        field = entry.field
        if _tells(field):
            value = _plain(field, entry.value, tuple(t for t in tails if t in entry.value.lower()))
            if value:
                found[field, value] = None
    found |= dict.fromkeys(_cards(device.macs))
    found |= dict.fromkeys(_traffic(device, peers or {}))
    ordered = sorted(found, key=lambda s: (rank_of(s[0]), s))
    return tuple(ordered[:_MOST])


def told_by(device: Device, shared: Shared) -> tuple[LedgerEntry, ...]:
    """Return the facts of a device from which a pair was made by leaving out what is of one device alone."""
    tails = tuple(tail for tail in mac_tails(device.macs) if len(tail) > 4)
    field, value = shared
    return tuple(
        entry
        for entry in device.ledger
        if entry.field == field
        and _plain(field, entry.value, tuple(t for t in tails if t in entry.value.lower())) == value
    )


@lru_cache(maxsize=4096)
def _tells(field: str) -> bool:
    return field not in _SILENT and not _PERSONAL.search(field) and not field.startswith("statement.")


@lru_cache(maxsize=200_000)
def _plain(field: str, value: str, tails: tuple[str, ...]) -> str:
    """Return a value as kinds share it, empty where nothing is left of it."""
    text = normalise(field, value, tails)
    if field in NAME_FIELDS:
        text = _HOST_NUMBER.sub("#", text)
    text = _MARKS.sub("#", text)[:_LONGEST].strip()
    return text if any(c.isalpha() for c in text) or field in _LAYOUT or "." in text else ""


def _cards(macs: Iterable[str]) -> Iterable[Shared]:
    for mac in macs:
        if is_locally_administered(mac) or hypervisor_of(mac):
            continue
        maker = maker_of(mac)
        yield (PREFIX, mac[:8]) if maker is None else (MAKER, maker.registered)


def _traffic(device: Device, peers: Mapping[str, str]) -> Iterable[Shared]:
    for service in device.services:
        if service.port < 32_768:
            yield SERVES, f"{service.transport}/{service.port}"
    for talk in device.conversations:
        if (
            talk.role == "client"
            and talk.port
            and talk.scope in ("internal", "internet")
            and talk.established
        ):
            whom = peers.get(talk.peer_device or "") or talk.peer_name or talk.peer_ip
            if whom is not None:
                yield PEER, f"{talk.transport}/{talk.port} of {whom}"


_WORDS = {
    "dhcp.vendor_class": "DHCP vendor class {}",
    "dhcp.host_name": "DHCP host names like {}",
    "dhcp.parameter_request_list": "DHCP asks for options {}",
    "http.user_agent": "web client {}",
    "http.server": "web server {}",
    "http.title": "web page titled {}",
    "tls.sni": "TLS to {}",
    "tls.ja4": "TLS hand-shake {}",
    "tls.certificate_subject": "certificate of {}",
    "tls.certificate_issuer": "certificate from {}",
    "dns.query": "looks up {}",
    "snmp.sys_descr": "SNMP description {}",
    "snmp.sys_object_id": "SNMP object {}",
    "ssh.identification": "SSH as {}",
    "ssdp.server": "SSDP server {}",
    "mdns.service": "mDNS service {}",
    "upnp.manufacturer": "UPnP maker {}",
    "upnp.model_name": "UPnP model {}",
    "hl7.sending_application": "HL7 application {}",
    "dicom.implementation_class_uid": "DICOM implementation {}",
    "dicom.implementation_version_name": "DICOM software {}",
    "bacnet.vendor_id": "BACnet vendor {}",
    "mqtt.client_id": "MQTT clients like {}",
    "tcp.stack": "TCP laid out as {}",
}
_SHORT = 60
_LONG_NAME = 6


def in_words(shared: Shared) -> str:
    """Return a pair as a person says it: ``DHCP vendor class 'ACME-IV'``, ``MAC prefix of Acme Medical``."""
    field, value = shared
    if field == MAKER:
        return f"MAC prefix of {value}"
    if field == PREFIX:
        return f"MAC prefix {value}, registered to nobody"
    if field == PEER:
        return f"talk to {value}"
    if field == SERVES:
        return f"answer on {value}"
    shown = value if len(value) <= _SHORT else value[: _SHORT - 1].rstrip() + "…"
    shown = shown.replace("#", "…")
    quoted = shown if field in _LAYOUT else f"'{shown}'"
    template = _WORDS.get(field)
    if template is not None:
        return template.format(quoted)
    protocol, _, name = field.partition(".")
    spoken = protocol.upper() if len(protocol) < _LONG_NAME else protocol
    return f"{spoken} {name.replace('_', ' ').replace('.', ' ')} {quoted}"
