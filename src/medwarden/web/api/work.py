"""Operations on the work queue: what to do first, who does it until when, accepted risks."""

from __future__ import annotations

from typing import Any

import msgspec
from django.http import Http404, HttpRequest
from ninja import Field, Query, Router, Schema

from medwarden.app.work import accept, decide_acceptance, end_acceptance, state_named, step, undo
from medwarden.app.work_desk import Shown, shown_of
from medwarden.app.work_table import TakenIn, due_day, take_in
from medwarden.kernel.clock import wall_clock
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.model.role import Permission
from medwarden.risk.work.states import AcceptScope
from medwarden.store import queries
from medwarden.store.acceptances import Wish
from medwarden.store.queries import work as of_work
from medwarden.store.work import Step
from medwarden.web import work_list
from medwarden.web.api.access import needs
from medwarden.web.api.schemas import Problem, list_of, page_of, page_schema, plain, schema_of
from medwarden.web.decisions import data_folder
from medwarden.web.recent import forget
from medwarden.web.scope import actor_of, scope_of, signed_in

router = Router(tags=["Work"])
SEE = needs(Permission.SEE_INVENTORY)
CHANGE = needs(Permission.CHANGE_FINDING)


class WorkQuery(Schema):
    """The parameters of the queue's page."""

    q: str = ""
    site: str = ""
    state: list[str] = Field(
        [], description="open, in_progress, waiting_maker, waiting_window, done, verified"
    )
    severity: list[str] = []
    kind: list[str] = Field([], description="update, patch, component, disable, restrict, password ...")
    owner: list[str] = Field([], description="a user name or team; - for nobody")
    label: list[str] = []
    due: str = Field("", description="late, soon or later")
    exploited: str = Field("", description="yes: only what is used in attacks")
    cve: str = ""
    device: str = ""
    view: str = Field("open", description="open, accepted, closed or all")
    sort: str = "-priority"
    page: int = Field(1, ge=1)
    per: int = Field(100, ge=1, le=1000)


@router.get(
    "/work", response=page_schema(of_work.ActionRow), auth=SEE, url_name="work", summary="What to do first"
)
def work(request: HttpRequest, query: Query[WorkQuery]) -> dict[str, Any]:
    """Return one page of actions, filtered and sorted as on the page."""
    scope = scope_of(request)
    work_list.up_to_date(scope.tenant)
    asked, offset = work_list.asked(request.GET), (query.page - 1) * query.per
    found = of_work.actions(
        scope.store, asked.wanted, now_ns=wall_clock(), sort=asked.sort, offset=offset, limit=query.per
    )
    return page_of(found, query.page, query.per)


@router.get(
    "/work/totals", response=schema_of(of_work.Totals), auth=SEE, summary="The queue in a few numbers"
)
def work_totals(request: HttpRequest) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return how many actions, findings and devices are open, late, without an owner."""
    scope = scope_of(request)
    work_list.up_to_date(scope.tenant)
    return plain(of_work.totals(scope.store, wall_clock()))


class Changed(Schema):
    """The name of a decision, by which it is taken back; empty where nothing changed."""

    decision: str


class Changes(Schema):
    """What to change of some actions; what is left out stays, an empty text empties."""

    actions: list[str] = Field(min_length=1, max_length=1000)
    state: str | None = None
    owner: str | None = None
    team: bool = False
    due: str | None = Field(None, description="YYYY-MM-DD; empty for the day of the rules")
    work_order: str | None = None
    labels: list[str] | None = None
    note: str = ""
    reason: str = ""


@router.post("/work/steps", response={200: Changed, 422: Problem}, auth=CHANGE, summary="Change actions")
def work_steps(request: HttpRequest, body: Changes) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Change actions in one decision, which can be taken back as one."""
    scope = scope_of(request)
    wanted = Step(
        state=None if body.state is None else state_named(body.state),
        owner=body.owner,
        team=body.team,
        due_ns=None if body.due is None else 0 if body.due == "" else due_day(body.due),
        work_order=body.work_order,
        labels=None if body.labels is None else tuple(body.labels),
        note=body.note,
    )
    batch = step(scope.store, body.actions, wanted, actor=actor_of(request), reason=body.reason)
    work_list.up_to_date(scope.tenant, now=True)
    forget()
    return {"decision": batch}


class TableIn(Schema):
    """The exchange table as CSV."""

    table: str
    reason: str = ""


@router.post(
    "/work/table",
    response={200: schema_of(TakenIn), 422: Problem},
    auth=CHANGE,
    summary="Take owner, state and day back from a table",
)
def work_table(request: HttpRequest, body: TableIn) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Take a filled-in table back; rows that cannot be used are named with their line."""
    scope = scope_of(request)
    try:
        done = take_in(
            scope.store, body.table.encode(), "table.csv", actor=actor_of(request), reason=body.reason
        )
    except MalformedInput as error:
        raise ConfigurationError(str(error)) from error
    work_list.up_to_date(scope.tenant, now=True)
    forget()
    return plain(done)


class Why(Schema):
    """The reason of a step."""

    reason: str = Field("", max_length=2000)


class TakenBack(Schema):
    """How many steps were taken back."""

    steps: int


@router.post(
    "/work/decisions/{decision}/undo",
    response={200: TakenBack, 422: Problem},
    auth=CHANGE,
    summary="Take a decision back",
)
def work_undo(request: HttpRequest, decision: str, body: Why) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Take one decision back with all its steps."""
    scope = scope_of(request)
    steps = undo(scope.store, decision, actor=actor_of(request), reason=body.reason)
    work_list.up_to_date(scope.tenant, now=True)
    forget()
    return {"steps": steps}


@router.get("/work/accepted", response=list_of(of_work.AcceptanceRow), auth=SEE, summary="Accepted risks")
def work_accepted(request: HttpRequest) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return risks that are accepted, asked to be, or were, the latest first."""
    return plain(of_work.acceptances(scope_of(request).store))


class Decision(Schema):
    """Whether the risk is accepted, and why."""

    approve: bool
    reason: str = Field(min_length=1, max_length=2000)


AcceptanceOut = schema_of(of_work.AcceptanceRow)


@router.post(
    "/work/accepted/{acceptance}/decide",
    response={200: AcceptanceOut, 422: Problem},
    auth=needs(Permission.ACCEPT_RISK),
    summary="Accept a risk that somebody asked for",
)
def work_decide(request: HttpRequest, acceptance: str, body: Decision) -> Any:  # noqa: ANN401 (JSON)
    """Approve or refuse the wish that a risk is accepted, in your name."""
    scope = scope_of(request).store
    row = decide_acceptance(
        data_folder(), scope, acceptance, approve=body.approve, approver=signed_in(request).username,
        actor=actor_of(request), reason=body.reason,
    )  # fmt: skip
    forget()
    return _acceptance(request, row.pk)


@router.post(
    "/work/accepted/{acceptance}/end",
    response={200: AcceptanceOut, 422: Problem},
    auth=CHANGE,
    summary="End an accepted risk",
)
def work_end(request: HttpRequest, acceptance: str, body: Why) -> Any:  # noqa: ANN401 (JSON of the schema)
    """End an accepted risk before its day; what it covered is open again."""
    scope = scope_of(request).store
    row = end_acceptance(data_folder(), scope, acceptance, actor=actor_of(request), reason=body.reason)
    forget()
    return _acceptance(request, row.pk)


def _acceptance(request: HttpRequest, key: str) -> Any:  # noqa: ANN401 (JSON of the schema)
    return next(plain(row) for row in of_work.acceptances(scope_of(request).store) if row.id == key)


class ShownAction(msgspec.Struct):
    """One action with its findings, devices, accepted risks and history."""

    action: of_work.ActionRow
    subjects: list[of_work.ActionSubject]
    devices: list[of_work.ActionDevice]
    acceptances: list[of_work.AcceptanceRow]


class ActionOut(schema_of(ShownAction)):  # type: ignore[misc]  # made at run time from the struct
    """The same, with what has no fixed shape: history values before and after, and what it would change."""

    history: list[dict[str, Any]]
    effect: dict[str, Any] | None


@router.get(
    "/work/{action_id}",
    response={200: ActionOut, 404: Problem},
    auth=SEE,
    url_name="work_action",
    summary="One action",
)
def work_action(request: HttpRequest, action_id: str) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return one action with all its devices, findings, accepted risks and history."""
    scope = scope_of(request)
    work_list.up_to_date(scope.tenant)
    return plain(_shown(scope.store, action_id))


def _shown(scope: queries.Scope, action_id: str) -> Shown:
    try:
        return shown_of(scope, action_id)
    except ConfigurationError as error:
        raise Http404("There is no such action in what you may see.") from error


class WishIn(Schema):
    """A risk that is to be accepted."""

    scope: str = Field(description="device, model or site")
    until: str = Field(description="YYYY-MM-DD")
    devices: list[str] = []
    vendor: str = ""
    model: str = ""
    subjects: list[str] = Field([], description="Vulnerabilities and types of findings; empty for all")
    conditions: str = ""
    subnet: str = ""
    reason: str = Field(min_length=1, max_length=2000)


@router.post(
    "/work/{action_id}/accept",
    response={200: AcceptanceOut, 404: Problem, 422: Problem},
    auth=CHANGE,
    summary="Ask that a risk is accepted",
)
def work_accept(request: HttpRequest, action_id: str, body: WishIn) -> Any:  # noqa: ANN401 (JSON)
    """Ask that the risk of an action is accepted; a role that may accept risks approves it at once."""
    scope, user = scope_of(request).store, signed_in(request)
    if body.scope not in set(AcceptScope):
        raise ConfigurationError(f"there is no scope {body.scope[:20]!r}: use device, model or site")
    action = _shown(scope, action_id).action
    wish = Wish(
        AcceptScope(body.scope), due_day(body.until), tuple(body.devices), body.vendor, body.model,
        tuple(body.subjects), body.conditions, body.subnet,
    )  # fmt: skip
    row = accept(
        data_folder(),
        scope,
        action.id,
        wish,
        actor=actor_of(request),
        reason=body.reason,
        approver=user.username if user.may(Permission.ACCEPT_RISK) else "",
    )
    forget()
    return _acceptance(request, row.pk)
