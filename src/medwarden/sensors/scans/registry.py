"""Find every reader of scan reports, tell the form of a report by its content, and read one."""

from __future__ import annotations

import gzip
import importlib
import pkgutil
import re
import zlib
from functools import cache
from typing import BinaryIO

import medwarden.sensors.scans
from medwarden.kernel.errors import InternalError, MalformedInput
from medwarden.model.scan import ScanReader, ScanReport

HEAD = 1 << 16
"""Bytes from the start of a report by which its form is told."""
LARGEST = 2 << 30
"""A report of more bytes is none that a scanner of one hospital writes."""
_PIECE = 1 << 20
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


@cache
def readers() -> tuple[type[ScanReader], ...]:
    """Return the classes of all readers by name. Raises InternalError when a manifest is wrong."""
    found: dict[str, type[ScanReader]] = {}
    for module_info in pkgutil.iter_modules(medwarden.sensors.scans.__path__, "medwarden.sensors.scans."):
        reader: type[ScanReader] | None = getattr(importlib.import_module(module_info.name), "READER", None)
        if reader is None:
            continue
        manifest = reader.manifest
        if not _NAME.match(manifest.name) or not manifest.reference or not _NAME.match(manifest.scanner):
            raise InternalError(f"the manifest of the scan reader {manifest.name!r} does not hold")
        if manifest.name in found:
            raise InternalError(f"two scan readers are called {manifest.name!r}")
        found[manifest.name] = reader
    return tuple(found[name] for name in sorted(found))


def recognise(head: bytes) -> type[ScanReader] | None:
    """Return the reader of a report that begins with ``head``, or None where it is none that is known."""
    return next((reader for reader in readers() if reader.recognises(head)), None)


def whole_forms() -> frozenset[str]:
    """Return the forms of reports in which silence on a host means something."""
    return frozenset(reader.manifest.name for reader in readers() if reader.manifest.whole)


def read_report(file: BinaryIO, source: str, *, largest: int = LARGEST) -> ScanReport:
    """Return what a report says; gzip is unpacked.

    Raises MalformedInput where its form is not known, it is broken, or larger than ``largest`` bytes.
    """
    packed = file.peek(2)[:2] == b"\x1f\x8b" if hasattr(file, "peek") else _begins(file) == b"\x1f\x8b"
    stream: BinaryIO = gzip.GzipFile(fileobj=file) if packed else file  # type: ignore[assignment]  # reads the same
    try:
        return _read(stream, source, largest)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise MalformedInput(source, "the gzip container is broken or cut off") from error


def _begins(file: BinaryIO) -> bytes:
    start = file.read(2)
    file.seek(-len(start), 1)
    return start


def _read(stream: BinaryIO, source: str, largest: int) -> ScanReport:
    head = stream.read(HEAD)
    kind = recognise(head)
    if kind is None:
        raise MalformedInput(
            source,
            "no scanner's report that is known: bring the XML of Nessus, Nexpose, OpenVAS, nmap or Qualys, "
            "a CSV of Qualys or InsightVM, or the JSON of the Tenable or InsightVM API",
        )
    reader = kind(source)
    taken, piece = 0, head
    while piece:
        taken += len(piece)
        if taken > largest:
            raise MalformedInput(source, f"the report is larger than {largest >> 20} MiB", taken)
        reader.feed(piece)
        piece = stream.read(_PIECE)
    return reader.finish()
