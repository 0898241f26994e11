"""Whose word a publisher's key or a provider's signature proves, as people decided: widened, narrowed, ended.

A person compares a key with what one publisher says of it; so the key proves that publisher's word and no
other's until somebody says with a reason that it speaks for another as well.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from medwarden.app.knowledge_settings import (
    SyncSettings,
    chosen_providers,
    names_publisher,
    plain_fingerprint,
    publishers_by_key,
    read_settings,
)
from medwarden.app.knowledge_steering import change_settings
from medwarden.feeds.vouching import folded, is_among
from medwarden.kernel.errors import ConfigurationError

_HEXADECIMAL = re.compile(r"[0-9A-F]+\Z")


class Voucher(msgspec.Struct, frozen=True):
    """A key by its fingerprint, or a CSAF provider by its address, and the publishers it speaks for.

    A provider speaks for the publisher that its metadata named when it was met, which is not listed here.
    """

    id: str
    kind: Literal["key", "provider"]
    publishers: tuple[str, ...]


def vouchers(home: Path) -> tuple[Voucher, ...]:
    """Return the keys that are trusted and the providers that are asked, with whom each speaks for."""
    settings = read_settings(home)
    keys = [Voucher(key, "key", names) for key, names in publishers_by_key(settings).items()]
    providers = [
        Voucher(address, "provider", settings.vouches.get(address, ()))
        for address in chosen_providers(settings)
    ]
    return (*keys, *providers)


def proves(settings: SyncSettings, fingerprint: str, publisher: str) -> bool:
    """Tell whether what a key signed proves the word of a publisher."""
    bound = publishers_by_key(settings).get(plain_fingerprint(fingerprint), ())
    return is_among(publisher, bound)


def trust(home: Path, who: str, publisher: str, *, actor: str, reason: str) -> None:
    """Let a key or a provider speak for a publisher from now on, on an open store of a writer.

    Raises ConfigurationError without a reason or a publisher, and for what is neither the fingerprint of a
    key nor the address of a provider that is asked.
    """
    if not reason.strip():
        raise ConfigurationError("say how you compared the key with what its publisher says")
    named = " ".join(publisher.split())
    if not named:
        raise ConfigurationError("say for which publisher, as its documents name it")
    change_settings(home, partial(_trusting, who=who, publisher=named), actor=actor, reason=reason.strip())


def _trusting(settings: SyncSettings, who: str, publisher: str) -> SyncSettings:
    known = _known(settings, who)
    openpgp = settings.openpgp
    if known is None:
        known, openpgp = plain_fingerprint(who), (*openpgp, plain_fingerprint(who))
    bound = _bound(settings, known)
    if not is_among(publisher, bound):
        bound = (*bound, publisher)
    vouches = {**_others(settings, known), known: bound}
    return msgspec.structs.replace(settings, openpgp=openpgp, vouches=vouches)


def distrust(home: Path, who: str, publisher: str = "", *, actor: str, reason: str) -> None:
    """Let a key or provider speak for a publisher no longer; without one a key is trusted no longer at all.

    Raises ConfigurationError without a reason, or where nothing of the kind is trusted.
    """
    if not reason.strip():
        raise ConfigurationError("say why it is trusted no longer")
    change_settings(
        home, partial(_distrusting, who=who, publisher=publisher), actor=actor, reason=reason.strip()
    )


def _distrusting(settings: SyncSettings, who: str, publisher: str) -> SyncSettings:
    known = _known(settings, who)
    if known is None:
        raise ConfigurationError(f"{who[:80]!r} is no key that is trusted and no provider that is asked")
    bound = _bound(settings, known)
    if publisher and not is_among(publisher, bound):
        raise ConfigurationError(f"{known} does not speak for {publisher[:80]!r}")
    left = tuple(one for one in bound if folded(one) != folded(publisher)) if publisher else ()
    vouches = _others(settings, known)
    openpgp = settings.openpgp
    if publisher:
        vouches[known] = left
    else:
        openpgp = tuple(key for key in openpgp if plain_fingerprint(key) != known)
    return msgspec.structs.replace(settings, openpgp=openpgp, vouches=vouches)


def bind_known(home: Path) -> None:
    """Bind keys that were trusted before keys were bound, on an open store of a writer.

    Each is bound to the publisher of the first document here that it signed: the one it was met with. One
    that signed no document that is kept, or whose document names nobody that can be kept, is bound to nobody
    until a person says whom. That is decided once, before another document is taken in, so that no document
    can name whom its own key is for. Where all keys are bound, the store is not asked.
    """
    if _unbound(read_settings(home)):
        change_settings(
            home, _binding, actor="system",
            reason="keys that were trusted for everybody are bound to the publisher they were met with",
        )  # fmt: skip


def _binding(settings: SyncSettings) -> SyncSettings:
    from medwarden.store.vex import first_signed

    before = _unbound(settings)
    met = {key: (name,) for key, name in first_signed(before).items() if names_publisher(name)}
    vouches = {**settings.vouches, **{key: met.get(key, ()) for key in before}}
    return msgspec.structs.replace(settings, vouches=vouches)


def _unbound(settings: SyncSettings) -> list[str]:
    named = {plain_fingerprint(key) for key in settings.vouches}
    return [key for key in map(plain_fingerprint, settings.openpgp) if key not in named]


def _known(settings: SyncSettings, who: str) -> str | None:
    """Return how a key or provider stands in the settings; None for a key that is not there."""
    if who in chosen_providers(settings):
        return who
    named = plain_fingerprint(who)
    if named in map(plain_fingerprint, settings.openpgp):
        return named
    if _HEXADECIMAL.match(named) is None:
        raise ConfigurationError(
            f"{who[:80]!r} is no fingerprint of an OpenPGP key and no CSAF provider that is asked"
        )
    return None


def _bound(settings: SyncSettings, known: str) -> tuple[str, ...]:
    return next((names for key, names in settings.vouches.items() if _same(key, known)), ())


def _others(settings: SyncSettings, known: str) -> dict[str, tuple[str, ...]]:
    return {key: names for key, names in settings.vouches.items() if not _same(key, known)}


def _same(key: str, known: str) -> bool:
    return key == known or plain_fingerprint(key) == known
