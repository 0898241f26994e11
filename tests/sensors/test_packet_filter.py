from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.flowcore import packets as made

from medwarden.kernel.errors import ConfigurationError
from medwarden.sensors.capture_rewrite import pieces
from medwarden.sensors.packet_filter import MOST_INSTRUCTIONS, accepts, device_filter

ARP = (
    b"\0\1\x08\0\6\4\0\1"
    + made.mac("02:00:00:00:00:77")
    + bytes((10, 0, 0, 9))
    + bytes(6)
    + bytes((10, 0, 0, 1))
)


def test_addresses_of_the_device_in_either_direction() -> None:
    mine = device_filter((made.CLIENT_MAC,), ())
    assert accepts(mine, made.udp_frame())
    assert accepts(mine, made.udp_frame(back=True))
    other = made.ethernet(b"", src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    assert not accepts(mine, other)
    address = device_filter((), (made.CLIENT,))
    assert accepts(address, made.tcp_frame())
    assert accepts(address, made.tcp_frame(back=True))
    assert not accepts(address, made.tcp_frame(client="10.0.0.7"))
    assert accepts(address, made.ethernet(ARP, 0x0806))
    assert accepts(device_filter((), ("10.0.0.9",)), made.ethernet(ARP, 0x0806))
    assert not accepts(device_filter((), ("10.0.0.8",)), made.ethernet(ARP, 0x0806))


def test_behind_a_tag_and_over_ipv6() -> None:
    address = device_filter((), (made.CLIENT, "2001:db8::2"))
    for tag in (0x8100, 0x88A8):
        assert accepts(address, made.ethernet(made.ipv4(made.udp(), 17), tags=[(tag, 7)]))
        assert accepts(address, made.ethernet(made.ipv6(made.udp(), 17), 0x86DD, tags=[(tag, 7)]))
    assert accepts(address, made.ethernet(made.ipv6(made.udp(), 17), 0x86DD))
    assert accepts(address, made.ethernet(made.ipv6(made.udp(), 17, "2001:db8::2", "fe80::1"), 0x86DD))
    assert not accepts(address, made.ethernet(made.ipv6(made.udp(), 17, dst="2001:db8::3"), 0x86DD))


def test_what_cannot_be_filtered_by() -> None:
    for macs, ips in ((("x",), ()), ((), ("x",)), ((), ()), ((), tuple(f"10.0.0.{n}" for n in range(65)))):
        with pytest.raises(ConfigurationError):
            device_filter(macs, ips)
    most = device_filter(
        tuple(f"02:00:00:00:00:{n:02x}" for n in range(32)), tuple(f"2001:db8::{n}" for n in range(32))
    )
    assert len(most) <= MOST_INSTRUCTIONS


@given(st.binary(max_size=90))
def test_any_bytes_are_accepted_or_not(data: bytes) -> None:
    program = device_filter((made.CLIENT_MAC,), (made.CLIENT, "2001:db8::2"))
    assert accepts(program, data) in (True, False)
    assert not accepts(program, b"")


def test_tshark_agrees_over_real_captures(shared: Path) -> None:
    """The filter's meaning is that of ``ether host A or host B`` with one VLAN tag looked behind."""
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed")
    compared = 0
    for path in sorted((shared / "captures" / "made").glob("*.pcap"))[:3]:
        packets = [p.data for p in pieces(path) if p.linktype == 1]
        if not packets:
            continue
        hardware = ":".join(f"{b:02x}" for b in packets[0][6:12])
        command = [tshark, "-n", "-r", str(path), "-Tfields", "-eip.src", "-eipv6.src", "-eip.dst"]
        rows = (
            subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.decode().splitlines()
        )
        address = next(f for row in rows for f in row.split("\t")[:1] if f and "," not in f)
        ours = {
            n for n, data in enumerate(packets, 1) if accepts(device_filter((hardware,), (address,)), data)
        }
        wanted = (
            f"eth.addr=={hardware} || ip.addr=={address} || "
            f"arp.src.proto_ipv4=={address} || arp.dst.proto_ipv4=={address}"
        )
        command = [tshark, "-n", "-r", str(path), "-Y", wanted, "-Tfields", "-eframe.number"]
        theirs = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.split()
        # tshark also looks into the packets that ICMP errors quote.
        assert ours <= {int(number) for number in theirs}
        assert len(ours) > 0.95 * len(theirs)
        compared += len(ours)
    assert compared > 50
