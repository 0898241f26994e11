"""What every reader needs of a file's origin: the provenance of a record, and rejections with their place."""

from __future__ import annotations

import msgspec

from medwarden.kernel.printable import printable
from medwarden.model.feed import Rejected
from medwarden.model.vulnerability import Provenance

LONGEST_TEXT = 20_000
"""Characters of one text that are kept; what is beyond is cut and ends with an ellipsis."""

_LONGEST_REASON = 200


def provenance(origin: Provenance, updated: str = "", reference: str = "") -> Provenance:
    """Return where a record came from: its file, with the publisher's date of the record."""
    return msgspec.structs.replace(
        origin, updated=updated or origin.updated, reference=reference or origin.reference
    )


def rejected(origin: Provenance, place: str, why: object) -> Rejected:
    """Return a rejection that names file and place."""
    reason = printable(str(why))
    if len(reason) > _LONGEST_REASON:
        reason = reason[: _LONGEST_REASON - 1] + "…"
    return Rejected(f"{origin.reference}, {place}", reason or type(why).__name__)


def text(value: str | None, longest: int = LONGEST_TEXT) -> str:
    """Return a text that the publisher may have left out, stripped and bounded."""
    stripped = (value or "").strip()
    return stripped if len(stripped) <= longest else stripped[: longest - 1] + "…"
