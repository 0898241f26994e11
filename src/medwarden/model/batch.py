"""What one stretch of an input came to: the flows and facts that every sensor hands on."""

from __future__ import annotations

import msgspec
import pyarrow as pa

from medwarden.model.evidence import Evidence


class Fact(msgspec.Struct, frozen=True, gc=False):
    """One fact of a batch with how often it was heard: first time in ``evidence``, last, count."""

    evidence: Evidence
    last_ns: int
    count: int


class Batch(msgspec.Struct, frozen=True):
    """What one stretch of an input came to.

    ``flows`` has FLOW_SCHEMA and a further column ``application``; ``facts`` are distinct per
    (addresses, field, value, source).
    """

    flows: pa.Table
    facts: tuple[Fact, ...]

    def empty(self) -> bool:
        """Tell whether there is nothing in it."""
        return self.flows.num_rows == 0 and not self.facts
