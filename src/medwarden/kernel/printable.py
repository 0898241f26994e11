"""Text from outside made fit for one line on a terminal, in a log or in JSON, and for a cell of a table."""

from __future__ import annotations

_FORMULA = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")
_BREAKING = frozenset("\t\r\n")


def printable(text: str) -> str:
    r"""Return ``text`` with everything escaped that is not printable: controls, direction marks, lone bytes.

    File names may hold any byte but NUL and ``/``; Python carries those that are no UTF-8 as lone
    surrogates (PEP 383), which no encoder takes. They become ``\xff``, a newline ``\n``, and a terminal's
    escape character ``\x1b``, so that a name can neither break a line nor steer a terminal.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8 (PEP 383)
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def neutral_text(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula (OWASP, CSV injection).

    What begins like one gets an apostrophe before it, also behind blanks and characters that do not print,
    which some take away, and in full width, as keyboards in East Asia write it.
    """
    begins = next((c for c in text if not c.isspace() and c.isprintable() and c != "\ufeff"), "")
    return f"'{text}" if begins in _FORMULA or text[:1] in _BREAKING else text


def neutral_cell(value: object) -> object:
    """Return a cell of a table that no spreadsheet takes for a formula; what is no text stays."""
    return neutral_text(value) if isinstance(value, str) else value
