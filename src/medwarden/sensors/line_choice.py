"""Which parser a syslog message belongs to: what it says decides, not who sent it or to which port.

Parsers of lines that tell a single message of their source by ``claims`` are asked in turn; what none of
them claims is plain syslog.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from medwarden.model.log_source import Framing, LogParser
from medwarden.sensors.logs.registry import parsers
from medwarden.sensors.logs.syslog_lines import SyslogLines

MOST_MESSAGE = 64 * 1024
"""Octets of the longest message that is taken (RFC 5424 6.1 asks for 2,048 at least)."""

_BREAKS = bytes.maketrans(b"\r\n\0", b"   ")


@cache
def _claimants() -> tuple[tuple[Callable[[bytes], bool], type[LogParser]], ...]:
    return tuple(
        (parser.claims, parser)
        for parser in parsers()
        if parser.manifest.framing is Framing.LINES
        and parser is not SyslogLines
        and hasattr(parser, "claims")
    )


def line_parser(message: bytes) -> type[LogParser] | None:
    """Return the parser of one syslog message; None only for a message with nothing in it."""
    for claims, parser in _claimants():
        if claims(message):
            return parser
    return SyslogLines if message.strip() else None


def one_line(message: bytes) -> bytes:
    """Return a message as one line: breaks within it, and NULs that senders append, become blanks."""
    return message.rstrip(b"\r\n\0 ").translate(_BREAKS) + b"\n"
