"""Networks that use the same addresses on one wire: VLANs that belong to another site than the sensor's.

A site is one address space. Where a sensor hears VLANs of several (overlapping 10/8 behind one core
switch), a site may claim VLAN ids (IEEE 802.1Q); what is heard on them goes to its inventory, through its
own resolver, exactly once like everything else. Packets stay in the accounting of the sensor's own site.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from medwarden.kernel.errors import ConfigurationError
from medwarden.model.accounting import InputReport
from medwarden.model.batch import Batch

if TYPE_CHECKING:
    from medwarden.app.ingest import Ingest, Taken
    from medwarden.store.ingest import InputState
    from medwarden.store.open import Store

SETTING = "vlans"
_HIGHEST = 4094


class Segment(msgspec.Struct, frozen=True):
    """VLAN ids, as ranges with both ends, that belong to ``site``."""

    site: str
    ranges: tuple[tuple[int, int], ...]

    def holds(self, vlan: int | None) -> bool:
        """Tell whether a VLAN belongs to the site."""
        return vlan is not None and any(low <= vlan <= high for low, high in self.ranges)

    @property
    def text(self) -> str:
        """Return the ranges as people write them: ``100-199,300``."""
        return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in self.ranges)


def read_ranges(text: str) -> tuple[tuple[int, int], ...]:
    """Return the ranges of ``100-199,300``; raises ConfigurationError for what are no VLAN ids."""
    ranges = []
    for part in filter(None, (p.strip() for p in text.split(","))):
        low, _, high = part.partition("-")
        ends = [
            int(end) if end.isascii() and end.isdigit() and len(end) < 5 else 0 for end in (low, high or low)
        ]
        if not 1 <= ends[0] <= ends[1] <= _HIGHEST:
            raise ConfigurationError(
                f"{part[:40]!r} is no range of VLAN ids: write 100-199 or 300 (1 to {_HIGHEST})"
            )
        ranges.append((ends[0], ends[1]))
    return tuple(sorted(ranges))


def overlap(segments: Sequence[Segment]) -> tuple[str, str, int] | None:
    """Return two sites that claim the same VLAN, and the VLAN; None where none do."""
    ranges = [(low, high, segment.site) for segment in segments for low, high in segment.ranges]
    for (low, high, site), (other_low, other_high, other) in combinations(ranges, 2):
        if site != other and low <= other_high and other_low <= high:
            return site, other, max(low, other_low)
    return None


def split(batch: Batch, segments: Sequence[Segment]) -> tuple[Batch, dict[str, Batch]]:
    """Return what of a batch is nobody else's, and the part of each site that has one."""
    parts: dict[str, Batch] = {}
    rest = batch
    for segment in segments:
        mine = _mask(rest.flows, segment)
        theirs = tuple(fact for fact in rest.facts if segment.holds(fact.evidence.vlan))
        flows = rest.flows.filter(mine)
        if flows.num_rows or theirs:
            parts[segment.site] = Batch(flows, theirs)
            kept = tuple(fact for fact in rest.facts if not segment.holds(fact.evidence.vlan))
            rest = Batch(rest.flows.filter(pc.invert(mine)), kept)
    return rest, parts


def _mask(flows: pa.Table, segment: Segment) -> pa.ChunkedArray | pa.Array:
    vlan = flows.column("vlan")
    mask = pa.nulls(flows.num_rows, pa.bool_()).fill_null(False)
    for low, high in segment.ranges:
        within = pc.and_(pc.greater_equal(vlan, low), pc.less_equal(vlan, high))
        mask = pc.or_(mask, pc.fill_null(within, False))
    return mask


class OtherSites:
    """The ways into the store of the sites that claim VLANs of one sensor."""

    def __init__(self, store: Store, sensor: str, kind: str, name: str, segments: Sequence[Segment]) -> None:
        self._store = store
        self._sensor = sensor
        self._kind = kind
        self._name = name
        self._segments = segments
        self._ways: dict[str, Ingest] = {}
        self._inputs: dict[tuple[str, str], tuple[InputState, int]] = {}

    def take(self, group: Sequence[Taken]) -> list[Taken]:
        """Store what is the others' of each batch and return the rest, under the same numbers.

        The others are stored first: where the process is killed in between, the batch is read again,
        and what they had acknowledged is only relived.
        """
        rest = []
        for taken in group:
            own, parts = split(taken.batch, self._segments)
            for site, part in parts.items():
                self._store_part(site, part, taken)
            rest.append(msgspec.structs.replace(taken, batch=own))
        return rest

    def sites(self) -> Iterable[str]:
        """Return the sites that had a part of what was heard."""
        return self._ways.keys()

    def _store_part(self, site: str, part: Batch, taken: Taken) -> None:
        from medwarden.app.ingest import Ingest, Taken

        way = self._ways.get(site)
        if way is None:
            way = self._ways[site] = Ingest(
                self._store,
                f"{self._sensor}@{site}"[:80],
                kind=self._kind,
                site=site,
                name=self._name,
                alone=True,
            )
        path, form = taken.state.report.path, taken.state.report.format
        known = self._inputs.get((site, taken.state.content))
        state, number = known or (way.writer.begin_input(taken.state.content, path, form), 0)
        self._inputs[site, taken.state.content] = state, number + 1
        # The packets stand in the report of the sensor's own site; here is only that the input was read.
        way.commit_group([Taken(state, number, part, final=InputReport(path, form))])


def segments_of(tenant: str, own_site: str) -> tuple[Segment, ...]:
    """Return the VLANs that sites other than ``own_site`` claim. Raises ConfigurationError for a dispute."""
    from medwarden.store.models import Site
    from medwarden.store.settings import setting

    found = []
    for site in Site.objects.filter(tenant_id=tenant).exclude(pk=own_site).order_by("pk"):
        ranges = read_ranges(setting(SETTING, "", tenant=tenant, site=site.pk))
        if ranges:
            found.append(Segment(site.pk, ranges))
    if disputed := overlap(found):
        raise ConfigurationError(f"VLAN {disputed[2]} is claimed by both {disputed[0]} and {disputed[1]}")
    return tuple(found)


def claim(tenant: str, site: str, text: str, *, actor: str, reason: str) -> Segment:
    """Let ``site`` claim the VLANs of ``text``, none where it is empty.

    Raises ConfigurationError for what are no VLAN ids, or ones another site claims.
    """
    from medwarden.store.changes import Change
    from medwarden.store.settings import set_setting

    wanted = Segment(site, read_ranges(text))
    if disputed := overlap([wanted, *segments_of(tenant, site)]):
        other = disputed[1] if disputed[0] == site else disputed[0]
        raise ConfigurationError(f"VLAN {disputed[2]} belongs to {other}")
    with Change(actor, reason, tenant=tenant, site=site) as change:
        set_setting(change, SETTING, wanted.text)
    return wanted
