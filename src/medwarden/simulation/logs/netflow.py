"""NetFlow version 9 (RFC 3954): what a router exports of the flows it forwarded, as datagrams."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from medwarden.simulation import wire
from medwarden.simulation.ends import Session

TEMPLATE = 260
PORT = 2055
_FIELDS = (
    (8, 4),
    (12, 4),
    (7, 2),
    (11, 2),
    (4, 1),
    (6, 1),
    (1, 4),
    (2, 4),
    (22, 4),
    (21, 4),
    (56, 6),
    (60, 1),
)
_RECORD = struct.Struct(">IIHHBBIIII6sB")
_MOST = 30
_TEMPLATE_EVERY = 20


def _template() -> bytes:
    body = struct.pack(">HH", TEMPLATE, len(_FIELDS)) + b"".join(
        struct.pack(">HH", *field) for field in _FIELDS
    )
    return struct.pack(">HH", 0, 4 + len(body)) + body


class Exporter:
    """A router that exports what it forwarded; ``booted`` is when its uptime began, in nanoseconds."""

    def __init__(self, source: int, booted: int) -> None:
        self._source = source
        self._booted = booted
        self._sequence = 0

    def datagrams(self, sessions: Sequence[Session], at: int) -> list[bytes]:
        """Return the datagrams for flows that ended before ``at``, both directions of each."""
        records = [record for session in sessions for record in self._records(session)]
        out = []
        for start in range(0, len(records), _MOST):
            chosen = records[start : start + _MOST]
            sets, count = b"", len(chosen)
            if self._sequence % _TEMPLATE_EVERY == 0:
                sets, count = _template(), count + 1
            body = b"".join(chosen)
            body += bytes(-(4 + len(body)) % 4)
            sets += struct.pack(">HH", TEMPLATE, 4 + len(body)) + body
            uptime = (at - self._booted) // 10**6 & 0xFFFFFFFF
            head = struct.pack(">HHIIII", 9, count, uptime, at // 10**9, self._sequence, self._source)
            out.append(head + sets)
            self._sequence += 1
        return out

    def _records(self, session: Session) -> list[bytes]:
        first = (session.start - self._booted) // 10**6 & 0xFFFFFFFF
        last = (session.end - self._booted) // 10**6 & 0xFFFFFFFF
        near, far = wire.address(session.near_ip), wire.address(session.far_ip)
        macs = [
            bytes.fromhex(mac.replace(":", "")) or bytes(6) for mac in (session.near_mac, session.far_mac)
        ]
        ends = (
            (near, far, session.near_port, session.far_port, macs[0]),
            (far, near, session.far_port, session.near_port, macs[1]),
        )
        return [
            _RECORD.pack(
                source, target, sport, dport, session.protocol, session.flags[side],
                min(session.octets[side], 0xFFFFFFFF), session.packets[side], first, last, own, 4,
            )
            for side, (source, target, sport, dport, own) in enumerate(ends)
            if session.packets[side]
        ]  # fmt: skip
