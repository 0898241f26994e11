"""From an answer down to packets and log lines: where a piece of evidence was heard.

The lake keeps for every fact which sensor told it, in which batch of which input, when first and last and
from which address. Where the capture or log is still there, it is read again, within bounds, for the
packets or lines that said it. Nothing of their contents is handed on but their numbers and times: a packet
may hold a patient.
"""

from __future__ import annotations

import ipaddress
import itertools
import json
import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from medwarden.inventory.grounds import ADDRESSES, Ground
from medwarden.kernel.errors import ConfigurationError, MedwardenError
from medwarden.sensors.capture_file import sniff
from medwarden.sensors.capture_rewrite import pieces
from medwarden.sensors.log_files import form_of, opened_log

if TYPE_CHECKING:
    from medwarden.store.queries.scope import Scope

MOST_PACKETS = 5_000_000
MOST_BYTES = 512 << 20
"""Bounds of what is read again of one input."""

_MOST_MENTIONS = 20
_MOST_INPUTS = 50
_MOST_FLOWS = 10
_MARGIN_NS = 2_000_000_000
_ABOUT_NS = 1_000_000
_NANOSECOND = (b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1")
_BIG = (b"\xa1\xb2\xc3\xd4", b"\xa1\xb2\x3c\x4d", b"\xa1\xb2\xcd\x34")


class Mention(msgspec.Struct, frozen=True):
    """A packet (number as Wireshark counts) or a line of a log (from 1) that said it.

    ``how`` is ``says it`` where the value stands in its bytes, else ``at that moment``: the packet of the
    device at which the value was concluded, for values that are made of several fields.
    """

    number: int
    at_ns: int | None
    how: str


class Heard(msgspec.Struct, frozen=True):
    """One time a piece of evidence was heard: which sensor, which input and batch, when, from which address.

    ``state`` is ``read again``, ``cut off`` (the bounds were reached before the end), ``gone``, ``changed``
    (the file holds something else now), ``live`` (an interface or listener, which keeps nothing), or
    ``not looked at``. ``flows`` are conversations of that address at that moment, in words.
    """

    sensor: str
    input: str
    format: str
    batch: int
    source: str
    first_ns: int
    last_ns: int
    count: int
    mac: str | None
    ip: str | None
    vlan: int | None
    state: str
    mentions: tuple[Mention, ...] = ()
    flows: tuple[str, ...] = ()


class Said(msgspec.Struct, frozen=True):
    """Somebody who said it, where the way ends without packets: a person, a list, a maker, a rule.

    ``by`` is who, ``what`` their word, ``where`` the file and line, document or number under which it stands,
    ``reason`` why they said so. ``page`` and ``key`` name the page of the console that shows it.
    """

    by: str
    what: str
    at_ns: int | None
    where: str
    reason: str = ""
    page: str = ""
    key: str = ""


class Origin(msgspec.Struct, frozen=True):
    """Where one piece of evidence of a device comes from, the latest input first; ``total`` counts all.

    An answer that was not heard itself ``rests_on`` others, each with an origin of its own, or was ``said``.
    """

    device: str
    field: str
    value: str
    heard: tuple[Heard, ...]
    total: int
    offset: int
    rests_on: tuple[Ground, ...] = ()
    said: tuple[Said, ...] = ()


def origin(
    scope: Scope,
    home: Path,
    device: str,
    field: str,
    value: str,
    *,
    look: bool = True,
    offset: int = 0,
    limit: int = 10,
) -> Origin:
    """Return where ``field`` = ``value`` of a device was heard, on a store that is open already.

    With ``look`` inputs that are still there are read again for packets and lines. Raises
    ConfigurationError where there is no such device or it never said so.
    """
    from contextlib import closing

    from medwarden.store import queries
    from medwarden.store.folder import LAKE_FOLDER
    from medwarden.store.lake import Lake

    if queries.device(scope, device) is None:
        raise ConfigurationError(f"there is no device {device[:80]!r}")
    ids = queries.ids_over_time(scope, device)
    size = min(max(1, limit), _MOST_INPUTS)
    with closing(Lake(home / LAKE_FOLDER, writer=False)) as lake:
        rows = lake.query(*_question(ids, field, value), tenant=scope.tenant, sites=scope.sites).to_pylist()
        if not rows:
            raise ConfigurationError(f"the device never said {field[:80]} = {value[:80]!r}")
        shown = rows[max(0, offset) : max(0, offset) + size]
        heard = tuple(_heard(scope, lake, row, value, look) for row in shown)
    return Origin(device, field, value, heard, len(rows), max(0, offset))


_FACTS = (
    "SELECT sensor, batch, source, mac, ip, vlan, min(ts_ns) AS first_ns, max(last_ns) AS last_ns, "
    "sum(count)::BIGINT AS count, NULL AS port FROM evidence "
    "WHERE list_contains(?, device) AND field = ? AND value = ? "
    "GROUP BY sensor, batch, source, mac, ip, vlan ORDER BY last_ns DESC, batch, ip"
)
_TALKS = (
    "SELECT sensor, batch, 'traffic' AS source, {own}_mac AS mac, {own}_ip AS ip, vlan, "
    "min(start_ns) AS first_ns, max(end_ns) AS last_ns, count(*)::BIGINT AS count, {port} AS port "
    "FROM flows WHERE list_contains(?, {own}_device){also} GROUP BY ALL"
)
_LATEST = "SELECT * FROM ({}) ORDER BY last_ns DESC, batch, ip"
_SERVICE = re.compile(r"(tcp|udp)/(\d{1,5})\b")
_PROTOCOLS = {"tcp": 6, "udp": 17}
_OF_TRAFFIC = ("flow.", "interface.", "oui.", "mac.", "model.")


_ADDRESSED = (
    "SELECT sensor, batch, source, mac, ip, vlan, min(ts_ns) AS first_ns, max(last_ns) AS last_ns, "
    "sum(count)::BIGINT AS count, NULL AS port FROM evidence "
    "WHERE list_contains(?, device) AND ({own}::VARCHAR = ? OR value = ?) "
    "GROUP BY sensor, batch, source, mac, ip, vlan"
)


def follows_from_traffic(field: str) -> bool:
    """Tell whether a field was not said but concluded from addresses and conversations of a device.

    What a model weighs together (``model.rest``) is taken for its traffic, which it looks at as well.
    """
    return field.startswith(_OF_TRAFFIC)


def _question(ids: Sequence[str], field: str, value: str) -> tuple[str, list[object]]:
    """Return the statement and its parameters that find where a device said or did something.

    A service (``flow.serves`` = ``tcp/104``) is found by its flows; a maker of interfaces and behaviour by
    all that the device sent, asked or answering: some devices only ever answer. An address of its own by what
    was sent from it, or said it.
    """
    if field in ADDRESSES:
        own = {"mac": "{own}_mac", "ip": "{own}_ip", "vlan": "vlan"}[field]
        also = f" AND {own}::VARCHAR = ?"
        sides = [
            _TALKS.format(own=side, port="NULL", also=also.format(own=side)) for side in ("client", "server")
        ]
        statement = " UNION ALL ".join([*sides, _ADDRESSED.format(own=field)])
        return _LATEST.format(statement), [ids, value, ids, value, ids, value, value]
    if not follows_from_traffic(field):
        return _FACTS, [ids, field, value]
    service = _SERVICE.match(value) if field.startswith("flow.") else None
    if service is None:
        sides = [_TALKS.format(own=own, port="NULL", also="") for own in ("client", "server")]
        return _LATEST.format(" UNION ALL ".join(sides)), [ids, ids]
    own = "server" if field == "flow.serves" else "client"
    also = " AND server_port = ? AND ip_protocol = ?"
    return _LATEST.format(_TALKS.format(own=own, port="server_port", also=also)), [
        ids,
        int(service[2]),
        _PROTOCOLS[service[1]],
    ]


def _heard(scope: Scope, lake: Any, row: dict[str, Any], value: str, look: bool) -> Heard:  # noqa: ANN401
    from medwarden.store.models import InputLedger

    _, site, rest = str(row["batch"]).split("/", 2)
    content, _, number = rest.rpartition("/")
    entry = InputLedger.objects.filter(tenant_id=scope.tenant, site_id=site, content=content).first()
    path = "" if entry is None else entry.path
    state: str = "not looked at"
    mentions: tuple[Mention, ...] = ()
    if content.startswith(("live:", "listener:", "active:")):
        state = "live"
    elif look:
        state, mentions = look_again(Path(path), content, value, row) if path else ("gone", ())
    return Heard(
        sensor=row["sensor"],
        input=path or content,
        format="" if entry is None else entry.format,
        batch=int(number),
        source=row["source"],
        first_ns=row["first_ns"],
        last_ns=row["last_ns"],
        count=row["count"],
        mac=row["mac"],
        ip=row["ip"],
        vlan=row["vlan"],
        state=state,
        mentions=mentions,
        flows=_flows(scope, lake, row),
    )


def _flows(scope: Scope, lake: Any, row: dict[str, Any]) -> tuple[str, ...]:  # noqa: ANN401
    """Return the conversations of the address around the moment it was heard, in words."""
    found = lake.query(
        "SELECT client_ip, client_port, server_ip, server_port, ip_protocol, application FROM flows "
        "WHERE (client_ip = ? OR server_ip = ? OR client_mac = ? OR server_mac = ?) "
        "AND start_ns <= ? AND end_ns >= ? ORDER BY start_ns LIMIT ?",
        [
            row["ip"], row["ip"], row["mac"], row["mac"], row["first_ns"] + _ABOUT_NS,
            row["first_ns"] - _ABOUT_NS, _MOST_FLOWS,
        ],
        tenant=scope.tenant,
        sites=scope.sites,
        since=row["first_ns"] - 86_400 * 10**9,
        until=row["last_ns"] + _MARGIN_NS,
    ).to_pylist()  # fmt: skip
    names = {6: "tcp", 17: "udp", 1: "icmp", 58: "icmp"}
    return tuple(
        f"{f['client_ip']}:{f['client_port']} to {f['server_ip']}:{f['server_port']} "
        f"{names.get(f['ip_protocol'], f['ip_protocol'])}{' ' + f['application'] if f['application'] else ''}"
        for f in found
    )


def look_again(path: Path, content: str, value: str, row: dict[str, Any]) -> tuple[str, tuple[Mention, ...]]:
    """Return what became of an input, and the packets or lines of it that said ``value``.

    ``row`` holds the addresses (``mac``, ``ip``) and the times (``first_ns``, ``last_ns``) it was heard at.
    """
    from medwarden.app.intake import content_id

    try:
        if not path.is_file():
            return "gone", ()
        if content.startswith("file:") and path.stat().st_size <= MOST_BYTES and content_id(path) != content:
            return "changed", ()
        capture = sniff(path) is not None
        if not capture and form_of(path) is None:
            return "changed", ()
        found = _packets(path, value, row) if capture else _lines(path, value, row)
        kept = list(itertools.islice(found, _MOST_MENTIONS + 1))
    except MedwardenError:
        return "changed", ()
    cut = bool(kept) and kept[-1].number < 0
    exact = [m for m in kept if m.how == "says it"]
    chosen = exact or [m for m in kept if m.number > 0]
    return ("cut off" if cut else "read again"), tuple(chosen[:_MOST_MENTIONS])


_CUT = Mention(-1, None, "")


def _wanted(value: str, row: dict[str, Any]) -> tuple[bytes, ...]:
    """Return what a packet or line must hold: the value, or the port of a service where nothing was said."""
    if row.get("source") == "traffic":
        return () if row.get("port") is None else (str(row["port"]).encode(),)
    return _needles(value)


def _needles(value: str) -> tuple[bytes, ...]:
    """Return how a value may stand in bytes: as text in either case, in UTF-16, in JSON."""
    texts = {value, value.lower(), value.upper(), json.dumps(value)[1:-1]}
    found = [text.encode() for text in texts] + [text.encode("utf-16-le") for text in texts]
    return tuple(sorted({needle for needle in found if len(needle) > 1}))


def _address_bytes(row: dict[str, Any]) -> tuple[bytes, ...]:
    found = []
    if row["mac"]:
        found.append(bytes.fromhex(row["mac"].replace(":", "")))
    if row["ip"]:
        found.append(ipaddress.ip_address(row["ip"]).packed)
    return tuple(found)


def _packets(path: Path, value: str, row: dict[str, Any]) -> Iterator[Mention]:
    said = row.get("source") != "traffic"
    needles, addresses = (_needles(value) if said else ()), _address_bytes(row)
    number = octets = 0
    magic = b""
    for piece in pieces(path):
        if piece.linktype < 0:
            magic = magic or piece.head[:4]
            continue
        number += 1
        octets += len(piece.data)
        if number > MOST_PACKETS or octets > MOST_BYTES:
            yield _CUT
            return
        times = _times(piece.head, magic)
        if not any(row["first_ns"] - _MARGIN_NS <= at <= row["last_ns"] + _MARGIN_NS for at in times):
            continue
        frame = piece.data
        then = any(abs(at - moment) <= 1000 for at in times for moment in (row["first_ns"], row["last_ns"]))
        # Who speaks through a relay is named inside (DHCP option 54); otherwise the headers tell whose it is.
        looked_at = frame if then else frame[:96]
        if addresses and not any(address in looked_at for address in addresses):
            continue
        if any(needle in frame for needle in needles):
            yield Mention(number, _nearest(times, row["first_ns"]), "says it")
        elif then:
            yield Mention(number, _nearest(times, row["first_ns"]), "at that moment")


def _nearest(times: Sequence[int], moment: int) -> int:
    return min(times, key=lambda at: abs(at - moment))


def _times(head: bytes, magic: bytes) -> tuple[int, ...]:
    """Return when a packet may have been captured: pcapng in both usual resolutions, pcap in its own."""
    if magic == b"\x0a\x0d\x0d\x0a":
        order = "<" if struct.unpack_from("<I", head)[0] < 1 << 16 else ">"
        high, low = struct.unpack_from(order + "II", head, 12)
        ticks = high << 32 | low
        return ticks * 1000, ticks
    seconds, fraction = struct.unpack_from((">" if magic in _BIG else "<") + "II", head)
    return (seconds * 10**9 + fraction * (1 if magic in _NANOSECOND else 1000),)


def _lines(path: Path, value: str, row: dict[str, Any]) -> Iterator[Mention]:
    needles = tuple(needle for needle in _wanted(value, row) if b"\0" not in needle)
    addresses = tuple(text.encode() for text in (row["mac"], row["ip"]) if text)
    octets, number, rest = 0, 0, b""
    with opened_log(path) as log:
        while piece := log.read():
            octets += len(piece)
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                number += 1
                if _mentions(line, needles, addresses):
                    yield Mention(number, None, "says it")
            if octets > MOST_BYTES:
                yield _CUT
                return
    if rest and _mentions(rest, needles, addresses):
        yield Mention(number + 1, None, "says it")


def _mentions(line: bytes, needles: Sequence[bytes], addresses: Sequence[bytes]) -> bool:
    low = line.lower()
    return (not needles or any(n in line for n in needles)) and (
        not addresses or any(a.lower() in low for a in addresses)
    )
