from __future__ import annotations

import pytest

from medwarden.dissect.stp import Stp
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

ROOT, BRIDGE = bytes.fromhex("0200 5e00 0001"), bytes.fromhex("0200 5e00 0002")


def frame(kind: int, bridge: bytes, cost: int, version: int = 0) -> bytes:
    priority = b"\x80\0"
    body = b"\0\0" + bytes((version, kind, 0)) + priority + ROOT + cost.to_bytes(4, "big") + priority + bridge
    return b"\x42\x42\x03" + body + b"\x80\x01\0\0\x14\0\x02\0\x0f\0"


def told(payload: bytes) -> dict[str, str]:
    segment = Segment(
        1,
        1,
        Transport.ETHERNET,
        "02:00:5e:00:00:02",
        "01:80:c2:00:00:00",
        None,
        None,
        0,
        0,
        None,
        True,
        payload,
    )
    return {fact.field: fact.value for fact in Stp().feed(segment)}


def test_the_root_knows_itself() -> None:
    assert told(frame(0, ROOT, 0))["stp.role"] == "root"
    assert told(frame(0, BRIDGE, 4)) == {
        "stp.role": "bridge",
        "stp.version": "STP",
        "stp.bridge": "02:00:5e:00:00:02",
        "stp.root": "02:00:5e:00:00:01",
    }


def test_a_change_and_other_frames() -> None:
    assert told(b"\x42\x42\x03\0\0\0\x80") == {"stp.role": "bridge"}
    assert told(b"\xaa\xaa\x03\0\0\x0c\x20\0") == {}


@pytest.mark.parametrize("payload", [frame(0, BRIDGE, 4)[:30], frame(9, BRIDGE, 4), b"\x42\x42\x03\0\0"])
def test_broken_frames(payload: bytes) -> None:
    with pytest.raises(MalformedInput):
        told(payload)
