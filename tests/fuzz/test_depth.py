"""How deep inputs get, and mutations that leave whole what they do not mean to damage."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from fuzz.depth import lines_of, measure, ranges, row
from fuzz.engine import chosen_of

from fuzz import engine, fuzz_dissector, fuzz_log, quic_seeds
from medwarden.dissect import quic
from medwarden.kernel.errors import MalformedInput

PAYLOADS = [(1, b"first" * 20), (0, b"second" * 20), (1, b"third" * 20)]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "FOUND", tmp_path / "found")


@pytest.mark.parametrize(("mutate", "shallow"), [(lambda *_: b"", 1.0), (lambda data, *_: data, 0.0)])
def test_inputs_that_end_at_the_first_check_are_shallow(mutate: engine.Mutation, shallow: float) -> None:
    every = fuzz_dissector.targets()["llmnr"]
    depth = measure(replace(every, mutate=mutate), 20, 1)
    assert depth.shallow == shallow
    assert depth.by_seeds <= depth.by_all
    assert row(every, depth).startswith("llmnr ")
    assert sum(map(len, (depth.by_all & depth.every, depth.missed))) == len(depth.every)
    assert not depth.missed or all(".py:" in where for where in ranges(depth.missed))


def test_lines_of_a_file_are_those_of_its_functions(tmp_path: Path) -> None:
    file = tmp_path / "one.py"
    file.write_text("A = 1\n\n\nclass B:\n    C = 2\n\n    def d(self):\n        return 3\n")
    assert [line for _, line in lines_of(file)] == [8]


def test_a_seed_is_chosen_now_and_then_however_many_others_there_are() -> None:
    chance = random.Random(1)
    chosen = [chosen_of([b"seed"], [b"kept"] * 5000, chance) for _ in range(300)]
    assert 60 < chosen.count(b"seed") < 160


def test_most_changed_conversations_have_all_other_messages_whole() -> None:
    chance = random.Random(1)
    data = fuzz_dissector.pack(PAYLOADS)
    whole = 0
    for _ in range(300):
        changed = fuzz_dissector.unpack(fuzz_dissector.mutate_conversation("tls", data, [data], chance))
        whole += sum(message in changed for message in PAYLOADS) >= 2
    assert whole > 180


def test_a_message_says_how_long_it_is() -> None:
    assert fuzz_dissector.mended("radius", b"\1\2\0\0" + bytes(20)) == b"\1\2\0\x18" + bytes(20)
    assert fuzz_dissector.mended("radius", b"\1") == b"\1"
    assert fuzz_dissector.mended("dns", b"\1\2\0\0") == b"\1\2\0\0"


def test_changed_datagrams_are_datagrams() -> None:
    chance = random.Random(1)
    parts = [b"a" * 50, b"b" * 60, b"c" * 70]
    data = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    whole = 0
    for _ in range(300):
        changed = fuzz_log.datagrams(fuzz_log.mutate_datagrams("log-netflow9", data, [data], chance))
        whole += sum(part in changed for part in parts) >= 2
    assert whole > 180


def test_damaged_hellos_come_under_keys_that_fit() -> None:
    chance = random.Random(1)
    reached = set()
    for _ in range(60):
        dissector = quic.QuicDissector()
        data = quic_seeds.mutate(b"", [b""], chance)
        try:
            for segment in fuzz_dissector.segments(
                quic.QuicDissector, fuzz_dissector.unpack(data), 1 << 20, chance
            ):
                reached |= {fact.field for fact in dissector.feed(segment)}
        except MalformedInput as error:
            reached.add(error.reason)
    assert {"quic.ja4", "quic.sni"} <= reached
