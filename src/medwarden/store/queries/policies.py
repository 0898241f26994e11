"""Policies as they stand and as they were."""

from __future__ import annotations

import msgspec

from medwarden.model.policy import Policy
from medwarden.store.models import Policy as PolicyRowModel
from medwarden.store.models import PolicyVersion
from medwarden.store.queries.device import ids_over_time
from medwarden.store.queries.scope import Scope


class PolicyRow(msgspec.Struct, frozen=True):
    """One policy as lists show it."""

    id: str
    site: str
    subject_kind: str
    subject: str
    title: str
    state: str
    version: int
    rules: int
    devices: int
    updated_ns: int


class PolicyStep(msgspec.Struct, frozen=True):
    """One version or state a policy had: when, by whom, why."""

    version: int
    state: str
    at_ns: int
    actor: str
    reason: str


_COLUMNS = (
    "id",
    "site_id",
    "subject_kind",
    "subject",
    "title",
    "state",
    "version",
    "rules_count",
    "devices_count",
    "updated_ns",
)


def policies(scope: Scope, *, subject_kind: str = "", subject: str = "") -> list[PolicyRow]:
    """Return the policies of a scope, by kind and title; those of a device under any id it had."""
    rows = scope.over(PolicyRowModel.objects.all())
    if subject_kind:
        rows = rows.filter(subject_kind=subject_kind)
    if subject:
        rows = rows.filter(subject__in=ids_over_time(scope, subject))
    return [PolicyRow(*v) for v in rows.order_by("subject_kind", "title", "id").values_list(*_COLUMNS)]


def policy(scope: Scope, policy_id: str, version: int | None = None) -> Policy | None:
    """Return a policy whole, as it stands or in an earlier version, or None."""
    rows = scope.over(PolicyVersion.objects.filter(policy_id=policy_id))
    if version is not None:
        rows = rows.filter(version=version)
    row = rows.order_by("-version", "-at_ns", "-pk").first()
    return None if row is None else msgspec.convert(row.document, Policy)


def policy_history(scope: Scope, policy_id: str) -> list[PolicyStep]:
    """Return every version and state a policy had, oldest first."""
    rows = scope.over(PolicyVersion.objects.filter(policy_id=policy_id)).order_by("at_ns", "pk")
    return [PolicyStep(*v) for v in rows.values_list("version", "state", "at_ns", "actor", "reason")]
