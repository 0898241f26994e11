"""Policies: the list, learning one, one with its rules, dry run and history."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from medwarden.kernel.errors import ConfigurationError
from medwarden.model.policy import Policy, PolicyState
from medwarden.model.role import Permission
from medwarden.policy import to_text
from medwarden.store import queries
from medwarden.store.changes import Change
from medwarden.store.models import User
from medwarden.store.policies import NEXT_STATES, set_policy_state
from medwarden.web import policy_learning
from medwarden.web.guard import requires
from medwarden.web.recent import recently
from medwarden.web.scope import scope_of, signed_in
from medwarden.web.templatetags.console import page_url
from medwarden.web.views.device import policy_download

BY_HAND = frozenset({PolicyState.LEARNT, PolicyState.SIMULATED, PolicyState.APPROVED})
"""States that a decision alone brings about; canary and enforced follow from what an enforcer did."""


@requires(Permission.SEE_INVENTORY)
@require_GET
def policies(request: HttpRequest) -> HttpResponse:
    """List policies and the categories one could be learnt for."""
    scope = scope_of(request)
    rows = queries.policies(scope.store)
    counts = recently(queries.facets, scope.store).get("category", {})
    covered = {row.subject for row in rows if row.subject_kind == "category"}
    return render(
        request,
        "web/policies.html",
        {
            "rows": rows,
            "categories": [(c, n) for c, n in counts.items() if c != queries.UNKNOWN],
            "uncovered": sum(n for c, n in counts.items() if c not in covered),
            "may_learn": signed_in(request).may(Permission.LEARN_POLICY),
        },
    )


@requires(Permission.LEARN_POLICY)
@require_POST
def policy_learn(request: HttpRequest) -> HttpResponse:
    """Learn the policy of a category and show it."""
    scope, user = scope_of(request), signed_in(request)
    try:
        learnt = policy_learning.learn(scope, request.POST.get("category", ""), f"user:{user.username}")
    except ConfigurationError as error:
        messages.error(request, f"{str(error).capitalize()}.")
        return HttpResponseRedirect(page_url(request, "policies"))
    return HttpResponseRedirect(page_url(request, "policy", learnt.id))


def _found(request: HttpRequest, policy_id: str) -> Policy:
    version = request.GET.get("version", "")
    found = queries.policy(
        scope_of(request).store, policy_id, int(version) if version.isascii() and version.isdigit() else None
    )
    if found is None:
        raise Http404("There is no such policy in what you may see.")
    return found


@requires(Permission.SEE_INVENTORY)
@require_GET
def policy(request: HttpRequest, policy_id: str) -> HttpResponse:
    """Show one policy: rules, what it would break, text, history."""
    scope = scope_of(request)
    found = _found(request, policy_id)
    run, _ = policy_learning.dry_run(scope.store, found)
    return render(
        request,
        "web/policy.html",
        {
            "policy": found,
            "text": to_text(found),
            "run": run,
            "history": list(reversed(queries.policy_history(scope.store, policy_id))),
            "allowed": steps_for(signed_in(request), found),
        },
    )


def steps_for(user: User, found: Policy) -> list[tuple[str, str]]:
    """Return (state, words) of the states this person may bring a policy to."""
    words = {
        PolicyState.LEARNT: "Back to learnt",
        PolicyState.SIMULATED: "Mark as simulated",
        PolicyState.APPROVED: "Approve",
    }
    allowed = []
    for target in PolicyState:
        needed = Permission.APPROVE_POLICY if target is PolicyState.APPROVED else Permission.LEARN_POLICY
        if target in NEXT_STATES[found.state] and target in BY_HAND and user.may(needed):
            allowed.append((target.value, words[target]))
    return allowed


@requires(Permission.LEARN_POLICY)
@require_POST
def policy_step(request: HttpRequest, policy_id: str) -> HttpResponse:
    """Move a policy to another state, with a reason."""
    scope, user = scope_of(request), signed_in(request)
    found = _found(request, policy_id)
    reason = request.POST.get("reason", "").strip()
    target = request.POST.get("state", "")
    if target not in [value for value, _ in steps_for(user, found)] or not reason:
        messages.error(request, "Choose a step that your role includes, and say why.")
        return HttpResponseRedirect(page_url(request, "policy", policy_id))
    try:
        with Change(f"user:{user.username}", reason, tenant=scope.tenant, site=scope.site) as change:
            set_policy_state(change, policy_id, PolicyState(target))
    except ConfigurationError as error:
        messages.error(request, f"{str(error).capitalize()}.")
    else:
        messages.success(request, f"The policy is {target}.")
    return HttpResponseRedirect(page_url(request, "policy", policy_id))


@requires(Permission.EXPORT)
@require_GET
def policy_export(request: HttpRequest, policy_id: str, kind: str) -> HttpResponse:
    """Download a policy as text or MUD (RFC 8520)."""
    if kind not in ("text", "mud"):
        raise Http404("Policies are downloaded as text or MUD.")
    found = _found(request, policy_id)
    _, devices = policy_learning.dry_run(scope_of(request).store, found)
    return policy_download(request, found, kind, devices)
