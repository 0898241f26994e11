"""Traps as packets: what a sensor makes of evidence that is borrowed or contradictory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import dpkt
from tests.flowcore import packets as made

from medwarden.app.study import study
from medwarden.model.device import Device

ROUTER, PROXY, PUMP = "00:1b:17:00:00:01", "00:50:56:00:00:10", "24:0a:c4:00:00:02"
AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36",
    "Dalvik/2.1.0 (Linux; U; Android 13; SM-G991B Build/TP1A)",
    "Roku/DVP-9.10 (519.10E04111A)",
)


def ethernet(frame: bytes, source: str) -> bytes:
    """Return a frame with another source address."""
    return frame[:6] + made.mac(source) + frame[12:]


def request(agent: str, port: int) -> list[bytes]:
    """Return a connection of three packets and one HTTP request."""
    text = f"GET / HTTP/1.1\r\nHost: example.org\r\nUser-Agent: {agent}\r\n\r\n".encode()
    return [
        made.tcp_frame(b"", src=port, dst=80, seq=99, flags=made.SYN),
        made.tcp_frame(b"", src=port, dst=80, seq=499, ack=100, flags=made.SYN | made.ACK, back=True),
        made.tcp_frame(text, src=port, dst=80, seq=100, ack=500, flags=made.ACK | made.PSH),
    ]


def discover(mac: str, vendor: str, name: str) -> bytes:
    """Return a DHCPDISCOVER (RFC 2131)."""
    message = dpkt.dhcp.DHCP(
        chaddr=made.mac(mac),
        opts=(
            (dpkt.dhcp.DHCP_OPT_MSGTYPE, bytes([dpkt.dhcp.DHCPDISCOVER])),
            (dpkt.dhcp.DHCP_OPT_VENDOR_ID, vendor.encode()),
            (dpkt.dhcp.DHCP_OPT_HOSTNAME, name.encode()),
            (dpkt.dhcp.DHCP_OPT_PARAM_REQ, bytes([1, 3, 6, 12, 15, 28, 42])),
        ),
    )
    return ethernet(made.udp_frame(bytes(message), src=68, dst=67), mac)


def seen(tmp_path: Path, frames: Iterable[bytes], mac: str) -> Device:
    """Return what a sensor makes of frames: the device of a MAC address."""
    path = tmp_path / "trap.pcap"
    path.write_bytes(made.pcap((made.START + i * made.SECOND, frame) for i, frame in enumerate(frames)))
    return next(device for device in study([path]).devices if mac in device.macs)


def unsure(device: Device, level: str) -> bool:
    """Tell whether a level abstains or is answered without being sure."""
    verdict = device.verdict(level)
    return verdict is None or verdict.label is None or verdict.confidence < 0.9


def test_the_agents_of_a_proxy_are_its_clients(tmp_path: Path) -> None:
    client, proxied = made.mac(made.CLIENT_MAC), made.mac(PROXY)
    frames = [
        frame.replace(client, proxied)
        for number, agent in enumerate(AGENTS)
        for frame in request(agent, 40_000 + number)
    ]
    proxy = seen(tmp_path, frames, PROXY)
    assert len(proxy.values("http.user_agent")) == len(AGENTS)
    assert unsure(proxy, "category")
    assert unsure(proxy, "os")
    assert proxy.model is None


def test_a_module_maker_and_a_shared_request_list_name_nothing(tmp_path: Path) -> None:
    device = seen(tmp_path, [discover(PUMP, "udhcp 1.24.1", "node-7")], PUMP)
    assert device.values("dhcp.parameter_request_list")
    assert device.category is None
    assert device.vendor is None
    assert device.model is None


def test_two_systems_behind_one_address_are_not_one(tmp_path: Path) -> None:
    frames = [discover(ROUTER, "android-dhcp-13", "a"), discover(ROUTER, "MSFT 5.0", "b")]
    device = seen(tmp_path, frames, ROUTER)
    assert {entry.value for entry in device.values("dhcp.vendor_class")} == {"android-dhcp-13", "MSFT 5.0"}
    assert unsure(device, "os")


def test_a_phone_with_a_made_up_address_has_no_maker_by_it(tmp_path: Path) -> None:
    mac = "da:a1:19:00:00:07"
    device = seen(tmp_path, [discover(mac, "android-dhcp-13", "")], mac)
    assert device.os == "Android"
    assert device.vendor is None
    assert device.device_class != "IoMT"


def test_a_name_that_people_chose_is_no_maker(tmp_path: Path) -> None:
    device = seen(tmp_path, [discover(PUMP, "udhcp 1.24.1", "philips")], PUMP)
    assert device.device_class != "IoMT"
    assert device.model is None
