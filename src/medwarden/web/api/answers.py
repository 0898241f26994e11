"""Operations on what nobody could name: the queue, answers with their preview, and taking them back."""

from __future__ import annotations

from typing import Any

import msgspec
from django.http import HttpRequest
from ninja import Field, Router, Schema

from medwarden.app.answers import Preview, give_answer, preview, undo_answer
from medwarden.app.unknown import all_clusters
from medwarden.inventory.clusters import Cluster
from medwarden.model.role import Permission
from medwarden.store.answers import GivenAnswer, answers
from medwarden.store.queries import Page
from medwarden.web.api.access import needs
from medwarden.web.api.schemas import Problem, page_of, page_schema, plain, schema_of
from medwarden.web.decisions import data_folder
from medwarden.web.recent import forget, recently
from medwarden.web.scope import actor_of, scope_of

router = Router(tags=["Identity"])
SEE = needs(Permission.SEE_INVENTORY)
CORRECT = needs(Permission.CORRECT_IDENTITY)


@router.get(
    "/unknown", response=page_schema(Cluster), auth=SEE, url_name="unknown", summary="Unknown devices"
)
def unknown(request: HttpRequest, page: int = 1, per: int = 50) -> dict[str, Any]:
    """Return clusters of devices nobody could name, those first whose answer labels most."""
    page, per = max(1, page), min(max(1, per), 1000)
    found = recently(all_clusters, scope_of(request).store)
    start = (page - 1) * per
    return page_of(Page(tuple(found[start : start + per]), len(found), start, per), page, per)


class Outcome(msgspec.Struct):
    """An answer given or taken back: what it came to, which version of what was learnt is in force."""

    answer: GivenAnswer
    preview: Preview
    version: int
    judged: int


class AnswerIn(Schema):
    """What somebody says that devices are: labels by level, how he knows."""

    devices: list[str] = Field(..., description="A cluster of /unknown, or ids, MAC or IP addresses")
    labels: dict[str, str] = Field(..., description="category, vendor, model, os, serial ...")
    reason: str = Field("", max_length=500)


@router.post(
    "/answers/preview",
    response={200: schema_of(Preview), 422: Problem},
    auth=CORRECT,
    summary="What an answer would change",
)
def answer_preview(request: HttpRequest, body: AnswerIn) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return what an answer would change, without giving it."""
    return plain(preview(scope_of(request).store, body.devices, body.labels))


@router.post(
    "/answers", response={200: schema_of(Outcome), 422: Problem}, auth=CORRECT, summary="Say what devices are"
)
def answer(request: HttpRequest, body: AnswerIn) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Give an answer, learn from it and judge what it touches anew."""
    actor = actor_of(request)
    given = give_answer(
        scope_of(request).store,
        body.devices,
        body.labels,
        home=data_folder(),
        actor=actor,
        reason=body.reason,
    )
    forget()
    return plain(given)


@router.get(
    "/answers", response=page_schema(GivenAnswer), auth=SEE, url_name="answers", summary="Answers given"
)
def given_answers(request: HttpRequest, page: int = 1, per: int = 100) -> dict[str, Any]:
    """Return the answers of people, the latest first, those taken back too."""
    page, per = max(1, page), min(max(1, per), 1000)
    return page_of(answers(scope_of(request).store, offset=(page - 1) * per, limit=per), page, per)


class Why(Schema):
    """The reason of a step."""

    reason: str = Field(..., min_length=1, max_length=500)


@router.post(
    "/answers/{answer_id}/undo",
    response={200: schema_of(Outcome), 404: Problem, 422: Problem},
    auth=CORRECT,
    summary="Take an answer back",
)
def answer_undo(request: HttpRequest, answer_id: str, body: Why) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Take an answer back, with what was learnt from it."""
    actor = actor_of(request)
    given = undo_answer(
        scope_of(request).store, answer_id, home=data_folder(), actor=actor, reason=body.reason
    )
    forget()
    return plain(given)
