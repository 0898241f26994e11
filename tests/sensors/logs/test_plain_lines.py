"""What is read of lines as columns is what a reader of whole lines reads, for every kind of record."""

from __future__ import annotations

import hashlib
import json
import types
import typing
from collections.abc import Mapping, Sequence
from functools import cache

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sensors.logs.line_outcomes import line_by_line, outcome

from medwarden.sensors.logs._columns import (
    BLANK,
    COUNT,
    MOMENT,
    ODD,
    REAL,
    SOUND,
    WORD,
    Columns,
    Fingerprint,
    line_starts,
)
from medwarden.sensors.logs.eve_lines import ROLES, TYPES
from medwarden.sensors.logs.times import ns_of_value
from medwarden.sensors.logs.zeek_logs import logs

IPS = ["10.0.0.1", "10.0.0.2", "192.0.2.9", "fe80::1", "FE80:0::1", "0.0.0.0", "10.0.0.1%eth0", "nowhere"]
TEXTS = [
    "", "-", "pacs.example.org", "1.0.0.10.in-addr.arpa", "00:0c:29:00:00:01", "GET", "TLS 1.2", "ack",
    "SSH-2.0-OpenSSH_9.2p1", "CN=pump, O=Example", "Bär", "\\", '"', "a\tb", "\u0000", "\ud83d\ude00", "1b",
    "answer", "request", "PTR", "NXDOMAIN", "I-Am", "device", *IPS[:2],
]  # fmt: skip
NUMBERS = [0, 1, 7, 53, 161, 5353, 65535, 65536, 1 << 62, 1 << 63, -1, 1.0, 2.5, 1e300, 10**30]
ANYTHING = st.sampled_from([None, True, "", "text", 0, -1, 1.5, [], ["a", None], {}, {"a": [1]}, "\u00e9"])
STAMPS = st.sampled_from([
    "2026-11-22T10:00:00.251547+0000", "2026-11-22T10:00:00.251Z", "2026-11-22T12:00:00+02:00",
    "2026-11-22T10:00:00", "2026-02-30T10:00:00Z", "later", "",
])  # fmt: skip
SILENT_TYPES = ("alert", "fileinfo", "anomaly", "stats", "engine")


@cache
def value_of(type_: object) -> st.SearchStrategy[object]:
    """Return values of a type, now and then one of another."""
    return st.one_of(right_value(type_), right_value(type_), right_value(type_), ANYTHING)


def right_value(type_: object) -> st.SearchStrategy[object]:
    origin = typing.get_origin(type_)
    if origin is typing.Annotated:
        return right_value(typing.get_args(type_)[0])
    if isinstance(type_, types.UnionType):
        return st.one_of([right_value(member) for member in typing.get_args(type_)])
    if origin is list:
        return st.lists(value_of(typing.get_args(type_)[0]), max_size=2)
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        return struct_of(type_)
    if type_ is str:
        return st.sampled_from(TEXTS)
    if type_ is int:
        return st.sampled_from(NUMBERS)
    if type_ is float:
        return st.sampled_from([0, 0.25, 1e-7, 123456.789, -1.5, 1e300, 12345678901234567890])
    if type_ is bool:
        return st.booleans()
    return st.none() if type_ is types.NoneType else ANYTHING


@cache
def struct_of(type_: type[msgspec.Struct]) -> st.SearchStrategy[dict[str, object]]:
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(type_)}
    for time in ("start", "end"):
        if time in fields:
            fields[time] = time
    return st.fixed_dictionaries(
        {}, optional={name: STAMPS if kind == name else value_of(kind) for name, kind in fields.items()}
    )


def event_of(kind: str) -> st.SearchStrategy[dict[str, object]]:
    """Return events of one type of Suricata's."""
    parts: dict[str, st.SearchStrategy[object]] = {}
    if kind in TYPES:
        parts = {
            field.encode_name: value_of(field.type)
            for field in msgspec.structs.fields(TYPES[kind])
            if field.name not in ("timestamp", "src_ip", "dest_ip")
        }
    return st.fixed_dictionaries(
        {"timestamp": STAMPS, "event_type": st.just(kind), "src_ip": st.sampled_from(IPS)},
        optional={"dest_ip": st.sampled_from(IPS), "more": ANYTHING, **parts},
    )


def record_of(kind: str) -> st.SearchStrategy[dict[str, object]]:
    """Return records of one of Zeek's logs."""
    log = logs()[kind]
    columns = {
        name: st.sampled_from(IPS) if name in ("id.orig_h", "id.resp_h", "host") else value_of(type_)
        for name, type_ in log.columns.items()
    }
    columns["ts"] = st.one_of(st.sampled_from([1.7e9, 1700000000.123456, 1.7e12]), STAMPS, ANYTHING)
    needed = {name: columns.pop(name) for name in log.needed}
    return st.fixed_dictionaries({"_path": st.just(kind), **needed}, optional={"more": ANYTHING, **columns})


def written(records: st.SearchStrategy[dict[str, object]]) -> st.SearchStrategy[bytes]:
    """Return logs of records, some with blanks between what JSON sets apart, or in escapes, and some torn."""

    def line(record: dict[str, object], wide: bool, escaped: bool, cut: int) -> bytes:
        separators = (" , ", " : ") if wide else (",", ":")
        text = json.dumps(record, separators=separators, ensure_ascii=escaped)
        return text.encode("utf-8", "surrogatepass")[: cut or None]

    cuts = st.one_of(st.just(0), st.just(0), st.just(0), st.integers(1, 300))
    lines = st.builds(line, records, st.booleans(), st.booleans(), cuts)
    return st.lists(lines, min_size=1, max_size=6).map(lambda several: b"".join(b"%b\n" % x for x in several))


EVENTS = {kind: event_of(kind) for kind in (*TYPES, *ROLES, *SILENT_TYPES)}
RECORDS = {kind: record_of(kind) for kind in logs()}


@pytest.mark.parametrize("kind", sorted(EVENTS))
def test_events_of_each_type_say_what_they_say_one_by_one(kind: str) -> None:
    @settings(max_examples=25)
    @given(written(EVENTS[kind]))
    def holds(log: bytes) -> None:
        assert outcome("suricata_eve", "eve", log) == line_by_line(
            lambda: outcome("suricata_eve", "eve", log)
        )

    holds()


def test_a_mixture_of_all_events_comes_to_what_its_lines_come_to() -> None:
    @settings(max_examples=100)
    @given(written(st.sampled_from(sorted(EVENTS)).flatmap(EVENTS.__getitem__)))
    def holds(log: bytes) -> None:
        assert outcome("suricata_eve", "eve", log) == line_by_line(
            lambda: outcome("suricata_eve", "eve", log)
        )

    holds()


@pytest.mark.parametrize("kind", sorted(RECORDS))
def test_records_of_each_log_say_what_they_say_one_by_one(kind: str) -> None:
    @settings(max_examples=25)
    @given(written(RECORDS[kind]))
    def holds(log: bytes) -> None:
        assert outcome("zeek", "x.log", log) == line_by_line(lambda: outcome("zeek", "x.log", log))

    holds()


def test_a_mixture_of_all_logs_comes_to_what_its_lines_come_to() -> None:
    @settings(max_examples=100)
    @given(written(st.sampled_from(sorted(RECORDS)).flatmap(RECORDS.__getitem__)))
    def holds(log: bytes) -> None:
        assert outcome("zeek", "x.log", log) == line_by_line(lambda: outcome("zeek", "x.log", log))

    holds()


# -- the reader by itself, against a reader of whole objects

PATHS = ((b"text",), (b"count",), (b"real",), (b"when",), (b"deep", b"text"), (b"deep", b"count"))
FORMS = (WORD, COUNT, REAL, MOMENT, WORD, COUNT)
TEXT, COUNTED, MEASURED, WHEN, DEEP_TEXT, DEEP_COUNT = range(6)

JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8), STAMPS
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["text", "count", "x"]), inner, max_size=3),
    ),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.sampled_from(["text", "count", "real", "when", "deep", "other", "\u00e9"]), JSON)


def wanted(line: bytes) -> dict[int, object]:
    """Return what a reader of whole objects finds for the columns, by their numbers."""
    record = json.loads(line)
    assert isinstance(record, dict)
    found: dict[int, object] = {}
    for number, path in enumerate(PATHS):
        value: object = record
        for key in path:
            value = value.get(key.decode(), value_missing) if isinstance(value, Mapping) else value_missing
        if value is not value_missing and (FORMS[number] == WORD or value is not None):
            found[number] = value
    return found


value_missing = object()


def readable(
    place: int,
    values: npt.NDArray[np.int64],
    present: npt.NDArray[np.uint8],
    distinct: Sequence[Sequence[bytes] | None],
) -> bool:
    """Tell whether the text of all values is sound: of that only the extent is told."""
    for number, known in enumerate(distinct):
        if known is not None and present[number, place]:
            try:
                msgspec.json.decode(known[values[number, place]])
            except (msgspec.DecodeError, UnicodeDecodeError):
                return False
    return True


@given(st.lists(st.sampled_from([b"", b"x", b"{}", b"y" * 300]), max_size=200), st.booleans())
def test_lines_begin_behind_line_feeds_however_short_they_are(texts: list[bytes], ended: bool) -> None:
    block = b"\n".join(texts) + b"\n" * ended
    lines = block.split(b"\n")
    if not lines[-1]:
        lines.pop()
    begins = [sum(len(line) + 1 for line in lines[:at]) for at in range(len(lines))]
    starts = line_starts(block)
    assert starts.dtype == np.int64 and starts.tolist() == begins


@settings(max_examples=300)
@given(
    st.lists(
        st.one_of(
            OBJECTS.map(lambda record: json.dumps(record).encode()),
            OBJECTS.map(lambda record: json.dumps(record, separators=(",", ":")).encode()),
            st.tuples(OBJECTS.map(lambda record: json.dumps(record).encode()), st.integers(0, 60)).map(
                lambda drawn: drawn[0][: drawn[1]] + drawn[0][drawn[1] + 1 :]
            ),
            st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")),
        ),
        max_size=8,
    )
)
def test_a_sound_line_holds_what_a_reader_of_objects_finds(lines: list[bytes]) -> None:
    block = b"\n".join(lines)
    starts = line_starts(block)
    columns = Columns(PATHS, FORMS, [False] * len(PATHS))
    states, values, present, distinct = columns.of_json(block, starts)
    assert (
        starts.tolist() == [0, *(at + 1 for at, octet in enumerate(block[:-1]) if octet == 10)][: len(starts)]
    )
    for place, start in enumerate(starts.tolist()):
        line = block[start:].partition(b"\n")[0]
        assert (states[place] == BLANK) == (not line.strip(b" \t\r"))
        if states[place] != SOUND or not readable(place, values, present, distinct):
            continue
        expected = wanted(line)
        assert {number for number in range(len(PATHS)) if present[number, place]} == set(expected)
        for number, value in expected.items():
            held = values[number, place]
            if FORMS[number] == WORD:
                known = distinct[number]
                assert known is not None
                assert msgspec.json.decode(known[held]) == value
            elif FORMS[number] == REAL:
                assert np.int64(held).view(np.float64) == float(str(value))
            elif FORMS[number] == MOMENT:
                assert held == ns_of_value(value, "UTC")
            else:
                assert held == value


def test_plain_records_are_sound() -> None:
    """Without this, nothing above need be read as columns at all."""
    record = {"when": 1.7e9, "text": "a\u00e9\\n", "real": -0.5, "count": 3, "deep": {"x": [{}], "count": 4}}
    block = b"".join(
        json.dumps(record, separators=pair).encode() + b"\r\n" for pair in ((",", ":"), (", ", ": "))
    )
    columns = Columns(PATHS, FORMS, [True, True, True, True, False, True])
    states, values, present, distinct = columns.of_json(block, line_starts(block))
    assert states.tolist() == [SOUND, SOUND]
    assert values[:, 0].tolist() == values[:, 1].tolist()
    assert present[:, 0].tolist() == [1, 1, 1, 1, 0, 1]
    assert values[COUNTED, 0] == 3
    assert values[DEEP_COUNT, 0] == 4
    assert values[WHEN, 0] == 1_700_000_000 * 10**9
    assert distinct[TEXT] == [json.dumps(record["text"]).encode()]
    assert distinct[DEEP_TEXT] == []


@pytest.mark.parametrize(
    "block", [b"", b"\n", b"\n\n", b" ", b"\r\n", b"{", b'{"', b'{"a', b'{"a"', b'{"a":']
)
def test_the_end_of_a_block_ends_reading(block: bytes) -> None:
    columns = Columns(PATHS, FORMS, [False] * len(PATHS))
    for end in (b"", b"\\", b'"', b"\x00", b"\xff", b"tru", b"-", b"1e", b"[", b"{", b"1.", b'"\\u'):
        cut = block + end
        states = columns.of_json(cut, line_starts(cut))[0]
        assert SOUND not in states.tolist()
        assert len(states) == cut.count(b"\n") + (not cut.endswith(b"\n") and cut != b"")


def test_too_much_at_once_is_refused() -> None:
    with pytest.raises(ValueError, match="too many columns"):
        Columns([(b"a%d" % n,) for n in range(65)], [WORD] * 65, [False] * 65)
    with pytest.raises(ValueError, match="too many keys"):
        Columns([tuple(b"%d.%d" % (n, m) for m in range(4)) for n in range(40)], [WORD] * 40, [False] * 40)


def test_values_that_collide_are_read_one_by_one() -> None:
    """More different values than a table holds at once; all are told apart, none is lost."""
    block = b"".join(b'{"text":"%d","count":%d}\n' % (n, n) for n in range(5000))
    columns = Columns(PATHS, FORMS, [False] * len(PATHS))
    states, values, _, distinct = columns.of_json(block, line_starts(block))
    assert set(states.tolist()) == {SOUND}
    assert distinct[TEXT] == [b'"%d"' % n for n in range(5000)]
    assert values[TEXT].tolist() == list(range(5000))
    assert values[COUNTED].tolist() == list(range(5000))


@pytest.mark.parametrize("number", ["1e999", "-1e999", "123456789012345678901e300", "9" * 400])
def test_a_number_beyond_doubles_is_odd(number: str) -> None:
    block = b'{"real":%b}\n{"when":%b}\n{"other":%b}' % ((number.encode(),) * 3)
    columns = Columns(PATHS, FORMS, [False] * len(PATHS))
    states = columns.of_json(block, line_starts(block))[0]
    assert states.tolist() == [ODD, ODD, SOUND]


def slow_fingerprint(octets: bytes) -> str:
    """Return what a fingerprint is by its definition."""
    key, keys = hashlib.blake2b(b"medwarden: blocks of a log").digest(), []
    for _ in range(128):
        key = hashlib.blake2b(key).digest()
        keys.append(int.from_bytes(key[:8], "little"))
    found = hashlib.blake2b(digest_size=20)
    whole = len(octets) // 1024 * 1024
    for start in range(0, whole, 1024):
        words = [int.from_bytes(octets[at : at + 8], "little") for at in range(start, start + 1024, 8)]
        sums = [(word + key) % 2**64 for word, key in zip(words, keys, strict=True)]
        total = sum(one * other for one, other in zip(sums[::2], sums[1::2], strict=True))
        found.update((total % 2**128).to_bytes(16, "little"))
    found.update(octets[whole:] + len(octets).to_bytes(8, "little"))
    return "nh" + found.hexdigest()


@given(st.binary(max_size=64), st.lists(st.integers(0, 2500), max_size=6))
def test_a_fingerprint_is_of_the_octets_however_they_are_cut(seed: bytes, lengths: list[int]) -> None:
    cut, whole = Fingerprint(), bytearray()
    for number, length in enumerate(lengths):
        piece = hashlib.shake_128(seed + bytes([number])).digest(length)
        cut.update(memoryview(piece))
        whole += piece
        assert cut.hexdigest() == slow_fingerprint(bytes(whole))


def test_another_octet_is_another_fingerprint() -> None:
    octets = bytes(range(256)) * 12
    known = {octets: slow_fingerprint(octets)}
    for place in range(0, len(octets), 7):
        for other in (octets[:place] + b"!" + octets[place + 1 :], octets[:place], octets + bytes(place + 1)):
            fingerprint = Fingerprint()
            fingerprint.update(other)
            known[other] = fingerprint.hexdigest()
    assert len(set(known.values())) == len(known) > 1000
