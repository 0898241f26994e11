from __future__ import annotations

import struct

import pytest

from medwarden.dissect.cdp import Cdp
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value) + 4) + value


def _facts(*items: bytes, head: bytes = b"\x02\xb4\0\0") -> list[tuple[str, str]]:
    segment = Segment(
        5, 1, Transport.ETHERNET, "02:00:00:00:00:10", "01:00:0c:cc:cc:cc", None, None, 0, 0, None, True,
        head + b"".join(items), ethertype=0x2000,
    )  # fmt: skip
    return [(fact.field, fact.value) for fact in Cdp().feed(segment)]


def test_padding_of_the_frame_is_no_harm() -> None:
    assert _facts(_item(1, b"sw1"), bytes(20)) == [("cdp.device_id", "sw1")]


def test_a_count_of_addresses_is_believed_only_as_far_as_there_are_some() -> None:
    one = bytes.fromhex("0101cc0004c0000263")
    assert _facts(_item(2, b"\xff\xff\xff\xff" + one)) == [("cdp.address", "192.0.2.99")]
    assert _facts(_item(2, b"\0\0\0\1" + one[:-2])) == []


def test_a_version_of_many_lines_becomes_one() -> None:
    assert _facts(_item(5, b"IOS 15\nCopyright\n")) == [("cdp.version", "IOS 15 Copyright")]


@pytest.mark.parametrize("head", [b"", b"\x02\xb4", b"\x09\xb4\0\0"])
def test_other_versions_are_malformed(head: bytes) -> None:
    with pytest.raises(MalformedInput, match="version"):
        _facts(head=head)
