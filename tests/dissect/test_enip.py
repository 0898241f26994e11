from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from medwarden.dissect.enip import EnipDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]

NAME = b"1756-EN2T/B"


def encapsulated(command: int, data: bytes, context: bytes = b"ctx00001") -> bytes:
    return struct.pack("<HHII8sI", command, len(data), 0, 0, context, 0) + data


def identity() -> bytes:
    return struct.pack("<HHHBBHIB", 1, 12, 166, 5, 28, 0x0030, 0x00A1B2C3, len(NAME)) + NAME


def items(*listed: tuple[int, bytes]) -> bytes:
    return struct.pack("<H", len(listed)) + b"".join(struct.pack("<HH", k, len(v)) + v for k, v in listed)


def list_identity() -> bytes:
    return encapsulated(
        0x63, items((0x0C, struct.pack("<H16s", 1, b"\0\x02\xaf\x12") + identity() + b"\x03"))
    )


def rr_data(cip: bytes, context: bytes = b"ctx00001") -> bytes:
    return encapsulated(0x6F, b"\0\0\0\0\x05\0" + items((0, b""), (0xB2, cip)), context)


TOLD = {
    ("enip.product_name", "1756-EN2T/B", "server"),
    ("enip.vendor_id", "1", "server"),
    ("enip.device_type", "12", "server"),
    ("enip.product_code", "166", "server"),
    ("enip.revision", "5.28", "server"),
    ("enip.serial_number", "00a1b2c3", "server"),
}


def test_an_answer_to_list_identity(converse: Converse, datagram: Converse) -> None:
    assert datagram(EnipDissector, "server", list_identity()) == TOLD
    assert datagram(EnipDissector, "client", encapsulated(0x63, b"")) == set()
    assert converse(EnipDissector, ("client", encapsulated(0x63, b"")), ("server", list_identity())) == TOLD


def test_a_read_of_the_identity_object(converse: Converse) -> None:
    told = converse(
        EnipDissector,
        ("client", rr_data(b"\x01\x02\x20\x01\x24\x01")),
        ("server", rr_data(b"\x81\0\0\0" + identity())),
    )
    assert told == TOLD


def test_a_read_of_another_object_or_an_error_tells_nothing(converse: Converse) -> None:
    other = ("client", rr_data(b"\x01\x02\x20\x04\x24\x01")), ("server", rr_data(b"\x81\0\0\0" + identity()))
    assert converse(EnipDissector, *other) == set()
    failed = ("client", rr_data(b"\x01\x02\x20\x01\x24\x01")), ("server", rr_data(b"\x81\0\x08\0"))
    assert converse(EnipDissector, *failed) == set()


@pytest.mark.parametrize(
    "data",
    [b"\xff" * 24, encapsulated(0x63, items((0x0C, b"short"))), encapsulated(0x63, b"\x02\0\x0c\0\xff\0")],
)
def test_broken_messages_are_malformed(converse: Converse, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(EnipDissector, ("server", data))


def test_recognition() -> None:
    assert EnipDissector.recognises(list_identity(), False)
    assert not EnipDissector.recognises(list_identity()[:-1], False)
