"""The storekeeper: in order, in its own thread, and no error is lost."""

from __future__ import annotations

from functools import partial

import pytest

from medwarden.app.storekeeper import Storekeeper
from medwarden.kernel.errors import ResourceError


class Threadless:
    """Stands in for a store whose threads have nothing to close."""

    def leave_thread(self) -> None:
        pass


def test_the_storekeeper_stores_in_order_and_hands_its_error_back() -> None:
    done: list[int] = []
    keeper = Storekeeper(Threadless())  # type: ignore[arg-type]
    for number in range(20):
        keeper.bring(partial(done.append, number))
    keeper.end()
    assert done == list(range(20))

    def full() -> None:
        raise ResourceError("the disk is full")

    keeper = Storekeeper(Threadless())  # type: ignore[arg-type]
    keeper.bring(full)
    with pytest.raises(ResourceError, match="disk is full"):
        for _ in range(1000):  # whoever comes next is told; no job behind the error is done
            keeper.bring(partial(done.append, -1))
    with pytest.raises(ResourceError, match="disk is full"):
        keeper.end()
    assert -1 not in done
