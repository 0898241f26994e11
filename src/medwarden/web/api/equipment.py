"""Operations on a hospital's own attributes, software components and registered products."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest
from ninja import Router, Schema, Status

from medwarden.app.attributes import apply_file, fill_devices
from medwarden.app.gudid import Registered, registered
from medwarden.inventory.custom_attributes import read_attributes
from medwarden.knowledge.sbom import Component
from medwarden.model.custom_attribute import AttributeRule, AttributeSpec
from medwarden.model.device import Device
from medwarden.model.role import Permission, Role
from medwarden.store import attributes as of_attributes
from medwarden.store import queries
from medwarden.store.chain import folder_of_database
from medwarden.store.changes import Change
from medwarden.store.sbom import BillView, bills, components
from medwarden.web.api.access import needs
from medwarden.web.api.schemas import Problem, list_of, page_of, page_schema, plain, schema_of
from medwarden.web.recent import forget
from medwarden.web.scope import scope_of, signed_in

router = Router(tags=["Equipment"])
SEE = needs(Permission.SEE_INVENTORY)


def _one(request: HttpRequest, device_id: str) -> Device:
    found = queries.device(scope_of(request).store, device_id)
    if found is None:
        raise Http404("There is no such device in what you may see.")
    return found


@router.get(
    "/attributes", response=list_of(AttributeSpec), auth=SEE, url_name="attributes", summary="Own attributes"
)
def attributes(request: HttpRequest) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return the attributes that the hospital defined."""
    return plain(of_attributes.specs(scope_of(request).tenant))


@router.get("/attributes/rules", response=list_of(AttributeRule), auth=SEE, summary="Rules of own attributes")
def attribute_rules(request: HttpRequest) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return the rules that fill attributes, in the order in which they are tried."""
    return plain(of_attributes.rules(scope_of(request).tenant))


class AttributesIn(Schema):
    """Attributes and rules as YAML; the rules replace those there are."""

    text: str


class Changed(Schema):
    """How many values changed."""

    values: int


@router.put(
    "/attributes",
    response={200: Changed, 422: Problem},
    auth=needs(Permission.CHANGE_SETTINGS),
    summary="Define own attributes and rules",
)
def put_attributes(request: HttpRequest, body: AttributesIn) -> dict[str, int]:
    """Define attributes, put the rules in the place of those there are, and fill every device anew."""
    file = read_attributes(body.text, "text")
    actor = f"user:{signed_in(request).username}"
    changed = apply_file(scope_of(request).tenant, file, actor=actor, reason="defined in the API")
    forget()
    return {"values": changed}


@router.get(
    "/devices/{device_id}/attributes",
    response=list_of(of_attributes.ValueView),
    auth=SEE,
    summary="Own attributes of a device",
)
def device_attributes(request: HttpRequest, device_id: str) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return the values of a device with the rule or person they come from, and why."""
    found = _one(request, device_id)
    return plain(of_attributes.values_of(scope_of(request).store, [found.id]).get(found.id, []))


class ValueIn(Schema):
    """A value set by hand, empty to take it away, and why."""

    value: str
    reason: str = ""


@router.put(
    "/devices/{device_id}/attributes/{name}",
    response={204: None, 404: Problem, 422: Problem},
    auth=SEE,
    summary="Set an own attribute by hand",
)
def put_value(request: HttpRequest, device_id: str, name: str, body: ValueIn) -> Any:  # noqa: ANN401 (an empty answer)
    """Set a value by hand, which outranks rules, where the caller's role may edit the attribute."""
    found, user = _one(request, device_id), signed_in(request)
    tenant = scope_of(request).tenant
    with Change(
        f"user:{user.username}", body.reason or "set by hand", tenant=tenant, site=found.site
    ) as change:
        if body.value.strip():
            of_attributes.set_value(change, found.id, name, body.value, role=Role(user.role))
        else:
            of_attributes.clear_value(change, found.id, name, role=Role(user.role))
    fill_devices(tenant, found.site, [found.id])
    forget()
    return Status(204, None)


@router.get(
    "/devices/{device_id}/bills",
    response=page_schema(BillView),
    auth=SEE,
    summary="Bills of materials of a device",
)
def device_bills(request: HttpRequest, device_id: str, page: int = 1, per: int = 100) -> dict[str, Any]:
    """Return the software bills of materials of a device and of its model and firmware."""
    page, per = max(1, page), min(max(1, per), 1000)
    found = _one(request, device_id)
    listed = bills(scope_of(request).store, device=found.id, offset=(page - 1) * per, limit=per)
    return page_of(listed, page, per)


@router.get(
    "/bills", response=page_schema(BillView), auth=SEE, url_name="bills", summary="Bills of materials"
)
def all_bills(request: HttpRequest, q: str = "", page: int = 1, per: int = 100) -> dict[str, Any]:
    """Return the software bills of materials whose name, maker or model contains ``q``."""
    page, per = max(1, page), min(max(1, per), 1000)
    return page_of(bills(scope_of(request).store, text=q, offset=(page - 1) * per, limit=per), page, per)


@router.get(
    "/bills/{bill_id}/components", response=page_schema(Component), auth=SEE, summary="Components of a bill"
)
def bill_components(
    request: HttpRequest, bill_id: str, q: str = "", page: int = 1, per: int = 100
) -> dict[str, Any]:
    """Return the components of a bill whose name, version or purl contains ``q``."""
    page, per = max(1, page), min(max(1, per), 1000)
    found = components(scope_of(request).store, bill_id, text=q, offset=(page - 1) * per, limit=per)
    return page_of(found, page, per)


@router.get(
    "/devices/{device_id}/registered",
    response={200: schema_of(Registered), 404: Problem, 503: Problem},
    auth=SEE,
    summary="What the product registry says of a device",
)
def device_registered(request: HttpRequest, device_id: str) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return the registered products that the device may be, with reasons; 503 without an index."""
    folder = folder_of_database()
    found = _one(request, device_id)
    if folder is None:
        raise Http404("There is no data folder.")
    return plain(registered(folder, found))
