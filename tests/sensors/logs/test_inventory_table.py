"""Spreadsheets of strangers: bombs are refused by what their directory says, before anything is unpacked."""

from __future__ import annotations

import io
import zipfile

import openpyxl
import pytest

from medwarden.model.log_source import LogSetting
from medwarden.sensors.logs.inventory_headings import columns_of, ips_of, is_heading, macs_of
from medwarden.sensors.logs.inventory_table import InventoryTable

SETTING = LogSetting(b"only for these tests............", now_ns=1_700_000_000_000_000_000)


def reasons(document: bytes) -> list[str]:
    table = InventoryTable("inventory.xlsx", SETTING)
    table.feed(document, 0)
    assert table.tally.count.balanced()
    assert table.take(final=True).empty()
    return list(table.tally.reasons)


def archive(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(name.replace("__", "/") + ".xml", data)
    return stream.getvalue()


def test_a_bomb_is_refused_by_its_ratio() -> None:
    (reason,) = reasons(archive(xl__workbook=b"<a/>", xl__worksheets__sheet1=b" " * (64 << 20)))
    assert reason == "a spreadsheet that unpacks to more than 200 times its size"


def test_a_bomb_is_refused_by_its_size() -> None:
    members = {f"xl__worksheets__sheet{n}": b" " * (48 << 20) for n in range(6)}
    (reason,) = reasons(archive(xl__workbook=b"<a/>", **members))
    assert reason == "a spreadsheet that unpacks to more than 256 MiB"


def test_two_cells_that_lie_far_apart_take_no_room() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet["A1"] = "mac"
    sheet["XFD1048576"] = "ip"
    stream = io.BytesIO()
    book.save(stream)
    (reason,) = reasons(stream.getvalue())
    assert "reach over more than" in reason


@pytest.mark.parametrize(
    "document", [b"PK\x03\x04", b"PK\x03\x04xl/" + b"\0" * 500, archive(xl__workbook=b"<a")]
)
def test_what_is_no_spreadsheet_is_said_so(document: bytes) -> None:
    assert len(reasons(document)) == 1


def test_too_many_members() -> None:
    (reason,) = reasons(archive(**{f"xl__x{n}": b"" for n in range(5000)}))
    assert "more than 4,096 members" in reason


@pytest.mark.parametrize(
    ("text", "macs"),
    [
        ("00:09:FB:12:34:56", ["00:09:fb:12:34:56"]),
        ("0009.fb12.3456", ["00:09:fb:12:34:56"]),
        ("0009FB123456", ["00:09:fb:12:34:56"]),
        ("00 09 fb 12 34 56", ["00:09:fb:12:34:56"]),
        ("0:9:fb:12:34:56", ["00:09:fb:12:34:56"]),
        ("00-09-FB-12-34-56; 00-09-FB-12-34-57", ["00:09:fb:12:34:56", "00:09:fb:12:34:57"]),
        ("00:00:00:00:00:00", []),
        ("1.12E+10", []),
    ],
)
def test_hardware_addresses_as_people_type_them(text: str, macs: list[str]) -> None:
    assert macs_of(text) == macs


@pytest.mark.parametrize(
    ("text", "ips"),
    [
        ("10.1.5.9/24", ["10.1.5.9"]),
        ("010.001.005.009", ["10.1.5.9"]),
        ("10.1.5.9; 10.1.6.9", ["10.1.5.9", "10.1.6.9"]),
        ("FE80::1", ["fe80::1"]),
        ("0.0.0.0", []),
        ("DHCP", []),
        ("10.1.5.300", []),
    ],
)
def test_addresses_as_people_type_them(text: str, ips: list[str]) -> None:
    assert ips_of(text) == ips


@pytest.mark.parametrize(
    "headings",
    [
        ["MAC-Adresse", "Hersteller"],
        ["Adresse MAC", "Fabricant", "N° de série"],
        ["Dirección MAC", "Fabricante"],
        ["Indirizzo IP", "Produttore"],
        ["IP-adres", "Fabrikant"],
        ["Endereço IP", "Número de série"],
    ],
)
def test_headings_in_the_languages_of_hospitals(headings: list[str]) -> None:
    columns = columns_of(headings, {})
    assert is_heading(columns)
    assert len(columns) == len(headings)


def told(document: bytes) -> tuple[InventoryTable, set[str]]:
    """Return the reader of a list and the interfaces it found."""
    table = InventoryTable("inventory.csv", SETTING)
    assert InventoryTable.recognises(document)
    table.feed(document, 0)
    assert table.tally.count.balanced()
    facts = table.take(final=True).facts
    return table, {fact.evidence.value for fact in facts if fact.evidence.field == "inventory.mac"}


ONE, TWO = "02:00:00:00:01:01", "02:00:00:00:01:02"


@pytest.mark.parametrize(
    "text",
    [
        f"mac,serial\n{ONE},1,\n{TWO},2,,\n",
        f"mac,serial,,\n{ONE},1\n{TWO},2,,\n",
        f"sep=;\r\nMAC;Serial\r\n{ONE};1\r\n{TWO};2\r\n",
        f'"mac","location"\r"{ONE}","A\r1"\r"{TWO}","B"\r',
    ],
)
def test_empty_cells_at_the_end_and_whatever_line_ends_cost_nothing(text: str) -> None:
    table, macs = told(text.encode())
    assert macs == {ONE, TWO}
    assert table.tally.count.rejected == 0


def test_a_quote_without_an_end_does_not_swallow_what_follows() -> None:
    table, macs = told(f'mac,location\n{ONE},"A 1\n{TWO},B\n'.encode())
    assert macs == {TWO}
    assert table.tally.fault == "inventory.csv, byte 13: a row that is no CSV"


def test_a_fault_is_named_with_the_byte_of_the_file_whatever_its_encoding() -> None:
    text = f"mac,location\n{ONE},Zürich\nnonsense,Köln\n{TWO},Bern\n"
    for encoding in ("utf-8", "utf-8-sig", "cp1252"):
        document = text.encode(encoding)
        table, macs = told(document)
        assert macs == {ONE, TWO}
        assert (table.tally.fault or "").startswith(f"inventory.csv, byte {document.index(b'nonsense')}: ")
