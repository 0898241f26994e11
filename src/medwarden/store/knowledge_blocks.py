"""Records of knowledge in blocks: packed, compressed, named by the digest of what they hold.

A block holds the records of one kind whose ids fall together (a thousand CVE numbers of a year, or a
sixty-fourth of ids of any other form), so that an edition that changes little shares nearly all of its blocks
with the one before, and a look-up unpacks one block.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable

import msgspec
import zstandard

from medwarden.kernel.errors import ResourceError
from medwarden.model.feed import TYPES, Kind, Record
from medwarden.model.vulnerability import Advisory, Exploitation, Provenance

MOST_UNPACKED = 512 << 20
_LEVEL = 6
_SHARES = 64
_CVE = re.compile(r"CVE-([0-9]{4})-([0-9]{1,16})[0-9]{3}\Z")


class Held(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A record at rest: its id, the publisher's date, when it was read, and its bytes (without that time)."""

    id: str
    updated: str
    read_ns: int
    payload: msgspec.Raw


_encode = msgspec.msgpack.Encoder().encode
_HELD = msgspec.msgpack.Decoder(list[Held])
_DECODERS = {kind: msgspec.msgpack.Decoder(held) for kind, held in TYPES.items()}


def bucket_of(id: str) -> str:
    """Return the name of the bucket that an id falls into."""
    cve = _CVE.match(id)
    if cve:
        return f"CVE-{cve.group(1)}-{cve.group(2)}xxx"
    if id.startswith("CVE-"):
        return id[:8]
    return f"{zlib.crc32(id.encode()) % _SHARES:02d}"


def payload_of(record: Record) -> bytes:
    """Return the bytes of a record without the time of reading: equal records are equal bytes."""
    return _encode(_dated(record, 0))


def record_of(kind: Kind, held: Held) -> Record:
    """Return the record with the time at which it was read."""
    record: Record = _DECODERS[kind].decode(held.payload)  # type: ignore[assignment]  # a decoder per kind
    return _dated(record, held.read_ns)


def pack(records: Iterable[Held]) -> tuple[str, bytes, int]:
    """Return digest, bytes and count of a block of records (sorted by id)."""
    ordered = sorted(records, key=lambda held: held.id)
    data = zstandard.ZstdCompressor(level=_LEVEL).compress(_encode(ordered))
    return hashlib.sha256(data).hexdigest(), data, len(ordered)


def unpack(data: bytes, digest: str, what: str) -> list[Held]:
    """Return the records of a block.

    Raises ResourceError, naming ``what``, where the bytes are not those that were written.
    """
    if hashlib.sha256(data).hexdigest() != digest:
        raise ResourceError(
            f"{what} is damaged on this disk (its bytes do not have the digest {digest[:12]}): "
            "import or sync this feed again"
        )
    whole = zstandard.ZstdDecompressor().decompress(data, max_output_size=MOST_UNPACKED)
    return _HELD.decode(whole)


def updated_of(record: Record) -> str:
    """Return the publisher's date of a record, '' where it has none."""
    if isinstance(record, Exploitation):
        return max((source.updated for source in record.sources), default="")
    return record.provenance.updated


def _dated(record: Record, read_ns: int) -> Record:
    if isinstance(record, Exploitation):
        return msgspec.structs.replace(record, sources=tuple(_at(s, read_ns) for s in record.sources))
    if isinstance(record, Advisory):
        return msgspec.structs.replace(
            record,
            provenance=_at(record.provenance, read_ns),
            vulnerabilities=tuple(
                msgspec.structs.replace(v, provenance=_at(v.provenance, read_ns))
                for v in record.vulnerabilities
            ),
        )
    return msgspec.structs.replace(record, provenance=_at(record.provenance, read_ns))


def _at(source: Provenance, read_ns: int) -> Provenance:
    return Provenance(source.feed, source.reference, source.updated, read_ns, source.verified)
