from __future__ import annotations

from collections.abc import Sequence

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from medwarden.kernel.errors import ConfigurationError, InternalError
from medwarden.model.finding import TRANSITIONS, Finding, FindingEvidence, FindingKind, FindingState, Severity
from medwarden.model.risk import Factor, RiskLevel, RiskScore
from medwarden.store import queries as q
from medwarden.store.changes import Change
from medwarden.store.delta import apply_delta
from medwarden.store.findings import record_findings, transition
from medwarden.store.models import AuditEntry
from medwarden.store.models import Finding as Row
from medwarden.store.open import Store
from medwarden.store.scores import record_scores

from .conftest import DeltaMaker

MAIN = q.Scope()
DEVICE = "d-main-1"


def make(name: str, severity: Severity = Severity.HIGH, device: str = DEVICE, last: int = 9) -> Finding:
    evidence = (FindingEvidence("telnet.banner", "login:", 1, last, 2),)
    return Finding(
        id=f"f-{device}-{name}",
        kind=FindingKind.EXPOSURE,
        type=name,
        severity=severity,
        device=device,
        title=f"About {name}",
        detail="Detail",
        fix="Fix it",
        evidence=evidence,
        mitre=("T0859",),
        first_seen=1,
        last_seen=last,
        rule_version="rules-1",
    )


@pytest.fixture
def device(store: Store, heard: DeltaMaker) -> str:
    with Change("sensor:s", "heard", site="main") as change:
        apply_delta(change, heard(1, 2))
    return DEVICE


def assess(found: Sequence[Finding], now: int = 100, devices: Sequence[str] = (DEVICE,)) -> None:
    with Change("rule:risk", "assessment", "rules-1", site="main", clock=lambda: now) as change:
        record_findings(change, devices, found)


def states() -> dict[str, str]:
    return dict(Row.objects.values_list("type", "state"))


def step(
    name: str, state: FindingState, reason: str = "because", approver: str = "", until: int | None = None
) -> None:
    with Change("user:anna", reason, clock=lambda: 200) as change:
        transition(change, f"f-{DEVICE}-{name}", state, approver=approver, accepted_until_ns=until)


def test_what_is_found_again_as_it_was_writes_nothing(device: str) -> None:
    assess([make("telnet"), make("ftp", Severity.LOW)])
    audited = AuditEntry.objects.count()
    with CaptureQueriesContext(connection) as asked:
        assess([make("telnet"), make("ftp", Severity.LOW)], 101)
    assert [each["sql"] for each in asked if each["sql"].startswith(("UPDATE", "INSERT", "DELETE"))] == []
    assert AuditEntry.objects.count() == audited
    assess([make("telnet", last=10), make("ftp", Severity.LOW)], 102)
    assert dict(Row.objects.values_list("type", "last_seen")) == {"telnet": 10, "ftp": 9}


@pytest.mark.parametrize("sort", ["-severity", "severity"])
def test_pages_of_several_states_are_those_of_all_put_in_order(device: str, sort: str) -> None:
    severities = list(Severity)
    made = [make(f"type-{n:02d}", severities[n * 7 % len(severities)], last=9 + n % 3) for n in range(24)]
    assess(made)
    for n in range(0, 24, 3):
        step(f"type-{n:02d}", FindingState.ACKNOWLEDGED)
    wanted = q.FindingFilter(state=("open", "acknowledged"))
    turn = -1 if sort.startswith("-") else 1
    expected = sorted(made, key=lambda f: (turn * f.severity.rank, turn * f.last_seen, f.id))
    for offset in (0, 5, 20, 30):
        page = q.findings(MAIN, wanted, sort=sort, offset=offset, limit=7)
        assert [row.id for row in page.items] == [f.id for f in expected[offset : offset + 7]]
        assert page.total == 24


def test_a_finding_opens_closes_and_reopens(device: str) -> None:
    assess([make("telnet"), make("ftp", Severity.LOW)])
    assert states() == {"telnet": "open", "ftp": "open"}
    assert q.devices(MAIN, sort="-findings").items[0].findings_open == 2
    assess([make("telnet")], 101)
    assert states() == {"telnet": "open", "ftp": "resolved"}
    assess([make("telnet"), make("ftp", Severity.LOW)], 102)
    assert states() == {"telnet": "open", "ftp": "open"}
    known = q.finding(MAIN, f"f-{DEVICE}-ftp")
    assert known is not None
    assert [(s.before, s.after, s.reason, s.at_ns) for s in known[1]] == [
        ("", "open", "assessment", 100),
        ("open", "resolved", "no longer found", 101),
        ("resolved", "open", "seen again", 102),
    ]
    actions = AuditEntry.objects.filter(subject=f"finding:f-{DEVICE}-ftp").order_by("sequence")
    assert list(actions.values_list("action", "before", "after")) == [
        ("finding.opened", "", f'{{"device":"{DEVICE}","severity":"low","type":"ftp"}}'),
        ("finding.state", '"open"', '"resolved"'),
        ("finding.state", '"resolved"', '"open"'),
    ]


def test_assessing_again_changes_nothing_but_what_changed(device: str) -> None:
    assess([make("telnet")])
    count = AuditEntry.objects.count()
    assess([make("telnet")])
    assess([make("telnet", last=50)])
    assert AuditEntry.objects.count() == count
    assert q.findings(MAIN).items[0].last_seen == 50
    assess([make("telnet", Severity.CRITICAL)])
    last = AuditEntry.objects.latest("sequence")
    assert (last.action, last.before, last.after) == ("finding.severity", '"high"', '"critical"')


def test_what_people_decided_stays(device: str) -> None:
    assess([make("telnet"), make("ftp"), make("smb1")])
    step("telnet", FindingState.FALSE_POSITIVE)
    step("ftp", FindingState.ACCEPTED, approver="ciso", until=150)
    step("smb1", FindingState.ACKNOWLEDGED)
    assess([], 120)
    assert states() == {"telnet": "false_positive", "ftp": "accepted", "smb1": "resolved"}
    assess([make("telnet"), make("ftp")], 140)
    assert states() == {"telnet": "false_positive", "ftp": "accepted", "smb1": "resolved"}
    assess([make("telnet"), make("ftp")], 160)
    assert states() == {"telnet": "false_positive", "ftp": "open", "smb1": "resolved"}


@pytest.mark.parametrize("before", list(FindingState))
@pytest.mark.parametrize("after", list(FindingState))
def test_only_the_steps_of_the_table_are_allowed(
    device: str, before: FindingState, after: FindingState
) -> None:
    assess([make("telnet")])
    Row.objects.update(state=before.value)
    if after in TRANSITIONS[before]:
        step("telnet", after, approver="ciso", until=999)
        assert states() == {"telnet": after.value}
    else:
        with pytest.raises(ConfigurationError, match="cannot become"):
            step("telnet", after, approver="ciso", until=999)
        assert states() == {"telnet": before.value}


def test_a_step_needs_a_reason_and_acceptance_an_end(device: str) -> None:
    assess([make("telnet")])
    with pytest.raises(ConfigurationError, match="say why"):
        step("telnet", FindingState.ACKNOWLEDGED, reason=" ")
    with pytest.raises(ConfigurationError, match="approver"):
        step("telnet", FindingState.ACCEPTED)
    with pytest.raises(ConfigurationError, match="no finding"):
        step("unknown", FindingState.ACKNOWLEDGED)
    with pytest.raises(ConfigurationError, match="no finding"), Change("user:x", "y", tenant="o") as change:
        transition(change, f"f-{DEVICE}-telnet", FindingState.ACKNOWLEDGED)
    assert states() == {"telnet": "open"}


def test_lists_filter_sort_and_count(device: str) -> None:
    both = [make("telnet"), make("ftp", Severity.LOW), make("telnet", Severity.CRITICAL, "d-main-2")]
    assess(both, devices=(DEVICE, "d-main-2"))
    page = q.findings(MAIN)
    assert [f.severity for f in page.items] == ["critical", "high", "low"]
    assert page.items[0].evidence[0].value == "login:"
    assert q.findings(MAIN, q.FindingFilter(severity=("low", "high"))).total == 2
    assert q.findings(MAIN, q.FindingFilter(device="d-main-2")).total == 1
    assert q.findings(MAIN, q.FindingFilter(text="about TELNET")).total == 2
    assert q.finding_counts(MAIN)["type"] == {"ftp": 1, "telnet": 2}
    (first, second) = q.finding_types(MAIN)
    assert (first.type, first.devices, second.type) == ("telnet", 2, "ftp")
    assert q.devices(MAIN, q.DeviceFilter(finding=("ftp",))).total == 1
    assert q.findings(q.Scope("other")).total == 0


def score(*points: int, why: str = "w") -> RiskScore:
    factors = tuple(
        Factor(f"factor-{n}", f"Factor {n}", "exposure", p, float(p), why) for n, p in enumerate(points)
    )
    return RiskScore(DEVICE, sum(points), RiskLevel.of(sum(points)), factors, "rules-1")


def put(value: RiskScore, now: int) -> None:
    with Change("rule:risk", "assessment", "rules-1", site="main", clock=lambda: now) as change:
        record_scores(change, [value])


def test_scores_keep_their_history_and_their_factors(device: str) -> None:
    for now, value in enumerate([score(30, 10), score(30, 10), score(45, -5), score(80)], 1):
        put(value, now)
    assert q.risk(MAIN, DEVICE) == score(80)
    assert q.risk_history(MAIN, DEVICE) == [(1, 40, "medium"), (3, 40, "medium"), (4, 80, "critical")]
    levels = AuditEntry.objects.filter(action="risk.level").order_by("sequence")
    assert [entry.at_ns for entry in levels] == [1, 4]
    assert levels[1].version == "rules-1"
    row = q.devices(MAIN, sort="-risk").items[0]
    assert (row.id, row.risk_score, row.risk_level) == (DEVICE, 80, "critical")
    assert [(a.factor, a.devices, a.points) for a in q.top_actions(MAIN)] == [("factor-0", 1, 80)]


def test_factors_that_do_not_add_up_are_a_defect(device: str) -> None:
    wrong = RiskScore(DEVICE, 50, RiskLevel.HIGH, score(30).factors, "rules-1")
    with pytest.raises(InternalError, match="do not add up"):
        put(wrong, 1)
    assert q.risk(MAIN, DEVICE) is None
