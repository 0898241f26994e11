from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.knowledge.category_words import categories_of_product_code, category_of_words
from medwarden.knowledge.taxonomy import categories


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("Pumps, Infusion", "infusion_pump"),
        ("PUMP, INFUSION, SYRINGE", "syringe_pump"),
        ("Monitors, Physiologic, Bedside", "patient_monitor"),
        ("Infusionspumpe", "infusion_pump"),
        ("Ultraschallgerät", "ultrasound"),
        ("Échographe", "ultrasound"),
        ("Laptop computer", "laptop"),
        ("C-Arm", "c_arm"),
        ("ct_scanner 64 slices", "ct"),
        ("patient_monitor", "patient_monitor"),
        ("Something else", None),
        ("printer switch", None),
        ("", None),
    ],
)
def test_words_of_lists_mean_categories(text: str, category: str | None) -> None:
    assert category_of_words(text) == category


def test_every_category_is_known_by_its_own_name_and_id() -> None:
    for category in categories().values():
        if category.id.startswith("unknown"):
            continue
        assert category_of_words(category.id) in (category.id, None)
        assert category_of_words(category.name) in (category.id, None)


def test_a_product_code_names_the_categories_it_may_belong_to() -> None:
    assert categories_of_product_code("jak") == {"ct"}
    assert categories_of_product_code("IYN") == {"ultrasound", "ultrasound_handheld"}
    assert categories_of_product_code("ZZZ") == frozenset()


@given(st.text(max_size=60))
def test_any_text_means_one_category_or_none(text: str) -> None:
    meant = category_of_words(text)
    assert meant is None or meant in categories()
