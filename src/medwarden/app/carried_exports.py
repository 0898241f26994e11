"""Flow exports inside a capture: NetFlow, IPFIX and sFlow on their way to a collector, read as if sent to us.

A capture is read a second time, for these datagrams alone, where its flows show that there may be any.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from medwarden.app.intake import Sink, seldom_collecting
from medwarden.flowcore import FlowCore, FlowCoreConfig
from medwarden.kernel.printable import printable
from medwarden.model.accounting import InputReport
from medwarden.model.batch import Batch
from medwarden.model.log_source import LogSetting
from medwarden.sensors.capture_file import read_capture
from medwarden.sensors.flow_choice import flow_parser
from medwarden.sensors.reception import Reception

PORTS = frozenset({2055, 2056, 4432, 4739, 6343, 9555, 9995, 9996})
"""UDP ports of collectors: registered (IPFIX 4739, sFlow 6343), and what exporters are set to by habit."""
FORMAT = "flow exports"
CONTENT = ":exports"
"""What the id of the exports inside a capture has behind the capture's."""

_UDP = 17
_AGAIN_S = 60.0
"""Seconds after which a flow is handed off anew: none has 65,534 datagrams in that time."""
_MOST_DATAGRAMS = 65_534


class Watching:
    """Lets the batches of a capture pass, and tells whether exports may be in it."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.found = False

    def __call__(self, batch: Batch) -> None:
        """Take a batch."""
        self.found = self.found or _may_carry(batch.flows)
        self._sink(batch)


def _may_carry(flows: pa.Table) -> bool:
    if not flows.num_rows:
        return False
    udp = pc.equal(flows["ip_protocol"], _UDP)
    known = pc.is_in(flows["server_port"], pa.array(sorted(PORTS), flows["server_port"].type))
    return bool(pc.any(pc.and_(udp, known)).as_py())


def take_in_exports(path: Path, setting: LogSetting, sink: Callable[[Batch], None]) -> InputReport | None:
    """Read the flow exports in a capture; return their accounting in records, None where none is like one.

    Datagrams to :data:`PORTS` that are no exports only count where others are. What is wrong with the file
    itself stands in the capture's own report.
    """
    reception = Reception(flow_parser, setting)
    core = FlowCore(
        FlowCoreConfig(
            payload_packets=0,
            datagram_ports=PORTS,
            datagram_packets=_MOST_DATAGRAMS,
            active_timeout_s=_AGAIN_S,
            repeat_s=0,
        )
    )

    def on_batch(core: FlowCore) -> None:
        for segment in core.segments():
            if segment.dst_port in PORTS and segment.src_ip is not None:
                reception.receive(segment.src_ip, segment.payload, segment.ts_ns)
        core.take_flows()
        if reception.full:
            sink(reception.take())

    with seldom_collecting():
        read = read_capture(path, core, on_batch=on_batch)
        batch = reception.take(final=True)
    tally = reception.tally()
    if not tally.count.parsed and not tally.count.dropped:
        return None
    sink(batch)
    return InputReport(
        f"{printable(str(path))} (flow exports inside)",
        FORMAT,
        records=tally.count,
        bytes=reception.octets,
        first_ns=tally.first_ns,
        last_ns=tally.last_ns,
        rejected_reasons=dict(tally.reasons),
        error=tally.fault if read.error is None else None,
        repeated=tally.repeated,
        missing=tally.missing,
    )
