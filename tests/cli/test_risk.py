"""Groups of risk by command, now and as of a day."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.cli.conftest import Say

FIELDS = ("name", "score", "devices", "by_level")


@pytest.mark.parametrize("kind", ["organisation", "site", "category", "model", "department"])
def test_groups_as_of_a_day_to_come_are_those_of_now(home: Path, say: Say, kind: str) -> None:
    def told(*more: str) -> list[list[object]]:
        said = say("risk", "levels", "--kind", kind, "--json", *more, home=home)
        assert said.status == 0, said.err
        return [[json.loads(line)[field] for field in FIELDS] for line in said.out.splitlines()]

    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    assert told("--as-of", tomorrow) == told()
    assert told("--as-of", "2001-01-01") == []
