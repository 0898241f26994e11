"""Records are taken out of JSON of any size, with their place; what is cut or broken is said."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.feeds import json_stream
from medwarden.feeds.json_stream import Records
from medwarden.kernel.errors import MalformedInput

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(), VALUES, max_size=4)


@given(st.lists(OBJECTS, max_size=6), OBJECTS, st.integers(1, 40), st.booleans())
def test_records_come_out_as_they_went_in(
    objects: list[dict[str, object]], around: dict[str, object], piece: int, pretty: bool
) -> None:
    document = {"before": around, "list": objects, "after": around, "n": 3}
    data = json.dumps(document, indent=2 if pretty else None).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_PIECE", piece)
        records = Records(io.BytesIO(data), "x.json", "list")
        found = list(records)
    assert [json.loads(f.data) for f in found] == objects
    assert all(data[f.offset : f.offset + len(f.data)] == f.data for f in found)
    assert json.loads(records.header) == {**document, "list": []}


@given(st.dictionaries(st.text(), OBJECTS, min_size=1, max_size=5))
def test_members_of_the_outermost_object_are_records_without_a_key(
    objects: dict[str, dict[str, object]],
) -> None:
    found = Records(io.BytesIO(json.dumps(objects).encode()), "x.json", None)
    assert [json.loads(f.data) for f in found] == list(objects.values())


def test_a_list_outermost_is_read_whatever_the_key() -> None:
    assert [f.data for f in Records(io.BytesIO(b'[{"a":1}, [2]]'), "x", "list")] == [b'{"a":1}', b"[2]"]


def test_what_is_no_record_in_the_list_is_not_lost() -> None:
    found = [f.data for f in Records(io.BytesIO(b'{"list":[{"a":1}, null, 7, {"b":2}, "x"]}'), "x", "list")]
    assert found == [b'{"a":1}', b"null, 7", b'{"b":2}', b'"x"']


@given(st.lists(OBJECTS, min_size=1, max_size=4), st.data())
def test_a_file_that_is_cut_is_refused_wherever_it_ends(
    objects: list[dict[str, object]], data: st.DataObject
) -> None:
    whole = json.dumps({"list": objects}).encode()
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(MalformedInput, match=r"ends in its middle|holds no list"):
        list(Records(io.BytesIO(cut), "cut.json", "list"))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"list": [1}', "closes nothing"),
        (b'{"list": []}{"list": []}', "more than one document"),
        (b"[" * 600, "nested too deeply"),
        (b'{"other": 1}', "holds no list"),
        (b"", "holds no list"),
    ],
)
def test_what_is_broken_is_said(data: bytes, words: str) -> None:
    with pytest.raises(MalformedInput, match=words):
        list(Records(io.BytesIO(data), "x.json", "list"))


def test_a_record_that_never_ends_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "MOST_DOCUMENT", 1 << 20)
    endless = io.BytesIO(b'{"list":[{"a":[' + b"[]," * (1 << 20))
    with pytest.raises(MalformedInput, match="a record of more than 1 MiB"):
        list(Records(endless, "x.json", "list"))


def test_a_text_that_never_ends_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "_MOST_TEXT", 1 << 20)
    with pytest.raises(MalformedInput, match="a text without end"):
        list(Records(io.BytesIO(b'{"list":[{"a":"' + b"x" * (4 << 20)), "x.json", "list"))
