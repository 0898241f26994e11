"""What the sequence numbers of an exporter tell: what was lost, what came twice, when it began anew."""

from __future__ import annotations

from collections import OrderedDict

_MASK = 0xFFFFFFFF
_HALF = 1 << 31
_REMEMBERED = 128
_FAR = 1 << 24
"""A jump of this many is no loss but an exporter that began anew."""


class ExportSequence:
    """Follows one 32-bit sequence counter that names the first unit of each message (RFC 7011 3.1).

    ``step`` units are in a message; the next message's number is the last's plus its step. Messages may
    come out of order: what was first taken for lost is taken back when it arrives late.
    """

    def __init__(self) -> None:
        self._expected: int | None = None
        self._recent: OrderedDict[tuple[int, int], None] = OrderedDict()
        self._owed = 0
        self.missing = 0

    def repeats(self, number: int, content: bytes | memoryview) -> bool:
        """Tell whether this very message was taken before; one that was not is remembered."""
        key = (number, hash(bytes(content)))
        if key in self._recent:
            return True
        self._recent[key] = None
        if len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)
        return False

    def follow(self, number: int, step: int) -> int:
        """Take in a message; return how the number of missing units changed (negative: one came late)."""
        expected = self._expected
        if expected is None:
            self._expected = (number + step) & _MASK
            return 0
        ahead = (number - expected) & _MASK
        if ahead < _HALF:
            self._expected = (number + step) & _MASK
            if ahead >= _FAR:
                self._owed = 0
                return 0
            self._owed += ahead
            self.missing += ahead
            return ahead
        behind = _MASK + 1 - ahead
        if self._owed and behind <= self._owed + step:
            back = min(step, self._owed)
            self._owed -= back
            self.missing -= back
            return -back
        self._expected = (number + step) & _MASK  # far behind: the exporter was started anew
        self._owed = 0
        return 0

    def restart(self) -> None:
        """Forget the counter: the exporter began anew."""
        self._expected = None
        self._owed = 0
