"""Packets to flow records and evidence: the flow core and the dissectors wired together.

One :class:`PacketStage` serves one input (a capture file, an interface). Whoever reads the input
calls :meth:`PacketStage.drain` whenever the core has hand-offs, and :meth:`PacketStage.take` when a
batch is due.
"""

from __future__ import annotations

import hashlib

import pyarrow as pa
import pyarrow.compute as pc

from medwarden.dissect.recall import RecallingObserver
from medwarden.flowcore import FlowCore, FlowCoreConfig, Router
from medwarden.model.batch import Batch
from medwarden.model.evidence import Evidence
from medwarden.model.tables import FLOW_SCHEMA

_STACK, _TCP = "tcp.stack", "tcp"
_STACK_OF = ("client_mac", "client_ip", "vlan", "syn_out")
_MOST_FACTS = 200_000
_MOST_FLOWS = 200_000
_PAYLOAD_PACKETS = 2  # per direction of a flow on no known port; four find 1 % more applications
_REPEAT_S = 180  # how stale the last word of a fact may be; flows tell who is there to the second
_HANDOFF_BYTES = 1 << 17  # a small batch stays in the processor's cache, and early verdicts spare more


class PacketStage:
    """Flow core, observer and the sum of facts since the last batch.

    ``token_key`` is the installation's secret for identifiers that must be linkable without being
    readable; see :mod:`medwarden.dissect.phi`. Without ``recall`` every payload is read, also those that
    equal others; what comes of it is the same.
    """

    def __init__(
        self,
        token_key: bytes,
        *,
        max_flows: int = 500_000,
        recall: bool = True,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self.observer = RecallingObserver(token_key)
        interest = self.observer.core_interest
        self.core = FlowCore(
            FlowCoreConfig(
                max_flows=max_flows,
                share=share,
                stream_ports=interest.stream_ports,
                stream_starts=interest.stream_starts,
                datagram_ports=interest.datagram_ports,
                datagram_volatile=interest.datagram_volatile,
                opening_ports=interest.opening_ports,
                opening_starts=interest.opening_starts,
                ethertypes=interest.ethertypes,
                payload_packets=_PAYLOAD_PACKETS,
                handoff_bytes=_HANDOFF_BYTES,
                repeat_s=_REPEAT_S,
                # Batches read again after a crash must come out as they did, yet be nobody's to foresee.
                seed=hashlib.blake2b(token_key, digest_size=16, person=b"mw-flow-table").digest(),
            )
        )
        self.observer.pass_over = self.core.pass_over
        self.router = Router(self.core, self.observer, recall=recall)
        self._facts = self.router.facts

    def drain(self, _core: FlowCore | None = None) -> None:
        """Take the hand-offs that wait in the core through the dissectors."""
        self.router.drain()

    def due(self) -> bool:
        """Tell whether so many facts or ended flows have gathered that a batch should be taken now."""
        return len(self._facts) >= _MOST_FACTS or self.core.flows_waiting >= _MOST_FLOWS

    def take(self, *, final: bool = False) -> Batch:
        """Return what has gathered since the last call; with ``final`` all open flows end."""
        self.drain()
        records = self.core.take_flows(final=final)
        if final:
            self.drain()  # what waited for lost bytes of its stream is handed off when the flow ends
        flows = self._named(records)
        if final:
            self.observer.forget_all()
            self.router.forget_all()
        elif records.num_rows:
            ended = pc.not_equal(
                records.column("end_reason"), "active"
            )  # an interim record: the flow goes on
            self.observer.forget(records.column("flow_id").filter(ended).to_pylist())
        return Batch(flows, self._facts.take())

    def _named(self, records: pa.RecordBatch) -> pa.Table:
        """Return flow records with their application, and hear the TCP stack each client showed.

        A flow that the core held back because it only repeated another with the same service has that
        service's name.
        """
        table = pa.Table.from_batches([records], FLOW_SCHEMA)
        self._hear_stacks(table)
        return table.append_column(pa.field("application", pa.string()), self.router.names_of(records))

    def _hear_stacks(self, flows: pa.Table) -> None:
        stacks = (
            flows.select([*_STACK_OF, "start_ns"])
            .filter(pc.is_valid(flows.column("syn_out")))
            .group_by(list(_STACK_OF))
            .aggregate([("start_ns", "min"), ("start_ns", "max"), ("start_ns", "count")])
        )
        columns = (*_STACK_OF, "start_ns_min", "start_ns_max", "start_ns_count")
        for mac, ip, vlan, syn, first, last, count in zip(
            *(stacks.column(c).to_pylist() for c in columns), strict=True
        ):
            self._facts.add_counted(Evidence(first, mac, ip, vlan, _STACK, syn, _TCP), last, count)
