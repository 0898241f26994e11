"""Where an action stands, and which step may follow which."""

from __future__ import annotations

from enum import StrEnum


class WorkState(StrEnum):
    """Where an action stands.

    A person says ``done``; ``verified`` is said by evidence alone: nothing of it is open any more.
    """

    OPEN = "open"
    IN_PROGRESS = "in_progress"
    WAITING_MAKER = "waiting_maker"
    WAITING_WINDOW = "waiting_window"
    DONE = "done"
    VERIFIED = "verified"


BY_PERSON = frozenset(set(WorkState) - {WorkState.VERIFIED})
"""States that a person may set; any may follow any, with a reason."""

WORDS = {
    WorkState.OPEN: "Open",
    WorkState.IN_PROGRESS: "In progress",
    WorkState.WAITING_MAKER: "Waiting for the maker",
    WorkState.WAITING_WINDOW: "Waiting for a window",
    WorkState.DONE: "Done, not yet seen",
    WorkState.VERIFIED: "Done and seen",
}
"""How people read them."""


class AcceptState(StrEnum):
    """Where an acceptance of a risk stands."""

    ASKED = "asked"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"


class AcceptScope(StrEnum):
    """For what a risk is accepted."""

    DEVICE = "device"
    MODEL = "model"
    SITE = "site"
