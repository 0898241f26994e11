"""Knowledge carried in signed bundles: written, taken in, and the keys that are trusted for it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from medwarden.app.knowledge import Progress, writing
from medwarden.feeds.registry import feed_named, feeds
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.store.folder import prepare
from medwarden.store.knowledge import Knowledge
from medwarden.store.knowledge_bundle import (
    Bundled,
    Difference,
    Manifest,
    compare_bundle,
    is_bundle,
    read_bundle,
    write_bundle,
)
from medwarden.store.knowledge_keys import BundleKeys, TrustedKey

__all__ = ["Bundled", "Difference", "Manifest", "TrustedKey", "is_bundle"]


def export_bundle(
    home: Path,
    target: Path,
    *,
    names: Iterable[str] = (),
    since: Path | None = None,
    list_only: bool = False,
    progress: Progress | None = None,
) -> Manifest:
    """Write the editions in use (of the feeds named, else all) to one signed file.

    ``since`` is an older bundle, or what another folder wrote with ``list_only``: a list of what it holds.
    What stands there is left out. Raises ConfigurationError, ResourceError.
    """
    chosen = [feed_named(name).manifest.id for name in names]
    with Knowledge(home) as knowledge:
        if not knowledge.states():
            raise ConfigurationError(f"{home} holds no knowledge yet: import or sync some first")
        return write_bundle(
            knowledge,
            BundleKeys(home),
            target,
            feeds=chosen,
            against=since,
            list_only=list_only,
            progress=progress,
        )


def import_bundle(home: Path, path: Path, *, unsigned: bool = False, replace: bool = False) -> Bundled:
    """Take a bundle in; with ``replace`` also what is older than what is in use.

    Raises ConfigurationError for one whose key is not trusted or that is older, MalformedInput for a damaged
    or forged one.
    """
    with writing(home) as knowledge:
        return read_bundle(knowledge, BundleKeys(home), path, _known(), unsigned=unsigned, replace=replace)


def differences(home: Path, path: Path) -> list[Difference]:
    """Return what a bundle would change here, by feed; nothing is changed."""
    with Knowledge(home) as knowledge:
        return compare_bundle(knowledge, path, _known())


def _known() -> dict[str, bool]:
    return {feed.manifest.id: feed.manifest.whole for feed in feeds()}


def own_key(home: Path, *, renew: bool = False) -> tuple[str, str]:
    """Return id and public key (PEM) with which this folder signs; made where there is none."""
    prepare(home)
    return BundleKeys(home).renew() if renew else BundleKeys(home).own()


def key_if_any(home: Path) -> str:
    """Return the id of the key with which this folder signs; '' where none was made yet."""
    keys = BundleKeys(home)
    return keys.own()[0] if keys.has_own else ""


def trust_pem(home: Path, pem: bytes, name: str) -> TrustedKey:
    """Trust a public key. Raises ConfigurationError for what is none."""
    prepare(home)
    return BundleKeys(home).trust(pem, name)


def trust(home: Path, path: Path, name: str) -> TrustedKey:
    """Trust the public key in a file."""
    prepare(home)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror or error}") from error
    return BundleKeys(home).trust(data, name)


def trusted(home: Path) -> list[TrustedKey]:
    """Return the keys of others that are trusted."""
    return BundleKeys(home).trusted()


def forget(home: Path, id: str) -> TrustedKey:
    """Trust a key no longer."""
    return BundleKeys(home).forget(id)
