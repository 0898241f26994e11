"""The console's TLS certificate: the operator's own, or one made at the first start."""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from medwarden.kernel.errors import ConfigurationError

_VALID = datetime.timedelta(days=397)  # the longest browsers accept
_RENEW_BEFORE = datetime.timedelta(days=30)


def console_certificate(home: Path) -> tuple[Path, Path]:
    """Return certificate and key files of the console, made anew when absent or about to expire.

    A certificate the operator put into ``tls/console.crt`` is used as it is, also when it has expired:
    replacing it is not ours. Raises ConfigurationError when only one of the two files is there or they
    cannot be read.
    """
    folder = home / "tls"
    certificate, key = folder / "console.crt", folder / "console.key"
    if certificate.exists() != key.exists():
        raise ConfigurationError(f"{folder} holds only one of console.crt and console.key: add or remove one")
    if certificate.exists() and not _is_ours_and_old(certificate):
        return certificate, key
    folder.mkdir(mode=0o700, exist_ok=True)
    _make(certificate, key)
    return certificate, key


def _is_ours_and_old(path: Path) -> bool:
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} is no readable PEM certificate ({error}): replace it") from error
    ours = any(
        name.value == "medwarden console"
        for name in found.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    )
    return ours and found.not_valid_after_utc - datetime.datetime.now(datetime.UTC) < _RENEW_BEFORE


def _make(certificate: Path, key: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    host = socket.gethostname() or "localhost"
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "medwarden console"),
            x509.NameAttribute(NameOID.COMMON_NAME, host[:64]),
        ]
    )
    names: list[x509.GeneralName] = [x509.DNSName(n) for n in dict.fromkeys(("localhost", host))]
    names += [x509.IPAddress(ipaddress.ip_address(a)) for a in ("127.0.0.1", "::1")]
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for path, data, mode in (
        (key, pem, 0o600),
        (certificate, signed.public_bytes(serialization.Encoding.PEM), 0o644),
    ):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
