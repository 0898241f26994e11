"""Makers by the numbers that protocols give them."""

from __future__ import annotations

import pytest

from medwarden.dissect.registry import dissectors
from medwarden.knowledge.makers import short_name
from medwarden.knowledge.taxonomy import categories
from medwarden.knowledge.vendor_ids import numbered_maker, numbered_makers


@pytest.mark.parametrize(
    ("field", "number", "name"),
    [
        ("bacnet.vendor_id", "7", "Siemens"),
        ("bacnet.vendor_id", "18", "Alerton"),
        ("bacnet.vendor_id", "44", "Matrix Controls"),
        ("bacnet.vendor_id", "313", "Siemens"),
        ("bacnet.vendor_id", "364", "Distech"),
        ("enip.vendor_id", "1", "Rockwell Automation"),
        ("knx.manufacturer_id", "197", "Weinzierl"),
    ],
)
def test_numbers_stand_for_makers(field: str, number: str, name: str) -> None:
    maker = numbered_maker(field, number)
    assert maker is not None
    assert maker.name == name


def test_a_number_that_is_not_listed_is_nobodys() -> None:
    assert numbered_maker("bacnet.vendor_id", "65000") is None
    assert numbered_maker("enip.vendor_id", "0") is None


def test_every_line_can_be_used() -> None:
    told = {field for dissector in dissectors() for field in dissector.manifest.fields}
    for (field, number), maker in numbered_makers().items():
        assert field in told
        assert number.isdigit()
        assert maker.category is None or maker.category in categories(), maker
        assert short_name(maker.name) == maker.name, f"{maker.name} has another short name"
