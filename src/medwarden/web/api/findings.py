"""Operations on findings."""

from __future__ import annotations

from typing import Any

import msgspec
from django.http import Http404, HttpRequest
from ninja import Field, Query, Router, Schema

from medwarden.kernel.errors import ConfigurationError
from medwarden.model.finding import FindingState
from medwarden.model.role import Permission
from medwarden.store import queries
from medwarden.web import finding_list
from medwarden.web.api.access import needs
from medwarden.web.api.schemas import Problem, list_of, page_of, page_schema, plain, schema_of
from medwarden.web.scope import scope_of, signed_in
from medwarden.web.views.findings import take_step

router = Router(tags=["Findings"])
SEE = needs(Permission.SEE_INVENTORY)


class FindingQuery(Schema):
    """The parameters of the findings page. Without a state: open and acknowledged ones."""

    q: str = ""
    site: str = ""
    state: list[str] = Field([], description="open, acknowledged, accepted, false_positive, resolved")
    severity: list[str] = Field([], description="info, low, medium, high, critical")
    kind: list[str] = []
    type: list[str] = []
    category: list[str] = []
    device: str = ""
    opened_since: int | None = None
    sort: str = "-severity"
    page: int = Field(1, ge=1)
    per: int = Field(100, ge=1, le=1000)


@router.get(
    "/findings",
    response=page_schema(queries.FindingRow),
    auth=SEE,
    url_name="findings",
    summary="List findings",
)
def findings(request: HttpRequest, query: Query[FindingQuery]) -> dict[str, Any]:
    """Return one page of findings, filtered and sorted as on the findings page."""
    asked = finding_list.asked(request.GET)
    offset = (query.page - 1) * query.per
    found = queries.findings(
        scope_of(request).store, asked.wanted, sort=asked.sort, offset=offset, limit=query.per
    )
    return page_of(found, query.page, query.per)


class FindingWithSteps(msgspec.Struct):
    """A finding and its life, oldest step first."""

    finding: queries.FindingRow
    steps: list[queries.Step]


FindingOut = schema_of(FindingWithSteps)


def _with_steps(request: HttpRequest, finding_id: str) -> dict[str, Any]:
    found = queries.finding(scope_of(request).store, finding_id)
    if found is None:
        raise Http404("There is no such finding in what you may see.")
    return {"finding": plain(found[0]), "steps": plain(found[1])}


@router.get(
    "/findings/{finding_id}", response=FindingOut, auth=SEE, url_name="finding", summary="One finding"
)
def finding(request: HttpRequest, finding_id: str) -> dict[str, Any]:
    """Return a finding with its steps, oldest first."""
    return _with_steps(request, finding_id)


class NewStep(Schema):
    """A step in the life of a finding."""

    state: str
    reason: str = Field(min_length=1)
    days: int | None = Field(None, description="For accepted: 30, 90, 180 or 365")


@router.post(
    "/findings/{finding_id}/steps",
    response={200: FindingOut, 422: Problem},
    auth=needs(Permission.CHANGE_FINDING),
    summary="Move a finding on",
)
def step(request: HttpRequest, finding_id: str, body: NewStep) -> dict[str, Any]:
    """Take one step; the reason is kept with your name. Accepting a risk needs that permission too."""
    if body.state not in list(FindingState):
        raise ConfigurationError(f"there is no state {body.state[:40]!r}")
    take_step(
        signed_in(request), scope_of(request), finding_id, FindingState(body.state), body.reason, body.days
    )
    return _with_steps(request, finding_id)


@router.get(
    "/finding-types", response=list_of(queries.FindingType), auth=SEE, summary="Open findings by type"
)
def finding_types(request: HttpRequest) -> Any:  # noqa: ANN401
    """Return the types of open findings, the most severe and most common first."""
    return plain(queries.finding_types(scope_of(request).store))
