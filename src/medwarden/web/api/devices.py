"""Operations on devices."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest
from ninja import Field, Query, Router, Schema

from medwarden.app.disclosures import disclosure_for
from medwarden.app.origin import Origin
from medwarden.app.way_down import way_down
from medwarden.inventory.patient_data import PatientData, patient_data
from medwarden.inventory.story import Story, story
from medwarden.model.book import BookFact
from medwarden.model.device import Conversation, Device
from medwarden.model.policy import Policy
from medwarden.model.risk import RiskScore
from medwarden.model.role import Permission
from medwarden.store import queries
from medwarden.store.queries.books import book_facts
from medwarden.web import device_list
from medwarden.web.api.access import needs
from medwarden.web.api.schemas import Problem, list_of, page_of, page_schema, plain, schema_of
from medwarden.web.decisions import data_folder
from medwarden.web.policy_learning import device_policy
from medwarden.web.scope import scope_of, signed_in

router = Router(tags=["Devices"])
SEE = needs(Permission.SEE_INVENTORY)


class BookedDevice(Device, frozen=True):
    """A device with what the hospital's books say of it."""

    booked: tuple[BookFact, ...] = ()


DeviceOut = schema_of(BookedDevice)
RiskOut = schema_of(RiskScore)
PolicyOut = schema_of(Policy)


class DeviceQuery(Schema):
    """The parameters of the devices page. Repeat one to allow several values; ``!value`` excludes it."""

    q: str = Field("", description="Words, MAC, IP, prefix such as 10.2.0.0/16, serial, AE title")
    site: str = Field("", description="Site id; empty for all you may see")
    range: str = Field("all", description="1h, 24h, 7d, 30d, 90d or all: last seen within")
    device_class: list[str] = Field([], alias="class", description="IoMT, IoT, OT, IT, NET, unknown")
    category: list[str] = Field([], description="Category id of the taxonomy, or unknown")
    vendor: list[str] = []
    model: list[str] = []
    os: list[str] = []
    level: list[str] = Field([], description="none, low, medium, high, critical")
    subnet: list[str] = []
    managed: list[str] = Field([], description="yes, no, unknown")
    phi: list[str] = Field([], description="yes, no, unknown")
    finding: list[str] = Field([], description="Type of an open finding")
    unsure: list[str] = Field([], description="First level that is not sure: class ... model, or any")
    doubt: list[str] = Field([], description="Why it is not sure: a key of doubts in /sureness")
    support: list[str] = Field([], description="When support ends: ended, year, later, unknown")
    risk_from: int | None = Field(None, ge=0, le=100)
    added_since: int | None = Field(None, description="Nanoseconds since the epoch")
    retired: str = Field("", description="yes: retired devices instead of the others")
    sort: str = Field("-risk", description="Key of a column, with - for descending")
    page: int = Field(1, ge=1)
    per: int = Field(100, ge=1, le=1000)


def _one(request: HttpRequest, device_id: str) -> Device:
    found = queries.device(scope_of(request).store, device_id)
    if found is None:
        raise Http404("There is no such device in what you may see.")
    return found


StoryOut = schema_of(Story)
OriginOut = schema_of(Origin)


@router.get(
    "/devices/{device_id}/patient-data",
    response=schema_of(PatientData),
    auth=SEE,
    summary="How likely it holds patient data",
)
def device_patient_data(request: HttpRequest, device_id: str) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return how likely a device transmits and stores data of patients and others, with the reasons."""
    found = _one(request, device_id)
    return plain(patient_data(found, disclosure_for(scope_of(request).tenant, found)))


@router.get(
    "/devices/{device_id}/evidence",
    response={200: OriginOut, 404: Problem, 422: Problem},
    auth=SEE,
    url_name="device_origin",
    summary="Where an answer comes from",
)
def device_origin(request: HttpRequest, device_id: str, field: str, value: str, offset: int = 0) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return the inputs, packets or lines that said a fact, or what an answer rests on and who said it.

    `field` and `value` are those of a vote, a part of a place (`place.room`), an address (`ip`), a name
    (`name`), a level (`category`), a reason for patient data, or evidence of a finding, factor or verdict.
    Follow each of `rests_on` in turn until `heard` names inputs and packets, or `said` who said it.
    """
    found = _one(request, device_id)
    return plain(way_down(scope_of(request).store, data_folder(), found.id, field, value, offset=offset))


@router.get("/devices/{device_id}/story", response=StoryOut, auth=SEE, summary="How it came to be known")
def device_story(request: HttpRequest, device_id: str) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return the ledger as moments in time: what was heard first, and which answers rest on it."""
    return plain(story(_one(request, device_id)))


@router.get(
    "/devices", response=page_schema(queries.DeviceRow), auth=SEE, url_name="devices", summary="List devices"
)
def devices(request: HttpRequest, query: Query[DeviceQuery]) -> dict[str, Any]:
    """Return one page of devices, filtered and sorted as on the devices page."""
    scope = scope_of(request)
    asked = device_list.asked(request.GET, scope.since_ns)
    offset = (query.page - 1) * query.per
    found = queries.devices(scope.store, asked.wanted, sort=asked.sort, offset=offset, limit=query.per)
    return page_of(found, query.page, query.per)


@router.get("/devices/facets", response=dict[str, dict[str, int]], auth=SEE, summary="Count devices by value")
def facets(request: HttpRequest, query: Query[DeviceQuery]) -> dict[str, dict[str, int]]:  # noqa: ARG001
    """Return how many devices of the filter have which class, category, vendor, level, site, subnet."""
    scope = scope_of(request)
    return queries.facets(scope.store, device_list.asked(request.GET, scope.since_ns).wanted)


@router.get("/devices/{device_id}", response=DeviceOut, auth=SEE, url_name="device", summary="One device")
def device(request: HttpRequest, device_id: str) -> Any:  # noqa: ANN401
    """Return a device with verdicts, ballots, evidence ledger, services, conversations and its books.

    Names of people in books are shown to roles that may see them.
    """
    found = _one(request, device_id)
    staff = signed_in(request).may(Permission.SEE_STAFF_NAMES)
    booked = book_facts([found.id], staff=staff).get(found.id, [])
    whole = {field: getattr(found, field) for field in Device.__struct_fields__}
    return plain(BookedDevice(**whole, booked=tuple(booked)))


@router.get("/devices/{device_id}/risk", response=RiskOut, auth=SEE, summary="Risk of a device")
def risk(request: HttpRequest, device_id: str) -> Any:  # noqa: ANN401
    """Return the score and the factors whose points add up to it; 404 before the first assessment."""
    found = queries.risk(scope_of(request).store, _one(request, device_id).id)
    if found is None:
        raise Http404("The device is not assessed yet.")
    return plain(found)


class RiskPoint(Schema):
    """The score from a moment on."""

    at_ns: int
    score: int
    level: str


@router.get("/devices/{device_id}/risk/history", response=list[RiskPoint], auth=SEE, summary="Risk over time")
def risk_history(request: HttpRequest, device_id: str) -> list[dict[str, Any]]:
    """Return every change of the score, oldest first."""
    rows = queries.risk_history(scope_of(request).store, _one(request, device_id).id)
    return [{"at_ns": at, "score": score, "level": level} for at, score, level in rows]


@router.get(
    "/devices/{device_id}/conversations",
    response=page_schema(Conversation),
    auth=SEE,
    summary="Whom a device talks with",
)
def conversations(request: HttpRequest, device_id: str, page: int = 1, per: int = 100) -> dict[str, Any]:
    """Return the conversations of a device, largest volume first."""
    page, per = max(1, page), min(max(1, per), 1000)
    found = queries.conversations(
        scope_of(request).store, _one(request, device_id).id, offset=(page - 1) * per, limit=per
    )
    return page_of(found, page, per)


@router.get(
    "/devices/{device_id}/activity",
    response=list_of(queries.HourOfActivity),
    auth=SEE,
    summary="Traffic by hour",
)
def activity(request: HttpRequest, device_id: str) -> Any:  # noqa: ANN401
    """Return traffic by clock hour in the time range (`range`), oldest first."""
    scope = scope_of(request)
    return plain(queries.activity(scope.store, _one(request, device_id).id, since=scope.since_ns or 0))


@router.get(
    "/devices/{device_id}/addresses",
    response=list_of(queries.AddressHeld),
    auth=SEE,
    summary="Addresses over time",
)
def addresses(request: HttpRequest, device_id: str) -> Any:  # noqa: ANN401
    """Return the addresses a device has and had."""
    return plain(queries.addresses(scope_of(request).store, _one(request, device_id).id))


@router.get("/devices/{device_id}/policy", response=PolicyOut, auth=SEE, summary="Allow list of a device")
def policy(request: HttpRequest, device_id: str) -> Any:  # noqa: ANN401
    """Return the allow list that the device's own traffic would give now; nothing is stored."""
    return plain(device_policy(scope_of(request).store, _one(request, device_id)))


@router.get(
    "/devices/{device_id}/history",
    response=list_of(queries.AuditRow),
    auth=SEE,
    summary="Decisions about a device",
)
def history(request: HttpRequest, device_id: str) -> Any:  # noqa: ANN401
    """Return what was decided about a device and those that became part of it, newest first."""
    found = _one(request, device_id)
    scope = scope_of(request).store
    known_as = [f"device:{each}" for each in queries.ids_over_time(scope, found.id)]
    return plain(queries.history(scope, subjects=known_as, limit=500))
