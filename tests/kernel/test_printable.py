"""Text made printable: nothing that steers a terminal is left, and every encoder takes it."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.kernel.printable import printable


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
