"""Log files: plain, or packed with gzip or zstd, recognised by what they hold.

The same sources as for capture files unpack them, with the same limits. Positions count bytes after
unpacking, so that a file that was packed since is known again. Text in UTF-16 with a byte order mark, as
Windows programs write it, is handed on as UTF-8; positions then count that.
"""

from __future__ import annotations

import codecs
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medwarden.kernel.errors import MedwardenError, ResourceError
from medwarden.model.log_source import Framing, LogParser
from medwarden.sensors.capture_file import _fill, _opened, _Plain, _Source, _source, _words
from medwarden.sensors.logs.registry import HEAD, recognise

PIECE = 8 << 20
"""Bytes read at once: many lines for what a piece costs, few enough to stay in the cache."""

_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_ARCHIVE = b"PK\x03\x04"
_MOST_OPENING_LINES = 256
_OLDER_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # MS-CFB 2.2
_IN_TEXT = b"\t\n\r\f\x1b" + bytes(range(32, 127)) + bytes(range(128, 256))


class LogFile:
    """An open log file, read in pieces from its start.

    ``taken`` counts bytes of the file itself.
    """

    def __init__(self, source: _Source, path: Path, descriptor: int) -> None:
        self._source = source
        self._descriptor = descriptor
        self._path = path
        self._buffer = bytearray(PIECE)
        self._decoder: codecs.IncrementalDecoder | None = None
        self._begun = False

    @property
    def taken(self) -> int:
        """Bytes read from the file itself."""
        return self._source.taken

    def identity(self) -> tuple[int, int]:
        """Return device and number of the file, which do not change when it is renamed."""
        status = os.fstat(self._descriptor)
        return status.st_dev, status.st_ino

    def size(self) -> int:
        """Return the size of the file now."""
        return os.fstat(self._descriptor).st_size

    def beginning(self) -> bytes:
        """Return the first bytes of a plain file as they are now."""
        return os.pread(self._descriptor, HEAD, 0)

    def read(self) -> bytes:
        """Return the next piece, empty at the end.

        Raises MalformedInput for damaged packing and ResourceError where the disk fails.
        """
        try:
            piece = self._read()
            if not self._begun and piece:
                while 0 < len(piece) < 2 and (more := self._read()):
                    piece += more
                self._begun = True
                encoding = _UTF16.get(piece[:2])
                if encoding is not None:
                    self._decoder = codecs.getincrementaldecoder(encoding)("replace")
                    piece = piece[2:]
            if self._decoder is None:
                return piece
            while True:
                text = self._decoder.decode(piece)
                if text or not piece:
                    return text.encode("utf-8", "replace")
                piece = self._read()
        except OSError as error:
            where = f"{self._path}, byte {self.taken}"
            raise ResourceError(f"{where}: {_words(error)}") from error

    def _read(self) -> bytes:
        if isinstance(self._source, _Plain):
            return self._source.read(PIECE)
        with memoryview(self._buffer) as room:
            count = self._source.readinto(room)
            return bytes(room[:count])


@contextmanager
def opened_log(path: Path) -> Iterator[LogFile]:
    """Open a log file. Raises ResourceError where it cannot be had, MalformedInput for a foreign packer."""
    with _opened(path) as descriptor:
        archive = bytearray(len(_ARCHIVE))
        plain = _Plain(descriptor)
        _fill(plain, archive)
        _rewind(descriptor)
        # a spreadsheet is a zip archive of its own, which its reader opens
        source = _Plain(descriptor) if bytes(archive) == _ARCHIVE else _source(descriptor, str(path))
        yield LogFile(source, path, descriptor)


def _rewind(descriptor: int) -> None:

    os.lseek(descriptor, 0, os.SEEK_SET)


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file after unpacking, up to HEAD; none of what cannot be read."""
    head = b""
    try:
        with opened_log(path) as file:
            while len(head) < HEAD and (piece := file.read()):
                head += piece
    except MedwardenError:
        return head[:HEAD]
    return head[:HEAD]


def form_of(path: Path) -> type[LogParser] | None:
    """Return the parser of a file by what it holds; None where it is no log that is known."""
    head = head_of(path)
    return recognise(head) if head else None


def advice_on(head: bytes) -> str:
    """Return what to do with a file that is neither a capture nor a known log; else nothing.

    It is asked with the file's first bytes and goes on from the sentence that it is no capture.
    """
    if head.startswith(_OLDER_OFFICE):
        return "an older office document: save it as XLSX or CSV"
    if head and not head.translate(None, _IN_TEXT):
        return (
            "text, but no log that is known: a list of devices needs a line of headings, "
            "one of them for MAC or IP addresses"
        )
    return ""


def log_id(head: bytes) -> str:
    """Return the id of a log of lines that begins with ``head``, which does not change while it grows.

    It is made of the first record (the first line that is no ``#`` header) and all before it.
    """
    opening = head[: _opening(head) or len(head)]
    return f"log:{hashlib.blake2b(opening.rstrip(), digest_size=20).hexdigest()}"


def has_record(head: bytes) -> bool:
    """Tell whether ``head`` holds a whole record, so that :func:`log_id` will not change any more."""
    return _opening(head) > 0 or len(head) >= HEAD


def _opening(head: bytes) -> int:
    """Return where the first record ends, 0 where it does not."""
    at = 0
    for _ in range(_MOST_OPENING_LINES):
        end = head.find(b"\n", at) + 1
        if not end:
            return 0
        line, at = head[at:end], end
        if line.strip() and not line.startswith(b"#"):
            return at
    return at


def is_packed(path: Path) -> bool:
    """Tell whether a file is packed: such a one does not grow. Raises ResourceError as opening does."""
    with _opened(path) as descriptor:
        return os.pread(descriptor, 4, 0).startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd"))


def is_document(parser: type[LogParser]) -> bool:
    """Tell whether files of this form are taken whole."""
    return parser.manifest.framing is Framing.DOCUMENT
