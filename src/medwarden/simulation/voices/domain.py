"""What members of a Windows domain say: Kerberos (RFC 4120), LDAP and CLDAP (RFC 4511, MS-ADTS 6.3)."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from random import Random

from medwarden.simulation.voices.der import der, integer, sequence

_TILL = b"20370913024805Z"


def _general(value: str) -> bytes:
    return der(0x1B, value.encode())


def _principal(kind: int, *parts: str) -> bytes:
    return sequence(der(0xA0, integer(kind)), der(0xA1, sequence(*map(_general, parts))))


def _etypes(old: bool) -> bytes:
    return sequence(
        *(integer(number) for number in ((23, -133, -128, 3, 1) if old else (18, 17, 23, 24, -135, 3)))
    )


def _counted(message: bytes) -> bytes:
    return struct.pack(">I", len(message)) + message


def as_req(rng: Random, account: str, realm: str, host: str, preauth: bool, old: bool = False) -> bytes:
    """Return an AS-REQ over TCP; ``host`` is the NetBIOS name that Windows puts among the addresses."""
    padata = b""
    entries = [sequence(der(0xA1, integer(128)), der(0xA2, der(4, sequence(der(0xA0, b"\1\1\xff")))))]
    if preauth:
        sealed = sequence(der(0xA0, integer(23 if old else 18)), der(0xA2, der(4, rng.randbytes(56))))
        entries.insert(0, sequence(der(0xA1, integer(2)), der(0xA2, der(4, sealed))))
    padata = der(0xA3, sequence(*entries))
    address = sequence(sequence(der(0xA0, integer(20)), der(0xA1, der(4, host[:15].ljust(16).encode()))))
    body = sequence(
        der(0xA0, b"\x03\x05\0\x40\x81\0\x10"),
        der(0xA1, _principal(1, account)),
        der(0xA2, _general(realm)),
        der(0xA3, _principal(2, "krbtgt", realm)),
        der(0xA5, der(0x18, _TILL)),
        der(0xA7, integer(rng.getrandbits(30))),
        der(0xA8, _etypes(old)),
        der(0xA9, address),
    )
    return _counted(
        der(0x6A, sequence(der(0xA1, integer(5)), der(0xA2, integer(10)), padata, der(0xA4, body)))
    )


def preauth_required(realm: str, at: int) -> bytes:
    """Return the KRB-ERROR that asks for pre-authentication (code 25)."""
    moment = datetime.fromtimestamp(at / 1e9, UTC)
    return _counted(
        der(
            0x7E,
            sequence(
                der(0xA0, integer(5)),
                der(0xA1, integer(30)),
                der(0xA4, der(0x18, moment.strftime("%Y%m%d%H%M%SZ").encode())),
                der(0xA5, integer(moment.microsecond)),
                der(0xA6, integer(25)),
                der(0xA9, _general(realm)),
                der(0xAA, _principal(2, "krbtgt", realm)),
            ),
        )
    )


def _sealed(rng: Random, size: int) -> bytes:
    return sequence(der(0xA0, integer(18)), der(0xA1, integer(2)), der(0xA2, der(4, rng.randbytes(size))))


def _ticket(rng: Random, realm: str, *service: str) -> bytes:
    return der(
        0x61,
        sequence(
            der(0xA0, integer(5)),
            der(0xA1, _general(realm)),
            der(0xA2, _principal(2, *service)),
            der(0xA3, _sealed(rng, 420)),
        ),
    )


def as_rep(rng: Random, account: str, realm: str) -> bytes:
    """Return an AS-REP with a ticket-granting ticket."""
    return _counted(
        der(
            0x6B,
            sequence(
                der(0xA0, integer(5)),
                der(0xA1, integer(11)),
                der(0xA3, _general(realm)),
                der(0xA4, _principal(1, account)),
                der(0xA5, _ticket(rng, realm, "krbtgt", realm)),
                der(0xA6, _sealed(rng, 280)),
            ),
        )
    )


def _ldap(ident: int, operation: bytes) -> bytes:
    return sequence(integer(ident), operation)


def netlogon_ping(ident: int, domain: str, host: str) -> bytes:
    """Return the CLDAP search with which a member looks for its controller (MS-ADTS 6.3.3)."""

    def equals(name: str, value: bytes) -> bytes:
        return der(0xA3, der(4, name.encode()), der(4, value))

    wanted = der(
        0xA0,
        equals("DnsDomain", domain.encode()),
        equals("Host", host.encode()),
        equals("NtVer", b"\x16\0\0\0"),
    )
    return _ldap(
        ident,
        der(
            0x63,
            der(4),
            der(10, b"\0"),
            der(10, b"\0"),
            integer(0),
            integer(0),
            b"\1\1\0",
            wanted,
            sequence(der(4, b"Netlogon")),
        ),
    )


def _dotted(name: str) -> bytes:
    return b"".join(bytes((len(label),)) + label.encode() for label in name.split(".") if label) + b"\0"


def netlogon_answer(ident: int, domain: str, controller: str, group: str, site: str, guid: bytes) -> bytes:
    """Return the controller's NETLOGON_SAM_LOGON_RESPONSE_EX (MS-ADTS 6.3.1.9) and the end of the search."""
    host, flags = controller.partition(".")[0].upper(), 0x0003F1FC
    blob = struct.pack("<HHI", 23, 0, flags) + guid
    blob += _dotted(domain) + _dotted(domain) + _dotted(controller) + _dotted(group) + _dotted(host) + b"\0"
    blob += _dotted(site) + _dotted(site) + struct.pack("<IHH", 5, 0xFFFF, 0xFFFF)
    entry = der(0x64, der(4), sequence(sequence(der(4, b"netlogon"), der(0x31, der(4, blob)))))
    done = der(0x65, der(10, b"\0"), der(4), der(4))
    return _ldap(ident, entry) + _ldap(ident, done)


def root_search(ident: int) -> bytes:
    """Return a search of the root DSE."""
    present = der(0x87, b"objectClass")
    names = sequence(
        der(4, b"defaultNamingContext"), der(4, b"dnsHostName"), der(4, b"supportedSASLMechanisms")
    )
    return _ldap(
        ident,
        der(
            0x63, der(4), der(10, b"\0"), der(10, b"\0"), integer(0), integer(120), b"\1\1\0", present, names
        ),
    )


def root_answer(ident: int, domain: str, controller: str) -> bytes:
    """Return what a domain controller says of itself."""

    def attribute(name: str, *values: str) -> bytes:
        return sequence(der(4, name.encode()), der(0x31, *(der(4, value.encode()) for value in values)))

    context = ",".join(f"DC={label}" for label in domain.split("."))
    entry = der(
        0x64,
        der(4),
        sequence(
            attribute("defaultNamingContext", context),
            attribute("dnsHostName", controller),
            attribute("supportedSASLMechanisms", "GSSAPI", "GSS-SPNEGO"),
        ),
    )
    return _ldap(ident, entry) + _ldap(ident, der(0x65, der(10, b"\0"), der(4), der(4)))
