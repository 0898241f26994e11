"""DHCP: what a client says of itself when it asks for an address, and which address it is given.

RFC 2131 (messages), RFC 2132 (options), RFC 3396 (options in pieces), and per option: 77 RFC 3004, 81 RFC
4702, 82 RFC 3046 (with 3527, 3993; numbers of VLAN, module and port in Cisco's form), 93/94/97 RFC 4578,
124 and 125 RFC 3925, 125 of home gateways Broadband Forum TR-069 annex F, 150 RFC 5859, 61 with type 255
RFC 4361. Facts about the client carry its hardware address (``chaddr``), for a relay or router may stand
between it and us.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar

from medwarden.dissect._core import Leases, first_address, number_text, numbers_text, quad_text
from medwarden.dissect.dhcpv6 import duid_facts
from medwarden.dissect.octets import mac_text, printable, text_or_hex
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import DissectorManifest, Segment, Transport

SOURCE = "dhcp"

_COOKIE = b"\x63\x82\x53\x63"
_PAD, _END = 0, 255
_SERVER_ID, _FQDN = 54, 81
_BROADBAND_FORUM = 3561
_BOOT_SERVER, _BOOT_FILE = 66, 67


def _user_class(value: bytes) -> str:
    """Return RFC 3004 instances joined by commas, or the plain text that many clients send instead."""
    parts: list[str] = []
    offset = 0
    while offset < len(value) and value[offset] and offset + 1 + value[offset] <= len(value):
        parts.append(text_or_hex(value[offset + 1 : offset + 1 + value[offset]]))
        offset += 1 + value[offset]
    return ",".join(parts) if offset == len(value) else text_or_hex(value)


def _vendor_identifying(value: bytes) -> str:
    """Return ``enterprise:data`` of the first instance of option 124 (RFC 3925 section 3)."""
    if len(value) < 6:
        return ""
    data = value[5 : 5 + value[4]]
    if data and data[0] == len(data) - 1:
        data = data[1:]
    return f"{int.from_bytes(value[:4], 'big')}:{text_or_hex(data)}"


def _fqdn(value: bytes) -> str:
    """Return the name of option 81 without the last dot; flag E tells its encoding (RFC 4702 2.2)."""
    if len(value) <= 3:
        return ""
    name = value[3:]
    if not value[0] & 0x04:
        return printable(name).rstrip(".")
    labels: list[bytes] = []
    offset = 0
    while offset < len(name) and 0 < name[offset] < 64:
        labels.append(name[offset + 1 : offset + 1 + name[offset]])
        offset += 1 + name[offset]
    return printable(b".".join(labels))


def _machine_uuid(value: bytes) -> str:
    return value[1:17].hex() if len(value) == 17 and any(value[1:]) else ""


def _vendor_specific(value: bytes) -> str:
    """Return the texts among the sub-options of option 43 (RFC 2132 8.4), or its text where it is one."""
    texts = [text for text in (_readable(body) for _, body in _sub_options(value)) if text]
    return ", ".join(texts[:8]) or _readable(value)


def _readable(body: bytes) -> str:
    text = text_or_hex(body)
    return text if len(body) > 2 and text != body.hex() else ""


def _sub_options(value: bytes) -> list[tuple[int, bytes]]:
    """Return sub-options as (code, value), or none where they do not fill ``value``."""
    found: list[tuple[int, bytes]] = []
    offset = 0
    while offset + 2 <= len(value) and value[offset] not in (_PAD, _END):
        end = offset + 2 + value[offset + 1]
        if end > len(value):
            return []
        found.append((value[offset], value[offset + 2 : end]))
        offset = end
    return found


def _gateway_identity(value: bytes) -> Iterator[tuple[str, str]]:
    """Yield serial number and product class of option 125 (TR-069 annex F: enterprise 3561, 2 and 3)."""
    names = {2: "dhcp.serial_number", 3: "dhcp.product_class"}
    if len(value) > 5 and int.from_bytes(value[:4], "big") == _BROADBAND_FORUM:
        for code, body in _sub_options(value[5 : 5 + value[4]]):
            if code in names and (text := printable(body)):
                yield names[code], text


_CLIENT_OPTIONS: dict[int, tuple[str, Callable[[bytes], str]]] = {
    12: ("dhcp.host_name", printable),
    43: ("dhcp.vendor_specific", _vendor_specific),
    50: ("dhcp.requested_address", first_address),
    55: ("dhcp.parameter_request_list", numbers_text),
    57: ("dhcp.max_message_size", number_text),
    60: ("dhcp.vendor_class", printable),
    77: ("dhcp.user_class", _user_class),
    _FQDN: ("dhcp.fqdn", _fqdn),
    93: ("dhcp.client_architecture", number_text),
    97: ("dhcp.machine_uuid", _machine_uuid),
    124: ("dhcp.vendor_identifying_class", _vendor_identifying),
}
_LEASE_OPTIONS: dict[int, tuple[str, Callable[[bytes], str]]] = {
    1: ("dhcp.subnet_mask", quad_text),
    3: ("dhcp.router", first_address),
    15: ("dhcp.domain_name", printable),
    51: ("dhcp.lease_time", number_text),
    _SERVER_ID: ("dhcp.server_identifier", first_address),
    42: ("dhcp.time_server", first_address),
    _BOOT_SERVER: ("dhcp.boot_server", printable),
    _BOOT_FILE: ("dhcp.boot_file", printable),
    150: ("dhcp.tftp_server", first_address),
}


class Dhcp:
    """State a client's names, fingerprint and address, its relay port, and the server."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name=SOURCE,
        title="DHCP",
        transports=(Transport.UDP,),
        reference="RFC 2131, RFC 2132",
        ports=(67, 68, 4011),
        fields=(
            *(field for field, _ in _CLIENT_OPTIONS.values()),
            *(field for field, _ in _LEASE_OPTIONS.values()),
            "dhcp.address",
            "dhcp.client_id",
            "dhcp.duid",
            "dhcp.duid_type",
            "dhcp.duid_enterprise",
            "dhcp.duid_mac",
            "dhcp.message_type",
            "dhcp.options_order",
            "dhcp.relay_agent_circuit_id",
            "dhcp.relay_agent_remote_id",
            "dhcp.relay_address",
            "dhcp.relay_mac",
            "dhcp.relay_port",
            "dhcp.relay_subscriber",
            "dhcp.relay_vlan",
            "dhcp.serial_number",
            "dhcp.product_class",
            "dhcp.role",
        ),
    )

    def __init__(self) -> None:
        """Keep nothing: every message stands alone."""

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:  # noqa: ARG004 - op says which side
        """Tell whether ``payload`` is BOOTP over Ethernet or Wi-Fi with the DHCP cookie (RFC 2131 3)."""
        return len(payload) >= 240 and payload[0] in (1, 2) and payload[236:240] == _COOKIE

    def feed(self, segment: Segment) -> Iterable[Evidence]:
        """Return the facts of one message; plain BOOTP requests give none.

        Where the message is short or an option overruns its field, reading what is returned raises
        MalformedInput after the facts before.
        """
        return _leases.facts(segment)


def _relay(value: bytes) -> Iterator[tuple[str, str]]:
    """Yield circuit, remote and subscriber ID: the switch port the client hangs on, as the relay names it."""
    names = {
        1: "dhcp.relay_agent_circuit_id",
        2: "dhcp.relay_agent_remote_id",
        6: "dhcp.relay_subscriber",
    }
    offset = 0
    while offset + 2 <= len(value):
        end = offset + 2 + value[offset + 1]
        if end > len(value):
            raise MalformedInput(SOURCE, "relay agent sub-option overruns its option", offset)
        body = value[offset + 2 : end]
        if value[offset] in names and body:
            yield names[value[offset]], text_or_hex(_without_type(body))
            yield from _port_numbers(value[offset], body)
        offset = end


def _without_type(body: bytes) -> bytes:
    """Return a circuit or remote ID without the type and length that Cisco puts before its text (type 1)."""
    return body[2:] if len(body) > 2 and body[0] == 1 and body[1] == len(body) - 2 else body


def _port_numbers(code: int, body: bytes) -> Iterator[tuple[str, str]]:
    """Yield VLAN and port of a circuit ID, and the MAC of a remote ID, in Cisco's numeric form (type 0)."""
    if code == 1 and len(body) == 6 and body[:2] == b"\0\x04":
        yield "dhcp.relay_vlan", str(int.from_bytes(body[2:4], "big"))
        yield "dhcp.relay_port", f"{body[4]}/{body[5]}"
    elif code == 2:
        mac = mac_text(body[2:] if body[:2] == b"\0\x06" else body)
        if mac:
            yield "dhcp.relay_mac", mac


_leases = Leases(_CLIENT_OPTIONS, _LEASE_OPTIONS, _relay, _gateway_identity, duid_facts)
DISSECTOR = Dhcp
