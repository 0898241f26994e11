"""Operations on the house as a whole: overview, map, sensors, people, sites, audit."""

from __future__ import annotations

from typing import Any

import msgspec
from django.http import Http404, HttpRequest
from ninja import Router, Schema

from medwarden.app.inventory import limits_of
from medwarden.app.places import PlanImport, import_stored
from medwarden.assessment.positions import next_positions
from medwarden.assessment.result import Gap
from medwarden.model.place import PlanRow
from medwarden.model.role import Permission
from medwarden.model.visibility import Heard, Position, SubnetSight
from medwarden.store import queries
from medwarden.store.chain import ChainReport, check_chain
from medwarden.store.models import User
from medwarden.store.places import PlaceCount, place_counts, plan_page
from medwarden.web import traffic_map
from medwarden.web.api.access import needs
from medwarden.web.api.schemas import Problem, list_of, page_of, page_schema, plain, schema_of
from medwarden.web.recent import forget
from medwarden.web.scope import RANGES, scope_of, signed_in

router = Router(tags=["House"])
SEE = needs(Permission.SEE_INVENTORY)
_DAY = RANGES["24h"][1] or 0

ReportOut = schema_of(ChainReport)


class Everything(msgspec.Struct):
    """The overview: numbers, trend by day, what raises risk most."""

    since_ns: int
    numbers: queries.Overview
    trend: list[queries.Trend]
    actions: list[queries.Action]


@router.get("/overview", response=schema_of(Everything), auth=SEE, summary="The overview's numbers")
def overview(request: HttpRequest) -> dict[str, Any]:
    """Return the numbers of the overview; changes are counted over the time range, a day where it is all."""
    scope = scope_of(request)
    since = scope.until_ns - _DAY if scope.since_ns is None else scope.since_ns
    return {
        "since_ns": since,
        "numbers": plain(queries.overview(scope.store, since)),
        "trend": plain(queries.trend(scope.store, scope.until_ns)),
        "actions": plain(queries.top_actions(scope.store, 20)),
    }


@router.get("/map", response=list_of(queries.Cell), auth=SEE, url_name="map", summary="Who talks to whom")
def traffic(request: HttpRequest, by: str = "category") -> Any:  # noqa: ANN401
    """Return the matrix by ``category``, ``device_class``, ``subnet`` or ``vendor``, largest volume first."""
    scope = scope_of(request)
    return plain(queries.matrix(scope.store, traffic_map.axis_of(by), since=scope.since_ns))


@router.get("/map/between", response=list_of(queries.Edge), auth=SEE, summary="Devices behind two groups")
def between(request: HttpRequest, client: str, server: str, by: str = "category") -> Any:  # noqa: ANN401
    """Return the conversations between devices behind one field of the matrix."""
    return plain(queries.edges(scope_of(request).store, client, server, traffic_map.axis_of(by)))


@router.get("/sensors", response=list_of(queries.SensorRow), auth=SEE, url_name="sensors", summary="Sensors")
def sensors(request: HttpRequest) -> Any:  # noqa: ANN401
    """Return all sensors with their accounting: read = parsed + rejected + dropped."""
    return plain(queries.sensors(scope_of(request).store))


class PlacesOut(msgspec.Struct):
    """Places with their devices, and how many devices have none."""

    places: list[PlaceCount]
    without: int


@router.get("/places", response=schema_of(PlacesOut), auth=SEE, url_name="places", summary="Places")
def places(request: HttpRequest) -> dict[str, Any]:
    """Return how many devices are where, by building, floor and room."""
    found, nowhere = place_counts(scope_of(request).store)
    return {"places": plain(found), "without": nowhere}


@router.get("/places/plan", response=page_schema(PlanRow), auth=SEE, summary="The plan of places")
def plan(request: HttpRequest, q: str = "", kind: str = "", page: int = 1, per: int = 100) -> dict[str, Any]:
    """Return the rows of the plan that contain ``q``."""
    page, per = max(1, page), min(max(1, per), 1000)
    found = plan_page(scope_of(request).store, text=q, kind=kind, offset=(page - 1) * per, limit=per)
    return page_of(found, page, per)


class PlanText(Schema):
    """A plan as a CSV table and the site it is of."""

    site: str
    table: str


@router.put(
    "/places/plan",
    response={200: schema_of(PlanImport), 404: Problem, 422: Problem},
    auth=needs(Permission.EDIT_PLACES),
    summary="Replace the plan of a site",
)
def replace_plan(request: HttpRequest, body: PlanText) -> Any:  # noqa: ANN401
    """Replace the plan of a site by a CSV table and place its devices anew."""
    if body.site not in {s.id for s in scope_of(request).sites}:
        raise Http404("There is no such site in what you may see.")
    actor = f"user:{signed_in(request).username}"
    outcome = import_stored(body.table.encode(), "table", actor=actor, site=body.site)
    forget()
    return plain(outcome)


class Visibility(msgspec.Struct):
    """What is seen and what is not: subnets, what each sensor hears, what to connect next."""

    subnets: list[SubnetSight]
    heard: list[Heard]
    positions: list[Position]
    limits: list[Gap]


@router.get("/visibility", response=schema_of(Visibility), auth=SEE, summary="What is seen and what is not")
def visibility(request: HttpRequest) -> dict[str, Any]:
    """Return how well each subnet is seen, what each sensor hears, and where the next one should stand."""
    scope = scope_of(request).store
    sights = queries.subnet_sights(scope)
    return {
        "subnets": plain(sights),
        "heard": plain(queries.heard_by_sensor(scope)),
        "positions": plain(next_positions(sights)),
        "limits": plain(limits_of(queries.forms_read(scope))),
    }


@router.get("/inputs", response=page_schema(queries.InputRow), auth=SEE, summary="Inputs")
def inputs(request: HttpRequest, status: str = "", page: int = 1, per: int = 100) -> dict[str, Any]:
    """Return what was taken in, the latest first, with what went wrong."""
    page, per = max(1, page), min(max(1, per), 1000)
    found = queries.inputs(scope_of(request).store, offset=(page - 1) * per, limit=per, status=status)
    return page_of(found, page, per)


class Me(Schema):
    """Who is asking."""

    username: str
    role: str
    sites: list[str]
    permissions: list[str]


@router.get("/me", response=Me, auth=needs(None), summary="Who am I", tags=["People"])
def me(request: HttpRequest) -> dict[str, Any]:
    """Return name, role, sites and permissions of the caller."""
    user = signed_in(request)
    return {
        "username": user.username,
        "role": user.role,
        "sites": [s.id for s in scope_of(request).sites],
        "permissions": [p.value for p in Permission if user.may(p)],
    }


class SiteOut(Schema):
    """One site."""

    id: str
    name: str


@router.get("/sites", response=list[SiteOut], auth=SEE, summary="Sites")
def sites(request: HttpRequest) -> list[dict[str, str]]:
    """Return the sites the caller may see."""
    return [{"id": s.id, "name": s.name} for s in scope_of(request).sites]


class Person(Schema):
    """One person who may sign in."""

    id: int
    username: str
    role: str
    sites: list[str]
    is_active: bool


@router.get(
    "/people", response=list[Person], auth=needs(Permission.MANAGE_USERS), summary="People", tags=["People"]
)
def people(request: HttpRequest) -> list[dict[str, Any]]:
    """Return everybody of the tenant."""
    rows = User.objects.filter(tenant_id=scope_of(request).tenant).order_by("username")
    return [
        {"id": u.pk, "username": u.username, "role": u.role, "sites": u.sites, "is_active": u.is_active}
        for u in rows
    ]


@router.get(
    "/audit",
    response=list_of(queries.AuditRow),
    auth=needs(Permission.SEE_AUDIT),
    summary="Audit chain",
    tags=["Audit"],
)
def audit(
    request: HttpRequest, subject: str = "", action: str = "", before: int | None = None, limit: int = 100
) -> Any:  # noqa: ANN401
    """Return audit entries, newest first."""
    return plain(
        queries.history(
            scope_of(request).store,
            subject=subject,
            action=action,
            before_sequence=before,
            limit=min(max(1, limit), 1000),
        )
    )


@router.get(
    "/audit/check",
    response=ReportOut,
    auth=needs(Permission.SEE_AUDIT),
    summary="Check the audit chain",
    tags=["Audit"],
)
def audit_check(request: HttpRequest) -> Any:  # noqa: ANN401, ARG001
    """Read the whole chain and say whether it holds."""
    return msgspec.to_builtins(check_chain())
