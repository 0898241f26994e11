"""One log file to batches of flows and facts, with its exact accounting; from where it was left."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec
import pyarrow.compute as pc

from medwarden.app.intake import seldom_collecting
from medwarden.kernel.clock import wall_clock
from medwarden.kernel.errors import MedwardenError, ResourceError
from medwarden.kernel.printable import printable
from medwarden.model.accounting import InputReport, PacketCount
from medwarden.model.batch import Batch
from medwarden.model.log_source import Framing, LogParser, LogSetting
from medwarden.sensors.log_files import LogFile, opened_log
from medwarden.sensors.logs.lines import OVERLONG, LineFramer

LogSink = Callable[[Batch, InputReport], None]
"""Takes a batch with the accounting of the input up to its end."""

MOST_DOCUMENT = 50 << 20
"""Bytes of the largest document (XML, spreadsheet) that is taken, after unpacking."""

_BATCH_BYTES = 64 << 20
_DIGEST = 20
_MOST_HEAD = 1 << 16


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """Where reading a log goes on when it has grown: what an input's report keeps as text.

    ``digest`` is of all bytes before ``position``; ``tail`` why the unfinished line behind it was rejected,
    if it was: that is taken back when the file goes on.
    """

    position: int
    digest: str
    tail: str = ""

    def text(self) -> str:
        """Return it as kept in :attr:`~medwarden.model.accounting.InputReport.mark`."""
        return msgspec.json.encode(self).decode()


def mark_of(report: InputReport) -> Mark | None:
    """Return where the input of a report goes on, None where it was not read at all."""
    return msgspec.json.decode(report.mark, type=Mark) if report.mark else None


@runtime_checkable
class Enterable(Protocol):
    """A parser whose lines mean what a header before them says."""

    def enter(self, header: bytes) -> None:
        """Take the header lines of the input before lines from its middle are fed."""
        ...


def setting_of(
    token_key: bytes, *, time_zone: str = "UTC", columns: dict[str, str] | None = None
) -> LogSetting:
    """Return what parsers must know, dated now."""
    return LogSetting(token_key, time_zone, wall_clock(), columns or {})


def take_in_log(
    path: Path, form: type[LogParser], setting: LogSetting, sink: LogSink, since: InputReport | None = None
) -> InputReport:
    """Read a log file and give its batches to ``sink``; return the accounting at its end.

    With ``since``, the report up to where it was left, only what came after is taken, and the report goes on
    from it. What is wrong with the file, or with its first bad record, stands in the report's ``error``.
    """
    name = printable(str(path))
    base = _going_on(since) if since else InputReport(name, form.manifest.name)
    reading = _Lines(name, form, setting, sink, base)
    error: str | None = None
    try:
        with opened_log(path) as file, seldom_collecting():
            if form.manifest.framing is Framing.DOCUMENT:
                reading.document(file)
            else:
                reading.lines(file)
    except MedwardenError as problem:
        error = printable(str(problem))
    return reading.finish(error)


class _Lines:
    """One run through one log."""

    def __init__(
        self, name: str, form: type[LogParser], setting: LogSetting, sink: LogSink, base: InputReport
    ) -> None:
        self._parser = form(name, setting)
        self._name = name
        self._sink = sink
        self._base = base
        self._mark = mark_of(base)
        self._tail = ""
        self._taken = 0
        self._waiting = 0
        self._overlong = 0

    def document(self, file: LogFile) -> None:
        """Take the file whole."""
        parts, size = [], 0
        while piece := file.read():
            size += len(piece)
            if size > MOST_DOCUMENT:
                raise ResourceError(f"{self._name}: a document of more than {MOST_DOCUMENT >> 20} MiB")
            parts.append(piece)
        self._taken = file.taken
        self._parser.feed(b"".join(parts), 0)

    def lines(self, file: LogFile) -> None:
        """Take every line from where the input was left."""
        digest = hashlib.blake2b(digest_size=_DIGEST)
        rest = b""
        start = 0
        if self._mark is not None:
            digest, rest = self._pass_over(file, self._mark)
            start = self._mark.position
        framer = LineFramer(start)
        piece = rest or file.read()
        while piece:
            self._taken = file.taken
            for block in framer.push(piece):
                self._parser.feed(block.lines, block.offset)
            self._reject_overlong(framer)
            cut = max(0, len(piece) - framer.unfinished)
            if cut:
                digest.update(piece[:cut])
                self._mark = Mark(framer.position, digest.hexdigest())
            digest.update(piece[cut:])
            self._waiting += len(piece)
            if self._waiting >= _BATCH_BYTES:
                self._waiting = 0
                self._give(self._parser.take(), self._report(None))
            piece = file.read()
        before = dict(self._parser.tally.reasons)
        for block in framer.finish():
            self._parser.feed(block.lines, block.offset)
        self._reject_overlong(framer)
        more = (r for r, n in self._parser.tally.reasons.items() if n > before.get(r, 0))
        self._tail = next(more, "")
        if self._mark is None or not self._tail:
            self._mark = Mark(framer.position, digest.hexdigest())

    def _pass_over(self, file: LogFile, mark: Mark) -> tuple[hashlib.blake2b, bytes]:
        """Read up to the mark and tell the parser the headers. Raises ResourceError for another file."""
        digest = hashlib.blake2b(digest_size=_DIGEST)
        header = _Header()
        left = mark.position
        rest = b""
        while left and (piece := file.read()):
            rest = piece[left:]
            piece = piece[:left]
            digest.update(piece)
            header.push(piece)
            left -= len(piece)
        if left or digest.hexdigest() != mark.digest:
            raise ResourceError(f"{self._name}: the file changed while it was read")
        if isinstance(self._parser, Enterable):
            self._parser.enter(header.lines())
        return digest, rest

    def _reject_overlong(self, framer: LineFramer) -> None:
        for offset in framer.overlong[self._overlong :]:
            tally = self._parser.tally
            tally.count.read += 1
            tally.count.rejected += 1
            tally.reasons[OVERLONG] = tally.reasons.get(OVERLONG, 0) + 1
            tally.fault = tally.fault or f"{self._name}, byte {offset}: {OVERLONG}"
        self._overlong = len(framer.overlong)

    def finish(self, error: str | None) -> InputReport:
        """Hand on what is left and return the accounting."""
        batch = self._parser.take(final=True)
        report = self._report(error)
        self._give(batch, report)
        return report

    def _give(self, batch: Batch, report: InputReport) -> None:
        """Hand on a batch whose flows have ids that the input has not had before."""
        before = self._base.records.read
        if before and batch.flows.num_rows:
            ids = pc.add(batch.flows["flow_id"], before)
            batch = Batch(batch.flows.set_column(0, batch.flows.schema.field(0), ids), batch.facts)
        self._sink(batch, report)

    def _report(self, error: str | None) -> InputReport:
        base, tally = self._base, self._parser.tally
        mark = self._mark
        return InputReport(
            path=self._name,
            format=self._parser.manifest.name,
            records=PacketCount(
                base.records.read + tally.count.read,
                base.records.parsed + tally.count.parsed,
                base.records.rejected + tally.count.rejected,
                base.records.dropped + tally.count.dropped,
            ),
            bytes=self._taken,
            first_ns=_least(base.first_ns, tally.first_ns),
            last_ns=_most(base.last_ns, tally.last_ns),
            rejected_reasons=dict(Counter(base.rejected_reasons) + Counter(tally.reasons)),
            error=error or base.error or tally.fault,
            repeated=base.repeated + tally.repeated,
            missing=base.missing + tally.missing,
            mark="" if mark is None else msgspec.structs.replace(mark, tail=self._tail).text(),
        )


def _going_on(report: InputReport) -> InputReport:
    """Return the accounting up to the mark: without the unfinished line that was rejected at the end."""
    mark = mark_of(report)
    if mark is None or not mark.tail:
        return report
    count = report.records
    return msgspec.structs.replace(
        report,
        records=PacketCount(count.read - 1, count.parsed, count.rejected - 1, count.dropped),
        rejected_reasons=dict(Counter(report.rejected_reasons) - Counter({mark.tail: 1})),
        error=None if count.rejected == 1 else report.error,
    )


class _Header:
    """The first line of an input and every line that begins with ``#``, of what is passed over."""

    def __init__(self) -> None:
        self._framer = LineFramer()
        self._kept: list[bytes] = []
        self._begun = False

    def push(self, piece: bytes) -> None:
        """Take the next bytes."""
        for block in self._framer.push(piece):
            lines = block.lines
            if self._begun and not lines.startswith(b"#") and b"\n#" not in lines:
                continue
            for line in lines.splitlines(keepends=True):
                if line.startswith(b"#") or not self._begun:
                    self._kept.append(line)
                self._begun = True
        while sum(map(len, self._kept)) > _MOST_HEAD:
            del self._kept[0]

    def lines(self) -> bytes:
        """Return them in their order."""
        return b"".join(self._kept)


def grown_from(path: Path, report: InputReport) -> bool | None:
    """Tell whether a file is what ``report`` was about: None where it is another, True where it has grown."""
    mark = mark_of(report)
    if mark is None:
        return True
    digest = hashlib.blake2b(digest_size=_DIGEST)
    left = mark.position
    with opened_log(path) as file:
        while left and (piece := file.read()):
            digest.update(piece[:left])
            if len(piece) > left:
                return True if digest.hexdigest() == mark.digest else None
            left -= len(piece)
        if left or digest.hexdigest() != mark.digest:
            return None
        return bool(file.read())


def _least(one: int | None, other: int | None) -> int | None:
    return min((n for n in (one, other) if n is not None), default=None)


def _most(one: int | None, other: int | None) -> int | None:
    return max((n for n in (one, other) if n is not None), default=None)
