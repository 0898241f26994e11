"""Scanners that are asked for their reports: connected, changed, asked now, disconnected."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from medwarden.app.scanner_pull import ask_now
from medwarden.app.scanners import Wanted, change, connect, disconnect
from medwarden.connectors.scanners.desk import Credentials
from medwarden.model.role import Permission
from medwarden.store.scanners import ConnectionView, connections
from medwarden.web.decisions import data_folder, reason_of, refused, said
from medwarden.web.guard import requires
from medwarden.web.scope import actor_of, scope_of

_PAGE = "risk_scans"
_LONGEST = 500
_LONGEST_PEM = 300_000


@requires(Permission.CHANGE_SETTINGS)
@require_POST
def scanner_connect(request: HttpRequest) -> HttpResponse:
    """Connect a scanner whose devices are those of the chosen site."""
    scope = scope_of(request)
    if scope.one_site is None:
        return refused(request, _PAGE, "choose one site above: a scanner looks at the devices of one site")
    site, wanted = scope.one_site, _wanted(request)

    def make() -> str:
        connect(data_folder(), scope.tenant, site, wanted, actor=actor_of(request))
        when = f"every {wanted.every_hours} hours" if wanted.every_hours else "when you say so"
        return f"{wanted.name} is connected and asked {when}"

    return said(request, _PAGE, make)


@requires(Permission.CHANGE_SETTINGS)
@require_POST
def scanner_change(request: HttpRequest, connection: str) -> HttpResponse:
    """Change a connection; credentials that are left empty stay."""
    row, wanted = _seen(request, connection), _wanted(request)

    def alter() -> str:
        change(data_folder(), scope_of(request).tenant, row.id, wanted, actor=actor_of(request))
        return f"{wanted.name or row.name} is changed"

    return said(request, _PAGE, alter)


@requires(Permission.FEED_DATA)
@require_POST
def scanner_pull(request: HttpRequest, connection: str) -> HttpResponse:
    """Ask a scanner now, in a process of its own."""
    row = _seen(request, connection)

    def ask() -> str:
        name = ask_now(data_folder(), scope_of(request).tenant, row.id, actor=actor_of(request))
        return f"{name} is being asked; this page shows what comes"

    return said(request, _PAGE, ask)


@requires(Permission.CHANGE_SETTINGS)
@require_POST
def scanner_disconnect(request: HttpRequest, connection: str) -> HttpResponse:
    """Ask a scanner no longer and forget its credentials."""
    row = _seen(request, connection)

    def end() -> str:
        disconnect(scope_of(request).tenant, row.id, actor=actor_of(request), reason=reason_of(request))
        return f"{row.name} is asked no longer; its credentials are forgotten, its reports stay"

    return said(request, _PAGE, end)


def _seen(request: HttpRequest, connection: str) -> ConnectionView:
    found = next((row for row in connections(scope_of(request).store) if row.id == connection), None)
    if found is None:
        raise Http404("There is no such connection in what you may see.")
    return found


def _wanted(request: HttpRequest) -> Wanted:
    """Return what the form says; a field that it does not have, or empty credentials, stay as they are."""

    def field(name: str, longest: int = _LONGEST) -> str | None:
        value = request.POST.get(name)
        return None if value is None else value.strip()[:longest]

    account, secret = request.POST.get("account", ""), request.POST.get("secret", "")
    chosen = field("chosen", 20_000)
    hours = field("every_hours", 5)
    authorities = field("authorities", _LONGEST_PEM)
    return Wanted(
        interface=field("interface", 40),
        address=field("address", 400),
        credentials=Credentials(account[:_LONGEST], secret[:_LONGEST]) if account or secret else None,
        name=field("name", 100),
        authorities="" if request.POST.get("no_authorities") else authorities or None,
        fingerprint=field("fingerprint", 200),
        proxy=field("proxy", 300),
        chosen=None if chosen is None else tuple(chosen.splitlines()),
        every_hours=None if hours is None else int(hours) if hours.isascii() and hours.isdigit() else -1,
    )
