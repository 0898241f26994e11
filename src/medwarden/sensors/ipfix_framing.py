"""IPFIX messages out of a TCP stream (RFC 7011 section 10.4): their header tells how long they are."""

from __future__ import annotations

from medwarden.kernel.errors import MalformedInput
from medwarden.sensors.logs.ipfix import Ipfix

NO_MESSAGE = "stream is not IPFIX"


class IpfixFraming:
    """Cuts one connection's stream into messages; a stream that loses its frame is given up."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._lost = False
        self.faults: list[str] = []

    @property
    def partial(self) -> bool:
        """Tell whether a message has begun and not ended."""
        return bool(self._pending)

    @property
    def lost(self) -> bool:
        """Tell whether the stream can no longer be cut: its connection should end."""
        return self._lost

    def push(self, octets: bytes) -> list[bytes]:
        """Return the messages that ended with ``octets``."""
        messages: list[bytes] = []
        if self._lost:
            return messages
        pending = self._pending
        pending += octets
        while True:
            try:
                length = Ipfix.message_length(bytes(pending[:4]))
            except MalformedInput:
                self._lost = True
                self.faults.append(NO_MESSAGE)
                pending.clear()
                return messages
            if length is None or len(pending) < length:
                return messages
            messages.append(bytes(pending[:length]))
            del pending[:length]

    def finish(self) -> list[bytes]:
        """Count the message that the end of the connection cut off."""
        if self._pending:
            self._pending.clear()
            self.faults.append("connection ended within a message")
        return []
