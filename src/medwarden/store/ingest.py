"""Take batches in exactly once: lake, then relational state and ledger in one transaction.

An input is known by its content. Its batches are numbered; a batch is acknowledged when its
number is below the ledger's ``next_batch``, and then flows, evidence and inventory are on the disk.
A process killed between the steps leaves a batch in the lake that is not acknowledged: offered again
under the same number it is recognised by its id and only the missing steps are done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
import pyarrow as pa
from django.db.models import Q

from medwarden.kernel.clock import Clock, wall_clock
from medwarden.kernel.errors import InternalError
from medwarden.model.accounting import InputReport
from medwarden.model.evidence import Evidence
from medwarden.model.inventory_delta import InventoryDelta
from medwarden.model.tables import EVIDENCE_LAKE_SCHEMA
from medwarden.store.changes import Change
from medwarden.store.delta import apply_delta
from medwarden.store.lake import TABLES
from medwarden.store.models import InputLedger, Sensor
from medwarden.store.open import Store, ensure_site
from medwarden.store.storage_errors import storage_errors

READING, COMPLETE, FAILED = "reading", "complete", "failed"
LIVE = ("live:", "listener:")
"""How the content of a live input begins: it is read once, by the sensor of its name."""

ABANDONED = "the sensor ended without closing this input; what it had acknowledged is kept"
ANALYSE_EVERY = 256
"""Commits after which the statistics of the database are renewed."""


class InputState(msgspec.Struct):
    """How far an input is: ``next_batch`` is the first that is not acknowledged.

    ``complete``: this very content was taken in to its end before, so there is nothing to do but to
    finish; ``report`` then says what became of it at the time. ``redo`` is the mark up to which the next
    batch reaches where a process was killed after it had stored it and before it acknowledged it.
    """

    ledger: int
    content: str
    next_batch: int
    complete: bool
    report: InputReport
    redo: str | None = None


class Part(msgspec.Struct, frozen=True):
    """One batch of one input, as :meth:`IngestWriter.commit_group` takes it.

    ``flows`` and ``evidence`` have the columns of the lake's tables without tenant, site, sensor and
    batch. ``report`` is the input's accounting so far; ``final``, where the input ended with this batch,
    its last.
    """

    state: InputState
    number: int
    flows: pa.Table | None
    evidence: pa.Table | None
    report: InputReport | None = None
    final: InputReport | None = None


class IngestWriter:
    """Writes what one sensor hears at one site."""

    def __init__(
        self,
        store: Store,
        sensor: str,
        *,
        site: str | None = None,
        tenant: str | None = None,
        kind: str = "capture",
        name: str = "",
        clock: Clock = wall_clock,
    ) -> None:
        self._store = store
        self._clock = clock
        self.sensor = sensor
        self._commits = 0
        with storage_errors(store.home):
            self.tenant, self.site = ensure_site(tenant, site)
            self._lake = store.lake
            now = clock()
            row, new = Sensor.objects.get_or_create(
                id=sensor,
                defaults={
                    "tenant_id": self.tenant,
                    "site_id": self.site,
                    "kind": kind,
                    "name": name or sensor,
                    "first_seen": now,
                    "heartbeat_ns": now,
                },
            )
            if new:
                with self._change("first start of the sensor") as change:
                    change.record("sensor.new", f"sensor:{sensor}", None, {"kind": kind, "name": row.name})
            else:
                self._close_abandoned(now)

    def _change(self, reason: str) -> Change:
        return Change(f"sensor:{self.sensor}", reason, tenant=self.tenant, site=self.site, clock=self._clock)

    def begin_input(self, content: str, path: str, format_name: str) -> InputState:
        """Return how far the input with this ``content`` id is; a new one is entered in the ledger.

        ``content`` is a hash of what is read (or a name unique to a live run), ``path`` what the user
        calls it.
        """
        now = self._clock()
        with storage_errors(self._store.home):
            row, new = InputLedger.objects.get_or_create(
                tenant_id=self.tenant,
                site_id=self.site,
                content=content,
                defaults={
                    "path": path,
                    "format": format_name,
                    "sensor_id": self.sensor,
                    "status": READING,
                    "report": msgspec.to_builtins(InputReport(path, format_name)),
                    "first_ns": now,
                    "last_ns": now,
                },
            )
            if not new:
                row.times_seen += 1
                row.last_ns = now
                row.save(update_fields=["times_seen", "last_ns"])
        report = msgspec.convert(row.report, InputReport)
        complete = row.status == COMPLETE
        if complete:
            report.already, report.path = True, path
        redo = self._lake.extent(self._name(content, row.next_batch))
        return InputState(row.pk, content, row.next_batch, complete, report, redo)

    def _close_abandoned(self, now: int) -> None:
        """Close what this sensor was reading when it was killed: nobody else reads under its name."""
        live = Q()
        for beginning in LIVE:
            live |= Q(content__startswith=beginning)
        left = InputLedger.objects.filter(
            live, tenant_id=self.tenant, site_id=self.site, sensor=self.sensor, status=READING
        )
        left.update(status=FAILED, error=ABANDONED, last_ns=now)

    def commit_batch(
        self,
        state: InputState,
        number: int,
        flows: pa.Table | None,
        evidence: pa.Table | None,
        delta: InventoryDelta,
        report: InputReport | None = None,
    ) -> bool:
        """Store batch ``number`` and acknowledge it; tell whether that was still to be done.

        ``flows`` and ``evidence`` have the columns of the lake's tables without tenant, site, sensor and
        batch, which are added here. ``report`` is the input's accounting so far. When this returns,
        everything is on the disk. Raises ResourceError where the disk is full (nothing half done stays
        visible; the same batch may be offered again), and InternalError for a number that skips one.
        """
        if number < state.next_batch:
            return False
        self.commit_group([Part(state, number, flows, evidence, report)], delta)
        return True

    def commit_group(self, parts: Sequence[Part], delta: InventoryDelta) -> None:
        """Store one batch each of several inputs together: what each flush to the disk costs, it costs once.

        ``delta`` is what all of them changed. All are acknowledged, or none; a part with a ``final``
        report closes its input. Raises as :meth:`commit_batch` does, and InternalError for a part that
        is acknowledged already.
        """
        for part in parts:
            if part.number != part.state.next_batch:
                raise InternalError(
                    f"batch {part.number} of {part.state.content} follows {part.state.next_batch - 1}"
                )
        with storage_errors(self._store.home):
            for name in ("flows", "evidence"):
                tables = [(p, p.flows if name == "flows" else p.evidence) for p in parts]
                self._lake.append_each_once(
                    name,
                    [
                        (self._batch_id(part), self._scoped(name, rows, self._batch_id(part)))
                        for part, rows in tables
                        if rows is not None and rows.num_rows
                    ],
                    {self._batch_id(p): p.report.mark for p in parts if p.report is not None},
                )
            heard = parts[0].state.report.path if len(parts) == 1 else f"{len(parts)} inputs"
            with self._change(f"heard in {heard}") as change:
                for part in parts:
                    self._acknowledge(part.state, part.number, part.report)
                    if part.final is not None:
                        self._close(part.state, part.final)
                apply_delta(change, delta)
        for part in parts:
            part.state.next_batch = part.number + 1
            if part.final is not None:
                self._closed(part.state, part.final)
        self._commits += 1
        if self._commits % ANALYSE_EVERY == 0:
            self._store.analyse()

    def _batch_id(self, part: Part) -> str:
        return self._name(part.state.content, part.number)

    def _name(self, content: str, number: int) -> str:
        return f"{self.tenant}/{self.site}/{content}/{number}"

    def _scoped(self, name: str, rows: pa.Table, batch_id: str) -> pa.Table:
        """Return ``rows`` with the columns that say whose they are, in the order of the lake's table."""
        constants = {"tenant": self.tenant, "site": self.site, "sensor": self.sensor, "batch": batch_id}
        columns = []
        for field in TABLES[name]:
            if field.name in constants:
                columns.append(_constant(constants[field.name], rows.num_rows))
            else:
                column = rows[field.name]
                columns.append(column if column.type == field.type else column.cast(field.type))
        return pa.table(columns, names=TABLES[name].names)

    def _acknowledge(self, state: InputState, number: int, report: InputReport | None) -> None:
        row = InputLedger.objects.get(pk=state.ledger)
        if row.next_batch != number:
            raise InternalError(
                f"batch {number} of {state.content}: the ledger stands at {row.next_batch}, "
                "somebody else writes the same input"
            )
        row.next_batch, row.status, row.last_ns = number + 1, READING, self._clock()
        if report is not None:
            row.report = msgspec.to_builtins(report)
        row.save(update_fields=["next_batch", "status", "report", "last_ns"])
        Sensor.objects.filter(pk=self.sensor).update(heartbeat_ns=row.last_ns)

    def finish_input(self, state: InputState, report: InputReport) -> None:
        """Close an input with its final accounting; ``report.error`` marks it as failed.

        An input whose content was complete before keeps its first accounting.
        """
        if state.complete:
            return
        with storage_errors(self._store.home):
            self._close(state, report)
        self._closed(state, report)

    def _close(self, state: InputState, report: InputReport) -> None:
        InputLedger.objects.filter(pk=state.ledger).update(
            status=FAILED if report.error else COMPLETE,
            error=report.error,
            report=msgspec.to_builtins(report),
            last_ns=self._clock(),
        )

    @staticmethod
    def _closed(state: InputState, report: InputReport) -> None:
        state.report = report
        state.complete = report.error is None

    def count(self, counters: Mapping[str, object]) -> None:
        """Keep a sensor's running totals (JSON values) beside its row; they replace those kept before."""
        with storage_errors(self._store.home):
            Sensor.objects.filter(pk=self.sensor).update(counters=dict(counters), heartbeat_ns=self._clock())

    def heartbeat(self) -> None:
        """Say that the sensor is alive though it hears nothing."""
        with storage_errors(self._store.home):
            Sensor.objects.filter(pk=self.sensor).update(heartbeat_ns=self._clock())


def _constant(text: str, rows: int) -> pa.DictionaryArray:
    """Return a column that says the same in every row, and takes the room of one."""
    return pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), pa.array([text], pa.string()))


def evidence_table(facts: Iterable[tuple[Evidence, str | None]]) -> pa.Table:
    """Return facts, each with the id of its device or None, as a table for :meth:`commit_batch`.

    Equal facts (same addresses, field, value and source) become one row with their count and the
    times of the first and the last.
    """
    folded: dict[tuple[object, ...], list[int]] = {}
    for fact, device in facts:
        key = (fact.mac, fact.ip, fact.vlan, fact.field, fact.value, fact.source, device)
        entry = folded.get(key)
        if entry is None:
            folded[key] = [fact.ts_ns, fact.ts_ns, 1]
        else:
            entry[0], entry[1] = min(entry[0], fact.ts_ns), max(entry[1], fact.ts_ns)
            entry[2] += 1
    names = ("mac", "ip", "vlan", "field", "value", "source", "device")
    columns: dict[str, list[object]] = {name: [key[i] for key in folded] for i, name in enumerate(names)}
    for i, name in enumerate(("ts_ns", "last_ns", "count")):
        columns[name] = [entry[i] for entry in folded.values()]
    return pa.table(
        {
            field.name: pa.array(columns[field.name], field.type)
            for field in EVIDENCE_LAKE_SCHEMA
            if field.name in columns
        }
    )
