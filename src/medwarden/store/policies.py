"""Policies: every version and every state they were in is kept whole."""

from __future__ import annotations

import msgspec

from medwarden.kernel.errors import ConfigurationError
from medwarden.model.policy import Policy as ModelPolicy
from medwarden.model.policy import PolicyState
from medwarden.store.changes import Change
from medwarden.store.models import DEFAULT_SITE, Device, Policy, PolicyVersion

NEXT_STATES: dict[PolicyState, frozenset[PolicyState]] = {
    PolicyState.LEARNT: frozenset({PolicyState.SIMULATED, PolicyState.APPROVED}),
    PolicyState.SIMULATED: frozenset({PolicyState.LEARNT, PolicyState.APPROVED}),
    PolicyState.APPROVED: frozenset({PolicyState.LEARNT, PolicyState.CANARY}),
    PolicyState.CANARY: frozenset({PolicyState.APPROVED, PolicyState.ENFORCED}),
    PolicyState.ENFORCED: frozenset({PolicyState.APPROVED, PolicyState.CANARY}),
}
"""Which state of a policy may follow which."""


def record_policy(change: Change, policy: ModelPolicy) -> ModelPolicy:
    """Store a policy that was learnt and return it as stored.

    Where its rules differ from what stands, it becomes the next version, in the state it carries;
    where only counts and times moved on, the newest version is brought up to date without one. It belongs
    to the site of its devices, so that who may not see them does not see it either; raises
    ConfigurationError where they are at several.
    """
    row = Policy.objects.filter(tenant_id=change.tenant, pk=policy.id).first()
    if row is None:
        return _store(change, msgspec.structs.replace(policy, version=1), None)
    newest = _newest(policy.id)
    standing = msgspec.convert(newest.document, ModelPolicy)
    if _allowed(standing) != _allowed(policy):
        return _store(change, msgspec.structs.replace(policy, version=row.version + 1), standing)
    merged = msgspec.structs.replace(policy, version=standing.version, state=standing.state)
    newest.document = msgspec.to_builtins(merged)
    newest.save(update_fields=["document"])
    row.title, row.devices_count, row.updated_ns = policy.title, len(policy.devices), change.now_ns
    row.save(update_fields=["title", "devices_count", "updated_ns"])
    return merged


def set_policy_state(change: Change, policy_id: str, state: PolicyState) -> ModelPolicy:
    """Move a policy to ``state`` and return it. Raises ConfigurationError where it may not go there."""
    row = Policy.objects.filter(tenant_id=change.tenant, pk=policy_id).first()
    if row is None:
        raise ConfigurationError(f"there is no policy {policy_id[:40]!r}")
    before = PolicyState(row.state)
    if state not in NEXT_STATES[before]:
        allowed = ", ".join(sorted(s.value for s in NEXT_STATES[before]))
        raise ConfigurationError(
            f"a policy that is {before.value} cannot become {state.value}: choose {allowed}"
        )
    standing = msgspec.convert(_newest(policy_id).document, ModelPolicy)
    return _store(change, msgspec.structs.replace(standing, state=state), standing)


def _newest(policy_id: str) -> PolicyVersion:
    return PolicyVersion.objects.filter(policy_id=policy_id).latest("version", "at_ns", "pk")


def _allowed(policy: ModelPolicy) -> frozenset[tuple[object, ...]]:
    """Return what a policy allows, without how often and when it was seen."""
    return frozenset(
        (r.direction, r.peer.kind, r.peer.value, r.transport, r.port, r.port_to, r.application)
        for r in policy.rules
    )


def _store(change: Change, policy: ModelPolicy, before: ModelPolicy | None) -> ModelPolicy:
    site = _site_of(policy)
    row, _ = Policy.objects.update_or_create(
        id=policy.id,
        defaults={
            "tenant_id": change.tenant,
            "site_id": site,
            "subject_kind": policy.subject_kind,
            "subject": policy.subject,
            "title": policy.title,
            "state": policy.state.value,
            "version": policy.version,
            "rules_count": len(policy.rules),
            "devices_count": len(policy.devices),
            "updated_ns": change.now_ns,
        },
    )
    PolicyVersion.objects.create(
        tenant_id=change.tenant,
        site_id=site,
        policy=row,
        version=policy.version,
        state=policy.state.value,
        document=msgspec.to_builtins(policy),
        at_ns=change.now_ns,
        actor=change.actor,
        reason=change.reason,
    )
    change.record(
        "policy.version" if before is None or before.version != policy.version else "policy.state",
        f"policy:{policy.id}",
        None if before is None else _summary(before),
        _summary(policy),
        site=site,
    )
    return policy


def _site_of(policy: ModelPolicy) -> str:
    standing = Policy.objects.filter(pk=policy.id).values_list("site_id", flat=True).first()
    if standing is not None:
        return standing
    members = Device.objects.filter(pk__in=policy.devices)
    sites = sorted(members.order_by().values_list("site_id", flat=True).distinct())
    if len(sites) > 1:
        raise ConfigurationError(
            f"the devices of this policy are at {len(sites)} sites ({', '.join(sites)}): choose one of them"
        )
    return sites[0] if sites else DEFAULT_SITE


def _summary(policy: ModelPolicy) -> dict[str, object]:
    return {"version": policy.version, "state": policy.state.value, "rules": len(policy.rules)}
