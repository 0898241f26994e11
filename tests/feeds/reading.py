"""Reading a file through a feed, as an import does."""

from __future__ import annotations

import io
from typing import TypeVar

from medwarden.feeds.registry import feed_named, recognise
from medwarden.model.feed import About, Entry, Item, Record, Rejected
from medwarden.model.vulnerability import Provenance

_R = TypeVar("_R", bound=Record)


def items(feed: str, data: bytes, name: str = "file") -> list[Item]:
    """Return what a feed makes of a file, which it must recognise."""
    reader = feed_named(feed)
    found = recognise(name, data[:65536])
    assert found is reader, f"taken for {found}"
    return list(reader.read(io.BytesIO(data), Provenance(feed, name)))


def records(feed: str, data: bytes, type: type[_R]) -> list[_R]:
    """Return the records of one type."""
    return [r for i in items(feed, data) if isinstance(i, Entry) for r in i.records if isinstance(r, type)]


def rejections(feed: str, data: bytes) -> list[str]:
    """Return the sentences on what was rejected."""
    return [f"{i.where}: {i.reason}" for i in items(feed, data) if isinstance(i, Rejected)]


def about(feed: str, data: bytes) -> About:
    """Return what the file says of itself."""
    return next(i for i in items(feed, data) if isinstance(i, About))
