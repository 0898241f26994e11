"""Operations on the inventory as a hierarchy, and on how sure it is."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from medwarden.model.role import Permission
from medwarden.store import queries
from medwarden.web.api.access import needs
from medwarden.web.api.schemas import list_of, plain, schema_of
from medwarden.web.recent import coarse, recently
from medwarden.web.scope import scope_of

router = Router(tags=["Devices"])
SEE = needs(Permission.SEE_INVENTORY)


@router.get("/kinds", response=list_of(queries.Kind), auth=SEE, url_name="kinds", summary="Devices by kind")
def kinds(request: HttpRequest) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return how many devices there are of each class, category, vendor and model."""
    scope = scope_of(request)
    seen = coarse(queries.DeviceFilter(last_seen_since=scope.since_ns))
    return plain(recently(queries.kinds, scope.store, seen))


@router.get(
    "/sureness",
    response=schema_of(queries.Sureness),
    auth=SEE,
    url_name="sureness",
    summary="How sure, and why not",
)
def sureness(request: HttpRequest) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return how many devices are sure at every level, where the others cease to be, why and in which subnet.

    The devices themselves are those of ``/devices`` with ``unsure`` and ``doubt``.
    """
    scope = scope_of(request)
    seen = coarse(queries.DeviceFilter(last_seen_since=scope.since_ns))
    return plain(recently(queries.sureness, scope.store, seen))
