from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from medwarden.dissect.knx import KnxDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]


def frame(service: int, body: bytes) -> bytes:
    return struct.pack(">HHH", 0x0610, service, 6 + len(body)) + body


DEVICE = (
    b"\x36\x01\x20\x00\x11\x05\x00\x00\x00\x83\x01\x02\x03\x04\xe0\x00\x17\x0c"
    + b"\x02\x00\x5e\x00\x00\x07" + b"IP Router Trakt S\xfcd".ljust(30, b"\0")
)  # fmt: skip


def test_a_description(datagram: Converse) -> None:
    told = datagram(KnxDissector, "server", frame(0x0204, DEVICE + b"\x04\xfe\x00\x83"))
    assert told == {
        ("knx.role", "server", "server"),
        ("knx.medium", "IP", "server"),
        ("knx.address", "1.1.5", "server"),
        ("knx.serial_number", "008301020304", "server"),
        ("knx.manufacturer_id", "131", "server"),
        ("knx.mac", "02:00:5e:00:00:07", "server"),
        ("knx.friendly_name", "IP Router Trakt Süd", "server"),
    }


def test_over_tcp_frames_follow_each_other(converse: Converse) -> None:
    ask = frame(0x0203, b"\x08\x02" + b"\0" * 6)
    told = converse(KnxDissector, ("client", ask + ask), ("server", frame(0x0204, DEVICE)))
    assert {("knx.role", "client", "client"), ("knx.medium", "IP", "server")} <= told


def test_telegrams_show_a_router_and_nothing_else(datagram: Converse) -> None:
    telegram = frame(0x0530, b"\x29\x00\xbc\xd0\x11\x05\x0a\x03\x01\x00\x81")
    assert datagram(KnxDissector, "client", telegram) == {("knx.role", "router", "client")}


@pytest.mark.parametrize(
    "payload",
    [
        b"\x06\x10\x02\x04\x00\xff",
        frame(0x0204, DEVICE[:30]),
        frame(0x0204, b"\x20\x01" + b"\0" * 30),
        b"\x06",
    ],
)
def test_broken_frames(datagram: Converse, payload: bytes) -> None:
    with pytest.raises(MalformedInput):
        datagram(KnxDissector, "server", payload)


def test_recognition_wants_the_stated_length() -> None:
    whole = frame(0x0204, DEVICE)
    assert KnxDissector.recognises(whole, False)
    assert not KnxDissector.recognises(whole[:-1], False)
    assert not KnxDissector.recognises(b"\x06\x20" + whole[2:], False)
