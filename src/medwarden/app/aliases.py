"""A hospital's own names of makers and products: kept in ``aliases.yaml``, changed with a reason, learnt."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import yaml

from medwarden.app.vulnerabilities import (
    ALIASES_FILE,
    advised_products,
    named_products,
    own_aliases,
    refresh,
)
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.risk.matching.names import Aliases, Makers, ProductAlias, packaged_aliases, plain
from medwarden.risk.matching.suggestions import Suggestion, suggestions
from medwarden.store.open import open_store

if TYPE_CHECKING:
    from medwarden.store.changes import Change

_HEADER = (
    "# Names that mean the same maker (vendors), makers of one house (related), and names of one product\n"
    "# (products), beside those that medwarden ships. Changed by the console and `vulnerabilities alias`.\n"
)
_LONGEST = 120
_MOST = 2000


class Wish(msgspec.Struct, frozen=True):
    """A group to be added: names of a product of ``vendor``, else of one maker, else makers of one house."""

    vendor: str = ""
    products: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    related: tuple[str, ...] = ()


def added(aliases: Aliases, wish: Wish) -> Aliases:
    """Return aliases with a group added. Raises ConfigurationError for a wish that says nothing."""
    names = [*wish.products, *wish.also, *wish.related, wish.vendor]
    if any(len(name) > _LONGEST or not name.isprintable() for name in names):
        raise ConfigurationError(f"a name has at most {_LONGEST} letters, on one line")
    if len(aliases.vendors) + len(aliases.related) + len(aliases.products) >= _MOST:
        raise ConfigurationError(f"more than {_MOST} groups of names are kept in no file")
    if wish.products:
        if not wish.vendor or len(set(wish.products)) < 2:
            raise ConfigurationError("say the maker and at least two names of the product")
        return msgspec.structs.replace(
            aliases,
            products=(*aliases.products, ProductAlias(wish.vendor, tuple(dict.fromkeys(wish.products)))),
        )
    if wish.also:
        if not wish.vendor:
            raise ConfigurationError("say the maker's name and another of its names")
        group = tuple(dict.fromkeys((wish.vendor, *wish.also)))
        return msgspec.structs.replace(aliases, vendors=(*aliases.vendors, group))
    if len(set(wish.related)) < 2:
        raise ConfigurationError("say at least two names that mean the same")
    return msgspec.structs.replace(aliases, related=(*aliases.related, tuple(dict.fromkeys(wish.related))))


def without(aliases: Aliases, name: str) -> Aliases:
    """Return aliases without the groups that hold a name. Raises ConfigurationError where none does."""
    wanted = plain(name)

    def holds(names: Sequence[str]) -> bool:
        return wanted in {plain(each) for each in names}

    left = Aliases(
        tuple(group for group in aliases.vendors if not holds(group)),
        tuple(group for group in aliases.related if not holds(group)),
        tuple(group for group in aliases.products if not holds(group.names)),
    )
    if left == aliases:
        raise ConfigurationError(f"no group of your own holds the name {name[:60]!r}")
    return left


def alias_groups(home: Path) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return the hospital's own groups: kind, maker (of products) and names."""
    own = own_aliases(home)
    return [
        *(("product", group.vendor, group.names) for group in own.products),
        *(("vendor", "", group) for group in own.vendors),
        *(("related", "", group) for group in own.related),
    ]


def change_aliases(home: Path, wish: Wish | str, *, actor: str, reason: str) -> int:
    """Add a group, or remove those that hold a name, and match anew; return the profiles that changed."""
    with open_store(home, writer=True, role="vulnerabilities"):
        from medwarden.store.models import DEFAULT_TENANT

        return change_stored_aliases(home, DEFAULT_TENANT, wish, actor=actor, reason=reason)


def change_stored_aliases(home: Path, tenant: str, wish: Wish | str, *, actor: str, reason: str) -> int:
    """Do the same on a store that is open already (the console)."""
    from django.db.models import F
    from django.db.models.functions import Least

    from medwarden.store.changes import Change
    from medwarden.store.models import MatchProfile

    if not reason.strip():
        raise ConfigurationError("say why these names mean the same, or no longer do")
    before = own_aliases(home)
    after = without(before, wish) if isinstance(wish, str) else added(before, wish)
    with Change(actor, reason, tenant=tenant) as change:
        _record(change, before, after)
        # Another number each time: who judges by the names before sees that these are others.
        MatchProfile.objects.filter(tenant_id=tenant).update(edition=Least(F("edition"), 0) - 1)
        _write(home / ALIASES_FILE, after)
    return refresh(home, tenant)


def _record(change: Change, before: Aliases, after: Aliases) -> None:
    """Note in the audit chain which groups came and which went."""
    old: set[str] = {msgspec.json.encode(each).decode() for each in _groups(before)}
    new: set[str] = {msgspec.json.encode(each).decode() for each in _groups(after)}
    change.record("aliases.changed", "file:aliases.yaml", sorted(old - new), sorted(new - old))


def _groups(aliases: Aliases) -> list[object]:
    return [*aliases.vendors, *aliases.related, *aliases.products]


def _write(path: Path, aliases: Aliases) -> None:
    text = _HEADER + yaml.safe_dump(
        msgspec.to_builtins(_listed(aliases)), allow_unicode=True, sort_keys=False
    )
    fresh = path.with_suffix(".new")
    try:
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror}") from error


def _listed(aliases: Aliases) -> dict[str, object]:
    return {
        "vendors": [list(group) for group in aliases.vendors],
        "related": [list(group) for group in aliases.related],
        "products": [{"vendor": each.vendor, "names": list(each.names)} for each in aliases.products],
    }


def suggested(home: Path) -> tuple[Suggestion, ...]:
    """Return names that may mean the same, learnt from inventory and knowledge."""
    with open_store(home, writer=False):
        from medwarden.store.models import DEFAULT_TENANT

        return suggested_names(home, DEFAULT_TENANT)


def suggested_names(home: Path, tenant: str, *, advisories: bool = False) -> tuple[Suggestion, ...]:
    """Do the same on a store that is open already; from ``advisories`` alone, which is soon done."""
    from medwarden.store.models import Device

    named = advised_products(home) if advisories else named_products(home)
    if not named:
        return ()
    rows = Device.objects.filter(tenant_id=tenant, retired_at=None).exclude(vendor=None)
    models: Counter[tuple[str, str]] = Counter(
        (vendor or "", model or "") for vendor, model in rows.values_list("vendor", "model")
    )
    makers = Makers(packaged_aliases().added(own_aliases(home)))
    return suggestions(makers, named, ((vendor, model, n) for (vendor, model), n in models.items()))
