"""Find the payload of a packet through VLANs, tunnels and extension headers, and make its checksums right.

IEEE 802.1Q; RFC 791, 8200, 9293, 768; RFC 2784 and 2890 (GRE), RFC 7348 (VXLAN), ERSPAN types II and III;
RFC 1071 (checksum). What is not understood is reported as opaque from where understanding ended.
"""

from __future__ import annotations

import struct
from enum import Enum

import msgspec

ETHERNET, RAW, LINUX_SLL, LINUX_SLL2, IPV4_ONLY, IPV6_ONLY, NULL = 1, 101, 113, 276, 228, 229, 0
_VLANS = frozenset((0x8100, 0x88A8, 0x9100))
_IPV4, _IPV6, _ARP, _LLDP, _EAPOL = 0x0800, 0x86DD, 0x0806, 0x88CC, 0x888E
_BRIDGED, _ERSPAN_2, _ERSPAN_3 = 0x6558, 0x88BE, 0x22EB
_ICMP, _IGMP, _IPIP, _TCP, _UDP, _IN_6, _GRE, _ICMP6 = 1, 2, 4, 6, 17, 41, 47, 58
_VXLAN_PORT = 4789
_MOST_LAYERS = 8


class Kind(Enum):
    """What was found at the end of the headers."""

    TCP = "tcp"
    UDP = "udp"
    HARMLESS = "harmless"  # machines about themselves: kept up to ``end``
    OPAQUE = "opaque"  # not understood, or a piece of something


class Layer(msgspec.Struct, frozen=True):
    """One IP header and what it carries: where it begins, where its transport does, where it ends."""

    version: int
    ip_at: int
    protocol: int
    at: int
    end: int
    whole: bool  # all of it was captured, and it is no fragment


class Found(msgspec.Struct):
    """What a packet holds: the payload at ``data[start:end]``, and who speaks to whom.

    ``layers`` are its IP headers, the outermost first. ``tags`` tell apart what may use the same
    addresses: VLANs and tunnels.
    """

    kind: Kind
    start: int
    end: int
    what: str = ""
    layers: list[Layer] = msgspec.field(default_factory=list)
    tags: tuple[int, ...] = ()
    source: bytes = b""
    target: bytes = b""
    source_port: int = 0
    target_port: int = 0
    sequence: int = 0
    flags: int = 0
    tcp_at: int = 0
    options: list[tuple[int, int]] = msgspec.field(default_factory=list)  # of headers, to be made empty


class _Walk:
    def __init__(self, data: bytes, linktype: int) -> None:
        self.data = data
        self.linktype = linktype
        self.layers: list[Layer] = []
        self.tags: list[int] = []
        self.options: list[tuple[int, int]] = []

    def opaque(self, at: int, what: str) -> Found:
        return Found(
            Kind.OPAQUE, min(at, len(self.data)), len(self.data), what, self.layers, tuple(self.tags)
        )

    def harmless(self, at: int, end: int, what: str) -> Found:
        end = min(end, len(self.data))
        return Found(Kind.HARMLESS, min(at, end), end, what, self.layers, tuple(self.tags))

    def walked(self) -> Found:
        """Walk from the link on, and note what of the headers must not stay."""
        found = self.link()
        # 0 ends the options of IPv4 and TCP, and pads those of IPv6 (RFC 791, 9293, 8200).
        found.options = [(start, end) for start, end in self.options if start < end <= found.end]
        return found

    def link(self) -> Found:
        data = self.data
        if self.linktype == ETHERNET:
            return self.ethernet(0)
        if self.linktype in (RAW, 12, 14, IPV4_ONLY, IPV6_ONLY):
            return self.ip(0)
        if self.linktype == LINUX_SLL and len(data) >= 16:
            return self.network(struct.unpack_from(">H", data, 14)[0], 16)
        if self.linktype == LINUX_SLL2 and len(data) >= 20:
            return self.network(struct.unpack_from(">H", data, 0)[0], 20)
        if self.linktype in (NULL, 108) and len(data) >= 4:
            return self.ip(4)
        return self.opaque(0, f"link type {self.linktype}")

    def ethernet(self, at: int) -> Found:
        data = self.data
        if len(data) - at < 14:
            return self.opaque(at, "short frame")
        kind = struct.unpack_from(">H", data, at + 12)[0]
        return self.network(kind, at + 14)

    def network(self, kind: int, at: int) -> Found:
        data = self.data
        while kind in _VLANS:
            if len(data) - at < 4:
                return self.opaque(at, "short frame")
            tag, kind = struct.unpack_from(">HH", data, at)
            self.tags.append(tag & 0xFFF)
            at += 4
        if kind in (_IPV4, _IPV6):
            expected = 4 if kind == _IPV4 else 6
            agrees = at < len(data) and data[at] >> 4 == expected
            return self.ip(at) if agrees else self.opaque(at, "no IP")
        if kind == _ARP:
            return self.harmless(at, at + 28, "arp")
        if kind == _LLDP:
            return self.harmless(at, _lldp_end(data, at), "lldp")
        if kind == _EAPOL:
            return self.harmless(at, at + 8, "eapol")
        if kind < 0x600 and data[at : at + 3] == b"\x42\x42\x03":
            return self.harmless(at, at + kind, "stp")
        if kind < 0x600 and data[at : at + 8] == b"\xaa\xaa\x03\x00\x00\x0c\x20\x00":
            return self.harmless(at, at + kind, "cdp")
        return self.opaque(at, f"ethertype 0x{kind:04x}")

    def ip(self, at: int) -> Found:
        if len(self.layers) >= _MOST_LAYERS:
            return self.opaque(at, "too many tunnels")
        version = self.data[at] >> 4 if at < len(self.data) else 0
        if version == 4:
            return self.ipv4(at)
        return self.ipv6(at) if version == 6 else self.opaque(at, "no IP")

    def ipv4(self, at: int) -> Found:
        data = self.data
        if len(data) - at < 20:
            return self.opaque(at, "short IP header")
        header = (data[at] & 15) * 4
        total, fragment = struct.unpack_from(">HxxH", data, at + 2)
        total = total or len(data) - at  # segmentation left to the network card
        if header < 20 or total < header or len(data) - at < header:
            return self.opaque(at, "bad IP header")
        self.options.append((at + 20, at + header))
        if header > 20 and _sum(data[at : at + header]) not in (0, 0xFFFF):
            # Hardly anybody has options; a damaged length would make headers of payload.
            return self.opaque(at + 20, "bad IP header")
        end = min(at + total, len(data))
        whole = at + total <= len(data) and not fragment & 0x3FFF
        self.layers.append(Layer(4, at, data[at + 9], at + header, end, whole))
        if fragment & 0x3FFF:
            return self.opaque(at + header, "fragment")
        return self.transport(
            data[at + 9], at + header, end, data[at + 12 : at + 16], data[at + 16 : at + 20]
        )

    def ipv6(self, at: int) -> Found:
        data = self.data
        if len(data) - at < 40:
            return self.opaque(at, "short IP header")
        length = struct.unpack_from(">H", data, at + 4)[0]
        end = min(at + 40 + length, len(data)) if length else len(data)
        whole = at + 40 + length <= len(data)
        following, place = data[at + 6], at + 40
        for _ in range(8):
            if following not in (0, 43, 60):
                break
            if end - place < 8:
                return self.opaque(place, "short IP header")
            following, size = data[place], 8 + data[place + 1] * 8
            self.options.append((place + 2, min(place + size, end)))
            place += size
        if place > end:
            return self.opaque(at + 40, "bad IP header")
        self.layers.append(Layer(6, at, following, place, end, whole and following != 44))
        if following == 44:
            return self.opaque(place + 8, "fragment")
        return self.transport(following, place, end, data[at + 8 : at + 24], data[at + 24 : at + 40])

    def transport(self, protocol: int, at: int, end: int, source: bytes, target: bytes) -> Found:
        data, size = self.data, end - at
        if protocol == _TCP and size >= 20:
            return self.tcp(at, end, source, target)
        if protocol == _UDP and size >= 8:
            return self.udp(at, end, source, target)
        if protocol == _GRE and size >= 4:
            return self.gre(at, end)
        if protocol in (_IPIP, _IN_6) and size >= 20:
            return self.ip(at)
        if protocol == _IGMP:
            return self.harmless(at, min(end, at + 8), "igmp")
        if protocol == _ICMP and size >= 8:
            return self.harmless(at, min(end, self.quoted(at, data[at] in (3, 4, 5, 11, 12), end)), "icmp")
        if protocol == _ICMP6 and size >= 8:
            if 133 <= data[at] <= 137:
                return self.harmless(at, end, "icmp6")
            return self.harmless(at, min(end, self.quoted(at, data[at] < 128, end)), "icmp6")
        return self.opaque(at, f"ip protocol {protocol}")

    def quoted(self, at: int, error: bool, end: int) -> int:
        """Return where an ICMP message must end: an error may quote an IP header and ports, no more."""
        inner = at + 8
        if not error or end - inner < 28:
            return inner
        if self.data[inner] >> 4 == 4:
            fragment = struct.unpack_from(">H", self.data, inner + 6)[0] & 0x1FFF
            header = (self.data[inner] & 15) * 4
            self.options.append((inner + 20, inner + header))
            ports = self.data[inner + 9] in (_TCP, _UDP) and not fragment
            return inner + header + (8 if ports else 0)
        if self.data[inner] >> 4 == 6 and end - inner >= 48 and self.data[inner + 6] in (_TCP, _UDP):
            return inner + 48
        return inner

    def tcp(self, at: int, end: int, source: bytes, target: bytes) -> Found:
        near, far, sequence = struct.unpack_from(">HHI", self.data, at)
        header = (self.data[at + 12] >> 4) * 4
        if header < 20 or at + header > end:
            return self.opaque(at + 20, "bad TCP header")
        if not _known_options(self.data[at + 20 : at + header]):
            return self.opaque(at + 20, "unknown TCP options")
        found = Found(
            Kind.TCP, at + header, end, "tcp", self.layers, tuple(self.tags), source, target, near, far
        )
        found.sequence, found.flags, found.tcp_at = sequence, self.data[at + 13], at
        return found

    def udp(self, at: int, end: int, source: bytes, target: bytes) -> Found:
        near, far, length = struct.unpack_from(">HHH", self.data, at)
        stop = min(end, at + length) if length >= 8 else end
        if far == _VXLAN_PORT and stop - at >= 16 + 14 and self.data[at + 8] & 0x08:
            self.tags.append(0x1000000 | int.from_bytes(self.data[at + 12 : at + 15], "big"))
            return self.ethernet(at + 16)
        return Found(Kind.UDP, at + 8, stop, "udp", self.layers, tuple(self.tags), source, target, near, far)

    def gre(self, at: int, end: int) -> Found:
        flags, kind = struct.unpack_from(">HH", self.data, at)
        if flags & 0x7:
            return self.opaque(at + 4, "gre version")
        inner = (
            at
            + 4
            + (4 if flags & 0x8000 else 0)
            + (4 if flags & 0x2000 else 0)
            + (4 if flags & 0x1000 else 0)
        )
        if inner > end:
            return self.opaque(at + 4, "bad GRE header")
        self.tags.append(0x2000000 | kind)
        if flags & 0x8000:
            return self.opaque(inner, "gre with checksum")
        if kind in (_IPV4, _IPV6):
            return self.ip(inner)
        if kind == _BRIDGED:
            return self.ethernet(inner)
        if kind == _ERSPAN_2:
            return self.ethernet(inner + (8 if flags & 0x1000 else 0))
        if kind == _ERSPAN_3 and inner + 12 <= end:
            return self.ethernet(inner + (20 if self.data[inner + 11] & 1 else 12))
        return self.opaque(inner, f"gre 0x{kind:04x}")


def find(data: bytes, linktype: int) -> Found:
    """Return what a captured packet holds; never raises."""
    return _Walk(data, linktype).walked()


def _known_options(options: bytes) -> bool:
    """Tell whether TCP options are those of RFC 9293 and 7323 and SACK, each of its length: numbers alone."""
    at = 0
    while at < len(options):
        kind = options[at]
        if kind == 0:
            return not any(options[at:])
        if kind == 1:
            at += 1
            continue
        if at + 2 > len(options):
            return False
        length = options[at + 1]
        known = {2: (4,), 3: (3,), 4: (2,), 5: (10, 18, 26, 34), 8: (10,)}.get(kind, ())
        if length not in known or at + length > len(options):
            return False
        at += length
    return True


def _lldp_end(data: bytes, at: int) -> int:
    """Return where the LLDPDU ends (IEEE 802.1AB section 8.5): with its End TLV, or at a broken one."""
    if data[at : at + 1] != b"\x02":
        return at  # a Chassis ID comes first
    while at + 2 <= len(data):
        head = struct.unpack_from(">H", data, at)[0]
        stop = at + 2 + (head & 0x1FF)
        if head == 0 or stop > len(data):
            return at + 2 if head == 0 else at
        at = stop
    return at


def fix_checksums(out: bytearray, layers: list[Layer]) -> None:
    """Compute every checksum of ``layers`` anew, the innermost first.

    What was not captured whole gets 0: the old sum would tell something of what is gone.
    """
    for layer in reversed(layers):
        place = {_TCP: 16, _UDP: 6, _ICMP: 2, _ICMP6: 2, _IGMP: 2}.get(layer.protocol)
        if place is not None and layer.at + place + 2 <= layer.end:
            _fix_transport(out, layer, layer.at + place)
        if layer.version == 4:
            header = (out[layer.ip_at] & 15) * 4
            out[layer.ip_at + 10 : layer.ip_at + 12] = b"\0\0"
            total = _sum(bytes(out[layer.ip_at : layer.ip_at + header]))
            struct.pack_into(">H", out, layer.ip_at + 10, total)


def _fix_transport(out: bytearray, layer: Layer, place: int) -> None:
    end = layer.end
    if layer.protocol == _UDP:
        length = struct.unpack_from(">H", out, layer.at + 4)[0]
        if out[place : place + 2] == b"\0\0" and layer.version == 4:
            return  # sent without one
        if length >= 8:
            if layer.at + length > layer.end:
                out[place : place + 2] = b"\0\0"
                return
            end = layer.at + length
    out[place : place + 2] = b"\0\0"
    if not layer.whole:
        return
    pseudo = b""
    if layer.protocol in (_TCP, _UDP, _ICMP6):
        at = layer.ip_at
        addresses = bytes(out[at + 12 : at + 20] if layer.version == 4 else out[at + 8 : at + 40])
        pseudo = addresses + struct.pack(">II", end - layer.at, layer.protocol)
    total = _sum(pseudo + bytes(out[layer.at : end]))
    if layer.protocol == _UDP and total == 0:
        total = 0xFFFF
    struct.pack_into(">H", out, place, total)


def _sum(data: bytes) -> int:
    """Return the Internet checksum of ``data`` (RFC 1071)."""
    if len(data) & 1:
        data += b"\0"
    # The remainder of the whole number is the sum of its words with the carries added in.
    total = int.from_bytes(data, "big") % 0xFFFF
    if total == 0 and any(data):
        total = 0xFFFF
    return 0xFFFF - total
