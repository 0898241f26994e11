"""Learn and replay policies on stored traffic, as far as a person may see it."""

from __future__ import annotations

from medwarden.app.disclosures import network_needs
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.device import Device
from medwarden.model.policy import Policy
from medwarden.policy import DryRun, learn_category, learn_device, replay
from medwarden.store import queries
from medwarden.store.changes import Change
from medwarden.store.models import Device as DeviceRow
from medwarden.store.policies import record_policy
from medwarden.web.scope import Scope


def with_peers(scope: queries.Scope, members: list[Device]) -> dict[str, Device]:
    """Return devices and their peers by id, as far as the scope reaches."""
    inside = {d.id: d for d in members}
    wanted = {
        c.peer_device
        for d in members
        for c in d.conversations
        if c.peer_device and c.peer_device not in inside
    }
    rows = scope.over(DeviceRow.objects.all()).filter(pk__in=wanted).values_list("pk", flat=True)
    return {**inside, **{d.id: d for d in queries.complete_devices(list(rows))}}


def device_policy(scope: queries.Scope, found: Device) -> Policy:
    """Return the allow list that a device's own traffic would give now; nothing is stored."""
    needs = network_needs(scope.tenant, [found])
    return learn_device(found, with_peers(scope, [found]), needs=needs)


def learn(scope: Scope, category: str, actor: str) -> Policy:
    """Learn the allow list of a category from all its traffic and store it.

    Raises ConfigurationError where no device in scope is of that category.
    """
    ids = queries.device_ids(scope.store, queries.DeviceFilter(category=(category,)))
    if not category or not ids:
        raise ConfigurationError("no device that you may see is of that category")
    members = queries.complete_devices(ids)
    needs = network_needs(scope.store.tenant, members)
    learnt = learn_category(category, with_peers(scope.store, members), needs=needs)
    with Change(actor, "learnt from observed traffic", tenant=scope.tenant, site=scope.site) as change:
        return record_policy(change, learnt)


def dry_run(scope: queries.Scope, policy: Policy) -> tuple[DryRun, dict[str, Device]]:
    """Return what a policy would have done to the stored conversations of the devices it covers."""
    rows = scope.over(DeviceRow.objects.all()).filter(pk__in=policy.devices).values_list("pk", flat=True)
    members = queries.complete_devices(list(rows))
    devices = with_peers(scope, members)
    return replay(policy, members, devices), devices
