"""Telling kinds that were never seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.inventory.labels.open_set import auroc, beyond_usual, usual_openness


def test_what_known_devices_reach_is_no_sign_of_a_new_kind() -> None:
    known = [n / 1000 for n in range(100)]
    usual = usual_openness(known)
    assert beyond_usual(0.05, usual) == 0.0
    assert beyond_usual(0.5, usual) == pytest.approx(0.5 - usual)


def test_a_new_kind_that_looks_like_a_known_one_is_a_coin() -> None:
    known, alike = [0.01, 0.02, 0.03], [0.0, 0.0]
    assert auroc(alike, known) == 0.0
    usual = usual_openness(known)
    assert auroc([beyond_usual(v, usual) for v in alike], [beyond_usual(v, usual) for v in known[:2]]) == 0.5


def test_without_known_devices_there_is_no_usual() -> None:
    with pytest.raises(ValueError, match="known kind"):
        usual_openness([])


@given(st.lists(st.floats(0, 1), min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_the_order_of_new_kinds_stays(known: list[float], one: float, other: float) -> None:
    usual = usual_openness(known)
    low, high = sorted((one, other))
    assert 0.0 <= beyond_usual(low, usual) <= beyond_usual(high, usual) <= 1.0
