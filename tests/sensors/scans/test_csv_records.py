"""Rows of strangers' CSV files come out the same however the file is cut."""

from __future__ import annotations

import pytest

from medwarden.sensors.scans.csv_records import CsvRecords

Rows = list[tuple[int, list[str]]]


def rows(data: bytes, *cuts: int) -> Rows:
    """Return what is read of a file in pieces."""
    records = CsvRecords("report.csv")
    found: Rows = []
    for start, end in zip((0, *cuts), (*cuts, len(data)), strict=True):
        found += records.rows(data[start:end])
    return found + list(records.rows(b"", final=True))


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"])
def test_a_record_is_on_the_line_it_begins_on_wherever_the_file_is_cut(end: bytes) -> None:
    data = b"\xef\xbb\xbf" + end.join((b"a,b", b'1,"two' + b"", b'lines"', b"", "ä,3".encode(), b"4,5"))
    whole = rows(data)
    assert [line for line, _ in whole] == [1, 2, 5, 6]
    assert whole[1][1][1].split() == ["two", "lines"]
    for cut in range(len(data) + 1):
        assert rows(data, cut) == whole
    assert rows(data, *range(1, len(data))) == whole
