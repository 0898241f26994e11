"""What an operator sets for knowledge: how publishers are reached, which, how old it may grow, when to look.

All of it stands in ``HOME/knowledge/feeds.yaml``, which a person may write and commands and pages rewrite
(comments are then lost). Without the file nothing calls out by itself, which suits a place without internet.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import yaml

from medwarden.feeds.csaf_providers import metadata_url
from medwarden.feeds.download import Sources, is_live, is_on_request
from medwarden.feeds.osv_changes import ECOSYSTEMS
from medwarden.feeds.registry import feed_named, feeds
from medwarden.feeds.vouching import LONGEST_PUBLISHER, MOST_PUBLISHERS, folded
from medwarden.kernel.errors import ConfigurationError, InternalError, ResourceError
from medwarden.model.feed import Feed
from medwarden.store.folder import prepare, replace_durably
from medwarden.store.knowledge import FOLDER

SETTINGS = "feeds.yaml"
LONGEST_JITTER = 360
"""Minutes by which the time of day may be moved at most."""

_LONGEST_AGE_H = 24 * 3660
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]\Z")
_DOMAIN = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}\Z")
_FINGERPRINT = re.compile(r"(?:[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})\Z")
_API_KEYS = {"nvd": "MEDWARDEN_NVD_KEY", "openfda": "MEDWARDEN_OPENFDA_KEY"}


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When knowledge is looked for by itself: every day from ``at`` (HH:MM in ``zone``) on.

    Up to ``jitter_minutes`` are added, other ones every day, so that not all hospitals ask at once. ``feeds``
    are asked; empty for all of ordinary size.
    """

    on: bool = False
    at: str = "03:15"
    zone: str = "UTC"
    jitter_minutes: int = 45
    feeds: tuple[str, ...] = ()


class SyncSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``feeds.yaml``: how this hospital reaches publishers, and what it wants of them.

    ``stale_after`` is by feed the age in hours from which it counts as stale, in place of the feed's own.
    ``csaf`` are providers by domain or address of their metadata, ``osv`` ecosystems of software packages.
    ``openpgp`` are fingerprints of publishers' keys that count for files that a person brings. ``vouches``
    are names of publishers whose word such a key proves, by its fingerprint, and of those for which a CSAF
    provider speaks beside itself, by its address. A key that it does not name was trusted before keys were
    bound (:func:`medwarden.app.publisher_keys.bind_known`).
    """

    proxy: str | None = None
    authorities: str | None = None
    mirrors: dict[str, str] = {}
    csaf: tuple[str, ...] | None = None
    osv: tuple[str, ...] | None = None
    stale_after: dict[str, int] = {}
    openpgp: tuple[str, ...] = ()
    vouches: dict[str, tuple[str, ...]] = {}
    schedule: Schedule = msgspec.field(default_factory=Schedule)


class Provider(msgspec.Struct, frozen=True):
    """A publisher of CSAF documents to choose from; ``metadata`` is '' where no address is published."""

    name: str
    domain: str
    concerns: str
    metadata: str = ""
    role: str = "maker"
    on: bool = False

    @property
    def address(self) -> str:
        """Return what stands for it in the settings."""
        return self.metadata or self.domain


def read_settings(home: Path) -> SyncSettings:
    """Return the settings of a data folder; those of a fresh one where there is no file.

    Raises ConfigurationError for a file that cannot be understood, ResourceError for the disk.
    """
    path = home / FOLDER / SETTINGS
    if not path.exists():
        return SyncSettings()
    try:
        held = yaml.safe_load(path.read_text("utf-8"))
        settings = msgspec.convert(_as_meant(held or {}), SyncSettings)
        _check(settings)
        return settings
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror or error}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigurationError(f"{path}: {str(error).splitlines()[0]}") from error


def _as_meant(held: object) -> object:
    """Return what a person wrote in place of what YAML 1.1 reads: ``on`` as true, 13:30 as 810."""
    if not isinstance(held, dict) or not isinstance(held.get("schedule"), dict):
        return held
    schedule = held["schedule"]
    meant = {"on" if name is True else name: value for name, value in schedule.items()}
    at = meant.get("at")
    if type(at) is int and 0 <= at < 24 * 60:
        meant["at"] = f"{at // 60:02d}:{at % 60:02d}"
    return {**held, "schedule": meant}


def write_settings(home: Path, settings: SyncSettings) -> None:
    """Keep settings. Raises ConfigurationError where they cannot hold, ResourceError for the disk."""
    try:
        _check(settings)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    held = msgspec.to_builtins(settings)
    plain = {name: value for name, value in held.items() if value not in (None, {}, [])}
    path = home / FOLDER / SETTINGS
    prepare(home)
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        replace_durably(path, yaml.safe_dump(plain, sort_keys=False, allow_unicode=True).encode(), 0o600)
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror or error}") from error


def _check(settings: SyncSettings) -> None:
    """Raise ValueError, naming what is wrong, where settings cannot hold."""
    known = {feed.manifest.id for feed in feeds()}
    schedule = settings.schedule

    def wrong(why: str) -> NoReturn:
        raise ValueError(why)

    if _TIME.match(schedule.at) is None:
        wrong(f"the time {schedule.at[:20]!r} is none: write HH:MM, as 03:15")
    try:
        ZoneInfo(schedule.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        wrong(f"{schedule.zone[:40]!r} is no time zone: write Europe/Berlin or UTC")
    if not 0 <= schedule.jitter_minutes <= LONGEST_JITTER:
        wrong(f"the jitter is from 0 to {LONGEST_JITTER} minutes")
    for name in (*schedule.feeds, *settings.stale_after):
        if name not in known:
            wrong(f"there is no feed {name[:40]!r}; there are: {', '.join(sorted(known))}")
    for name in schedule.feeds:
        if not is_live(feed_named(name)):
            wrong(f"{name} has no address to be asked at: import its files")
    for name, hours in settings.stale_after.items():
        if not 1 <= hours <= _LONGEST_AGE_H:
            wrong(f"{name} becomes stale after 1 to {_LONGEST_AGE_H} hours")
    for fingerprint in settings.openpgp:
        if _FINGERPRINT.match(fingerprint.replace(" ", "")) is None:
            wrong(f"{fingerprint[:80]!r} is no fingerprint of an OpenPGP key (40 or 64 hexadecimal digits)")
    for who, publishers in settings.vouches.items():
        if len(publishers) > MOST_PUBLISHERS:
            wrong(f"{who[:80]} speaks for at most {MOST_PUBLISHERS} publishers")
        for name in publishers:
            if not names_publisher(name):
                wrong(f"{name[:40]!r} is no name of a publisher (1 to {LONGEST_PUBLISHER} letters)")
    for address in settings.csaf or ():
        if address.startswith("https://") or _DOMAIN.match(address):
            continue
        wrong(f"{address[:80]!r} is neither a domain nor an address of https")
    for ecosystem in settings.osv or ():
        if ecosystem not in ECOSYSTEMS:
            wrong(f"there is no ecosystem {ecosystem[:40]!r}; there are: {', '.join(sorted(ECOSYSTEMS))}")


def names_publisher(name: str) -> bool:
    """Tell whether a text can be kept as the name of a publisher."""
    return bool(folded(name)) and len(name) <= LONGEST_PUBLISHER and name.isprintable()


def plain_fingerprint(said: str) -> str:
    """Return a fingerprint as it is compared: capital digits without blanks."""
    return "".join(said.split()).upper()


def publishers_by_key(settings: SyncSettings) -> dict[str, tuple[str, ...]]:
    """Return the publishers whose word each trusted OpenPGP key proves; none for one that is not bound."""
    bound = {plain_fingerprint(key): names for key, names in settings.vouches.items()}
    return {key: bound.get(key, ()) for key in map(plain_fingerprint, settings.openpgp)}


def sources_of(settings: SyncSettings) -> Sources:
    """Return what feeds need of the settings; API keys come from the environment."""
    given = Sources(
        mirrors=settings.mirrors,
        vouches=settings.vouches,
        keys={feed: os.environ[name] for feed, name in _API_KEYS.items() if os.environ.get(name)},
    )
    if settings.csaf is not None:
        given = msgspec.structs.replace(given, csaf=settings.csaf)
    return given if settings.osv is None else msgspec.structs.replace(given, osv=settings.osv)


def ordinary_feeds(settings: SyncSettings) -> tuple[type[Feed], ...]:
    """Return the feeds that are brought without being named: live ones of ordinary size.

    OSV is one of them where ecosystems are chosen.
    """
    return tuple(
        feed
        for feed in feeds()
        if is_live(feed) and (not is_on_request(feed) or (feed.manifest.id == "osv" and settings.osv))
    )


def stale_after_h(feed: type[Feed], settings: SyncSettings) -> int:
    """Return the hours after which a feed counts as stale here."""
    return settings.stale_after.get(feed.manifest.id, feed.manifest.stale_after_h)


def known_providers() -> tuple[Provider, ...]:
    """Return the publishers of CSAF documents that come to choose from."""
    text = (resources.files("medwarden.feeds") / "csaf_known.yaml").read_text(encoding="utf-8")
    try:
        return tuple(msgspec.convert(yaml.safe_load(text), list[Provider]))
    except (yaml.YAMLError, ValueError) as error:
        raise InternalError(f"csaf_known.yaml is not as it should be: {error}") from error


def chosen_providers(settings: SyncSettings) -> tuple[str, ...]:
    """Return the providers that are asked, as the settings write them."""
    return sources_of(settings).csaf


def with_provider(settings: SyncSettings, named: str, *, asked: bool) -> SyncSettings:
    """Return settings that ask a provider, or no longer.

    ``named`` is its name in the list that comes with medwarden, its domain, or the address of its metadata.
    Raises ConfigurationError for one that is not there to be taken away.
    """
    listed = next((p for p in known_providers() if named.lower() in (p.name.lower(), p.domain)), None)
    address = listed.address if listed else named.strip()
    same = {address, metadata_url(address), *((listed.domain,) if listed else ())}
    chosen = chosen_providers(settings)
    kept = tuple(one for one in chosen if one not in same)
    if asked:
        return msgspec.structs.replace(settings, csaf=(*kept, address))
    if kept == chosen:
        raise ConfigurationError(f"{named[:100]} is not asked; asked are: {', '.join(chosen) or 'none'}")
    left = {who: names for who, names in settings.vouches.items() if who not in same}
    return msgspec.structs.replace(settings, csaf=kept, vouches=left)


def said_of(settings: SyncSettings) -> Mapping[str, object]:
    """Return settings as the audit keeps them."""
    held: dict[str, object] = msgspec.to_builtins(settings)
    return held
