"""Play conversations to a dissector: whole and byte by byte, which must tell the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Dissector, Segment, Transport

CLIENT = "client"
SERVER = "server"

Told = set[tuple[str, str, str]]
Converse = Callable[..., Told]


def _segment(payload: bytes, from_client: bool, transport: Transport, offset: int) -> Segment:
    ends = [("02:00:00:00:00:10", "192.0.2.10", 49152), ("02:00:00:00:00:20", "192.0.2.20", 4000)]
    (src_mac, src_ip, src_port), (dst_mac, dst_ip, dst_port) = ends if from_client else ends[::-1]
    return Segment(
        1_700_000_000_000_000_000, 7, transport, src_mac, dst_mac, src_ip, dst_ip, src_port, dst_port, None,
        from_client, payload, offset,
    )  # fmt: skip


def _play(dissector: Dissector, steps: tuple[tuple[str, bytes], ...], size: int) -> tuple[Told, str]:
    told: Told = set()
    offsets = {CLIENT: 0, SERVER: 0}
    try:
        for side, data in steps:
            for start in range(0, len(data), size):
                piece = data[start : start + size]
                segment = _segment(piece, side == CLIENT, Transport.TCP, offsets[side])
                offsets[side] += len(piece)
                for fact in dissector.feed(segment):
                    speaker = CLIENT if fact.ip == "192.0.2.10" else SERVER
                    assert (fact.field, fact.value, speaker) not in told, f"{fact.field} was told twice"
                    told.add((fact.field, fact.value, speaker))
    except MalformedInput as error:
        return told, error.reason
    return told, ""


@pytest.fixture
def converse() -> Converse:
    """Return ``converse(Class, (side, bytes), ...)``: facts as (field, value, side), each told once.

    The conversation is played whole and byte by byte; both must agree, also on whether it breaks. A break
    raises MalformedInput with the facts told before in ``told``.
    """

    def play(dissector: type[Dissector], *steps: tuple[str, bytes]) -> Told:
        whole, fault = _play(dissector(), steps, 1 << 20)
        for size in (1, 7):
            cut, cut_fault = _play(dissector(), steps, size)
            assert cut == whole, f"in pieces of {size}"
            assert bool(cut_fault) == bool(fault), f"in pieces of {size}: {cut_fault or 'no fault'}"
        if fault:
            error = MalformedInput(dissector.manifest.name, fault)
            error.add_note(repr(sorted(whole)))
            raise error
        return whole

    return play


@pytest.fixture
def datagram() -> Converse:
    """Return ``datagram(Class, side, bytes)``: the facts of one datagram as (field, value, side)."""

    def play(dissector: type[Dissector], side: str, payload: bytes) -> Told:
        segment = _segment(payload, side == CLIENT, Transport.UDP, 0)
        return {
            (fact.field, fact.value, CLIENT if fact.ip == "192.0.2.10" else SERVER)
            for fact in dissector().feed(segment)
        }

    return play
