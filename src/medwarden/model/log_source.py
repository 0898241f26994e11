"""What a log sensor is: records of somebody else's sensor in, flows and facts out."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, Protocol

import msgspec

from medwarden.model.accounting import PacketCount
from medwarden.model.batch import Batch


class Framing(StrEnum):
    """How records of a source are set apart."""

    LINES = "lines"  # one record per line of text
    DATAGRAMS = "datagrams"  # one export packet per datagram
    DOCUMENT = "document"  # one file is one document (XML, a spreadsheet)


class Tells(StrEnum):
    """What a source can say about devices: the questions of the coverage map."""

    HARDWARE_ADDRESS = "hardware address"
    NAME = "name"
    MAKE_AND_MODEL = "make and model"
    OPERATING_SYSTEM = "operating system"
    FIRMWARE = "firmware"
    SERIAL = "serial number"
    LOCATION = "location"
    PEERS = "peers"
    VOLUME = "volume"
    SERVICES = "services"
    APPLICATION = "application"
    CLEAR_TEXT = "clear text"  # whether passwords or patient data travel unencrypted
    USE = "use"  # whether a device is working on a patient
    MANAGEMENT = "management"  # domain membership, agents


class LogManifest(msgspec.Struct, frozen=True):
    """How a log source declares itself.

    ``name`` (snake case) is the ``source`` of its evidence; ``fields`` are all evidence fields it may
    state, under the names dissectors use for the same thing (``dhcp.host_name``, ``tls.sni``);
    ``tells`` is what the source can say at all; ``reference`` names the published description.
    ``ports`` are the ports at which datagrams of this form usually arrive.
    """

    name: str
    title: str
    reference: str
    framing: Framing
    fields: tuple[str, ...]
    tells: frozenset[Tells]
    ports: tuple[int, ...] = ()


class LogSetting(msgspec.Struct, frozen=True):
    """What a parser must know beyond the bytes.

    ``token_key`` makes tokens of identifiers (:mod:`medwarden.dissect.phi`). ``time_zone`` is the IANA
    name for times written without one; ``now_ns`` dates records whose time has no year (RFC 3164).
    ``columns`` maps a table's own column headings to ours where they are not recognised.
    """

    token_key: bytes
    time_zone: str = "UTC"
    now_ns: int = 0
    columns: Mapping[str, str] = {}


class LogTally(msgspec.Struct):
    """Exact accounting of records: ``count.read = parsed + rejected + dropped``.

    ``repeated`` records were parsed and recognised as told before (a re-read, an exporter's repetition);
    ``missing`` were never received, as gaps in the exporter's sequence numbers tell: they are not part of
    ``read``. ``fault`` is the first record that was rejected: the sentence with file and byte offset.
    """

    count: PacketCount = msgspec.field(default_factory=PacketCount)
    reasons: dict[str, int] = msgspec.field(default_factory=dict)
    repeated: int = 0
    missing: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    fault: str | None = None


class LogParser(Protocol):
    """One source of log records, made anew for each file, exporter or connection.

    A record that breaks the format is counted as rejected under a reason, and the first of them named in
    ``tally.fault``: :meth:`feed` raises for nothing a sender may have written.
    """

    manifest: ClassVar[LogManifest]
    tally: LogTally

    def __init__(self, name: str, setting: LogSetting) -> None:
        """``name`` is what the user calls the input, for messages."""
        ...

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether an input that begins with ``head`` (up to 64 KiB) is of this form."""
        ...

    def feed(self, piece: bytes | memoryview, offset: int) -> None:
        """Take whole lines, one datagram, or one whole document; ``offset`` is where it begins."""
        ...

    def take(self, *, final: bool = False) -> Batch:
        """Return what has gathered since the last call; ``flows`` may be empty but has its columns."""
        ...
