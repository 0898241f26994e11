"""Facts of an X.509 certificate shown in a TLS handshake, read once per distinct certificate.

RFC 5280 sections 4.1 and 4.2.1.6. A certificate that names a machine (DNS name, IP address or URI) or is
shown by a server is a device's; one that names only a person (a smart card at a client) gives no names.
"""

from __future__ import annotations

import hashlib
import warnings
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID

from medwarden.kernel.errors import MalformedInput

FIELDS = (
    "tls.certificate_subject",
    "tls.certificate_issuer",
    "tls.certificate_san",
    "tls.certificate_serial",
    "tls.certificate_not_after",
    "tls.certificate_key",
    "tls.certificate_self_signed",
    "tls.certificate_sha256",
)

_REMEMBERED = 2048
_MOST_NAMES = 16
_PARTS = (
    (NameOID.COMMON_NAME, "CN"),
    (NameOID.ORGANIZATIONAL_UNIT_NAME, "OU"),
    (NameOID.ORGANIZATION_NAME, "O"),
    (NameOID.LOCALITY_NAME, "L"),
    (NameOID.COUNTRY_NAME, "C"),
)

Facts = tuple[tuple[str, str], ...]


@lru_cache(maxsize=_REMEMBERED)
def facts_of_certificate(der: bytes, of_server: bool) -> Facts:
    """Return what the DER certificate says of who shows it.

    Raises MalformedInput when the bytes are no certificate. The last 2,048 distinct certificates are
    remembered.
    """
    with warnings.catch_warnings():
        # Devices in use show certificates with faults (serial 0, wrong encodings) that only warn.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        warnings.simplefilter("ignore", UserWarning)
        try:
            certificate = x509.load_der_x509_certificate(der)
            return _read(certificate, hashlib.sha256(der).hexdigest(), of_server)
        except (ValueError, UnsupportedAlgorithm, TypeError, x509.InvalidVersion) as error:
            raise MalformedInput("x509", f"not a certificate: {error}") from error


def _read(certificate: x509.Certificate, digest: str, of_server: bool) -> Facts:
    machines = _machine_names(certificate)
    facts: list[tuple[str, str]] = []
    if of_server or machines:
        facts.append(("tls.certificate_subject", _name(certificate.subject)))
        facts += [("tls.certificate_san", name) for name in machines]
    facts += [
        ("tls.certificate_issuer", _name(certificate.issuer)),
        ("tls.certificate_serial", f"{certificate.serial_number:x}"),
        ("tls.certificate_not_after", certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")),
        ("tls.certificate_key", _key(certificate)),
        ("tls.certificate_sha256", digest),
    ]
    if certificate.subject == certificate.issuer:
        facts.append(("tls.certificate_self_signed", "true"))
        if not (of_server or machines):
            facts = [fact for fact in facts if fact[0] != "tls.certificate_issuer"]
    return tuple(fact for fact in facts if fact[1])


def _name(name: x509.Name) -> str:
    parts = [
        f"{label}={attribute.value if isinstance(attribute.value, str) else attribute.value.hex()}"
        for oid, label in _PARTS
        for attribute in name.get_attributes_for_oid(oid)
    ]
    return ", ".join(parts)


def _machine_names(certificate: x509.Certificate) -> list[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        # One name of a kind that cannot be read (an X.400 address) hides the others; the rest still stands.
        return []
    names = extension.value
    found = [
        *names.get_values_for_type(x509.DNSName),
        *(str(address) for address in names.get_values_for_type(x509.IPAddress)),
        *names.get_values_for_type(x509.UniformResourceIdentifier),
    ]
    return found[:_MOST_NAMES]


def _key(certificate: x509.Certificate) -> str:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return certificate.public_key_algorithm_oid.dotted_string
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    return type(key).__name__.removeprefix("_").removesuffix("PublicKey")
