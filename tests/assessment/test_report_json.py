"""report.json: the keys of the contract, and the same numbers as the page."""

from __future__ import annotations

import json
from typing import Any

from medwarden.assessment import Assessment, analyse, to_report


def _report(assessment: Assessment) -> Any:
    return json.loads(json.dumps(to_report(assessment)))


def test_the_contract_is_kept(assessment: Assessment) -> None:
    report = _report(assessment)
    assert {"version", "inputs", "devices", "findings", "segmentation", "policy", "coverage"} <= set(report)
    for entry in report["inputs"]:
        assert {"path", "packets", "records", "error"} <= set(entry)
        for count in (entry["packets"], entry["records"]):
            assert count["read"] == count["parsed"] + count["rejected"] + count["dropped"]
    ids = {d["id"] for d in report["devices"]}
    for finding in report["findings"]:
        assert {"id", "type", "severity", "device", "title", "evidence", "mitre"} <= set(finding)
        assert finding["device"] in ids


def test_scores_and_their_points_are_told(assessment: Assessment) -> None:
    for entry in _report(assessment)["risk"]["devices"]:
        assert sum(f["points"] for f in entry["factors"]) == entry["score"]


def test_the_devices_of_the_caller_are_taken_as_they_are(assessment: Assessment) -> None:
    assert to_report(assessment, [{"id": "x", "class": "IoMT"}])["devices"] == [{"id": "x", "class": "IoMT"}]


def test_nothing_seen_is_a_report_too() -> None:
    report = _report(analyse([], [], [], [], []))
    assert report["devices"] == report["findings"] == report["policy"] == []
    assert report["observed"] == {"from": None, "to": None, "seconds": 0}
