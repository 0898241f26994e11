"""Which model this process labels by: the shipped one, a hospital's own, or none."""

from __future__ import annotations

from functools import cache

from medwarden.inventory.labels.model import LabelModel
from medwarden.knowledge.models import shipped_file


class _InUse:
    def __init__(self) -> None:
        self.model: LabelModel | None = None
        self.chosen = False
        self.generation = 0


_in_use = _InUse()


@cache
def shipped_model() -> LabelModel | None:
    """Return the model that comes with medwarden; None where this build has none."""
    data = shipped_file()
    return None if data is None else LabelModel.from_bytes(data, "the shipped model")


def use_model(model: LabelModel | None) -> bool:
    """Label by ``model`` from now on, or by the shipped one for None; tell whether that changes anything."""
    before = model_in_use()
    _in_use.model = model
    _in_use.chosen = model is not None
    after = model_in_use()
    if (before and before.digest) == (after and after.digest):
        return False
    _in_use.generation += 1
    return True


def model_in_use() -> LabelModel | None:
    """Return the model that devices are labelled by."""
    return _in_use.model if _in_use.chosen else shipped_model()


def generation() -> int:
    """Return a number that changes whenever the model in use does."""
    return _in_use.generation
