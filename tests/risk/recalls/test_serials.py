from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.risk.recalls.serials import CodeList, Run, key, place, read_list, within


@pytest.mark.parametrize(
    ("text", "singles", "runs"),
    [
        ("13F18C0374, 13F18H0580,  13F18E0380", 3, ()),
        ("214117, 216117, and 228117", 3, ()),
        ("1 to 1600, 2500", 1, ("1 to 1600",)),
        ("A1000-2000", 1, ("A1000 to A2000",)),
        ("up to 2345", 0, ("up to 2345",)),
        ("15001500 - 15002000; 16001500 - 16002000", 0, ("15001500 to 15002000", "16001500 to 16002000")),
        ("beginning with AB", 0, ("beginning with AB",)),
        ("2012-0345", 1, ()),
    ],
)
def test_lists_and_ranges(text: str, singles: int, runs: tuple[str, ...]) -> None:
    listed = read_list(text)
    assert len(listed.singles) == singles
    assert tuple(run.words for run in listed.runs) == runs
    assert not listed.unread


def test_what_is_not_understood_is_kept() -> None:
    assert read_list("see attached list").unread == ("see attached list",)
    assert place("77", read_list("12, see attached list")).inside is None
    assert place("12", read_list("12, see attached list")).inside is True


def test_ranges_of_codes_that_are_built_alike() -> None:
    run = Run("AA1000", "AB2000")
    assert within("AA5000", run) is True
    assert within("AC1000", run) is False
    assert within("X1", run) is False


@given(st.text("ABC0123456789-./ ", min_size=1, max_size=20))
def test_a_code_is_itself_however_it_is_spaced(code: str) -> None:
    assert key(key(code)) == key(code)
    assert key(f" {code.lower()} ") == key(code)


@given(st.text(max_size=120), st.text("AB019", min_size=1, max_size=6))
def test_any_text_is_read_and_asked(text: str, code: str) -> None:
    listed = read_list(text)
    assert place(code, listed).inside in (True, False, None)
    assert listed.joined(CodeList()) == listed
