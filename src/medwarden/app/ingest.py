"""From batches to the store: whose they are, and exactly once.

Import this module only once a store is open: it stands on the store's tables.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pyarrow as pa

from medwarden.app.intake import warn_of_flood
from medwarden.app.segments import OtherSites, segments_of
from medwarden.flowcore import fact_columns
from medwarden.inventory.identity import Resolver
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.accounting import InputReport
from medwarden.model.batch import Batch, Fact
from medwarden.model.tables import EVIDENCE_LAKE_SCHEMA
from medwarden.store.folder import SECRET_KEY_FILE
from medwarden.store.ingest import IngestWriter, InputState, Part
from medwarden.store.open import Store
from medwarden.store.queries import load_state

_SCOPE = frozenset({"tenant", "site", "sensor", "batch"})


class Taken(msgspec.Struct, frozen=True):
    """A batch of an input with its number; ``final`` where the input ended with it."""

    state: InputState
    number: int
    batch: Batch
    report: InputReport | None = None
    final: InputReport | None = None


class Ingest:
    """One sensor's way into the store: resolver of its site, warmed from the rows, and the writer.

    Sensors of one site in one process share the resolver of the one they stand ``beside``, and then
    commit in turn. What is heard on VLANs that other sites claim goes to theirs, unless it is ``alone``.
    """

    def __init__(
        self,
        store: Store,
        sensor: str,
        *,
        kind: str,
        site: str | None = None,
        name: str = "",
        beside: Ingest | None = None,
        alone: bool = False,
    ) -> None:
        self.writer = IngestWriter(store, sensor, site=site, kind=kind, name=name)
        if beside is None:
            self.resolver = Resolver(self.writer.site)
            self.resolver.restore(load_state(self.writer.site))
        else:
            self.resolver = beside.resolver
        self.token_key = token_key(store.home)
        self.new_devices = 0
        claimed = () if alone else segments_of(self.writer.tenant, self.writer.site)
        self.others = OtherSites(store, sensor, kind, name, claimed) if claimed else None

    def commit(self, state: InputState, number: int, batch: Batch, report: InputReport | None = None) -> None:
        """Store one batch of an input under its number; one that is acknowledged already is only relived.

        A batch read again after a crash passes through the resolver, so that it knows what it knew, and
        writes nothing.
        """
        self.commit_group([Taken(state, number, batch, report)])

    def commit_group(self, group: Sequence[Taken]) -> None:
        """Store batches of several inputs together, as one round of the resolver and one flush."""
        if self.others is not None:
            group = self.others.take(group)
        for taken in group:
            self.resolver.counted_evidence(
                ((fact.evidence, fact.last_ns, fact.count) for fact in taken.batch.facts), self.writer.sensor
            )
            self.resolver.flows(taken.batch.flows)
        delta = self.resolver.delta()
        warn_of_flood(delta)
        due = [taken for taken in group if taken.number >= taken.state.next_batch]
        if not due:
            return
        self.writer.commit_group([self._part(taken) for taken in due], delta)
        self.new_devices += sum(change.new for change in delta.devices)

    def _part(self, taken: Taken) -> Part:
        flows = taken.batch.flows
        client, server = self.resolver.device_columns(flows)
        flows = flows.append_column("client_device", client).append_column("server_device", server)
        evidence = self._evidence(taken.batch.facts)
        return Part(taken.state, taken.number, flows, evidence, taken.report, taken.final)

    def _evidence(self, facts: Sequence[Fact]) -> pa.Table:
        owners = self.resolver.owners((f.evidence.mac, f.evidence.ip, f.last_ns) for f in facts)
        columns = {**fact_columns(facts), "device": pa.array(owners, pa.string())}
        fields = [field for field in EVIDENCE_LAKE_SCHEMA if field.name not in _SCOPE]
        return pa.table([columns[field.name] for field in fields], schema=pa.schema(fields))


def token_key(home: Path) -> bytes:
    """Return the key for tokens of identifiers, derived from the folder's secret.

    Raises ConfigurationError where the folder has no secret.
    """
    try:
        secret = (home / SECRET_KEY_FILE).read_bytes().strip()
    except OSError as error:
        raise ConfigurationError(f"{home / SECRET_KEY_FILE} cannot be read ({error.strerror})") from error
    return hashlib.blake2b(secret, digest_size=32, person=b"mw-tokens").digest()
