"""Plain lines of eve.json as columns: what is read of an event of each type."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from functools import cache

import msgspec
import numpy as np

from medwarden.sensors.logs import eve_events as eve
from medwarden.sensors.logs.eve_facts import TELLING_PORTS
from medwarden.sensors.logs.gathering import ip_or_none
from medwarden.sensors.logs.plain_lines import (
    COUNT,
    MOMENT,
    WORD,
    Groups,
    LineForm,
    Places,
    PlainLines,
    Wanted,
    groups_of,
)

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
_SAME = ("event_type", "timestamp", "src_port", "dest_port", "proto", "vlan", "ether")
_TEXT = msgspec.json.Decoder(str)

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
        return Wanted(path, COUNT, most=_MOST_PORT)
    if kind == "flow" and type_ == eve.Count:
        return Wanted(path, COUNT)
    if path in (("src_ip",), ("dest_ip",)) and kind in BETWEEN_ENDS:
        return Wanted(path, reads=_sound_address, needed=True)
    return Wanted(path, WORD, msgspec.json.Decoder(type_).decode)


def _sound_address(raw: bytes) -> str:
    text = _TEXT.decode(raw)
    if ip_or_none(text) is None:
        raise ValueError(text)
    return text


def sorts_of(kind: str, plain: PlainLines) -> Groups:
    """Return the events of one type that say different things, with how many say each."""
    columns: list[tuple[Places, int]] = []
    for wanted in form_of(kind).wanted:
        if wanted.path[0] not in _SAME:
            words = plain.words(*wanted.path)
            columns.append((words.places, len(words.values)))
    for name in ("src_port", "dest_port"):
        ports = plain.whole(name)
        columns.append((np.where(np.isin(ports, TELLING_PORTS), ports, 0), _MOST_PORT + 1))
    return groups_of(columns, plain.whole("timestamp"))
