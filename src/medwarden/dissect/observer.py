"""Bring each payload to the dissector that understands it and collect the facts.

The observer decides once per flow and remembers: by ethertype, by server port, by the first bytes
(``starts``), by asking (``sniff``). A dissector may offer optional attributes beyond
:class:`~medwarden.model.segment.Dissector`: ``done`` (bool; once true the flow gets no further bytes),
``application`` (str; what the flow turned out to be, where that is not the dissector's own name),
``tokeniser`` (set by the observer to a :class:`~medwarden.dissect.phi.Tokeniser` before first use) and, of
the class, ``from_payloads`` (bool; what it says of sender, receiver or a stated address follows from the
payloads of the conversation alone, not from its addresses, ports or times) and ``refines`` (bool; its ports
are those of a carrier, so that it is never chosen by the port alone).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from medwarden.dissect._core import Dispatch
from medwarden.dissect.phi import Tokeniser
from medwarden.dissect.registry import check_manifests, dissectors
from medwarden.model.segment import Dissector, Transport

log = logging.getLogger(__name__)

SNIFF_STREAM_BYTES = 4096
"""Bytes of each direction asked for when a start matches a dissector that names no amount."""


class CoreInterest(NamedTuple):
    """What the flow core must hand over so that every dissector is served."""

    stream_ports: Mapping[int, int]  # TCP server port -> bytes of each direction
    stream_starts: tuple[tuple[bytes, int], ...]  # first bytes of a TCP stream -> bytes of each direction
    datagram_ports: frozenset[int]
    ethertypes: frozenset[int]
    datagram_volatile: Mapping[int, tuple[tuple[int, int], ...]]  # UDP port -> bytes no repetition keeps
    opening_ports: frozenset[int]  # TCP ports whose streams are known by their opening
    opening_starts: frozenset[bytes]


def let_come(flow_id: int, unclaimed: bool) -> None:
    """Take no notice: whoever hands segments over goes on doing so."""


class Observer(Dispatch):
    """Route segments to dissectors; hold their state per flow; count what was malformed.

    ``malformed`` counts, per dissector name, inputs that broke their protocol, and under
    ``<name>!defect`` exceptions that no dissector should raise: those are defects of ours, logged with
    their traceback on first sight, and cost only the flow they happened in. At most ``max_flows`` flows
    are remembered; beyond that the oldest is forgotten and ``evicted`` counts it.
    ``pass_over`` is told the id of each flow of which no further segment is wanted, so that its bytes need
    not even be copied, and whether that is because no dissector knows it.
    """

    def __init__(
        self,
        token_key: bytes,
        members: Sequence[type[Dissector]] | None = None,
        max_flows: int = 200_000,
        pass_over: Callable[[int, bool], None] = let_come,
    ) -> None:
        self._members = checked(members)
        super().__init__(Counter(), Tokeniser(token_key), self._members, max_flows, pass_over, log)

    @property
    def core_interest(self) -> CoreInterest:
        """Return what all manifests together ask of the flow core."""
        return interest_of(self._members)


def checked(members: Sequence[type[Dissector]] | None) -> Sequence[type[Dissector]]:
    """Return ``members``, or all dissectors for None. Raises InternalError where a manifest is wrong."""
    if members is None:
        return dissectors()  # which are checked where they are found
    check_manifests(members)
    return members


def interest_of(members: Sequence[type[Dissector]]) -> CoreInterest:
    """Return what the manifests of ``members`` together ask of the flow core."""
    ports: dict[int, int] = {}
    starts: dict[bytes, int] = {}
    attentive_ports: set[int] = set()
    attentive_starts: set[bytes] = set()
    volatile: dict[int, tuple[tuple[int, int], ...]] = {}
    ethertypes: set[int] = set()
    for member in members:
        manifest = member.manifest
        ethertypes.update(manifest.ethertypes)
        if Transport.TCP in manifest.transports:
            if not manifest.opening_tells:
                attentive_ports.update(manifest.ports)
                attentive_starts.update(manifest.starts)
            for port in manifest.ports:
                ports[port] = max(ports.get(port, 0), manifest.stream_bytes)
            for start in manifest.starts:
                wanted = manifest.stream_bytes or SNIFF_STREAM_BYTES
                starts[start] = max(starts.get(start, 0), wanted)
        if Transport.UDP in manifest.transports:
            for port in manifest.ports:
                # two dissectors of one port that differ in this get every byte compared
                agreed = volatile.get(port, manifest.volatile) == manifest.volatile
                volatile[port] = manifest.volatile if agreed else ()
    return CoreInterest(
        ports,
        tuple(sorted(starts.items())),
        frozenset(volatile),
        frozenset(ethertypes),
        {port: ranges for port, ranges in volatile.items() if ranges},
        frozenset(ports) - attentive_ports,
        frozenset(starts) - attentive_starts,
    )
