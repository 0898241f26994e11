"""An engine that took long to fill, and over it a small one with what changed since.

A few records that change must not cost reading all of them again: what the large engine says of them is left
out, and what the small one says stands in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Generic, TypeVar

Subject = TypeVar("Subject")
Found = TypeVar("Found")
Judge = Callable[[Subject], Sequence[Found]]


class Layered(Generic[Subject, Found]):
    """What ``base`` finds; after :meth:`lay`, of what changed what the layer finds.

    ``about`` returns what a find is about, as that is named among what changed.
    """

    def __init__(self, base: Judge[Subject, Found], about: Callable[[Found], str]) -> None:
        self._base = base
        self._about = about
        self._layer: Judge[Subject, Found] | None = None
        self._changed: frozenset[str] = frozenset()

    def lay(self, layer: Judge[Subject, Found], changed: Collection[str]) -> None:
        """Ask ``layer`` about all that changed since the base was filled, in place of an earlier layer."""
        self._layer, self._changed = layer, frozenset(changed)

    def judge(self, subject: Subject) -> list[Found]:
        """Return what is found of ``subject``."""
        found = list(self._base(subject))
        if self._layer is None:
            return found
        kept = [each for each in found if self._about(each) not in self._changed]
        return kept + [each for each in self._layer(subject) if self._about(each) in self._changed]
