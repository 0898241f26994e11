"""What every payload goes through before and around its dissector, and the formats heard most."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from logging import Logger
from typing import ClassVar, Final, final

from medwarden.dissect.phi import Tokeniser
from medwarden.flowcore import Course, Step
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import Dissector, DissectorManifest, Segment

MAX_FACTS: int
"""Distinct facts told per connection; a peer that invents ever new names is not followed further."""

@final
class Inbox:
    """The unread bytes of one direction.

    ``data`` may be looked at freely; ``offset`` is the position of its first byte in the stream.
    A ``deaf`` inbox takes no more bytes (encrypted from here on, or bytes were lost).
    """

    source: str
    data: bytearray
    offset: int
    deaf: bool

    def __init__(self, source: str) -> None: ...
    @property
    def at_rest(self) -> bool:
        """Tell whether bytes are taken and a message, if one comes now, begins with the next."""

    def add(self, payload: bytes) -> None:
        """Append ``payload``, less what was discarded ahead of its arrival."""

    def take(self, count: int) -> bytes | None:
        """Remove and return ``count`` bytes, or return None while there are fewer."""

    def discard(self, count: int) -> None:
        """Drop the next ``count`` bytes, also those still to come, without keeping them."""

    def line(self, limit: int) -> bytes | None:
        """Remove and return the next line without its CR LF or LF, or None while it is incomplete.

        Raises MalformedInput when no line ends within ``limit`` bytes.
        """

    def close(self) -> None:
        """Take no more bytes and forget those at hand."""

    def malformed(self, reason: str) -> MalformedInput:
        """Return the error that the bytes at the head of this inbox deserve."""

class Connection:
    """State of one TCP connection; for UDP, the worker that looks at one datagram after another."""

    manifest: ClassVar[DissectorManifest]
    client: Inbox
    server: Inbox
    _facts: list[Evidence]
    _inner: Connection | None

    def __init__(self) -> None: ...
    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload is this protocol; a dissector that sniffs says how."""

    def feed(self, segment: Segment) -> Iterable[Evidence]:
        """Return the facts that became known with ``segment``.

        Where the bytes break the protocol, reading what is returned raises MalformedInput after the facts
        before the fault.
        """

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the complete messages of one direction; the rest stays in the inbox."""

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one datagram."""

    def said(self, field: str, value: str) -> None:
        """Record that the sender said ``value``; blank values and repetitions are no facts."""

    def said_state(self, field: str, value: str) -> None:
        """Record a state of the sender: unlike other facts it is told again after another one."""

    def heard(self, field: str, value: str) -> None:
        """Record a fact about the receiver."""

    def said_all(self, facts: Iterable[tuple[str, str]]) -> None:
        """Record several facts that the sender said."""

    def said_from(self, ip: str | None, field: str, value: str) -> None:
        """Record a fact that a datagram states on behalf of ``ip``, where that is not its sender."""

    def become(self, inner: Connection) -> None:
        """Hand the rest of the connection to ``inner``, as after STARTTLS.

        Bytes that already wait are passed on; facts keep the name of the dissector that reads them.
        """

    @property
    def done(self) -> bool:
        """Tell whether neither direction is of interest any more."""

    def close(self) -> None:
        """Take no more bytes of either direction."""

    @property
    def segment(self) -> Segment:
        """Return the segment being read."""

    def malformed(self, reason: str, offset: int | None = None) -> MalformedInput:
        """Return an error of this protocol."""

class Dispatch:
    """What :class:`~medwarden.dissect.observer.Observer` does with every segment."""

    malformed: Counter[str]
    pass_over: Callable[[int, bool], None]

    def __init__(
        self,
        malformed: Counter[str],
        tokeniser: Tokeniser,
        members: Sequence[type[Dissector]],
        max_flows: int,
        pass_over: Callable[[int, bool], None],
        log: Logger,
    ) -> None: ...
    @property
    def evicted(self) -> int:
        """Flows forgotten because there were too many."""

    def ports(self, stream: bool) -> Mapping[int, object]:
        """Return the TCP or UDP ports that dissectors name."""

    def observe(self, segment: Segment) -> list[Evidence]:
        """Return the facts that became known with ``segment``; never raises for what it holds."""

    def applications(self) -> Mapping[int, str]:
        """Return flow id -> name of the dissector that understood it, for flows not yet forgotten."""

    def forget(self, flow_ids: Iterable[int]) -> None:
        """Drop all state of flows that ended."""

    def forget_all(self) -> None:
        """Drop the state of all flows."""

class Recalling(Dispatch):
    """What :class:`~medwarden.dissect.recall.RecallingObserver` does with what nothing equals so far."""

    def root(self, stream: bool, near: int, far: int) -> Course:
        """Return how a conversation begins, from the port of its server and of its client (0: no matter)."""

    def learn(
        self, course: Course, segment: Segment, payload: bytes, live: bool
    ) -> tuple[list[Evidence], Step, bool]:
        """Observe a segment; return its facts, what it came to, and whether the flow's state is held here.

        ``payload`` is that of the segment without what no dissector reads; ``live`` says that the flow's
        state is held here already.
        """

    def resume(self, course: Course, segment: Segment) -> list[Evidence]:
        """Observe a segment of a flow that followed known steps until now and is live from here on."""

    def settle(self, course: Course, flow_id: int) -> None:
        """Hold the state of a flow that followed known steps until now."""

def printable(octets: bytes) -> str:
    """Return ``octets`` as clean text: UTF-8, else Latin-1, without NULs, controls and outer blanks."""

def text_or_hex(octets: bytes) -> str:
    """Return ``octets`` as text where they are printable ASCII throughout, else as hexadecimal."""

def mac_text(octets: bytes) -> str | None:
    """Return a 6-octet unicast EUI-48 as lower-case text with colons, or None for anything else.

    All-zero, broadcast and multicast addresses name no interface (IEEE 802-2014, 8.2).
    """

def ipv4_text(octets: bytes) -> str | None:
    """Return 4 octets as a dotted quad, or None for 0.0.0.0, multicast, broadcast and other lengths."""

def ipv6_text(octets: bytes) -> str | None:
    """Return 16 octets as RFC 5952 text, or None for the unspecified address, multicast and other lengths."""

def ip_text(octets: bytes) -> str | None:
    """Return a 4- or 16-octet unicast address as text, or None."""

def is_internal(octets: bytes) -> bool:
    """Tell whether an address belongs to a private network.

    RFC 1918, shared address space (RFC 6598), link-local (RFC 3927, RFC 4291 2.5.6) and unique
    local addresses (RFC 4193). Loopback is nobody's address on a network and counts as neither.
    """

def is_loopback(octets: bytes) -> bool:
    """Tell whether an address is 127.0.0.0/8 or ::1."""

MAX_RECORDS: int
MAX_NAME: int
MAX_JUMPS: int

Name = tuple[bytes, ...]

@final
class Header:
    """The fixed part: ``response``, ``opcode`` and ``rcode`` are taken out of ``flags``."""

    id: Final[int]
    flags: Final[int]
    questions: Final[int]
    answers: Final[int]
    authorities: Final[int]
    additionals: Final[int]
    @property
    def response(self) -> bool:
        """Tell whether this is an answer."""

    @property
    def opcode(self) -> int:
        """Return the kind of query."""

    @property
    def rcode(self) -> int:
        """Return the response code."""

@final
class Question:
    """What is asked for; ``qclass`` includes the unicast-response bit of mDNS (RFC 6762 5.4)."""

    name: Final[Name]
    qtype: Final[int]
    qclass: Final[int]

@final
class Record:
    """A resource record; its data lie at ``start`` up to ``end`` of the message."""

    name: Final[Name]
    rtype: Final[int]
    rclass: Final[int]
    ttl: Final[int]
    start: Final[int]
    end: Final[int]

@final
class DnsMessage:
    """Read one message from front to back: :attr:`header`, then :meth:`questions`, then :meth:`records`.

    Every method raises MalformedInput, in the name of ``source``, where the message breaks RFC 1035.
    """

    octets: Final[bytes]
    header: Final[Header]

    def __init__(self, octets: bytes, source: str) -> None: ...
    def questions(self) -> list[Question]:
        """Return the question section; call once, first."""

    def records(self, count: int) -> list[Record]:
        """Return the next ``count`` records; call once per section, in their order."""

    def data(self, record: Record) -> bytes:
        """Return the data of ``record`` as they stand in the message."""

    def target(self, record: Record, skip: int = 0) -> Name:
        """Return the name that the data of a PTR, CNAME, NS or (``skip`` 6) SRV record hold."""

    def name_at(self, offset: int) -> tuple[Name, int]:
        """Return the name at ``offset`` and the offset behind it (RFC 1035 4.1.4)."""

def strings(octets: bytes, most: int = 128) -> list[bytes]:
    """Return the character strings of TXT or HINFO data (RFC 1035 3.3), as far as they are whole."""

def name_text(name: Name) -> str:
    """Return ``name`` with dots between its labels, in lower case, without the last dot."""

def reverse_address(name: Name) -> bytes | None:
    """Return the address that a name below in-addr.arpa or ip6.arpa stands for (RFC 1035 3.5, RFC 3596 2.5).

    None where the name is none of these or incomplete.
    """

def facts_of_dns(segment: Segment, octets: bytes) -> Iterable[Evidence]:
    """Return the facts of one DNS message carried by ``segment``.

    Where the message breaks, reading what is returned raises MalformedInput after the facts before.
    """

def split_service(name: Name) -> tuple[str, Name]:
    """Return the service type (``_ipp._tcp``) in ``name`` and the labels before it, or "" and ``name``.

    RFC 6763 section 7: ``<instance>._service._proto.<domain>``, ``<subtype>._sub._service._proto``.
    """

@final
class Announcements:
    """Reads messages of multicast DNS; ``keys`` are the TXT keys that tell something, with their fields."""

    def __init__(self, keys: dict[bytes, str]) -> None: ...
    def read(
        self, payload: bytes, sender: str | None
    ) -> tuple[tuple[tuple[str, str, str], ...], frozenset[str]]:
        """Return what the message ``payload`` of ``sender`` says, and the addresses that it names.

        Each statement says whose fact it is (an address, or "" for the sender's), field and value. Raises
        MalformedInput when the message breaks RFC 1035.
        """

    def facts(self, segment: Segment) -> list[Evidence]:
        """Return the facts of one message; raises MalformedInput when it breaks RFC 1035."""

HEAD_LIMIT: int
"""Longest message head read, in bytes; servers in use answer 431 from 8 to 32 KiB on."""

@final
class HttpHead:
    """Start line and header fields of one message.

    Names in ``headers`` are lower case; repeated fields are joined by ``", "`` (RFC 9110 section 5.3).
    For a response, ``method`` and ``target`` are those of the request it answers ("" if that was not seen).
    """

    from_client: Final[bool]
    version: Final[str]
    headers: Final[dict[str, str]]
    method: Final[str]
    target: Final[str]
    status: Final[int]
    reason: Final[str]

    def __init__(
        self,
        from_client: bool,
        version: str,
        headers: dict[str, str],
        method: str,
        target: str,
        status: int = 0,
        reason: str = "",
    ) -> None: ...
    @property
    def media_type(self) -> str:
        """Return the Content-Type without its parameters, in lower case."""

    @property
    def path(self) -> str:
        """Return the target without scheme, authority and query."""

@final
class HttpBody:
    """The body of one message as far as it was kept; ``complete`` tells whether that is all of it."""

    head: Final[HttpHead]
    data: Final[bytes]
    complete: Final[bool]

    def __init__(self, head: HttpHead, data: bytes, complete: bool) -> None: ...
    def content(self) -> bytes:
        """Return the body without gzip or deflate content coding, at most 256 KiB of it.

        What cannot be inflated is returned as far as it could (RFC 9110 section 8.4).
        """

def http_pair(keep: Callable[[HttpHead], int]) -> tuple[HttpStream, HttpStream]:
    """Return the streams of client and server of one connection, the latter told of each request."""

@final
class HttpStream:
    """Messages of one direction of a connection, read as their bytes come in.

    ``inbox`` holds what is not read yet. ``tunnel`` turns true after a successful CONNECT or Upgrade: what
    follows is no HTTP and is ignored.
    """

    from_client: Final[bool]
    inbox: Final[Inbox]

    def __init__(
        self, from_client: bool, asked: deque[HttpHead], keep: Callable[[HttpHead], int] | None
    ) -> None: ...
    @property
    def tunnel(self) -> bool:
        """Tell whether what follows is no HTTP."""

    def feed(self, data: bytes) -> Iterable[HttpHead | HttpBody]:
        """Return the events that ``data`` completes; reading on after those before a fault raises it.

        The fault is a MalformedInput.
        """

    def read(self) -> Iterable[HttpHead | HttpBody]:
        """Return the events of what was added to :attr:`inbox`, as :meth:`feed` does."""

    def partial(self) -> tuple[HttpHead, bytearray] | None:
        """Return head and bytes so far of a body that is kept and still under way."""

class HttpReading(Connection):
    """What :class:`~medwarden.dissect.http.HttpDissector` does with every message."""

    application: str

    def credentials(self, value: str) -> None:
        """Read the credentials of a request."""

    def challenge(self, value: str) -> None:
        """Read what log-in a response asks for."""

    def body(self, body: HttpBody) -> None:
        """Read a body as far as it was kept."""

    def title(self, head: HttpHead, page: bytes) -> None:
        """Tell the title of an entry page, once per page."""

def numbers_text(value: bytes) -> str:
    """Return the first 128 octets as decimal numbers between commas."""

def quad_text(value: bytes) -> str:
    """Return four octets as a dotted quad of any kind, or "" for another length."""

def number_text(value: bytes) -> str:
    """Return one, two or four octets as a number, or "" for another length."""

def first_address(value: bytes) -> str:
    """Return the first address of an option, or "" where it names no host."""

OptionReader = Callable[[bytes], str]
OptionFacts = Callable[[bytes], Iterable[tuple[str, str]]]

@final
class Leases:
    """Reads DHCP messages.

    ``asked`` and ``granted`` give for option codes of requests and of leases the field and who reads the
    value; ``relay``, ``identity`` and ``duid`` read options 82, 125 and the identifier within 61.
    """

    def __init__(
        self,
        asked: dict[int, tuple[str, OptionReader]],
        granted: dict[int, tuple[str, OptionReader]],
        relay: OptionFacts,
        identity: OptionFacts,
        duid: OptionFacts,
    ) -> None: ...
    def facts(self, segment: Segment) -> Iterable[Evidence]:
        """Return the facts of one message; plain BOOTP requests give none.

        Where the message is short or an option overruns its field, reading what is returned raises
        MalformedInput after the facts before.
        """

class DcerpcReading(Connection):
    """What :class:`~medwarden.dissect.dcerpc.DcerpcDissector` does with every PDU."""

    def token(self, pdu: bytes, at: int) -> None:
        """Read a token of the log-in, which begins at ``at``."""

class TlsReading(Connection):
    """What :class:`~medwarden.dissect.tls.TlsDissector` does with every record."""

    def client_hello(self, body: bytes) -> None:
        """Read the first hello of the client."""

    def certificate(self, der: bytes, of_server: bool) -> None:
        """Read the certificate of one side."""
