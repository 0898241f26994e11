"""A row and its device field by field: who says what since when, whether it agrees, and whose word counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from medwarden.inventory.reconcile_sides import Side, device_side
from medwarden.inventory.reconcile_text import (
    likeness,
    model_form,
    name_form,
    serial_form,
    vendor_form,
    word_form,
)
from medwarden.knowledge.category_words import category_of_words
from medwarden.knowledge.reconciliation import ReconciliationRules, Winner
from medwarden.model.device import Device

_UNDECLARED = ("oui.", "flow.", "mac.", "statement.")


class Claim(msgspec.Struct, frozen=True):
    """What one side says: the value, who says it and since when (nanoseconds UTC, 0: not known)."""

    value: str
    who: str
    since_ns: int


class FieldView(msgspec.Struct, frozen=True):
    """One field on both sides. ``winner`` is book, network or nobody; ``value`` is what counts."""

    field: str
    book: Claim | None
    network: Claim | None
    agree: bool
    winner: str
    value: str


def fields_of(
    said: Mapping[str, str], since_ns: int, book: str, device: Device, rules: ReconciliationRules
) -> tuple[FieldView, ...]:
    """Return the fields that both sides could know, and for each who says what and whose word counts.

    What the network knows only from a book is not its own word and does not agree with itself.
    """
    side = device_side(device)
    return tuple(
        _view(field, winner, said, since_ns, book, device, side)
        for field, winner in rules.winners.items()
        if said.get(field) or side.shown.get(field)
    )


def disagreements(views: tuple[FieldView, ...]) -> tuple[str, ...]:
    """Return the fields in which both sides speak and contradict each other."""
    return tuple(view.field for view in views if view.book and view.network and not view.agree)


def _view(
    field: str, winner: Winner, said: Mapping[str, str], since_ns: int, book: str, device: Device, side: Side
) -> FieldView:
    mine = Claim(said[field], book, since_ns) if said.get(field) else None
    heard = _heard(field, device, side)
    theirs = Claim(*heard) if heard is not None else None
    agree = mine is not None and theirs is not None and _agree(field, mine.value, theirs.value, said, device)
    if mine is None or theirs is None:
        chosen = Winner.BOOK if mine is not None else Winner.NETWORK
    elif winner is Winner.DECLARED:
        chosen = Winner.NETWORK if declared(field, device) else Winner.BOOK
    else:
        chosen = winner
    value = {Winner.BOOK: mine, Winner.NETWORK: theirs}.get(chosen)
    return FieldView(field, mine, theirs, agree, chosen.value, value.value if value is not None else "")


def declared(field: str, device: Device) -> bool:
    """Tell whether the device says a value itself, rather than its prefix, its traffic or a book."""
    verdict = device.verdict(field)
    if verdict is None:
        place = device.place
        basis = () if place is None else place.basis
        return any(b.part == field and not b.field.startswith("plan.") for b in basis)
    return any(
        b.level == field and b.label == verdict.label and not b.evidence_field.startswith(_UNDECLARED)
        for b in verdict.ballots
    )


def _heard(field: str, device: Device, side: Side) -> tuple[str, str, int] | None:
    """Return value, who said it and since when of the network's side."""
    value = side.shown.get(field, "")
    verdict = device.verdict(field)
    by_book = (
        verdict is not None
        and bool(verdict.ballots)
        and all(b.evidence_field == "statement.book" for b in verdict.ballots if b.label == verdict.label)
    )
    if not value or by_book:
        return None
    if verdict is not None and verdict.label is not None:
        best = max(
            (b for b in verdict.ballots if b.label == verdict.label), key=lambda b: b.weight, default=None
        )
        if best is not None:
            times = [e.first_seen for e in device.ledger if e.field == best.evidence_field]
            return value, best.evidence_field, min(times, default=device.first_seen)
    for basis in device.place.basis if device.place is not None else ():
        if basis.part == field:
            return value, basis.field, device.first_seen
    return value, "network", device.first_seen


def _agree(field: str, mine: str, theirs: str, said: Mapping[str, str], device: Device) -> bool:
    if field in ("mac", "ip"):
        return bool(set(mine.split()) & set(theirs.split()))
    if field == "model":
        vendor = vendor_form(said.get("vendor", "") or device.vendor or "")
        return likeness(model_form(mine, vendor), model_form(theirs, vendor)) >= 0.85
    if field == "category":
        return category_of_words(mine) in (None, theirs)
    if field == "name":
        return name_form(mine) in {name_form(name) for name in device.names}
    form = _FORMS.get(field, word_form)
    return form(mine) == form(theirs)


_FORMS: dict[str, Callable[[str], str]] = {
    "serial": serial_form,
    "asset_tag": serial_form,
    "vendor": vendor_form,
}
