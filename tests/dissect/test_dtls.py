from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from medwarden.dissect.dtls import DtlsDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]


def record(kind: int, body: bytes, start: int = 0, total: int | None = None, epoch: int = 0) -> bytes:
    size = (len(body) if total is None else total).to_bytes(3, "big")
    message = bytes((kind,)) + size + b"\0\0" + start.to_bytes(3, "big") + len(body).to_bytes(3, "big") + body
    return struct.pack(">BHHIHH", 22, 0xFEFD, epoch, 0, 0, len(message)) + message


HELLO = b"\xfe\xfd" + b"r" * 32 + b"\0" + b"\0" + b"\0\x02\xc0\x2b" + b"\x01\0"


def test_capwap_puts_four_octets_before(datagram: Converse) -> None:
    told = datagram(DtlsDissector, "client", b"\x01\0\0\0" + record(1, HELLO))
    assert ("dtls.client_versions", "DTLS 1.2", "client") in told


def test_a_fragment_and_what_is_encrypted_say_nothing(datagram: Converse) -> None:
    assert datagram(DtlsDissector, "client", record(1, HELLO, total=400)) == set()
    assert datagram(DtlsDissector, "client", record(1, HELLO, epoch=1)) == set()


@pytest.mark.parametrize(
    "payload", [record(1, HELLO)[:-4], record(1, HELLO[:20]), b"\x16\x03\x03" + b"\0" * 20]
)
def test_broken_records(datagram: Converse, payload: bytes) -> None:
    with pytest.raises(MalformedInput):
        datagram(DtlsDissector, "client", payload)


def test_recognition() -> None:
    assert DtlsDissector.recognises(record(1, HELLO), True)
    assert not DtlsDissector.recognises(record(11, HELLO), True)
    assert not DtlsDissector.recognises(b"\x16\xfe\xfd", True)
