"""Every way to read the same bytes: what an attacker who looks for a name would try on a file."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

import zstandard

DEEPEST = 3
MOST_UNPACKED = 64 << 20
_GZIP = re.compile(rb"\x1f\x8b\x08[\x00-\x1f]")
_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_ZSTD = re.compile(rb"\x28\xb5\x2f\xfd")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{12,}")
_SENSE = re.compile(rb"[ -~\0]{7}|^(?:\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]|\x28\xb5\x2f\xfd)")
_HEX = re.compile(rb"(?:[0-9a-fA-F]{2}[ :]?){8,}")
_ESCAPE = re.compile(
    rb"\\(?:u00|x)([0-9a-fA-F]{2})|\\X([0-9a-fA-F]{2})\\|=([0-9A-F]{2})|&#(?:x([0-9a-fA-F]{2})|(\d{2,3}));"
)


def readings(data: bytes, depth: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield ``data`` as it is and in every other reading, each with how it was come by."""
    yield "", data
    if depth >= DEEPEST:
        return
    for how, other in _others(data):
        if other:
            for further, text in readings(other, depth + 1):
                yield f"{how} {further}".strip(), text


def _others(data: bytes) -> Iterator[tuple[str, bytes]]:
    if b"\0" in data:
        yield "in UTF-16", data.replace(b"\0", b"")
    if b"%" in data and (plain := unquote_to_bytes(data)) != data:
        yield "percent-encoded", plain
    if _ESCAPE.search(data):
        yield "escaped", _ESCAPE.sub(_unescaped, data)
    yield "in base64", b"\n".join(_decoded(data))
    yield "in hexadecimal", b"\n".join(bytes.fromhex(_even(m.group())) for m in _HEX.finditer(data))
    yield "packed", b"\n".join(_unpacked(data))


def _unescaped(match: re.Match[bytes]) -> bytes:
    digits = match[1] or match[2] or match[3] or match[4]
    number = int(digits, 16) if digits else int(match[5])
    return bytes((number,)) if number < 256 else match[0]


def _even(run: bytes) -> str:
    digits = re.sub(rb"[ :]", b"", run).decode()
    return digits[: len(digits) & ~1]


def _decoded(data: bytes) -> Iterator[bytes]:
    """Yield what runs of letters are in base64, from each of the four places where it may begin."""
    for match in _BASE64.finditer(data):
        run = match.group().replace(b"-", b"+").replace(b"_", b"/")
        for start in range(4):
            part = run[start:]
            part = part[:-1] if len(part) % 4 == 1 else part
            plain = binascii.a2b_base64(part + b"=" * (-len(part) % 4))
            if _SENSE.search(plain):  # ordinary words come to noise, and noise to more of it
                yield plain


def _unpacked(data: bytes) -> Iterator[bytes]:
    for pattern, bits in ((_GZIP, 31), (_ZLIB, 15)):
        for match in pattern.finditer(data):
            try:
                yield zlib.decompressobj(bits).decompress(data[match.start() :], MOST_UNPACKED)
            except zlib.error:
                continue  # two bytes that only look like the head of one
    for match in _ZSTD.finditer(data):
        try:
            yield zstandard.ZstdDecompressor().decompressobj().decompress(data[match.start() :])
        except zstandard.ZstdError:
            continue


def hidden(token: bytes) -> dict[str, bytes]:
    """Return a token in every form that :func:`readings` must see through, with text around it."""
    text = b"who: " + token + b" room 7."
    escaped = b"".join(b"\\u%04x" % octet for octet in token)
    return {
        "as it is": text,
        "UTF-16": text.decode().encode("utf-16-le"),
        "UTF-16, big-endian": text.decode().encode("utf-16-be"),
        "percent": b"/" + b"".join(b"%%%02X" % octet for octet in token),
        "JSON": b'{"name":"' + escaped + b'"}',
        "HL7": b"PID|" + b"".join(b"\\X%02X\\" % octet for octet in token),
        "entities": b"".join(b"&#%d;" % octet for octet in token),
        "quoted-printable": b"".join(b"=%02X" % octet for octet in token),
        "hexadecimal": b"x" + text.hex().encode(),
        "gzip": b"before" + zlib.compress(text, wbits=31) + b"after",
        "deflate": b"before" + zlib.compress(text),
        "zstd": b"before" + zstandard.compress(text),
        **{f"base64, {at}": base64.b64encode(b"x" * at + text) for at in range(3)},
        "base64 in gzip in base64": base64.b64encode(zlib.compress(base64.b64encode(text), wbits=31)),
        "base64 of UTF-16": base64.b64encode(text.decode().encode("utf-16-le")),
    }
