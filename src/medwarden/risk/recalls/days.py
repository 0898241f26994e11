"""Days as recalls write them (``January 5, 2015``, ``Jan 2015``, ``05JAN2015``, ``1/5/15``), and ranges.

A month or a year stands for all of its days, so that a range built from it is never too small.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from datetime import date, timedelta

import msgspec

_MONTHS = {name.lower(): n for n, name in enumerate(calendar.month_abbr) if name}
_NAME = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DAY = re.compile(
    rf"(?P<iso>(?P<y1>(?:19|20)\d\d)-(?P<m1>\d\d)(?:-(?P<d1>\d\d))?)(?![\d-])"
    rf"|(?P<n2>{_NAME})\s*(?:(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?,?\s+)?(?P<y2>(?:19|20)\d\d)\b"
    rf"|(?P<d3>\d{{1,2}})(?:st|nd|rd|th)?[\s-]*(?P<n3>{_NAME})[\s,-]*(?P<y3>(?:19|20)\d\d)\b"
    rf"|(?P<m4>\d{{1,2}})/(?P<d4>\d{{1,2}})/(?P<y4>(?:19|20)?\d\d)\b"
    rf"|(?P<m5>\d{{1,2}})/(?P<y5>(?:19|20)\d\d)\b"
    rf"|(?P<y6>(?:19|20)\d\d)\b(?![./-]\d)",
    re.IGNORECASE,
)
_TO = re.compile(r"\s*(?:-|–|to|through|thru|and|until|till|up to)\s*(?:and including\s*)?\Z", re.IGNORECASE)
_BEFORE = re.compile(
    r"(?:before|prior\s+to|earlier\s+than|up\s+to|until|through|by|to)\s*(?:and\s+including\s*)?\Z",
    re.IGNORECASE,
)
_AFTER = re.compile(r"(?:after|since|on\s+or\s+after|from|beginning|starting(?:\s+in)?)\s*\Z", re.IGNORECASE)
_EXCLUSIVE = re.compile(r"(?:before|prior\s+to|earlier\s+than)\s*\Z", re.IGNORECASE)
_ONWARDS = re.compile(
    r"\s*(?:and\s+(?:after|later|onwards?)|onwards?|or\s+later|to\s+(?:present|date|current))", re.IGNORECASE
)
_BACKWARDS = re.compile(r"\s*(?:and|or)\s+(?:before|earlier|prior)", re.IGNORECASE)


class Days(msgspec.Struct, frozen=True):
    """Days from one to another, both included; None leaves that side open. ISO 8601."""

    first: str | None = None
    last: str | None = None

    def has(self, day: str) -> bool | None:
        """Tell whether a day (2015-01-31, 2015-01 or 2015) is among them; None where it may be."""
        low, high = widest(day)
        if (self.first is None or self.first <= low) and (self.last is None or high <= self.last):
            return True
        if (self.first is not None and high < self.first) or (self.last is not None and low > self.last):
            return False
        return None

    @property
    def words(self) -> str:
        """Return them as a person writes them."""
        if self.first and self.last:
            return self.first if self.first == self.last else f"{self.first} to {self.last}"
        return f"from {self.first} on" if self.first else f"until {self.last}"


def widest(day: str) -> tuple[str, str]:
    """Return the first and last day that a day, a month or a year stands for."""
    parts = [int(part) for part in day.split("-")]
    if len(parts) == 1:
        return f"{parts[0]:04d}-01-01", f"{parts[0]:04d}-12-31"
    if len(parts) == 2:
        last = calendar.monthrange(parts[0], parts[1])[1]
        return f"{day}-01", f"{day}-{last:02d}"
    return day, day


def _written(found: re.Match[str]) -> str | None:
    """Return a match as ISO 8601 to the precision it has; None for a day that there is not."""
    year = next(found[f"y{n}"] for n in range(1, 7) if found[f"y{n}"])
    month = found["m1"] or found["m4"] or found["m5"]
    name = found["n2"] or found["n3"]
    day = found["d1"] or found["d2"] or found["d3"] or found["d4"]
    number = int(year) if len(year) == 4 else 2000 + int(year)
    if name:
        month = str(_MONTHS[name[:3].lower()])
    try:
        if month and day:
            return date(number, int(month), int(day)).isoformat()
        if month:
            return date(number, int(month), 1).isoformat()[:7]
    except ValueError:
        return None
    return f"{number:04d}"


def days_of(text: str) -> tuple[Days, ...]:
    """Return the days and ranges of days that stand in a text; what is none is passed over."""
    return tuple(_ranges(text))


def without_days(text: str) -> str:
    """Return a text without the days in it."""
    return _DAY.sub(" ", text)


def _ranges(text: str) -> Iterator[Days]:
    found = [(match, day) for match in _DAY.finditer(text) if (day := _written(match)) is not None]
    at = 0
    while at < len(found):
        match, day = found[at]
        before, after = text[: match.start()][-24:], text[match.end() :][:24]
        following = found[at + 1] if at + 1 < len(found) else None
        if (
            following is not None
            and _TO.match(text[match.end() : following[0].start()])
            and widest(day)[0] <= widest(following[1])[1]
        ):
            yield Days(widest(day)[0], widest(following[1])[1])
            at += 2
            continue
        if _ONWARDS.match(after) or _AFTER.search(before):
            yield Days(widest(day)[0], None)
        elif _BACKWARDS.match(after) or _BEFORE.search(before):
            exclusive = _EXCLUSIVE.search(before) is not None
            yield Days(None, _eve(widest(day)[0]) if exclusive else widest(day)[1])
        else:
            yield Days(*widest(day))
        at += 1


def _eve(day: str) -> str:
    """Return the day before a day."""
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()
