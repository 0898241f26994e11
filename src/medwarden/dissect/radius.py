"""RADIUS: which device a switch or access point admits, where it hangs, and by whose machine account.

RFC 2865 (packets and attributes), RFC 2866 (accounting), RFC 2869 and 3579 (EAP-Message), RFC 3580 (802.1X:
the station ids are MAC addresses), RFC 3162 and 6911 (IPv6), RFC 2868 and 3580 3.31 (VLAN). Cisco's AV pairs
carry what a switch itself overheard of the device over DHCP, CDP and LLDP: a type and a length of two octets
each, then the value ("Device Sensor" in the IOS configuration guide). People are tokenised, passwords,
classes and sessions are not read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import ClassVar

from medwarden.dissect.connection import Connection
from medwarden.dissect.identities import mac_in, read_identity
from medwarden.dissect.octets import ip_text, printable
from medwarden.dissect.phi import Tokeniser
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence, clean
from medwarden.model.segment import DissectorManifest, Transport

SOURCE = "radius"

_HEADER = 20
_REQUEST, _ACCEPT, _REJECT, _ACCOUNTING, _ACCOUNTED, _CHALLENGE = 1, 2, 3, 4, 5, 11
_CODES = frozenset({*range(1, 6), 11, 12, 13, *range(40, 46)})
_USER_NAME, _NAS_IP, _NAS_PORT, _SERVICE_TYPE, _FRAMED_IP, _VENDOR = 1, 4, 5, 6, 8, 26
_CALLED, _CALLING, _NAS_ID, _ACCT_STATUS, _PORT_TYPE, _EAP = 30, 31, 32, 40, 61, 79
_TUNNEL_GROUP, _PORT_ID, _NAS_IPV6, _FRAMED_IPV6 = 81, 87, 95, 168
_PORT_TYPES = {
    0: "async",
    5: "virtual",
    15: "ethernet",
    16: "xdsl",
    17: "cable",
    18: "wireless",
    19: "802.11",
}
_SESSIONS = {1: "start", 2: "stop", 3: "interim", 7: "on", 8: "off"}
_CISCO, _AV_PAIR = 9, 1
_ADMINISTRATIVE = (6, 7)  # Service-Type: somebody logs in to the device that asks
_MOST_ATTRIBUTES = 256
_EAP_METHODS = {
    4: "md5", 6: "gtc", 13: "tls", 17: "leap", 18: "sim", 21: "ttls", 23: "aka", 25: "peap", 26: "mschapv2",
    43: "fast", 50: "aka_prime", 52: "pwd", 55: "teap",
}  # fmt: skip
# What a switch overheard, by the AV pair's name and its type: field and whether its value is text.
_OVERHEARD = {
    (b"dhcp-option", 12): "dhcp.host_name",
    (b"dhcp-option", 55): "dhcp.parameter_request_list",
    (b"dhcp-option", 60): "dhcp.vendor_class",
    (b"dhcp-option", 77): "dhcp.user_class",
    (b"cdp-tlv", 1): "cdp.device_id",
    (b"cdp-tlv", 5): "cdp.version",
    (b"cdp-tlv", 6): "cdp.platform",
    (b"lldp-tlv", 5): "lldp.system_name",
    (b"lldp-tlv", 6): "lldp.system_description",
}
_NUMBERS = "dhcp.parameter_request_list"

Attributes = dict[int, list[bytes]]


class RadiusDissector(Connection):
    """State devices by the MAC address they are admitted under, and the network devices that ask."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name=SOURCE,
        title="RADIUS",
        transports=(Transport.UDP,),
        reference="RFC 2865, RFC 2866, RFC 3580",
        ports=(1812, 1813, 1645, 1646, 3799),
        fields=(
            "radius.role", "radius.nas_identifier", "radius.nas", "radius.nas_port", "radius.nas_port_id",
            "radius.nas_port_type", "radius.access_point", "radius.ssid", "radius.called_station",
            "radius.machine", "radius.user", "radius.realm", "radius.mac_authentication",
            "radius.address", "radius.session", "radius.vlan", "radius.eap_method",
            *_OVERHEARD.values(),
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.tokeniser: Tokeniser | None = None

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload is a RADIUS packet of its stated length."""
        del from_client
        return (
            len(payload) >= _HEADER
            and payload[0] in _CODES
            and _HEADER <= int.from_bytes(payload[2:4], "big") <= len(payload)
            and (len(payload) == _HEADER or payload[21:22] >= b"\x02")
        )

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one packet."""
        del from_client
        if len(payload) < _HEADER or payload[0] not in _CODES:
            raise self.malformed("no RADIUS packet", 0)
        (length,) = struct.unpack_from(">H", payload, 2)
        if not _HEADER <= length <= len(payload):
            raise self.malformed(f"a packet of {length} octets in a datagram of {len(payload)}", 2)
        code = payload[0]
        if code in (_ACCEPT, _REJECT, _ACCOUNTED, _CHALLENGE):
            self.said("radius.role", "server")
        attributes = _attributes(payload, length)
        if code in (_REQUEST, _ACCOUNTING):
            self._asks(attributes)
        elif code == _ACCEPT:
            self._admits(attributes)

    def _asks(self, attributes: Attributes) -> None:
        """Read a request: the network device that asks, and the device it asks for."""
        segment = self.segment
        nas_ip = _address(attributes, _NAS_IP) or _address(attributes, _NAS_IPV6)
        nas = _text(attributes, _NAS_ID)
        self.said_from(nas_ip, "radius.role", "nas")
        self.said_from(nas_ip, "radius.nas_identifier", nas)
        mac = mac_in(_text(attributes, _CALLING))
        if not mac or _number(attributes, _SERVICE_TYPE) in _ADMINISTRATIVE:
            return
        ip = _address(attributes, _FRAMED_IP) or _address(attributes, _FRAMED_IPV6)
        for field, value in self._of_device(attributes, nas_ip or segment.src_ip or "", nas, ip or ""):
            if value := clean(value):
                self._facts.append(Evidence(segment.ts_ns, mac, ip, None, field, value, SOURCE))

    def _of_device(self, attributes: Attributes, nas_ip: str, nas: str, ip: str) -> Iterator[tuple[str, str]]:
        yield "radius.nas", nas or nas_ip
        yield "radius.address", ip
        yield "radius.nas_port_id", _text(attributes, _PORT_ID)
        port = _number(attributes, _NAS_PORT)
        yield "radius.nas_port", "" if port is None else str(port)
        kind = _number(attributes, _PORT_TYPE)
        yield "radius.nas_port_type", "" if kind is None else _PORT_TYPES.get(kind, str(kind))
        yield from _called(_text(attributes, _CALLED))
        yield "radius.session", _SESSIONS.get(_number(attributes, _ACCT_STATUS) or 0, "")
        yield "radius.vlan", _vlan(attributes)
        name = _text(attributes, _USER_NAME)
        message = b"".join(attributes.get(_EAP, ()))
        if len(message) >= 5 and message[0] == 2:
            if message[4] == 1:
                name = name or printable(message[5:].partition(b"\0")[0])
            else:
                yield "radius.eap_method", _EAP_METHODS.get(message[4], "")
        yield from self._identity(name)
        yield from _overheard(attributes)

    def _identity(self, name: str) -> Iterator[tuple[str, str]]:
        identity = read_identity(name)
        yield "radius.machine", identity.machine
        yield "radius.realm", identity.realm
        if identity.mac:
            yield "radius.mac_authentication", "yes"
        elif identity.person and identity.person.lower() != "anonymous" and self.tokeniser is not None:
            yield "radius.user", self.tokeniser.token("user", identity.person)

    def _admits(self, attributes: Attributes) -> None:
        """Read an acceptance that names its device: the network the device is put in."""
        mac = mac_in(_text(attributes, _CALLING))
        vlan = _vlan(attributes)
        if mac and vlan:
            segment = self.segment
            self._facts.append(Evidence(segment.ts_ns, mac, None, None, "radius.vlan", vlan, SOURCE))


def _attributes(payload: bytes, length: int) -> Attributes:
    """Return the values by type in their order (RFC 2865 section 5)."""
    found: Attributes = {}
    at = _HEADER
    for _ in range(_MOST_ATTRIBUTES):
        if at == length:
            break
        if at + 2 > length or payload[at + 1] < 2 or at + payload[at + 1] > length:
            raise MalformedInput(SOURCE, "an attribute reaches beyond its packet", at)
        found.setdefault(payload[at], []).append(payload[at + 2 : at + payload[at + 1]])
        at += payload[at + 1]
    return found


def _text(attributes: Attributes, kind: int) -> str:
    values = attributes.get(kind)
    return printable(values[0]) if values else ""


def _number(attributes: Attributes, kind: int) -> int | None:
    values = attributes.get(kind)
    return int.from_bytes(values[0], "big") if values and len(values[0]) == 4 else None


def _address(attributes: Attributes, kind: int) -> str | None:
    values = attributes.get(kind)
    return ip_text(values[0]) if values else None


def _vlan(attributes: Attributes) -> str:
    """Return Tunnel-Private-Group-ID without its tag (RFC 2868 section 3.6)."""
    value = attributes.get(_TUNNEL_GROUP, [b""])[0]
    return printable(value[1:] if value[:1] and value[0] <= 0x1F else value)


def _called(station: str) -> Iterator[tuple[str, str]]:
    """Yield radio and network name of ``MAC:SSID`` (RFC 3580 section 3.20), or what else is called."""
    mac, network = mac_in(station[:17]), station[17:]
    if mac and network[:1] in ("", ":"):
        yield "radius.access_point" if network else "radius.called_station", mac
        yield "radius.ssid", network[1:]
    elif not station[:4].isdigit():  # a number that was dialled may be a person's
        yield "radius.called_station", station


def _overheard(attributes: Attributes) -> Iterator[tuple[str, str]]:
    for value in attributes.get(_VENDOR, ())[:_MOST_ATTRIBUTES]:
        if len(value) < 7 or int.from_bytes(value[:4], "big") != _CISCO or value[4] != _AV_PAIR:
            continue
        name, equals, body = value[6 : 4 + value[5]].partition(b"=")
        if not equals or len(body) < 4:
            continue
        kind, length = struct.unpack_from(">HH", body)
        field = _OVERHEARD.get((name, kind))
        if field is None or length > len(body) - 4:
            continue
        content = body[4 : 4 + length]
        yield field, ",".join(map(str, content)) if field == _NUMBERS else printable(content)


DISSECTOR = RadiusDissector
