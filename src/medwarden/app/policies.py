"""Policies of the stored inventory: learn, show, export."""

from __future__ import annotations

from pathlib import Path

import msgspec

from medwarden.app.inventory import one_device
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.policy import Policy
from medwarden.policy.learn import learn_category, learn_device
from medwarden.policy.mud import to_mud_text
from medwarden.policy.text import to_text
from medwarden.store.open import open_store


def learn_policy(
    home: Path, *, device: str | None, category: str | None, actor: str, site: str | None = None
) -> Policy:
    """Learn the allow list of one device or category from all stored conversations and store it.

    ``site`` chooses the devices of a category at one site. Raises ConfigurationError when neither or both
    of device and category are named, nothing is called so, or the category is at several sites.
    """
    if (device is None) == (category is None):
        raise ConfigurationError("name either --device or --category")
    with open_store(home, writer=True, role="policy"):
        return learn_stored(device=device, category=category, actor=actor, site=site)


def learn_stored(*, device: str | None, category: str | None, actor: str, site: str | None = None) -> Policy:
    """Do the same on a store that is open already (the console)."""
    from medwarden.app.disclosures import network_needs
    from medwarden.store import queries
    from medwarden.store.changes import Change
    from medwarden.store.policies import record_policy

    scope = queries.Scope(sites=None if site is None else (site,))
    devices = {each.id: each for each in queries.complete_devices(queries.device_ids(scope))}
    if device is not None:
        member = one_device(device)
        learnt = learn_device(member, devices, needs=network_needs(scope.tenant, [member]))
    else:
        assert category is not None
        if not any(each.category == category for each in devices.values()):
            raise ConfigurationError(f"no device is of category {category[:40]!r}: see `medwarden devices`")
        members = [each for each in devices.values() if each.category == category]
        learnt = learn_category(category, devices, needs=network_needs(scope.tenant, members))
    with Change(actor, "learnt from observed traffic") as change:
        return record_policy(change, learnt)


def stored_policy(home: Path, identifier: str, form: str) -> str:
    """Return a stored policy as ``text`` or ``mud`` (RFC 8520 JSON)."""
    with open_store(home, writer=False):
        from medwarden.store import queries

        scope = queries.Scope()
        found = queries.policy(scope, identifier)
        if found is None:
            known = ", ".join(row.id for row in queries.policies(scope)) or "none yet"
            raise ConfigurationError(f"no policy is called {identifier[:40]!r}; there are: {known}")
        if form == "text":
            return to_text(found)
        devices = {each.id: each for each in queries.complete_devices(queries.device_ids(scope))}
        return to_mud_text(found, devices)


def policy_rows(home: Path) -> list[dict[str, object]]:
    """Return the stored policies as plain rows."""
    with open_store(home, writer=False):
        from medwarden.store import queries

        return [msgspec.to_builtins(row) for row in queries.policies(queries.Scope())]
