"""What parsers of flow exports have in common: an exporter, its clock, and what it is counted under."""

from __future__ import annotations

from typing import ClassVar

from medwarden.kernel.clock import NANOSECONDS
from medwarden.kernel.errors import MalformedInput
from medwarden.model.batch import Batch
from medwarden.model.log_source import LogManifest, LogSetting, LogTally
from medwarden.sensors.logs.export_sequence import ExportSequence
from medwarden.sensors.logs.flow_record import FlowFolder
from medwarden.sensors.logs.records import Records

MOST_SOURCES = 256
"""Observation domains, source ids or engines of one exporter that are followed."""
SKEW_NS = 600 * NANOSECONDS
"""An exporter's clock further off than this is not believed; its times are moved to ours."""
EXPORT_FIELDS = ("flow.exporter", "flow.sampling", "flow.exporter_clock")
_MASK = 0xFFFFFFFF
_HALF = 1 << 31
_MS = 1_000_000


class FlowExport:
    """One exporter's datagrams to flows.

    ``exporter`` is the address the datagrams come from and ``heard_ns`` when the one that is fed next
    arrived: whoever receives datagrams sets them; for a file both stay None. ``lasting`` says that
    templates hold until they are replaced (files, TCP), else they age.
    """

    manifest: ClassVar[LogManifest]

    def __init__(self, name: str, setting: LogSetting) -> None:
        self._gathered = Records(self.manifest.name, name)
        self.tally: LogTally = self._gathered.tally
        self._folder = FlowFolder(self._gathered)
        self._setting = setting
        self.exporter: str | None = None
        self.heard_ns: int | None = None
        self.lasting = False
        self._sequences: dict[object, ExportSequence] = {}
        self._skew = 0

    @property
    def waiting(self) -> int:
        """Return how many facts and flows wait to be taken."""
        return len(self._gathered)

    def feed(self, piece: bytes | memoryview, offset: int) -> None:
        """Take one datagram, or several whole messages one after another where their length can be told."""
        octets = bytes(piece)
        if not octets:
            self._gathered.rejected("empty datagram", offset)
            return
        at = 0
        while at < len(octets):
            try:
                at += max(1, self._message(octets[at:] if at else octets))
            except MalformedInput as error:
                self._gathered.rejected(error.reason, offset + at + (error.offset or 0))
                return

    def take(self, *, final: bool = False) -> Batch:
        """Return the flows and facts since the last call; with ``final`` nothing is held back."""
        if final:
            self._end()
        self._folder.settle(final=final)
        return self._gathered.take()

    def _message(self, octets: bytes) -> int:
        """Take the message that ``octets`` begin with and return its length. Raises MalformedInput."""
        raise NotImplementedError

    def _end(self) -> None:
        """Count what will never be understood, as nothing more comes."""

    def _sequence(self, source: object) -> ExportSequence:
        """Return the counter of a source; with too many sources the oldest is forgotten."""
        sequence = self._sequences.get(source)
        if sequence is None:
            if len(self._sequences) >= MOST_SOURCES:
                del self._sequences[next(iter(self._sequences))]
            sequence = self._sequences[source] = ExportSequence()
        return sequence

    def _follow(self, source: object, number: int, step: int) -> None:
        self.tally.missing += self._sequence(source).follow(number, step)

    def _clock(self, exported_ns: int) -> int:
        """Return what is to be added to the exporter's times; say so once where its clock is wrong."""
        heard = self.heard_ns
        if heard is None:
            return 0
        skew = heard - exported_ns
        if abs(skew) <= SKEW_NS:
            self._skew = 0
            return 0
        if abs(skew - self._skew) > SKEW_NS:
            self._skew = skew
            hours = -skew / (3600 * NANOSECONDS)
            self.say("flow.exporter_clock", f"off by {hours:+.1f} h", heard)
        return self._skew

    def say(self, field: str, value: str, ts_ns: int) -> None:
        """State a fact about the exporter itself."""
        self._gathered.fact(ts_ns, None, self.exporter, field, value)


def uptime_ns(exported_ns: int, uptime_ms: int, moment_ms: int) -> int:
    """Return the time of ``moment_ms`` of an uptime that stood at ``uptime_ms`` when it was ``exported_ns``.

    Uptimes are 32-bit milliseconds and begin anew after 49.7 days; a moment a little after the export
    (some exporters write them so) is taken as such.
    """
    behind = ((uptime_ms - moment_ms + _HALF) & _MASK) - _HALF
    return exported_ns - behind * _MS
