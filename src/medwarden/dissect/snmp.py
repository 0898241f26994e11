"""SNMP: system, inventory and printer objects of agents, default communities, engine identifiers.

RFC 1157 (v1), RFC 3416 (v2c PDUs), RFC 3412 and 3414 (v3 with USM), RFC 3411 section 5 (engine ID);
objects of RFC 3418 (SNMPv2-MIB), RFC 6933 (ENTITY-MIB), RFC 2790 (HOST-RESOURCES-MIB), RFC 3805 (Printer-MIB)
and RFC 1628 (UPS-MIB). Of a community only whether it is a default one leaves this module; sysContact names
staff and is not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from medwarden.dissect import ber
from medwarden.dissect.ber import Tlv, children, expect, read_integer, read_oid, read_tlv
from medwarden.dissect.octets import ipv4_text, mac_text, printable
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import DissectorManifest, Segment, Transport

SOURCE = "snmp"

_V1, _V2C, _V3 = 0, 1, 3
_VERSIONS = {_V1: "1", _V2C: "2c", _V3: "3"}
_GET, _GET_NEXT, _RESPONSE, _SET, _TRAP_V1, _GET_BULK, _INFORM, _TRAP_V2, _REPORT = range(0xA0, 0xA9)
_FROM_AGENT = (_RESPONSE, _INFORM, _TRAP_V2, _REPORT)
_DEFAULT_COMMUNITIES = (b"public", b"private")
_IP_ADDRESS = 0x40
_MAX_VARBINDS = 128
_ENTITY = "1.3.6.1.2.1.47.1.1.1.1."
_SCALARS = {
    "1.3.6.1.2.1.1.1.0": "snmp.sys_descr",
    "1.3.6.1.2.1.1.2.0": "snmp.sys_object_id",
    "1.3.6.1.2.1.1.5.0": "snmp.sys_name",
    "1.3.6.1.2.1.1.6.0": "snmp.sys_location",
    "1.3.6.1.2.1.33.1.1.1.0": "snmp.ups_manufacturer",
    "1.3.6.1.2.1.33.1.1.2.0": "snmp.ups_model",
    "1.3.6.1.2.1.33.1.1.3.0": "snmp.ups_software",
    "1.3.6.1.6.3.1.1.4.1.0": "snmp.trap_oid",
}
# Columns of tables; the row index follows.
_COLUMNS = {
    _ENTITY + "2": "snmp.entity_descr",
    _ENTITY + "8": "snmp.entity_hardware",
    _ENTITY + "9": "snmp.entity_firmware",
    _ENTITY + "10": "snmp.entity_software",
    _ENTITY + "11": "snmp.entity_serial",
    _ENTITY + "12": "snmp.entity_manufacturer",
    _ENTITY + "13": "snmp.entity_model",
    "1.3.6.1.2.1.25.3.2.1.3": "snmp.hr_device_descr",
    "1.3.6.1.2.1.43.5.1.1.16": "snmp.printer_name",
    "1.3.6.1.2.1.43.5.1.1.17": "snmp.printer_serial",
}


class Snmp:
    """State what an agent answers about itself, and how managers and agents speak."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name=SOURCE,
        title="SNMP",
        transports=(Transport.UDP,),
        reference="RFC 3416, RFC 3412, RFC 1157",
        ports=(161, 162),
        fields=(
            "snmp.version",
            "snmp.role",
            "snmp.community",
            "snmp.request_community",
            *_SCALARS.values(),
            *_COLUMNS.values(),
            "snmp.trap_enterprise",
            "snmp.engine_id",
            "snmp.engine_enterprise",
            "snmp.engine_mac",
            "snmp.security_level",
        ),
    )

    def __init__(self) -> None:
        """Keep nothing: every datagram stands alone."""

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:  # noqa: ARG004 - the PDU says which side
        """Tell whether ``payload`` is a BER sequence that starts with a known version number."""
        if len(payload) < 12 or payload[0] != ber.SEQUENCE:
            return False
        offset = 2 + (payload[1] & 0x7F if payload[1] & 0x80 else 0)
        return payload[offset : offset + 2] == b"\x02\x01" and payload[offset + 2 : offset + 3] in b"\0\1\3"

    def feed(self, segment: Segment) -> Iterator[Evidence]:
        """Yield the facts of one message; raises MalformedInput when its BER or a length is wrong."""
        payload = segment.payload
        message = expect(payload, 0, len(payload), ber.SEQUENCE, SOURCE)
        first = expect(payload, message.start, message.end, ber.INTEGER, SOURCE)
        version = read_integer(payload, first, SOURCE)
        if version not in _VERSIONS:
            raise MalformedInput(SOURCE, f"unknown version {version}", first.start)
        yield segment.said("snmp.version", _VERSIONS[version], SOURCE)
        if version == _V3:
            yield from _version_3(segment, first.end, message.end)
            return
        community = expect(payload, first.end, message.end, ber.OCTET_STRING, SOURCE)
        name = payload[community.start : community.end]
        said = name.decode("ascii") if name in _DEFAULT_COMMUNITIES else "set"
        pdu = read_tlv(payload, community.end, message.end, SOURCE)
        if pdu.tag == _TRAP_V1:
            yield from _trap_v1(segment, pdu, said)
            return
        # A manager guesses; only an agent that answers has the community configured.
        field = "snmp.community" if pdu.tag in _FROM_AGENT else "snmp.request_community"
        yield segment.said(field, said, SOURCE)
        yield from _pdu(segment, pdu)


def _pdu(segment: Segment, pdu: Tlv) -> Iterator[Evidence]:
    """Yield the objects of a PDU that an agent sent (RFC 3416 section 3)."""
    if pdu.tag not in _FROM_AGENT:
        if pdu.tag in (_GET, _GET_NEXT, _SET, _GET_BULK):
            yield segment.said("snmp.role", "manager", SOURCE)
        return
    yield segment.said("snmp.role", "agent", SOURCE)
    payload, offset = segment.payload, pdu.start
    for _ in range(3):  # request-id, error-status, error-index
        offset = expect(payload, offset, pdu.end, ber.INTEGER, SOURCE).end
    bindings = expect(payload, offset, pdu.end, ber.SEQUENCE, SOURCE)
    yield from _bindings(segment, bindings, segment.src_mac, segment.src_ip)


def _bindings(segment: Segment, bindings: Tlv, mac: str | None, ip: str | None) -> Iterator[Evidence]:
    payload = segment.payload
    for binding in children(payload, bindings.start, bindings.end, SOURCE, _MAX_VARBINDS):
        if binding.tag != ber.SEQUENCE:
            raise MalformedInput(SOURCE, "variable binding is no sequence", binding.start)
        name = expect(payload, binding.start, binding.end, ber.OBJECT_IDENTIFIER, SOURCE)
        field = _field(read_oid(payload, name, SOURCE))
        if field is None:
            continue
        value = read_tlv(payload, name.end, binding.end, SOURCE)
        if value.tag == ber.OBJECT_IDENTIFIER:
            text = read_oid(payload, value, SOURCE)
        elif value.tag == ber.OCTET_STRING:
            text = printable(payload[value.start : value.end])
        else:
            continue
        if text:
            yield Evidence(segment.ts_ns, mac, ip, segment.vlan, field, text, SOURCE)


def _field(oid: str) -> str | None:
    """Return the evidence field of an object instance, or None for objects that are none of ours."""
    if not oid.startswith("1.3.6.1."):
        return None
    if field := _SCALARS.get(oid):
        return field
    return _COLUMNS.get(oid.rpartition(".")[0])


def _trap_v1(segment: Segment, pdu: Tlv, community: str) -> Iterator[Evidence]:
    """Yield the facts of a v1 trap (RFC 1157 4.1.6), which names the agent's address itself."""
    payload = segment.payload
    enterprise = expect(payload, pdu.start, pdu.end, ber.OBJECT_IDENTIFIER, SOURCE)
    agent = expect(payload, enterprise.end, pdu.end, _IP_ADDRESS, SOURCE)
    ip = ipv4_text(payload[agent.start : agent.end]) or segment.src_ip
    mac = segment.src_mac if ip == segment.src_ip else None
    for field, value in (
        ("snmp.role", "agent"),
        ("snmp.community", community),
        ("snmp.trap_enterprise", read_oid(payload, enterprise, SOURCE)),
    ):
        yield Evidence(segment.ts_ns, mac, ip, segment.vlan, field, value, SOURCE)
    offset = agent.end
    for _ in range(3):  # generic-trap, specific-trap, time-stamp
        offset = read_tlv(payload, offset, pdu.end, SOURCE).end
    bindings = expect(payload, offset, pdu.end, ber.SEQUENCE, SOURCE)
    yield from _bindings(segment, bindings, mac, ip)


def _version_3(segment: Segment, offset: int, end: int) -> Iterator[Evidence]:
    """Yield security level, engine and, where it is not encrypted, the PDU (RFC 3412 section 6)."""
    payload = segment.payload
    data = expect(payload, offset, end, ber.SEQUENCE, SOURCE)
    offset = data.start
    for _ in range(2):  # msgID, msgMaxSize
        offset = expect(payload, offset, data.end, ber.INTEGER, SOURCE).end
    flags = expect(payload, offset, data.end, ber.OCTET_STRING, SOURCE)
    level = payload[flags.start] & 3 if flags.end - flags.start == 1 else 0
    names = {0: "noAuthNoPriv", 1: "authNoPriv", 3: "authPriv"}
    if level in names:
        yield segment.said("snmp.security_level", names[level], SOURCE)
    security = expect(payload, data.end, end, ber.OCTET_STRING, SOURCE)
    yield from _engine(segment, security)
    scoped = read_tlv(payload, security.end, end, SOURCE)
    if scoped.tag != ber.SEQUENCE:
        return  # encrypted
    context_engine = expect(payload, scoped.start, scoped.end, ber.OCTET_STRING, SOURCE)
    context_name = expect(payload, context_engine.end, scoped.end, ber.OCTET_STRING, SOURCE)
    yield from _pdu(segment, read_tlv(payload, context_name.end, scoped.end, SOURCE))


def _engine(segment: Segment, security: Tlv) -> Iterator[Evidence]:
    """Yield what the authoritative engine ID says of its engine (RFC 3414 2.4, RFC 3411 section 5).

    The agent is authoritative for requests and for its own traps, so the fact is the agent's
    whichever way the message goes.
    """
    payload = segment.payload
    parameters = expect(payload, security.start, security.end, ber.SEQUENCE, SOURCE)
    element = expect(payload, parameters.start, parameters.end, ber.OCTET_STRING, SOURCE)
    engine = payload[element.start : element.end]
    if not 5 <= len(engine) <= 32:
        return  # empty while the manager discovers it
    state = segment.heard if segment.dst_port == 161 else segment.said
    yield state("snmp.engine_id", engine.hex(), SOURCE)
    yield state("snmp.engine_enterprise", str(int.from_bytes(engine[:4], "big") & 0x7FFF_FFFF), SOURCE)
    if engine[0] & 0x80 and engine[4] == 3 and (mac := mac_text(engine[5:11])):  # Cisco pads to 12
        yield state("snmp.engine_mac", mac, SOURCE)


DISSECTOR = Snmp
