"""Read a capture packet by packet and write it anew with other bytes in the packets; nothing else changes.

pcap (libpcap's file format, four magics) and pcapng (draft-ietf-opsawg-pcapng). Times, interfaces, lengths
and order stay. Comments, name resolution, custom blocks and decryption secrets are left out of what is
written: they are free text or worse.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec
import zstandard

from medwarden.kernel.errors import MalformedInput
from medwarden.sensors.capture_file import opened_source

MOST_RECORD = 16 << 20
"""Longest packet or block that is read, as in the flow core."""

_PCAP = {
    b"\xa1\xb2\xc3\xd4": ">",
    b"\xd4\xc3\xb2\xa1": "<",
    b"\xa1\xb2\x3c\x4d": ">",
    b"\x4d\x3c\xb2\xa1": "<",
    b"\xa1\xb2\xcd\x34": ">",
    b"\x34\xcd\xb2\xa1": "<",
}
_KUZNETZOV = (b"\xa1\xb2\xcd\x34", b"\x34\xcd\xb2\xa1")
_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6
# Options of an interface that tell of machinery alone: name, speed, resolution, filter length and offset.
_INTERFACE_OPTIONS = frozenset({2, 8, 9, 13, 14})


class Piece(msgspec.Struct, frozen=True):
    """One packet with what stands before and behind its bytes in the file, or, without one, other bytes.

    ``linktype`` is -1 where there is no packet.
    """

    head: bytes
    data: bytes
    tail: bytes
    linktype: int


def pieces(path: Path) -> Iterator[Piece]:
    """Yield the pieces of a capture, which written one after the other are a capture again.

    Raises MalformedInput naming the byte at which it stops being one, and ResourceError where the file
    cannot be read.
    """
    with opened_source(path) as source:
        reader = _Reader(str(path), source.readinto)
        magic = reader.take(4, "a capture file")
        if magic in _PCAP:
            yield from _pcap(reader, magic)
        elif magic == b"\x0a\x0d\x0d\x0a":
            yield from _pcapng(reader)
        else:
            raise MalformedInput(str(path), "not a pcap or pcapng file", 0)


class _Reader:
    """Takes exact counts of bytes off a source and knows where it is."""

    def __init__(self, name: str, readinto: Callable[[memoryview], int]) -> None:
        self.name = name
        self.at = 0
        self._readinto = readinto

    def take(self, count: int, what: str, *, may_end: bool = False) -> bytes:
        """Return ``count`` bytes; with ``may_end`` none at all where the file ends here."""
        buffer = bytearray(count)
        held = 0
        with memoryview(buffer) as room:
            while held < count:
                got = self._readinto(room[held:])
                if got == 0:
                    break
                held += got
        if held < count and not (may_end and held == 0):
            raise self.wrong(f"the file ends within {what}")
        self.at += held
        return bytes(buffer[:held])

    def wrong(self, reason: str) -> MalformedInput:
        """Return the error of this place."""
        return MalformedInput(self.name, reason, self.at)


def _pcap(reader: _Reader, magic: bytes) -> Iterator[Piece]:
    order = _PCAP[magic]
    rest = reader.take(20, "the file header")
    linktype = struct.unpack_from(order + "I", rest, 16)[0] & 0x0FFFFFFF
    yield Piece(magic + rest, b"", b"", -1)
    size = 24 if magic in _KUZNETZOV else 16
    while head := reader.take(size, "a record header", may_end=True):
        length = struct.unpack_from(order + "I", head, 8)[0]
        if length > MOST_RECORD:
            raise reader.wrong(f"a packet of {length} bytes")
        yield Piece(head, reader.take(length, "a packet"), b"", linktype)


def _pcapng(reader: _Reader) -> Iterator[Piece]:
    kind_bytes = b"\x0a\x0d\x0d\x0a"
    order = "<"
    links: list[tuple[int, int]] = []  # link type, snap length
    while kind_bytes:
        size = reader.take(4, "a block")
        body_start = b""
        if kind_bytes == b"\x0a\x0d\x0d\x0a":
            body_start = reader.take(4, "a section header")
            order = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}.get(body_start, "")
            if not order:
                raise reader.wrong("a section without byte-order magic")
            links = []
        length = struct.unpack(order + "I", size)[0]
        if length < 12 + len(body_start) or length % 4 or length > MOST_RECORD:
            raise reader.wrong(f"a block of {length} bytes")
        body = body_start + reader.take(length - 12 - len(body_start), "a block")
        if reader.take(4, "a block") != size:
            raise reader.wrong("the two lengths of a block differ")
        try:
            piece = _block(struct.unpack(order + "I", kind_bytes)[0], body, order, links, reader)
        except struct.error as error:
            raise reader.wrong("a block ends within its fields") from error
        if piece is not None:
            yield piece
        kind_bytes = reader.take(4, "a block", may_end=True)


def _block(kind: int, body: bytes, order: str, links: list[tuple[int, int]], reader: _Reader) -> Piece | None:
    """Return what stays of a block, without options that are free text; None for blocks that are left out."""
    if kind == _SECTION:
        return Piece(_whole(kind, body[:8] + struct.pack(order + "q", -1), order), b"", b"", -1)
    if kind == _INTERFACE:
        linktype, snap = struct.unpack_from(order + "HxxI", body)
        links.append((linktype, snap))
        return Piece(_whole(kind, body[:8] + _options(body[8:], order), order), b"", b"", -1)
    if kind in (_ENHANCED, _OLD_PACKET):
        which = struct.unpack_from(order + ("I" if kind == _ENHANCED else "H"), body)[0]
        captured = struct.unpack_from(order + "I", body, 12)[0]
        return _packet(kind, body[:20], body[20 : 20 + captured], captured, which, order, links, reader)
    if kind == _SIMPLE:
        original = struct.unpack_from(order + "I", body)[0]
        snap = links[0][1] if links else 0
        captured = min(original, snap) if snap else original
        return _packet(kind, body[:4], body[4 : 4 + captured], captured, 0, order, links, reader)
    return None


def _packet(
    kind: int,
    head: bytes,
    data: bytes,
    captured: int,
    which: int,
    order: str,
    links: list[tuple[int, int]],
    reader: _Reader,
) -> Piece:
    if len(data) < captured:
        raise reader.wrong("a packet is longer than its block")
    if which >= len(links):
        raise reader.wrong(f"a packet of interface {which}, of which there is none")
    padding = bytes(-captured % 4)
    size = struct.pack(order + "I", 12 + len(head) + captured + len(padding))
    return Piece(struct.pack(order + "I", kind) + size + head, data, padding + size, links[which][0])


def _whole(kind: int, body: bytes, order: str) -> bytes:
    size = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + size + body + size


def _options(data: bytes, order: str) -> bytes:
    kept, at = b"", 0
    while len(data) - at >= 4:
        code, length = struct.unpack_from(order + "HH", data, at)
        end = at + 4 + length + (-length % 4)
        if code == 0 or end > len(data):
            break
        if code in _INTERFACE_OPTIONS:
            kept += data[at:end]
        at = end
    return kept + bytes(4) if kept else b""


@contextmanager
def packed(path: Path, file: BinaryIO) -> Iterator[Callable[[bytes], object]]:
    """Yield what writes into ``file``, packed as the name of ``path`` says: .gz, .zst, or as it is."""
    if path.suffix == ".gz":
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as pack:
            yield pack.write
    elif path.suffix in (".zst", ".zstd"):
        with zstandard.ZstdCompressor().stream_writer(file, closefd=False) as stream:
            yield stream.write
    else:
        yield file.write
