from __future__ import annotations

import datetime
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.kernel.errors import MalformedInput
from medwarden.knowledge.udi import Agency, Udi, gtin_check_digit, hibc_check_character, parse_udi

ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def hibc(body: str) -> str:
    return body + hibc_check_character(body)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "(01)00208851107347(17)150331",
            Udi(Agency.GS1, "00208851107347", expires="2015-03-31"),
        ),
        (
            "(01)51022222233336(11)141231(17)150707(10)A213B1(21)1234",
            Udi(Agency.GS1, "51022222233336", "A213B1", "1234", "2014-12-31", "2015-07-07"),
        ),
        (
            "0151022222233336111412311715070710A213B1\x1d211234",
            Udi(Agency.GS1, "51022222233336", "A213B1", "1234", "2014-12-31", "2015-07-07"),
        ),
        ("(01)08717648200274(17)261100", Udi(Agency.GS1, "08717648200274", expires="2026-11-30")),
        ("08717648200274", Udi(Agency.GS1, "08717648200274")),
        ("+A123BJC5D6E71G", Udi(Agency.HIBCC, "A123BJC5D6E71")),
        ("+E20831269/$$8020423286539+", Udi(Agency.HIBCC, "E20831269", "286539", expires="2023-04-30")),
        (
            hibc("+A999123450/$$42002021612AB/SXYZ7/16D20130202"),
            Udi(Agency.HIBCC, "A999123450", "12AB", "XYZ7", "2013-02-02", "2020-02-02"),
        ),
        (
            hibc("+A999123450/$$+3260131SER7"),
            Udi(Agency.HIBCC, "A999123450", None, "SER7", None, "2026-01-31"),
        ),
        (hibc("+A999123450/$LOT9"), Udi(Agency.HIBCC, "A999123450", "LOT9")),
        (hibc("+A999123450/26032LOT9"), Udi(Agency.HIBCC, "A999123450", "LOT9", expires="2026-02-01")),
        (
            "=/A9999XYZ100T0944=,000025=A99971312345600=>014032=}013032&,1000000000000XYZ123",
            Udi(
                Agency.ICCBBA, "A9999XYZ100T0944", "000000000000XYZ123", "000025", "2013-02-01", "2014-02-01",
                "A99971312345600",
            ),
        ),
    ],
)  # fmt: skip
def test_identifiers_of_the_three_agencies(text: str, expected: Udi) -> None:
    assert parse_udi(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("(01)00208851107346", "check digit"),
        ("(01)00208851107347(17)150231", "no date"),
        ("(17)150331", "no device identifier"),
        ("(01)00208851107347 (17)150331 trailing(", "not all of it"),
        ("(01)00208851107347(10)A(10)B", "twice"),
        ("0100208851107347171503", "cut off"),
        ("+A999123450X", "check character"),
        ("+", "check character"),
        (hibc("+A9"), "no labeler"),
        ("=/TOOSHORT", "16 characters"),
        ("=!x", "no data structure"),
        ("hello", "no form"),
        ("", "1 to 256"),
        ("1" * 300, "1 to 256"),
    ],
)
def test_what_is_no_identifier_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(MalformedInput, match=re.escape(reason)):
        parse_udi(text)


def test_an_answer_of_accessgudid_is_the_same(shared: Path) -> None:
    folder = shared / "knowledge/regulatory/gudid"
    answer = json.loads((folder / "json_parse_udi_by_unique_device_identifier_code.json").read_text())
    found = parse_udi(answer["udi"])
    assert (found.agency.value, found.di) == (answer["issuingAgency"], answer["di"])
    assert (found.expires, found.manufactured) == (answer["expirationDate"], answer["manufacturingDate"])
    assert (found.lot, found.serial) == (answer["lotNumber"], answer["serialNumber"])
    assert found.donation == answer["donationId"]
    # the other example of the service has a check digit that does not fit, which it does not look at
    other = json.loads((folder / "json_parse_udi_by_device_identifier_code.json").read_text())
    with pytest.raises(MalformedInput, match="check digit"):
        parse_udi(other["udi"])


@given(
    st.text("0123456789", min_size=13, max_size=13),
    st.dates(min_value=datetime.date(2000, 1, 1), max_value=datetime.date(2050, 1, 1)),
    st.text(ALPHANUMERIC, min_size=1, max_size=20),
    st.text(ALPHANUMERIC, min_size=1, max_size=20),
)
def test_both_ways_of_writing_gs1_say_the_same(
    digits: str, expires: datetime.date, lot: str, serial: str
) -> None:
    gtin = digits + gtin_check_digit(digits)
    date = expires.strftime("%y%m%d")
    printed = parse_udi(f"(01){gtin}(17){date}(10){lot}(21){serial}")
    scanned = parse_udi(f"01{gtin}17{date}10{lot}\x1d21{serial}")
    assert printed == scanned == Udi(Agency.GS1, gtin, lot, serial, expires=expires.isoformat())


@given(st.text("0123456789", min_size=13, max_size=13), st.integers(0, 13), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(digits: str, at: int, more: int) -> None:
    gtin = digits + gtin_check_digit(digits)
    wrong = gtin[:at] + str((int(gtin[at]) + more) % 10) + gtin[at + 1 :]
    with pytest.raises(MalformedInput):
        parse_udi(f"(01){wrong}")


@given(
    st.text(ALPHANUMERIC, min_size=1, max_size=18),
    st.integers(0, 9),
    st.text(ALPHANUMERIC, min_size=1, max_size=12),
)
def test_hibc_comes_back(product: str, unit: int, lot: str) -> None:
    found = parse_udi(hibc(f"+H123{product}{unit}/$$7{lot}"))
    assert (found.agency, found.di, found.lot) == (Agency.HIBCC, f"H123{product}{unit}", lot)


@given(st.one_of(st.text(max_size=60), st.text("()+=/$&,>}0123456789AX\x1d", max_size=60)))
def test_any_text_is_an_identifier_or_one_named_error(text: str) -> None:
    try:
        assert parse_udi(text).di
    except MalformedInput as error:
        assert error.source == "UDI"


@pytest.mark.parametrize(
    "text",
    [
        "(01)04046963000011(17)+1+1+1",
        "(01)04046963000011(17) 1 1 1",
        "(01)04046963000011(17)\u0662\u0666\u0660\u0661\u0660\u0661",
        "\u0664046963000011",
        "=/A9999XYZ100T0944=,12",
        "=/A9999XYZ100T0944=>02601",
        "=/A9999XYZ100T0944=,000025=,000026",
    ],
)
def test_digits_are_digits_and_nothing_is_cut_off(text: str) -> None:
    with pytest.raises(MalformedInput):
        parse_udi(text)
