from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.kernel.printable import neutral_text
from medwarden.model.vulnerability import ProductStatus
from medwarden.risk.recalls.letter import (
    STATUSES,
    Answered,
    Asked,
    Letter,
    html_of,
    status_of,
    table_of,
    text_of,
    unanswered,
)

LETTER = Letter(
    "L-2026-001", "B. Braun", "Infusomat Space", "2.0",
    (Asked("CVE-2021-33886", "A bad string", 9.8, True), Asked("CVE-2021-33885")), 14, "2026-12-31",
)  # fmt: skip


def test_a_letter_asks_in_plain_words_and_names_no_device() -> None:
    text = text_of(LETTER)
    assert text.startswith("Subject: Status of vulnerabilities on B. Braun Infusomat Space with firmware 2.0")
    assert "14 devices" in text
    assert "- CVE-2021-33886, CVSS 9.8, used in attacks: A bad string" in text
    assert "- CVE-2021-33885\n" in text
    assert "2026-12-31" in text
    assert "one device" in text_of(Letter("L", "M", "", "", (), 1, "2026-12-31"))


def test_the_page_is_safe_and_the_table_can_be_filled_in() -> None:
    page = html_of(text_of(Letter("L", "<script>", "", "", (), 1, "x")), "<b>")
    assert "<script>" not in page
    assert "<title>&lt;b&gt;</title>" in page
    rows = list(csv.DictReader(io.StringIO(table_of(LETTER))))
    assert [row["vulnerability"] for row in rows] == ["CVE-2021-33886", "CVE-2021-33885"]
    assert rows[0]["status"] == ""


@given(st.text(max_size=30))
def test_no_cell_is_a_formula(cell: str) -> None:
    assert not neutral_text(cell).startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Not affected", ProductStatus.NOT_AFFECTED),
        ("not_affected", ProductStatus.NOT_AFFECTED),
        ("known_not_affected", ProductStatus.NOT_AFFECTED),
        ("affected", ProductStatus.AFFECTED),
        ("fixed", ProductStatus.FIXED),
        ("under_investigation", ProductStatus.UNDER_INVESTIGATION),
        ("perhaps", None),
    ],
)
def test_words_of_people_csaf_and_openvex(word: str, status: ProductStatus | None) -> None:
    assert status_of(word) is status
    assert {status_of(words) for words in STATUSES.values()} == set(STATUSES)


def test_what_is_looked_into_stays_open() -> None:
    answers = [
        Answered("CVE-1", ProductStatus.NOT_AFFECTED),
        Answered("CVE-2", ProductStatus.UNDER_INVESTIGATION),
    ]
    assert unanswered(("CVE-1", "CVE-2", "CVE-3"), answers) == ("CVE-2", "CVE-3")
