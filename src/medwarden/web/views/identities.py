"""Identity over time: which devices are one, what people decided of it, and who fell silent."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from medwarden.app.identity import decide_stored, merge_stored, split_stored, undo_stored
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.role import Permission
from medwarden.store.queries.ageing import retirement_of, silent_devices
from medwarden.store.queries.identity import decisions, proposals
from medwarden.web.decisions import reason_of, said
from medwarden.web.guard import requires
from medwarden.web.paging import offset_of, page_number, paging
from medwarden.web.recent import forget
from medwarden.web.scope import actor_of, scope_of, signed_in
from medwarden.web.templatetags.console import page_url

_MOST = 100


@requires(Permission.SEE_INVENTORY)
@require_GET
def identities(request: HttpRequest) -> HttpResponse:
    """Show devices that may be one, devices that may be gone, and the decisions taken."""
    scope, number = scope_of(request), page_number(request)
    open_ones = proposals(scope.store, limit=_MOST)
    silent = silent_devices(scope.store)
    made = decisions(scope.store, offset=offset_of(number), limit=50)
    context = {
        **paging(made, number),
        "proposals": open_ones,
        "silent": silent[:_MOST],
        "silent_all": len(silent),
        "rule": retirement_of(scope.tenant, scope.one_site) if scope.one_site else None,
        "may_correct": signed_in(request).may(Permission.CORRECT_IDENTITY),
    }
    return render(request, "web/devices_identities.html", context)


@requires(Permission.CORRECT_IDENTITY)
@require_POST
def proposal_decide(request: HttpRequest, proposal: str) -> HttpResponse:
    """Accept or reject that two devices are one."""
    accepted = request.POST.get("decision") == "accept"

    def decide() -> str:
        decide_stored(
            proposal,
            accepted=accepted,
            reason=reason_of(request),
            actor=actor_of(request),
            scope=scope_of(request).store,
        )
        forget()
        return (
            "they are one device now; the decision can be undone below"
            if accepted
            else "they stay two devices"
        )

    return said(request, "devices_identities", decide)


@requires(Permission.CORRECT_IDENTITY)
@require_POST
def decision_undo(request: HttpRequest, number: int) -> HttpResponse:
    """Take a decision on identities back."""

    def undo() -> str:
        undo_stored(number, reason=reason_of(request), actor=actor_of(request), scope=scope_of(request).store)
        forget()
        return f"decision {number} is undone: the devices are as if it had never been made"

    return said(request, "devices_identities", undo)


@requires(Permission.CORRECT_IDENTITY)
@require_POST
def device_join(request: HttpRequest, device_id: str) -> HttpResponse:
    """Make another device part of this one."""
    other = request.POST.get("other", "").strip()[:200]

    def join() -> str:
        if not other:
            raise ConfigurationError("say which device is the same: by id, MAC or IP address")
        number = merge_stored(
            device_id,
            other,
            reason=reason_of(request),
            actor=actor_of(request),
            scope=scope_of(request).store,
        )
        forget()
        return f"they are one device now; decision {number} can be undone"

    return _back_to(request, device_id, said(request, "devices_identities", join))


@requires(Permission.CORRECT_IDENTITY)
@require_POST
def device_split(request: HttpRequest, device_id: str) -> HttpResponse:
    """Take interfaces or addresses out of this device."""

    def split() -> str:
        number = split_stored(
            device_id,
            macs=tuple(request.POST.getlist("mac")),
            ips=tuple(request.POST.getlist("ip")),
            reason=reason_of(request),
            actor=actor_of(request),
            scope=scope_of(request).store,
        )
        forget()
        return f"what you chose is a device of its own now; decision {number} can be undone"

    return _back_to(request, device_id, said(request, "devices_identities", split))


def _back_to(request: HttpRequest, device_id: str, answer: HttpResponse) -> HttpResponse:
    answer["Location"] = page_url(request, "device", device_id)
    return answer
