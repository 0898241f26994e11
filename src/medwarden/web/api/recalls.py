"""Operations on recalls and makers' notices, the work on devices, and letters to makers."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest
from ninja import Field, Router, Schema, Status

from medwarden.app import letters as letter_desk
from medwarden.app import recall_desk as desk
from medwarden.kernel.clock import wall_clock
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.model.role import Permission
from medwarden.store import queries
from medwarden.store.queries import letters as of_letters
from medwarden.store.queries import recall_cases as of_cases
from medwarden.store.queries import recalls as of_recalls
from medwarden.store.queries.recall_cases import CaseFilter
from medwarden.store.queries.recalls import NoticeFilter
from medwarden.store.recalls import OWN
from medwarden.web.api.access import needs
from medwarden.web.api.schemas import Problem, list_of, page_of, page_schema, plain, schema_of
from medwarden.web.recent import forget
from medwarden.web.scope import actor_of, scope_of

router = Router(tags=["Recalls"])
SEE = needs(Permission.SEE_INVENTORY)
CHANGE = needs(Permission.CHANGE_FINDING)
_WRONG = {404: Problem, 422: Problem}


@router.get(
    "/recalls", response=page_schema(of_recalls.NoticeView), auth=SEE, url_name="recalls", summary="Notices"
)
def recalls(
    request: HttpRequest,
    work: str = "open",
    recall_class: str = "",
    q: str = "",
    overdue: bool = False,
    sort: str = "urgency",
    page: int = 1,
    per: int = 100,
) -> dict[str, Any]:
    """Return the recalls and notices that concern devices; ``work`` is open, closed, ended or all."""
    page, per = max(1, page), min(max(1, per), 1000)
    classes = (recall_class,) if recall_class else ()
    found = of_recalls.board(
        scope_of(request).store,
        NoticeFilter(work=work, classes=classes, text=q, overdue=overdue),
        wall_clock(),
        sort=sort,
        offset=(page - 1) * per,
        limit=per,
    )
    return page_of(found, page, per)


@router.get(
    "/recalls/devices",
    response=page_schema(of_cases.CaseView),
    auth=SEE,
    url_name="recall_devices",
    summary="Devices and what notices say of them",
)
def recall_devices(
    request: HttpRequest,
    notice: str = "",
    verdict: str = "",
    step: str = "",
    q: str = "",
    overdue: bool = False,
    page: int = 1,
    per: int = 100,
) -> dict[str, Any]:
    """Return each device and notice with verdict, evidence and step, those with something to do first."""
    page, per = max(1, page), min(max(1, per), 1000)
    wanted = CaseFilter(
        notice=notice,
        states=(verdict,) if verdict else (),
        steps=(step,) if step else (),
        text=q,
        overdue=overdue,
    )
    found = of_cases.cases(scope_of(request).store, wanted, wall_clock(), offset=(page - 1) * per, limit=per)
    return page_of(found, page, per)


class NoticeOut(Schema):
    """One notice: how it stands, what it says as published, its record where it is closed."""

    view: schema_of(of_recalls.NoticeView)  # type: ignore[valid-type]  # made at run time from the struct
    notice: dict[str, Any]
    closure: dict[str, Any] | None


def _seen(request: HttpRequest, number: str, *, whole: bool = False) -> of_recalls.NoticeView:
    """Return a notice that may be seen; ``whole`` where what is asked for concerns every site."""
    scope = scope_of(request)
    found = of_recalls.notices(scope.store, wall_clock(), number)
    view = found[0] if found else None
    if view is None or not (view.concerned or view.not_affected or view.steps or view.origin in OWN):
        raise Http404("There is no such notice in what you may see.")
    if whole and not scope.every_site:
        raise ConfigurationError("that concerns every site: ask somebody who may see them all")
    return view


@router.get(
    "/recalls/notices/{number}",
    response={200: NoticeOut, 404: Problem},
    auth=SEE,
    url_name="recall",
    summary="Notice",
)
def recall(request: HttpRequest, number: str) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return one notice."""
    view, scope = _seen(request, number), scope_of(request).store
    return {
        "view": plain(view),
        "notice": plain(of_recalls.notice_body(scope, number)),
        "closure": of_recalls.closure_of(scope, number),
    }


class NoticeIn(Schema):
    """A maker's notice as a person enters it; lists are texts as they stand in it."""

    title: str
    maker: str
    product: str = ""
    number: str = ""
    recall_class: str = "unclassified"
    reason: str = Field("", description="What is wrong")
    action: str = ""
    begun: str = ""
    models: str = ""
    identifiers: str = Field("", description="UDI-DIs, with commas between")
    lots: str = ""
    serials: str = Field("", description='As written: "1000 through 2000, A7"')
    version: str = Field("", description='Firmware versions, as written: "below 3.1"')
    made: str = ""
    url: str = ""


class Number(Schema):
    """The number of a notice or letter."""

    number: str


@router.post("/recalls", response={200: Number, **_WRONG}, auth=CHANGE, summary="Enter a maker's notice")
def recall_enter(request: HttpRequest, body: NoticeIn) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Keep a maker's notice and compare it with every device."""
    notice = desk.notice_of(desk.Entered(**body.dict()))
    number = desk.enter(scope_of(request).tenant, notice, actor=actor_of(request), reason="")
    forget()
    return {"number": number}


class Done(Schema):
    """How many cases something was done to."""

    cases: int


class WorkIn(Schema):
    """What to do at cases, all of it or nothing; what is null stays as it is."""

    cases: list[str] = Field(..., min_length=1, max_length=1000)
    step: str | None = None
    evidence: str = Field("", max_length=4000, description="What was done or seen; a step needs it")
    references: list[str] = []
    owner: str | None = None
    work_order: str | None = None
    due: str | None = Field(None, description="A day (2026-01-31), empty for none")


def _visible(request: HttpRequest, ids: list[str]) -> None:
    if not set(ids) <= of_cases.visible_cases(scope_of(request).store, ids):
        raise Http404("There is no such case in what you may see.")


@router.post(
    "/recalls/work", response={200: Done, **_WRONG}, auth=CHANGE, summary="Work on devices of notices"
)
def recall_work(request: HttpRequest, body: WorkIn) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Take a step in cases, note proof, owner, work order or day."""
    _visible(request, body.cases)
    work = desk.Work(body.step, body.evidence, tuple(body.references), body.owner, body.work_order, body.due)
    count = desk.work_on(scope_of(request).tenant, body.cases, work, actor=actor_of(request))
    forget()
    return {"cases": count}


class Undone(Schema):
    """What was taken back."""

    kind: str


class Why(Schema):
    """The reason of a step."""

    reason: str = Field(..., min_length=1, max_length=500)


@router.post(
    "/recalls/cases/{case}/undo", response={200: Undone, **_WRONG}, auth=CHANGE, summary="Take an entry back"
)
def recall_undo(request: HttpRequest, case: str, body: Why) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Take the last entry of a case back."""
    _visible(request, [case])
    kind = desk.undo(scope_of(request).tenant, case, actor=actor_of(request), reason=body.reason)
    forget()
    return {"kind": kind}


@router.get(
    "/recalls/cases/{case}/steps",
    response=list_of(of_cases.StepView),
    auth=SEE,
    summary="Entries of a case",
)
def recall_steps(request: HttpRequest, case: str) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return the entries of a case, the latest first."""
    return plain(of_cases.case_steps(scope_of(request).store, case))


class CloseIn(Why):
    """What was concluded, and why a notice is closed although devices are open."""

    despite: str = Field("", max_length=500)


@router.post(
    "/recalls/notices/{number}/close",
    response={200: dict[str, Any], **_WRONG},
    auth=CHANGE,
    summary="Close a notice",
)
def recall_close(request: HttpRequest, number: str, body: CloseIn) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Close a notice and return its record."""
    _seen(request, number, whole=True)
    tenant, actor = scope_of(request).tenant, actor_of(request)
    record = desk.close(tenant, number, actor=actor, reason=body.reason, despite=body.despite)
    forget()
    return record


@router.post(
    "/recalls/notices/{number}/reopen",
    response={204: None, **_WRONG},
    auth=CHANGE,
    summary="Open a notice again",
)
def recall_reopen(request: HttpRequest, number: str, body: Why) -> Any:  # noqa: ANN401 (an empty answer)
    """Open a closed notice again."""
    _seen(request, number, whole=True)
    desk.reopen(scope_of(request).tenant, number, actor=actor_of(request), reason=body.reason)
    forget()
    return Status(204, None)


@router.get(
    "/recalls/notices/{number}/history",
    response=list_of(of_recalls.SpanView),
    auth=SEE,
    summary="Verdicts over time",
)
def recall_history(request: HttpRequest, number: str, at: int | None = None) -> Any:  # noqa: ANN401 (JSON)
    """Return the verdicts of a notice over time, or those that held at ``at`` (nanoseconds)."""
    return plain(of_recalls.history(scope_of(request).store, notice=number, at_ns=at))


@router.get(
    "/devices/{device_id}/recalls",
    response=list_of(of_cases.CaseView),
    auth=SEE,
    summary="What notices say of a device",
)
def device_recalls(request: HttpRequest, device_id: str) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return every notice that speaks of a device's model, with verdict and step."""
    scope = scope_of(request).store
    row = queries.find_device(scope, device_id)
    if row is None:
        raise Http404("There is no such device in what you may see.")
    return plain(of_cases.each_case(scope, CaseFilter(device=row.pk), wall_clock()))


@router.get(
    "/letters", response=page_schema(of_letters.LetterView), auth=SEE, url_name="letters", summary="Letters"
)
def letters(
    request: HttpRequest, state: str = "", q: str = "", page: int = 1, per: int = 100
) -> dict[str, Any]:
    """Return letters to makers; ``state`` is draft, sent, late, answered or closed."""
    page, per = max(1, page), min(max(1, per), 1000)
    found = of_letters.letters(
        scope_of(request).store, wall_clock(), state=state, text=q, offset=(page - 1) * per, limit=per
    )
    return page_of(found, page, per)


@router.get(
    "/letters/suggested", response=list_of(of_letters.WorthAsking), auth=SEE, summary="What is worth asking"
)
def letters_suggested(request: HttpRequest) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return models and versions of which it is open whether vulnerabilities concern them."""
    return plain(of_letters.worth_asking(scope_of(request).store))


class LetterIn(Schema):
    """What a letter asks: about which model at which firmware version."""

    maker: str
    model: str = ""
    firmware: str = ""
    vulnerabilities: list[str] = Field(..., min_length=1, max_length=200)


@router.post("/letters", response={200: Number, **_WRONG}, auth=CHANGE, summary="Write a letter")
def letter_write(request: HttpRequest, body: LetterIn) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Write a letter; a person sends it."""
    store, actor = scope_of(request).store, actor_of(request)
    number = letter_desk.write(
        store, body.maker, body.model, body.firmware, body.vulnerabilities, actor=actor
    )
    forget()
    return {"number": number}


class SentIn(Schema):
    """To whom a letter was sent, when, and by when an answer is due (days as 2026-01-31)."""

    to: str = ""
    sent: str = ""
    due: str = ""


@router.post(
    "/letters/{number}/sent", response={204: None, **_WRONG}, auth=CHANGE, summary="Note that it was sent"
)
def letter_sent(request: HttpRequest, number: str, body: SentIn) -> Any:  # noqa: ANN401 (an empty answer)
    """Note that a person sent a letter."""
    tenant, actor = scope_of(request).tenant, actor_of(request)
    letter_desk.send(tenant, number, to=body.to, actor=actor, sent=body.sent, due=body.due)
    forget()
    return Status(204, None)


@router.post(
    "/letters/{number}/reminded", response={204: None, **_WRONG}, auth=CHANGE, summary="Note a reminder"
)
def letter_reminded(request: HttpRequest, number: str, body: SentIn) -> Any:  # noqa: ANN401 (an empty answer)
    """Note that the maker was reminded."""
    tenant, actor = scope_of(request).tenant, actor_of(request)
    letter_desk.remind(tenant, number, actor=actor, to=body.to, due=body.due)
    forget()
    return Status(204, None)


class AnswerIn(Schema):
    """What a maker answered: rows by hand, or a CSAF or OpenVEX document as text."""

    answers: list[dict[str, str]] = Field([], description="vulnerability, status, fixed_in, detail, remedy")
    document: str = Field("", max_length=20_000_000)
    source: str = Field("", max_length=300, description="Where the answer stands")


class Taken(Schema):
    """How many vulnerabilities were answered, and which stay open."""

    answered: int
    open: list[str]


@router.post(
    "/letters/{number}/answer", response={200: Taken, **_WRONG}, auth=CHANGE, summary="Keep an answer"
)
def letter_answer(request: HttpRequest, number: str, body: AnswerIn) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Keep what the maker answered; devices are judged by it at once."""
    tenant, actor = scope_of(request).tenant, actor_of(request)
    try:
        if body.document:
            name = body.source or "document"
            taken = letter_desk.answer_by_document(tenant, number, body.document.encode(), name, actor=actor)
            count, left = len(taken.answers), list(taken.open)
        else:
            answers = letter_desk.answered_of(body.answers)
            letter_desk.answer(tenant, number, answers, actor=actor, source=body.source)
            found = of_letters.letter(scope_of(request).store, number, wall_clock())
            known = {a.vulnerability for a in found.answer} if found else set()
            count, left = (
                len(answers),
                [v for v in (found.vulnerabilities if found else ()) if v not in known],
            )
    except MalformedInput as error:
        raise ConfigurationError(str(error)) from error
    forget()
    return {"answered": count, "open": left}


@router.post(
    "/letters/{number}/close", response={204: None, **_WRONG}, auth=CHANGE, summary="Give a letter up"
)
def letter_close(request: HttpRequest, number: str, body: Why) -> Any:  # noqa: ANN401 (an empty answer)
    """Give a letter up, for a reason."""
    letter_desk.close(scope_of(request).tenant, number, actor=actor_of(request), reason=body.reason)
    forget()
    return Status(204, None)


@router.post(
    "/letters/{number}/undo", response={200: Undone, **_WRONG}, auth=CHANGE, summary="Take a step back"
)
def letter_undo(request: HttpRequest, number: str, body: Why) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Take the last thing that happened to a letter back."""
    kind = letter_desk.undo(scope_of(request).tenant, number, actor=actor_of(request), reason=body.reason)
    forget()
    return {"kind": kind}
