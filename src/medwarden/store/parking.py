"""Put away what belongs to a device row while the device is part of another, and bring it back.

Rows that a device has once (its identification, search text, scores) are written down and removed.
Whatever else points to a device (findings, captures, answers, protections) moves to the device it is
part of, and is noted, so that the very rows come back.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import cast

import msgspec
from django.apps import apps
from django.core import serializers
from django.db import IntegrityError, connection, transaction
from django.db.models import CharField, ForeignKey, Model

from medwarden.model.finding import FindingState
from medwarden.store.changes import Change
from medwarden.store.findings import count_open, move_findings
from medwarden.store.models import (
    ActivityHour,
    Address,
    CompanyMember,
    Conversation,
    Device,
    DeviceText,
    DoNotProbe,
    EvidenceEntry,
    FactorSpan,
    Finding,
    Identification,
    Interface,
    RiskScore,
    Service,
    ServiceUse,
)

_COUNTED: tuple[type[Model], ...] = (Interface, Address, EvidenceEntry, Service, Conversation, ActivityHour)
"""Folded tables, whose rows :mod:`medwarden.store.members` keeps apart."""
_PUT_AWAY: tuple[type[Model], ...] = (Identification, DeviceText, RiskScore, FactorSpan)
_CONCLUDED_ANEW: tuple[type[Model], ...] = (CompanyMember, ServiceUse)
"""What :func:`medwarden.store.company.rearranged` forgets of a device that is put away."""
_OWN_PLACE = frozenset({"identity", "finding"})


class FindingBefore(msgspec.Struct, frozen=True):
    """How a finding stood before its device became part of another; ``closed_ns``: when that closed it."""

    id: str
    state: str
    changed_ns: int
    closed_ns: int | None


class Parked(msgspec.Struct, frozen=True):
    """What belongs to a device row that is put away: rows written down, and keys of rows that moved.

    ``moved`` maps a table's label and column to the keys of the rows that were the device's.
    """

    rows: list[dict[str, object]]
    moved: dict[str, list[str | int]]
    findings: list[FindingBefore]


@cache
def _followers() -> tuple[tuple[type[Model], str], ...]:
    """Return every table and column that points to a device and is neither counted nor put away."""
    found: list[tuple[type[Model], str]] = []
    for model in apps.get_app_config("store").get_models():
        name = model._meta.model_name or ""
        if (
            model in (*_COUNTED, *_PUT_AWAY, *_CONCLUDED_ANEW, Device)
            or name in _OWN_PLACE
            or name.startswith("identity")
        ):
            continue
        for field in model._meta.concrete_fields:
            points = isinstance(field, ForeignKey) and field.related_model is Device
            if points or (isinstance(field, CharField) and field.name == "device"):
                found.append((model, field.attname))
    # A device id in the do-not-probe registry: what is protected stays so under another id.
    return (*found, (DoNotProbe, "value"))


def _distinct(model: type[Model], column: str) -> bool:
    names = {column, column.removesuffix("_id")}
    return any(f.attname == column and f.unique for f in model._meta.concrete_fields) or any(
        names & set(getattr(constraint, "fields", ())) for constraint in model._meta.constraints
    )


def _written(rows: Sequence[Model]) -> list[dict[str, object]]:
    return cast("list[dict[str, object]]", json.loads(serializers.serialize("json", rows)))


def _move(
    model: type[Model], column: str, gone: str, kept: str, keys: Sequence[str | int] | None = None
) -> tuple[list[str | int], list[Model]]:
    """Give rows of ``gone`` to ``kept``; return the keys of those that moved and the rows that cannot.

    What ``kept`` has already, as an answer to the same question, it keeps.
    """
    chosen = model._default_manager.filter(**{column: gone})
    if keys is not None:
        chosen = chosen.filter(pk__in=keys)
    rows = list(chosen)
    if not _distinct(model, column):
        chosen.update(**{column: kept})
        return [row.pk for row in rows], []
    moved: list[str | int] = []
    stuck = []
    for row in rows:
        try:
            with transaction.atomic():
                model._default_manager.filter(pk=row.pk).update(**{column: kept})
            moved.append(row.pk)
        except IntegrityError:
            stuck.append(row)
    return moved, stuck


def follow(gone: str, kept: str) -> None:
    """Give what points to a device that the resolver found to be another to that one, for good.

    What ``kept`` has already, as an answer to the same question, it keeps.
    """
    with connection.cursor() as cursor:
        for model, column in _followers():
            table = model._meta.db_table
            cursor.execute(f"UPDATE OR IGNORE {table} SET {column} = %s WHERE {column} = %s", [kept, gone])  # noqa: S608


def hand_over(change: Change, gone: str, kept: str) -> Parked:
    """Give all that points to device ``gone`` to ``kept`` and remove its row; return how to undo it.

    Rows of folded tables are not looked at: they must have moved already.
    """
    before = list(Finding.objects.filter(device_id=gone))
    states = {row.pk: (row.state, row.changed_ns) for row in before}
    move_findings(change, gone, kept)
    after = dict(Finding.objects.filter(pk__in=states).values_list("pk", "changed_ns"))
    findings = [
        FindingBefore(pk, state, at, after[pk] if after[pk] != at else None)
        for pk, (state, at) in sorted(states.items())
    ]
    put_away: list[Model] = [*Device.objects.filter(pk=gone)]
    for model in _PUT_AWAY:
        put_away += model._default_manager.filter(device_id=gone)
    moved: dict[str, list[str | int]] = {}
    for model, column in _followers():
        keys, stuck = _move(model, column, gone, kept)
        if keys:
            moved[f"{model._meta.label_lower} {column}"] = keys
        put_away += stuck
        for row in stuck:
            row.__class__._default_manager.filter(pk=row.pk).delete()
    parked = Parked(_written(put_away), moved, findings)
    Device.objects.filter(pk=gone).delete()
    count_open([kept])
    return parked


def give_back(change: Change, parked: Parked, device_id: str, holder: str) -> None:
    """Bring the row of ``device_id`` back with all that was its own, as far as ``holder`` still has it.

    What people decided of its findings in between stays; what the joining closed is open again.
    """
    for restored in serializers.deserialize("python", parked.rows, ignorenonexistent=True):
        restored.save()
    for table, keys in parked.moved.items():
        label, column = table.split(" ")
        rows = apps.get_model(label)._default_manager.filter(pk__in=keys, **{column: holder})
        rows.update(**{column: device_id})
    for past in parked.findings:
        row = Finding.objects.filter(pk=past.id, device_id=holder).first()
        if row is None:
            continue
        row.device_id = device_id
        if row.state == FindingState.RESOLVED.value and row.changed_ns == past.closed_ns:
            change.record(
                "finding.state",
                f"finding:{row.pk}",
                row.state,
                past.state,
                reason=f"{device_id} is a device of its own again",
                site=row.site_id,
            )
            row.state, row.changed_ns = past.state, past.changed_ns
        row.save(update_fields=["device", "state", "changed_ns"])
    count_open([device_id, holder])


def pass_on(parked: Parked, holder: str, to: str) -> None:
    """Give what ``holder`` has of a device that is put away to ``to``, which it is part of now."""
    for table, keys in parked.moved.items():
        label, column = table.split(" ")
        _move(apps.get_model(label), column, holder, to, keys)
    Finding.objects.filter(pk__in=[past.id for past in parked.findings], device_id=holder).update(device=to)
    count_open([holder, to])
