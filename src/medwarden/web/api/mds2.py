"""Operations on makers' disclosure forms (MDS2) and how devices differ from them."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from django.http import Http404, HttpRequest
from ninja import Field, File, Form, Router, Schema, Status, UploadedFile

from medwarden.app.disclosures import Disclosed
from medwarden.app.mds2 import (
    Covered,
    attach_form,
    compared,
    coverage,
    keep,
    named,
    restore,
    withdraw,
)
from medwarden.app.mds2_lists import AnswerRow, ClaimRow, in_words
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.knowledge.mds2_disclosure import needs_of
from medwarden.model.finding import Severity
from medwarden.model.mds2 import DeclaredPort, NetworkNeeds, ProblemKind
from medwarden.model.role import Permission
from medwarden.sensors.mds2_apart import read_apart
from medwarden.sensors.mds2_document import LARGEST
from medwarden.store import queries
from medwarden.store.mds2 import FormView, form_of, forms
from medwarden.store.queries.mds2 import DifferenceRow, differences
from medwarden.web.api.access import needs
from medwarden.web.api.schemas import Problem, list_of, page_of, page_schema, plain, schema_of
from medwarden.web.recent import forget
from medwarden.web.scope import actor_of, scope_of

router = Router(tags=["Makers' forms"])
SEE = needs(Permission.SEE_INVENTORY)
EDIT = needs(Permission.EDIT_BOOKS)
_WRONG = {404: Problem, 422: Problem}


@router.get("/mds2", response=page_schema(FormView), auth=SEE, url_name="mds2", summary="Forms")
def form_list(
    request: HttpRequest,
    q: str = "",
    withdrawn: bool = False,
    sort: str = "vendor",
    page: int = 1,
    per: int = 100,
) -> dict[str, Any]:
    """Return makers' forms; ``sort`` is vendor, released or imported."""
    page, per = max(1, page), min(max(1, per), 1000)
    scope = scope_of(request).store
    found = forms(scope, text=q, withdrawn=withdrawn, sort=sort, offset=(page - 1) * per, limit=per)
    return page_of(found, page, per)


@router.get(
    "/mds2/coverage",
    response=list_of(Covered),
    auth=SEE,
    url_name="mds2_coverage",
    summary="Models and their forms",
)
def form_coverage(request: HttpRequest, medical: bool = False) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return makers' models with the form that counts for each, those that are not as declared first."""
    return plain(coverage(scope_of(request).store, medical=medical))


@router.get("/mds2/differences", response=list_of(DifferenceRow), auth=SEE, summary="Devices not as declared")
def form_differences(request: HttpRequest) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return the open differences between what makers declare and what was heard, gravest first."""
    return plain(differences(scope_of(request).store))


class FormUpload(Schema):
    """Names that stand in for what a form says of itself."""

    vendor: str = Field("", max_length=200)
    model: str = Field("", max_length=200)


class Kept(Schema):
    """A form that was brought in: its id, whether it is new, and for how many devices it counts."""

    id: str
    new: bool
    devices: int
    answers: int
    problems: list[str]


@router.post("/mds2", response={200: Kept, 422: Problem}, auth=EDIT, summary="Bring a form in")
def form_import(
    request: HttpRequest,
    file: UploadedFile = File(...),  # type: ignore[type-arg]  # noqa: B008 (ninja's way)
    names: FormUpload = Form(...),  # type: ignore[type-arg]  # noqa: B008 (ninja's way)
) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Read a form (XLSX, XLSM, XLS or PDF), keep it, and compare the devices it counts for."""
    scope = _every_site(request)
    if file.size is not None and file.size > LARGEST:
        raise ConfigurationError(f"the file is larger than {LARGEST >> 20} MiB, which no form is")
    document, source = file.read(), (file.name or "form")[:200]
    try:
        form = named(read_apart(document, source), names.vendor, names.model)
    except MalformedInput as error:
        raise ConfigurationError(str(error)) from error
    done = keep(scope.tenant, form, source, hashlib.sha256(document).hexdigest(), actor=actor_of(request))
    forget()
    return {
        "id": done.id, "new": done.new, "devices": done.devices,
        "answers": sum(answer.given for answer in form.answers),
        "problems": [problem.words for problem in form.problems],
    }  # fmt: skip


def _every_site(request: HttpRequest) -> Any:  # noqa: ANN401 (the console's scope)
    scope = scope_of(request)
    if not scope.every_site:
        raise ConfigurationError("a form concerns every site: ask somebody who may see them all")
    return scope


class FormRemark(msgspec.Struct, frozen=True):
    """What could not be read of a form, or was set right, with where it stands."""

    kind: ProblemKind
    question: str
    where: str
    words: str


class FormOut(msgspec.Struct, frozen=True):
    """A form with everything it says, in our words."""

    view: FormView
    description: str
    use: str
    answers: tuple[AnswerRow, ...]
    claims: tuple[ClaimRow, ...]
    ports: tuple[DeclaredPort, ...]
    problems: tuple[FormRemark, ...]


@router.get(
    "/mds2/{form_id}",
    response={200: schema_of(FormOut), 404: Problem},
    auth=SEE,
    url_name="mds2_form",
    summary="One form",
)
def one_form(request: HttpRequest, form_id: str) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return a form: answers in our words, claims, ports, and what could not be read."""
    try:
        return plain(in_words(*form_of(scope_of(request).store, form_id)))
    except ConfigurationError as error:
        raise Http404("There is no such form.") from error


class Word(Schema):
    """A person's word on what a form is of; ``belongs`` null takes it back."""

    device: str = Field("", max_length=200, description="A device by its id")
    vendor: str = Field("", max_length=200)
    model: str = Field("", max_length=200)
    belongs: bool | None = True
    reason: str = Field(..., min_length=1, max_length=500)


class Count(Schema):
    """For how many devices a form counts."""

    devices: int


@router.post(
    "/mds2/{form_id}/attachments", response={200: Count, **_WRONG}, auth=EDIT, summary="Attach a form"
)
def form_attach(request: HttpRequest, form_id: str, body: Word) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Say of which device or model a form is, or is not."""
    scope = scope_of(request)
    row = queries.find_device(scope.store, body.device) if body.device else None
    if body.device and row is None:
        raise Http404("There is no such device in what you may see.")
    if row is None:
        _every_site(request)
    count = attach_form(
        scope.tenant, form_id, actor=actor_of(request), reason=body.reason,
        device="" if row is None else row.pk, vendor=body.vendor, model=body.model, belongs=body.belongs,
    )  # fmt: skip
    forget()
    return {"devices": count}


class Why(Schema):
    """The reason of a step; ``back`` lets a withdrawn form count again."""

    reason: str = Field(..., min_length=1, max_length=500)
    back: bool = False


@router.post("/mds2/{form_id}/standing", response={204: None, **_WRONG}, auth=EDIT, summary="Withdraw a form")
def form_standing(request: HttpRequest, form_id: str, body: Why) -> Any:  # noqa: ANN401 (an empty answer)
    """Let a form count no more, or again."""
    scope = _every_site(request)
    (restore if body.back else withdraw)(scope.tenant, form_id, actor=actor_of(request), reason=body.reason)
    forget()
    return Status(204, None)


class DifferenceOut(msgspec.Struct, frozen=True):
    """A difference of a device with its form, computed now."""

    type: str
    severity: Severity
    title: str
    questions: tuple[str, ...]
    said: str
    seen: str
    fix: str


class DeviceForm(msgspec.Struct, frozen=True):
    """The form that counts for a device, what it says that the device needs, and where it differs."""

    form: str
    title: str
    attached: str
    needs: NetworkNeeds
    differences: tuple[DifferenceOut, ...]


@router.get(
    "/devices/{device_id}/mds2",
    response={200: schema_of(DeviceForm), 404: Problem},
    auth=SEE,
    summary="The form of a device",
)
def device_form(request: HttpRequest, device_id: str) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return the form that counts for a device and where what was heard differs from it."""
    scope = scope_of(request)
    row = queries.find_device(scope.store, device_id)
    if row is None:
        raise Http404("There is no such device in what you may see.")
    told = Disclosed(scope.tenant).of([row]).get(row.pk)
    if told is None:
        raise Http404("No form counts for this device.")
    found = compared(scope.tenant, row.site_id, [row.pk]).get(row.pk, ())
    return plain(
        DeviceForm(
            told.form, told.title, told.attached, needs_of(told),
            tuple(
                DifferenceOut(d.type, d.severity, d.title, d.questions, d.said, d.seen, d.fix) for d in found
            ),
        )
    )  # fmt: skip
