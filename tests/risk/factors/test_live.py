"""Factors that rest on what others know of a device: live findings, work, support, classes, reach."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from medwarden.model.device import Device, DeviceClass
from medwarden.model.finding import FindingKind, Severity
from medwarden.model.vulnerability import MatchState
from medwarden.risk.assess import assess_device
from medwarden.risk.context import (
    AtWork,
    DeviceRecord,
    FdaFacts,
    KnownVulnerability,
    LiveFinding,
    RiskContext,
    SupportEnd,
)

DAY = 86_400 * 10**9
NOW = 20_000 * DAY
DEVICE = Device(
    id="d1", site="main", device_class=DeviceClass.IOMT, category="infusion_pump", subnet="10.0.0.0/24",
    managed=False, last_seen=NOW,
)  # fmt: skip


def finding(
    kind: FindingKind, days: int = 0, severity: Severity = Severity.HIGH, name: str = "t"
) -> LiveFinding:
    return LiveFinding(
        f"f{days}{severity}{name}", kind, name, severity, "Beacon", NOW - 90 * DAY, NOW - days * DAY
    )


def raw(record: DeviceRecord, *others: Device, **context: object) -> dict[str, float]:
    around = RiskContext.build([DEVICE, *others], NOW)
    around = msgspec.structs.replace(around, records={"d1": record}, **context)
    score, _ = assess_device(DEVICE, around)
    return {f.id: round(f.raw_points, 3) for f in score.factors}


def test_a_threat_fades_by_half_a_week_and_a_recall_does_not() -> None:
    fresh = raw(DeviceRecord((finding(FindingKind.THREAT),)))["live_threat"]
    week = raw(DeviceRecord((finding(FindingKind.THREAT, 7),)))["live_threat"]
    assert week == pytest.approx(fresh / 2, abs=0.01)
    assert "live_threat" not in raw(DeviceRecord((finding(FindingKind.THREAT, 61),)))
    recall = raw(DeviceRecord((finding(FindingKind.RECALL, 400),)))["open_recall"]
    assert recall == raw(DeviceRecord((finding(FindingKind.RECALL),)))["open_recall"]


def test_more_and_graver_findings_count_more_and_never_beyond_all() -> None:
    one = raw(DeviceRecord((finding(FindingKind.ANOMALY, severity=Severity.LOW),)))["live_anomaly"]
    two = raw(
        DeviceRecord((finding(FindingKind.ANOMALY, severity=Severity.LOW), finding(FindingKind.ANOMALY)))
    )["live_anomaly"]
    many = raw(DeviceRecord(tuple(finding(FindingKind.ANOMALY, name=f"t{n}") for n in range(40))))[
        "live_anomaly"
    ]
    assert one < two < many <= 12


def test_a_default_password_is_told_by_a_finding_or_a_weakness() -> None:
    tried = finding(FindingKind.EXPOSURE, name="default_password")
    assert raw(DeviceRecord((tried,)))["default_credentials"] == 16
    known = KnownVulnerability("CVE-1", MatchState.CONFIRMED, "because", NOW, 9.8, weaknesses=("CWE-798",))
    assert raw(DeviceRecord(), vulnerabilities={"d1": (known,)})["default_credentials"] == pytest.approx(12.8)
    maybe = msgspec.structs.replace(known, state=MatchState.POTENTIAL)
    assert "default_credentials" not in raw(DeviceRecord(), vulnerabilities={"d1": (maybe,)})


def test_work_counts_for_a_day_and_support_from_the_day_it_ended() -> None:
    assert "in_use" in raw(DeviceRecord(at_work=AtWork("hl7 with a peer", NOW - DAY // 2)))
    assert "in_use" not in raw(DeviceRecord(at_work=AtWork("hl7 with a peer", NOW - 2 * DAY)))
    ended = date(2024, 1, 1)
    assert raw(DeviceRecord(support=SupportEnd(ended, "its maker")))["unsupported_device"] >= 6
    assert "unsupported_device" not in raw(DeviceRecord(support=SupportEnd(date(2200, 1, 1), "its maker")))


@pytest.mark.parametrize(("ranked", "share"), [(1, 0.0), (2, 0.025), (3, 0.05)])
def test_the_class_of_its_kind_counts(ranked: int, share: float) -> None:
    points = raw(DeviceRecord(), fda=lambda _category: FdaFacts(ranked, ("FRN",)))
    assert points.get("fda_class", 0.0) == share


def test_neighbours_who_could_reach_it_count_and_one_more_of_many_changes_nothing() -> None:
    def computers(number: int) -> list[Device]:
        return [
            Device(id=f"c{n}", site="main", device_class=DeviceClass.IT, subnet="10.0.0.0/24", last_seen=NOW)
            for n in range(number)
        ]

    few, many = raw(DeviceRecord(), *computers(9)), raw(DeviceRecord(), *computers(40))
    assert few["reachable"] < many["reachable"]
    assert many == raw(DeviceRecord(), *computers(41))
