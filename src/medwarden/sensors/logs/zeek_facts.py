"""What records of Zeek's logs say of devices."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import cast

from medwarden.dissect.octets import is_internal
from medwarden.sensors.logs import wording
from medwarden.sensors.logs.gathering import FactSum, Key, ip_or_none, mac_or_none
from medwarden.sensors.logs.zeek_industrial import BACNET_PROPERTIES, MODBUS_OBJECTS
from medwarden.sensors.logs.zeek_logs import (
    HOST,
    ORIG,
    RESP,
    SOFTWARE_FIELDS,
    SOURCE,
    Form,
    Said,
    logs,
)
from medwarden.sensors.logs.zeek_rows import Column, Heard, Rows, texts

Fact = tuple[Key, Heard]
Addresses = Sequence[str | None]

_Question = tuple[
    str | None, str | None, int | None, str | None, str | None, str | None, tuple[str | None, ...]
]

_ASKED = {5353: "mdns.query", 5355: "llmnr.query", 137: "nbns.query"}
_MOST_QUESTIONS = 1 << 16
_CLIENT_MESSAGES = frozenset({"discover", "request", "decline", "release", "inform"})


def tell(rows: Rows, times: Sequence[Heard], ends: Mapping[str, Addresses], facts: FactSum) -> None:
    """Add what ``rows`` say; ``ends`` are the addresses by whose they are, None where there is none.

    ``times`` tell of each row when it was first and last heard, and how often.
    """
    for said in logs()[rows.kind].said:
        facts.add_heard(_said(said, rows, times, ends))
    special = _SPECIAL.get(rows.kind)
    if special is not None:
        facts.add_heard(special(rows, times, ends))


def senders(rows: Rows, ends: Mapping[str, Addresses]) -> Addresses:
    """Return who sent what each record tells of."""
    named, forward = texts(rows, "source_h"), rows.columns["is_orig"]
    return [
        (None if name is None else ip_or_none(name)) or (client if first is not False else server)
        for name, first, client, server in zip(named, forward, ends[ORIG], ends[RESP], strict=True)
    ]


def _said(said: Said, rows: Rows, times: Sequence[Heard], ends: Mapping[str, Addresses]) -> Iterator[Fact]:
    column = rows.columns[said.column]
    if all(value is None for value in column):
        return
    field = said.field
    who = senders(rows, ends) if said.whose == SOURCE else ends[said.whose]
    worded = _worded(column, said.form)
    for ip, value, ts in zip(who, column, times, strict=True):
        if value is None or ip is None:
            continue
        if isinstance(value, list):
            for item in value:
                text = _text(item, said.form)
                if text:
                    yield (None, ip, None, field, text), ts
            continue
        text = worded[value]
        if text:
            yield (None, ip, None, field, text), ts


def _worded(column: Column, form: Form | None) -> dict[object, str | None]:
    """Return every value of a column as it is to be told."""
    return {v: _text(v, form) for v in {v for v in column if v is not None and not isinstance(v, list)}}


def _text(value: object, form: Form | None) -> str | None:
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value)
    return form(text) if text and form is not None else text


@lru_cache(maxsize=1 << 15)
def _internal(ip: str) -> bool | None:
    """Tell whether an address belongs to a network of one's own; None for one that names no host."""
    address = ipaddress.ip_address(ip)
    if address.is_loopback or address.is_multicast or address.is_unspecified:
        return None
    return is_internal(address.packed)


def dns_facts(
    client: str,
    server: str | None,
    port: int,
    query: str,
    kind: str,
    answers: Sequence[str | None],
    failure: str,
    answered: bool,
) -> Iterator[tuple[str, str, str]]:
    """Yield whose fact it is, field and value for one question and its answer.

    ``kind`` is the type asked for, ``failure`` the name of the response code. Port 5353 is mDNS, 5355
    LLMNR, 137 NetBIOS.
    """
    name = wording.plain_name(query)
    if name is None:
        return
    local = _ASKED.get(port)
    if local is not None:
        if not answers:
            yield client, local, name
        for address, asked in wording.answered_names(query, list(answers)):
            if local == "mdns.query" and address == client:
                yield client, "mdns.host_name", asked
        return
    yield client, "dns.query", name
    domain = wording.registered(name)
    if domain:
        yield client, "dns.domain", domain
    if answered and server is not None:
        yield server, "dns.role", "server"
    if failure == "NXDOMAIN":
        yield client, "dns.nxdomain", name
    if kind == "PTR":
        pointed = wording.pointed_address(query)
        if pointed is not None and _internal(pointed):
            for answer in answers:
                if answer and (told := wording.plain_name(answer)):
                    yield pointed, "dns.name", told
        return
    for address, asked in wording.answered_names(query, list(answers)):
        inside = _internal(address)
        if inside:
            yield address, "dns.name", asked
        elif inside is not None:
            yield client, "dns.resolved", f"{asked}={address}"


class Questions:
    """Questions of DNS with their answers: what is asked again and again is looked at once a batch."""

    def __init__(self, facts: FactSum) -> None:
        self._facts = facts
        self._counted: dict[tuple[object, ...], list[int]] = {}

    def add(self, rows: Rows, times: Sequence[Heard], ends: Mapping[str, Addresses]) -> None:
        """Count the questions of dns records; ``ends`` are who asked and who was asked."""
        columns = rows.columns
        listed = cast("Sequence[list[str | None] | None]", columns["answers"])
        records = zip(
            ends[ORIG], ends[RESP], columns["id.resp_p"], texts(rows, "query"), texts(rows, "qtype_name"),
            texts(rows, "rcode_name"), [tuple(answers) if answers else () for answers in listed], strict=True,
        )  # fmt: skip
        counted = self._counted
        for record, (first, last, count) in zip(records, times, strict=True):
            entry = counted.get(record)
            if entry is None:
                counted[record] = [first, last, count]
            else:
                entry[2] += count
                if last > entry[1]:
                    entry[1] = last
                if first < entry[0]:
                    entry[0] = first
        if len(counted) >= _MOST_QUESTIONS:
            self.tell()

    def tell(self) -> None:
        """Make facts of what was counted, and begin anew."""
        counted, self._counted = self._counted, {}
        for record, (first, last, count) in counted.items():
            client, server, port, query, kind, code, answers = cast("_Question", record)
            if not query or not client:
                continue
            for ip, field, value in dns_facts(
                client, server, port or 53, query, kind or "", answers, code or "", bool(code)
            ):
                self._facts.add_counted((None, ip, None, field, value), first, last, count)


_LEASED = {
    "host_name": "dhcp.host_name",
    "client_fqdn": "dhcp.fqdn",
    "domain": "dhcp.domain_name",
    "client_software": "dhcp.vendor_class",
    "circuit_id": "dhcp.relay_agent_circuit_id",
    "agent_remote_id": "dhcp.relay_agent_remote_id",
    "lease_time": "dhcp.lease_time",
    "server_addr": "dhcp.server_identifier",
}


def _dhcp(rows: Rows, times: Sequence[Heard], _ends: Mapping[str, Addresses]) -> Iterator[Fact]:
    names = tuple(rows.columns)
    for ts, record in zip(times, zip(*rows.columns.values(), strict=True), strict=True):
        row = dict(zip(names, record, strict=True))
        mac = mac_or_none(str(row["mac"] or ""))
        kinds = [str(kind).lower() for kind in cast("list[object]", row["msg_types"] or [])]
        granted = _address(row["assigned_addr"]) if "ack" in kinds else None
        ip = granted or _address(row["client_addr"])
        server = _address(row["server_addr"])
        if server and set(kinds) & {"offer", "ack", "nak"}:
            yield (None, server, None, "dhcp.role", "server"), ts
        if mac is None and ip is None:
            continue
        for column, field in _LEASED.items():
            text = _text(row[column], None)
            if text:
                yield (mac, ip, None, field, text), ts
        for kind in kinds:
            if kind in _CLIENT_MESSAGES:
                yield (mac, ip, None, "dhcp.message_type", kind), ts
        asked = _address(row["requested_addr"])
        if asked:
            yield (mac, ip, None, "dhcp.requested_address", asked), ts
        if granted and mac:
            yield (mac, granted, None, "dhcp.address", granted), ts


def _address(value: object) -> str | None:
    ip = ip_or_none(value) if isinstance(value, str) else None
    return None if ip in ("0.0.0.0", "::", "255.255.255.255") else ip  # noqa: S104 - an address that is none


def _software(rows: Rows, times: Sequence[Heard], ends: Mapping[str, Addresses]) -> Iterator[Fact]:
    kinds, versions = texts(rows, "software_type"), texts(rows, "unparsed_version")
    for ts, ip, kind, version in zip(times, ends[HOST], kinds, versions, strict=True):
        known = SOFTWARE_FIELDS.get(kind or "")
        text = _text(version, known[1]) if known and version else None
        if ip and known and text:
            yield (None, ip, None, known[0], text), ts


def _known_services(rows: Rows, times: Sequence[Heard], ends: Mapping[str, Addresses]) -> Iterator[Fact]:
    ports, protocols = rows.columns["port_num"], texts(rows, "port_proto")
    for ts, ip, port, protocol in zip(times, ends[HOST], ports, protocols, strict=True):
        if ip and port is not None and protocol:
            yield (None, ip, None, "zeek.service", f"{protocol.lower()}/{port}"), ts


def _known_devices(rows: Rows, times: Sequence[Heard], _ends: Mapping[str, Addresses]) -> Iterator[Fact]:
    for ts, address, name in zip(times, texts(rows, "mac"), texts(rows, "dhcp_host_name"), strict=True):
        mac = mac_or_none(address or "")
        if mac and name:
            yield (mac, None, None, "dhcp.host_name", name), ts


def _radius(rows: Rows, times: Sequence[Heard], _ends: Mapping[str, Addresses]) -> Iterator[Fact]:
    for ts, address, framed in zip(times, texts(rows, "mac"), texts(rows, "framed_addr"), strict=True):
        mac = mac_or_none(address or "")
        if mac:
            yield (mac, _address(framed), None, "zeek.radius_client", "yes"), ts


def _bacnet_discovery(rows: Rows, times: Sequence[Heard], ends: Mapping[str, Addresses]) -> Iterator[Fact]:
    services, kinds = texts(rows, "pdu_service"), texts(rows, "object_type")
    numbers, vendors = rows.columns["instance_number"], texts(rows, "vendor")
    who = senders(rows, ends)
    for ts, ip, service, kind, number, vendor in zip(
        times, who, services, kinds, numbers, vendors, strict=True
    ):
        if ip and _hyphened(service) == "i-am" and _hyphened(kind) == "device":
            if number is not None:
                yield (None, ip, None, "bacnet.device_instance", _text(number, None) or ""), ts
            if vendor:
                yield (None, ip, None, "bacnet.vendor_name", vendor), ts


def _bacnet_property(rows: Rows, times: Sequence[Heard], ends: Mapping[str, Addresses]) -> Iterator[Fact]:
    services, kinds = texts(rows, "pdu_service"), texts(rows, "object_type")
    who = senders(rows, ends)
    for ts, ip, service, kind, name, value in zip(
        times, who, services, kinds, texts(rows, "property"), texts(rows, "value"), strict=True
    ):
        field = BACNET_PROPERTIES.get(_hyphened(name))
        if ip and field and value and _hyphened(kind) == "device" and _hyphened(service).endswith("-ack"):
            yield (None, ip, None, field, value), ts


def _hyphened(word: str | None) -> str:
    return (word or "").lower().replace("_", "-")


def _modbus_identification(
    rows: Rows, times: Sequence[Heard], ends: Mapping[str, Addresses]
) -> Iterator[Fact]:
    codes, values = rows.columns["object_id_code"], texts(rows, "object_value")
    for ts, ip, code, value in zip(times, senders(rows, ends), codes, values, strict=True):
        field = MODBUS_OBJECTS.get(cast("int", code)) if code is not None else None
        if ip and field and value:
            yield (None, ip, None, field, value), ts


_SPECIAL: Mapping[str, Callable[[Rows, Sequence[Heard], Mapping[str, Addresses]], Iterator[Fact]]] = {
    "dhcp": _dhcp,
    "software": _software,
    "known_services": _known_services,
    "known_devices": _known_devices,
    "radius": _radius,
    "bacnet_discovery": _bacnet_discovery,
    "bacnet_property": _bacnet_property,
    "modbus_read_device_identification": _modbus_identification,
}
