from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from medwarden.app.assess import assess_captures
from medwarden.kernel.clock import from_datetime, iso

WARD = Path(__file__).resolve().parents[2] / "src" / "medwarden" / "app" / "demo" / "ward.pcap.gz"


@pytest.mark.parametrize(("year", "unsupported"), [(2024, []), (2027, ["WARD-PC-07"])])
def test_support_is_judged_on_the_day_of_the_report(
    tmp_path: Path, year: int, unsupported: list[str]
) -> None:
    """Support of Windows 10 ended on 2025-10-14, whenever its traffic was recorded."""
    made = from_datetime(datetime(year, 1, 1, tzinfo=UTC))
    assess_captures([WARD], tmp_path, clock=lambda: made)
    report = json.loads((tmp_path / "report.json").read_text())
    names = {device["id"]: device["names"][0] for device in report["devices"] if device["names"]}
    found = [names[f["device"]] for f in report["findings"] if f["type"] == "unsupported_os"]
    assert found == unsupported
    assert report["generated"] == iso(made)
    assert report["observed"]["from"] == min(entry["first"] for entry in report["inputs"])
