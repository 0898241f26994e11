"""Telling where a version stands beside the ranges that a source names."""

from __future__ import annotations

from enum import StrEnum

from medwarden.model.vulnerability import VersionSpan
from medwarden.risk.matching.version_order import (
    SCHEMES,
    DeviceVersion,
    begins,
    compare,
    compare_packages,
    device_version,
    stands_for,
)


class Place(StrEnum):
    """Where a version stands beside a range."""

    IN = "in"
    BELOW = "below"
    ABOVE = "above"
    OUT = "out"  # not among single named versions
    UNKNOWN = "unknown"


def place(version: str, spans: tuple[VersionSpan, ...], scheme: str = "") -> Place:
    """Tell where ``version`` stands beside ``spans``; no spans are every version.

    Above is said only where every span ends below it. What cannot be compared with a span that might hold
    it is unknown, never out. Spans that number in another way (up to L81, for U62) say nothing where others
    number as the version does.
    """
    if not spans:
        return Place.IN
    told = [_beside(version, span, scheme) for span in spans]
    places = [each for each in told if each is not None]
    if not places:
        return Place.UNKNOWN
    for verdict in (Place.IN, Place.UNKNOWN):
        if verdict in places:
            return verdict
    if all(each is Place.ABOVE for each in places):
        return Place.ABOVE
    if all(each is Place.BELOW for each in places):
        return Place.BELOW
    return Place.OUT


def numbered_otherwise(version: str, spans: tuple[VersionSpan, ...]) -> bool:
    """Tell whether every span numbers in another way than ``version``, as 2018-1 and 2.5 do."""
    return bool(spans) and all(_beside(version, span, "") is None for span in spans)


def _beside(version: str, span: VersionSpan, scheme: str) -> Place | None:
    """Return where a version stands beside one span; None where the span numbers in another way."""
    if scheme in SCHEMES:
        return _package_beside(version, span, scheme)
    mine = device_version(version)
    if mine is None:
        return Place.UNKNOWN
    if span.exact is not None:
        return _beside_exact(mine, device_version(span.exact))
    high = Place.IN if span.high is None else _under(mine, device_version(span.high), span.high_included)
    if high is not Place.IN:
        return high
    return Place.IN if span.low is None else _over(mine, device_version(span.low), span.low_included)


def _beside_exact(mine: DeviceVersion, named: DeviceVersion | None) -> Place | None:
    if named is None:
        return Place.UNKNOWN
    order = compare(mine, named)
    if stands_for(named, mine):
        return Place.IN
    if order is None:
        return None
    if order == 0:
        return Place.IN
    if begins(mine, named) or (begins(named, mine) and not named.wild):
        return (
            Place.UNKNOWN
        )  # a build of the named version, or a version named more exactly than the device's
    return Place.OUT


def _under(mine: DeviceVersion, high: DeviceVersion | None, included: bool) -> Place | None:
    if high is None:
        return Place.UNKNOWN
    if included and stands_for(high, mine):
        return Place.IN
    order = compare(mine, high)
    if order is None:
        return None
    if order == 0:
        return Place.IN if included else Place.ABOVE
    if order > 0:
        return Place.UNKNOWN if included and begins(mine, high) else Place.ABOVE
    return Place.UNKNOWN if begins(high, mine) and not (mine.dotted and high.dotted) else Place.IN


def _over(mine: DeviceVersion, low: DeviceVersion | None, included: bool) -> Place | None:
    if low is None:
        return Place.UNKNOWN
    order = compare(mine, low)
    if order is None:
        return None
    if order == 0:
        return Place.IN if included else Place.BELOW
    if order > 0:
        return Place.IN
    return Place.UNKNOWN if begins(low, mine) and not (mine.dotted and low.dotted) else Place.BELOW


def _package_beside(version: str, span: VersionSpan, scheme: str) -> Place:
    if span.exact is not None:
        order = compare_packages(scheme, version, span.exact)
        if order is None:
            return Place.UNKNOWN
        return Place.IN if order == 0 else Place.OUT
    if span.high is not None:
        order = compare_packages(scheme, version, span.high)
        if order is None:
            return Place.UNKNOWN
        if order > 0 or (order == 0 and not span.high_included):
            return Place.ABOVE
    if span.low is not None:
        order = compare_packages(scheme, version, span.low)
        if order is None:
            return Place.UNKNOWN
        if order < 0 or (order == 0 and not span.low_included):
            return Place.BELOW
    return Place.IN
