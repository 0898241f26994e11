"""Hostile bytes at every application dissector: facts or MalformedInput, bounded memory, nothing else."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medwarden.dissect.connection import Connection
from medwarden.dissect.registry import dissectors
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

CASES = Path(__file__).parent / "cases"
MEMBERS = [m for m in dissectors() if issubclass(m, Connection) and not m.manifest.medical]
STREAMS = [member for member in MEMBERS if Transport.TCP in member.manifest.transports]
DATAGRAMS = [member for member in MEMBERS if Transport.UDP in member.manifest.transports]


def payload_of(segment: dict[str, Any]) -> bytes:
    if "hex" in segment:
        parts = segment["hex"]
        return bytes.fromhex(parts if isinstance(parts, str) else " ".join(parts))
    parts = segment["text"]
    return (parts if isinstance(parts, str) else "".join(parts)).encode("latin-1")


@cache
def seeds(name: str) -> list[tuple[bool, bytes]]:
    """Return side and payload of every segment of the cases of one dissector."""
    found = [
        (bool(segment.get("from_client", True)), payload_of(segment))
        for path in sorted((CASES / name).glob("*.json"))
        for segment in json.loads(path.read_text())["segments"]
    ]
    assert found, f"no case for {name}"
    return found


def facts(dissector: Connection, transport: Transport, pieces: list[tuple[bool, bytes]]) -> None:
    at = {True: 0, False: 0}
    for from_client, payload in pieces:
        segment = Segment(
            0, 1, transport, None, None, "c" if from_client else "s", "x", 40000, 1, None, from_client,
            payload, at[from_client],
        )  # fmt: skip
        at[from_client] += len(payload)
        try:
            for fact in dissector.feed(segment):
                assert fact.field in dissector.manifest.fields
                assert fact.value
                assert fact.value.isprintable()
        except MalformedInput:
            return


@pytest.mark.parametrize("member", STREAMS, ids=lambda m: m.manifest.name)
@settings(max_examples=50)
@given(data=st.data())
def test_streams(member: type[Connection], data: st.DataObject) -> None:
    pieces = []
    for from_client, payload in data.draw(st.permutations(seeds(member.manifest.name))):
        damaged = bytearray(payload)
        for at in data.draw(st.lists(st.integers(0, max(len(payload) - 1, 0)), max_size=4)):
            noise = data.draw(st.binary(min_size=0, max_size=6))
            damaged[at : at + data.draw(st.integers(0, 6))] = noise
        pieces.append((from_client, bytes(damaged)))
    facts(member(), Transport.TCP, pieces)


@pytest.mark.parametrize("member", STREAMS, ids=lambda m: m.manifest.name)
@settings(max_examples=50)
@given(pieces=st.lists(st.tuples(st.booleans(), st.binary(max_size=64)), max_size=6))
def test_noise_in_streams(member: type[Connection], pieces: list[tuple[bool, bytes]]) -> None:
    facts(member(), Transport.TCP, pieces)


@pytest.mark.parametrize("member", DATAGRAMS, ids=lambda m: m.manifest.name)
@given(payload=st.binary(max_size=200), from_client=st.booleans())
def test_noise_in_datagrams(member: type[Connection], payload: bytes, from_client: bool) -> None:
    facts(member(), Transport.UDP, [(from_client, payload)])


@pytest.mark.parametrize("member", MEMBERS, ids=lambda m: m.manifest.name)
@given(payload=st.binary(max_size=40), from_client=st.booleans())
def test_recognition_never_fails(member: type[Connection], payload: bytes, from_client: bool) -> None:
    assert member.recognises(payload, from_client) in (True, False)


@pytest.mark.parametrize("member", STREAMS, ids=lambda m: m.manifest.name)
@pytest.mark.parametrize(
    "filler", [b"\0", b"a", b"\xff", b"a: b\r\n", b"\x16\x03\x01\x40\x00", b"\x30\x84\0\0\xff\xff"]
)
def test_memory_is_bounded_however_much_comes(member: type[Connection], filler: bytes) -> None:
    """Feed 384 KiB after each case's first payload: what waits stays within the limits of the protocol."""
    for from_client, payload in seeds(member.manifest.name)[:2]:
        dissector = member()
        try:
            list(
                dissector.feed(
                    Segment(0, 1, Transport.TCP, None, None, "c", "s", 1, 2, None, from_client, payload[:-1])
                )
            )
            for _ in range(24):
                block = (filler * (16384 // len(filler) + 1))[:16384]
                list(
                    dissector.feed(
                        Segment(0, 1, Transport.TCP, None, None, "c", "s", 1, 2, None, from_client, block)
                    )
                )
        except MalformedInput:
            continue
        assert len(dissector.client.data) + len(dissector.server.data) <= 3 * 65536
