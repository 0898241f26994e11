from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from medwarden.dissect.dnp3 import Dnp3Dissector, crc
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]


def test_the_check_sum_is_that_of_the_standard() -> None:
    # IEEE 1815-2012 annex E gives this header as its example.
    assert crc(bytes.fromhex("056405c001000004")) == 0x21E9


def test_headers_of_real_captures_fit_their_check_sums(shared: Path) -> None:
    data = (shared / "captures" / "proto" / "dnp3" / "icsnpp-dnp3__traces_dnp3_example.pcap").read_bytes()
    starts = [at for at in range(len(data) - 10) if data[at : at + 2] == b"\x05\x64"]
    fitting = [
        at for at in starts if crc(data[at : at + 8]) == int.from_bytes(data[at + 8 : at + 10], "little")
    ]
    assert len(fitting) > 100
    assert len(fitting) >= 0.99 * len(starts)


def frame(control: int, body: bytes = b"") -> bytes:
    head = b"\x05\x64" + bytes((5 + len(body), control, 1, 0, 2, 0))
    out = head + crc(head).to_bytes(2, "little")
    return out + (body + crc(body).to_bytes(2, "little") if body else b"")


def test_several_frames_in_one_datagram(datagram: Converse) -> None:
    assert datagram(Dnp3Dissector, "client", frame(0xC0) + frame(0xC0)) == {
        ("dnp3.role", "master", "client"),
        ("dnp3.address", "2", "client"),
    }


@pytest.mark.parametrize(
    "payload",
    [
        frame(0xC0)[:-1] + b"\0",
        b"\x05\x64\x02" + b"\0" * 7,
        frame(0x44, b"\xc0\xc0")[:-1],
        frame(0x44, b"ab")[:-1] + b"\0",
    ],
)
def test_broken_frames(datagram: Converse, payload: bytes) -> None:
    with pytest.raises(MalformedInput):
        datagram(Dnp3Dissector, "server", payload)
