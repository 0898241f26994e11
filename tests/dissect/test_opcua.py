from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from medwarden.dissect.opcua import OpcuaDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]

NONE = b"http://opcfoundation.org/UA/SecurityPolicy#None"
STRONG = b"http://opcfoundation.org/UA/SecurityPolicy#Basic256Sha256"


def string(value: bytes | None) -> bytes:
    return struct.pack("<i", -1) if value is None else struct.pack("<i", len(value)) + value


def message(kind: bytes, body: bytes) -> bytes:
    return kind + b"F" + struct.pack("<I", len(body) + 8) + body


def hello() -> bytes:
    return message(b"HEL", struct.pack("<5I", 0, 65535, 65535, 0, 0) + string(b"opc.tcp://ahu-1:4840/"))


def opening(policy: bytes, certificate: bytes | None = None) -> bytes:
    return message(
        b"OPN", struct.pack("<I", 1) + string(policy) + string(certificate) + string(None) + b"sealed"
    )


def application(name: bytes) -> bytes:
    names = b"\x03" + string(b"en") + string(name)
    return string(b"urn:ahu-1:server") + string(b"http://example.org/ahu") + names + struct.pack("<I", 0)


def service(kind: int, body: bytes) -> bytes:
    return message(b"MSG", struct.pack("<4I", 1, 1, 2, 2) + b"\x01\0" + struct.pack("<H", kind) + body)


def create_session() -> bytes:
    header = b"\0\0" + struct.pack("<QII", 0, 1, 0) + string(b"audit") + struct.pack("<I", 0) + b"\0\0\0"
    return service(461, header + application(b"Historian"))


def endpoints() -> bytes:
    header = struct.pack("<QII", 0, 1, 0) + b"\0" + struct.pack("<i", -1) + b"\0\0\0"
    return service(
        431, header + struct.pack("<i", 1) + string(b"opc.tcp://ahu-1:4840/") + application(b"AHU 1")
    )


def test_unprotected_applications_describe_themselves(converse: Converse) -> None:
    told = converse(
        OpcuaDissector,
        ("client", hello()),
        ("server", message(b"ACK", struct.pack("<5I", 0, 1, 1, 1, 1))),
        ("client", opening(NONE) + create_session()),
        ("server", opening(NONE) + endpoints()),
    )
    assert told == {
        ("opcua.endpoint_url", "opc.tcp://ahu-1:4840/", "server"),
        ("opcua.security_policy", "None", "client"),
        ("opcua.security_policy", "None", "server"),
        ("opcua.application_uri", "urn:ahu-1:server", "client"),
        ("opcua.product_uri", "http://example.org/ahu", "client"),
        ("opcua.application_name", "Historian", "client"),
        ("opcua.application_uri", "urn:ahu-1:server", "server"),
        ("opcua.product_uri", "http://example.org/ahu", "server"),
        ("opcua.application_name", "AHU 1", "server"),
    }


def test_a_protected_channel_shows_its_certificate_and_no_more(converse: Converse) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ahu-1")])
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(7).not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
    signed = built.not_valid_after(datetime(2031, 1, 1, tzinfo=UTC)).sign(key, hashes.SHA256())
    der = signed.public_bytes(serialization.Encoding.DER)
    told = converse(OpcuaDissector, ("server", opening(STRONG, der) + endpoints()))
    assert told == {
        ("opcua.security_policy", "Basic256Sha256", "server"),
        ("opcua.certificate_subject", "CN=ahu-1", "server"),
        ("opcua.certificate_not_after", "2031-01-01T00:00:00Z", "server"),
    }


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"HELF\x07\0\0\0",
        message(b"HEL", bytes(20) + b"\x09\0\0\0x"),
        opening(NONE)[:8] + b"\0" * 200,
        opening(STRONG, b"no DER"),
    ],
)
def test_broken_messages_are_malformed(converse: Converse, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(OpcuaDissector, ("client", data))


def test_recognition() -> None:
    assert OpcuaDissector.recognises(hello(), True)
    assert not OpcuaDissector.recognises(hello(), False)
