"""The published form of ``report.json`` and of devices, held to what ``assess`` really writes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.product.conftest import WARD, medwarden

from medwarden.dissect.registry import dissectors
from medwarden.knowledge.fingerprints.rules import DERIVED_FIELDS, LEVELS
from medwarden.knowledge.taxonomy import categories

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")
MITRE = re.compile(r"T\d{4}(\.\d{3})?")
FIELDS = {f for dissector in dissectors() for f in dissector.manifest.fields} | set(DERIVED_FIELDS)

Check = Callable[[Any], bool]


def text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def time(value: Any) -> bool:
    return isinstance(value, str) and TIME.fullmatch(value) is not None


def share(value: Any) -> bool:
    return isinstance(value, float | int) and 0 <= value <= 1


def optional(check: Check) -> Check:
    return lambda value: value is None or check(value)


def each(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def record(**checks: Check) -> Check:
    return lambda value: (
        isinstance(value, dict) and all(k in value and c(value[k]) for k, c in checks.items())
    )


COUNT = record(read=number, parsed=number, rejected=number, dropped=number)
HEARD = record(
    source=text, field=text, value=text, sensor=lambda v: isinstance(v, str), first_seen=time, last_seen=time,
    count=lambda v: number(v) and v > 0,
)  # fmt: skip
DEVICE: dict[str, Check] = {
    "id": text,
    "macs": each(lambda v: MAC.fullmatch(v) is not None),
    "ips": each(text),
    "names": each(text),
    "class": {"IoMT", "IoT", "OT", "IT", "NET", "unknown"}.__contains__,
    "category": optional(lambda v: v in categories()),
    "vendor": optional(text),
    "model": optional(text),
    "os": optional(text),
    "os_version": optional(text),
    "firmware": optional(text),
    "serial": optional(text),
    "confidence": record(**{level: optional(share) for level in ("class", "category", "vendor", "model")}),
    "managed": optional(lambda v: isinstance(v, bool)),
    "location": optional(text),
    "subnet": optional(text),
    "first_seen": time,
    "last_seen": time,
    "risk": record(
        score=lambda v: number(v) and v <= 100, level={"low", "medium", "high", "critical"}.__contains__
    ),
    "phi": optional(lambda v: isinstance(v, bool)),
    "protocols": each(text),
    "services": each(record(transport=text, port=number, first_seen=time, last_seen=time)),
    "peers_count": number,
    "attributes": each(
        record(field=lambda v: v in FIELDS or v in LEVELS, value=text, confidence=share, evidence=each(HEARD))
    ),
}
FINDING: dict[str, Check] = {
    "id": text,
    "type": text,
    "severity": {"info", "low", "medium", "high", "critical"}.__contains__,
    "device": text,
    "title": text,
    "evidence": each(record(field=text, value=text, first_seen=time, last_seen=time, count=number)),
    "mitre": each(lambda v: MITRE.fullmatch(v) is not None),
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report of the ward, and of a file that is no capture."""
    folder: Path = tmp_path_factory.mktemp("assessed")
    broken = folder / "broken.pcap"
    broken.write_bytes(b"no capture at all")
    outcome = medwarden("assess", WARD, broken, "--out", folder / "out")
    assert outcome.returncode == 1
    loaded = json.loads((folder / "out" / "report.json").read_text())
    assert isinstance(loaded, dict)
    return loaded


def objections(entries: list[dict[str, Any]], checks: dict[str, Check]) -> Iterator[str]:
    for entry in entries:
        for key, check in checks.items():
            if key not in entry:
                yield f"{entry.get('id')}: no {key}"
            elif not check(entry[key]):
                yield f"{entry.get('id')}: {key} is {entry[key]!r}"[:300]


def test_the_report_has_its_parts(report: dict[str, Any]) -> None:
    parts = {"version", "inputs", "devices", "findings", "segmentation", "policy", "coverage"}
    assert parts <= report.keys()
    assert all(report[part] for part in parts)


def test_inputs_add_up_and_name_their_errors(report: dict[str, Any]) -> None:
    ward, broken = sorted(report["inputs"], key=lambda entry: entry["error"] is not None)
    for entry in (ward, broken):
        assert record(path=text, packets=COUNT, records=COUNT, error=optional(text))(entry)
        for count in (entry["packets"], entry["records"]):
            assert count["read"] == count["parsed"] + count["rejected"] + count["dropped"]
    assert ward["packets"]["read"] > 3000
    assert ward["error"] is None
    assert broken["error"] is not None
    assert "broken.pcap" in broken["error"]


def test_devices_keep_the_contract(report: dict[str, Any]) -> None:
    assert list(objections(report["devices"], DEVICE)) == []


def test_every_part_of_a_device_is_shown_by_some_device(report: dict[str, Any]) -> None:
    """Guard the checks above: a key that is None or empty everywhere would never be checked."""
    shown = {key for device in report["devices"] for key in DEVICE if device[key] not in (None, [], "")}
    assert set(DEVICE) - shown == set()


def test_absent_facts_have_no_confidence(report: dict[str, Any]) -> None:
    for device in report["devices"]:
        for level in ("category", "vendor", "model"):
            assert (device[level] is None) == (device["confidence"][level] is None)


def test_concluded_attributes_rest_on_evidence(report: dict[str, Any]) -> None:
    concluded = [a for d in report["devices"] for a in d["attributes"] if a["field"] in LEVELS]
    assert concluded
    assert [a for a in concluded if not a["evidence"]] == []


def test_findings_keep_the_contract(report: dict[str, Any]) -> None:
    assert list(objections(report["findings"], FINDING)) == []
    assert {f["device"] for f in report["findings"]} <= {d["id"] for d in report["devices"]}
    assert any(f["mitre"] for f in report["findings"])


def test_the_report_says_when_traffic_was_seen_and_when_it_was_made(report: dict[str, Any]) -> None:
    seen = report["observed"]
    assert time(report["generated"])
    assert seen["from"] < seen["to"] < report["generated"]
    assert seen["from"] == min(entry["first"] for entry in report["inputs"] if entry["first"])
