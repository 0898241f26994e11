from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.model.vulnerability import VersionSpan
from medwarden.risk.recalls.codes import CUT, models_in, read_limits
from medwarden.risk.recalls.days import Days
from medwarden.risk.recalls.serials import key, place

EXAMPLES = "regulatory/openfda/device/recall/understanding-the-api-results/_examples.json"
REPORT = "regulatory/res/ucm308307.json"


def test_a_list_of_lots_of_a_real_recall(shared: Path) -> None:
    document = json.loads((shared / "knowledge" / EXAMPLES).read_text())
    codes = [text for text in _values(document, "code_info") if "13F18C0374" in text]
    limits = read_limits(codes[0])
    assert len(limits.lots.singles) == 9
    assert limits.whole
    assert place("13f18-c0374", limits.lots).inside is True
    assert place("13F18C0375", limits.lots).inside is False
    assert not limits.serials.limits


def _values(document: object, name: str) -> list[str]:
    if isinstance(document, dict):
        own = [document[name]] if isinstance(document.get(name), str) else []
        return own + [each for value in document.values() for each in _values(value, name)]
    if isinstance(document, list):
        return [each for value in document for each in _values(value, name)]
    return []


def test_reports_of_devices_are_read_and_what_is_not_is_said(shared: Path) -> None:
    lines = (shared / "knowledge" / REPORT).read_text().splitlines()
    reports = [json.loads(line) for line in lines if line.strip()]
    devices = [
        r for r in reports if r.get("product-type") == "Devices" and "XF Enter" not in r["recalling-firm"]
    ]
    texts = {r["recalling-firm"][:12]: read_limits(r["code-info"]) for r in devices}
    captiva = texts["Captiva Spin"]
    assert [run.words for run in captiva.lots.runs] == [
        "07110002 to 07110009",
        "07110010 to 07110016",
        "8110001 to 8110008",
    ]
    assert captiva.whole
    assert place("07110005", captiva.lots).inside is True
    assert place("07110017", captiva.lots).inside is False
    philips = texts["Philips Medi"]
    assert [span.exact for reading in philips.firmware for span in reading.spans] == [
        "3.2.0",
        "3.2.1",
        "3.2.3",
    ]
    plasma = texts["Plasma Surgi"]
    assert plasma.lots.singles == {"40041", "40043"}, "days of expiry are no lots"
    assert texts["Advanced Ste"].lots.singles == {"214117", "216117", "217117", "227117", "227118", "228117"}
    bare = texts["Excelsior Me"]
    assert place("00-001-BN", bare.bare).inside is True, "codes without a heading still count"


@pytest.mark.parametrize(
    ("text", "serial", "inside"),
    [
        ("Serial Numbers 1000 through 2000", "1500", True),
        ("Serial Numbers 1000 through 2000", "0001500", True),
        ("Serial Numbers 1000 through 2000", "2001", False),
        ("S/N: A10001-A10500", "A10499", True),
        ("S/N: A10001-A10500", "B10499", False),
        ("Serial No. DE61700123 - DE61700456", "de 61700200", True),
        ("Serial numbers 15001500 and above", "15001500", True),
        ("Serial numbers 15001500 and above", "15001499", False),
        ("Serial numbers prior to 20000", "19999", True),
        ("Serial numbers beginning with K7", "K70012", True),
        ("Serial numbers beginning with K7", "K80012", False),
        ("SN 12XXXX", "120045", True),
        ("All serial numbers", "anything1", True),
        ("Serial numbers: 100 to 250 except 120", "130", None),
        ("Serial numbers: see attached list", "130", None),
        ("Serial number 12345-67", "12350", None),
        ("Serial number 12345-67", "1234567", True),
        ("Serial numbers: A1, B2, C33", "C33", True),
        ("Serial Numbers: US12345678, and DE12345679.", "DE12345679", True),
        ("(01)00380652443289(21)SN777", "SN777", True),
    ],
)
def test_serial_numbers_in_lists_ranges_and_words(text: str, serial: str, inside: bool | None) -> None:
    assert place(serial, read_limits(text).serials).inside is inside


def test_one_text_with_everything() -> None:
    limits = read_limits(
        "Model Number: MX750; UDI-DI: 00884838089273; Software revisions N.00 and N.01; all units "
        "manufactured between January 2015 and March 3, 2016. Expiration date 01/2020."
    )
    assert limits.models == {"MX750"}
    assert limits.identifiers == {"00884838089273"}
    assert [span.exact for reading in limits.firmware for span in reading.spans] == ["N.00", "N.01"]
    assert limits.made == (Days("2015-01-01", "2016-03-03"),)
    assert not limits.serials.limits
    assert not limits.lots.limits


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("Software versions 1.0 through 2.3", VersionSpan("1.0", True, "2.3", True)),
        ("all software versions prior to 4.2", VersionSpan(None, True, "4.2", False)),
        ("Devices with firmware version 2.0 and below", VersionSpan(None, True, "2.0", True)),
    ],
)
def test_versions_of_firmware(text: str, span: VersionSpan) -> None:
    limits = read_limits(text)
    assert [each for reading in limits.firmware for each in reading.spans] == [span]
    assert limits.whole


def test_all_units_and_nothing_said_are_not_the_same() -> None:
    assert read_limits("All units").every
    assert read_limits("All lots").lots.every
    assert not read_limits("").said
    assert not read_limits("All units with serial number 5 and above").every


def test_a_text_that_was_cut_excludes_nobody() -> None:
    limits = read_limits("Serial Numbers: A1000, A1001, A10" + CUT)
    assert limits.cut
    assert not limits.whole


def test_sold_is_not_made() -> None:
    limits = read_limits("Serial numbers: K100, K101 (all units distributed between 1/5/2015 and 3/2016)")
    assert limits.distributed == (Days("2015-01-05", "2016-03-31"),)
    assert limits.made == ()
    assert limits.serials.singles == {"K100", "K101"}


def test_model_numbers_behind_their_headings() -> None:
    found = models_in("Infusion pump, REF 8713050U, Catalog No. 12-345, Model No. AB-7")
    assert found == {key("8713050U"), key("12-345"), key("AB-7")}
    assert models_in("Infusion pump 500") == frozenset()


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    limits = read_limits(text)
    assert limits.said == bool(text.strip())
    place("A100", limits.serials)
    place("A100", limits.lots)


@given(st.integers(0, 10**8), st.integers(0, 10**6), st.sampled_from(["", "SN", "AB-"]))
def test_a_range_holds_its_ends_and_nothing_beside_them(low: int, more: int, prefix: str) -> None:
    text = f"Serial numbers {prefix}{low:09d} through {prefix}{low + more + 1:09d}"
    serials = read_limits(text).serials
    inside = {
        at: place(f"{prefix}{low + at:09d}", serials).inside
        for at in (-1, 0, more, more + 1, more + 2)
        if low + at >= 0
    }
    assert inside.pop(-1, False) is False
    assert inside.pop(more + 2) is False
    assert all(inside.values())
