"""Escaping: no text from outside becomes markup."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.assessment.markup import element, join, text


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words += data


def _read(markup: str) -> _Reader:
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    return reader


@given(st.text(), st.text())
def test_any_text_stays_text(words: str, title: str) -> None:
    reader = _read(element("p", words, title=title))
    assert reader.tags == ["p"]
    assert [name for name, _ in reader.attributes] == ["title"]
    printable = "".join(c if c.isprintable() or c == "\u00a0" else " " for c in words)
    assert reader.words == printable


def test_controls_and_direction_marks_cannot_disguise_a_name() -> None:
    assert text("pump\u202egnp.exe\x00\x1b[2J") == "pump gnp.exe  [2J"


def test_children_nest_and_numbers_are_grouped() -> None:
    made = element(
        "div", "a<b", None, 1234, [element("b", "x"), "&"], class_="k", hidden=True, id=None, cx=1.5
    )
    assert made == '<div class="k" hidden cx="1.5">a&lt;b1,234<b>x</b>&amp;</div>'
    assert element("br") == "<br>"


def test_other_objects_are_refused() -> None:
    with pytest.raises(TypeError, match="float"):
        join(1.5)
    with pytest.raises(TypeError, match="bool"):
        join(True)
