"""One log file to batches of flows and facts, with its exact accounting; from where it was left."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec
import pyarrow.compute as pc

from medwarden.app.intake import seldom_collecting
from medwarden.assessment.sources import SourceTells
from medwarden.kernel.clock import wall_clock
from medwarden.kernel.errors import MedwardenError, ResourceError
from medwarden.kernel.printable import printable
from medwarden.model.accounting import InputReport, PacketCount
from medwarden.model.batch import Batch
from medwarden.model.log_source import Framing, LogParser, LogSetting, Tells
from medwarden.sensors.log_files import LogFile, opened_log
from medwarden.sensors.logs._columns import Fingerprint
from medwarden.sensors.logs.lines import OVERLONG, LineFramer
from medwarden.sensors.logs.registry import parsers

LogSink = Callable[[Batch, InputReport], None]
"""Takes a batch with the accounting of the input up to its end."""

MOST_DOCUMENT = 50 << 20
"""Bytes of the largest document (XML, spreadsheet) that is taken, after unpacking."""

_BATCH_BYTES = 256 << 20
_BATCH_RECORDS = 500_000
_DIGEST = 20
_PRESENT = "nh"
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


class Digest(Protocol):
    """What tells whether the first bytes of a log are those that were read."""

    def update(self, octets: memoryview, /) -> None:
        """Take the next bytes."""
        ...

    def hexdigest(self) -> str:
        """Return the digest of all bytes so far."""
        ...


def _digest_like(mark: Mark | None) -> Digest:
    """Return what makes digests like that of a mark; those of older versions are plain BLAKE2b."""
    if mark is None or mark.digest.startswith(_PRESENT):
        return Fingerprint()
    return hashlib.blake2b(digest_size=_DIGEST)


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
    path: Path,
    form: type[LogParser],
    setting: LogSetting,
    sink: LogSink,
    since: InputReport | None = None,
    redo: str | None = None,
) -> InputReport:
    """Read a log file and give its batches to ``sink``; return the accounting at its end.

    With ``since``, the report up to where it was left, only what came after is taken, and the report goes on
    from it; ``redo`` is the mark up to which the first batch was stored before it could be acknowledged. What
    is wrong with the file, or with its first bad record, stands in the report's ``error``.
    """
    name = printable(str(path))
    base = going_on(since) if since else InputReport(name, form.manifest.name)
    reading = LogReading(name, form, setting, base)
    error: str | None = None
    with seldom_collecting():
        try:
            with opened_log(path) as file:
                if form.manifest.framing is Framing.DOCUMENT:
                    reading.document(file)
                else:
                    _read_lines(reading, file, sink, redo)
        except MedwardenError as problem:
            error = printable(str(problem))
        batch = reading.take(final=True)
        report = reading.report(error)
        sink(batch, report)
    return report


def _read_lines(reading: LogReading, file: LogFile, sink: LogSink, redo: str | None) -> None:
    waiting = stored = 0
    piece = reading.enter(file)
    if redo is not None:
        piece = reading.again(file, piece, redo)
        stored = reading.records
        sink(reading.take(), reading.report())
    piece = piece or file.read()
    while piece:
        reading.taken = file.taken
        reading.push(piece)
        waiting += len(piece)
        if waiting >= _BATCH_BYTES or reading.records - stored >= _BATCH_RECORDS:
            waiting, stored = 0, reading.records
            sink(reading.take(), reading.report())
        piece = file.read()
    reading.end()


class LogReading:
    """One run through one log: pieces in, batches and the accounting out."""

    def __init__(self, name: str, form: type[LogParser], setting: LogSetting, base: InputReport) -> None:
        self._parser = form(name, setting)
        self._name = name
        self._base = base
        self._mark = mark_of(base)
        self._framer = LineFramer()
        self._digest = _digest_like(self._mark)
        self._tail = ""
        self._overlong = 0
        self.missing = 0
        self.taken = 0

    @property
    def position(self) -> int:
        """Bytes, after unpacking, whose lines were taken."""
        return self._framer.position

    @property
    def records(self) -> int:
        """Records taken in this run."""
        return self._parser.tally.count.read

    def document(self, file: LogFile) -> None:
        """Take a file whole. Raises ResourceError where it is too large for that."""
        parts, size = [], 0
        while piece := file.read():
            size += len(piece)
            if size > MOST_DOCUMENT:
                raise ResourceError(f"{self._name}: a document of more than {MOST_DOCUMENT >> 20} MiB")
            parts.append(piece)
        self.taken = file.taken
        self._parser.feed(b"".join(parts), 0)

    def enter(self, file: LogFile) -> bytes:
        """Go to where the input was left and return what was read beyond it.

        Raises ResourceError where the file is another by now.
        """
        if self._mark is None:
            return b""
        self._framer = LineFramer(self._mark.position)
        self._digest, rest = self._pass_over(file, self._mark)
        return rest

    def again(self, file: LogFile, rest: bytes, redo: str) -> bytes:
        """Take exactly what was stored before it could be acknowledged, up to the mark ``redo``.

        ``rest`` is what was read of the file and not yet taken. Returns what was read beyond.
        """
        end = msgspec.json.decode(redo, type=Mark).position
        left = end - self.position
        while left > 0 and (rest := rest or file.read()):
            taken, rest = rest[:left], rest[left:]
            left -= len(taken)
            self.push(taken)
        self.taken = file.taken
        if self.position < end:  # the last line that was stored had no line end yet
            self.end()
            self._framer = LineFramer(self.position)
        return rest

    def push(self, piece: bytes) -> None:
        """Take the next bytes."""
        for block in self._framer.push(piece):
            self._parser.feed(block.lines, block.offset)
        self._reject_overlong()
        cut = max(0, len(piece) - self._framer.unfinished)
        octets = memoryview(piece)
        if cut:
            self._digest.update(octets[:cut])
            self._mark = Mark(self._framer.position, self._digest.hexdigest())
        self._digest.update(octets[cut:])

    def end(self) -> None:
        """Take the last line, which may have no line end; where it is broken, it may be unfinished."""
        before = dict(self._parser.tally.reasons)
        for block in self._framer.finish():
            self._parser.feed(block.lines, block.offset)
        self._reject_overlong()
        more = (r for r, n in self._parser.tally.reasons.items() if n > before.get(r, 0))
        self._tail = next(more, "")
        if self._mark is None or not self._tail:
            self._mark = Mark(self._framer.position, self._digest.hexdigest())

    def _pass_over(self, file: LogFile, mark: Mark) -> tuple[Digest, bytes]:
        """Read up to the mark and tell the parser the headers. Raises ResourceError for another file."""
        digest = _digest_like(mark)
        header = _Header()
        left = mark.position
        rest = b""
        while left and (piece := file.read()):
            rest = piece[left:]
            piece = piece[:left]
            digest.update(memoryview(piece))
            header.push(piece)
            left -= len(piece)
        if left or digest.hexdigest() != mark.digest:
            raise ResourceError(f"{self._name}: the file changed while it was read")
        if isinstance(self._parser, Enterable):
            self._parser.enter(header.lines())
        return digest, rest

    def _reject_overlong(self) -> None:
        for offset in self._framer.overlong[self._overlong :]:
            tally = self._parser.tally
            tally.count.read += 1
            tally.count.rejected += 1
            tally.reasons[OVERLONG] = tally.reasons.get(OVERLONG, 0) + 1
            tally.fault = tally.fault or f"{self._name}, byte {offset}: {OVERLONG}"
        self._overlong = len(self._framer.overlong)

    def take(self, *, final: bool = False) -> Batch:
        """Return what has gathered, with flow ids that the input has not had before."""
        batch = self._parser.take(final=final)
        before = self._base.records.read
        if before and batch.flows.num_rows:
            ids = pc.add(batch.flows["flow_id"], before)
            batch = Batch(batch.flows.set_column(0, batch.flows.schema.field(0), ids), batch.facts)
        return batch

    def report(self, error: str | None = None) -> InputReport:
        """Return the accounting from the beginning of the input up to here."""
        base, tally = self._base, self._parser.tally
        mark = self._mark
        return InputReport(
            path=self._name,
            format=format_of(self._parser, base.format),
            records=PacketCount(
                base.records.read + tally.count.read,
                base.records.parsed + tally.count.parsed,
                base.records.rejected + tally.count.rejected,
                base.records.dropped + tally.count.dropped,
            ),
            bytes=self.taken,
            first_ns=_least(base.first_ns, tally.first_ns),
            last_ns=_most(base.last_ns, tally.last_ns),
            rejected_reasons=dict(Counter(base.rejected_reasons) + Counter(tally.reasons)),
            error=error or base.error or tally.fault,
            repeated=base.repeated + tally.repeated,
            missing=base.missing + tally.missing + self.missing,
            mark="" if mark is None else msgspec.structs.replace(mark, tail=self._tail).text(),
        )


def going_on(report: InputReport) -> InputReport:
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


@runtime_checkable
class Several(Protocol):
    """A parser of several kinds of log that can say which of them an input held."""

    def kinds(self) -> frozenset[str]:
        """Return the kinds that were met so far."""
        ...

    @staticmethod
    def tells_of(kinds: frozenset[str]) -> frozenset[Tells]:
        """Return what logs of these kinds can tell together."""
        ...


def format_of(parser: LogParser, before: str = "") -> str:
    """Return the format of an input: its parser's name and, with a colon before them, the kinds of log."""
    name = parser.manifest.name
    if not isinstance(parser, Several):
        return name
    kinds = set(parser.kinds()) | {kind for kind in before.partition(":")[2].split(",") if kind}
    return f"{name}:{','.join(sorted(kinds))}" if kinds else name


def source_tells(inputs: Iterable[InputReport]) -> dict[str, SourceTells]:
    """Return what each kind of log among ``inputs`` can tell, by the format of its reports."""
    forms = {form.manifest.name: form for form in parsers()}
    found: dict[str, SourceTells] = {}
    for report in inputs:
        name, _, kinds = report.format.partition(":")
        form = forms.get(name)
        if form is None:
            continue
        title, tells = form.manifest.title, form.manifest.tells
        if kinds and issubclass(form, Several):
            listed = frozenset(kinds.split(","))
            title, tells = f"{title} ({kinds.replace(',', ', ')})", form.tells_of(listed)
        found[report.format] = SourceTells(title, tells)
    return found


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
    digest = _digest_like(mark)
    left = mark.position
    with opened_log(path) as file:
        while left and (piece := file.read()):
            digest.update(memoryview(piece)[:left])
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
