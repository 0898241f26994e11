"""Gather a JSON report of bounded size and hand out its records one by one (RFC 8259; JSON Lines)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from medwarden.kernel.errors import MalformedInput

LARGEST = 512 << 20
_T = TypeVar("_T")


class JsonDocument:
    """A report that is an array of records, one record, or one record per line."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> None:
        """Take the next piece. Raises MalformedInput where it becomes too large."""
        self._size += len(piece)
        if self._size > LARGEST:
            raise MalformedInput(self._source, f"a JSON report of over {LARGEST >> 20} MiB", self._size)
        self._pieces.append(piece)

    def records(self, within: tuple[str, ...] = ()) -> Iterator[msgspec.Raw]:
        """Yield the records as they stand; of an object, the array under the first of ``within`` it has.

        Raises MalformedInput where the document is no JSON or holds no records.
        """
        document = b"".join(self._pieces).lstrip(b"\xef\xbb\xbf \t\r\n").rstrip()
        try:
            if document.startswith(b"["):
                yield from msgspec.json.decode(document, type=list[msgspec.Raw])
                return
            try:
                named = msgspec.json.decode(document, type=dict[str, msgspec.Raw])
            except msgspec.DecodeError:
                if b"\n" not in document:
                    raise
                yield from msgspec.json.Decoder(msgspec.Raw).decode_lines(document)
                return
            key = next((name for name in within if bytes(named.get(name, b"")).startswith(b"[")), None)
            if key is None:
                yield msgspec.Raw(document)
                return
            yield from msgspec.json.decode(named[key], type=list[msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise MalformedInput(self._source, f"broken JSON: {str(error)[:120]}") from error
        except RecursionError as error:
            raise MalformedInput(self._source, "JSON that nests too deeply") from error


def decoded(record: msgspec.Raw, kind: type[_T]) -> _T | None:
    """Return a record in its type, or None where it is of another."""
    try:
        return msgspec.json.decode(record, type=kind, strict=False)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
