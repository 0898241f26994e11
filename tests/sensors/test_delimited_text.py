"""Delimited text as people and programs write it: nothing is lost for a quote, and positions are exact."""

from __future__ import annotations

import csv
import io
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from medwarden.sensors.delimited_text import TextRow, encoding_of, text_of, text_rows, width_refusal


def rows(text: str, delimiter: str = ",", encoding: str = "utf-8") -> list[TextRow]:
    return list(text_rows(text_of(text.encode(encoding), encoding), delimiter, encoding))


@given(
    st.lists(st.lists(st.text('aä "\n\r,;\u2028\x0b', max_size=6), min_size=2, max_size=4), max_size=6),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_was_written_is_read(table: list[list[str]], end: str) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(table)
    found = rows(text.getvalue())
    assert [row.cells for row in found] == table
    octets = text.getvalue().encode()
    starts = [row.offset for row in found] + [len(octets)]
    assert starts[:1] in ([0], [len(octets)])
    pieces = [octets[a:b].decode() for a, b in pairwise(starts)]
    assert [next(csv.reader(io.StringIO(piece, newline=""))) for piece in pieces] == table


@given(st.text('a",\n\r ', max_size=60))
def test_every_line_is_in_a_row_and_no_row_begins_twice(text: str) -> None:
    found = rows(text)
    starts = [row.offset for row in found]
    assert starts == sorted(set(starts))
    assert all(row.line >= 1 for row in found)
    assert bool(found) == bool(text)


def test_a_quote_that_is_never_closed_costs_its_own_line_alone() -> None:
    found = rows('mac,place\n1,"A\n1"\n2,"ward\n3,C\n')
    assert found == [
        TextRow(1, 0, ["mac", "place"]),
        TextRow(2, 10, ["1", "A\n1"]),
        TextRow(4, 18, None),
        TextRow(5, 26, ["3", "C"]),
    ]


def test_a_cell_that_is_too_long_costs_its_own_line_alone() -> None:
    found = rows(f"a,b\n1,{'x' * 200_000}\n2,y\n")
    assert [row.cells for row in found] == [["a", "b"], None, ["2", "y"]]


def test_reading_again_has_an_end() -> None:
    line = 'x",",y\n'  # inside a cell at its end, whether it began inside one or not
    count = 20_000
    found = rows(line * count)
    assert len(found) < 2_000
    assert all(row.cells is None for row in found)


def test_bytes_are_counted_as_they_stand() -> None:
    for encoding in ("utf-8", "cp1252"):
        octets = "ä,b\nc,d\n".encode(encoding)
        found = list(text_rows(text_of(octets, encoding), ",", encoding, 7))
        assert found[1].offset == 7 + octets.index(b"c")


def test_how_it_is_encoded() -> None:
    assert encoding_of("Zürich".encode()) == "utf-8-sig"
    assert encoding_of("Zürich".encode("utf-16")) == "utf-16"
    assert encoding_of("Zürich".encode("latin-1")) == "cp1252"


def test_empty_cells_at_the_end_do_no_harm() -> None:
    assert width_refusal(["1", "2", "", ""], ["a", "b"]) is None
    assert width_refusal(["1"], ["a", "", ""]) is None
    assert width_refusal(["1", "2", "3"], ["a", "b"]) == "3 cells, where the heading has 2"
    assert width_refusal(["1"], ["a", "b"]) == "1 cells, where the heading has 2"
