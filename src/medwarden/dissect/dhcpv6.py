"""DHCPv6: what an IPv6 client says of itself, and the identifier it keeps across addresses.

RFC 8415 (messages, options, DUIDs in section 11), RFC 6355 (DUID-UUID), RFC 4704 (FQDN). Relayed
messages are unwrapped; the relay tells the client's link-local address and often its MAC (RFC 6939).
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import ClassVar

from medwarden.dissect.octets import ipv6_text, mac_text, printable, text_or_hex
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import DissectorManifest, Segment, Transport

SOURCE = "dhcpv6"

_SOLICIT, _ADVERTISE, _REQUEST, _CONFIRM, _RENEW, _REBIND, _REPLY = range(1, 8)
_RELEASE, _DECLINE, _RECONFIGURE, _INFORMATION_REQUEST, _RELAY_FORW, _RELAY_REPL = range(8, 14)
_FROM_CLIENT = {
    _SOLICIT: "solicit",
    _REQUEST: "request",
    _CONFIRM: "confirm",
    _RENEW: "renew",
    _REBIND: "rebind",
    _RELEASE: "release",
    _DECLINE: "decline",
    _INFORMATION_REQUEST: "information_request",
}
_CLIENT_ID, _IA_NA, _IA_ADDRESS, _ORO, _RELAY_MESSAGE = 1, 3, 5, 6, 9
_USER_CLASS, _VENDOR_CLASS, _INTERFACE_ID, _REMOTE_ID, _FQDN, _CLIENT_LINK_LAYER = 15, 16, 18, 37, 39, 79
_MAX_OPTIONS = 256
_MAX_RELAYS = 8  # HOP_COUNT_LIMIT (RFC 8415 7.6)
_OPTION = Struct("!HH")
_DUID_TYPES = {1: "llt", 2: "en", 3: "ll", 4: "uuid"}

Options = dict[int, bytes]


def duid_facts(duid: bytes) -> list[tuple[str, str]]:
    """Return what a DUID says: ``duid``, ``duid_type``, and the MAC or enterprise number within it.

    RFC 8415 section 11. Unknown types and DUIDs over 128 octets give nothing.
    """
    if not 3 <= len(duid) <= 130:
        return []
    kind = int.from_bytes(duid[:2], "big")
    facts = [("duid", duid.hex()), ("duid_type", _DUID_TYPES.get(kind, str(kind)))]
    link_layer = {1: 8, 3: 4}.get(kind)
    if link_layer is not None and duid[2:4] in (b"\0\1", b"\0\6"):
        if mac := mac_text(duid[link_layer:]):
            facts.append(("duid_mac", mac))
    elif kind == 2 and len(duid) >= 6:
        facts.append(("duid_enterprise", str(int.from_bytes(duid[2:6], "big"))))
    return facts


class Dhcpv6:
    """State a client's DUID, names and option fingerprint, its addresses, and the server."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name=SOURCE,
        title="DHCPv6",
        transports=(Transport.UDP,),
        reference="RFC 8415",
        ports=(547, 546),
        fields=(
            "dhcpv6.message_type",
            "dhcpv6.options_order",
            "dhcpv6.option_request",
            "dhcpv6.duid",
            "dhcpv6.duid_type",
            "dhcpv6.duid_mac",
            "dhcpv6.duid_enterprise",
            "dhcpv6.fqdn",
            "dhcpv6.vendor_class",
            "dhcpv6.user_class",
            "dhcpv6.address",
            "dhcpv6.role",
            "dhcpv6.relay_interface_id",
            "dhcpv6.relay_remote_id",
        ),
    )

    def __init__(self) -> None:
        """Keep nothing: every message stands alone."""

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:  # noqa: ARG004 - the type says which side
        """Tell whether ``payload`` starts with a known message type and a plausible first option."""
        if len(payload) < 8 or not 1 <= payload[0] <= 13:
            return False
        first = 34 if payload[0] in (_RELAY_FORW, _RELAY_REPL) else 4
        return len(payload) >= first + 4 and payload[first] == 0 and payload[first + 1] < 200

    def feed(self, segment: Segment) -> Iterator[Evidence]:
        """Yield the facts of one message.

        Raises MalformedInput when an option overruns its message or relays nest too deeply.
        """
        message = segment.payload
        mac, ip = segment.src_mac, segment.src_ip
        relayed: list[tuple[str, str]] = []
        for _ in range(_MAX_RELAYS + 1):
            if len(message) < 4:
                raise MalformedInput(SOURCE, "message is shorter than its header", len(message))
            kind = message[0]
            if kind not in (_RELAY_FORW, _RELAY_REPL):
                break
            if len(message) < 34:
                raise MalformedInput(SOURCE, "relay message is shorter than its header", len(message))
            options, _ = _options(message, 34)
            link_layer = options.get(_CLIENT_LINK_LAYER, b"")
            mac = mac_text(link_layer[2:]) if link_layer[:2] == b"\0\1" else None
            ip = ipv6_text(message[18:34])
            relayed = [
                (field, text_or_hex(options[code][skip:]))
                for code, field, skip in (
                    (_INTERFACE_ID, "dhcpv6.relay_interface_id", 0),
                    (_REMOTE_ID, "dhcpv6.relay_remote_id", 4),
                )
                if len(options.get(code, b"")) > skip
            ]
            if _RELAY_MESSAGE not in options or (mac is None and ip is None):
                return
            message = options[_RELAY_MESSAGE]
        else:
            raise MalformedInput(SOURCE, "relay messages nest too deeply", 0)
        options, order = _options(message, 4)
        if kind in _FROM_CLIENT:
            facts = [("dhcpv6.message_type", _FROM_CLIENT[kind]), *_client(options, order), *relayed]
            for field, value in facts:
                if value:
                    yield Evidence(segment.ts_ns, mac, ip, segment.vlan, field, value, SOURCE)
        elif kind in (_ADVERTISE, _REPLY):
            if segment.payload[0] == kind:
                yield segment.said("dhcpv6.role", "server", SOURCE)
            if kind == _REPLY:
                yield from _leased(segment, options)


def _options(message: bytes, offset: int) -> tuple[Options, list[int]]:
    """Return the first value of each option and the codes in order (RFC 8415 21.1)."""
    options: Options = {}
    for _ in range(_MAX_OPTIONS):
        if offset == len(message):
            break
        if offset + 4 > len(message):
            raise MalformedInput(SOURCE, "option header is cut short", offset)
        code, length = _OPTION.unpack_from(message, offset)
        offset += 4
        if offset + length > len(message):
            raise MalformedInput(SOURCE, f"option {code} overruns its message", offset)
        options.setdefault(code, message[offset : offset + length])
        offset += length
    return options, list(options)


def _client(options: Options, order: list[int]) -> Iterator[tuple[str, str]]:
    yield "dhcpv6.options_order", ",".join(map(str, order[:100]))
    requested = options.get(_ORO, b"")[:200]
    codes = [str(int.from_bytes(requested[i : i + 2], "big")) for i in range(0, len(requested) - 1, 2)]
    yield "dhcpv6.option_request", ",".join(codes)
    for field, value in duid_facts(options.get(_CLIENT_ID, b"")):
        yield f"dhcpv6.{field}", value
    yield "dhcpv6.fqdn", _fqdn(options.get(_FQDN, b""))
    vendor = options.get(_VENDOR_CLASS, b"")
    if len(vendor) >= 6:
        text = text_or_hex(vendor[6 : 6 + int.from_bytes(vendor[4:6], "big")])
        yield "dhcpv6.vendor_class", f"{int.from_bytes(vendor[:4], 'big')}:{text}"
    user = options.get(_USER_CLASS, b"")
    if len(user) > 2:
        yield "dhcpv6.user_class", text_or_hex(user[2 : 2 + int.from_bytes(user[:2], "big")])


def _fqdn(value: bytes) -> str:
    """Return the name of option 39: a flags octet, then labels, perhaps without the root (RFC 4704 4)."""
    labels: list[bytes] = []
    offset = 1
    while offset < len(value) and 0 < value[offset] < 64:
        labels.append(value[offset + 1 : offset + 1 + value[offset]])
        offset += 1 + value[offset]
    return printable(b".".join(labels))


def _leased(segment: Segment, options: Options) -> Iterator[Evidence]:
    """Yield the address a reply grants, known by the MAC in the client's DUID where there is one."""
    association = options.get(_IA_NA, b"")
    if len(association) < 12:
        return
    inner, _ = _options(association, 12)
    address = ipv6_text(inner.get(_IA_ADDRESS, b"")[:16])
    if address is None:
        return
    duid = dict(duid_facts(options.get(_CLIENT_ID, b"")))
    # The receiver's MAC is the client's only on its own link, where replies go to link-local addresses.
    direct = segment.dst_ip is not None and segment.dst_ip.startswith("fe80:")
    mac = segment.dst_mac if direct and segment.payload[0] == _REPLY else duid.get("duid_mac")
    vlan, now = segment.vlan, segment.ts_ns
    yield Evidence(now, mac, address, vlan, "dhcpv6.address", address, SOURCE)
    if "duid" in duid:
        yield Evidence(now, mac, address, vlan, "dhcpv6.duid", duid["duid"], SOURCE)


DISSECTOR = Dhcpv6
