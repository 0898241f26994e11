"""Whether a remedy really is one: publishers put "no fix is planned" under the heading of vendor fixes."""

from __future__ import annotations

import re

_NONE = frozenset({"none_available", "no_fix_planned"})
_DENIED = re.compile(
    r"\bno (?:(?:security|software|firmware|vendor|further|additional) )*"
    r"(?:fix|fixes|patch|patches|update|updates|correction|mitigation|remediation)(?:es)?\b"
    r"(?! (?:needed|necessary|required))"
    r"|\b(?:not|never|neither)\b[^.]{0,60}\b(?:be (?:fixed|patched|updated)|provide an? (?:fix|patch|update)|"
    r"(?:fix|patch|update)\b[^.]{0,30}\bplanned)"
    r"|\bno longer (?:supported|support|maintained|manufactured|sold|available|in production)\b"
    r"|\bend[- ]of[- ](?:life|support|service)\b|\bobsolete\b|\bdiscontinued\b",
    re.IGNORECASE,
)
_GIVEN = re.compile(
    r"\b(?:upgrade|update|install|apply|patch|hotfix|new version|released?|fixed in|corrected in|"
    r"firmware|version \d|later version)\b",
    re.IGNORECASE,
)


def fixes(category: str, words: str) -> bool | None:
    """Tell whether a remedy removes the flaw; None where its words speak for both or for neither."""
    if category in _NONE:
        return False
    if category != "vendor_fix":
        return None
    denied, given = _DENIED.search(words) is not None, _GIVEN.search(words) is not None
    return None if denied is given else given
