"""Ranges of versions as sources write them: what is certain is a span, and nothing takes long."""

from __future__ import annotations

import pytest

from medwarden.feeds.versions import spans_of
from medwarden.model.vulnerability import VersionSpan


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("1.2", (VersionSpan(exact="1.2"),)),
        (" < 2.0 ", (VersionSpan(high="2.0", high_included=False),)),
        ("vers:generic/>=1| <\n2.1 ", (VersionSpan(low="1", high="2.1", high_included=False),)),
        ("< 2 or so", ()),
        ("<", ()),
    ],
)
def test_what_is_certain_is_a_span(text: str, spans: tuple[VersionSpan, ...]) -> None:
    assert spans_of(text) == spans


@pytest.mark.parametrize(
    "text", ["1|" + "\n" * 1_000_000 + "|2", "<" + " " * 1_000_000 + "a b", "=" * 1_000_000]
)
def test_blanks_and_signs_without_end_are_no_versions(text: str) -> None:
    assert spans_of(text) == ()
