from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, NameOID

from medwarden.dissect.x509 import facts_of_certificate
from medwarden.kernel.errors import MalformedInput


def certificate(
    common_name: str,
    *names: x509.GeneralName,
    issuer: str | None = None,
    extension: x509.ExtensionType | None = None,
) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())

    def named(value: str) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, value),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ACME"),
            ]
        )

    builder = (
        x509.CertificateBuilder()
        .subject_name(named(common_name))
        .issuer_name(named(issuer or common_name))
        .public_key(key.public_key())
        .serial_number(0x1234ABCD)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2030, 6, 1, 12, tzinfo=UTC))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if extension is not None:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def test_a_device_certificate() -> None:
    der = certificate("pump-17", x509.DNSName("pump-17.example"), x509.IPAddress(ip_address("192.0.2.7")))
    told = set(facts_of_certificate(der, True))
    assert told >= {
        ("tls.certificate_subject", "CN=pump-17, O=ACME"),
        ("tls.certificate_issuer", "CN=pump-17, O=ACME"),
        ("tls.certificate_san", "pump-17.example"),
        ("tls.certificate_san", "192.0.2.7"),
        ("tls.certificate_serial", "1234abcd"),
        ("tls.certificate_not_after", "2030-06-01T12:00:00Z"),
        ("tls.certificate_key", "EC secp256r1"),
        ("tls.certificate_self_signed", "true"),
    }


def test_a_person_at_a_client_stays_unnamed() -> None:
    by_an_authority = certificate("Jane Doe", x509.RFC822Name("jane.doe@example.org"), issuer="Staff CA")
    by_herself = certificate("Jane Doe")
    for der in (by_an_authority, by_herself):
        told = facts_of_certificate(der, False)
        assert told
        assert not [value for _, value in told if "ane" in value]
    assert ("tls.certificate_issuer", "CN=Staff CA, O=ACME") in facts_of_certificate(by_an_authority, False)


def test_a_machine_at_a_client_is_named() -> None:
    der = certificate("ct-1", x509.DNSName("ct-1.example"), issuer="Device CA")
    told = dict(facts_of_certificate(der, False))
    assert told["tls.certificate_subject"] == "CN=ct-1, O=ACME"
    assert "tls.certificate_self_signed" not in told


def test_broken_certificates_are_malformed() -> None:
    der = certificate("x")
    with pytest.raises(MalformedInput):
        facts_of_certificate(der[:-1], True)
    with pytest.raises(MalformedInput):
        facts_of_certificate(b"", True)


def test_a_version_that_does_not_exist_is_malformed() -> None:
    version_3, version_6 = b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05"
    der = certificate("pump-17")
    assert der.count(version_3) == 1
    with pytest.raises(MalformedInput):
        facts_of_certificate(der.replace(version_3, version_6), True)


def test_a_name_of_a_kind_nobody_reads_hides_only_names() -> None:
    x400_address = b"\x30\x02\xa3\x00"
    names = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, x400_address)
    told = facts_of_certificate(certificate("pump-18", extension=names), True)
    assert ("tls.certificate_subject", "CN=pump-18, O=ACME") in told
    assert "tls.certificate_san" not in dict(told)
