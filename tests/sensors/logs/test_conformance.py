"""Every registered log parser against every case of its folder: whole, in pieces, cut, flipped, and garbage.

The format of a case stands in ``cases/README.md``.
"""

from __future__ import annotations

import ipaddress
import json
import random
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from medwarden.model.batch import Batch
from medwarden.model.evidence import MAX_VALUE
from medwarden.model.log_source import Framing, LogParser, LogSetting
from medwarden.model.tables import FLOW_SCHEMA
from medwarden.sensors.logs.lines import LineFramer
from medwarden.sensors.logs.registry import HEAD, parser_named, parsers, recognise

CASES = Path(__file__).parent / "cases"
TOKEN_KEY = b"only for the conformance suite.."
NOW_NS = 1_700_000_000_000_000_000
COPIES = 40
MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")

Stated = tuple[list[dict[str, object]], list[tuple[object, ...]]]


@cache
def case_of(path: Path) -> dict[str, Any]:
    case: dict[str, Any] = json.loads(path.read_text())
    assert case["note"] and case["origin"], "a case says what it shows and where it is from"
    return case


def case_files() -> list[Path]:
    return sorted(CASES.glob("*/*.json"))


def input_of(path: Path) -> list[bytes]:
    """Return what a case feeds: one stream, one document, or several datagrams."""
    case = case_of(path)
    if "datagrams" in case:
        return [bytes.fromhex("".join(d) if isinstance(d, list) else d) for d in case["datagrams"]]
    if "file" in case:
        return [(path.parent / case["file"]).read_bytes()]
    if "text" in case:
        return [case["text"].encode()]
    return ["".join(f"{line}\n" for line in case["lines"]).encode()]


def setting_of(case: dict[str, Any]) -> LogSetting:
    given = case.get("setting", {})
    return LogSetting(
        TOKEN_KEY, given.get("time_zone", "UTC"), given.get("now_ns", NOW_NS), given.get("columns", {})
    )


def made(path: Path) -> LogParser:
    case = case_of(path)
    return parser_named(path.parent.name)(case.get("name", "case"), setting_of(case))


def run(parser: LogParser, pieces: Sequence[bytes], size: int = 1 << 16) -> list[Batch]:
    """Feed as a sensor does, a stream in pieces of ``size`` octets; return the batches."""
    if parser.manifest.framing is Framing.LINES:
        framer = LineFramer()
        for stream in pieces:
            for at in range(0, len(stream), size):
                for block in framer.push(stream[at : at + size]):
                    parser.feed(block.lines, block.offset)
        for block in framer.finish():
            parser.feed(block.lines, block.offset)
    else:
        at = 0
        for piece in pieces:
            parser.feed(piece, at)
            at += len(piece)
    return [parser.take(final=True)]


def stated(batches: Sequence[Batch]) -> Stated:
    """Return flows and facts as cases write them."""
    flows, facts = [], []
    for batch in batches:
        assert batch.flows.column_names == [*FLOW_SCHEMA.names, "application"]
        batch.flows.select(FLOW_SCHEMA.names).cast(FLOW_SCHEMA)
        for row in batch.flows.to_pylist():
            del row["flow_id"]
            flows.append(
                {k: v for k, v in row.items() if v not in (None, 0) and (k, v) != ("end_reason", "end")}
            )
        for fact in batch.facts:
            e = fact.evidence
            vlan = () if e.vlan is None else (e.vlan,)
            facts.append((e.field, e.value, e.mac, e.ip, fact.count, *vlan))
    return flows, sorted(facts, key=repr)


def check_form(parser: LogParser, batches: Sequence[Batch]) -> None:
    tally = parser.tally
    assert tally.count.balanced(), tally.count
    assert sum(tally.reasons.values()) == tally.count.rejected + tally.count.dropped
    assert (tally.fault is None) == (tally.count.rejected == 0)
    for batch in batches:
        ids = batch.flows["flow_id"].to_pylist()
        assert len(ids) == len(set(ids)), "flow ids are unique within an input"
        for row in batch.flows.to_pylist():
            assert 0 <= row["start_ns"] <= row["end_ns"], row
            assert 0 <= row["client_port"] <= 65535 and 0 <= row["server_port"] <= 65535
            assert all(row[c] >= 0 for c in ("packets_out", "packets_in", "bytes_out", "bytes_in"))
            for end in ("client", "server"):
                check_addresses(row[f"{end}_mac"], row[f"{end}_ip"])
        for fact in batch.facts:
            evidence = fact.evidence
            assert evidence.field in parser.manifest.fields, f"{evidence.field} is not in the manifest"
            assert evidence.source == parser.manifest.name
            assert 0 < len(evidence.value) <= MAX_VALUE, f"{evidence.field} is empty or too long"
            assert evidence.value.isprintable(), f"{evidence.field} has control characters"
            assert evidence.value == evidence.value.strip()
            assert evidence.mac or evidence.ip, f"{evidence.field} is nobody's fact"
            assert 0 <= evidence.ts_ns <= fact.last_ns
            assert fact.count > 0
            check_addresses(evidence.mac, evidence.ip)


def check_addresses(mac: str | None, ip: str | None) -> None:
    assert mac is None or MAC.fullmatch(mac), mac
    assert ip is None or str(ipaddress.ip_address(ip)) == ip, ip


def changed(pieces: Sequence[bytes], chance: random.Random) -> Iterator[list[bytes]]:
    """Yield copies that are cut or have bytes flipped."""
    for number, piece in enumerate(pieces):
        for _ in range(COPIES):
            cut = chance.randrange(len(piece) + 1)
            yield [*pieces[:number], piece[:cut]]
            flipped = bytearray(piece)
            for _ in range(max(1, len(piece) // 100)):
                if flipped:
                    flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
            yield [*pieces[:number], bytes(flipped), *pieces[number + 1 :]]


@pytest.mark.parametrize("name", [p.manifest.name for p in parsers()])
def test_every_parser_has_a_case(name: str) -> None:
    assert sorted((CASES / name).glob("*.json")), f"tests/sensors/logs/cases/{name}/ has no case"


def test_every_case_belongs_to_a_parser() -> None:
    assert {path.parent.name for path in case_files()} <= {p.manifest.name for p in parsers()}


@pytest.mark.parametrize("path", case_files(), ids=lambda p: f"{p.parent.name}/{p.stem}")
class TestCase:
    """What every parser owes for every case."""

    def test_gives_exactly_its_flows_and_facts(self, path: Path) -> None:
        case = case_of(path)
        parser = made(path)
        batches = run(parser, input_of(path))
        check_form(parser, batches)
        flows, facts = stated(batches)
        assert flows == case.get("flows", [])
        expected = [tuple(fact) for fact in case.get("facts", [])]
        assert facts == sorted(expected, key=repr)
        count, records = parser.tally.count, case["records"]
        told = {"read": count.read, "parsed": count.parsed, "rejected": count.rejected}
        extra = {"repeated": parser.tally.repeated, "missing": parser.tally.missing}
        assert told | {k: v for k, v in extra.items() if v} == records, parser.tally
        for text in case.get("absent", ()):
            assert not [f for f in facts if text.casefold() in str(f[1]).casefold()], f"{text} leaks"

    @pytest.mark.parametrize("size", [1, 7, 100, 4096])
    def test_in_pieces_of_any_size_gives_the_same(self, path: Path, size: int) -> None:
        if parser_named(path.parent.name).manifest.framing is not Framing.LINES:
            return
        whole, pieces = made(path), made(path)
        assert stated(run(whole, input_of(path))) == stated(run(pieces, input_of(path), size))
        assert whole.tally == pieces.tally

    def test_nothing_is_told_twice(self, path: Path) -> None:
        parser = made(path)
        run(parser, input_of(path))
        again = parser.take(final=True)
        assert again.empty()

    def test_cut_and_flipped_copies_give_facts_or_rejected_records(self, path: Path) -> None:
        case = case_of(path)
        chance = random.Random(f"{path.parent.name}/{path.name}")
        for pieces in changed(input_of(path), chance):
            parser = made(path)
            parser.recognises(pieces[0][:HEAD])
            batches = run(parser, pieces)
            check_form(parser, batches)
            for text in case.get("absent", ()):
                values = [str(f[1]) for f in stated(batches)[1]]
                assert not [v for v in values if text.casefold() in v.casefold()], f"{text} leaks"

    def test_is_recognised_by_content(self, path: Path) -> None:
        if parser_named(path.parent.name).manifest.framing is Framing.DATAGRAMS:
            return
        found = recognise(input_of(path)[0][:HEAD])
        assert found is not None
        assert found.manifest.name == path.parent.name


GARBAGE = (
    b"",
    b"\0" * 4096,
    bytes(range(256)) * 64,
    b"\xff\xfe\xfd" * 1000 + b"\n",
    b"[" * 100_000 + b"\n",
    b"{" * 100_000 + b"\n",
    b'{"a":' * 50_000 + b"\n",
    b"#fields\n#types\n",
    b"x" * 4096 + b"\n",
    b"\n" * 4096,
    "\u202e\u0000‮".encode() + b"\r\n",
)


@pytest.mark.parametrize("name", [p.manifest.name for p in parsers()])
@pytest.mark.parametrize("number", range(len(GARBAGE)))
def test_garbage_is_counted_and_tells_nothing(name: str, number: int) -> None:
    form = parser_named(name)
    parser = form("garbage", LogSetting(TOKEN_KEY, now_ns=NOW_NS))
    batches = run(parser, [GARBAGE[number]])
    check_form(parser, batches)
    assert all(batch.empty() for batch in batches)


@pytest.mark.parametrize("number", range(len(GARBAGE)))
def test_garbage_is_nobodys(number: int) -> None:
    assert recognise(GARBAGE[number]) is None


@pytest.mark.parametrize("name", [p.manifest.name for p in parsers()])
def test_noise_in_bulk(name: str) -> None:
    chance = random.Random(name)
    for _ in range(60):
        parser = parser_named(name)("noise", LogSetting(TOKEN_KEY, now_ns=NOW_NS))
        check_form(parser, run(parser, [chance.randbytes(chance.randrange(1, 400)) for _ in range(3)]))


@pytest.mark.parametrize("path", case_files(), ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_a_line_of_ten_megabytes_costs_only_itself(path: Path) -> None:
    if parser_named(path.parent.name).manifest.framing is not Framing.LINES:
        return
    stream = input_of(path)[0]
    parser = made(path)
    framer = LineFramer()
    for piece in (stream, b"{" + b"x" * 10_000_000, b"\n"):
        for block in framer.push(piece):
            parser.feed(block.lines, block.offset)
        assert framer.unfinished < 10_000_100
    plain = made(path)
    assert stated([parser.take(final=True)]) == stated(run(plain, input_of(path)))
    assert framer.overlong == [len(stream)]
