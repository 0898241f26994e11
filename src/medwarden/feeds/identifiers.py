"""Identifiers of vulnerabilities as publishers write them."""

from __future__ import annotations

import re

_CVE = re.compile(r"CVE-(?:19|20)[0-9]{2}-[0-9]{4,19}\Z")
_CVE_IN_TEXT = re.compile(r"\bCVE[-_ ]((?:19|20)[0-9]{2})-([0-9]{4,19})\b", re.IGNORECASE)
_CWE = re.compile(r"\bCWE-([0-9]{1,6})\b")


def is_cve(text: str) -> bool:
    """Tell whether this is a CVE id (CVE program, record format 5)."""
    return _CVE.match(text) is not None


def cves_in(text: str) -> tuple[str, ...]:
    """Return the CVE ids that a text names, each once, in their official spelling."""
    return tuple(dict.fromkeys(f"CVE-{year}-{number}" for year, number in _CVE_IN_TEXT.findall(text)))


def cwe_of(text: str) -> str:
    """Return the first CWE id of a text, or ''."""
    found = _CWE.search(text)
    return f"CWE-{found.group(1)}" if found else ""
