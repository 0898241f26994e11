"""Operations on policies."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from ninja import Router, Schema

from medwarden.model.policy import Policy
from medwarden.model.role import Permission
from medwarden.policy import DryRun
from medwarden.store import queries
from medwarden.web import policy_learning
from medwarden.web.api.access import needs
from medwarden.web.api.schemas import Problem, list_of, plain, schema_of
from medwarden.web.scope import scope_of, signed_in
from medwarden.web.views.device import policy_download

router = Router(tags=["Policy"])
SEE = needs(Permission.SEE_INVENTORY)

PolicyOut = schema_of(Policy)
DryRunOut = schema_of(DryRun)


def _one(request: HttpRequest, policy_id: str, version: int | None = None) -> Policy:
    found = queries.policy(scope_of(request).store, policy_id, version)
    if found is None:
        raise Http404("There is no such policy in what you may see.")
    return found


@router.get(
    "/policies", response=list_of(queries.PolicyRow), auth=SEE, url_name="policies", summary="List policies"
)
def policies(request: HttpRequest) -> Any:  # noqa: ANN401
    """Return all policies."""
    return plain(queries.policies(scope_of(request).store))


class Learn(Schema):
    """What to learn a policy for."""

    category: str


@router.post(
    "/policies",
    response={200: PolicyOut, 422: Problem},
    auth=needs(Permission.LEARN_POLICY),
    summary="Learn a policy",
)
def learn(request: HttpRequest, body: Learn) -> Any:  # noqa: ANN401
    """Learn the allow list of a category from all its traffic, store and return it."""
    actor = f"user:{signed_in(request).username}"
    return plain(policy_learning.learn(scope_of(request), body.category, actor))


@router.get("/policies/{policy_id}", response=PolicyOut, auth=SEE, url_name="policy", summary="One policy")
def policy(request: HttpRequest, policy_id: str, version: int | None = None) -> Any:  # noqa: ANN401
    """Return a policy with its rules, as it stands or in an earlier version."""
    return plain(_one(request, policy_id, version))


@router.get(
    "/policies/{policy_id}/dry-run", response=DryRunOut, auth=SEE, summary="What a policy would break"
)
def dry_run(request: HttpRequest, policy_id: str) -> Any:  # noqa: ANN401
    """Replay the recorded conversations of the covered devices against the policy."""
    return plain(policy_learning.dry_run(scope_of(request).store, _one(request, policy_id))[0])


@router.get(
    "/policies/{policy_id}/export/{kind}",
    response={200: None, 404: Problem},
    auth=needs(Permission.EXPORT),
    summary="Policy as text or MUD",
)
def export(request: HttpRequest, policy_id: str, kind: str) -> HttpResponse:
    """Return a policy as ``text`` or ``mud`` (RFC 8520)."""
    if kind not in ("text", "mud"):
        raise Http404("Policies are exported as text or mud.")
    found = _one(request, policy_id)
    _, devices = policy_learning.dry_run(scope_of(request).store, found)
    return policy_download(request, found, kind, devices)
