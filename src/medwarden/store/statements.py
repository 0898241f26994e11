"""What those who know say of devices: one function per source, and all of them together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from medwarden.knowledge.category_words import category_of_words
from medwarden.knowledge.makers import short_name
from medwarden.model.statement import Authority, Statement
from medwarden.store.models import AnsweredDevice, BookMatch, BookRow, MergedDevice
from medwarden.store.prepared import Prepared, one_of

Statements = dict[str, list[Statement]]
"""Statements by the id of the device they are about."""

HELD = ("matched", "pinned")
"""States of a match under which its row speaks for the device."""


def statements_of(ids: Sequence[str]) -> dict[str, tuple[Statement, ...]]:
    """Return what every source of :data:`SOURCES` says of these devices; silent ones have no entry."""
    found: defaultdict[str, list[Statement]] = defaultdict(list)
    for source in SOURCES:
        for device, said in source(ids).items():
            found[device].extend(said)
    return {device: tuple(said) for device, said in found.items()}


_MATCHES = Prepared(
    lambda ids: BookMatch.objects.filter(device_id__in=one_of(ids), state__in=HELD),
    "device_id",
    "book_id",
    "book__name",
    "key",
)


def book_statements(ids: Sequence[str]) -> Statements:
    """Return what the rows of books say that were found to be these devices."""
    matches = list(_MATCHES(ids))
    if not matches:
        return {}
    rows = {
        (book, key): (said, since_ns)
        for book, key, said, since_ns in BookRow.objects.filter(
            book_id__in={book for _, book, _, _ in matches},
            key__in={key for _, _, _, key in matches},
            until=None,
        ).values_list("book_id", "key", "said", "since_ns")
    }
    found: Statements = {}
    for device, book, name, key in matches:
        said, since_ns = rows.get((book, key), ({}, 0))
        found.setdefault(device, []).extend(
            Statement(Authority.BOOK, level, label, name, since_ns, f"book:{book}:{key}")
            for level, label in labels_of(said)
        )
    return found


def labels_of(said: dict[str, str]) -> list[tuple[str, str]]:
    """Return what a row says as labels of the verdicts' levels."""
    labels: list[tuple[str, str]] = []
    category = category_of_words(said.get("category", ""))
    if category is not None:
        labels.append(("category", category))
    if said.get("vendor"):
        labels.append(("vendor", short_name(said["vendor"])))
    labels += [(level, said[level]) for level in ("model", "serial") if said.get(level)]
    return labels


_BECAME = Prepared(lambda ids: MergedDevice.objects.filter(kept__in=one_of(ids)), "gone", "kept")
_ANSWERS = Prepared(
    lambda ids: AnsweredDevice.objects.filter(device_id__in=one_of(ids), answer__undone_ns=None).order_by(
        "answer__number"
    ),
    "device_id",
    "answer__labels",
    "answer__actor",
    "answer__at_ns",
    "answer__number",
)


def answer_statements(ids: Sequence[str]) -> Statements:
    """Return what people answered about these devices, answers that were withdrawn left out.

    An answer given for a device that was merged since speaks for the device it became.
    """
    became: dict[str, str] = dict(_BECAME(ids))
    found: Statements = {}
    for device, labels, actor, at_ns, number in _ANSWERS([*ids, *became]):
        found.setdefault(became.get(device, device), []).extend(
            Statement(Authority.PERSON, level, label, actor, at_ns, f"answer:{number}")
            for level, label in labels.items()
        )
    return found


SOURCES: list[Callable[[Sequence[str]], Statements]] = [book_statements, answer_statements]
"""Who may speak of devices; each returns its statements by device."""
