"""Plain lines of eve.json as columns: what is read of an event of each type."""

from __future__ import annotations

import itertools
import types
import typing
from collections.abc import Mapping, Sequence
from functools import cache

import msgspec
import numpy as np

from medwarden.sensors.logs import eve_events as eve
from medwarden.sensors.logs import wording
from medwarden.sensors.logs.eve_facts import TELLING_PORTS
from medwarden.sensors.logs.gathering import ip_or_none
from medwarden.sensors.logs.plain_lines import (
    COUNT,
    MOMENT,
    WORD,
    LineForm,
    PlainLines,
    Wanted,
)
from medwarden.sensors.logs.sorts import ABSENT, Sorts
from medwarden.sensors.logs.zeek_rows import Heard

TYPES: Mapping[str, type[eve.Event]] = {
    "flow": eve.FlowEvent, "netflow": eve.NetflowEvent, "dns": eve.DnsEvent, "mdns": eve.DnsEvent,
    "llmnr": eve.DnsEvent, "http": eve.HttpEvent, "http2": eve.HttpEvent, "tls": eve.TlsEvent,
    "quic": eve.QuicEvent, "ssh": eve.SshEvent, "dhcp": eve.DhcpEvent, "smb": eve.SmbEvent,
    "krb5": eve.KerberosEvent, "snmp": eve.SnmpEvent, "sip": eve.SipEvent, "mqtt": eve.MqttEvent,
    "rdp": eve.RdpEvent, "ftp": eve.FtpEvent, "smtp": eve.SmtpEvent, "rfb": eve.RfbEvent,
    "enip": eve.EnipEvent, "arp": eve.ArpEvent,
}  # fmt: skip
ROLES: Mapping[str, str] = {"modbus": "modbus.role", "dnp3": "dnp3.role"}
BETWEEN_ENDS = frozenset(TYPES) - {"arp"} | frozenset(ROLES)

_MOST_PORT = 65535
_TIMES = frozenset({("timestamp",), ("flow", "start"), ("flow", "end")})
_PORTS = ("src_port", "dest_port")
_SAME = ("event_type", "timestamp", "src_port", "dest_port", "proto", "vlan", "ether")
_TEXT = msgspec.json.Decoder(str)
_TEXT_OR_NONE = msgspec.json.Decoder(str | None)

EVENT_TYPES = LineForm(Wanted(("event_type",), reads=_TEXT.decode, needed=True))
"""The type of an event alone."""


@cache
def form_of(kind: str) -> LineForm:
    """Return what is read of plain lines of one type of event."""

    def of_this(raw: bytes) -> str:
        if _TEXT.decode(raw) != kind:
            raise ValueError(raw)
        return kind

    wanted = [Wanted(("event_type",), reads=of_this, needed=True)]
    event = TYPES.get(kind, eve.Event)
    for field in msgspec.structs.fields(event):
        part = _part(field.type) if field.name != "ether" else None
        if part is None:
            wanted.append(_wanted(kind, (field.encode_name,), field.type))
        else:
            wanted += [
                _wanted(kind, (field.encode_name, inner.encode_name), inner.type)
                for inner in msgspec.structs.fields(part)
            ]
    return LineForm(*wanted)


def _part(type_: object) -> type[msgspec.Struct] | None:
    """Return the object that a field of an event holds, None where it holds a plain value."""
    members = typing.get_args(type_) if isinstance(type_, types.UnionType) else (type_,)
    return next((m for m in members if isinstance(m, type) and issubclass(m, msgspec.Struct)), None)


def _wanted(kind: str, path: tuple[str, ...], type_: object) -> Wanted:
    if path in _TIMES:
        return Wanted(path, MOMENT, needed=path == ("timestamp",))
    if path in (("src_port",), ("dest_port",)):
        return Wanted(path, COUNT, most=_MOST_PORT, nullable=False)
    if kind == "flow" and type_ == eve.Count:
        return Wanted(path, COUNT, nullable=False)
    if path in (("src_ip",), ("dest_ip",)) and kind in BETWEEN_ENDS:
        return Wanted(path, reads=_sound_address, needed=True)
    if path == ("http", "url"):
        return Wanted(path, WORD, _target)
    return Wanted(path, WORD, msgspec.json.Decoder(type_).decode)


def _target(raw: bytes) -> str | None:
    url = _TEXT_OR_NONE.decode(raw)
    return None if url is None else wording.telling_target(url)


def _sound_address(raw: bytes) -> str:
    text = _TEXT.decode(raw)
    if ip_or_none(text) is None:
        raise ValueError(text)
    return text


def sorts_of(kind: str) -> Sorts:
    """Return what gathers plain events of one type."""
    paths = [wanted.path for wanted in form_of(kind).wanted if wanted.path[0] not in _SAME]
    return Sorts(paths, ("timestamp",), dict.fromkeys(_PORTS, _MOST_PORT + 1), ABSENT)


def gather(plain: PlainLines, sorts: Sorts) -> None:
    """Add events; of their ports only those that make a difference."""
    ports = {name: plain.whole(name) for name in _PORTS}
    sorts.add(plain, {name: np.where(np.isin(p, TELLING_PORTS), p, 0) for name, p in ports.items()})


def events_of(kind: str, sorts: Sorts) -> list[tuple[eve.Event, Heard]]:
    """Return one event of each sort that was gathered, and begin anew."""
    texts, ports, groups = sorts.take()
    count = len(groups.places)
    type_ = TYPES.get(kind, eve.Event)
    columns: list[Sequence[object]] = []
    for field in msgspec.structs.fields(type_):
        name = field.encode_name
        part = _part(field.type) if name not in _SAME else None
        if name in ports:
            columns.append(ports[name])
        elif part is not None:
            inner = [(f, texts[name, f.encode_name]) for f in msgspec.structs.fields(part)]
            optional = field.default is None
            columns.append(_parts(part, inner, count, optional=optional))
        elif (name,) in texts:
            columns.append(_filled(field, texts[name,]))
        else:
            columns.append([_default(field)] * count)
    return list(zip(itertools.starmap(type_, zip(*columns, strict=True)), groups.heard(), strict=True))


def _parts(
    part: type[msgspec.Struct],
    inner: Sequence[tuple[msgspec.structs.FieldInfo, list[object]]],
    count: int,
    *,
    optional: bool,
) -> Sequence[object]:
    """Return the objects that events hold; None for one that may be missing and of which nothing is there."""
    rows = zip(*(_filled(field, column) for field, column in inner), strict=True)
    made = list(itertools.starmap(part, rows))
    if optional:
        nothing = [True] * count
        for _, column in inner:
            nothing = [none and value is ABSENT for none, value in zip(nothing, column, strict=True)]
        return [None if none else one for none, one in zip(nothing, made, strict=True)]
    return made


def _filled(field: msgspec.structs.FieldInfo, column: list[object]) -> list[object]:
    default = _default(field)
    return [default if value is ABSENT else value for value in column]


def _default(field: msgspec.structs.FieldInfo) -> object:
    """Return what a field is that an event does not have; nothing that may be changed, or one for all."""
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return "" if field.default is msgspec.NODEFAULT else field.default
