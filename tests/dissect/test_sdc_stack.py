"""SDC as sdc11073 really speaks it: a provider and a consumer on the loopback, heard frame by frame."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.dissect.loopback import Ear, apart, heard
from tests.waiting import PATIENCE

pytest.importorskip("sdc11073")

PATIENT = ("Quintessa", "Abendroth")


def talk() -> tuple[subprocess.CompletedProcess[str], bytes]:
    """Let provider and consumer talk once through everything; returns what was on the loopback."""
    ear = Ear()
    here = Path(__file__).parent
    try:
        stack = subprocess.run(
            [sys.executable, "-W", "ignore", str(here / "sdc_stack.py"), str(here / "sdc_mdib.xml")],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    finally:
        capture = ear.close()
    return stack, capture


def test_provider_and_consumer_are_told_apart_and_the_patient_is_not(tmp_path: Path) -> None:
    with apart() as alone:
        stack, capture = alone.submit(talk).result()
    assert stack.stdout == "done\n", stack.stderr
    stated, applications, malformed = heard(capture, tmp_path)
    facts = {(fact.field, fact.value) for fact in stated}
    assert "sdc" in applications
    assert not {name for name in malformed if name.startswith("sdc") or name.endswith("!defect")}
    assert {
        ("sdc.role", "provider"),
        ("sdc.role", "consumer"),
        ("sdc.manufacturer", "Exemplar Medical"),
        ("sdc.model_name", "Breather 5"),
        ("sdc.model_number", "5.1"),
        ("sdc.friendly_name", "Ventilator ICU 3"),
        ("sdc.firmware_version", "2.04.1"),
        ("sdc.serial_number", "EX-0042"),
        ("sdc.device_type", "MedicalDevice"),
        ("sdc.mds_type", "MDC_DEV_SYS_PT_VENT_MDS"),
        ("sdc.udi_di", "00812345678901"),
        ("sdc.facility", "HOSP1"),
        ("sdc.building", "B"),
        ("sdc.floor", "3"),
        ("sdc.location", "ICU"),
        ("sdc.room", "312"),
        ("sdc.bed", "Bed4"),
        ("sdc.operating_mode", "normal"),
        ("sdc.activation_state", "on"),
        ("sdc.subscribes", "EpisodicMetricReport"),
        ("sdc.reports", "EpisodicMetricReport"),
        ("sdc.active_alarm", "yes"),
        ("sdc.patient_state", "associated"),
        ("sdc.patient_data", "yes"),
    } <= facts
    assert not [fact for fact in facts if any(word.lower() in fact[1].lower() for word in PATIENT)]
