"""Answers of people: kept and withdrawn; and the versions of what was learnt from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from django.db.models import Max

from medwarden.kernel.ids import stable_id
from medwarden.store.changes import Change
from medwarden.store.marking import mark
from medwarden.store.models import Answer, AnsweredDevice, LocalModel
from medwarden.store.queries.scope import Page, Scope, bounds

_AT_ONCE = 400


class GivenAnswer(msgspec.Struct, frozen=True):
    """One answer as it is kept. ``rule`` tells whether it is passed on to other devices."""

    id: str
    number: int
    site: str
    cluster: str
    devices: tuple[str, ...]
    labels: dict[str, str]
    shared: tuple[tuple[str, str], ...]
    rule: dict[str, Any] | None
    effects: dict[str, Any]
    at_ns: int
    actor: str
    reason: str
    undone_ns: int | None
    undone_by: str
    undone_reason: str


class LearntVersion(msgspec.Struct, frozen=True):
    """One version of what was learnt; ``rules`` are fingerprints as plain values."""

    number: int
    answer: int
    rules: tuple[dict[str, Any], ...]
    file: str
    digest: str
    figures: dict[str, Any]
    at_ns: int
    actor: str


def next_number(tenant: str) -> int:
    """Return the number that the next answer of a tenant gets."""
    last: int | None = Answer.objects.filter(tenant_id=tenant).aggregate(last=Max("number"))["last"]
    return (last or 0) + 1


def record_answer(
    change: Change,
    *,
    number: int,
    devices: Sequence[str],
    labels: Mapping[str, str],
    shared: Sequence[tuple[str, str]],
    rule: Mapping[str, object] | None,
    effects: Mapping[str, object],
    cluster: str = "",
) -> str:
    """Keep an answer and mark its devices to be judged anew; return its id."""
    key = stable_id("a", change.tenant, str(number))
    scope = {"tenant_id": change.tenant, "site_id": change.site}
    row = Answer.objects.create(
        **scope,
        id=key,
        number=number,
        cluster=cluster,
        labels=dict(labels),
        shared=[list(pair) for pair in shared],
        rule=None if rule is None else dict(rule),
        effects=dict(effects),
        at_ns=change.now_ns,
        actor=change.actor[:150],
        reason=change.reason,
    )
    AnsweredDevice.objects.bulk_create(
        [AnsweredDevice(**scope, answer=row, device_id=device) for device in dict.fromkeys(devices)]
    )
    change.record(
        "answer.given",
        f"answer:{number}",
        None,
        {"devices": list(devices)[:_AT_ONCE], "labels": dict(labels), "passed_on": rule is not None},
    )
    for device in devices:
        change.record("device.answered", f"device:{device}", None, dict(labels))
    mark_stale(devices)
    return key


def withdraw(change: Change, answer: GivenAnswer) -> None:
    """Take an answer back: it no longer speaks, its devices are judged anew."""
    Answer.objects.filter(pk=answer.id).update(
        undone_ns=change.now_ns, undone_by=change.actor[:150], undone_reason=change.reason
    )
    change.record("answer.undone", f"answer:{answer.number}", {"labels": answer.labels}, None)
    for device in answer.devices:
        change.record("device.answer_undone", f"device:{device}", answer.labels, None)
    mark_stale(answer.devices)


def mark_stale(devices: Sequence[str]) -> int:
    """Have devices judged anew; return how many there are."""
    return mark(devices)


def answers(scope: Scope, *, standing: bool = False, offset: int = 0, limit: int = 100) -> Page[GivenAnswer]:
    """Return answers, the latest first; only those that were not withdrawn where ``standing``."""
    rows = scope.over(Answer.objects.all()).order_by("-number")
    if standing:
        rows = rows.filter(undone_ns=None)
    start, size = bounds(offset, limit)
    return Page(tuple(map(_answer, rows[start : start + size])), rows.count(), start, size)


def standing_answers(tenant: str) -> list[GivenAnswer]:
    """Return all answers of a tenant that were not withdrawn, in the order they were given."""
    rows = Answer.objects.filter(tenant_id=tenant, undone_ns=None).order_by("number")
    return list(map(_answer, rows))


def answer_of(scope: Scope, key: str) -> GivenAnswer | None:
    """Return the answer with this id or number, None where the reader sees none."""
    rows = scope.over(Answer.objects.all())
    row = rows.filter(number=int(key)).first() if key.isascii() and key.isdigit() else None
    row = row or rows.filter(pk=key).first()
    return None if row is None else _answer(row)


def _answer(row: Answer) -> GivenAnswer:
    devices = AnsweredDevice.objects.filter(answer=row).order_by("id").values_list("device_id", flat=True)
    return GivenAnswer(
        id=row.pk,
        number=row.number,
        site=row.site_id,
        cluster=row.cluster,
        devices=tuple(devices),
        labels=row.labels,
        shared=tuple((field, value) for field, value in row.shared),
        rule=row.rule,
        effects=row.effects,
        at_ns=row.at_ns,
        actor=row.actor,
        reason=row.reason,
        undone_ns=row.undone_ns,
        undone_by=row.undone_by,
        undone_reason=row.undone_reason,
    )


def record_learnt(
    change: Change,
    *,
    answer: int,
    rules: Sequence[Mapping[str, object]],
    file: str = "",
    digest: str = "",
    figures: Mapping[str, object] | None = None,
) -> LearntVersion:
    """Keep a version of what was learnt from answers; it is the one in force."""
    before = learnt(change.tenant)
    row = LocalModel.objects.create(
        tenant_id=change.tenant,
        site_id=None,
        number=1 if before is None else before.number + 1,
        answer=answer,
        rules=[dict(rule) for rule in rules],
        file=file,
        digest=digest,
        figures=dict(figures or {}),
        at_ns=change.now_ns,
        actor=change.actor[:150],
    )
    was = None if before is None else {"version": before.number, "digest": before.digest}
    now = {"version": row.number, "rules": len(rules), "digest": digest, "after_answer": answer}
    change.record("model.learnt", f"model:local-{row.number}", was, now)
    return _version(row)


def learnt(tenant: str) -> LearntVersion | None:
    """Return the version in force, None before the first answer."""
    row = LocalModel.objects.filter(tenant_id=tenant).order_by("-number").first()
    return None if row is None else _version(row)


def versions(scope: Scope) -> list[LearntVersion]:
    """Return every version, the latest first."""
    rows = LocalModel.objects.filter(tenant_id=scope.tenant).order_by("-number")
    return list(map(_version, rows))


def _version(row: LocalModel) -> LearntVersion:
    return LearntVersion(
        number=row.number,
        answer=row.answer,
        rules=tuple(row.rules),
        file=row.file,
        digest=row.digest,
        figures=row.figures,
        at_ns=row.at_ns,
        actor=row.actor,
    )
