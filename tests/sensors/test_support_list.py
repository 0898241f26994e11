"""Lists of ends of support as makers and hospitals write them."""

from __future__ import annotations

import io
from datetime import date, datetime

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.model.life_cycle import Ending
from medwarden.sensors.equipment_headings import own_columns
from medwarden.sensors.support_list import FIELDS, ending_of, read_support_list

COLUMNS = """Manufacturer;Model;Firmware;End of Sale;Last Date of Support;Link
Philips;IntelliVue MP50;;31.12.2018;31.12.2024;https://example.org/mp50
Hospira;Plum A+;< 13.4;;30.06.2023;
;;;;;
Acme;;;;01.01.2024;
Acme;Pump;;;soon;
Acme;Pump;one too many;;01.01.2024;;x
"""


def ends(text: str, **more: object) -> list[tuple[str, str, str, str]]:
    read = read_support_list(text.encode(), "list.csv", **more)  # type: ignore[arg-type]
    return [(e.model, e.version, e.ending.value, e.day.isoformat()) for e in read.ends]


def test_a_column_for_each_ending() -> None:
    read = read_support_list(COLUMNS.encode(), "list.csv")
    assert [(e.line, e.vendor, e.model, e.version, e.ending, e.day) for e in read.ends] == [
        (2, "Philips", "IntelliVue MP50", "", Ending.SALE, date(2018, 12, 31)),
        (2, "Philips", "IntelliVue MP50", "", Ending.SUPPORT, date(2024, 12, 31)),
        (3, "Hospira", "Plum A+", "< 13.4", Ending.SUPPORT, date(2023, 6, 30)),
    ]
    assert read.ends[0].url == "https://example.org/mp50"
    assert read.columns[3:5] == (("End of Sale", "sale"), ("Last Date of Support", "support"))
    assert [(p.line, p.reason) for p in read.problems] == [
        (5, "it names no model"),
        (6, "'soon' is no day, or could be two"),
        (7, "7 cells, where the heading has 6"),
    ]
    assert read.rejected == 3


def test_one_column_of_days_with_what_ends_beside_it() -> None:
    text = (
        "Vendor,Product,Milestone,Date\n"
        "Cisco,ISR4331,End of Sale (EoS),2023-11-07\n"
        "Cisco,ISR4331,Last Date of Support,2028-11-30\n"
        "Cisco,ISR4331,End of Vulnerability/Security Support,2027-01-01\n"
        "Cisco,ISR4331,announcement,2022-01-01\n"
    )
    assert ends(text) == [
        ("ISR4331", "", "sale", "2023-11-07"),
        ("ISR4331", "", "support", "2028-11-30"),
        ("ISR4331", "", "security", "2027-01-01"),
    ]
    (problem,) = read_support_list(text.encode(), "x").problems
    assert problem.reason == "'announcement' does not say what ends"


def test_a_day_without_a_word_is_the_end_of_support_and_columns_are_mapped_by_hand() -> None:
    text = "Gerät|Bis\nPump 1|2024-01-31\n"
    with pytest.raises(MalformedInput, match="map its columns by hand"):
        read_support_list(text.encode(), "list.csv")
    own = own_columns(["Bis=day", "Gerät=model"], FIELDS)
    assert ends(text, own=own) == [("Pump 1", "", "support", "2024-01-31")]
    assert ends(text, own=own_columns(["Bis=security", "Gerät=model"], FIELDS))[0][2] == "security"
    with pytest.raises(ConfigurationError, match="no column is headed 'Ende'"):
        read_support_list(text.encode(), "list.csv", own | {"Ende": "day"})
    with pytest.raises(ConfigurationError, match="there is no field 'colour'"):
        own_columns(["Bis=colour"], FIELDS)
    with pytest.raises(ConfigurationError, match="maps nothing"):
        own_columns(["Bis"], FIELDS)


def test_days_that_could_be_two_are_asked_about() -> None:
    text = "model,end of support\nPump,03/04/2026\n"
    read = read_support_list(text.encode(), "list.csv")
    assert read.ends == () and read.rejected == 1
    assert ends(text, days_first=True) == [("Pump", "", "support", "2026-04-03")]
    assert ends(text, days_first=False) == [("Pump", "", "support", "2026-03-04")]
    assert ends(text + "Other,25/04/2026\n")[0][3] == "2026-04-03"


def test_a_spreadsheet_is_read_from_the_sheet_that_has_a_heading() -> None:
    book = openpyxl.Workbook()
    book.active.append(["Our notes"])
    sheet = book.create_sheet("EoL")
    sheet.append(["Ends of support of our maker"])
    sheet.append(["Make", "Model", "End of life"])
    sheet.append(["Acme", "Pump 9", datetime(2025, 5, 31)])  # noqa: DTZ001 (as a spreadsheet holds it)
    sheet.append(["Acme", 4100, "2025-06-30"])
    data = io.BytesIO()
    book.save(data)
    read = read_support_list(data.getvalue(), "list.xlsx")
    assert [(e.line, e.model, e.ending.value, e.day.isoformat()) for e in read.ends] == [
        (3, "Pump 9", "life", "2025-05-31"),
        (4, "4100", "life", "2025-06-30"),
    ]
    with pytest.raises(MalformedInput):
        read_support_list(data.getvalue()[:200], "list.xlsx")


@pytest.mark.parametrize(
    ("words", "ending"),
    [
        ("End of Sale", Ending.SALE),
        ("EOSL", Ending.SUPPORT),
        ("End-of-Service Date", Ending.SUPPORT),
        ("End of security updates", Ending.SECURITY),
        ("End of Life", Ending.LIFE),
        ("announced", None),
        ("", None),
    ],
)
def test_what_ends_is_told_by_its_words(words: str, ending: Ending | None) -> None:
    assert ending_of(words) is ending


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        read = read_support_list(b"model,end of support\n" + data, "x")
    except MalformedInput:
        return
    lines = {end.line for end in read.ends} | {problem.line for problem in read.problems}
    assert read.rejected <= len(read.problems)
    assert all(line >= 1 for line in lines)


@given(st.binary(max_size=400))
def test_bytes_of_whatever_kind_never_break_it(data: bytes) -> None:
    try:
        read_support_list(data, "x")
    except MalformedInput as error:
        assert "x" in str(error)


@given(
    st.lists(
        st.tuples(st.text("abcXYZ 0189", min_size=1, max_size=12).filter(lambda t: t.strip()), st.dates()),
        min_size=1, max_size=12,
    )
)  # fmt: skip
def test_what_is_written_is_read(rows: list[tuple[str, date]]) -> None:
    text = "model\tend of support\n" + "".join(f"{model}\t{day.isoformat()}\n" for model, day in rows)
    found = [(model, day) for model, _, _, day in ends(text)]
    assert found == [(model.strip(), day.isoformat()) for model, day in rows]
