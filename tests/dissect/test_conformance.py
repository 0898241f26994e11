"""Every registered dissector against every case of its folder: whole, cut, flipped, byte by byte.

The format of a case stands in ``cases/README.md``.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from medwarden.dissect.observer import Observer
from medwarden.dissect.phi import Tokeniser
from medwarden.dissect.registry import dissectors
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import MAX_VALUE, Evidence
from medwarden.model.segment import Dissector, Segment, Transport

CASES = Path(__file__).parent / "cases"
TOKEN_KEY = b"only for the conformance suite.."
FLIPS_PER_CASE = 60
CLIENT = ("02:00:00:00:00:10", "192.0.2.10")
SERVER = ("02:00:00:00:00:20", "192.0.2.20")

Fact = tuple[str, str, str]


def _payload(entry: dict[str, Any]) -> bytes:
    if "hex" in entry:
        parts = entry["hex"]
        return bytes.fromhex("".join([parts] if isinstance(parts, str) else parts))
    parts = entry["text"]
    return "".join([parts] if isinstance(parts, str) else parts).encode("latin-1")


def _segments(case: dict[str, Any]) -> list[Segment]:
    """Turn the segments of a case into those that the flow core would hand over."""
    segments: list[Segment] = []
    offsets = {True: 0, False: 0}
    for number, entry in enumerate(case["segments"]):
        transport = Transport(entry.get("transport", "tcp"))
        from_client = entry.get("from_client", True)
        ethernet = transport is Transport.ETHERNET
        client = (entry.get("client_mac", CLIENT[0]), entry.get("client_ip", None if ethernet else CLIENT[1]))
        server = (entry.get("server_mac", SERVER[0]), entry.get("server_ip", None if ethernet else SERVER[1]))
        ports = (entry.get("src_port", 0 if ethernet else 49152), entry.get("dst_port", 0))
        payload = _payload(entry)
        (src, dst), (src_port, dst_port) = (client, server), ports
        if not from_client:
            (src, dst), (src_port, dst_port) = (server, client), (ports[1], ports[0])
        stream_offset = offsets[from_client] if transport is Transport.TCP else 0
        offsets[from_client] += len(payload)
        segments.append(
            Segment(
                1_700_000_000_000_000_000 + number * 1_000_000,
                7,
                transport,
                src[0],
                dst[0],
                src[1],
                dst[1],
                src_port,
                dst_port,
                entry.get("vlan"),
                from_client,
                payload,
                stream_offset,
                entry.get("gap", False),
                entry.get("ethertype", 0),
            )
        )
    return segments


@cache
def _load(path: Path) -> tuple[dict[str, Any], tuple[Segment, ...]]:
    case = json.loads(path.read_text())
    assert case["note"] and case["origin"], "a case says what it shows and where it is from"
    return case, tuple(_segments(case))


def _case_files() -> list[Path]:
    return sorted(CASES.glob("*/*.json"))


def _class_of(name: str) -> type[Dissector]:
    return next(d for d in dissectors() if d.manifest.name == name)


def _made(member: type[Dissector]) -> Dissector:
    dissector = member()
    if hasattr(dissector, "tokeniser"):
        dissector.tokeniser = Tokeniser(TOKEN_KEY)
    return dissector


def _run(member: type[Dissector], segments: Sequence[Segment]) -> tuple[list[Evidence], bool]:
    """Feed as the observer does; return the facts and whether MalformedInput ended it."""
    dissector = _made(member)
    facts: list[Evidence] = []
    for segment in segments:
        try:
            facts.extend(dissector.feed(segment))
        except MalformedInput as error:
            assert str(error), "an error says what was wrong"
            return facts, True
        if getattr(dissector, "done", False):
            break
    return facts, False


def _stated(facts: Sequence[Evidence], segments: Sequence[Segment]) -> set[Fact]:
    """Return facts as a case writes them: by client, server or the literal address."""
    names: dict[str | None, str] = {}
    for segment in segments:
        ends = ((segment.src_mac, segment.src_ip), (segment.dst_mac, segment.dst_ip))
        for (mac, ip), end in zip(ends, (segment.from_client, not segment.from_client), strict=True):
            names[ip or mac] = "client" if end else "server"
    stated = set()
    for fact in facts:
        address = fact.ip or fact.mac
        assert address is not None, f"{fact.field} is nobody's fact"
        stated.add((fact.field, fact.value, names.get(address, address)))
    return stated


def _check_form(member: type[Dissector], facts: Sequence[Evidence]) -> None:
    for fact in facts:
        assert fact.field in member.manifest.fields, f"{fact.field} is not in the manifest"
        assert 0 < len(fact.value) <= MAX_VALUE, f"{fact.field} is empty or too long"
        assert fact.value.isprintable(), f"{fact.field} has control characters: {fact.value!r}"
        assert fact.value == fact.value.strip(), f"{fact.field} has outer blanks"


def _bytewise(segments: Sequence[Segment]) -> Iterator[Segment]:
    for segment in segments:
        for at in range(len(segment.payload)):
            yield _with(
                segment, segment.payload[at : at + 1], segment.stream_offset + at, segment.gap and not at
            )


def _with(
    segment: Segment, payload: bytes, stream_offset: int | None = None, gap: bool | None = None
) -> Segment:
    return Segment(
        segment.ts_ns, segment.flow_id, segment.transport, segment.src_mac, segment.dst_mac, segment.src_ip,
        segment.dst_ip, segment.src_port, segment.dst_port, segment.vlan, segment.from_client, payload,
        segment.stream_offset if stream_offset is None else stream_offset,
        segment.gap if gap is None else gap, segment.ethertype,
    )  # fmt: skip


@pytest.mark.parametrize("name", [d.manifest.name for d in dissectors()])
def test_every_dissector_has_a_case_and_recognises_it_or_is_found_by_its_port(name: str) -> None:
    member = _class_of(name)
    files = sorted((CASES / name).glob("*.json"))
    assert files, f"tests/dissect/cases/{name}/ has no case"
    for path in files:
        _, segments = _load(path)
        first = segments[0]
        recognised = member.recognises(first.payload, first.from_client)
        server_port = first.dst_port if first.from_client else first.src_port
        if (
            recognised
            or server_port in member.manifest.ports
            or first.ethertype in member.manifest.ethertypes
        ):
            return
    pytest.fail(f"no case of {name} would ever reach it")


def test_every_case_belongs_to_a_dissector() -> None:
    names = {d.manifest.name for d in dissectors()}
    assert {path.parent.name for path in _case_files()} <= names


@pytest.mark.parametrize("path", _case_files(), ids=lambda p: f"{p.parent.name}/{p.stem}")
class TestCase:
    """What every dissector owes for every case."""

    def test_gives_exactly_its_facts(self, path: Path) -> None:
        case, segments = _load(path)
        member = _class_of(path.parent.name)
        facts, malformed = _run(member, segments)
        _check_form(member, facts)
        expected = {(field, value, who) for field, value, who in case["facts"]}
        assert _stated(facts, segments) == expected
        assert malformed is case.get("malformed", False)
        for text in case.get("absent", ()):
            assert not [f for f in facts if text.casefold() in f.value.casefold()], f"{text} leaks"

    def test_stream_byte_by_byte_gives_the_same(self, path: Path) -> None:
        _, segments = _load(path)
        if any(segment.transport is not Transport.TCP for segment in segments):
            return
        member = _class_of(path.parent.name)
        whole, broken = _run(member, segments)
        bytewise, bytewise_broken = _run(member, list(_bytewise(segments)))
        assert bytewise_broken is broken
        # Once broken, how much was told before may depend on where the segments were cut.
        if broken:
            assert _stated(whole, segments) <= _stated(bytewise, segments)
        else:
            assert _stated(bytewise, segments) == _stated(whole, segments)

    def test_cut_copies_give_facts_or_one_error(self, path: Path) -> None:
        case, segments = _load(path)
        member = _class_of(path.parent.name)
        for number, segment in enumerate(segments):
            size = len(segment.payload)
            for at in sorted({*range(min(size, 64)), *range(64, size, max(1, size // 64))}):
                cut = [*segments[:number], _with(segment, segment.payload[:at])]
                facts, _ = _run(member, cut)
                _check_form(member, facts)
                self._check_absent(case, facts)

    def test_flipped_copies_give_facts_or_one_error(self, path: Path) -> None:
        _, segments = _load(path)
        member = _class_of(path.parent.name)
        chance = random.Random(str(path.relative_to(CASES)))
        for _ in range(FLIPS_PER_CASE):
            number = chance.randrange(len(segments))
            payload = bytearray(segments[number].payload)
            for _ in range(chance.choice((1, 1, 2, 8))):
                if payload:
                    payload[chance.randrange(len(payload))] ^= 1 << chance.randrange(8)
            flipped = [*segments]
            flipped[number] = _with(segments[number], bytes(payload))
            member.recognises(bytes(payload), flipped[number].from_client)
            facts, _ = _run(member, flipped)
            _check_form(member, facts)

    def test_observer_reaches_it(self, path: Path) -> None:
        case, segments = _load(path)
        observer = Observer(TOKEN_KEY)
        facts = [fact for segment in segments for fact in observer.observe(segment)]
        assert not [name for name in observer.malformed if name.endswith("!defect")]
        expected = {(field, value, who) for field, value, who in case["facts"]}
        assert expected <= _stated(facts, segments), observer.applications()

    @staticmethod
    def _check_absent(case: dict[str, Any], facts: Sequence[Evidence]) -> None:
        for text in case.get("absent", ()):
            assert not [f for f in facts if text.casefold() in f.value.casefold()], f"{text} leaks when cut"


@pytest.mark.parametrize("name", [d.manifest.name for d in dissectors()])
def test_noise_gives_nothing_or_one_error(name: str) -> None:
    member = _class_of(name)
    chance = random.Random(name)
    for _ in range(80):
        payload = chance.randbytes(chance.randrange(1, 300))
        for transport in member.manifest.transports:
            ethertypes = member.manifest.ethertypes or (0,)
            port = (member.manifest.ports or (0,))[0]
            ethertype = ethertypes[0] if transport is Transport.ETHERNET else 0
            (src_mac, src_ip), (dst_mac, dst_ip) = CLIENT, SERVER
            segment = Segment(
                1, 1, transport, src_mac, dst_mac, src_ip, dst_ip, 49152, port, None, True, payload, 0, False,
                ethertype,
            )  # fmt: skip
            assert member.recognises(payload, True) in (True, False)
            assert member.recognises(b"", False) in (True, False)
            facts, _ = _run(member, [segment])
            _check_form(member, facts)


@pytest.mark.parametrize(
    "path",
    [p for p in _case_files() if getattr(_class_of(p.parent.name), "from_payloads", False)],
    ids=lambda p: f"{p.parent.name}-{p.stem}",
)
def test_what_follows_from_payloads_is_said_of_any_addresses_ports_and_times(path: Path) -> None:
    """Hold ``from_payloads`` to its word: it is why equal payloads of others are not read again."""
    member = _class_of(path.parent.name)
    _, segments = _load(path)
    moved = []
    for segment in segments:
        said, heard = ("02:00:00:00:07:10", "198.51.100.3"), ("02:00:00:00:07:20", "198.51.100.4")
        (src, dst) = (said, heard) if segment.from_client else (heard, said)
        ports = (40_001, 4001) if segment.from_client else (4001, 40_001)
        moved.append(
            Segment(
                segment.ts_ns + 86_400 * 10**9, 9, segment.transport, src[0], dst[0], src[1], dst[1], *ports,
                segment.vlan, segment.from_client, segment.payload, segment.stream_offset, segment.gap,
                segment.ethertype,
            )
        )  # fmt: skip

    def told(given: Sequence[Segment]) -> list[tuple[str, str, str, bool | str | None]]:
        facts, broke = _run(member, given)
        sides = {segment.src_ip: segment.from_client for segment in given}
        sides |= {segment.dst_ip: not segment.from_client for segment in given}
        at = [(fact.field, fact.value, fact.source, sides.get(fact.ip, fact.ip)) for fact in facts]
        return [*at, ("", "", "", broke)]

    assert told(moved) == told(segments)
