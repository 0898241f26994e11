"""Multicast DNS and DNS-SD: services, names and the make and model that devices announce.

RFC 6762 (messages) and RFC 6763 (services, TXT keys). Known answers in a query (RFC 6762 7.1) repeat
what others said and are no facts; the authority section of a probe (8.2) is what the sender claims.
Reflectors and sleep proxies speak for others: a message whose address records do not include its
sender is attributed to the addresses it names.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import ClassVar

from medwarden.dissect import dns_message as wire
from medwarden.dissect.dns_message import DnsMessage, Name, Record, name_text, reverse_address, strings
from medwarden.dissect.octets import ip_text, printable
from medwarden.model.evidence import Evidence
from medwarden.model.segment import DissectorManifest, Segment, Transport

SOURCE = "mdns"

IDENTITY_KEYS = (
    "am", "adminurl", "bv", "ci", "device", "deviceid", "devicename", "dn", "dt",
    "firmware", "fn", "friendlyname", "fv",
    "fw", "fwversion", "hwver", "id", "mac", "macaddress", "manufacturer", "md", "mdl", "mfg", "model",
    "modelname", "name", "nm", "note", "os",
    "osvers", "osxvers", "ov", "pdl", "pn", "product", "rpmd", "rpvr", "serial",
    "serialnumber", "sn", "srcvers", "swver", "ty", "type", "usb_mdl", "usb_mfg", "uuid", "ve", "vendor",
    "ver", "vers", "version", "vp",
)  # fmt: skip
"""TXT keys that name a device, in lower case (RFC 6763 6.4: keys ignore case)."""

_KEYS = {key.encode("ascii"): f"mdns.txt.{key}" for key in IDENTITY_KEYS}
_METADATA_TYPES = ("mdns.txt.md", "_raop._tcp")  # AirTunes lists kinds of metadata under the name of a model
_TRANSPORT_LABELS = (b"_tcp", b"_udp")
_META_QUERY = (b"_services", b"_dns-sd", b"_udp", b"local")
_MAX_FACTS = 96
_MAX_QUERIES = 32  # a Mac asks for 17 services at once
_LONGEST_REMEMBERED = 1500

_SENDER = ""
_STRANGERS = {None: None, "4": "?", "6": "?:", "fe80": "fe80:?"}

Statement = tuple[str, str, str]
"""Whose fact it is (an address, or "" for the sender's), field and value."""


class Mdns:
    """State what responders announce and which services queriers look for."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name=SOURCE,
        title="Multicast DNS",
        transports=(Transport.UDP,),
        reference="RFC 6762, RFC 6763",
        ports=(5353,),
        volatile=((0, 2),),
        fields=(
            "mdns.query",
            "mdns.service",
            "mdns.subtype",
            "mdns.instance",
            "mdns.host_name",
            "mdns.cpu",
            "mdns.os",
            *_KEYS.values(),
        ),
    )

    def __init__(self) -> None:
        """Keep nothing: every datagram stands alone."""

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:  # noqa: ARG004 - both sides multicast
        """Tell whether ``payload`` is a DNS query or response with opcode and rcode 0 (RFC 6762 18)."""
        return len(payload) >= 12 and payload[2] & 0x78 == 0 and payload[3] & 0x0F == 0

    def feed(self, segment: Segment) -> list[Evidence]:
        """Return the facts of one message; raises MalformedInput when it breaks RFC 1035."""
        payload, vlan, now = segment.payload, segment.vlan, segment.ts_ns
        sender_mac, sender = segment.src_mac, segment.src_ip
        if len(payload) <= _LONGEST_REMEMBERED:
            reader = sender if _may_name(payload, sender) else _STRANGERS[_kind(sender)]
            statements, named = _remembered(payload, reader)
            if reader is not sender and sender in named:
                statements, _ = _remembered(payload, sender)
        else:
            statements, _ = _read(payload, sender)
        return [
            Evidence(now, sender_mac, sender, vlan, field, value, SOURCE)
            if whose is _SENDER
            else Evidence(now, None, whose, vlan, field, value, SOURCE)
            for whose, field, value in statements
        ]


def _kind(sender: str | None) -> str | None:
    """Return what makes a difference of a sender's address that a message does not name."""
    if sender is None or ":" not in sender:
        return sender and "4"
    return "fe80" if sender.startswith("fe80:") else "6"


def _may_name(payload: bytes, sender: str | None) -> bool:
    """Tell whether the octets of the sender's address stand in a message, so that it may be its own."""
    return sender is not None and _octets(sender) in payload


@lru_cache(maxsize=4096)
def _octets(address: str) -> bytes:
    return ip_address(address).packed


def _read(payload: bytes, sender: str | None) -> tuple[tuple[Statement, ...], frozenset[str]]:
    """Return what the message ``payload`` of ``sender`` says, and the addresses that it names."""
    message = DnsMessage(payload, SOURCE)
    header = message.header
    if header.opcode != wire.QUERY:
        return (), frozenset()  # to be ignored (RFC 6762 18.3)
    questions = message.questions()
    if not header.response:
        said = {(_SENDER, "mdns.query", text): None for text in _asked(questions)}
        if not header.authorities:
            return tuple(said), frozenset()
        message.records(header.answers)
        announcement = _Announcement(sender, message, message.records(header.authorities))
        said |= dict.fromkeys(announcement.statements())
        return tuple(said), frozenset(announcement.named)
    records = message.records(header.answers)
    message.records(header.authorities)
    records += message.records(header.additionals)
    announcement = _Announcement(sender, message, records)
    return tuple(announcement.statements()), frozenset(announcement.named)


# Responders repeat the same octets for hours: nine of ten messages have been read before. What is said by an
# address that the message does not name, any other such would say.
_remembered = lru_cache(maxsize=4096)(_read)


def _asked(questions: list[wire.Question]) -> list[str]:
    """Return the service types and host names of a query, each once."""
    asked: dict[str, None] = {}
    for question in questions[:_MAX_QUERIES]:
        if reverse_address(question.name) is not None or question.name == _META_QUERY:
            continue
        service, _ = split_service(question.name)
        if text := service or _host_text(question.name):
            asked[text] = None
    return list(asked)


@lru_cache(maxsize=4096)
def split_service(name: Name) -> tuple[str, Name]:
    """Return the service type (``_ipp._tcp``) in ``name`` and the labels before it, or "" and ``name``.

    RFC 6763 section 7: ``<instance>._service._proto.<domain>``, ``<subtype>._sub._service._proto``.
    """
    for index in range(1, len(name)):
        if name[index].lower() in _TRANSPORT_LABELS and name[index - 1].startswith(b"_"):
            return name_text(name[index - 1 : index + 1]), name[: index - 1]
    return "", name


@lru_cache(maxsize=4096)
def _host_text(name: Name) -> str:
    if name and name[-1].lower() == b"local":
        name = name[:-1]
    return printable(b".".join(name))


def _folded(name: Name) -> Name:
    return tuple(map(bytes.lower, name))


class _Announcement:
    """The records one responder stands for, and whose they are."""

    def __init__(self, sender: str | None, message: DnsMessage, records: list[Record]) -> None:
        self.named: set[str] = set()
        self._sender = sender
        self._message = message
        self._records = [record for record in records if record.ttl]  # ttl 0: a goodbye (RFC 6762 10.1)
        self._said: dict[Statement, None] = {}
        self._homes: dict[Name, str] = {}
        self._targets: dict[Name, Name] = {}
        self._default = self._speaker()

    def _speaker(self) -> str | None:
        """Return whose records are that name no host, None where it cannot be told.

        A sender is its own speaker unless the message gives addresses of the sender's kind (IPv4 or
        IPv6 link-local; of other IPv6 addresses a host has too many) and the sender's is not among them.
        """
        sender = self._sender
        wanted, start = (wire.AAAA, "fe80:") if sender is not None and ":" in sender else (wire.A, "")
        own = sender is not None and not sender.startswith(start)
        for record in self._records:
            if record.rtype == wanted:
                address = ip_text(self._message.data(record))
                if address is None or not address.startswith(start):
                    continue
                self.named.add(address)
                own = own or address == sender
                self._homes.setdefault(_folded(record.name), address)
            elif record.rtype == wire.SRV and record.end - record.start > 6:
                target = self._message.target(record, skip=6)
                self._targets.setdefault(_folded(record.name), _folded(target))
        if own or not self._homes or sender is None:
            self._homes.clear()
            return _SENDER
        homes = set(self._homes.values())
        return homes.pop() if len(homes) == 1 else None

    def _add(self, owner: Name, field: str, value: str) -> None:
        """Keep a statement about the host that ``owner`` (a host or an instance) lives on."""
        if not value or len(self._said) >= _MAX_FACTS:
            return
        whose = self._default
        if self._homes:
            key = _folded(owner)
            address = self._homes.get(self._targets.get(key, key))
            if address is not None:
                whose = address
        if whose is not None:
            self._said[(whose, field, value)] = None

    def statements(self) -> list[Statement]:
        """Return what the records say, each once, in their order."""
        for record in self._records:
            if record.rtype == wire.PTR:
                self._pointer(record)
            elif record.rtype == wire.SRV and record.end - record.start > 6:
                target = self._message.target(record, skip=6)
                self._service(record.name)
                self._add(target, "mdns.host_name", _host_text(target))
            elif record.rtype in (wire.A, wire.AAAA):
                self._add(record.name, "mdns.host_name", _host_text(record.name))
            elif record.rtype == wire.TXT:
                self._service(record.name)
                self._keys(record)
            elif record.rtype == wire.HINFO:
                for field, text in zip(
                    ("mdns.cpu", "mdns.os"), strings(self._message.data(record), 2), strict=False
                ):
                    self._add(record.name, field, printable(text))
        return list(self._said)

    def _service(self, name: Name) -> None:
        service, instance = split_service(name)
        if service:
            self._add(name, "mdns.service", service)
            self._add(name, "mdns.instance", printable(b".".join(instance)))

    def _pointer(self, record: Record) -> None:
        target = self._message.target(record)
        if _folded(record.name) == _META_QUERY:
            self._add(target, "mdns.service", split_service(target)[0])
            return
        address = reverse_address(record.name)
        if address is not None:
            stated = ip_text(address)
            if stated is not None:
                self.named.add(stated)
            if stated == self._sender:
                self._add(target, "mdns.host_name", _host_text(target))
            return
        _, before = split_service(record.name)
        self._service(target)
        if len(before) == 2 and before[1].lower() == b"_sub":
            self._add(target, "mdns.subtype", printable(before[0]))

    def _keys(self, record: Record) -> None:
        for pair in strings(self._message.data(record)):
            key, equals, value = pair.partition(b"=")
            field = _KEYS.get(key.lower()) if equals else None
            if field is not None and (field, split_service(record.name)[0]) != _METADATA_TYPES:
                self._add(record.name, field, printable(value))


DISSECTOR = Mdns
