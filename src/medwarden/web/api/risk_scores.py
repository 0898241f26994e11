"""Operations on risk: where it stands, groups, a date, what a change would do, the cheapest way down."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest
from ninja import Field, Query, Router, Schema

from medwarden.app import risk
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.risk import RiskLevel, RiskScore
from medwarden.model.role import Permission
from medwarden.risk.counterfactual import WhatIf
from medwarden.risk.levels import GroupKind, GroupScore
from medwarden.risk.plan import Plan
from medwarden.store.queries.device import find_device
from medwarden.store.queries.groups_at import groups_at
from medwarden.store.queries.risk_groups import groups, organisation_at
from medwarden.store.queries.scores import ScoreChange, changes_of, risk_at
from medwarden.web.api.access import needs
from medwarden.web.api.schemas import Problem, list_of, plain, schema_of
from medwarden.web.scope import scope_of

router = Router(tags=["Risk"])
SEE = needs(Permission.SEE_INVENTORY)
MOST_PLANNED = 200


class WhatIfQuery(Schema):
    """Actions that are taken together; none: each that makes sense, on its own."""

    action: list[str] = Field(
        [], description="patch, patch:CVE-2021-1, isolate, enforce, move:10.1.2.0/24 ..."
    )


class WhatIfOut(Schema):
    """A set of actions on a device: the score before and after, what it costs, which factors go and come."""

    actions: list[str]
    words: list[str]
    before: int
    after: int
    level: str
    cost: float
    gone: list[str]
    come: list[str]


@router.get("/risk", response=schema_of(risk.Overview), auth=SEE, url_name="risk_overview", summary="Risk")
def overview(request: HttpRequest, days: int = 30) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return the score of all in scope, of sites, kinds and departments, the matrix, movers and trend."""
    return plain(risk.overview(scope_of(request).store, days=min(max(1, days), 3650)))


@router.get("/risk/groups/{kind}", response=list_of(GroupScore), auth=SEE, summary="Risk of groups")
def of_groups(request: HttpRequest, kind: GroupKind, at_ns: int = 0) -> Any:  # noqa: ANN401 (JSON)
    """Return the scores of all sites, departments, categories or models, highest first.

    With ``at_ns`` as they stood at that moment, by what devices were held for then; 0 is now.
    """
    scope, shape = scope_of(request).store, risk.rules().weights.groups
    return plain(groups_at(scope, kind, at_ns, shape) if at_ns else groups(scope, kind, shape))


@router.get("/risk/as-of/{at_ns}", response=schema_of(GroupScore), auth=SEE, summary="Risk as of a date")
def as_of(request: HttpRequest, at_ns: int) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return the score of all in scope from the scores of their devices at a moment."""
    return plain(organisation_at(scope_of(request).store, at_ns, risk.rules().weights.groups))


@router.get(
    "/risk/plan/{level}",
    response={200: schema_of(Plan), 422: Problem},
    auth=SEE,
    summary="Cheapest set of actions",
)
def plan(request: HttpRequest, level: str, most: int = 60) -> Any:  # noqa: ANN401
    """Return the cheapest actions on the worst devices that bring all in scope to a level."""
    try:
        wanted = RiskLevel(level)
    except ValueError:
        raise ConfigurationError("aim at low, medium or high") from None
    return plain(risk.plan_site(scope_of(request).store, wanted, most=min(max(1, most), MOST_PLANNED)))


@router.get(
    "/devices/{device_id}/risk/as-of/{at_ns}",
    response=schema_of(RiskScore),
    auth=SEE,
    summary="Risk of a device as of a date",
)
def device_as_of(request: HttpRequest, device_id: str, at_ns: int) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return the score and factors of a device as they were computed at a moment; 404 before the first."""
    found = risk_at(scope_of(request).store, _known(request, device_id), at_ns)
    if found is None:
        raise Http404("The device had no score then.")
    return plain(found)


@router.get(
    "/devices/{device_id}/risk/changes",
    response=list_of(ScoreChange),
    auth=SEE,
    summary="Changes of a score with their causes",
)
def changes(request: HttpRequest, device_id: str) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return every change of a device's score, oldest first, with what made it."""
    return plain(changes_of(scope_of(request).store, _known(request, device_id)))


@router.get(
    "/devices/{device_id}/risk/what-if",
    response={200: list[WhatIfOut], 422: Problem},
    auth=SEE,
    summary="What changes would do to a score",
)
def what_if(request: HttpRequest, device_id: str, query: Query[WhatIfQuery]) -> list[dict[str, Any]]:
    """Return what each sensible action would do to the score, or what the named ones would do together."""
    named = query.action[:10]
    chosen = [tuple(risk.parse_action(text) for text in named)] if named else None
    found = risk.what_ifs(scope_of(request).store, _known(request, device_id), chosen)
    return [_told(answer) for answer in found]


def _told(answer: WhatIf) -> dict[str, Any]:
    return {
        "actions": [f"{a.kind.value}:{a.subject}" if a.subject else a.kind.value for a in answer.actions],
        "words": [a.words for a in answer.actions],
        "before": answer.before.score,
        "after": answer.score,
        "level": answer.level.value,
        "cost": answer.cost,
        "gone": list(answer.gone),
        "come": list(answer.come),
    }


def _known(request: HttpRequest, device_id: str) -> str:
    row = find_device(scope_of(request).store, device_id)
    if row is None:
        raise Http404("There is no such device.")
    return row.pk
