from __future__ import annotations

import pytest
from tests.risk.recalls.making import notice

from medwarden.model.finding import FindingKind, Severity
from medwarden.model.recall import RecallClass
from medwarden.model.vulnerability import Aspect
from medwarden.risk.recalls.engine import RecallState
from medwarden.risk.recalls.findings import Standing, findings_of, severity_of
from medwarden.risk.recalls.workflow import Step


def standing(
    state: RecallState = RecallState.AFFECTED, step: Step | None = None, status: str = "Open"
) -> Standing:
    aspect = Aspect("serial", True, "1500", "serial", "1000 to 2000", "the serial number 1500 is one of them")
    about = notice(codes="All units", recall_class=RecallClass.I, status=status)
    return Standing("d1", "Pump 1", about, state, "It is meant.", 7, (aspect,), step)


@pytest.mark.parametrize(
    ("recall_class", "state", "severity"),
    [
        (RecallClass.I, RecallState.AFFECTED, Severity.CRITICAL),
        (RecallClass.I, RecallState.UNKNOWN, Severity.HIGH),
        (RecallClass.II, RecallState.AFFECTED, Severity.HIGH),
        (RecallClass.III, RecallState.MAY_BE, Severity.INFO),
        (RecallClass.UNCLASSIFIED, RecallState.AFFECTED, Severity.MEDIUM),
    ],
)
def test_how_much_it_matters(recall_class: RecallClass, state: RecallState, severity: Severity) -> None:
    assert severity_of(recall_class, state) is severity


def test_a_finding_says_what_why_and_what_to_do() -> None:
    (found,) = findings_of("main", [standing()], 99)
    assert found.kind is FindingKind.RECALL
    assert found.title == "Recalled (Z-0001-2026, class I): Pump 1"
    assert "It is meant." in found.detail
    assert found.fix.startswith("Stop using it.")
    assert found.evidence[0].value == "1500 the serial number 1500 is one of them"
    assert (found.first_seen, found.last_seen) == (7, 99)
    assert findings_of("main", [standing()], 100)[0].id == found.id


def test_settled_cases_and_ended_notices_without_a_unit_make_none() -> None:
    assert findings_of("main", [standing(step=Step.CORRECTED)], 9) == ()
    assert findings_of("main", [standing(step=Step.OUT_OF_USE)], 9) != ()
    assert findings_of("main", [standing(RecallState.NOT_AFFECTED)], 9) == ()
    assert findings_of("main", [standing(RecallState.MAY_BE, status="Terminated")], 9) == ()
    assert findings_of("main", [standing(RecallState.AFFECTED, status="Terminated")], 9) != ()
