"""Why a device is not sure: every reason has a device that shows it, and a sure one has none."""

from __future__ import annotations

import pytest

from medwarden.inventory.doubt import LEVELS, Doubt, doubts, unsure_level
from medwarden.model.device import Device, Verdict
from medwarden.model.evidence import LedgerEntry

MAC = "00:09:fb:00:00:01"
PRIVATE = "02:09:fb:00:00:01"


def verdicts(**confidence: float) -> tuple[Verdict, ...]:
    return tuple(
        Verdict(level, None if confidence.get(level, 0.99) < 0.6 else "x", confidence.get(level, 0.99))
        for level in LEVELS
    )


def said(*fields: str) -> tuple[LedgerEntry, ...]:
    return tuple(LedgerEntry("sensor", field, "v", "s", 1, 2, 1) for field in fields)


def device(*fields: str, macs: tuple[str, ...] = (MAC,), **confidence: float) -> Device:
    return Device("d", "s", macs=macs, ledger=said(*fields), verdicts=verdicts(**confidence))


def test_a_device_sure_at_every_level_has_no_doubt() -> None:
    sure = device("dhcp.host_name")
    assert unsure_level(sure) == ""
    assert doubts(sure) == ()


@pytest.mark.parametrize(
    ("confidence", "level"),
    [
        ({"class": 0.7, "model": 0.0}, "class"),
        ({"category": 0.89, "vendor": 0.2}, "category"),
        ({"vendor": 0.5}, "vendor"),
        ({"model": 0.0}, "model"),
    ],
)
def test_the_most_general_open_level_is_named(confidence: dict[str, float], level: str) -> None:
    assert unsure_level(Device("d", "s", macs=(MAC,), verdicts=verdicts(**confidence))) == level


@pytest.mark.parametrize(
    ("given", "reasons"),
    [
        (device("arp.ip", category=0.2), {Doubt.SILENT, Doubt.NO_DHCP}),
        (device("tls.sni", "dhcp.host_name", category=0.2), {Doubt.STRANGE}),
        (device("tls.sni", "ntp.version", category=0.2), {Doubt.SEALED, Doubt.NO_DHCP}),
        (device("dhcp.host_name", macs=(PRIVATE,), category=0.2), {Doubt.PRIVATE_MAC, Doubt.STRANGE}),
        (device("flow.gateway", macs=(), category=0.2), {Doubt.NO_MAC, Doubt.SILENT, Doubt.NO_DHCP}),
    ],
)
def test_reasons(given: Device, reasons: set[Doubt]) -> None:
    assert set(doubts(given)) == reasons


def test_a_close_runner_up_is_a_contradiction_and_nothing_strange() -> None:
    torn = Verdict("category", "ventilator", 0.62, "infusion_pump", 0.36)
    given = Device(
        "d",
        "s",
        macs=(MAC,),
        ledger=said("dhcp.host_name", "http.server"),
        verdicts=(Verdict("class", "IoMT", 0.99), torn),
    )
    assert doubts(given) == (Doubt.CONTRADICTED,)
