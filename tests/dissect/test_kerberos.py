from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.kerberos import KerberosDissector
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Converse = Callable[..., set[tuple[str, str, str]]]

AS_REQ, AS_REP, ERROR = 0x6A, 0x6B, 0x7E


def tlv(tag: int, *contents: bytes) -> bytes:
    body = b"".join(contents)
    length = bytes([len(body)]) if len(body) < 128 else b"\x82" + len(body).to_bytes(2, "big")
    return bytes([tag]) + length + body


def number(value: int) -> bytes:
    return tlv(2, bytes([value]))


def principal(*names: str) -> bytes:
    return tlv(0x30, tlv(0xA0, number(1)), tlv(0xA1, tlv(0x30, *(tlv(0x1B, n.encode()) for n in names))))


def request(client: tuple[str, ...], service: tuple[str, ...]) -> bytes:
    address = tlv(0x30, tlv(0xA0, number(20)), tlv(0xA1, tlv(4, b"CT-CONSOLE     \x20")))
    body = tlv(
        0x30,
        tlv(0xA0, tlv(3, b"\0\x40\x81\0\x10")),
        tlv(0xA1, principal(*client)),
        tlv(0xA2, tlv(0x1B, b"HOSPITAL.EXAMPLE")),
        tlv(0xA3, principal(*service)),
        tlv(0xA8, tlv(0x30, number(18), number(23))),
        tlv(0xA9, tlv(0x30, address)),
    )
    return tlv(AS_REQ, tlv(0x30, tlv(0xA1, number(5)), tlv(0xA2, number(10)), tlv(0xA4, body)))


def reply(client: str) -> bytes:
    return tlv(
        AS_REP,
        tlv(
            0x30,
            tlv(0xA0, number(5)),
            tlv(0xA3, tlv(0x1B, b"HOSPITAL.EXAMPLE")),
            tlv(0xA4, principal(client)),
        ),
    )


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(4, "big") + message


def test_a_machine_logs_in(converse: Converse) -> None:
    told = converse(
        KerberosDissector,
        ("client", framed(request(("CT-1$",), ("cifs", "pacs01.hospital.example")))),
        ("server", framed(reply("CT-1$"))),
    )
    assert told == {
        ("kerberos.realm", "HOSPITAL.EXAMPLE", "client"),
        ("kerberos.host", "CT-1", "client"),
        ("kerberos.service", "cifs/pacs01.hospital.example", "client"),
        ("kerberos.encryption_types", "aes256-cts, rc4-hmac", "client"),
        ("kerberos.netbios_address", "CT-CONSOLE", "client"),
        ("kerberos.realm", "HOSPITAL.EXAMPLE", "server"),
        ("kerberos.role", "client", "client"),
        ("kerberos.role", "kdc", "server"),
    }


def test_people_are_not_named(converse: Converse) -> None:
    told = converse(
        KerberosDissector,
        ("client", framed(request(("jane.doe",), ("krbtgt", "HOSPITAL.EXAMPLE")))),
        ("server", framed(reply("jane.doe"))),
    )
    assert {field for field, _, _ in told} == {
        "kerberos.realm",
        "kerberos.encryption_types",
        "kerberos.netbios_address",
        "kerberos.role",
    }


def test_a_host_principal_and_an_error_in_datagrams(datagram: Converse) -> None:
    assert ("kerberos.host", "mri", "client") in datagram(
        KerberosDissector, "client", request(("host", "mri"), ("krbtgt", "H"))
    )
    error = tlv(ERROR, tlv(0x30, tlv(0xA0, number(5)), tlv(0xA9, tlv(0x1B, b"H.EXAMPLE"))))
    assert datagram(KerberosDissector, "server", error) == {
        ("kerberos.realm", "H.EXAMPLE", "server"),
        ("kerberos.role", "kdc", "server"),
    }


def test_a_large_message_is_passed_over(converse: Converse) -> None:
    big = (70000).to_bytes(4, "big") + bytes(70000)
    told = converse(KerberosDissector, ("client", big + framed(request(("CT-1$",), ("host", "x")))))
    assert ("kerberos.host", "CT-1", "client") in told


@pytest.mark.parametrize(
    "data", [b"\xff\xff\xff\xff", framed(b"\x6a\x05\x30"), framed(reply("x"))[:-1] + b"\xff" * 9]
)
def test_broken_messages_are_malformed(converse: Converse, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(KerberosDissector, ("server", data))


def test_recognition() -> None:
    assert KerberosDissector.recognises(request(("a",), ("b",)), True)
    assert KerberosDissector.recognises(framed(reply("a")), False)
    assert not KerberosDissector.recognises(b"GET / HTTP/1.1\r\n", True)


@given(st.binary(max_size=120), st.integers(0, 300))
def test_damaged_requests_give_facts_or_malformed_input(noise: bytes, at: int) -> None:
    message = bytearray(request(("CT-1$",), ("cifs", "x")))
    at %= len(message)
    message[at : at + len(noise)] = noise
    segment = Segment(0, 1, Transport.UDP, None, None, "c", "s", 5000, 88, None, True, bytes(message))
    try:
        told = list(KerberosDissector().feed(segment))
    except MalformedInput as error:
        assert error.source == "kerberos"
    else:
        assert all(fact.value for fact in told)
