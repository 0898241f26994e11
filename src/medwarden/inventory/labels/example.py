"""An example to learn from: what is known of a device, and what it is said to be."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from medwarden.inventory.imaging import medical_name
from medwarden.inventory.labels.tokens import behaviour_of, mac_tails, normalise
from medwarden.inventory.votes import derived_facts, own_device, rule_votes
from medwarden.knowledge.makers import short_name
from medwarden.knowledge.taxonomy import categories
from medwarden.model.device import Ballot, Device, DeviceClass

LEARNT = ("class", "category", "vendor", "model", "os")
"""Levels that a model has an opinion of. Versions and serial numbers are read, not guessed."""

_DERIVED = frozenset({"oui.vendor", "mac.hypervisor", "mac.virtual_router", "mac.private"})


class Example(msgspec.Struct, frozen=True):
    """One device to learn from.

    ``entries`` are normalised pairs of evidence field and value: no address, serial number or host
    number is in them, so that an example may be kept in a model file. ``behaviour`` are named amounts
    of its traffic. ``labels`` are what it is, by level; a level may be absent. ``group`` is whom the
    example belongs with when data are divided: examples of one device, or of one hospital, never lie on
    both sides. ``votes`` are what rules said of it: (level, label, rule). ``whole`` is False for a piece of
    evidence without its device: it is learnt from, and no model is judged by it.
    """

    entries: tuple[tuple[str, str], ...]
    behaviour: tuple[tuple[str, float], ...] = ()
    labels: dict[str, str] = {}
    group: str = ""
    weight: float = 1.0
    votes: tuple[tuple[str, str, str], ...] = ()
    whole: bool = True


class Piece(msgspec.Struct, frozen=True):
    """One piece of evidence: its field, as it was heard, and normalised."""

    field: str
    value: str
    normal: str


def pieces_of(device: Device, own: Device | None = None) -> list[Piece]:
    """Return the evidence of a device in its own words, each normalised text once, sorted.

    ``own`` is the device with its own words only, where that is known already.
    """
    own = own_device(device) if own is None else own
    personal = mac_tails(device.macs)
    found: dict[tuple[str, str], str] = {}
    for entry in own.ledger:
        found.setdefault((entry.field, normalise(entry.field, entry.value, personal)), entry.value)
    for field, value in derived_facts(device):
        if field in _DERIVED:
            found.setdefault((field, value.lower()), value)
    return [Piece(field, raw, normal) for (field, normal), raw in sorted(found.items())]


def canonical(labels: Mapping[str, str | None]) -> dict[str, str]:
    """Return labels as rules spell them: makers by their short names, the class that a category has."""
    said = {level: label for level, label in labels.items() if label and level in LEARNT}
    kind = categories().get(said.get("category", ""))
    if kind is not None and kind.device_class is not DeviceClass.UNKNOWN:
        said["class"] = kind.device_class.value
    if "vendor" in said:
        name = short_name(said["vendor"])
        said["vendor"] = medical_name(name) if said.get("class") == DeviceClass.IOMT else name
    return said


def example_of(
    device: Device, labels: Mapping[str, str | None], *, group: str = "", weight: float = 1.0
) -> Example:
    """Return the example that ``device`` is when it is what ``labels`` say (level to label).

    Statements of people on the device are not looked at; ``group`` is the device's own id where none
    is given.
    """
    own = own_device(device)
    said = canonical(labels)
    return Example(
        tuple((piece.field, piece.normal) for piece in pieces_of(device, own)),
        behaviour_of(device),
        said,
        group or device.id,
        weight,
        _votes(rule_votes(device, own), said),
    )


def _votes(ballots: list[Ballot], said: Mapping[str, str]) -> tuple[tuple[str, str, str], ...]:
    return tuple(sorted({(b.level, b.label, b.rule) for b in ballots if b.level in said}))
