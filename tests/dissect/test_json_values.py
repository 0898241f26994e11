"""JSON of strangers: the same values as the standard library finds, cut off anywhere, never unbounded."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.json_values import MAX_DEPTH, MAX_VALUES, Path, json_values
from medwarden.kernel.errors import MalformedInput

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)


def flattened(value: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flattened(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from flattened(inner, (*path, number))
    elif value is not None:
        yield path, value if isinstance(value, str) else json.dumps(value)


@given(DOCUMENTS, st.booleans())
def test_values_are_those_of_the_standard_library(document: object, plain: bool) -> None:
    text = json.dumps(document, ensure_ascii=plain, indent=1 if plain else None)
    assert list(json_values(text.encode(), "x")) == list(flattened(document))


@given(DOCUMENTS, st.data())
def test_cut_document_gives_the_values_before_the_cut(document: object, data: st.DataObject) -> None:
    whole = json.dumps(document)
    cut = data.draw(st.integers(0, len(whole)))
    values = list(json_values(whole[:cut].encode(), "x", complete=cut == len(whole) and cut > 0))
    assert values == list(flattened(document))[: len(values)]


@given(st.binary(max_size=80), st.booleans())
def test_any_bytes_give_values_or_one_error(document: bytes, complete: bool) -> None:
    try:
        values = list(json_values(document, "x", complete))
    except MalformedInput:
        return
    assert len(values) <= len(document)


@pytest.mark.parametrize(
    "document",
    [
        "",
        "{",
        '{"a" 1}',
        "[1 2]",
        "[1,]x",
        '{"a":1}}',
        "{1:2}",
        '["a":1]',
        "nul",
        "01a",
        '"\n"',
        "[,1]",
        "{,}",
    ],
)
def test_what_is_no_json_is_refused(document: str) -> None:
    with pytest.raises(MalformedInput):
        list(json_values(document.encode(), "x"))


def test_depth_is_bounded() -> None:
    with pytest.raises(MalformedInput, match="deeper"):
        list(json_values(b"[" * (MAX_DEPTH + 1), "x", complete=False))
    assert list(json_values(b"[" * MAX_DEPTH + b"1", "x", complete=False)) == []


def test_number_of_values_is_bounded() -> None:
    document = b"[" + b"true," * (MAX_VALUES + 100)
    assert len(list(json_values(document, "x", complete=False))) == MAX_VALUES


def test_mark_of_byte_order_and_half_a_surrogate_are_borne() -> None:
    assert list(json_values(b'\xef\xbb\xbf["\\ud800x"]', "x")) == [((0,), "?x")]
