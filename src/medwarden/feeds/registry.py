"""Find every feed of this package and check what it declares.

A module takes part by naming its class in a module-level ``FEED``; nothing else registers it.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterable
from functools import cache

import medwarden.feeds
from medwarden.kernel.errors import ConfigurationError, InternalError
from medwarden.model.feed import Feed

HEAD = 1 << 16
"""Bytes from the start of a file by which it is recognised."""

_ID = re.compile(r"[a-z][a-z0-9_]*\Z")


@cache
def feeds() -> tuple[type[Feed], ...]:
    """Return the classes of all feeds by id. Raises InternalError when a manifest is wrong."""
    found: list[type[Feed]] = []
    for module_info in pkgutil.iter_modules(medwarden.feeds.__path__, "medwarden.feeds."):
        feed: type[Feed] | None = getattr(importlib.import_module(module_info.name), "FEED", None)
        if feed is not None:
            found.append(feed)
    check_manifests(found)
    return tuple(sorted(found, key=lambda feed: feed.manifest.id))


def recognise(name: str, head: bytes) -> type[Feed] | None:
    """Return the feed of a file with this name that begins with ``head`` (up to :data:`HEAD` bytes)."""
    return next((feed for feed in feeds() if feed.recognises(name, head)), None)


def feed_named(id: str) -> type[Feed]:
    """Return a feed by its id. Raises ConfigurationError, naming those there are, where there is none."""
    for feed in feeds():
        if feed.manifest.id == id:
            return feed
    raise ConfigurationError(
        f"there is no feed {id!r}; there are: {', '.join(feed.manifest.id for feed in feeds())}"
    )


def check_manifests(found: Iterable[type[Feed]]) -> None:
    """Hold manifests to the rules of :class:`~medwarden.model.feed.FeedManifest`.

    Raises InternalError naming the feed and the rule it breaks.
    """
    seen: dict[str, type[Feed]] = {}
    for feed in found:
        manifest = feed.manifest
        if seen.setdefault(manifest.id, feed) is not feed:
            raise InternalError(f"two feeds share the id {manifest.id!r}")
        for problem in _problems(feed):
            raise InternalError(f"feed {feed.__module__} ({manifest.id}): {problem}")


def _problems(feed: type[Feed]) -> Iterable[str]:
    manifest = feed.manifest
    if not _ID.match(manifest.id):
        yield "its id must be snake case"
    for field in ("title", "publisher", "licence", "home", "brings", "changes"):
        if not getattr(manifest, field):
            yield f"{field} must be said"
    if not manifest.home.startswith("https://"):
        yield "its home must be an address of https"
    if manifest.stale_after_h <= 0:
        yield "after some hours it must be stale"
    if not manifest.kinds or len(set(manifest.kinds)) != len(manifest.kinds):
        yield "it must bring some kinds, each named once"
