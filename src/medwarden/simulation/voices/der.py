"""DER (X.690) and the certificates (RFC 5280) that servers show; keys and signatures are made up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from random import Random

_NAMES = {"C": "2.5.4.6", "O": "2.5.4.10", "OU": "2.5.4.11", "CN": "2.5.4.3", "L": "2.5.4.7"}


def der(tag: int, *parts: bytes) -> bytes:
    """Return a value with its tag and definite length."""
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def integer(value: int) -> bytes:
    """Return an INTEGER."""
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=value < 0))


def oid(text: str) -> bytes:
    """Return an OBJECT IDENTIFIER."""
    first, second, *rest = map(int, text.split("."))
    out = bytearray()
    for number in (first * 40 + second, *rest):
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.append(number & 0x7F | 0x80)
        out += bytes(reversed(digits))
    return der(6, bytes(out))


def sequence(*parts: bytes) -> bytes:
    """Return a SEQUENCE."""
    return der(0x30, *parts)


def text(value: str, tag: int = 0x0C) -> bytes:
    """Return a string; UTF8String unless another tag is named."""
    return der(tag, value.encode())


def _name(parts: Sequence[tuple[str, str]]) -> bytes:
    return sequence(*(der(0x31, sequence(oid(_NAMES[kind]), text(value))) for kind, value in parts))


def _time(moment: datetime) -> bytes:
    return der(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())


def certificate(
    rng: Random,
    subject: Sequence[tuple[str, str]],
    issuer: Sequence[tuple[str, str]],
    valid: tuple[datetime, datetime],
    names: Sequence[str] = (),
    bits: int = 2048,
) -> bytes:
    """Return an X.509 certificate; ``names`` are DNS names of the subject alternative name."""
    algorithm = sequence(oid("1.2.840.113549.1.1.11"), b"\x05\0")
    modulus = rng.getrandbits(bits) | 1 << bits - 1 | 1
    key = sequence(
        sequence(oid("1.2.840.113549.1.1.1"), b"\x05\0"),
        der(3, b"\0", sequence(integer(modulus), integer(65_537))),
    )
    extensions = b""
    if names:
        alternatives = sequence(*(der(0x82, name.encode()) for name in names))
        extensions = der(0xA3, sequence(sequence(oid("2.5.29.17"), der(4, alternatives))))
    body = sequence(
        der(0xA0, integer(2)),
        integer(rng.getrandbits(63) | 1),
        algorithm,
        _name(issuer),
        sequence(_time(valid[0]), _time(valid[1])),
        _name(subject),
        key,
        extensions,
    )
    return sequence(body, algorithm, der(3, b"\0", rng.randbytes(bits // 8)))
