"""Which packets are sound, and what their flows are called."""

from __future__ import annotations

import struct

import pytest
from tests.flowcore.packets import (
    ACK,
    CLIENT,
    CLIENT_MAC,
    SERVER,
    SERVER_MAC,
    START,
    ethernet,
    ipv4,
    ipv6,
    mac,
    tcp,
    udp,
    udp_frame,
)

from medwarden.flowcore import FlowCore, FlowCoreConfig

ETHERNET = 1
Row = dict[str, object]


def only_flow(data: bytes, linktype: int = ETHERNET, config: FlowCoreConfig | None = None) -> Row:
    """Feed one packet that must be sound, and return its flow."""
    core = FlowCore(config)
    core.packet(START, linktype, data)
    assert (core.parsed, core.rejected) == (1, 0), core.reasons
    batch = core.take_flows(final=True)
    batch.validate(full=True)
    assert batch.num_rows == 1
    row: Row = batch.to_pylist()[0]
    return row


def reason(data: bytes, linktype: int = ETHERNET) -> str:
    """Feed one packet that must be rejected, and return why it was."""
    core = FlowCore()
    core.packet(START, linktype, data)
    assert (core.parsed, core.rejected) == (0, 1)
    assert core.take_flows(final=True).num_rows == 0
    ((name, count),) = core.reasons.items()
    assert count == 1
    return name


PLAIN = ipv4(udp(b"hello", 40_000, 5000), 17)
SIX = ipv6(udp(b"hello", 40_000, 5000), 17)


@pytest.mark.parametrize(
    ("linktype", "data"),
    [
        (1, ethernet(PLAIN)),
        (0, struct.pack("<I", 2) + PLAIN),
        (0, struct.pack(">I", 2) + PLAIN),
        (108, struct.pack(">I", 2) + PLAIN),
        (12, PLAIN),
        (14, PLAIN),
        (101, PLAIN),
        (228, PLAIN),
        (9, b"\xff\x03\x00\x21" + PLAIN),
        (9, b"\x00\x21" + PLAIN),
        (104, b"\x0f\x00\x08\x00" + PLAIN),
        (113, struct.pack("!HHH", 0, 1, 6) + mac(CLIENT_MAC) + b"\0\0\x08\0" + PLAIN),
        (276, struct.pack("!HHIHBB", 0x800, 0, 2, 1, 0, 6) + mac(CLIENT_MAC) + b"\0\0" + PLAIN),
    ],
)
def test_link_layers_lead_to_the_same_conversation(linktype: int, data: bytes) -> None:
    row = only_flow(data, linktype)
    assert (row["client_ip"], row["client_port"]) == (CLIENT, 40_000)
    assert (row["server_ip"], row["server_port"]) == (SERVER, 5000)
    assert (row["ip_protocol"], row["bytes_out"], row["payload_out"]) == (17, 33, 5)
    assert row["client_mac"] == (CLIENT_MAC if linktype in (1, 113, 276) else None)
    assert row["server_mac"] == (SERVER_MAC if linktype == 1 else None)


@pytest.mark.parametrize(
    ("linktype", "data"),
    [
        (1, ethernet(SIX, 0x86DD)),
        (0, struct.pack("<I", 10) + SIX),
        (0, struct.pack("<I", 30) + SIX),
        (101, SIX),
        (229, SIX),
        (113, struct.pack("!HHH", 0, 1, 0) + bytes(8) + b"\x86\xdd" + SIX),
    ],
)
def test_ipv6_behind_every_link_layer(linktype: int, data: bytes) -> None:
    row = only_flow(data, linktype)
    assert (row["client_ip"], row["server_ip"]) == ("2001:db8::1", "2001:db8::2")
    assert (row["bytes_out"], row["payload_out"], row["ttl_out"]) == (53, 5, 64)


@pytest.mark.parametrize(
    ("tags", "vlan"),
    [
        ([(0x8100, 42)], 42),
        ([(0x8100, 0x6000 | 42)], 42),
        ([(0x88A8, 7), (0x8100, 42)], 7),
        ([(0x9100, 7), (0x8100, 42)], 7),
        ([(0x8100, 0)], 0),
    ],
)
def test_the_outermost_tag_is_the_vlan(tags: list[tuple[int, int]], vlan: int) -> None:
    row = only_flow(ethernet(PLAIN, tags=tags))
    assert row["vlan"] == vlan
    assert row["client_ip"] == CLIENT


def test_the_same_addresses_in_two_vlans_are_two_flows() -> None:
    core = FlowCore()
    for vlan in (1, 2):
        core.packet(START, ETHERNET, ethernet(PLAIN, tags=[(0x8100, vlan)]))
    assert sorted(core.take_flows(final=True).column("vlan").to_pylist()) == [1, 2]


def test_pppoe_and_mpls_are_stepped_over() -> None:
    session = struct.pack("!BBHHH", 0x11, 0, 1, len(PLAIN) + 2, 0x0021)
    labels = struct.pack("!II", 100 << 12 | 64, 200 << 12 | 1 << 8 | 64)
    for data in (ethernet(session + PLAIN, 0x8864), ethernet(labels + PLAIN, 0x8847)):
        assert only_flow(data)["client_ip"] == CLIENT


def vxlan(inner: bytes, vni: int = 5001) -> bytes:
    return udp(struct.pack("!II", 0x08000000, vni << 8) + inner, 55_000, 4789)


def gre(payload: bytes, protocol: int, flags: int = 0, extra: bytes = b"") -> bytes:
    return struct.pack("!HH", flags, protocol) + extra + payload


def erspan2(inner: bytes, session: int, vlan: int) -> bytes:
    return gre(struct.pack("!HHI", 0x1000 | vlan, session, 0) + inner, 0x88BE, 0x1000, bytes(4))


def erspan3(inner: bytes, session: int, platform: bool) -> bytes:
    head = struct.pack("!HHIHH", 0x2000, session, 0, 0, 1 if platform else 0)
    return gre(head + (bytes(8) if platform else b"") + inner, 0x22EB, 0x1000, bytes(4))


INNER = ethernet(ipv4(tcp(b"hi", 50_000, 104), 6, "192.168.7.1", "192.168.7.2"))
GTP = struct.pack("!BBHI", 0x30, 0xFF, len(PLAIN), 77)
GTP_MORE = struct.pack("!BBHIHBB", 0x34, 0xFF, len(PLAIN) + 8, 77, 0, 0, 0x85) + bytes((1, 0, 0, 0))
GENEVE = struct.pack("!BBHI", 1, 0, 0x6558, 9 << 8) + bytes(4)


@pytest.mark.parametrize(
    ("outer", "tunnel", "vlan"),
    [
        (ipv4(vxlan(INNER), 17), "vxlan:5001", None),
        (ipv4(udp(struct.pack("!II", 0x08000000, 1 << 8) + INNER, 9, 8472), 17), "vxlan:1", None),
        (ipv6(vxlan(INNER), 17), "vxlan:5001", None),
        (ipv4(udp(GENEVE + INNER, 9, 6081), 17), "geneve:9", None),
        (ipv4(gre(INNER, 0x6558), 47), "gre", None),
        (ipv4(gre(INNER, 0x6558, 0x2000, bytes(4)), 47), "gre", None),
        (ipv4(gre(INNER[14:], 0x0800, 0xB000, bytes(12)), 47), "gre", None),
        (ipv4(gre(INNER, 0x88BE), 47), "erspan:0", None),
        (ipv4(erspan2(INNER, 321, 12), 47), "erspan:321", 12),
        (ipv4(erspan3(INNER, 5, False), 47), "erspan:5", None),
        (ipv4(erspan3(INNER, 5, True), 47), "erspan:5", None),
        (ipv4(INNER[14:], 4), "ipip", None),
        (ipv4(udp(GTP + INNER[14:], 2152, 2152), 17), "gtp", None),
        (ipv4(udp(GTP_MORE + INNER[14:], 2152, 2152), 17), "gtp", None),
    ],
)
def test_tunnels_are_opened_and_named(outer: bytes, tunnel: str, vlan: int | None) -> None:
    six = outer[0] >> 4 == 6
    row = only_flow(ethernet(outer, 0x86DD if six else 0x0800))
    assert row["tunnel"] == tunnel
    assert (row["client_ip"], row["server_port"]) == ("192.168.7.1", 104)
    assert row["vlan"] == vlan


def test_ipv6_in_ipv4() -> None:
    row = only_flow(ethernet(ipv4(SIX, 41)))
    assert (row["tunnel"], row["client_ip"]) == ("6in4", "2001:db8::1")


def test_an_inner_tag_is_preferred_to_the_one_erspan_notes() -> None:
    tagged = ethernet(PLAIN, tags=[(0x8100, 99)])
    assert only_flow(ethernet(ipv4(erspan2(tagged, 1, 12), 47)))["vlan"] == 99


def test_the_tunnel_is_part_of_a_flow_s_identity() -> None:
    core = FlowCore()
    for vni in (1, 2):
        core.packet(START, ETHERNET, ethernet(ipv4(vxlan(INNER, vni), 17)))
    core.packet(START, ETHERNET, INNER)
    tunnels = core.take_flows(final=True).column("tunnel").to_pylist()
    assert sorted(tunnels, key=str) == [None, "vxlan:1", "vxlan:2"]


def test_what_a_tunnel_carries_unsoundly_leaves_the_tunnel_a_flow() -> None:
    row = only_flow(ethernet(ipv4(vxlan(b"\0" * 12 + b"\x08\x00" + b"\x4f" * 30), 17)))
    assert (row["tunnel"], row["server_port"], row["client_ip"]) == (None, 4789, CLIENT)
    assert row["client_mac"] == CLIENT_MAC


def test_tunnels_in_tunnels_end_at_four() -> None:
    packet = ipv4(udp(b"deep"), 17, "1.1.1.9", "1.1.1.8")
    for depth in range(6):
        packet = ipv4(packet, 4, f"10.0.{depth}.1", f"10.0.{depth}.2")
    row = only_flow(ethernet(packet))
    assert (row["client_ip"], row["ip_protocol"], row["tunnel"]) == ("10.0.1.1", 4, "ipip")


def test_ipv4_options_and_ipv6_extension_headers() -> None:
    assert only_flow(ethernet(ipv4(udp(b"hello"), 17, options=bytes(8))))["payload_out"] == 5
    chain = (
        bytes((60, 0))
        + bytes(6)  # hop by hop, then destination options
        + bytes((43, 1))
        + bytes(14)  # of 16 bytes, then routing
        + bytes((51, 0))
        + bytes(6)  # then authentication
        + bytes((17, 4))
        + bytes(22)  # of 24 bytes, then UDP
    )
    row = only_flow(ethernet(ipv6(chain + udp(b"hello", 40_000, 5000), 0), 0x86DD))
    assert (row["ip_protocol"], row["server_port"], row["payload_out"]) == (17, 5000, 5)


@pytest.mark.parametrize(
    ("protocol", "payload", "ports"),
    [
        (1, b"\x08\0\0\0\0\1\0\1ping", (0, 0)),
        (2, b"\x16\0\0\0\xe0\0\0\1", (0, 0)),
        (50, bytes(20), (0, 0)),
        (132, struct.pack("!HHII", 36_412, 38_412, 0, 0), (36_412, 38_412)),
        (112, bytes(20), (0, 0)),
    ],
)
def test_other_protocols_are_flows_too(protocol: int, payload: bytes, ports: tuple[int, int]) -> None:
    row = only_flow(ethernet(ipv4(payload, protocol)))
    assert row["ip_protocol"] == protocol
    assert (row["client_port"], row["server_port"]) == ports


def arp() -> bytes:
    request = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)
    return request + mac(CLIENT_MAC) + bytes((10, 0, 0, 1)) + bytes(6) + bytes((10, 0, 0, 2))


@pytest.mark.parametrize(
    ("frame", "ethertype", "payload"),
    [
        (ethernet(arp(), 0x0806), 0x0806, arp()),
        (ethernet(b"lldp", 0x88CC, tags=[(0x8100, 5)]), 0x88CC, b"lldp"),
        (ethernet(b"\xaa\xaa\x03\x00\x00\x0c\x20\x00cdp", 11), 0x2000, b"cdp"),
        (ethernet(b"\x42\x42\x03bpdu" + bytes(39), 7), 0, b"\x42\x42\x03bpdu"),
    ],
)
def test_frames_that_are_not_ip_are_handed_off_whole(frame: bytes, ethertype: int, payload: bytes) -> None:
    core = FlowCore(FlowCoreConfig(ethertypes=frozenset({0, 0x0806, 0x2000, 0x88CC})))
    core.packet(START, ETHERNET, frame)
    (segment,) = core.take_segments()
    assert (segment.transport.value, segment.ethertype, segment.payload) == ("eth", ethertype, payload)
    assert (segment.src_mac, segment.dst_mac) == (CLIENT_MAC, SERVER_MAC)
    assert (segment.src_ip, segment.src_port, segment.from_client) == (None, 0, True)
    (row,) = core.take_flows(final=True).to_pylist()
    assert (row["ip_protocol"], row["client_ip"], row["client_mac"]) == (-1, None, CLIENT_MAC)


def test_icmpv6_is_handed_off_as_the_ipv6_packet_it_is_in() -> None:
    core = FlowCore(FlowCoreConfig(ethertypes=frozenset({0x86DD})))
    packet = ipv6(b"\x87\0\0\0" + bytes(20), 58, hop_limit=255)
    core.packet(START, ETHERNET, ethernet(packet + b"padding", 0x86DD))
    core.packet(START, ETHERNET, ethernet(SIX, 0x86DD))
    icmp, datagram = core.take_segments()
    assert (icmp.ethertype, icmp.payload, icmp.src_ip) == (0x86DD, packet, "2001:db8::1")
    assert (datagram.ethertype, datagram.payload) == (0, b"hello")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "truncated_ethernet"),
        (bytes(13), "truncated_ethernet"),
        (ethernet(b"\0\1", 0x8100), "truncated_vlan"),
        (ethernet(b"\x11\0\0\1\0\5\0", 0x8864), "truncated_pppoe"),
        (ethernet(b"\0\0\0\0", 0x8847), "truncated_mpls"),
        (ethernet(arp()[:27], 0x0806), "truncated_arp"),
        (ethernet(b"\xaa\xaa", 2), "truncated_ethernet"),
        (ethernet(PLAIN[:19]), "truncated_ip"),
        (ethernet(b"\x65" + PLAIN[1:]), "bad_ip_header"),
        (ethernet(b"\x44" + PLAIN[1:]), "bad_ip_header"),
        (ethernet(ipv4(udp(b"x"), 17, total=19)), "bad_ip_length"),
        (ethernet(ipv4(udp(b"x"), 17, total=30)), "bad_ip_length"),
        (ethernet(SIX[:39], 0x86DD), "truncated_ip"),
        (ethernet(b"\x45" + SIX[1:], 0x86DD), "bad_ip_header"),
        (ethernet(SIX[:-1], 0x86DD), "bad_ip_length"),
        (ethernet(ipv6(bytes(7), 0), 0x86DD), "bad_ipv6_extension"),
        (ethernet(ipv6(b"\x11\x05" + bytes(20), 0), 0x86DD), "bad_ipv6_extension"),
        (ethernet(ipv4(bytes(100), 17, fragment=0x1FFF)), "bad_fragment"),
        (ethernet(ipv4(bytes(19), 6)), "truncated_tcp"),
        (ethernet(ipv4(tcp()[:12] + b"\x40" + tcp()[13:], 6)), "bad_tcp_header"),
        (ethernet(ipv4(tcp()[:12] + b"\xf0" + tcp()[13:], 6)), "bad_tcp_header"),
        (ethernet(ipv4(bytes(7), 17)), "truncated_udp"),
        (ethernet(ipv4(udp(b"abc", length=7), 17)), "bad_udp_length"),
        (ethernet(ipv4(udp(b"abc", length=12), 17)), "bad_udp_length"),
        (ethernet(ipv4(bytes(3), 1)), "truncated_icmp"),
        (ethernet(ipv4(bytes(11), 132)), "truncated_sctp"),
    ],
)
def test_unsound_headers_are_rejected_by_name(data: bytes, expected: str) -> None:
    assert reason(data) == expected


@pytest.mark.parametrize("linktype", [105, 127, 195, 249, -1, 70_000])
def test_link_types_that_are_not_known_are_said_so(linktype: int) -> None:
    assert reason(bytes(100), linktype) == "unsupported_link_type"


def test_a_payload_cut_by_the_capture_is_sound_and_counted_as_on_the_wire() -> None:
    frame = ethernet(ipv4(tcp(bytes(1000), flags=ACK), 6))
    core = FlowCore()
    core.packet(START, ETHERNET, frame[:60], len(frame))
    (row,) = core.take_flows(final=True).to_pylist()
    assert (row["bytes_out"], row["payload_out"]) == (1040, 1000)
    (segment,) = core.take_segments()
    assert segment.payload == bytes(6)


def test_padding_and_a_missing_total_length() -> None:
    assert only_flow(udp_frame(b"hi") + bytes(20))["payload_out"] == 2
    offloaded = ethernet(ipv4(tcp(bytes(3000)), 6, total=0))
    assert only_flow(offloaded)["payload_out"] == 3000


def test_a_time_that_cannot_be_rejects_the_packet() -> None:
    core = FlowCore()
    for ts in (-1, 2**63, 2**80):
        core.packet(ts, ETHERNET, udp_frame())
    assert core.reasons == {"bad_time": 3}
    assert core.first_ns is None


@pytest.mark.parametrize(
    "address",
    [
        "::", "::1", "1::", "2001:db8::1:0:0:1", "2001:0:0:1::1", "1:2:3:4:5:6:7:8", "fe80::ffff:0:1",
        "::ffff:102:304", "0:1:2:3:4:5:6:7", "1:0:2:3:4:5:6:7", "ff02::1:ff00:1",
    ],
)  # fmt: skip
def test_ipv6_addresses_are_written_as_rfc_5952_says(address: str) -> None:
    row = only_flow(ethernet(ipv6(udp(b"x"), 17, "2001:db8::5", address), 0x86DD))
    assert row["server_ip"] == address
