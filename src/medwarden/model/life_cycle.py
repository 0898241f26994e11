"""When makers stop: the end of sale, support, security updates or life of a model, firmware or system.

A notice says it of a product as its source names it; what was concluded of one device is an
:class:`EndOfLife`. Days are ISO 8601. A day that nobody names is unknown, never assumed.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum

import msgspec

from medwarden.model.vulnerability import Aspect, MatchState


class Ending(StrEnum):
    """What ends, in the order in which it mostly does."""

    SALE = "sale"  # it can be bought no longer
    SUPPORT = "support"  # repair, spare parts, help
    SECURITY = "security"  # corrections of weaknesses
    LIFE = "life"  # the maker says that it should no longer be used


ENDING_WORDS = {
    Ending.SALE: "sale",
    Ending.SUPPORT: "support",
    Ending.SECURITY: "security updates",
    Ending.LIFE: "life",
}
UNSUPPORTED = (Ending.SUPPORT, Ending.SECURITY, Ending.LIFE)
"""What leaves a device without help when it has ended; the end of sale alone does not."""


class Subject(StrEnum):
    """What of a device ends."""

    MODEL = "model"
    FIRMWARE = "firmware"
    SYSTEM = "system"
    STATED = "stated"  # a person entered it for this very device


class EndOfSupport(msgspec.Struct, frozen=True):
    """A notice: of ``model`` of ``vendor`` something ends on ``day``.

    ``version`` limits it to firmware as the source writes it ('' for every). ``source`` says in words who
    says so, ``url`` where, ``seen`` on which day that was looked up.
    """

    id: str
    vendor: str
    model: str
    ending: Ending
    day: date
    source: str
    version: str = ""
    url: str = ""
    seen: str = ""
    subject: Subject = Subject.MODEL


class EndOfLife(msgspec.Struct, frozen=True):
    """What was concluded of one device: what ends when, whether surely, why, and who says so.

    ``state`` is confirmed or potential; ``since_ns`` when it was first concluded.
    """

    notice: str
    subject: Subject
    ending: Ending
    day: date
    state: MatchState
    reason: str
    source: str
    url: str = ""
    seen: str = ""
    aspects: tuple[Aspect, ...] = ()
    since_ns: int = 0

    @property
    def sure(self) -> bool:
        """Tell whether the device is the product that is meant."""
        return self.state is MatchState.CONFIRMED

    @property
    def counts(self) -> bool:
        """Tell whether the device is without help for sure once the day is over."""
        return self.sure and self.ending in UNSUPPORTED
