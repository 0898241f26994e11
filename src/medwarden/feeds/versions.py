"""Versions where a source bounds them plainly: vers URIs, comparison signs, lists; all else is left as text.

A text that needs interpretation ("2.3.6 and below", "14.1.x", "before May 2018") gives no span: matching
reads it with what is known of the product. vers URIs follow the package-url project's VERSION-RANGE-SPEC.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from medwarden.model.vulnerability import VersionSpan

EVERY = VersionSpan()

_PLAIN = re.compile(r"[vV]?[0-9][0-9A-Za-z.+~_-]{0,60}\Z")
_WILD = re.compile(r"(?:^|[._-])[xX*](?:$|[._-])")
_VERS = re.compile(r"vers:([a-z0-9.+-]+)/(.+)\Z", re.IGNORECASE | re.DOTALL)
_CONSTRAINT = re.compile(r"(<=|>=|!=|<|>|=)?\s*(\S+)\Z")
_OPEN_BELOW = frozenset({"", "0", "0.0", "0.0.0", "*", "-", "unspecified", "n/a", "none"})
_MOST = 400


def is_plain(version: str) -> bool:
    """Tell whether a text is one version and nothing else, without a wild card."""
    return _PLAIN.match(version) is not None and _WILD.search(version) is None


def opens_below(version: str) -> bool:
    """Tell whether a lower bound is no bound (0, *, unspecified), as CVE records write it."""
    return version.strip().lower() in _OPEN_BELOW


def bounded(
    low: str | None, low_included: bool, high: str | None, high_included: bool
) -> tuple[VersionSpan, ...]:
    """Return the span between two bounds, or nothing where one is not a plain version."""
    if any(side is not None and not is_plain(side) for side in (low, high)):
        return ()
    return (VersionSpan(low=low, low_included=low_included, high=high, high_included=high_included),)


def exactly(version: str) -> tuple[VersionSpan, ...]:
    """Return the span of one version, or nothing where the text is more than one plain version."""
    return (VersionSpan(exact=version),) if is_plain(version) else ()


def spans_of(text: str) -> tuple[VersionSpan, ...]:
    """Return the spans of a version or a range as far as it is certain; nothing where it needs reading."""
    text = text.strip()
    vers = _VERS.match(text)
    if vers:
        if vers.group(2).strip() == "*":
            return (EVERY,)
        return _of_constraints([unquote(part) for part in vers.group(2).split("|")])
    if text == "*":
        return (EVERY,)
    return _of_constraints(text.split("|"))


def _of_constraints(parts: list[str]) -> tuple[VersionSpan, ...]:
    if len(parts) > _MOST:
        return ()
    spans: list[VersionSpan] = []
    low: tuple[str, bool] | None = None
    for part in parts:
        constraint = _CONSTRAINT.match(part.strip())
        if constraint is None or not is_plain(constraint.group(2)):
            return ()
        sign, version = constraint.groups()
        match sign:
            case "!=":
                return ()
            case None | "=":
                if low is not None:
                    return ()
                spans.append(VersionSpan(exact=version))
            case ">" | ">=":
                if low is not None:
                    return ()
                low = (version, sign == ">=")
            case _:
                if low is None and any(s.high is not None for s in spans):
                    return ()
                spans.append(
                    VersionSpan(
                        low=low[0] if low else None,
                        low_included=low[1] if low else True,
                        high=version,
                        high_included=sign == "<=",
                    )
                )
                low = None
    if low is not None:
        spans.append(VersionSpan(low=low[0], low_included=low[1]))
    return tuple(spans)
