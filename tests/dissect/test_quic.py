from __future__ import annotations

import struct

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.quic import _VERSIONS, QuicDissector, initial_keys
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

V1, V2 = 0x00000001, 0x6B3343CF
CONNECTION_ID = bytes.fromhex("8394c8f03e515708")


def vector(data: bytes, width: int = 2) -> bytes:
    return len(data).to_bytes(width, "big") + data


def integer(value: int) -> bytes:
    return bytes([value]) if value < 64 else struct.pack(">H", 0x4000 | value)


def client_hello(padding: int = 0) -> bytes:
    extensions = b"".join(
        struct.pack(">H", kind) + vector(data)
        for kind, data in [
            (0, vector(b"\0" + vector(b"Updates.Example.org"))),
            (16, vector(vector(b"h3", 1))),
            (43, vector(b"\x03\x04", 1)),
            (21, bytes(padding)),
        ]
    )
    body = b"\x03\x03" + b"r" * 32 + b"\0" + vector(b"\x13\x01") + b"\x01\0" + vector(extensions)
    return b"\x01" + vector(body, 3)


def crypto(data: bytes, offset: int = 0) -> bytes:
    return b"\x06" + integer(offset) + integer(len(data)) + data


def initial(frames: bytes, version: int = V1, number: int = 2, destination: bytes = CONNECTION_ID) -> bytes:
    """Return a protected Initial packet in a datagram of 1,200 bytes (RFC 9001 section 5)."""
    described = _VERSIONS[version]
    keys = initial_keys(destination, described)
    header = struct.pack(">BI", 0xC3 | described.initial << 4, version) + vector(destination, 1) + b"\0\0"
    frames = frames.ljust(1200 - len(header) - 2 - 4 - 16, b"\0")
    number_bytes = struct.pack(">I", number)
    header += struct.pack(">H", 0x4000 | len(frames) + 4 + 16) + number_bytes
    nonce = (int.from_bytes(keys.iv, "big") ^ number).to_bytes(12, "big")
    sealed = AESGCM(keys.key).encrypt(nonce, frames, header)
    mask = Cipher(algorithms.AES(keys.header), modes.ECB()).encryptor().update(sealed[:16])
    hidden = bytes(a ^ b for a, b in zip(number_bytes, mask[1:5], strict=True))
    return bytes([header[0] ^ (mask[0] & 0x0F)]) + header[1:-4] + hidden + sealed


def told_by(dissector: QuicDissector, *datagrams: bytes) -> set[tuple[str, str]]:
    told = set()
    for payload in datagrams:
        segment = Segment(0, 1, Transport.UDP, None, None, "c", "s", 5000, 443, None, True, payload)
        told |= {(fact.field, fact.value) for fact in dissector.feed(segment)}
    return told


def test_the_keys_of_the_published_examples() -> None:
    """RFC 9001 appendix A.1 and RFC 9369 appendix A.1."""
    first = initial_keys(CONNECTION_ID, _VERSIONS[V1])
    assert first.key.hex() == "1f369613dd76d5467730efcbe3b1a22d"
    assert first.iv.hex() == "fa044b2f42a3fd3b46fb255c"
    assert first.header.hex() == "9f50449e04a0e810283a1e9933adedd2"
    second = initial_keys(CONNECTION_ID, _VERSIONS[V2])
    assert second.key.hex() == "8b1a0bc121284290a29e0971b5cd045d"
    assert second.iv.hex() == "91f73e2351d8fa91660e909f"
    assert second.header.hex() == "45b95e15235d6f45a6b19cbcb0294ba9"


@pytest.mark.parametrize(("version", "name"), [(V1, "1"), (V2, "2")])
def test_a_hello_in_one_packet(version: int, name: str) -> None:
    told = dict(told_by(QuicDissector(), initial(crypto(client_hello()), version)))
    assert told["quic.ja4"].startswith("q13d0104h3_")
    assert told == {
        "quic.version": name,
        "quic.sni": "updates.example.org",
        "quic.alpn": "h3",
        "quic.tls_versions": "TLS 1.3",
        "quic.ja4": told["quic.ja4"],
    }


def test_a_hello_in_pieces_out_of_order_over_two_datagrams() -> None:
    hello = client_hello(padding=1100)
    first = crypto(hello[300:700], 300) + b"\x01\x02\0\0\0\0" + crypto(hello[:300])
    second = b"\0\0" + crypto(hello[700:], 700)
    dissector = QuicDissector()
    assert told_by(dissector, initial(first)) == {("quic.version", "1")}
    assert ("quic.sni", "updates.example.org") in told_by(dissector, initial(second, number=3))


def test_unfinished_hellos_are_bounded() -> None:
    dissector = QuicDissector()
    for number in range(1100):
        told_by(dissector, initial(crypto(client_hello()[:40]), destination=struct.pack(">Q", number)))
    assert len(dissector._waiting) <= 1024


def test_a_packet_sealed_with_other_keys_shows_only_its_version() -> None:
    packet = bytearray(initial(crypto(client_hello())))
    packet[-1] ^= 1
    assert told_by(QuicDissector(), bytes(packet)) == {("quic.version", "1")}


def test_a_server_is_not_read_with_the_keys_of_a_client() -> None:
    segment = Segment(0, 1, Transport.UDP, None, None, "s", "c", 443, 5000, None, False, initial(b""))
    assert [(fact.field, fact.ip) for fact in QuicDissector().feed(segment)] == [("quic.version", "s")]


def test_other_versions_and_short_headers_tell_nothing() -> None:
    assert told_by(QuicDissector(), b"\xc0\xff\0\0\x1d" + bytes(1200), b"\x40" + bytes(50), b"") == set()


def test_lengths_beyond_the_datagram_are_malformed() -> None:
    with pytest.raises(MalformedInput):
        told_by(QuicDissector(), initial(crypto(client_hello()))[:900])
    with pytest.raises(MalformedInput):
        told_by(QuicDissector(), initial(b"\x06\0\x7f\xff"))


@given(st.binary(max_size=1300), st.integers(0, 3))
def test_any_bytes_give_facts_or_malformed_input(rest: bytes, kind: int) -> None:
    try:
        told_by(QuicDissector(), bytes([0xC0 | kind << 4]) + b"\0\0\0\x01" + rest)
    except MalformedInput as error:
        assert error.source in ("quic", "tls")


@given(st.binary(max_size=300))
def test_any_frames_give_facts_or_malformed_input(frames: bytes) -> None:
    try:
        told_by(QuicDissector(), initial(frames))
    except MalformedInput as error:
        assert error.source in ("quic", "tls")
