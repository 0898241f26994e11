"""Codes of ISO/IEEE 11073-10101."""

from __future__ import annotations

import pytest

from medwarden.dissect.mdc import device_name, device_type, specialisation


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("70001", "MDC_DEV_SYS_PT_VENT_MDS"),
        ("69985", "MDC_DEV_PUMP_INFUS_MDS"),
        ("1", "1"),
        ("", ""),
        ("Ventilator", "Ventilator"),
        ("9" * 40, "9" * 40),
        ("\u0661", "\u0661"),
    ],
)
def test_device_type(code: str, name: str) -> None:
    assert device_type(code) == name


def test_names_and_specialisations() -> None:
    assert device_name(69641) == "MDC_DEV_ANALY_SAT_O2_MDS"
    assert device_name(0) is None
    assert specialisation(4100) == "MDC_DEV_SPEC_PROFILE_PULS_OXIM"
    assert specialisation(4200) == "4200"
