"""Operations on scanners that are asked for their reports."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from medwarden.app.scanner_pull import ask_now
from medwarden.app.scanners import Wanted, change, connect, disconnect
from medwarden.connectors.scanners.desk import Credentials
from medwarden.model.role import Permission
from medwarden.store.scanners import ConnectionView, connections
from medwarden.web.api.access import needs
from medwarden.web.api.schemas import Problem, list_of, plain
from medwarden.web.decisions import data_folder
from medwarden.web.scope import actor_of, scope_of, site_named

router = Router(tags=["Vulnerabilities"])
SEE = needs(Permission.SEE_INVENTORY)
SET = needs(Permission.CHANGE_SETTINGS)


@router.get(
    "/scanners",
    response=list_of(ConnectionView),
    auth=SEE,
    url_name="scanners",
    summary="Scanners that are asked for their reports",
)
def scanner_rows(request: HttpRequest) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return the connections with how it went last and when they are asked next; never their credentials."""
    return plain(connections(scope_of(request).store))


class CredentialsIn(Schema):
    """What a scanner knows us by; it is kept sealed and never handed out."""

    account: str = Field(min_length=1, max_length=500)
    secret: str = Field(min_length=1, max_length=500)


class ConnectionChange(Schema):
    """What is to be another way; what is left out stays.

    ``authorities`` are certificates in PEM, ``fingerprint`` the SHA-256 of the scanner's own certificate;
    ``chosen`` names scans, reports or tasks; ``every_hours`` 0 asks only when somebody does.
    """

    name: str | None = None
    address: str | None = None
    credentials: CredentialsIn | None = None
    authorities: str | None = None
    fingerprint: str | None = None
    proxy: str | None = None
    chosen: list[str] | None = None
    every_hours: int | None = None


class ConnectionIn(ConnectionChange):
    """A connection to a scanner that looks at the devices of a site."""

    site: str
    interface: str = Field(description="nessus, tenable, qualys, insightvm or gmp")


class Made(Schema):
    """The id of a connection."""

    id: str


def _wanted(body: ConnectionChange, interface: str | None = None) -> Wanted:
    held = body.credentials
    return Wanted(
        interface=interface,
        address=body.address,
        credentials=None if held is None else Credentials(held.account, held.secret),
        name=body.name,
        authorities=body.authorities,
        fingerprint=body.fingerprint,
        proxy=body.proxy,
        chosen=None if body.chosen is None else tuple(body.chosen),
        every_hours=body.every_hours,
    )


@router.post(
    "/scanners", response={200: Made, 404: Problem, 422: Problem}, auth=SET, summary="Connect a scanner"
)
def scanner_connect(request: HttpRequest, body: ConnectionIn) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Ask a scanner for its reports from now on."""
    site = site_named(request, body.site)
    wanted = _wanted(body, body.interface)
    return {"id": connect(data_folder(), scope_of(request).tenant, site, wanted, actor=actor_of(request))}


def _is_seen(request: HttpRequest, scanner: str) -> bool:
    return any(row.id == scanner for row in connections(scope_of(request).store))


_ABSENT = {"detail": "There is no such connection in what you may see."}


@router.patch(
    "/scanners/{scanner}",
    response={200: Made, 404: Problem, 422: Problem},
    auth=SET,
    summary="Change a connection to a scanner",
)
def scanner_change(request: HttpRequest, scanner: str, body: ConnectionChange) -> Any:  # noqa: ANN401
    """Change a connection; with another address the credentials have to be given again."""
    if not _is_seen(request, scanner):
        return Status(404, _ABSENT)
    tenant, actor = scope_of(request).tenant, actor_of(request)
    return {"id": change(data_folder(), tenant, scanner, _wanted(body), actor=actor)}


@router.post(
    "/scanners/{scanner}/pull",
    response={204: None, 404: Problem, 422: Problem},
    auth=needs(Permission.FEED_DATA),
    summary="Ask a scanner now",
)
def scanner_pull(request: HttpRequest, scanner: str) -> Any:  # noqa: ANN401 (an empty answer)
    """Begin to ask a scanner; how far it is stands in its row."""
    if not _is_seen(request, scanner):
        return Status(404, _ABSENT)
    ask_now(data_folder(), scope_of(request).tenant, scanner, actor=actor_of(request))
    return Status(204, None)


class Why(Schema):
    """The reason of a step."""

    reason: str = Field(min_length=1, max_length=500)


@router.post(
    "/scanners/{scanner}/disconnect",
    response={204: None, 404: Problem, 422: Problem},
    auth=SET,
    summary="Ask a scanner no longer",
)
def scanner_disconnect(request: HttpRequest, scanner: str, body: Why) -> Any:  # noqa: ANN401
    """End a connection and forget its credentials; its reports stay."""
    if not _is_seen(request, scanner):
        return Status(404, _ABSENT)
    disconnect(scope_of(request).tenant, scanner, actor=actor_of(request), reason=body.reason)
    return Status(204, None)
