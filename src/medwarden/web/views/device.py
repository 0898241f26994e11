"""One device: header and tabs; every tab is a URL."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from medwarden.app.device_capture import QUOTA_MEGABYTES
from medwarden.app.disclosures import disclosure_for
from medwarden.app.risk import what_ifs
from medwarden.app.way_down import way_down
from medwarden.inventory.patient_data import Likelihood, patient_data
from medwarden.inventory.story import story
from medwarden.kernel.errors import ConfigurationError
from medwarden.knowledge.mds2_disclosure import needs_of
from medwarden.model.device import Device
from medwarden.model.policy import Policy
from medwarden.model.role import Permission
from medwarden.policy import to_mud_text, to_text
from medwarden.store import queries
from medwarden.store.captures import CaptureFilter, captures
from medwarden.store.changes import Change
from medwarden.store.identities import restore_device, retire
from medwarden.store.models import Device as DeviceRow
from medwarden.store.queries import identity as of_identity
from medwarden.store.queries.scores import changes_of
from medwarden.web import device_page, shapes
from medwarden.web.decisions import data_folder
from medwarden.web.device_vulnerabilities import device_vulnerabilities
from medwarden.web.guard import requires
from medwarden.web.policy_learning import device_policy as device_policy_now
from medwarden.web.policy_learning import with_peers
from medwarden.web.scope import Scope, scope_of, signed_in
from medwarden.web.templatetags.console import page_url
from medwarden.web.views.captures import rights, with_state
from medwarden.web.views.records import records
from medwarden.web.way_down import page_of_said

Tab = dict[str, object]


@requires(Permission.SEE_INVENTORY)
@require_GET
def device(request: HttpRequest, device_id: str) -> HttpResponse:
    """Show a device; an id that was merged into another leads there."""
    scope = scope_of(request)
    row = queries.find_device(scope.store, device_id)
    if row is None:
        raise Http404("There is no such device in what you may see.")
    if row.pk != device_id:
        return HttpResponseRedirect(page_url(request, "device", row.pk))
    found = queries.complete_devices([row.pk])[0]
    tab = request.GET.get("tab", "identity")
    if tab not in TABS:
        tab = "identity"
    score = queries.risk(scope.store, row.pk)
    context: dict[str, object] = {
        "device": found,
        "row": row,
        "tab": tab,
        "tabs": device_page.TABS,
        "counts": {"findings": row.findings_open, "traffic": len(found.services) or None},
        "icon_name": device_page.icon_of(found),
        "levels": [
            (level.capitalize(), device_page.value_of(found, level), found.verdict(level))
            for level in device_page.HEADER_LEVELS
        ],
        "presence": device_page.presence(row.last_seen, scope.until_ns),
        "score": score,
        "use": device_page.use_of(scope.store, found, scope.until_ns),
        "may_retire": signed_in(request).may(Permission.CORRECT_IDENTITY),
        "may_protect": signed_in(request).may(Permission.PROTECT_DEVICE),
    }
    context |= TABS[tab](request, scope, found, row)
    return render(request, "web/device.html", context)


def _identity(request: HttpRequest, scope: Scope, found: Device, row: DeviceRow) -> Tab:
    user = signed_in(request)
    return {
        "known": device_page.identity(found),
        "ledger": sorted(found.ledger, key=lambda e: (e.field, -e.last_seen)),
        "addresses": queries.addresses(scope.store, row.pk),
        "missing": device_page.missing(found),
        "story": story(found),
        "patients": _patients(scope, found),
        "parts": of_identity.identities(scope.store, row.pk),
        "decided": of_identity.decisions(scope.store, device_id=row.pk, holding=True, limit=10),
        "elsewhere": of_identity.elsewhere(scope.store, row.pk),
        "changes": of_identity.verdict_history(scope.store, row.pk),
        "ends": device_page.support(scope.store, row.pk, scope.until_ns),
        "may_correct": user.may(Permission.CORRECT_IDENTITY),
    }


def _patients(scope: Scope, found: Device) -> list[tuple[str, Likelihood]]:
    told = patient_data(found, disclosure_for(scope.tenant, found))
    return [
        ("Transmits patient data", told.transmits),
        ("Stores patient data", told.stores),
        ("Data of other persons", told.personal),
    ]


def _risk(request: HttpRequest, scope: Scope, _found: Device, row: DeviceRow) -> Tab:
    score = queries.risk(scope.store, row.pk)
    changes = changes_of(scope.store, row.pk)
    history = [(change.at_ns, change.score, change.level) for change in changes]
    return {
        "bars": shapes.waterfall(score) if score else [],
        "sides": shapes.sides(score) if score else [],
        "what_ifs": [answer for answer in what_ifs(scope.store, row.pk) if answer.score < row.risk_score][:8]
        if score
        else [],
        "risk_history": list(reversed(changes)),
        "risk_chart": device_page.risk_chart(history, scope.until_ns),
        "ends": device_page.support(scope.store, row.pk, scope.until_ns),
        **device_vulnerabilities(
            scope,
            row,
            may_change=signed_in(request).may(Permission.CHANGE_FINDING),
            back=request.get_full_path(),
        ),
    }


def _findings(_request: HttpRequest, scope: Scope, _found: Device, row: DeviceRow) -> Tab:
    wanted = queries.FindingFilter(device=row.pk)
    return {"page": queries.findings(scope.store, wanted, sort="-severity", limit=500)}


def _traffic(request: HttpRequest, scope: Scope, found: Device, _row: DeviceRow) -> Tab:
    since = scope.since_ns or 0
    recent = [c for c in found.conversations if c.last_seen >= since]
    recent.sort(key=lambda c: -(c.bytes_sent + c.bytes_received))
    peers = device_page.named_peers(scope.store, recent[:500])
    links = {
        p.conversation.peer_device: page_url(request, "device", p.conversation.peer_device)
        for p in peers
        if p.conversation.peer_device
    }
    return {
        "services": [s for s in found.services if s.last_seen >= since],
        "peers": peers,
        "more_peers": max(0, len(recent) - 500),
        "graph": device_page.peer_graph(found, peers, links),
        "graph_most": device_page.MOST_GRAPH_PEERS,
    }


def _flows(_request: HttpRequest, scope: Scope, _found: Device, row: DeviceRow) -> Tab:
    hours = queries.activity(scope.store, row.pk, since=scope.since_ns or 0)
    return {"hours": list(reversed(hours))[:500], "chart": device_page.flow_chart(hours)}


def _policy(_request: HttpRequest, scope: Scope, found: Device, row: DeviceRow) -> Tab:
    learnt = device_policy_now(scope.store, found)
    stored = queries.policies(scope.store, subject_kind="device", subject=row.pk)
    if found.category:
        stored += queries.policies(scope.store, subject_kind="category", subject=found.category)
    told = disclosure_for(scope.tenant, found)
    needs = None if told is None else needs_of(told)
    return {"learnt": learnt, "policy_text": to_text(learnt), "stored_policies": stored, "needs": needs}


def _packets(request: HttpRequest, scope: Scope, found: Device, row: DeviceRow) -> Tab:
    page = captures(scope.store, CaptureFilter(device=row.pk), limit=20)
    user = signed_in(request)
    interfaces = queries.live_interfaces(scope.store, row.site_id)
    return {
        "page": page,
        "rows": with_state(page.items, scope.until_ns),
        "interfaces": interfaces,
        "command": device_page.capture_command(found, user.username, interfaces),
        "quota": QUOTA_MEGABYTES,
        **rights(user),
    }


def _history(_request: HttpRequest, scope: Scope, _found: Device, row: DeviceRow) -> Tab:
    known_as = [f"device:{each}" for each in queries.ids_over_time(scope.store, row.pk)]
    return {"entries": queries.history(scope.store, subjects=known_as, limit=200)}


TABS: dict[str, Callable[[HttpRequest, Scope, Device, DeviceRow], Tab]] = {
    "identity": _identity,
    "records": records,
    "risk": _risk,
    "findings": _findings,
    "traffic": _traffic,
    "flows": _flows,
    "policy": _policy,
    "packets": _packets,
    "history": _history,
}


@requires(Permission.SEE_INVENTORY)
@require_GET
def device_evidence(request: HttpRequest, device_id: str) -> HttpResponse:
    """Show where an answer comes from: what it rests on, who said it, or where it was heard.

    A fact that was heard is shown with its inputs, packets or lines, and the conversations of that moment.
    """
    scope = scope_of(request)
    found = queries.device(scope.store, device_id)
    if found is None:
        raise Http404("There is no such device in what you may see.")
    field, value = request.GET.get("field", "")[:200], request.GET.get("value", "")[:600]
    start = request.GET.get("start", "0")
    offset = int(start) if start.isascii() and start.isdigit() and len(start) < 8 else 0
    try:
        told = way_down(scope.store, data_folder(), found.id, field, value, offset=offset)
    except ConfigurationError as error:
        raise Http404(f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
    context = {
        "device": found,
        "field": field,
        "value": told.value,
        "found": told,
        "said": [(each, page_of_said(request, found.id, each)) for each in told.said],
        "next": offset + len(told.heard),
    }
    return render(request, "web/device_evidence.html", context)


@requires(Permission.EXPORT)
@require_GET
def device_policy(request: HttpRequest, device_id: str, kind: str) -> HttpResponse:
    """Download the allow list of a device as text or as a MUD file (RFC 8520)."""
    scope = scope_of(request)
    found = queries.device(scope.store, device_id)
    if found is None or kind not in ("text", "mud"):
        raise Http404("There is no such download.")
    learnt = device_policy_now(scope.store, found)
    return policy_download(request, learnt, kind, with_peers(scope.store, [found]))


def policy_download(
    request: HttpRequest, policy: Policy, kind: str, devices: Mapping[str, Device]
) -> HttpResponse:
    """Return a policy as a file; that it was taken is audited."""
    scope, user = scope_of(request), signed_in(request)
    with Change(f"user:{user.username}", "download", tenant=scope.tenant, site=scope.site) as change:
        change.record("policy.exported", f"policy:{policy.id}", None, {"as": kind, "version": policy.version})
    if kind == "mud":
        response = HttpResponse(to_mud_text(policy, devices), content_type="application/mud+json")
        response["Content-Disposition"] = f'attachment; filename="{policy.id}.json"'
    else:
        response = HttpResponse(to_text(policy), content_type="text/plain; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{policy.id}.txt"'
    return response


@requires(Permission.CORRECT_IDENTITY)
@require_POST
def device_retire(request: HttpRequest, device_id: str) -> HttpResponse:
    """Take a device out of the lists, or back into them, with a reason."""
    scope, user = scope_of(request), signed_in(request)
    row = queries.find_device(scope.store, device_id)
    if row is None:
        raise Http404("There is no such device in what you may see.")
    reason = request.POST.get("reason", "").strip()
    if not reason:
        messages.error(request, "Say why: the reason is kept with the device.")
        return HttpResponseRedirect(reverse("device", args=[row.pk]))
    act = restore_device if row.retired_at is not None else retire
    try:
        with Change(f"user:{user.username}", reason, tenant=scope.tenant, site=row.site_id) as change:
            act(change, row.pk)
    except ConfigurationError as error:
        messages.error(request, f"{str(error).capitalize()}.")
    else:
        messages.success(
            request, "The device is back in the lists." if act is restore_device else "The device is retired."
        )
    return HttpResponseRedirect(reverse("device", args=[row.pk]))
