"""Ends of support."""

from __future__ import annotations

from datetime import date

import pytest

from medwarden.knowledge.end_of_support import _file, support_ends, windows_release


@pytest.mark.parametrize(
    ("os", "version", "day"),
    [
        ("Windows", "7", date(2020, 1, 14)),
        ("Windows", "XP", date(2014, 4, 8)),
        ("Windows", "10 22H2", date(2025, 10, 14)),
        ("Windows Server", "2012 R2", date(2023, 10, 10)),
        ("macOS", "10.15.7", date(2022, 9, 12)),
        ("Debian", "10", date(2024, 6, 30)),
        ("Android", "8.1.0", date(2021, 10, 1)),
        ("Windows CE", None, date(2023, 10, 10)),
        ("Windows", None, None),
        ("Windows", "12", None),
        ("HAL", "9000", None),
    ],
)
def test_dates(os: str, version: str | None, day: date | None) -> None:
    assert support_ends(os, version) == day


def test_builds_of_windows_lead_to_dates() -> None:
    for build in _file().windows_builds:
        release = windows_release(build)
        assert release is not None
        assert support_ends(release.os, release.version) is not None, build


def test_a_build_may_have_further_parts() -> None:
    release = windows_release("6.1.7601.17514")
    assert release is not None
    assert (release.os, release.version) == ("Windows", "7 or Server 2008 R2")
    assert windows_release("99.0.1") is None
