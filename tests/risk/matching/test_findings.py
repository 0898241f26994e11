from __future__ import annotations

import msgspec
import pytest

from medwarden.model.finding import FindingKind, Severity
from medwarden.model.vulnerability import MatchState
from medwarden.risk.matching.findings import findings_of, severity_of

NOW = 1_790_000_000 * 10**9


class Said(msgspec.Struct, frozen=True):
    vulnerability: str = "CVE-2020-0001"
    state: MatchState = MatchState.CONFIRMED
    score: float | None = 7.5
    exploited: bool = False
    exploits: bool = False
    epss: float | None = None
    advisory: str = "ICSMA-20-001-01"
    device: str = "d-1"
    label: str = "pump-1"
    reason: str = "It is named: it is affected."
    since_ns: int = NOW - 5
    remedy: str = ""
    evidence: tuple[dict[str, object], ...] = ()


@pytest.mark.parametrize(
    ("said", "severity"),
    [
        (Said(score=9.8), Severity.CRITICAL),
        (Said(score=7.5), Severity.HIGH),
        (Said(score=4.2), Severity.MEDIUM),
        (Said(score=2.0), Severity.LOW),
        (Said(score=None), Severity.MEDIUM),
        (Said(score=4.2, exploited=True), Severity.CRITICAL),
        (Said(score=4.2, exploits=True), Severity.HIGH),
        (Said(score=4.2, epss=0.3), Severity.HIGH),
        (Said(score=4.2, epss=0.01), Severity.MEDIUM),
        (Said(score=9.8, state=MatchState.POTENTIAL), Severity.HIGH),
    ],
)
def test_use_counts_before_the_base_score_and_doubt_takes_a_step(said: Said, severity: Severity) -> None:
    assert severity_of(said) is severity


def test_one_finding_for_a_device_and_advisory_names_the_gravest_first() -> None:
    (found,) = findings_of(
        "main",
        [
            Said("CVE-2020-0003", score=5.0),
            Said("CVE-2020-0001", exploited=True, remedy="Install version 3."),
            Said("CVE-2020-0002", score=9.8),
        ],
        NOW,
    )
    assert found.kind is FindingKind.VULNERABILITY
    assert found.severity is Severity.CRITICAL
    assert found.title == "Affected by ICSMA-20-001-01: pump-1"
    assert found.detail.startswith(
        "CVE-2020-0001, CVE-2020-0002, CVE-2020-0003. Used in attacks. It is named"
    )
    assert found.fix.startswith("Install version 3. Until then")
    assert [e.field for e in found.evidence] == ["CVE-2020-0001", "CVE-2020-0002", "CVE-2020-0003"]
    assert (found.first_seen, found.last_seen) == (NOW - 5, NOW)


def test_the_same_subject_keeps_its_id_and_records_without_advisory_stand_together() -> None:
    one = findings_of("main", [Said()], NOW)[0]
    again = findings_of("main", [Said(score=9.9), Said("CVE-2020-0009")], NOW + 9)[0]
    assert one.id == again.id
    records = findings_of("main", [Said(advisory=""), Said("CVE-2020-0002", advisory="")], NOW)
    assert len(records) == 1
    assert records[0].title == "Affected by CVE-2020-0001: pump-1"
    assert records[0].id != one.id


def test_what_is_only_possible_and_light_or_settled_makes_no_finding() -> None:
    quiet = [
        Said(state=MatchState.POTENTIAL, score=4.2),
        Said("CVE-2020-0002", state=MatchState.FIXED),
        Said("CVE-2020-0003", state=MatchState.NOT_AFFECTED),
        Said("CVE-2020-0004", state=MatchState.IRRELEVANT, exploited=True),
    ]
    assert findings_of("main", quiet, NOW) == ()
    (grave,) = findings_of("main", [Said(state=MatchState.POTENTIAL, score=9.8)], NOW)
    assert grave.title.startswith("Perhaps affected by")
    assert grave.fix.startswith("Ask the maker")


def test_many_vulnerabilities_are_counted_not_listed() -> None:
    (found,) = findings_of("main", [Said(f"CVE-2020-{n:04d}") for n in range(1, 21)], NOW)
    assert "and 12 more" in found.detail
    assert len(found.evidence) == 8


def test_what_the_release_alone_leaves_open_is_one_finding_that_weighs_less() -> None:
    why: dict[str, object] = {
        "name": "product",
        "agrees": None,
        "why": "the release of the system is not known",
    }
    open_ = Said(state=MatchState.POTENTIAL, score=9.8, exploited=True, advisory="MS17-010", evidence=(why,))
    other = msgspec.structs.replace(open_, vulnerability="CVE-2019-0708", advisory="GUIDANCE")
    (found,) = findings_of("s", [open_, other], NOW)
    assert found.severity is Severity.MEDIUM
    assert found.title == "Release unknown: perhaps affected by 2 vulnerabilities: pump-1"
    assert found.fix.startswith("Find out which release its system is")
    known = msgspec.structs.replace(open_, state=MatchState.CONFIRMED)
    assert [each.severity for each in findings_of("s", [known], NOW)] == [Severity.CRITICAL]
