"""Text from outside made fit for one line on a terminal, in a log or in JSON."""

from __future__ import annotations


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


def neutral_cell(value: object) -> object:
    """Return a cell of a table that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        return f"'{value}"
    return value
