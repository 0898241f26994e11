from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from medwarden.dissect.sunrpc import SunrpcDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]


def call(program: int, xid: int = 5, credential: bytes = b"") -> bytes:
    head = struct.pack(">IIIIII", xid, 0, 2, program, 3, 0)
    return head + struct.pack(">II", 1 if credential else 0, len(credential)) + credential + b"\0" * 8


def record(message: bytes) -> bytes:
    return struct.pack(">I", 0x80000000 | len(message)) + message


def reply(xid: int, status: int = 0) -> bytes:
    return record(struct.pack(">IIIIII", xid, 1, status, 0, 0, 0))


def test_what_is_denied_is_not_offered(converse: Converse) -> None:
    told = converse(SunrpcDissector, ("client", record(call(100003))), ("server", reply(5, status=1)))
    assert told == {("sunrpc.uses", "nfs 3", "client")}


def test_files_that_are_written_are_passed_over(converse: Converse) -> None:
    written = call(100003, xid=6) + b"Doe, Jane" * 3000
    told = converse(
        SunrpcDissector, ("client", record(written) + record(call(100005, xid=7))), ("server", reply(7))
    )
    assert told == {
        ("sunrpc.uses", "nfs 3", "client"),
        ("sunrpc.uses", "mountd 3", "client"),
        ("sunrpc.offers", "mountd 3", "server"),
    }


@pytest.mark.parametrize(
    "message",
    [
        struct.pack(">IIII", 1, 0, 3, 1) + b"\0" * 24,
        struct.pack(">III", 1, 7, 2),
        call(1, credential=b"\0" * 4 + b"\0\0\0\xff" + b"a"),
    ],
)
def test_broken_messages(converse: Converse, message: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(SunrpcDissector, ("client", record(message)))


def test_recognition() -> None:
    assert SunrpcDissector.recognises(call(100000), True)
    assert SunrpcDissector.recognises(record(call(100000)), True)
    assert not SunrpcDissector.recognises(call(99), True)
    assert not SunrpcDissector.recognises(call(100000), False)
