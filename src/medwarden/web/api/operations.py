"""Operations on clinical names, the do-not-probe registry and active query."""

from __future__ import annotations

from typing import Any

import msgspec
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from ninja import Router, Schema

from medwarden.app.device_capture import present_state, remove_stored, stop_stored
from medwarden.inventory.clinical_peers import ClinicalPeers
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.role import Permission
from medwarden.operations.in_use import InUse, in_use
from medwarden.store import queries
from medwarden.store.captures import CaptureFilter, CaptureRow, capture, captures
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
from medwarden.store.queries.standing import listening_since
from medwarden.web.api.access import needs
from medwarden.web.api.schemas import Problem, list_of, page_of, page_schema, plain, schema_of
from medwarden.web.decisions import change_by
from medwarden.web.scope import scope_of
from medwarden.web.views.captures import ours, sent

router = Router(tags=["Operations"])
SEE = needs(Permission.SEE_INVENTORY)
_REFUSALS = {404: Problem, 422: Problem}


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


@router.get(
    "/devices/{device_id}/in-use",
    response={200: schema_of(InUse), 404: Problem},
    auth=SEE,
    url_name="device_in_use",
    summary="Is a device at work on a patient",
)
def device_in_use(request: HttpRequest, device_id: str) -> Any:  # noqa: ANN401
    """Return yes, no or unknown (to be treated as yes), why, and the evidence behind it."""
    scope = scope_of(request)
    found = queries.device(scope.store, device_id)
    if found is None:
        raise Http404("There is no such device in what you may see.")
    return plain(in_use(found, scope.until_ns, listening_since(scope.tenant, found.site, scope.until_ns)))


class Capture(msgspec.Struct, frozen=True):
    """A capture of one device; ``state`` is running, done, failed, or lost where its process is gone."""

    id: str
    site: str
    device: str
    label: str
    interface: str
    macs: list[str]
    ips: list[str]
    seconds: int
    megabytes: int
    packets_limit: int | None
    reason: str
    who: str
    state: str
    stop_asked: bool
    ended_by: str
    error: str
    created_ns: int
    ended_ns: int | None
    packets: int
    dropped: int
    bytes: int
    files: list[str]


def _capture(row: CaptureRow, now_ns: int) -> Capture:
    values = {name: getattr(row, name) for name in Capture.__struct_fields__}
    return Capture(**(values | {"state": present_state(row, now_ns)}))


@router.get(
    "/captures", response=page_schema(Capture), auth=SEE, url_name="captures", summary="Captures on demand"
)
def all_captures(
    request: HttpRequest,
    q: str = "",
    device: str = "",
    state: str = "",
    sort: str = "-created",
    page: int = 1,
    per: int = 100,
) -> dict[str, Any]:
    """Return the captures of single devices that were asked for, and what became of them.

    ``state`` is running, done or failed; ``sort`` is created, device, state, bytes or who.
    """
    page, per = _bounds(page, per)
    scope = scope_of(request)
    wanted = CaptureFilter(device=device, state=(state,) if state else (), text=q)
    found = captures(scope.store, wanted, sort=sort, offset=(page - 1) * per, limit=per)
    items = [plain(_capture(row, scope.until_ns)) for row in found.items]
    return {"items": items, "total": found.total, "page": page, "per": per}


@router.get(
    "/captures/{capture_id}",
    response={200: schema_of(Capture), 404: Problem},
    auth=SEE,
    url_name="capture",
    summary="One capture",
)
def one_capture(request: HttpRequest, capture_id: str) -> Any:  # noqa: ANN401
    """Return one capture."""
    return plain(_capture(ours(request, capture_id), scope_of(request).until_ns))


class Why(Schema):
    """Why something is done; stands in the audit chain."""

    reason: str


def _reason(body: Why) -> str:
    if not body.reason.strip():
        raise ConfigurationError("say why: the reason stands in the audit chain")
    return body.reason.strip()[:500]


def _as_it_is(request: HttpRequest, capture_id: str) -> Any:  # noqa: ANN401
    row = capture(scope_of(request).store, capture_id)
    return None if row is None else plain(_capture(row, scope_of(request).until_ns))


@router.post(
    "/captures/{capture_id}/stop",
    response={200: schema_of(Capture), **_REFUSALS},
    auth=needs(Permission.CAPTURE_DEVICE),
    summary="End a running capture",
)
def stop_capture(request: HttpRequest, capture_id: str, body: Why) -> Any:  # noqa: ANN401
    """Ask a running capture to end, which it does within a second; end one that lost its process."""
    row = ours(request, capture_id)
    with change_by(request, _reason(body), row.site) as change:
        stop_stored(change, row)
    return _as_it_is(request, capture_id)


@router.post(
    "/captures/{capture_id}/remove",
    response={200: schema_of(Capture), **_REFUSALS},
    auth=needs(Permission.CAPTURE_DEVICE),
    summary="Delete the packets of a capture",
)
def remove_capture(request: HttpRequest, capture_id: str, body: Why) -> Any:  # noqa: ANN401
    """Delete the files of an ended capture; that it was made stays on record."""
    row = ours(request, capture_id)
    with change_by(request, _reason(body), row.site) as change:
        remove_stored(change, row)
    return _as_it_is(request, capture_id)


_PCAPNG = {"responses": {200: {"description": "pcapng", "content": {"application/vnd.tcpdump.pcap": {}}}}}


@router.get(
    "/captures/{capture_id}/file",
    auth=needs(Permission.CAPTURE_DEVICE),
    summary="Packets without patients",
    openapi_extra=_PCAPNG,
)
def capture_file(request: HttpRequest, capture_id: str) -> HttpResponseBase:
    """Return the packets (pcapng) without patients and credentials; that they were taken is audited."""
    return sent(request, ours(request, capture_id), "fetched by the API", raw=False)


@router.post(
    "/captures/{capture_id}/raw",
    auth=needs(Permission.EXPORT_RAW_CAPTURE),
    summary="Packets as they are",
    openapi_extra=_PCAPNG,
)
def capture_raw(request: HttpRequest, capture_id: str, body: Why) -> HttpResponseBase:
    """Return the packets (pcapng) with patients and all; needs a reason, which is audited."""
    return sent(request, ours(request, capture_id), _reason(body), raw=True)
