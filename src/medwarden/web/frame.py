"""What every page's frame shows: navigation, site and time range, who is signed in."""

from __future__ import annotations

from typing import NamedTuple

from django.http import Http404, HttpRequest

from medwarden import __version__
from medwarden.model.role import Permission
from medwarden.store.models import User
from medwarden.web.scope import RANGES, scope_of

THEMES = ("auto", "light", "dark")
DENSITIES = ("comfortable", "compact")


SETTINGS = (
    ("settings_people", "People and roles", Permission.MANAGE_USERS),
    ("settings_sites", "Sites", Permission.CHANGE_SETTINGS),
    ("settings_audit", "Audit", Permission.SEE_AUDIT),
    ("settings_about", "About", None),
)
OPERATIONS = (
    ("operations", "Clinical names"),
    ("operations_batteries", "Batteries"),
    ("operations_protected", "Do not probe"),
    ("operations_query", "Active query"),
    ("operations_captures", "Captures"),
)
DEVICES = (
    ("devices", "List"),
    ("devices_kinds", "Kinds"),
    ("devices_sureness", "How sure"),
    ("devices_unknown", "Unknown"),
    ("devices_books", "Books"),
    ("devices_identities", "One or two"),
)
RISK: tuple[tuple[str, str], ...] = (
    ("risk", "Overview"),
    ("risk_actions", "To do"),
    ("risk_vulnerabilities", "Vulnerabilities"),
    ("risk_recalls", "Recalls"),
    ("risk_mds2", "Makers' forms"),
    ("risk_scans", "Scanners"),
    ("risk_vex", "VEX"),
    ("risk_knowledge", "Knowledge"),
)
RISK_BENEATH = {
    "risk_recall_devices": "risk_recalls",
    "risk_letters": "risk_recalls",
    "risk_replacement": "risk_recalls",
    "risk_support": "risk_recalls",
    "risk_budget": "risk_recalls",
    "risk_lives": "risk_recalls",
    "risk_groups": "risk",
    "risk_plan": "risk",
}
"""Pages without a tab of their own, and the tab they belong to."""

BELONGS = {
    "device": "devices",
    "answer": "devices",
    "proposal": "devices",
    "decision": "devices",
    "book": "devices",
    "place": "places",
    "finding": "findings",
    "policy": "policies",
    "sensor": "sensors",
}


class Place(NamedTuple):
    """One entry of the navigation: URL name, words, symbol, the permission it needs."""

    name: str
    title: str
    icon: str
    permission: Permission | None
    key: str


NAVIGATION = (
    Place("overview", "Overview", "overview", Permission.SEE_INVENTORY, "o"),
    Place("devices", "Devices", "devices", Permission.SEE_INVENTORY, "d"),
    Place("places", "Places", "places", Permission.SEE_INVENTORY, "l"),
    Place("map", "Map", "map", Permission.SEE_INVENTORY, "m"),
    Place("findings", "Findings", "findings", Permission.SEE_INVENTORY, "f"),
    Place("risk", "Risk", "risk", Permission.SEE_INVENTORY, "r"),
    Place("policies", "Policy", "policy", Permission.SEE_INVENTORY, "p"),
    Place("operations", "Operations", "operations", Permission.SEE_INVENTORY, "w"),
    Place("sensors", "Sensors", "sensors", Permission.SEE_INVENTORY, "s"),
    Place("settings", "Settings", "settings", None, "t"),
)


def appearance(request: HttpRequest) -> tuple[str, str]:
    """Return theme and density as the browser's cookies ask."""
    theme = request.COOKIES.get("theme", "auto")
    density = request.COOKIES.get("density", "comfortable")
    return (
        theme if theme in THEMES else "auto",
        density if density in DENSITIES else "comfortable",
    )


def places(user: User) -> list[Place]:
    """Return the entries of the navigation this person may open."""
    return [p for p in NAVIGATION if p.permission is None or user.may(p.permission)]


def frame(request: HttpRequest) -> dict[str, object]:
    """Context processor: what ``web/base.html`` needs."""
    theme, density = appearance(request)
    context: dict[str, object] = {"theme": theme, "density": density, "version": __version__}
    user = getattr(request, "user", None)
    if isinstance(user, User):
        match = request.resolver_match
        context["navigation"] = places(user)
        first = match.url_name.split("_")[0] if match and match.url_name else ""
        context["active"] = BELONGS.get(first, first)
        context["person"] = user
        context["ranges"] = [(key, title) for key, (title, _) in RANGES.items()]
        context["devices_tabs"] = DEVICES
        context["operations_tabs"] = OPERATIONS
        context["risk_tabs"] = RISK
        context["risk_tab"] = RISK_BENEATH.get(match.url_name or "", "") if match else ""
        context["settings_tabs"] = [(name, title) for name, title, p in SETTINGS if p is None or user.may(p)]
        try:
            context["scope"] = scope_of(request)
        except Http404:  # the page says so itself; its frame has no site to show
            context["scope"] = None
    return context
