from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.risk.recalls.naming import described, named


@pytest.mark.parametrize(
    ("model", "product", "agrees"),
    [
        ("Alaris 8015", "Alaris PC Unit, Model 8015. Infusion pump for general use", True),
        ("Alaris 8015", "Alaris Pump Module, Model 8100", False),
        ("Infusomat Space", "Infusomat Space Large Volume Infusion Pump, item 8713050U", True),
        ("Infusomat Space", "Perfusor Space Syringe Pump", False),
        ("Infusomat Space", "Infusomat pumps with the Space station", None),
        ("8713050U", "Infusomat Space Large Volume Infusion Pump, item 8713050U", True),
        ("IntelliVue MX750", "IntelliVue Patient Monitor MX700, MX750 and MX800", True),
        ("IntelliVue MX-750", "IntelliVue MX 750 monitor", True),
        ("IntelliVue MX750", "IntelliVue MX800 patient monitor", False),
        ("IntelliVue MX750", "IntelliVue MX400-MX800 monitors", True),
        ("IntelliVue MX750", "IntelliVue MX400 to MX600 monitors", False),
        ("IntelliVue MX750", "IntelliVue patient monitors, all of them", None),
        ("IntelliVue MX750", "Philips MX700 series monitors, IntelliVue", True),
        ("SOMATOM go.Up", "SOMATOM go.Up CT scanner with syngo CT VB20", True),
        ("Evita V500", "Evita Infinity V500 ventilator", True),
        ("Evita V500", "Babylog VN500 ventilator", False),
        ("Patient Monitor", "Patient Monitor for adults", False),
        ("iU22", "iU22 and iE33 ultrasound systems", True),
        ("Brilliance iCT", "The Brilliance iCT and iCT SP are CT systems", True),
    ],
)
def test_whether_a_description_means_a_model(model: str, product: str, agrees: bool | None) -> None:
    result = named(model, ("philips",), described(product))
    assert result.agrees is agrees, result.why
    assert result.why


@given(st.text(max_size=60), st.text(max_size=120))
def test_any_texts_are_compared(model: str, product: str) -> None:
    assert named(model, (), described(product)).agrees in (True, False, None)
