"""The work that a notice makes at one device: its steps, which may follow which, and by when.

Steps are recorded with what was done and where the proof is; the last entry can be taken back.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from medwarden.kernel.clock import NANOSECONDS
from medwarden.model.recall import RecallClass

DAY_NS = 86_400 * NANOSECONDS


class Step(StrEnum):
    """Where a case stands."""

    FOUND = "found"
    ASSESSED = "assessed"
    OUT_OF_USE = "out_of_use"
    CORRECTED = "corrected"
    REPLACED = "replaced"
    RETURNED = "returned"
    NOT_CONCERNED = "not_concerned"  # somebody looked: this unit is not meant
    VERIFIED = "verified"
    CLOSED = "closed"


WORDS: dict[Step, tuple[str, str]] = {
    Step.FOUND: ("Found", "Nobody has looked at it yet."),
    Step.ASSESSED: ("Assessed", "Somebody checked the device and what the notice asks for."),
    Step.OUT_OF_USE: ("Out of use", "Taken away from patients or locked until it is corrected."),
    Step.CORRECTED: ("Corrected", "Repaired, updated or relabelled as the notice asks."),
    Step.REPLACED: ("Replaced", "Another device does its work now."),
    Step.RETURNED: ("Returned", "Sent back or destroyed as the notice asks."),
    Step.NOT_CONCERNED: ("Not concerned", "Somebody looked: this unit is not meant."),
    Step.VERIFIED: ("Verified", "A second look confirmed what was done."),
    Step.CLOSED: ("Closed", "Nothing is left to do."),
}
"""What people call a step, and what it means."""

_DONE = (Step.CORRECTED, Step.REPLACED, Step.RETURNED)

FOLLOWING: dict[Step, tuple[Step, ...]] = {
    Step.FOUND: (Step.ASSESSED, Step.OUT_OF_USE, *_DONE, Step.NOT_CONCERNED),
    Step.ASSESSED: (Step.OUT_OF_USE, *_DONE, Step.NOT_CONCERNED),
    Step.OUT_OF_USE: (*_DONE, Step.NOT_CONCERNED),
    Step.CORRECTED: (Step.VERIFIED, Step.OUT_OF_USE),
    Step.REPLACED: (Step.VERIFIED, Step.RETURNED),
    Step.RETURNED: (Step.VERIFIED,),
    Step.NOT_CONCERNED: (Step.CLOSED, Step.ASSESSED),
    Step.VERIFIED: (Step.CLOSED, Step.ASSESSED),
    Step.CLOSED: (Step.FOUND,),
}
"""Which step may follow which; the one after ``closed`` opens the case again."""

SETTLED = frozenset({*_DONE, Step.NOT_CONCERNED, Step.VERIFIED, Step.CLOSED})
"""Steps in which the device itself is no danger any more: its finding is resolved, its factor gone."""


class DueDays(msgspec.Struct, frozen=True):
    """Days from finding a case to its closing, by class of the notice; a hospital may change them."""

    I: int = 7  # noqa: E741 (the authority's own name of the class)
    II: int = 30
    III: int = 90
    unclassified: int = 30

    def of(self, recall_class: RecallClass) -> int:
        """Return the days of a class."""
        days: int = getattr(self, recall_class.value)
        return days


def may_follow(before: Step, after: Step) -> bool:
    """Tell whether a case may go from one step to another."""
    return after in FOLLOWING[before]


def due_of(opened_ns: int, recall_class: RecallClass, days: DueDays) -> int:
    """Return when a case that was opened at ``opened_ns`` shall be closed, in nanoseconds UTC."""
    return opened_ns + days.of(recall_class) * DAY_NS
