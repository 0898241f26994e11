from __future__ import annotations

import pytest

from medwarden.dissect.pjl import Pjl, facts_of_answer
from medwarden.model.evidence import Evidence
from medwarden.model.segment import Segment, Transport


def _segment(payload: bytes, from_client: bool = False, gap: bool = False) -> Segment:
    return Segment(
        5,
        1,
        Transport.TCP,
        None,
        None,
        "192.0.2.20",
        "192.0.2.10",
        9100,
        50000,
        None,
        from_client,
        payload,
        0,
        gap,
    )


def test_the_model_with_and_without_quotes() -> None:
    assert facts_of_answer(b'@PJL INFO ID\r\n"LJ 400"\r\n') == [("pjl.info_id", "LJ 400")]
    assert facts_of_answer(b"@pjl info id\nLJ 400\n") == [("pjl.info_id", "LJ 400")]


def test_other_answers_say_nothing() -> None:
    assert facts_of_answer(b"@PJL INFO STATUS\r\nCODE=10001\r\n") == []
    assert facts_of_answer(b"@PJL USTATUS JOB\r\nNAME=report DOE\r\n") == []
    assert facts_of_answer(b"") == []


def test_jobs_are_never_read() -> None:
    dissector = Pjl()
    job = b'\x1b%-12345X@PJL INFO ID\r\n"not a printer"\r\n\x0c'
    assert list(dissector.feed(_segment(job, from_client=True))) == []


def test_an_answer_without_end_or_after_a_gap_is_given_up() -> None:
    answer = b'@PJL INFO ID\r\n"LJ 400"\r\n\x0c'
    for spoiler in (_segment(b"x" * 5000), _segment(b"", gap=True)):
        dissector = Pjl()
        facts: list[Evidence] = [*dissector.feed(spoiler), *dissector.feed(_segment(answer))]
        assert facts == []


@pytest.mark.parametrize("length", [2047, 2048, 2049, 3000])
def test_a_long_answer_tells_the_same_whole_and_cut(length: int) -> None:
    told = b'@PJL INFO ID\r\n"LJ 400"\r\n'
    stream = told.ljust(length) + b"\x0c" + told + b"\x0c"
    whole, cut = Pjl(), Pjl()
    at_once = list(whole.feed(_segment(stream)))
    in_parts = [fact for at in range(len(stream)) for fact in cut.feed(_segment(stream[at : at + 1]))]
    assert in_parts == at_once
    assert len(at_once) == (2 if length <= 2048 else 0)
