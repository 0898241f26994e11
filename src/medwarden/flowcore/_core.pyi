from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import pyarrow as pa
from _typeshed import ReadableBuffer as Buffer
from _typeshed import WriteableBuffer

from medwarden.flowcore.config import FlowCoreConfig
from medwarden.model.batch import Fact
from medwarden.model.evidence import Evidence
from medwarden.model.segment import Segment

class FlowCore:
    """Packets in memory to two-way flows and payload hand-offs, within fixed bounds of memory.

    Takes bytes and opens nothing. The interpreter's lock is released while packets are taken; one
    thread at a time may be inside (InternalError otherwise). MemoryError says that flows or payloads
    were lost because none was left.
    """

    config: FlowCoreConfig

    def __init__(self, config: FlowCoreConfig | None = None) -> None: ...
    def packet(self, ts_ns: int, linktype: int, data: Buffer, wire_length: int | None = None) -> None:
        """Take one packet: nanoseconds UTC, a LINKTYPE_ number of tcpdump.org, the bytes captured.

        ``wire_length`` is what there was of it on the wire (default: all was captured). Raises
        MalformedInput above 262,144 bytes.
        """

    def deal(self, services: Mapping[tuple[int, int], int | None], parts: Sequence[int] = ()) -> None:
        """Give services, by IP protocol (6 or 17) and port, to shares, once and before the first packet.

        None leaves a service to the pairs of addresses, as are those that are not named; of the pairs each
        share has its part of the sum of ``parts``, or all have as many. All shares of the same packets must
        be told the same. Raises InternalError for what is no service, no share or no division, and when it is
        too late.
        """

    def service(self, protocol: int, port: int, other: int) -> int:
        """Return by which of its two ports a conversation is dealt out: the known one, else the lower."""

    def feed_block(
        self, block: WriteableBuffer, linktype: int = 1, tally: WriteableBuffer | None = None
    ) -> int | None:
        """Take all packets of one TPACKET_V3 block and give the block back to the kernel.

        Returns how many packets there were, None while the kernel still fills the block. VLAN tags
        that the kernel took out of the frame are honoured. Before the block goes back, its sequence number
        and the packets parsed and rejected so far are written to ``tally``, 16 bytes in host order. Raises
        MalformedInput when an offset leads out of the block; the packets before it are accounted for.
        """

    def advance(self, ts_ns: int) -> None:
        """Tell that it is ``ts_ns`` now although no packet came, so that silent flows end."""

    def take_segments(self) -> list[Segment]:
        """Return the hand-offs since the last call, in the order they became known."""

    def segments(self) -> Iterator[Segment]:
        """Yield the hand-offs that wait, in the order they became known.

        Each leaves the core as it is yielded, and what waits of a flow passed over meanwhile is not.
        """

    def pass_over(self, flow_id: int, unclaimed: bool = False) -> None:
        """Hand off nothing more of a flow, nor what already waits of it.

        ``unclaimed`` says that it is no dissector's: streams to the same service that open with the same
        payload within ``repeat_s`` are then not handed off either.
        A flow of datagrams is handed off anew after ``active_timeout_s``; one that ended is let be.
        """

    def discard_segments(self) -> int:
        """Forget the waiting hand-offs, for who wants flows alone; returns how many they were."""

    def take_flows(self, final: bool = False) -> pa.RecordBatch:
        """Return the flows that ended since the last call as a batch of FLOW_SCHEMA.

        With ``final`` every flow ends; payload that waited for a missing piece is then handed off,
        so take the segments once more afterwards.
        """

    @property
    def full(self) -> bool:
        """Whether hand-offs or ended flows should be taken before more packets are fed."""

    @property
    def parsed(self) -> int:
        """Packets whose link, network and transport headers were sound."""

    @property
    def rejected(self) -> int:
        """Packets that were not."""

    @property
    def foreign(self) -> int:
        """Packets that are another share's, counted there."""

    @property
    def reasons(self) -> dict[str, int]:
        """Rejected packets by reason, such as ``bad_ip_length``."""

    @property
    def segments_handed(self) -> int:
        """Hand-offs made so far."""

    @property
    def segments_passed_over(self) -> int:
        """Hand-offs that nobody saw because their flow was passed over while they waited."""

    @property
    def segments_repeated(self) -> int:
        """Datagrams and frames not handed off because the same had been said just before."""

    @property
    def flows_active(self) -> int:
        """Flows in the table now."""

    @property
    def flows_created(self) -> int:
        """Flows begun so far; ids count from 0 in this order."""

    @property
    def flows_evicted(self) -> int:
        """Flows that ended early because the table was full."""

    @property
    def flows_waiting(self) -> int:
        """Ended flows that :meth:`take_flows` would return now."""

    @property
    def reassembly_held(self) -> int:
        """Bytes of out-of-order TCP data held now, with their bookkeeping."""

    @property
    def reassembly_dropped(self) -> int:
        """Out-of-order TCP packets whose place could not be waited for."""

    @property
    def gaps(self) -> int:
        """Segments handed off with a gap before them."""

    @property
    def fragments_held(self) -> int:
        """Bytes of IP fragments held now, with their bookkeeping."""

    @property
    def fragments_seen(self) -> int:
        """IP fragments so far."""

    @property
    def fragments_reassembled(self) -> int:
        """Datagrams put together from fragments."""

    @property
    def fragments_dropped(self) -> int:
        """Datagrams given up: overlapping, cut short, never whole, or no room."""

    @property
    def first_ns(self) -> int | None:
        """Earliest packet time, None before the first packet."""

    @property
    def last_ns(self) -> int | None:
        """Latest packet time, None before the first packet."""

class CaptureReader:
    """Reads a pcap or pcapng file piece by piece into a flow core.

    pcap in both byte orders, microseconds, nanoseconds and with Kuznetzov's longer records; pcapng
    with several sections and interfaces, if_tsresol and if_tsoffset, enhanced, simple and obsolete
    packet blocks. ``name`` is how errors call the file.
    """

    name: str

    def __init__(self, core: FlowCore, name: str) -> None: ...
    def feed(self, buffer: Buffer, offset: int = 0, final: bool = False) -> int:
        """Take whole records from ``buffer[offset:]`` and return the bytes consumed.

        Stops where the rest is not a whole record, or where the core became full: take what waits
        and call again (fed without that, it goes on and asks again at twice as much). ``final`` says
        that nothing follows the buffer. Call until all is consumed: when nothing can be,
        MalformedInput names the file, the byte and the damage; records before it have been taken.
        """

    @property
    def format(self) -> str:
        """``pcap``, ``pcapng``, or the empty string while unknown."""

    @property
    def position(self) -> int:
        """Where the next record begins, in bytes from the start of the file."""

    @property
    def packets_read(self) -> int:
        """Packet records taken."""

    @property
    def dropped(self) -> int:
        """Packets that pcapng interface statistics say the writer lost; they are not in the file."""

    @property
    def fault(self) -> Exception | None:
        """MalformedInput for the first packet whose time cannot be, or None; it was rejected."""

    @property
    def first_ns(self) -> int | None:
        """Earliest packet time in the file, None before the first packet."""

    @property
    def last_ns(self) -> int | None:
        """Latest packet time in the file, None before the first packet."""

Said = tuple[str | bool | None, tuple[str, str, str]]

class Course:
    """How a conversation went so far; ``origin`` is what its reader keeps to get there again.

    ``hello`` says that of a TLS hello random numbers, keys and tickets make no difference, ``unread`` which
    ranges of bytes (from, to) of a datagram make none.
    """

    def __init__(
        self,
        kind: int = 0,
        origin: object = None,
        *,
        hello: bool = False,
        unread: Sequence[tuple[int, int]] = (),
    ) -> None: ...
    @property
    def kind(self) -> int: ...
    @property
    def origin(self) -> object: ...
    @property
    def step(self) -> Step | None: ...

class Step:
    """What one payload came to: who said what, and how the conversation goes on.

    ``said`` holds pairs of whose fact it is (None: the sender's, True: the receiver's, else an IP address)
    and the fact's field, value and source. ``over`` is 1 when no more is
    wanted, 2 when no dissector knows it.
    """

    after: Course
    def __init__(
        self,
        before: Course,
        after: Course,
        payload: bytes,
        from_client: bool,
        gap: bool,
        said: tuple[Said, ...] = (),
        application: str | None = None,
        faults: tuple[str, ...] = (),
        over: int = 0,
    ) -> None: ...
    @property
    def before(self) -> Course: ...
    @property
    def payload(self) -> bytes: ...
    @property
    def from_client(self) -> bool: ...
    @property
    def gap(self) -> bool: ...
    def follow(self, hello: bool) -> None:
        """Let a course begin behind this step; where it grows too long to be kept, the flow goes on live."""

LIVE_COURSE: Course
OVER_COURSE: Course

class FactSum:
    """Equal facts of equal addresses, summed up since they were last taken."""

    def __len__(self) -> int: ...
    def add(self, evidence: Evidence) -> None:
        """Add one fact."""

    def add_counted(self, evidence: Evidence, last_ns: int, count: int) -> None:
        """Add a fact heard ``count`` times, first as ``evidence`` says and last at ``last_ns``."""

    def add_columns(self, table: pa.Table) -> None:
        """Add facts as :func:`fact_columns` gives them, text in dictionaries.

        Of equal ones the earliest and the latest time count.
        """

    def take(self) -> tuple[Fact, ...]:
        """Return the facts, in the order in which addresses and then facts became known, and begin anew."""

def fact_columns(facts: Iterable[Fact]) -> dict[str, pa.Array]:
    """Return facts as the columns that EVIDENCE_LAKE_SCHEMA has for them, without whose they are.

    Raises UnicodeEncodeError for text that is no Unicode (a lone surrogate).
    """

class Reader(Protocol):
    """Who reads hand-offs: see :class:`~medwarden.dissect.recall.RecallingObserver`."""

    malformed: Counter[str]
    @property
    def stream_ports(self) -> Collection[int]: ...
    @property
    def datagram_ports(self) -> Collection[int]: ...
    @property
    def observe(self) -> Callable[[Segment], list[Evidence]]: ...
    def applications(self) -> Mapping[int, str]: ...
    def root(self, stream: bool, near: int, far: int) -> Course: ...
    def learn(
        self, course: Course, segment: Segment, payload: bytes, live: bool
    ) -> tuple[list[Evidence], Step, bool]: ...
    def resume(self, course: Course, segment: Segment) -> list[Evidence]: ...
    def settle(self, course: Course, flow_id: int) -> None: ...

class Router:
    """Brings the hand-offs of a core to their reader and sums up the facts it returns.

    With ``recall`` the reader is asked only what is new; what equals something before is told without it.
    """

    def __init__(self, core: FlowCore, reader: Reader, *, recall: bool = True) -> None: ...
    def drain(self) -> None:
        """Take the hand-offs that wait through the reader."""

    def forget_all(self) -> None:
        """Drop what is known of all flows; what payloads came to stays known."""

    def names_of(self, records: pa.RecordBatch) -> pa.Array:
        """Return the application of each flow: its own, else the last of its service, else None.

        ``records`` are those of :meth:`FlowCore.take_flows`; the service is server, port and protocol.
        """

    def watch(self) -> tuple[dict[tuple[int, int], int], dict[tuple[int, int], int]]:
        """Count from now on what is recalled of each service, by IP protocol and port.

        Returns how often, and how many different payloads that were; both go on being counted.
        """

    @property
    def facts(self) -> FactSum:
        """The facts since they were last taken."""

    @property
    def recalled(self) -> int:
        """Hand-offs that nobody had to read."""
