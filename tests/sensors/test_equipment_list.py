from __future__ import annotations

import datetime
import io

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.kernel.errors import ConfigurationError, MalformedInput, MedwardenError
from medwarden.model.book import FIELDS, EquipmentList
from medwarden.sensors.equipment_headings import (
    date_of,
    day_first,
    money_of,
    own_columns,
    standing_of,
    system_of,
)
from medwarden.sensors.equipment_list import MOST_PROBLEMS, read_list

ENGLISH = """Asset list of 2026-11-01
Control Number,Serial Number,Manufacturer,Model,Equipment Description,MAC Address,Department,Bldg,Room,\
Primary Technician,PM Due,Status,Purchase Price,Notes
A-1001,SN 4711,B. Braun,Infusomat Space,"PUMP, INFUSION",00:1E:C0:00:00:01,ICU,Main,2.07,J. Doe,03/31/2027,\
In Use,"$1,234.50",first
A-1002,4712,B. Braun,Infusomat Space,"PUMP, INFUSION",,ICU,Main,2.08,J. Doe,04/15/2027,Retired,,second
"""
GERMAN = (
    "Inventarnummer;Seriennummer;Hersteller;Typ;Gerätebezeichnung;Kostenstelle;Gebäude;Raum;"
    "nächste STK;Status;Anschaffungswert\r\n"
    "100234;DE-77;Dräger;Evita V500;Beatmungsgerät;ITS 1;Haus 3;3.110;01.02.2027;in Betrieb;32.500,00 €\r\n"
)


def read(text: str, **options: object) -> EquipmentList:
    return read_list(text.encode(), "list.csv", **options)  # type: ignore[arg-type]  # options of each test


def test_an_english_list_is_read_by_its_words() -> None:
    found = read(ENGLISH)
    assert found.unmapped == ("Notes",)
    assert dict(found.columns)["Control Number"] == "asset_tag"
    first, second = found.records
    assert first.key == "asset_tag:A-1001" and first.line == 3
    assert first.said == {
        "asset_tag": "A-1001",
        "serial": "SN 4711",
        "vendor": "B. Braun",
        "model": "Infusomat Space",
        "category": "PUMP, INFUSION",
        "mac": "00:1e:c0:00:00:01",
        "department": "ICU",
        "building": "Main",
        "room": "2.07",
        "technician": "J. Doe",
        "next_pm": "2027-03-31",
        "status": "active",
        "cost": "1234.50",
        "currency": "USD",
    }
    assert second.said["status"] == "retired" and second.said["next_pm"] == "2027-04-15"


def test_a_german_list_in_the_code_page_of_windows_is_read() -> None:
    found = read_list(GERMAN.encode("cp1252"), "geraete.csv")
    assert found.records[0].said == {
        "asset_tag": "100234",
        "serial": "DE-77",
        "vendor": "Dräger",
        "model": "Evita V500",
        "category": "Beatmungsgerät",
        "department": "ITS 1",
        "building": "Haus 3",
        "room": "3.110",
        "next_pm": "2027-02-01",
        "status": "active",
        "cost": "32500.00",
        "currency": "EUR",
    }


def test_the_tables_of_servicenow_are_known_by_their_columns() -> None:
    found = read(
        "sys_id,asset_tag,serial_number,model_id.manufacturer,model_id.display_name,install_status,u_mac_address,"
        "managed_by\nabc123,P100,S1,Philips,IntelliVue MX450,Installed,0009fb000001,Jane Roe\n"
    )
    assert found.system == "servicenow" and found.unmapped == ()
    said = found.records[0].said
    assert found.records[0].key == "record:abc123"
    assert (said["vendor"], said["model"], said["status"]) == ("Philips", "IntelliVue MX450", "active")
    assert said["mac"] == "00:09:fb:00:00:01"
    assert system_of(["x_nuvo_eam_asset_tag", "serial"]) == "nuvolo"


def test_a_spreadsheet_keeps_its_dates_and_numbers() -> None:
    book = openpyxl.Workbook()
    book.active.append(["Equipment of the hospital"])
    book.active.append(["Asset No", "Serial", "Make", "Last PM", "Cost"])
    book.active.append([100, 4711, "GE", datetime.date(2026, 3, 4), 1500.5])
    file = io.BytesIO()
    book.save(file)
    found = read_list(file.getvalue(), "list.xlsx")
    assert found.records[0].line == 3
    assert found.records[0].said == {
        "asset_tag": "100",
        "serial": "4711",
        "vendor": "GE",
        "last_pm": "2026-03-04",
        "cost": "1500.5",
    }


def test_a_person_corrects_columns() -> None:
    own = own_columns(["Notes=owner", "Room=-"])
    found = read(ENGLISH, own=own)
    assert found.records[0].said["owner"] == "first"
    assert "room" not in found.records[0].said and "Room" in found.unmapped
    with pytest.raises(ConfigurationError, match="there is no field 'wheel'"):
        own_columns(["Notes=wheel"])
    with pytest.raises(ConfigurationError, match="no column is headed 'Nonsense'"):
        read(ENGLISH, own={"Nonsense": "owner"})


def test_a_table_whose_headings_mean_nothing_is_read_once_they_are_mapped() -> None:
    text = "Alpha,Beta\n17,GE\n"
    with pytest.raises(MalformedInput, match="map its columns by hand"):
        read(text)
    found = read(text, own={"Alpha": "asset_tag", "Beta": "vendor"})
    assert found.records[0].said == {"asset_tag": "17", "vendor": "GE"}


def test_bad_rows_are_counted_and_named_and_nothing_else_is_lost() -> None:
    found = read(
        "Asset Tag,Serial,MAC,Next PM\nA1,S1,00:11:22:33:44:55,2027-01-02\nA2,S2\nA3,S3,nonsense,someday\n"
        ',,,\n,,,2027-01-01\nA1,S4,,\n"open quote\nA6,S6,,\n'
    )
    assert [record.key for record in found.records] == [
        "asset_tag:A1", "asset_tag:A3", "asset_tag:A1#2", "asset_tag:A6"
    ]  # fmt: skip
    assert [(p.line, p.reason, p.rejected) for p in found.problems] == [
        (3, "2 cells, where the heading has 4", True),
        (4, "mac: 'nonsense' cannot be read", False),
        (4, "next_pm: 'someday' cannot be read", False),
        (6, "nothing in it that a device could be known by", True),
        (7, "the same asset_tag as a row before it", False),
        (8, "a row that is no CSV", True),
    ]
    assert found.rejected == 3


def test_several_columns_of_addresses_count_together() -> None:
    found = read("Tag,MAC1,WLAN MAC\nA,00-11-22-33-44-55,0011.2233.4466\n")
    assert found.records[0].said["mac"] == "00:11:22:33:44:55 00:11:22:33:44:66"


def test_dates_that_could_be_two_are_left_out_and_named_until_somebody_decides() -> None:
    text = "Tag,Last PM,Next PM\nA,03/04/2026,05/06/2027\n"
    found = read(text)
    assert "last_pm" not in found.records[0].said and len(found.problems) == 2
    assert read(text, days_first=True).records[0].said["last_pm"] == "2026-04-03"
    assert read(text, days_first=False).records[0].said["last_pm"] == "2026-03-04"
    decided = read("Tag,Last PM,Next PM\nA,03/04/2026,25/06/2027\n")
    assert decided.records[0].said["last_pm"] == "2026-04-03"


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2026-03-04", "2026-03-04"),
        ("2026-03-04 10:00:00", "2026-03-04"),
        ("4-Mar-2026", "2026-03-04"),
        ("Mar 4, 2026", "2026-03-04"),
        ("04.03.26", "2026-03-04"),
        ("46085", "2026-03-04"),
        ("31.02.2026", None),
        ("never", None),
    ],
)
def test_dates_in_the_forms_people_type(text: str, date: str | None) -> None:
    assert date_of(text, True) == date


def test_the_order_of_day_and_month_is_told_by_the_list() -> None:
    assert day_first(["01/02/2026", "13/02/2026"]) is True
    assert day_first(["01/02/2026", "02/13/2026"]) is False
    assert day_first(["13/02/2026", "02/13/2026"]) is None
    assert day_first(["01/02/2026"]) is None


@pytest.mark.parametrize(
    ("text", "money"),
    [
        ("1.234,50 €", ("1234.50", "EUR")),
        ("$1,234.50", ("1234.50", "USD")),
        ("CHF 1'200", ("1200", "CHF")),
        ("12,500", ("12500", "")),
        ("99.9", ("99.9", "")),
        ("free", None),
    ],
)
def test_prices(text: str, money: tuple[str, str] | None) -> None:
    assert money_of(text) == money


def test_words_of_standing() -> None:
    assert [standing_of(w) for w in ("In Use", "Ausgemustert", "On loan", "Réformé", "quarantined")] == [
        "active",
        "retired",
        "loaned",
        "retired",
        "quarantined",
    ]


@given(st.binary(max_size=400))
def test_any_bytes_are_a_list_or_one_named_error(document: bytes) -> None:
    try:
        found = read_list(b"Asset Tag,Serial,Next PM,Cost\n" + document, "x")
    except MedwardenError:
        return
    for record in found.records:
        assert set(record.said) <= set(FIELDS) and all(record.said.values())


@given(
    st.lists(st.tuples(*(st.text("abcXYZ 0123456789-;,\"'äß", max_size=12) for _ in range(3))), max_size=8),
    st.sampled_from([",", ";", "\t"]),
)
def test_a_table_that_csv_writes_comes_back(rows: list[tuple[str, ...]], delimiter: str) -> None:
    import csv

    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(["Asset Tag", "Serial", "Model"])
    writer.writerows(rows)
    found = read(text.getvalue())
    assert len(found.records) + found.rejected <= len(rows)
    assert len({record.key for record in found.records}) == len(found.records)


def test_of_very_many_problems_the_first_are_named_and_all_are_counted() -> None:
    found = read("Asset Tag,Serial\n" + "x\n" * (MOST_PROBLEMS + 500) + "A1,S1\n")
    assert found.rejected == MOST_PROBLEMS + 500
    assert len(found.problems) == MOST_PROBLEMS
    assert [record.said["serial"] for record in found.records] == ["S1"]


def test_a_letter_cut_between_two_pieces_keeps_its_encoding() -> None:
    filler = "x" * ((1 << 20) - len("Asset Tag,Serial\nA1,") - 1)
    found = read(f"Asset Tag,Serial\nA1,{filler}\u00e4\nA2,\u00e4\n")
    assert found.records[-1].said["serial"] == "\u00e4"
