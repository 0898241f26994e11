"""Ends of support of device models that are shipped, and what columns of endoflife.date say of devices."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import cache

import msgspec

from medwarden.kernel.ids import stable_id
from medwarden.knowledge.packaged import load_yaml
from medwarden.model.feed import Cycle, LifeCycle
from medwarden.model.life_cycle import Ending, EndOfSupport, Subject


class _Published(msgspec.Struct, frozen=True):
    """What one source says of some models of one maker."""

    source: str
    url: str
    seen: date
    vendor: str
    ending: Ending
    days: dict[str, date]
    through: str = ""


class _Product(msgspec.Struct, frozen=True):
    """How a product of endoflife.date is called by its maker, and which ending each of its columns tells.

    ``name`` is the model that ``{label}`` and ``{cycle}`` of a release make; of firmware, the models that
    run it.
    """

    vendor: str
    name: str
    columns: dict[str, Ending]
    subject: Subject = Subject.MODEL


@cache
def shipped_dates() -> tuple[EndOfSupport, ...]:
    """Return the ends of sale and support that are shipped, each with its source and the day it was read."""
    return tuple(
        EndOfSupport(
            id=stable_id("es", each.source, each.vendor, model, each.ending.value, day.isoformat()),
            vendor=each.vendor,
            model=model,
            ending=each.ending,
            day=day,
            source=f"{each.source} (read in {each.through})" if each.through else each.source,
            url=each.url,
            seen=each.seen.isoformat(),
        )
        for each in load_yaml("support_dates.yaml", list[_Published])
        for model, day in each.days.items()
    )


@cache
def _products() -> dict[str, _Product]:
    return load_yaml("support_products.yaml", dict[str, _Product])


def published_dates(product: LifeCycle, seen: str = "") -> Iterator[EndOfSupport]:
    """Yield what a product of endoflife.date says of devices; nothing for one that is no device's.

    ``seen`` is the day on which the feed was read. What ends without a day ("it is over") is left out.
    """
    known = _products().get(product.id)
    if known is None:
        return
    for cycle in product.cycles:
        name = _name(known, cycle)
        for column, ending in known.columns.items():
            day = _day(cycle, column)
            if day is None or not name:
                continue
            firmware = known.subject is Subject.FIRMWARE
            yield EndOfSupport(
                id=stable_id("es", "endoflife.date", product.id, cycle.name, column, day.isoformat()),
                vendor=known.vendor,
                model=known.name if firmware else name,
                version=f"{cycle.name}.x" if firmware else "",
                ending=ending,
                day=day,
                source="endoflife.date",
                url=product.url,
                seen=seen,
                subject=known.subject,
            )


def _name(product: _Product, cycle: Cycle) -> str:
    """Return the name of a model, its maker's family before it once."""
    label = cycle.label or cycle.name
    name = product.name.format(label=label, cycle=cycle.name)
    family = product.name.partition("{")[0].strip()
    if family and label.casefold().startswith(family.casefold()):
        return label
    return " ".join(name.split())


def _day(cycle: Cycle, column: str) -> date | None:
    text: str | None = getattr(cycle, column)
    try:
        return date.fromisoformat(text[:10]) if text else None
    except ValueError:
        return None  # a publisher's date that is none: nothing is known
