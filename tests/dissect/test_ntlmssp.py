from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.ntlmssp import facts_of_token
from medwarden.kernel.errors import MalformedInput

UNICODE_AND_VERSION = 0x02000001


def fields(at: int, *values: bytes) -> tuple[list[bytes], bytes]:
    """Return the length/offset triples of ``values`` laid out from ``at`` on, and their bytes."""
    triples = []
    payload = b""
    for value in values:
        triples.append(struct.pack("<HHI", len(value), len(value), at + len(payload)))
        payload += value
    return triples, payload


def negotiate(
    domain: bytes, workstation: bytes, version: bytes = bytes([6, 1, 0xB1, 0x1D, 0, 0, 0, 15])
) -> bytes:
    triples, payload = fields(40, domain, workstation)
    head = struct.pack("<8sII", b"NTLMSSP\0", 1, 0x02000000)
    return head + triples[0] + triples[1] + version + payload


def challenge(target: str, pairs: list[tuple[int, str]]) -> bytes:
    info = b"".join(struct.pack("<HH", k, len(v) * 2) + v.encode("utf-16-le") for k, v in pairs) + bytes(4)
    triples, payload = fields(56, target.encode("utf-16-le"), info)
    head = (
        struct.pack("<8sI", b"NTLMSSP\0", 2)
        + triples[0]
        + struct.pack("<I8s8s", UNICODE_AND_VERSION, b"c" * 8, bytes(8))
    )
    return head + triples[1] + bytes([10, 0, 0x63, 0x45, 0, 0, 0, 15]) + payload


def authenticate(domain: str, user: str, workstation: str) -> bytes:
    values = [v.encode("utf-16-le") for v in (domain, user, workstation)]
    triples, payload = fields(72, *values, b"lmlm", b"ntnt", b"")
    head = (
        struct.pack("<8sI", b"NTLMSSP\0", 3)
        + triples[3]
        + triples[4]
        + triples[0]
        + triples[1]
        + triples[2]
        + triples[5]
    )
    return head + struct.pack("<I", UNICODE_AND_VERSION) + bytes([6, 1, 0xB1, 0x1D, 0, 0, 0, 15]) + payload


def test_a_client_says_its_names() -> None:
    assert facts_of_token(negotiate(b"WARD", b"CT-CONSOLE")) == [
        ("ntlmssp.domain", "WARD"),
        ("ntlmssp.workstation", "CT-CONSOLE"),
        ("ntlmssp.os_version", "6.1.7601"),
    ]


def test_a_server_says_its_names_in_a_spnego_wrapper() -> None:
    pairs = [
        (2, "HOSPITAL"),
        (1, "PACS01"),
        (4, "hospital.example"),
        (3, "pacs01.hospital.example"),
        (7, "xxxx"),
    ]
    told = facts_of_token(b"\xa1\x81\xc4\x30" + challenge("HOSPITAL", pairs))
    assert told == [
        ("ntlmssp.os_version", "10.0.17763"),
        ("ntlmssp.domain", "HOSPITAL"),
        ("ntlmssp.computer", "PACS01"),
        ("ntlmssp.dns_domain", "hospital.example"),
        ("ntlmssp.dns_computer", "pacs01.hospital.example"),
    ]


def test_the_user_is_never_told() -> None:
    told = facts_of_token(authenticate("HOSPITAL", "nurse.jones", "WS-17"))
    assert told == [
        ("ntlmssp.domain", "HOSPITAL"),
        ("ntlmssp.workstation", "WS-17"),
        ("ntlmssp.os_version", "6.1.7601"),
    ]


def test_fields_beyond_the_end_are_malformed() -> None:
    message = negotiate(b"WARD", b"CT-CONSOLE")
    with pytest.raises(MalformedInput, match="beyond"):
        facts_of_token(message[:-3])
    with pytest.raises(MalformedInput, match="no message of type 9"):
        facts_of_token(b"NTLMSSP\0\x09\0\0\0")


@given(st.binary(max_size=120), st.integers(1, 3))
def test_any_bytes_give_facts_or_malformed_input(rest: bytes, kind: int) -> None:
    try:
        told = facts_of_token(struct.pack("<8sI", b"NTLMSSP\0", kind) + rest)
    except MalformedInput:
        return
    assert all(field.startswith("ntlmssp.") and value for field, value in told)
