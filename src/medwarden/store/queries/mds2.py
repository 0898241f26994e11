"""Differences between makers' forms and what was heard, as they stand open, for pages and commands."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from medwarden.model.finding import FindingKind
from medwarden.store.models import Device, Finding
from medwarden.store.queries.scope import Scope

_AT_ONCE = 400
_OPEN = ("open", "acknowledged")


class DifferenceRow(msgspec.Struct, frozen=True):
    """An open difference of a device."""

    finding: str
    type: str
    severity: str
    severity_rank: int
    title: str
    detail: str
    device: str
    label: str
    vendor: str
    model: str
    last_seen: int


def differences(scope: Scope, devices: Sequence[str] | None = None) -> list[DifferenceRow]:
    """Return the open differences of a scope, or of some devices of it, gravest first."""
    rows = scope.over(Finding.objects.filter(kind=FindingKind.DECLARATION.value, state__in=_OPEN))
    found: list[DifferenceRow] = []
    parts: list[Sequence[str] | None] = [None]
    if devices is not None:
        parts = [devices[start : start + _AT_ONCE] for start in range(0, len(devices), _AT_ONCE)]
    for part in parts:
        chosen = rows if part is None else rows.filter(device_id__in=part)
        for row in chosen.select_related("device"):
            title, _, label = row.title.partition(": ")
            found.append(
                DifferenceRow(
                    row.pk, row.type, row.severity, row.severity_rank, title, row.detail, row.device_id,
                    label, row.device.vendor or "", row.device.model or "", row.last_seen,
                )
            )  # fmt: skip
    return sorted(found, key=lambda d: (-d.severity_rank, d.type, d.label, d.finding))


class CoveredDevice(msgspec.Struct, frozen=True):
    """A device that a form counts for."""

    id: str
    label: str
    vendor: str
    model: str
    site: str
    risk: int
    last_seen: int


def covered(scope: Scope, ids: Sequence[str], limit: int = 200) -> list[CoveredDevice]:
    """Return devices of a scope by id, those at the highest risk first."""
    rows = [
        CoveredDevice(
            row.pk, row.name or row.pk, row.vendor or "", row.model or "", row.site_id, row.risk_score,
            row.last_seen,
        )
        for start in range(0, len(ids), _AT_ONCE)
        for row in scope.over(Device.objects.filter(pk__in=ids[start : start + _AT_ONCE]))
    ]  # fmt: skip
    return sorted(rows, key=lambda d: (-d.risk, d.label))[:limit]
