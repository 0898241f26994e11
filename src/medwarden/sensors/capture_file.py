"""Capture files: pcap and pcapng, plain or compressed with gzip or zstd, whole or still growing.

A file is read in pieces into one reusable buffer instead of being mapped into memory: a mapped file
that somebody cuts short, or a disk that fails, would kill the process with SIGBUS.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import zstandard

from medwarden.flowcore import CaptureReader, FlowCore
from medwarden.kernel.errors import MalformedInput, MedwardenError, ResourceError
from medwarden.model.accounting import InputReport, PacketCount

BUFFER = 1 << 18
"""Bytes read at once; the buffer grows to the longest block a capture may have, 16 MiB, where it must."""

MOST_INFLATED = 1 << 40
"""Bytes a compressed capture may come to."""

MOST_RATIO = 500
"""How many times its own size a compressed capture may come to, once past 256 MiB."""

RATIO_FREE = 1 << 28
FOLLOW_PAUSE_S = 0.25

_PCAP = (b"\xa1\xb2\xc3\xd4", b"\xa1\xb2\x3c\x4d", b"\xa1\xb2\xcd\x34")
_PCAP_MAGIC = frozenset(_PCAP) | {magic[::-1] for magic in _PCAP}
_PCAPNG_MAGIC = b"\x0a\x0d\x0d\x0a"
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_OTHER_PACKERS = {b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"PK\x03\x04": "zip", b"7z\xbc\xaf": "7-Zip"}
_KINDS = (
    (stat.S_ISDIR, "a directory, and no capture file was found in it"),
    (stat.S_ISSOCK, "a socket, not a capture file"),
    (stat.S_ISFIFO, "a pipe; write the capture to a file first"),
    (stat.S_ISCHR, "a device, not a capture file"),
    (stat.S_ISBLK, "a device, not a capture file"),
)


class _Source(Protocol):
    """Bytes of a capture, after unpacking."""

    taken: int
    """Bytes read from the file itself."""

    def readinto(self, target: memoryview) -> int:
        """Fill ``target`` from its start and return how much; 0 at the end."""
        ...


class _Plain:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.taken = 0

    def readinto(self, target: memoryview) -> int:
        count = os.readv(self._descriptor, [target])
        self.taken += count
        return count

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes, none at the end."""
        data = os.read(self._descriptor, size)
        self.taken += len(data)
        return data


class _Unpacked:
    """Common to both compressions: bounds, and the file behind."""

    packer = ""

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor = descriptor
        self._name = name
        self.taken = 0
        self.given = 0

    def read(self, size: int) -> bytes:
        """Return compressed bytes of the file; what zstandard asks of a source."""
        data = os.read(self._descriptor, size)
        self.taken += len(data)
        return data

    def _give(self, target: memoryview, data: bytes | memoryview) -> int:
        target[: len(data)] = data
        self.given += len(data)
        excessive = self.given > RATIO_FREE and self.given > MOST_RATIO * max(self.taken, 1)
        if excessive or self.given > MOST_INFLATED:
            raise MalformedInput(
                self._name,
                f"{self.packer} data that unpack to more than {MOST_RATIO} times their size",
                self.taken,
            )
        return len(data)


class _Gzip(_Unpacked):
    packer = "gzip"

    def __init__(self, descriptor: int, name: str) -> None:
        super().__init__(descriptor, name)
        self._inflate = zlib.decompressobj(wbits=31)
        self._packed = b""
        self._begun = False

    def readinto(self, target: memoryview) -> int:
        while True:
            if not self._packed:
                self._packed = self.read(65_536)
                if not self._packed:
                    return self._end()
            if self._inflate.eof:  # another member follows (RFC 1952, 2.2), or padding does
                if not self._packed.startswith(_GZIP_MAGIC[: len(self._packed)]):
                    return 0
                self._inflate = zlib.decompressobj(wbits=31)
            try:
                data = self._inflate.decompress(self._packed, len(target))
            except zlib.error as error:
                raise MalformedInput(self._name, f"damaged gzip data ({error})", self.taken) from error
            self._begun = True
            self._packed = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
            if data:
                return self._give(target, data)

    def _end(self) -> int:
        if self._begun and not self._inflate.eof:
            raise MalformedInput(self._name, "the gzip data end too early", self.taken)
        return 0


class _Zstd(_Unpacked):
    packer = "zstd"

    _WINDOW = 1 << 27  # what zstd itself unpacks without being told otherwise
    _SLICE = 1024  # no more at once: each four bytes can be a block of 128 KiB (RFC 8878, 3.1.1.2)

    def __init__(self, descriptor: int, name: str) -> None:
        super().__init__(descriptor, name)
        self._unpack = self._frame()
        self._packed = memoryview(b"")
        self._waiting = memoryview(b"")

    def _frame(self) -> zstandard.ZstdDecompressionObj:
        return zstandard.ZstdDecompressor(max_window_size=self._WINDOW).decompressobj()

    def readinto(self, target: memoryview) -> int:
        while not self._waiting:
            if not self._packed:
                self._packed = memoryview(self.read(65_536))
                if not self._packed:
                    return self._end()
            if self._unpack.eof:
                self._unpack = self._frame()
            part = self._packed[: self._SLICE]
            try:
                self._waiting = memoryview(self._unpack.decompress(part))
            except zstandard.ZstdError as error:
                raise MalformedInput(self._name, f"damaged zstd data ({error})", self.taken) from error
            used = len(part) - len(self._unpack.unused_data)
            self._packed = self._packed[used:]
        given = self._waiting[: len(target)]
        self._waiting = self._waiting[len(given) :]
        return self._give(target, given)

    def _end(self) -> int:
        if not self._unpack.eof:
            raise MalformedInput(self._name, "the zstd data end too early", self.taken)
        return 0


def sniff(path: Path) -> str | None:
    """Return ``pcap`` or ``pcapng`` by what ``path`` holds, also behind gzip or zstd; None for others.

    None, too, for what cannot be read: :func:`read_capture` says why.
    """
    head = bytearray(4)
    try:
        with _opened(path) as descriptor:
            if _fill(_source(descriptor, str(path)), head) < len(head):
                return None
    except MedwardenError:
        return None
    if bytes(head) == _PCAPNG_MAGIC:
        return "pcapng"
    return "pcap" if bytes(head) in _PCAP_MAGIC else None


def read_capture(
    path: Path,
    core: FlowCore,
    *,
    on_batch: Callable[[FlowCore], None],
    follow: bool = False,
    stop: threading.Event | None = None,
) -> InputReport:
    """Read a capture file into ``core`` and return what became of every packet of it.

    ``on_batch`` is called whenever hand-offs or ended flows wait to be taken, and once at the end.
    With ``follow`` a plain file is read on as it grows, until ``stop`` is set or it is deleted.
    Nothing is raised for a bad file: ``error`` of the report says in one sentence what was wrong and
    where, and what was readable before it has been taken and counted.
    """
    reading = _Reading(path, core, on_batch, stop or threading.Event())
    error: str | None = None
    try:
        with _opened(path) as descriptor:
            source = _source(descriptor, str(path))
            reading.pump(source, follow and isinstance(source, _Plain))
    except MedwardenError as problem:
        error = str(problem)
    except OSError as problem:
        error = str(ResourceError(f"{path}, byte {reading.source_taken}: {_words(problem)}"))
    on_batch(core)
    return reading.report(error)


class _Reading:
    """One run through one file."""

    def __init__(
        self, path: Path, core: FlowCore, on_batch: Callable[[FlowCore], None], stop: threading.Event
    ) -> None:
        self._path = path
        self._core = core
        self._on_batch = on_batch
        self._stop = stop
        self._reader = CaptureReader(core, str(path))
        self._source: _Source | None = None
        self._parsed = core.parsed
        self._rejected = core.rejected
        self._reasons = core.reasons

    @property
    def source_taken(self) -> int:
        """Bytes read from the file so far."""
        return self._source.taken if self._source else 0

    def pump(self, source: _Source, follow: bool) -> None:
        """Read to the end, or for ever; raises what is wrong with the file."""
        self._source = source
        buffer = bytearray(BUFFER)
        held = 0
        while True:
            if held == len(buffer):  # one record is longer than all of it
                buffer.extend(bytes(len(buffer)))
            with memoryview(buffer) as room:
                count = source.readinto(room[held:])
            held += count
            if count == 0 and follow and not self._stop.is_set():
                self._on_batch(self._core)
                self._wait()
                continue
            used = self._take(buffer, held, count == 0 and not follow)
            if count == 0:
                return
            buffer[: held - used] = buffer[used:held]
            held -= used

    def _take(self, buffer: bytearray, held: int, final: bool) -> int:
        """Feed what is whole of ``buffer[:held]``, draining the core as it fills; return how much."""
        at = 0
        with memoryview(buffer) as whole, whole[:held] as view:
            while True:
                used = self._reader.feed(view, at, final)
                at += used
                if self._core.full:
                    self._on_batch(self._core)
                elif used == 0:
                    return at

    def _wait(self) -> None:
        """Pause before looking for growth; raises MalformedInput when the file was cut short."""
        self._stop.wait(FOLLOW_PAUSE_S)
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            self._stop.set()
            return
        if size < self.source_taken:
            raise MalformedInput(str(self._path), f"the file was cut to {size} bytes while it was read", size)

    def report(self, error: str | None) -> InputReport:
        """Sum up; a packet with an impossible time is the error where there is no worse one."""
        core = self._core
        reader = self._reader
        if error is None and reader.fault is not None:
            error = str(reader.fault)
        before = self._reasons
        return InputReport(
            path=str(self._path),
            format=reader.format,
            packets=PacketCount(
                read=reader.packets_read,
                parsed=core.parsed - self._parsed,
                rejected=core.rejected - self._rejected,
            ),
            bytes=self.source_taken,
            first_ns=reader.first_ns,
            last_ns=reader.last_ns,
            rejected_reasons={
                reason: count - before.get(reason, 0)
                for reason, count in core.reasons.items()
                if count > before.get(reason, 0)
            },
            error=error,
        )


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open a plain file for reading; raises ResourceError that names what it is instead."""
    try:
        _refuse_kind(path, path.stat().st_mode)
        # without O_NONBLOCK, something put in the file's place meanwhile could block for ever
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ResourceError(f"{path}: {_words(error)}") from error
    except ValueError as error:  # a NUL in the name
        raise ResourceError(f"{str(path)!r}: not a file name ({error})") from error
    try:
        _refuse_kind(path, os.fstat(descriptor).st_mode)
        yield descriptor
    finally:
        os.close(descriptor)


def _refuse_kind(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode) and not os.access(path, os.R_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    for is_kind, words in _KINDS:
        if is_kind(mode):
            raise ResourceError(f"{path}: {words}")


def _words(error: OSError) -> str:
    """Say an operating system error so that a user knows what to do."""
    if error.errno == errno.ENOENT:
        return "no such file"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "not readable by this user; give read permission or run as its owner"
    return f"cannot be read: {error.strerror or error}"


def _source(descriptor: int, name: str) -> _Source:
    """Choose how to read by the first bytes; raises MalformedInput for a packer that is not known."""
    head = os.pread(descriptor, 6, 0)
    if head.startswith(_GZIP_MAGIC):
        return _Gzip(descriptor, name)
    if head.startswith(_ZSTD_MAGIC):
        return _Zstd(descriptor, name)
    for magic, packer in _OTHER_PACKERS.items():
        if head.startswith(magic):
            raise MalformedInput(name, f"packed with {packer}; unpack it first, or use gzip or zstd", 0)
    return _Plain(descriptor)


@contextmanager
def opened_source(path: Path) -> Iterator[_Source]:
    """Open a capture file for reading, unpacked; raises ResourceError and MalformedInput as reading does."""
    with _opened(path) as descriptor:
        try:
            yield _source(descriptor, str(path))
        except OSError as error:
            raise ResourceError(f"{path}: {_words(error)}") from error


def _fill(source: _Source, target: bytearray) -> int:
    """Read until ``target`` is full or the source ends; return how much."""
    held = 0
    with memoryview(target) as room:
        while held < len(target):
            count = source.readinto(room[held:])
            if count == 0:
                break
            held += count
    return held
