"""What a failed test tells beside its assertion: the facts that were heard, what programs printed.

A test of real programs fails where nobody can look again. Whoever starts a program or collects facts names
here how they are shown; they are printed only when the test fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

MOST = 20_000
"""Characters shown of one thing, the last ones."""

_standing: dict[int, tuple[str, Callable[[], str]]] = {}
_of_this_test: list[tuple[str, Callable[[], str]]] = []


def tell(what: str, how: Callable[[], str]) -> None:
    """Show ``what`` as ``how`` has it if this test fails."""
    _of_this_test.append((what, how))


@contextmanager
def telling(what: str, how: Callable[[], str]) -> Iterator[None]:
    """Show ``what`` if any test fails while the block runs, and the test in which it ends."""
    key = id(how)
    _standing[key] = what, how
    try:
        yield
    finally:
        tell(*_standing.pop(key))


def told() -> list[tuple[str, str]]:
    """Return what there is to show, by title."""
    found = []
    for what, how in (*_of_this_test, *_standing.values()):
        try:
            text = how()
        except OSError as error:  # its folder may be gone already
            text = f"({error})"
        found.append((what, text if len(text) <= MOST else f"[...]{text[-MOST:]}"))
    return found


def forget() -> None:
    """Let the next test begin with nothing to tell."""
    _of_this_test.clear()
