"""What a device is when nothing but one bedside protocol was heard: as much as that says, and no more."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from medwarden.inventory.labelling import identify
from medwarden.model.device import Device

Heard = Callable[..., Device]
CASES = Path(__file__).parents[1] / "dissect" / "cases"
IOMT = "IoMT"


def facts(case: str, who: str) -> list[tuple[str, str]]:
    """Return what the conformance suite holds a dissector to tell of one end of a case."""
    stated = json.loads((CASES / f"{case}.json").read_text())["facts"]
    return [(field, value) for field, value, of in stated if of == who]


@pytest.mark.parametrize(
    ("case", "who", "device_class", "category", "vendor", "model"),
    [
        ("phd/oximeter", "client", IOMT, "pulse_oximeter", "Exemplar", "Ox 2"),
        ("phd/other_port", "client", IOMT, "smart_scale", None, None),
        ("phd/oximeter", "server", IOMT, "device_gateway", None, None),
        ("sdc/mdib", "server", IOMT, "ventilator", "ACME", "Vent 5"),
        ("sdc/states", "client", IOMT, None, None, None),
        ("sdc/subscribe", "client", IOMT, None, None, None),
        ("intellivue/connect_indication", "client", IOMT, "patient_monitor", "Philips", "IntelliVue MP50"),
        ("intellivue/use", "server", IOMT, "patient_monitor", "Philips", "IntelliVue MP50"),
        ("draeger_infinity/announcement", "server", IOMT, "patient_monitor", "Draeger", "Infinity Delta"),
        ("medibus/identification", "server", IOMT, "ventilator", "Draeger", "Evita 4"),
        ("medibus/data", "server", IOMT, None, "Draeger", None),
        ("medibus/data", "client", IOMT, "device_gateway", None, None),
        ("bbraun_bcc/station", "server", IOMT, "infusion_pump", "B. Braun", None),
        ("terufusion/status", "server", IOMT, "infusion_pump", "Terumo", None),
        ("puritan_bennett/report", "server", IOMT, "ventilator", "Medtronic", "Puritan Bennett 840"),
        ("datex_dri/records", "server", IOMT, "patient_monitor", "GE HealthCare", None),
        ("carescape/time", "server", IOMT, "central_station", "GE HealthCare", None),
        ("carescape/announcement", "client", IOMT, None, "GE HealthCare", None),
        ("lantronix/discovery", "server", IOMT, "serial_server", "Lantronix", None),
        ("moxa/discovery", "server", IOMT, "serial_server", "Moxa", "NPort 5110A"),
        ("addp/discovery", "server", IOMT, "serial_server", "Digi", "Connect ME"),
        ("addp/discovery", "client", "unknown", None, None, None),
        ("poct1a/session", "client", IOMT, "cgm_poc_glucose", None, None),
        ("poct1a/greeting_and_result", "client", IOMT, "poc_device", "ACME", "Glu & Ket 2"),
        ("poct1a/session", "server", IOMT, "device_gateway", None, None),
        ("astm/session", "client", IOMT, "chem_analyzer", "Beckman Coulter", None),
        ("astm/bare_records", "client", IOMT, None, None, None),
        ("astm/session", "server", IOMT, "lis", None, None),
        ("tap/page", "server", IOMT, "alarm_management", None, None),
        ("snpp/page", "server", IOMT, "alarm_management", None, None),
        ("wctp/page", "server", IOMT, "alarm_management", None, None),
        ("espa444/call", "server", IOMT, "alarm_management", None, None),
        ("espax/login", "server", IOMT, "alarm_management", None, None),
        ("espax/login", "client", IOMT, "nurse_call", None, None),
        ("ecg/scp", "client", IOMT, "ecg_cart", None, None),
        ("ecg/philips", "client", IOMT, "ecg_cart", "Philips", None),
        ("ecg/muse", "client", IOMT, "ecg_cart", "GE HealthCare", None),
        ("ecg/ishne", "client", IOMT, "holter", None, None),
    ],
)
def test_one_protocol_alone(
    heard: Heard,
    case: str,
    who: str,
    device_class: str,
    category: str | None,
    vendor: str | None,
    model: str | None,
) -> None:
    device = identify(heard(*facts(case, who)))
    answer = (device.device_class, device.category, device.vendor, device.model)
    assert answer == (device_class, category, vendor, model)


def test_serial_number_and_firmware_are_those_the_device_states(heard: Heard) -> None:
    oximeter = identify(heard(*facts("phd/oximeter", "client")))
    assert (oximeter.serial, oximeter.firmware) == ("SN-17", "1.4.2")
    ventilator = identify(heard(*facts("medibus/identification", "server")))
    assert (ventilator.serial, ventilator.firmware) == (None, "04.20")
    monitor = identify(heard(*facts("intellivue/use", "server")))
    assert (monitor.serial, monitor.firmware) == ("DE00012345", "K.21.42")
