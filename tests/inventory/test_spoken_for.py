"""Gateways are not the equipment they speak for; equipment that sends by itself is."""

from __future__ import annotations

import pytest

from medwarden.inventory.labelling import identify
from medwarden.inventory.spoken_for import own_words, speaks_for_others
from medwarden.model.device import Device
from medwarden.model.evidence import LedgerEntry


def ledger(*facts: tuple[str, str]) -> tuple[LedgerEntry, ...]:
    return tuple(LedgerEntry("hl7", field, value, "s", 1, 2, 3) for field, value in facts)


PUMP = (
    ("hl7.source_id", "P1"),
    ("hl7.source_kind", "MDC_DEV_PUMP_INFUS_MDS"),
    ("hl7.message_type", "ORU^R01"),
)


def test_single_pump_is_the_sender() -> None:
    own = own_words(ledger(*PUMP, ("hl7.location", "ICU"), ("hl7.source_location", "P1 at ICU/7")))
    assert {(e.field, e.value) for e in own} == {
        ("hl7.equipment", "P1"),
        ("hl7.device", "MDC_DEV_PUMP_INFUS_MDS"),
        ("hl7.message_type", "ORU^R01"),
        ("hl7.location", "ICU"),
    }
    assert identify(Device("d", "site", ledger=ledger(*PUMP))).category == "infusion_pump"


@pytest.mark.parametrize(
    "more", [("hl7.source_id", "P2"), ("hl7.role", "gateway"), ("hl7.source_serial", "9")]
)
def test_sender_for_several_is_none_of_them(more: tuple[str, str]) -> None:
    facts = ledger(*PUMP, ("hl7.source_serial", "8"), ("hl7.location", "ICU"), more)
    assert speaks_for_others(facts)
    assert not [e for e in own_words(facts) if e.field.startswith(("hl7.source", "hl7.device", "hl7.loc"))]
    assert identify(Device("d", "site", ledger=facts)).category != "infusion_pump"


def test_ledger_without_equipment_stays_as_it_is() -> None:
    facts = ledger(("hl7.equipment", "AU-680"), ("hl7.location", "LAB"))
    assert own_words(facts) is facts
    assert not speaks_for_others(facts)
