"""Operations on clinical names, the do-not-probe registry and active query."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from medwarden.inventory.clinical_peers import ClinicalPeers
from medwarden.model.role import Permission
from medwarden.store import queries
from medwarden.store.queries.probing import (
    OverrideRow,
    ProbeFilter,
    ProbeRow,
    ProtectionRow,
    SubnetRow,
    overrides,
    probe_log,
    probe_subnets,
    protections,
)
from medwarden.web.api.access import needs
from medwarden.web.api.schemas import list_of, page_of, page_schema, plain, schema_of
from medwarden.web.scope import scope_of

router = Router(tags=["Operations"])
SEE = needs(Permission.SEE_INVENTORY)


@router.get(
    "/clinical-names",
    response=schema_of(ClinicalPeers),
    auth=SEE,
    url_name="clinical_names",
    summary="AE titles and HL7 applications",
)
def clinical_names(request: HttpRequest) -> Any:  # noqa: ANN401
    """Return who answers to which AE title and HL7 application, and the disputes over names."""
    return plain(queries.clinical_peers(scope_of(request).store))


@router.get(
    "/batteries",
    response=list_of(queries.BatteryRow),
    auth=SEE,
    url_name="batteries",
    summary="Batteries of pumps and monitors",
)
def batteries(request: HttpRequest) -> Any:  # noqa: ANN401
    """Return the last known state of every battery, the emptiest first."""
    return plain(queries.battery_levels(scope_of(request).store))


def _bounds(page: int, per: int) -> tuple[int, int]:
    return max(1, page), min(max(1, per), 1000)


@router.get(
    "/do-not-probe",
    response=page_schema(ProtectionRow),
    auth=SEE,
    url_name="protections",
    summary="The do-not-probe registry",
)
def do_not_probe(
    request: HttpRequest, q: str = "", ended: bool = False, page: int = 1, per: int = 100
) -> dict[str, Any]:
    """Return the entries of the registry; with ``ended`` also those that no longer hold."""
    page, per = _bounds(page, per)
    found = protections(scope_of(request).store, text=q, ended=ended, offset=(page - 1) * per, limit=per)
    return page_of(found, page, per)


@router.get(
    "/query/subnets",
    response=page_schema(SubnetRow),
    auth=SEE,
    url_name="probe_subnets",
    summary="Where active query is on",
)
def subnets(request: HttpRequest, ended: bool = False, page: int = 1, per: int = 100) -> dict[str, Any]:
    """Return the subnets in which active query is on; with ``ended`` also where it was."""
    page, per = _bounds(page, per)
    found = probe_subnets(scope_of(request).store, ended=ended, offset=(page - 1) * per, limit=per)
    return page_of(found, page, per)


@router.get("/query/overrides", response=page_schema(OverrideRow), auth=SEE, summary="Overrides")
def all_overrides(request: HttpRequest, device: str = "", page: int = 1, per: int = 100) -> dict[str, Any]:
    """Return who answered for which device, in spite of what, and until when."""
    page, per = _bounds(page, per)
    found = overrides(scope_of(request).store, device=device, offset=(page - 1) * per, limit=per)
    return page_of(found, page, per)


@router.get("/query/log", response=page_schema(ProbeRow), auth=SEE, summary="Questions sent and refused")
def log(
    request: HttpRequest, device: str = "", outcome: str = "", page: int = 1, per: int = 100
) -> dict[str, Any]:
    """Return every question that was sent to a device or refused, the newest first."""
    page, per = _bounds(page, per)
    scope = scope_of(request)
    wanted = ProbeFilter(device=device, outcome=(outcome,) if outcome else (), since_ns=scope.since_ns)
    return page_of(probe_log(scope.store, wanted, offset=(page - 1) * per, limit=per), page, per)
