from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.knowledge.mds2_forms import encrypted_package, xls

from medwarden.sensors.compound_file import CompoundError, CompoundFile, has_password, reach

BOOK = xls([["a", "b", "c"], ["d"]])


def test_streams_are_found_by_name() -> None:
    file = CompoundFile(BOOK)
    book = file.stream("Workbook")
    assert book is not None and not has_password(book)
    assert reach(book) == 6
    assert file.stream("Book") is None
    assert {entry.name for entry in CompoundFile(encrypted_package()).entries} >= {"EncryptedPackage"}


def test_a_password_is_seen() -> None:
    book = CompoundFile(xls([["a"]], locked=True)).stream("Workbook")
    assert book is not None and has_password(book)


@pytest.mark.parametrize(
    "document", [b"", b"PK", BOOK[:300], BOOK[:512], BOOK[:30] + b"\xff\xff" + BOOK[32:]]
)
def test_what_is_none_is_refused(document: bytes) -> None:
    with pytest.raises(CompoundError):
        CompoundFile(document)


@given(st.data())
def test_any_damage_ends(data: st.DataObject) -> None:
    damaged = bytearray(BOOK)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        book = CompoundFile(bytes(damaged)).stream("Workbook")
    except CompoundError:
        return
    assert book is None or (reach(book) >= 0 and has_password(book) in (True, False))
