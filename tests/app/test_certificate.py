"""The console's certificate: made once, renewed when ours and old, the operator's own left alone."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, NameOID

from medwarden.app.certificate import console_certificate
from medwarden.kernel.errors import ConfigurationError


def write(home: Path, organisation: str, days: int) -> bytes:
    """Put a certificate that ends in so many days into the folder and return it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - datetime.timedelta(days=400))
        .not_valid_after(now + datetime.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    (home / "tls").mkdir(parents=True, exist_ok=True)
    pem = signed.public_bytes(serialization.Encoding.PEM)
    (home / "tls" / "console.crt").write_bytes(pem)
    (home / "tls" / "console.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return pem


def test_one_is_made_for_this_machine_and_kept(tmp_path: Path) -> None:
    certificate, key = console_certificate(tmp_path)
    made = x509.load_pem_x509_certificate(certificate.read_bytes())
    names = made.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    assert isinstance(names, x509.SubjectAlternativeName)
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert ipaddress.ip_address("127.0.0.1") in names.get_values_for_type(x509.IPAddress)
    assert made.not_valid_after_utc - made.not_valid_before_utc < datetime.timedelta(days=398)
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    assert private.public_key() == made.public_key()
    assert key.stat().st_mode & 0o077 == 0
    before = certificate.read_bytes()
    assert console_certificate(tmp_path) == (certificate, key)
    assert certificate.read_bytes() == before


def test_ours_is_renewed_before_it_ends(tmp_path: Path) -> None:
    old = write(tmp_path, "medwarden console", days=10)
    certificate, _ = console_certificate(tmp_path)
    assert certificate.read_bytes() != old


@pytest.mark.parametrize(("organisation", "days"), [("a hospital", -1), ("medwarden console", 200)])
def test_the_operators_own_and_a_young_one_stay(tmp_path: Path, organisation: str, days: int) -> None:
    before = write(tmp_path, organisation, days)
    certificate, _ = console_certificate(tmp_path)
    assert certificate.read_bytes() == before


def test_half_a_pair_and_what_is_no_certificate_are_named(tmp_path: Path) -> None:
    write(tmp_path, "a hospital", 100)
    (tmp_path / "tls" / "console.crt").write_text("no certificate")
    with pytest.raises(ConfigurationError, match="no readable PEM certificate"):
        console_certificate(tmp_path)
    (tmp_path / "tls" / "console.key").unlink()
    with pytest.raises(ConfigurationError, match="only one of"):
        console_certificate(tmp_path)
