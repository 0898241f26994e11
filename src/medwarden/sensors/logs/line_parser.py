"""What parsers of log lines have in common: one line, one record, counted and placed in time."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from typing import ClassVar

from medwarden.dissect.phi import Tokeniser
from medwarden.kernel.errors import MalformedInput
from medwarden.model.batch import Batch
from medwarden.model.log_source import LogManifest, LogSetting, LogTally
from medwarden.sensors.logs.records import Records
from medwarden.sensors.logs.syslog_header import Message, split_message

_MOST_LINE = 64 * 1024
_MOST_NS = 9_000_000_000 * 1_000_000_000
_LOOKED_AT = 100


class LineParser:
    """Takes lines one by one; a subclass reads one in :meth:`read`.

    ``exporter`` is the address that a line comes from and ``heard_ns`` when it arrived: whoever receives
    lines from the network sets them; for a file both stay None.
    """

    manifest: ClassVar[LogManifest]

    def __init__(self, name: str, setting: LogSetting) -> None:
        self.records = Records(self.manifest.name, name)
        self.tally: LogTally = self.records.tally
        self.setting = setting
        self.exporter: str | None = None
        self.heard_ns: int | None = None
        self.tokeniser = Tokeniser(setting.token_key)
        self._last_ns: int | None = None

    @property
    def waiting(self) -> int:
        """Return how many facts and flows wait to be taken."""
        return len(self.records)

    @property
    def now_ns(self) -> int:
        """Return the present as the source may have it: when the line arrived, or when the file was read."""
        return self.heard_ns if self.heard_ns is not None else self.setting.now_ns

    def feed(self, piece: bytes | memoryview, offset: int) -> None:
        """Take whole lines."""
        at = offset
        for raw in bytes(piece).split(b"\n"):
            line = raw.rstrip(b"\r\0")
            if line.strip():
                self._one(line, at)
            at += len(raw) + 1

    def _one(self, line: bytes, offset: int) -> None:
        if len(line) > _MOST_LINE:
            self.records.rejected("line longer than 64 KiB", offset)
            return
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            text = line.decode("latin-1")
        try:
            self.line(text, offset)
        except MalformedInput as error:
            self.records.rejected(error.reason, offset)

    def line(self, text: str, offset: int) -> None:  # noqa: ARG002 - parsers of blocks name it
        """Take one line and count it. Raises MalformedInput where it breaks the format."""
        message = split_message(text, self.now_ns, self.setting.time_zone)
        moment = self.moment(message)
        self.read(message, moment)
        self.records.parsed(moment)

    def moment(self, message: Message) -> int:
        """Return when a message was written; without a time of its own, when it arrived."""
        moment = message.ts_ns if message.ts_ns is not None else self.heard_ns
        if moment is None:
            moment = self._last_ns if self._last_ns is not None else self.setting.now_ns
        self._last_ns = moment
        return min(max(moment, 0), _MOST_NS)

    def read(self, message: Message, moment: int) -> None:
        """Take the facts and flows of one message. Raises MalformedInput where it breaks the format."""
        raise NotImplementedError

    def take(self, *, final: bool = False) -> Batch:
        """Return the flows and facts since the last call."""
        self.settle(final=final)
        return self.records.take()

    def settle(self, *, final: bool) -> None:
        """Tell what was held back for lines that might have followed."""

    def cells(self, text: str) -> list[str]:
        """Return the values between the commas of a line (RFC 4180). Raises MalformedInput for none."""
        try:
            return next(csv.reader([text.replace("\0", "").replace("\r", " ").replace("\n", " ")]))
        except (csv.Error, StopIteration) as error:
            raise self.refuse("columns cannot be told apart") from error

    def refuse(self, reason: str) -> MalformedInput:
        """Return the error that a line breaks the format."""
        return MalformedInput(self.manifest.name, reason)


def mostly(head: bytes, claims: Callable[[bytes], bool], passed_over: Iterable[bytes] = (b"#",)) -> bool:
    """Tell whether most of the whole lines that ``head`` begins with are claimed."""
    lines = head.split(b"\n")
    if len(lines) > 1:
        lines = lines[:-1]  # the last may be cut
    marks = tuple(passed_over)
    lines = [line for line in lines[:_LOOKED_AT] if line.strip() and not line.startswith(marks)]
    return bool(lines) and sum(map(claims, lines)) * 2 > len(lines)
