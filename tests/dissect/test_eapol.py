from __future__ import annotations

import struct

import pytest

from medwarden.dissect.eapol import Eapol, public_identity
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport


def _facts(payload: bytes) -> dict[str, str]:
    segment = Segment(
        5, 1, Transport.ETHERNET, "02:00:00:00:00:10", "01:80:c2:00:00:03", None, None, 0, 0, None, True,
        payload, ethertype=0x888E,
    )  # fmt: skip
    return {fact.field: fact.value for fact in Eapol().feed(segment)}


def _eap(code: int, method: int, body: bytes = b"") -> bytes:
    eap = struct.pack("!BBHB", code, 1, 5 + len(body), method) + body
    return struct.pack("!BBH", 2, 0, len(eap)) + eap


@pytest.mark.parametrize(
    ("identity", "public"),
    [
        ("host/ct1.ward.test", "host/ct1.ward.test"),
        ("HOST/ct1", "HOST/ct1"),
        ("WARD\\CT1$", "WARD\\CT1$"),
        ("WARD\\miller", "WARD\\"),
        ("miller@ward.test", "@ward.test"),
        ("miller@", ""),
        ("miller", ""),
        ("", ""),
    ],
)
def test_of_people_only_the_realm_is_public(identity: str, public: str) -> None:
    assert public_identity(identity) == public


def test_requests_and_keys_say_nothing_of_a_device() -> None:
    assert _facts(_eap(1, 1, b"who")) == {}
    assert _facts(b"\x02\x03\x00\x05" + bytes(5)) == {}


def test_a_start_shows_a_supplicant_and_a_refusal_no_method() -> None:
    assert _facts(b"\x01\x01\x00\x00") == {"eapol.role": "supplicant"}
    assert _facts(_eap(2, 3, b"\x19")) == {"eapol.role": "supplicant"}
    assert _facts(_eap(2, 99)) == {"eapol.role": "supplicant", "eapol.method": "99"}


@pytest.mark.parametrize(
    "payload", [b"", b"\x09\0\0\0", b"\x01\0\0\x09\x02", b"\x01\0\0\x05\x02\x01\0\x09\x01", _eap(2, 1)[:7]]
)
def test_lengths_must_agree(payload: bytes) -> None:
    with pytest.raises(MalformedInput):
        _facts(payload)
