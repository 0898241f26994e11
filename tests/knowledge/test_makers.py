"""Names of makers."""

from __future__ import annotations

import pytest

from medwarden.knowledge.makers import is_module_maker, known_maker, maker_named, short_name
from medwarden.knowledge.taxonomy import class_of
from medwarden.model.device import DeviceClass


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Philips Lighting BV", "Philips"),
        ("Philips Medical Systems", "Philips"),
        ("GE MEDICAL SYSTEMS", "GE HealthCare"),
        ("Siemens Healthcare Diagnostics", "Siemens Healthineers"),
        ("SIEMENS", "Siemens"),
        ("Drägerwerk AG & Co. KG aA", "Draeger"),
        ("Becton, Dickinson and Company", "BD"),
        ("B.Braun Melsungen AG", "B. Braun"),
        ("TOSHIBA_MEC", "Canon Medical"),
        ("FUJI PHOTO FILM CO. LTD.", "Fujifilm"),
        ("Hologic, Inc.", "Hologic"),
        ("Some New Maker Co., Ltd.", "Some New Maker"),
        ("Inc.", "Inc."),
    ],
)
def test_short_names(text: str, name: str) -> None:
    assert short_name(text) == name


def test_a_start_is_a_whole_word() -> None:
    assert known_maker("BDO Accounting") is None
    assert known_maker("HPI Ventures") is None
    maker = known_maker("hp inc.")
    assert maker is not None
    assert maker.name == "HP"


def test_module_makers() -> None:
    for name in (
        "Espressif Inc.",
        "Murata Manufacturing Co., Ltd.",
        "Hon Hai Precision Ind. Co.,Ltd.",
        "Intel Corporate",
    ):
        assert is_module_maker(name)
    for name in ("Withings", "Mindray Co., Ltd.", "Murata Machinery, Ltd."):
        assert not is_module_maker(name)


def test_categories_of_makers_fit_their_class() -> None:
    sysmex = maker_named("Sysmex")
    assert sysmex is not None
    assert sysmex.category is not None
    assert class_of(sysmex.category) is sysmex.device_class is DeviceClass.IOMT


@pytest.mark.parametrize(
    ("registered", "name", "category"),
    [
        ("Ukg", "Kronos", "time_clock"),
        ("Translogic Corporation", "Swisslog", "pneumatic_tube"),
        ("Pevco", "Pevco", "pneumatic_tube"),
        ("American Power Conversion Corp", "APC", "ups"),
    ],
)
def test_a_registered_name_tells_what_a_maker_of_one_kind_makes(
    registered: str, name: str, category: str
) -> None:
    maker = known_maker(registered)
    assert maker is not None
    assert (maker.name, maker.category, maker.only) == (name, category, True)
    assert class_of(category) is maker.device_class


def test_a_maker_of_many_kinds_is_not_taken_for_its_daughter() -> None:
    swisslog = known_maker("Swisslog Healthcare")
    assert swisslog is not None
    assert swisslog.category is None
    assert maker_named("Swisslog") is swisslog


@pytest.mark.parametrize("piece", ["\t", " co", " ,", "a"])
def test_a_name_without_end_is_left_as_it_is(piece: str) -> None:
    text = "a" + piece * 100_000 + "x"
    assert short_name(text) == text
