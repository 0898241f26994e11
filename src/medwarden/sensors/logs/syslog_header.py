"""The header of a line of log: when, which host, which program; and what is left.

RFC 5424 section 6, RFC 3164 section 4.1 and what is written in its place: years behind the day (Cisco ASA),
sequence numbers and milliseconds before it (Cisco IOS), ISO 8601 times (rsyslog's file format). A time
without a year gets the one that brings it nearest to the present.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from medwarden.kernel.clock import NANOSECONDS
from medwarden.sensors.logs.times import ns_of_text, zone

_MONTHS = {
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "oct": 10,
    "nov": 11, "dec": 12,
}  # fmt: skip
_PRIORITY = re.compile(r"<(\d{1,3})>")
_OLD = re.compile(
    r"(?:\d+: )?(?:(?P<host>[\w.-]+): )?[*.]?([A-Z][a-z]{2}) {1,2}(\d{1,2})(?: (\d{4}))? "
    r"(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?"
    r"(?: ([A-Z]{2,5}))?:? "
)
_YEAR_LAST = re.compile(r"(?:[A-Z][a-z]{2} )?([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d) (\d{4}):? ")
_ISO = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?),? +")
_NEW = re.compile(
    r"1 (\S+) (\S+) (\S+) (\S+) (\S+) (-|\[(?:[^\]\\]|\\.)*\](?:\[(?:[^\]\\]|\\.)*\])*) ?", re.DOTALL
)
_HOST = re.compile(r"(?!CEF:|LEEF:|%)([A-Za-z0-9_.:-]{1,255}) +")
_TAG = re.compile(r"(?!CEF:|LEEF:)([A-Za-z0-9_./-]{1,48})(?:\[(\d+)\])?: ?")
_UNIVERSAL = frozenset({"UTC", "GMT", "Z"})
_MOST_HEAD = 4096
_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"


class Message(NamedTuple):
    """A line of log taken apart. ``ts_ns`` is None where it has no time, ``host``, ``app`` may be empty."""

    ts_ns: int | None
    host: str
    app: str
    body: str


def split_message(line: str, now_ns: int, zone_name: str) -> Message:
    """Return the header and the rest of one line of log; a line without any header is all body."""
    rest = line
    priority = _PRIORITY.match(line)
    if priority is not None and int(priority[1]) <= 191:
        rest = line[priority.end() :]
        if new := _NEW.match(rest[:_MOST_HEAD]):
            return _new_form(new, rest)
    moment, behind, host = _time(rest, now_ns, zone_name)
    if moment is None:
        tag = _TAG.match(rest) if priority is not None else None
        return Message(None, "", tag[1] if tag else "", rest[tag.end() :] if tag else rest)
    word = None if host else _HOST.match(rest, behind)
    if word is not None and not word[1].endswith(":"):
        host, behind = word[1], word.end()
        if rest.startswith(": ", behind):  # Cisco ASA: "host : %ASA-..."
            behind += 2
    elif word is not None and rest[word.end() : word.end() + 1] == "%":
        host, behind = word[1].rstrip(":"), word.end()
    tag = _TAG.match(rest, behind)
    if tag is not None:
        return Message(moment, host, tag[1], rest[tag.end() :])
    return Message(moment, host, "", rest[behind:])


def _new_form(new: re.Match[str], rest: str) -> Message:
    moment = None if new[1] == "-" else ns_of_text(new[1], "UTC")
    host, app = ("" if word == "-" else word for word in (new[2], new[3]))
    structured = "" if new[6] == "-" else f"{new[6]} "
    return Message(moment, host, app, structured + rest[new.end() :].removeprefix(_BOM))


def _time(rest: str, now_ns: int, zone_name: str) -> tuple[int | None, int, str]:
    """Return the time a line begins with, where it ends, and the host where one stands before it."""
    old = _OLD.match(rest)
    if old is not None and old[2].lower() in _MONTHS:
        clock = (int(old[5]), int(old[6]), int(old[7]))
        name = "UTC" if old[9] in _UNIVERSAL else zone_name
        today = now_ns // (86_400 * NANOSECONDS)
        seconds = _seconds(int(old[4] or 0), _MONTHS[old[2].lower()], int(old[3]), clock, today, name)
        if seconds is None:
            return None, 0, ""
        return seconds * NANOSECONDS + int((old[8] or "0").ljust(9, "0")), old.end(), old["host"] or ""
    if last := _YEAR_LAST.match(rest):
        clock = (int(last[3]), int(last[4]), int(last[5]))
        seconds = _seconds(int(last[6]), _MONTHS.get(last[1].lower(), 0), int(last[2]), clock, 0, zone_name)
        return (None, 0, "") if seconds is None else (seconds * NANOSECONDS, last.end(), "")
    if iso := _ISO.match(rest):
        moment = ns_of_text(iso[1].replace(",", "."), zone_name)
        return (None, 0, "") if moment is None else (moment, iso.end(), "")
    return None, 0, ""


@lru_cache(maxsize=4096)
def _seconds(
    year: int, month: int, day: int, clock: tuple[int, int, int], today: int, zone_name: str
) -> int | None:
    """Return a local time as seconds since 1970; year 0 is the one that is nearest to day ``today``."""
    now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=min(today, 80_000))
    best: datetime | None = None
    for candidate in [year] if year else [now.year, now.year - 1, now.year + 1]:
        try:
            moment = datetime(candidate, month, day, *clock, tzinfo=zone(zone_name))
        except ValueError:
            continue
        if best is None or abs(moment - now) < abs(best - now):
            best = moment
    if best is None or best.year < 1970:
        return None
    seconds = int(best.timestamp())
    return seconds if 0 <= seconds < 9_000_000_000 else None
