"""Pairs of keys and values: quotes, escapes, and headers with bars in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.sensors.logs.key_values import cef, leef, pairs


def test_quotes_may_be_escaped_and_values_empty() -> None:
    assert pairs(r'a=1 b="x y" c="say \"hi\" \\ bye" d="" e= f=2') == {
        "a": "1", "b": "x y", "c": r'say "hi" \ bye', "d": "", "e": "", "f": "2",
    }  # fmt: skip


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), st.text(max_size=20)))
def test_what_was_quoted_is_read_back(fields: dict[str, str]) -> None:
    def quoted(value: str) -> str:
        return value.replace("\\", "\\\\").replace('"', '\\"')

    clean = {key: value.replace("\n", " ") for key, value in fields.items()}
    assert pairs(" ".join(f'{key}="{quoted(value)}"' for key, value in clean.items())) == clean


def test_cef_values_have_blanks_and_escaped_signs() -> None:
    event = cef(r"x CEF:0|V\|endor|P|1|100|na\\me|3|src=10.1.1.5 msg=a b\=c d act=x cs1Label=Rule")
    assert event is not None
    assert (event.vendor, event.event_class, event.name) == ("V|endor", "100", "na\\me")
    assert event.fields == {"src": "10.1.1.5", "msg": "a b=c d", "act": "x", "cs1Label": "Rule"}
    assert cef("CEF:0|too|short") is None


@pytest.mark.parametrize(
    "text",
    ["LEEF:1.0|V|P|1|e|a=1\tb=x y", "LEEF:2.0|V|P|1|e|^|a=1^b=x y", "LEEF:2.0|V|P|1|e|0x09|a=1\tb=x y"],
)
def test_leef_names_its_delimiter(text: str) -> None:
    event = leef(text)
    assert event is not None
    assert event.fields == {"a": "1", "b": "x y"}


@given(st.text(max_size=300))
def test_no_text_breaks_them(text: str) -> None:
    for start in ("", "CEF:0|a|b|c|d|e|f|", "LEEF:2.0|a|b|c|d|", "LEEF:1.0|a|b|c|d|"):
        pairs(start + text)
        cef(start + text)
        leef(start + text)
