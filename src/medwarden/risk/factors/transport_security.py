"""Versions, ciphers and certificates of TLS."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import ClassVar

from medwarden.kernel.clock import to_datetime
from medwarden.model.device import Device
from medwarden.model.evidence import LedgerEntry
from medwarden.model.finding import Severity
from medwarden.risk.context import RiskContext
from medwarden.risk.factor import Advice, Group, Hit, RiskFactor
from medwarden.risk.facts import affirmed, from_ledger, named, said

_WEAK_CIPHER = re.compile(r"rc4|3des|(?<![a-z0-9])des(?![a-z0-9])|_des_|null|export|anon|md5", re.IGNORECASE)
_OLD = re.compile(r"^(ssl.*|tls ?v?1(\.[01])?|1\.[01]|0x0?30[0-2]|76[89]|770)$")
_MODERN = re.compile(r"^(tls ?v?1\.[23]|1\.[23]|0x0?30[34]|77[12])$")


def is_old(version: str) -> bool:
    """Tell whether a version, as a name or a code point, is below TLS 1.2 (RFC 8996)."""
    return bool(_OLD.match(version.strip().lower()))


def is_modern(version: str) -> bool:
    """Tell whether a version is TLS 1.2 or 1.3."""
    return bool(_MODERN.match(version.strip().lower()))


def day_of(value: str) -> date | None:
    """Return the day of an expiry as written by RFC 3339, ASN.1 or a number of seconds; None if neither."""
    text = value.strip()
    try:
        if text.isdigit() and len(text) <= 11:
            return datetime.fromtimestamp(int(text), UTC).date()
        return date.fromisoformat(text[:10])
    except (ValueError, OverflowError, OSError):
        pass
    for layout in ("%Y%m%d%H%M%SZ", "%y%m%d%H%M%SZ"):
        try:
            return datetime.strptime(text, layout).replace(tzinfo=UTC).date()
        except ValueError:
            continue
    return None


class OldTls:
    """TLS below 1.2 was agreed on."""

    id: ClassVar[str] = "old_tls"
    title: ClassVar[str] = "Outdated TLS version"
    group: ClassVar[Group] = Group.PROTOCOL
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.MEDIUM,
        title="TLS below version 1.2",
        fix="Allow only TLS 1.2 and 1.3 on the service (RFC 8996 withdraws the older ones); update "
        "the firmware "
        "where the maker has one.",
        meanwhile="put a TLS-terminating proxy in front of the service and let only the proxy reach it.",
        mitre=("T1557", "T1040"),
    )

    def judge(self, device: Device, _context: RiskContext) -> Hit | None:
        """Apply where the version agreed on is SSL 3.0, TLS 1.0 or TLS 1.1."""
        entries = said(device, "tls.version", where=is_old)
        if not entries:
            return None
        return Hit(
            f"Connections were made with {named(e.value for e in entries)}, withdrawn by RFC 8996.",
            from_ledger(entries),
        )


class WeakTlsCipher:
    """A cipher suite that is broken or does not encrypt was agreed on."""

    id: ClassVar[str] = "weak_tls_cipher"
    title: ClassVar[str] = "Weak TLS cipher"
    group: ClassVar[Group] = Group.PROTOCOL
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.MEDIUM,
        title="Weak TLS cipher agreed on",
        fix="Remove RC4, 3DES, DES, NULL, export and anonymous suites from the service's configuration.",
        meanwhile="let a TLS-terminating proxy speak to the clients and keep the weak hop inside "
        "one segment.",
        mitre=("T1040", "T1557"),
    )

    def judge(self, device: Device, _context: RiskContext) -> Hit | None:
        """Apply where the agreed suite uses RC4, DES, 3DES, NULL, export keys, anonymous keys or MD5."""
        entries = said(device, "tls.cipher", where=lambda v: bool(_WEAK_CIPHER.search(v)))
        if not entries:
            return None
        return Hit(f"The cipher suite {named(e.value for e in entries)} was agreed on.", from_ledger(entries))


class CertificateExpired:
    """A certificate past its date."""

    id: ClassVar[str] = "certificate_expired"
    title: ClassVar[str] = "Expired certificate"
    group: ClassVar[Group] = Group.CREDENTIALS
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.LOW,
        title="Expired TLS certificate",
        fix="Issue a new certificate from the hospital's own authority and enter its renewal in the "
        "calendar.",
        meanwhile="pin the known certificate on the clients that need the service.",
        mitre=("T1557",),
    )

    def judge(self, device: Device, _context: RiskContext) -> Hit | None:
        """Apply where every certificate with a readable date was shown after it had ended."""
        dated: list[tuple[date, LedgerEntry]] = []
        for entry in said(device, "tls.certificate_not_after"):
            day = day_of(entry.value)
            if day is not None:
                dated.append((day, entry))
        past = [entry for day, entry in dated if day < to_datetime(entry.last_seen).date()]
        if not past or len(past) < len(dated):
            return None  # a renewed certificate among them: the old one is history
        latest = max(day for day, _ in dated)
        return Hit(f"The certificate presented ended on {latest.isoformat()}.", from_ledger(past))


class CertificateSelfSigned:
    """A certificate that nobody vouches for."""

    id: ClassVar[str] = "certificate_self_signed"
    title: ClassVar[str] = "Self-signed certificate"
    group: ClassVar[Group] = Group.CREDENTIALS
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.LOW,
        title="Self-signed TLS certificate",
        fix="Replace it by a certificate of the hospital's own authority.",
        meanwhile="distribute and pin the certificate on the clients, so that an impostor is noticed.",
        mitre=("T1557",),
    )

    def judge(self, device: Device, _context: RiskContext) -> Hit | None:
        """Apply where a presented certificate was its own issuer."""
        entries = affirmed(device, "tls.certificate_self_signed")
        if not entries:
            return None
        return Hit(
            "The service identifies itself with a certificate it signed itself; clients cannot tell it from "
            "an impostor.",
            from_ledger(entries),
        )


FACTORS: tuple[RiskFactor, ...] = (
    OldTls(),
    WeakTlsCipher(),
    CertificateExpired(),
    CertificateSelfSigned(),
)
