"""The search of the top bar and the command palette."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_GET

from medwarden.model.role import Permission
from medwarden.store import queries
from medwarden.store.places import PlaceCount, place_counts
from medwarden.web.frame import DEVICES, OPERATIONS, RISK, SETTINGS, places
from medwarden.web.guard import requires
from medwarden.web.icons import category_icon
from medwarden.web.recent import recently
from medwarden.web.scope import scope_of, signed_in
from medwarden.web.templatetags.console import category_name, page_url

_CVE = re.compile(r"^CVE-\d{4}-\d{4,}$", re.IGNORECASE)
_DEVICES, _FINDINGS, _PLACES = 8, 4, 4
_STANDING = ("open", "acknowledged")
_AREAS = (
    ("Devices", "devices", DEVICES[1:]),
    ("Risk", "risk", RISK[1:]),
    ("Operations", "operations", OPERATIONS),
)
"""Areas of several pages; the first of devices and of risk is the area itself."""


@requires(Permission.SEE_INVENTORY)
@require_GET
def search(request: HttpRequest) -> HttpResponse:
    """Lead to the one device or finding that is meant, else to the list of what matches."""
    text = request.GET.get("q", "").strip()[:200]
    scope = scope_of(request).store
    if not text:
        return HttpResponseRedirect(page_url(request, "devices"))
    if _CVE.match(text):
        return HttpResponseRedirect(page_url(request, "risk_vulnerabilities", q=text.upper()))
    if queries.find_device(scope, text) is not None:
        return HttpResponseRedirect(page_url(request, "device", text))
    if queries.finding(scope, text) is not None:
        return HttpResponseRedirect(page_url(request, "finding", text))
    found = queries.devices(scope, queries.DeviceFilter(text=text), limit=2)
    if found.total == 1:
        return HttpResponseRedirect(page_url(request, "device", found.items[0].id))
    return HttpResponseRedirect(page_url(request, "devices", q=text))


@requires(Permission.SEE_INVENTORY)
@require_GET
def palette(request: HttpRequest) -> HttpResponse:
    """Return what the command palette offers for the words typed so far."""
    text = request.GET.get("q", "").strip()[:200]
    user = signed_in(request)
    pages = [(p.title, p.icon, page_url(request, p.name)) for p in places(user)]
    for area, icon, tabs in _AREAS:
        pages += [(f"{area}: {title}", icon, page_url(request, name)) for name, title in tabs]
    pages += [
        (f"Settings: {title}", "settings", page_url(request, name))
        for name, title, needed in SETTINGS
        if needed is None or user.may(needed)
    ]
    pages.append(("Your account", "user", page_url(request, "account")))
    items = [
        (icon, title, "", "Page", url)
        for title, icon, url in pages
        if all(word in title.lower() for word in text.lower().split())
    ]
    if len(text) >= 2:
        items += _things(request, text)
    return render(request, "web/part/palette.html", {"items": items, "text": text})


def _findings(scope: queries.Scope, text: str, devices: Sequence[str]) -> list[queries.FindingRow]:
    """Return a few findings whose type is meant, else those of the devices found that are called so.

    To look through the words of every finding would take longer than somebody types.
    """
    terms = text.lower().split()
    meant = tuple(
        kind.type
        for kind in recently(queries.finding_types, scope)
        if all(term in f"{kind.type} {kind.title.rpartition(': ')[0]}".lower() for term in terms)
    )
    if meant:
        wanted = queries.FindingFilter(type=meant, state=_STANDING)
        return list(queries.findings(scope, wanted, limit=_FINDINGS).items)
    found: list[queries.FindingRow] = []
    for device in devices:
        wanted = queries.FindingFilter(device=device, text=text, state=_STANDING)
        found += queries.findings(scope, wanted, limit=_FINDINGS).items
    return found[:_FINDINGS]


def _things(request: HttpRequest, text: str) -> list[tuple[str, str, str, str, str]]:
    scope = scope_of(request).store
    devices = queries.devices(scope, queries.DeviceFilter(text=text), limit=_DEVICES)
    findings = _findings(scope, text, [row.id for row in devices.items[:_FINDINGS]])
    return (
        [
            (
                category_icon(row.category, row.device_class),
                row.name or (row.ips or row.macs or [row.id])[0],
                " · ".join([*row.ips[:1], category_name(row.category)]),
                "Device",
                page_url(request, "device", row.id),
            )
            for row in devices.items
        ]
        + [
            (
                "findings",
                row.title,
                row.device_name or row.device,
                "Finding",
                page_url(request, "finding", row.id),
            )
            for row in findings
        ]
        + [
            (
                "places",
                place.location,
                "1 device" if place.devices == 1 else f"{place.devices:,} devices",
                "Place",
                page_url(request, "devices", location=place.location),
            )
            for place in _places(request, text)
        ]
    )


def _places(request: HttpRequest, text: str) -> list[PlaceCount]:
    found, _ = recently(place_counts, scope_of(request).store)
    named = (place for place in found if all(word in place.location.lower() for word in text.lower().split()))
    return list(islice(named, _PLACES))
