"""Statements of use: one line per association, times of the wire, nothing that identifies."""

from __future__ import annotations

import pytest

from medwarden.dissect.dicom_use import MAX_MODALITIES, SentImages, minute

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("ts_ns", "text"),
    [
        (0, "1970-01-01T00:00Z"),
        (1_767_348_660 * SECOND + 5, "2026-01-02T10:11Z"),
        (2**63 * 1000, "unknown time"),
    ],
)
def test_minutes_are_utc(ts_ns: int, text: str) -> None:
    assert minute(ts_ns) == text


def test_nothing_sent_is_no_statement() -> None:
    assert SentImages().statement() == ""


def test_requests_count_where_no_answer_was_heard() -> None:
    sent = SentImages()
    for number in range(3):
        sent.request(number * 60 * SECOND, True, False)
    sent.of_modality("CT")
    assert sent.statement() == "1970-01-01T00:00Z/1970-01-01T00:02Z CT images=3"


def test_answers_count_more_than_requests_and_failures_are_named() -> None:
    sent = SentImages()
    sent.request(0, True, True)
    for succeeded in (True, True, False):
        sent.response(SECOND, True, succeeded)
    for kind in ("SR", "CT", *(f"X{number}" for number in range(MAX_MODALITIES))):
        sent.of_modality(kind)
    assert sent.statement() == "1970-01-01T00:00Z/1970-01-01T00:00Z CT+SR+X0+X1 images=2 failed=1 relayed"
