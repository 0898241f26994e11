from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.model.recall import RecallClass
from medwarden.risk.recalls.workflow import (
    DAY_NS,
    FOLLOWING,
    SETTLED,
    WORDS,
    DueDays,
    Step,
    due_of,
    may_follow,
)


def test_every_step_has_words_and_a_way_to_closing() -> None:
    assert set(WORDS) == set(FOLLOWING) == set(Step)
    for step in Step:
        reached, waiting = set[Step](), [step]
        while waiting:
            here = waiting.pop()
            if here not in reached:
                reached.add(here)
                waiting += FOLLOWING[here]
        assert Step.CLOSED in reached, step


def test_nothing_is_closed_that_was_not_verified_or_called_not_concerned() -> None:
    before_closing = {step for step in Step if may_follow(step, Step.CLOSED)}
    assert before_closing == {Step.VERIFIED, Step.NOT_CONCERNED}
    assert not may_follow(Step.FOUND, Step.VERIFIED)
    assert may_follow(Step.CLOSED, Step.FOUND)
    assert Step.OUT_OF_USE not in SETTLED, "locked away is not corrected"


@given(st.sampled_from(list(RecallClass)), st.integers(0, 2**61))
def test_graver_notices_are_due_sooner(recall_class: RecallClass, opened_ns: int) -> None:
    days = DueDays()
    assert due_of(opened_ns, recall_class, days) - opened_ns == days.of(recall_class) * DAY_NS
    assert days.I < days.II < days.III


@pytest.mark.parametrize("recall_class", list(RecallClass))
def test_a_hospital_sets_its_own_days(recall_class: RecallClass) -> None:
    own = DueDays(1, 2, 3, 4)
    assert own.of(recall_class) == 1 + list(RecallClass).index(recall_class)
