"""Messages out of a stream of syslog: RFC 6587, octet counting and non-transparent framing.

A message that begins with a digit other than 0 is counted (3.4.1), any other ends with a line feed (3.4.2):
senders that mix both are understood. What is longer than allowed is passed over to its end in bounded
memory and counted once.
"""

from __future__ import annotations

from medwarden.sensors.line_choice import MOST_MESSAGE

TOO_LONG = "message longer than 64 KiB"
NO_COUNT = "count of octets is broken"
_DIGITS = frozenset(b"0123456789")
_MOST_DIGITS = 8


class SyslogFraming:
    """Cuts one connection's stream into messages; :attr:`faults` names what could not be cut."""

    def __init__(self, most: int = MOST_MESSAGE) -> None:
        self._most = most
        self._pending = bytearray()
        self._searched = 0
        self._skip = 0
        self._skip_line = False
        self.faults: list[str] = []

    @property
    def partial(self) -> bool:
        """Tell whether a message has begun and not ended."""
        return bool(self._pending) or self._skip > 0 or self._skip_line

    def push(self, octets: bytes) -> list[bytes]:
        """Return the messages that ended with ``octets``."""
        messages: list[bytes] = []
        pending = self._pending
        pending += octets
        while pending:
            if self._skip:
                gone = min(self._skip, len(pending))
                self._skip -= gone
                self._drop(gone)
            elif self._skip_line:
                end = pending.find(b"\n")
                self._skip_line = end < 0
                self._drop(len(pending) if end < 0 else end + 1)
            elif pending[0] in b"\r\n\0 ":
                self._drop(1)
            else:
                counted = 0x31 <= pending[0] <= 0x39
                message = self._counted() if counted else self._line()
                if message is None:
                    break
                if message:
                    messages.append(message)
        return messages

    def finish(self) -> list[bytes]:
        """Return the last message of a connection that ended without a line feed (RFC 6587 3.4.2)."""
        rest = bytes(self._pending)
        self._drop(len(self._pending))
        if not rest or self._skip or self._skip_line:
            return []
        if rest[0] in _DIGITS:
            self.faults.append("connection ended within a message")
            return []
        return [rest]

    def _drop(self, count: int) -> None:
        del self._pending[:count]
        self._searched = 0

    def _counted(self) -> bytes | None:
        """Return the message behind a count; None when more is needed, nothing when it was passed over."""
        pending = self._pending
        space = pending.find(b" ", 0, _MOST_DIGITS + 1)
        if space < 0:
            if len(pending) <= _MOST_DIGITS and _DIGITS.issuperset(pending):
                return None
            return self._broken()
        digits = bytes(pending[:space])
        if not _DIGITS.issuperset(digits):
            return self._broken()
        count = int(digits)
        if count > self._most:
            self.faults.append(TOO_LONG)
            self._drop(space + 1)
            self._skip = count
            return b""
        end = space + 1 + count
        if len(pending) < end:
            return None
        message = bytes(pending[space + 1 : end])
        self._drop(end)
        return message

    def _broken(self) -> bytes:
        """Pass over what should have been a count up to the end of the line, where sense may begin again."""
        self.faults.append(NO_COUNT)
        self._skip_line = True
        return b""

    def _line(self) -> bytes | None:
        pending = self._pending
        end = pending.find(b"\n", self._searched)
        if end < 0:
            if len(pending) > self._most:
                self.faults.append(TOO_LONG)
                self._drop(len(pending))
                self._skip_line = True
                return b""
            self._searched = len(pending)
            return None
        message = bytes(pending[:end])
        self._drop(end + 1)
        if len(message) > self._most:
            self.faults.append(TOO_LONG)
            return b""
        return message
