"""Tables as publishers write them: lines of UTF-8 with stray Latin-1, and CSV whose cells may hold lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import IO, cast

from medwarden.kernel.errors import MalformedInput

LONGEST_LINE = 4 << 20
_LONGEST_CELL = 1 << 20
_START = 64


def lines(stream: IO[bytes], source: str) -> Iterator[tuple[int, int, str]]:
    """Yield line number, byte offset and text without its end.

    Bytes that are no UTF-8 are read as Latin-1, which older tables of authorities are. Raises
    MalformedInput for a line longer than :data:`LONGEST_LINE`.
    """
    offset = 0
    number = 0
    while line := stream.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise MalformedInput(source, "a line longer than any record", offset)
        yield (
            number,
            offset,
            _text(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).rstrip("\r\n"),
        )
        offset += len(line)


def told_by_its_start(stream: IO[bytes]) -> tuple[io.BufferedReader, bytes]:
    """Return a stream that is still at its start, and its first letter that is no blank.

    For feeds that come in two forms.
    """
    buffered = (
        stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, stream))
    )
    return buffered, buffered.peek(_START)[:_START].lstrip(b"\xef\xbb\xbf \t\r\n")[:1]


def rows(stream: IO[bytes], source: str, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield rows of CSV (RFC 4180) with the number of the line each ends in; the heading is the first."""
    table = csv.reader(
        (text + "\n" for _, _, text in lines(stream, source)), delimiter=delimiter, strict=True
    )
    while True:
        before = csv.field_size_limit(_LONGEST_CELL)  # of the whole process, so for this row alone
        try:
            row = next(table)
        except StopIteration:
            return
        except csv.Error as error:
            raise MalformedInput(source, f"line {table.line_num}: {error}") from error
        finally:
            csv.field_size_limit(before)
        yield table.line_num, row


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")
