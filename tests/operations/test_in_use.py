from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.registry import dissectors
from medwarden.knowledge.taxonomy import categories
from medwarden.operations import in_use as judgement
from medwarden.operations.in_use import QUIET_S, WINDOW_S, Use, clinical_protocols, in_use

from .wards import HOUR, NOW, SECOND, device, fact, talk

LONG = NOW - 50 * HOUR


@pytest.mark.parametrize("application", sorted(clinical_protocols()))
def test_a_clinical_conversation_within_the_window_is_use(application: str) -> None:
    judged = in_use(device("ultrasound", conversations=(talk(application, 60),)), NOW, LONG)
    assert judged.state is Use.YES
    assert application in judged.reason
    assert judged.since_ns == NOW - 60 * SECOND - HOUR
    assert judged.evidence


def test_a_clinical_port_counts_where_the_protocol_was_not_told() -> None:
    assert in_use(device("printer", conversations=(talk(None, 60, port=2575),)), NOW, LONG).state is Use.YES
    assert in_use(device("printer", conversations=(talk(None, 60, port=9100),)), NOW, LONG).state is Use.NO


def test_a_clinical_fact_is_use_also_when_another_sensor_tells_it() -> None:
    told = device("printer", ledger=(fact("dicom.modality", "US", 30, "zeek_dicom"),))
    assert in_use(told, NOW, LONG).state is Use.YES


def test_what_our_own_query_brought_is_no_work() -> None:
    asked = device(
        "printer", ledger=(fact("dicom.implementation_class_uid", "1.2", 30, "active:dicom_echo"),)
    )
    assert in_use(asked, NOW, LONG).state is Use.NO


@pytest.mark.parametrize(
    "category", [c.id for c in categories().values() if c.criticality >= 4 and c.medical]
)
def test_silence_of_a_life_critical_device_is_never_idleness(category: str) -> None:
    quiet = device(category, conversations=(talk("hl7", 9 * 3600),))
    assert in_use(quiet, NOW, LONG).state is Use.UNKNOWN


def test_an_idle_state_is_believed_while_it_is_fresh_and_alone() -> None:
    pump = device("infusion_pump", ledger=(fact("terufusion.pump_state", "Standby", 20),))
    assert in_use(pump, NOW, LONG).state is Use.NO
    pump = device("infusion_pump", ledger=(fact("terufusion.pump_state", "standby", 600),))
    assert in_use(pump, NOW, LONG).state is Use.YES  # it spoke lately, and may have been started since
    pump = device(
        "infusion_pump",
        ledger=(fact("terufusion.pump_state", "standby", 5), fact("terufusion.pump_state", "infusing", 40)),
    )
    assert in_use(pump, NOW, LONG).state is Use.YES
    pump = device(
        "infusion_pump",
        ledger=(fact("terufusion.pump_state", "standby", 5),),
        conversations=(talk("hl7", 30),),
    )
    assert in_use(pump, NOW, LONG).state is Use.YES


def test_an_examination_goes_on_until_it_ends() -> None:
    begun = fact("dicom.exam_started", "2026-01-01T10:00 US", 3 * 3600)
    ended = fact("dicom.exam_ended", "2026-01-01T10:20 completed series=1 images=4", 600)
    assert in_use(device("ultrasound", ledger=(begun,)), NOW, LONG).state is Use.YES
    assert in_use(device("ultrasound", ledger=(begun, ended)), NOW, LONG).reason.startswith("it spoke dicom")
    later = fact("dicom.exam_ended", "2026-01-01T10:20 completed series=1 images=4", WINDOW_S + 60)
    assert in_use(device("ultrasound", ledger=(begun, later)), NOW, LONG).state is Use.UNKNOWN
    forgotten = fact("dicom.exam_started", "2026-01-01T10:00 US", 13 * 3600)
    assert in_use(device("ultrasound", ledger=(forgotten,)), NOW, LONG).state is Use.NO


def test_a_monitor_with_a_patient_is_in_use_until_he_is_discharged() -> None:
    admitted = fact("intellivue.patient_state", "admitted", 5 * 3600)
    assert in_use(device("patient_monitor", ledger=(admitted,)), NOW, LONG).state is Use.YES
    discharged = fact("intellivue.patient_state", "discharged", 2 * 3600)
    answer = in_use(device("patient_monitor", ledger=(admitted, discharged)), NOW, LONG)
    assert answer.state is Use.UNKNOWN  # a monitor may work without the network


def test_every_field_that_says_so_is_told_by_a_dissector() -> None:
    told = {field for dissector in dissectors() for field in dissector.manifest.fields}
    looked_at = {value for name, value in vars(judgement).items() if name.startswith("_EXAM_")}
    looked_at |= {*judgement._STATE_FIELDS, *judgement._PATIENT_FIELDS}
    assert looked_at <= told


def test_silence_means_something_only_after_long_uninterrupted_listening() -> None:
    spoke = device("ultrasound", conversations=(talk("dicom", QUIET_S + 60),))
    assert in_use(spoke, NOW, LONG).state is Use.NO
    assert in_use(spoke, NOW, None).state is Use.UNKNOWN
    assert in_use(spoke, NOW, NOW - HOUR).state is Use.UNKNOWN
    assert in_use(device("ultrasound"), NOW, LONG).state is Use.UNKNOWN
    recent = device("ultrasound", conversations=(talk("dicom", QUIET_S - 60),))
    assert in_use(recent, NOW, LONG).state is Use.UNKNOWN
    gone = device("ultrasound", conversations=(talk("dicom", 9 * 3600),), last_seen=NOW - HOUR)
    assert in_use(gone, NOW, LONG).state is Use.UNKNOWN


def test_what_is_not_known_and_clocks_that_disagree_give_no_answer() -> None:
    assert in_use(device(None), NOW, LONG).state is Use.UNKNOWN
    assert in_use(device("unknown"), NOW, LONG).state is Use.UNKNOWN
    assert in_use(device("printer", confidence=0.5), NOW, LONG).state is Use.UNKNOWN
    assert in_use(device("printer", verdicts=()), NOW, LONG).state is Use.UNKNOWN
    assert in_use(device("printer", last_seen=NOW + HOUR), NOW, LONG).state is Use.UNKNOWN
    assert in_use(device("a_kind_of_tomorrow"), NOW, LONG).state is Use.UNKNOWN


@given(
    st.sampled_from(sorted(categories())),
    st.lists(
        st.tuples(st.sampled_from([*sorted(clinical_protocols())[:4], "http", None]), st.integers(0, 90_000))
    ),
    st.one_of(st.none(), st.integers(0, 100_000)),
)
def test_no_device_with_recent_clinical_traffic_is_ever_free(
    category: str, talks: list[tuple[str | None, int]], listening: int | None
) -> None:
    some = device(category, conversations=tuple(talk(name, ago, port=80) for name, ago in talks))
    judged = in_use(some, NOW, None if listening is None else NOW - listening * SECOND)
    if any(name in clinical_protocols() and ago <= WINDOW_S for name, ago in talks):
        assert judged.state is Use.YES
    if judged.state is Use.NO:
        assert not any(name in clinical_protocols() and ago <= QUIET_S for name, ago in talks)
        assert not (categories()[category].medical and listening is None)
    assert judged.reason
