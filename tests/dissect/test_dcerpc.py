from __future__ import annotations

import struct
import uuid
from collections.abc import Callable

import pytest

from medwarden.dissect.dcerpc import INTERFACES, DcerpcDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]

NAMES = {name: identifier for identifier, name in INTERFACES.items()}


def pdu(kind: int, body: bytes, token: bytes = b"", flags: int = 3) -> bytes:
    trailer = b"\x0a\x02\0\0\0\0\0\0" + token if token else b""
    length = 16 + len(body) + len(trailer)
    return struct.pack("<BBBBIHHI", 5, 0, kind, flags, 0x10, length, len(token), 1) + body + trailer


def bind(*names: str, token: bytes = b"", kind: int = 11) -> bytes:
    body = struct.pack("<HHIB3x", 5840, 5840, 0, len(names))
    for number, name in enumerate(names):
        body += (
            struct.pack("<HBB", number, 1, 0) + uuid.UUID(NAMES[name]).bytes_le + b"\x01\0\0\0" + b"n" * 20
        )
    return pdu(kind, body, token)


def ack(*results: int) -> bytes:
    body = struct.pack("<HHIH", 5840, 5840, 1, 4) + b"135\0" + b"\0\0" + struct.pack("<B3x", len(results))
    return pdu(12, body + b"".join(struct.pack("<HH", result, 0) + b"n" * 20 for result in results))


def test_what_is_refused_is_not_offered(converse: Converse) -> None:
    told = converse(DcerpcDissector, ("client", bind("samr", "svcctl")), ("server", ack(2, 0)))
    assert told == {
        ("dcerpc.uses", "samr", "client"),
        ("dcerpc.uses", "svcctl", "client"),
        ("dcerpc.offers", "svcctl", "server"),
    }


def test_calls_are_passed_over_however_long(converse: Converse) -> None:
    call = pdu(0, b"secret" * 400)
    told = converse(
        DcerpcDissector, ("client", bind("samr") + call + bind("lsarpc", kind=14)), ("server", ack(0))
    )
    assert {("dcerpc.uses", "samr", "client"), ("dcerpc.uses", "lsarpc", "client")} <= told


def test_whole_calls_leave_the_place_in_the_stream(converse: Converse) -> None:
    call, other = pdu(0, b"secret" * 9), bind("lsarpc", kind=14)
    told = converse(
        DcerpcDissector,
        *(("client", bind("samr")), ("client", call), ("client", call[:20]), ("client", call[20:])),
        *(("client", call), ("client", other[:30]), ("client", other[30:])),
    )
    assert told == {("dcerpc.uses", "samr", "client"), ("dcerpc.uses", "lsarpc", "client")}
    hidden = pdu(0, bind("svcctl"))  # what stands in a call is no bind
    assert converse(
        DcerpcDissector, ("client", bind("samr")), ("client", hidden[:16]), ("client", hidden[16:])
    ) == {("dcerpc.uses", "samr", "client")}


def test_names_in_the_log_in(converse: Converse) -> None:
    token = b"NTLMSSP\0\x01\0\0\0" + struct.pack("<IHHIHHI", 0x2000, 4, 4, 36, 4, 4, 32) + b"WS-7WARD"
    assert ("ntlmssp.workstation", "WS-7", "client") in converse(
        DcerpcDissector, ("client", bind("samr", token=token))
    )


def test_recognition_is_strict() -> None:
    assert DcerpcDissector.recognises(bind("samr"), True)
    assert DcerpcDissector.recognises(ack(0), False)
    assert not DcerpcDissector.recognises(bind("samr"), False)
    assert not DcerpcDissector.recognises(b"\x05\0\x0b\x03\x99" + b"\0" * 30, True)
    assert not DcerpcDissector.recognises(b"\x05\0", True)


@pytest.mark.parametrize(
    "data",
    [
        b"\x05\0\x0b\x03\x10\0\0\0\x05\0\0\0\0\0\0\0",
        b"\x05\0\x63\x03" + b"\0" * 12,
        pdu(11, b"\0" * 8 + b"\x20"),
    ],
)
def test_broken_fragments(converse: Converse, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(DcerpcDissector, ("client", data))


def test_identifiers_are_well_formed_and_told_apart() -> None:
    assert all(str(uuid.UUID(identifier)) == identifier for identifier in INTERFACES)
    assert len(INTERFACES) > 40
