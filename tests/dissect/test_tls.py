from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from medwarden.dissect.tls import TlsDissector
from medwarden.dissect.tls_names import cipher_name, version_name
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]


def vector(data: bytes, width: int = 2) -> bytes:
    return len(data).to_bytes(width, "big") + data


def extension(kind: int, data: bytes) -> bytes:
    return struct.pack(">H", kind) + vector(data)


def handshake(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + vector(body, 3)


def records(message: bytes, version: int = 0x0301, size: int = 16384, kind: int = 22) -> bytes:
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(struct.pack(">BH", kind, version) + vector(piece) for piece in pieces)


def client_hello(name: bytes = b"Console.Example.org", versions: bytes = b"\x03\x04\x03\x03") -> bytes:
    extensions = (
        extension(0, vector(b"\0" + vector(name)))
        + extension(43, vector(versions, 1))
        + extension(16, vector(vector(b"h2", 1) + vector(b"http/1.1", 1)))
        + extension(13, vector(b"\x04\x03"))
    )
    body = (
        b"\x03\x03"
        + b"r" * 32
        + vector(b"s" * 32, 1)
        + vector(b"\x13\x01\xc0\x2f")
        + b"\x01\0"
        + vector(extensions)
    )
    return handshake(1, body)


def server_hello(version: bytes, cipher: bytes, extensions: bytes = b"", random: bytes = b"R" * 32) -> bytes:
    return handshake(2, version + random + vector(b"", 1) + cipher + b"\0" + vector(extensions))


def certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "monitor-3")])
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(7).not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
    signed = built.not_valid_after(datetime(2021, 1, 1, tzinfo=UTC)).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.DER)


def test_a_client_hello_in_many_records(converse: Converse) -> None:
    told = converse(TlsDissector, ("client", records(client_hello(), size=50)))
    (fingerprint,) = (value for field, value, _ in told if field == "tls.ja4")
    assert fingerprint.startswith("t13d0204h2_")
    assert told == {
        ("tls.sni", "console.example.org", "client"),
        ("tls.ja4", fingerprint, "client"),
        ("tls.client_versions", "TLS 1.2, TLS 1.3", "client"),
        ("tls.client_alpn", "h2", "client"),
        ("tls.client_alpn", "http/1.1", "client"),
    }


def test_a_server_of_tls_1_2_shows_its_certificate(converse: Converse) -> None:
    chain = vector(vector(certificate(), 3) + vector(b"another", 3), 3)
    said = server_hello(b"\x03\x03", b"\xc0\x2f", extension(16, vector(vector(b"h2", 1)))) + handshake(
        11, chain
    )
    told = converse(
        TlsDissector, ("server", records(said, 0x0303, 700) + b"\x16\x03\x03\x00\x04encrypted anyway")
    )
    assert {
        ("tls.version", "TLS 1.2", "server"),
        ("tls.cipher", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "server"),
        ("tls.alpn", "h2", "server"),
        ("tls.certificate_subject", "CN=monitor-3", "server"),
        ("tls.certificate_self_signed", "true", "server"),
        ("tls.certificate_not_after", "2021-01-01T00:00:00Z", "server"),
    } <= told


def test_tls_1_3_is_told_by_its_extension(converse: Converse) -> None:
    hello = server_hello(b"\x03\x03", b"\x13\x02", extension(43, b"\x03\x04"))
    told = converse(
        TlsDissector, ("server", records(hello, 0x0303) + b"\x14\x03\x03\x00\x01\x01" + b"\xff" * 40)
    )
    assert told == {("tls.version", "TLS 1.3", "server"), ("tls.cipher", "TLS_AES_256_GCM_SHA384", "server")}


@pytest.mark.parametrize(
    ("code", "name"), [(b"\x03\x00", "SSL 3.0"), (b"\x03\x01", "TLS 1.0"), (b"\x03\x02", "TLS 1.1")]
)
def test_old_versions(converse: Converse, code: bytes, name: str) -> None:
    told = converse(TlsDissector, ("server", records(server_hello(code, b"\x00\x04"), 0x0300)))
    assert told == {("tls.version", name, "server"), ("tls.cipher", "TLS_RSA_WITH_RC4_128_MD5", "server")}


def test_hellos_in_the_form_of_ssl_2(converse: Converse) -> None:
    hello = b"\x01\x03\x01\x00\x03\x00\x00\x00\x10\x01\x00\x80" + b"c" * 16
    told = converse(TlsDissector, ("client", struct.pack(">H", 0x8000 | len(hello)) + hello))
    assert told == {("tls.client_versions", "SSL 2.0, TLS 1.0", "client")}
    told = converse(TlsDissector, ("server", b"\x80\x20\x04\x00\x01\x00\x02" + bytes(20)))
    assert told == {("tls.version", "SSL 2.0", "server")}


def test_a_fatal_alert(converse: Converse) -> None:
    told = converse(
        TlsDissector, ("client", records(client_hello())), ("server", b"\x15\x03\x01\x00\x02\x02\x46")
    )
    assert ("tls.alert", "protocol_version", "server") in told


def test_a_second_hello_after_a_retry_changes_nothing(converse: Converse) -> None:
    retry_random = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
    retry = server_hello(b"\x03\x03", b"\x13\x01", extension(43, b"\x03\x04"), retry_random)
    told = converse(
        TlsDissector,
        ("client", records(client_hello())),
        ("server", records(retry)),
        ("client", records(client_hello(versions=b"\x03\x04"))),
    )
    assert len([fact for fact in told if fact[0] == "tls.ja4"]) == 1


@pytest.mark.parametrize(
    "payload",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\xff\xff" + b"x" * 20,
        records(handshake(1, b"\x03\x03" + b"r" * 20)),
        records(b"\x01\xff\xff\xff" + b"x" * 50),
        records(server_hello(b"\x03\x03", b"\xc0\x2f")),
    ],
)
def test_broken_bytes_of_a_client_are_malformed(converse: Converse, payload: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(TlsDissector, ("client", payload))


def test_recognition() -> None:
    assert TlsDissector.recognises(records(client_hello()), True)
    assert not TlsDissector.recognises(records(client_hello()), False)
    assert TlsDissector.recognises(records(server_hello(b"\x03\x03", b"\xc0\x2f")), False)
    assert not TlsDissector.recognises(b"\x16\x03", True)


def test_names() -> None:
    assert version_name(0x0302) == "TLS 1.1"
    assert version_name(0x7F12) == "0x7f12"
    assert cipher_name(0x1301) == "TLS_AES_128_GCM_SHA256"
    assert cipher_name(0xEEEE) == "0xeeee"
