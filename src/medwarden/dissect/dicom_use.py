"""What an association says about the use of equipment: exams begun and ended, images sent and moved.

Times are those of the wire, in minutes of UTC; no identifier of a study, a step or a patient is in them.
Later engines read how much a device is used from these lines: each stands for itself, and where
one comes again (many short associations within a minute) its count says how often.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

MAX_MODALITIES = 4


def minute(ts_ns: int) -> str:
    """Return a time in nanoseconds as ``2026-01-02T10:11Z``."""
    try:
        moment = datetime.fromtimestamp(ts_ns // 1_000_000_000, UTC)
    except (OverflowError, ValueError):  # a capture may claim any time
        return "unknown time"
    return moment.strftime("%Y-%m-%dT%H:%MZ")


class SentImages(msgspec.Struct):
    """The images that one association stored; ``sender`` is the side that sent them (from_client)."""

    sender: bool = True
    first_ns: int = 0
    last_ns: int = 0
    asked: int = 0
    stored: int = 0
    failed: int = 0
    relayed: bool = False
    modalities: dict[str, None] = msgspec.field(default_factory=dict)

    def request(self, ts_ns: int, sender: bool, relayed: bool) -> None:
        """Count one C-STORE request."""
        if not self.asked:
            self.first_ns = ts_ns
        self.sender, self.last_ns = sender, ts_ns
        self.asked += 1
        self.relayed = self.relayed or relayed

    def response(self, ts_ns: int, sender: bool, succeeded: bool) -> None:
        """Count one C-STORE response, which tells of images whose bytes were not handed over."""
        if not self.first_ns:
            self.first_ns = ts_ns
        self.sender, self.last_ns = sender, ts_ns
        if succeeded:
            self.stored += 1
        else:
            self.failed += 1

    def of_modality(self, modality: str) -> None:
        """Remember the kind of an image."""
        if len(self.modalities) < MAX_MODALITIES:
            self.modalities[modality] = None

    def statement(self) -> str:
        """Return ``2026-01-02T10:11Z/2026-01-02T10:13Z CT images=120``, or "" when nothing was sent."""
        if not (self.asked or self.stored or self.failed):
            return ""
        kinds = "+".join(sorted(self.modalities)) or "unknown"
        images = self.stored if self.stored or self.failed else self.asked
        words = [f"{minute(self.first_ns)}/{minute(self.last_ns)}", kinds, f"images={images}"]
        if self.failed:
            words.append(f"failed={self.failed}")
        if self.relayed:
            words.append("relayed")
        return " ".join(words)
