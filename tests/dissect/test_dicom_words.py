"""Descriptions pass as a whole or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.dicom_words import MAX_WORDS, body_part, procedure_words


@pytest.mark.parametrize(
    "text",
    [
        "CT Thorax W/O Contrast",
        "MR KNIE LINKS",
        "T2 TSE sag 3mm",
        "Schädel nativ",
        "CHEST PA & LAT",
        "Thorax^1 axial",
        "ANGIO CAROTID",
    ],
)
def test_words_of_procedures_are_told(text: str) -> None:
    assert procedure_words(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Doe",
        "CT Doe",
        "CT Thorax 19610203",
        "CT 4711",
        "1 2 3",
        "d o e j CT",
        "CT 1 9 6 1",
        "Thorax " * (MAX_WORDS + 1),
        "Smith Chest",
        "CT\u00a0\u0394",
        "王 CT 頭部 Wang",
    ],
)
def test_anything_else_is_not(text: str) -> None:
    assert procedure_words(text) == ""


@given(st.text(alphabet=st.characters(categories=["Lu", "Ll"]), min_size=7, max_size=12))
def test_no_strange_word_passes_among_known_ones(word: str) -> None:
    told = procedure_words(f"CT {word} axial")
    assert told == "" or procedure_words(word) == word


@pytest.mark.parametrize(
    ("value", "told"), [("CHEST", "CHEST"), ("KNEE", "KNEE"), ("DOE", ""), ("", ""), ("CT", "")]
)
def test_body_parts_are_defined_terms(value: str, told: str) -> None:
    assert body_part(value) == told
