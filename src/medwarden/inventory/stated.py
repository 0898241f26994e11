"""Votes of those who know: a person who looked at the device, and the hospital's books."""

from __future__ import annotations

import math
from collections.abc import Iterator

from medwarden.knowledge.fingerprints.rules import LEVELS, TRUST
from medwarden.model.device import Ballot, Device
from medwarden.model.statement import Authority

_WEIGHT = {
    Authority.PERSON: math.log(0.9999 / 0.0001),
    Authority.BOOK: TRUST["likely"],
}
"""A person outranks all that a device declares together; a list ages from its last stocktaking on."""


def stated_ballots(device: Device) -> Iterator[Ballot]:
    """Yield a vote for each statement; the latest of one authority and level speaks alone."""
    latest: dict[tuple[Authority, str], Ballot] = {}
    for said in sorted(device.statements, key=lambda s: (s.at_ns, s.by, s.label)):
        if said.level in LEVELS:
            latest[said.authority, said.level] = Ballot(
                said.level,
                said.label,
                _WEIGHT[said.authority],
                f"said-by-{said.authority.value}",
                f"statement.{said.authority.value}",
                f"{said.by}: {said.label}",
            )
    yield from latest.values()
