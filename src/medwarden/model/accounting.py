"""Exact accounting of what a sensor took in: read = parsed + rejected + dropped, always."""

from __future__ import annotations

import msgspec


class PacketCount(msgspec.Struct):
    """Packets of one input. ``dropped`` were lost before or in the sensor (kernel, overload)."""

    read: int = 0
    parsed: int = 0
    rejected: int = 0
    dropped: int = 0

    def balanced(self) -> bool:
        """Tell whether every packet is accounted for."""
        return self.read == self.parsed + self.rejected + self.dropped


class InputReport(msgspec.Struct):
    """What became of one input (a file, a socket, an interface).

    ``records`` counts log records like ``packets`` does packets. ``rejected_reasons`` sums up why
    packets were rejected; ``malformed`` counts payloads a dissector gave up on, by dissector (their
    packets still count as parsed: link, network and transport headers were sound). ``already`` is
    true when this very content had been taken in before, so that only counters changed. ``repeated``
    records were told before; ``missing`` never arrived, as an exporter's sequence numbers tell (they are
    no part of ``records``). ``mark`` says where reading goes on when a log has grown (its own reader's text).
    """

    path: str
    format: str = ""
    packets: PacketCount = msgspec.field(default_factory=PacketCount)
    records: PacketCount = msgspec.field(default_factory=PacketCount)
    bytes: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    rejected_reasons: dict[str, int] = msgspec.field(default_factory=dict)
    malformed: dict[str, int] = msgspec.field(default_factory=dict)
    already: bool = False
    error: str | None = None
    repeated: int = 0
    missing: int = 0
    mark: str = ""
