"""Operations on how long devices live: ends of support, lists of them, what to replace within a budget."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from django.http import Http404, HttpRequest
from ninja import Field, Query, Router, Schema, Status

from medwarden.app.life_cycle import import_document, removed, today, undone
from medwarden.app.replacement import (
    CategoryLife,
    Replacement,
    budget,
    category_lives,
    replacements,
    set_economics,
)
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.model.life_cycle import Ending, EndOfLife
from medwarden.model.role import Permission
from medwarden.risk.lifecycle.budget import BudgetPlan
from medwarden.store import queries
from medwarden.store.life_cycle import ListImport
from medwarden.store.queries.life_cycle import (
    SORTS,
    DeviceEnd,
    SupportFilter,
    SupportListView,
    SupportRowView,
    device_ends,
    ends_of,
    support_lists,
    support_rows,
)
from medwarden.web.api.access import needs
from medwarden.web.api.schemas import Problem, list_of, page_of, page_schema, plain, schema_of
from medwarden.web.decisions import data_folder
from medwarden.web.recent import forget
from medwarden.web.scope import actor_of, scope_of

router = Router(tags=["Life cycle"])
SEE = needs(Permission.SEE_INVENTORY)
EDIT = needs(Permission.EDIT_BOOKS)
SETTINGS = needs(Permission.CHANGE_SETTINGS)
WHEN = ("", "ended", "year", "later")


class SupportQuery(Schema):
    """Which ends of devices, in which order."""

    q: str = Field("", description="Part of a device's name, maker or model")
    when: str = Field("", description="ended, year (within one) or later")
    ending: str = Field("", description="sale, support, security or life")
    sure: bool = Field(False, description="Only devices that are surely meant")
    sort: str = Field("day", description="One of " + ", ".join(SORTS) + "; - for descending")
    page: int = 1
    per: int = 100


@router.get(
    "/support", response=page_schema(DeviceEnd), auth=SEE, url_name="support", summary="Ends of support"
)
def support(request: HttpRequest, asked: Query[SupportQuery]) -> dict[str, Any]:
    """Return what ends of devices, the soonest first: what, when, how sure, who says so."""
    if asked.when not in WHEN or asked.sort.removeprefix("-") not in SORTS:
        raise ConfigurationError("no such time or order: see the description")
    if asked.ending and asked.ending not in set(Ending):
        raise ConfigurationError(f"what ends is one of {', '.join(Ending)}")
    page, per = max(1, asked.page), min(max(1, asked.per), 1000)
    wanted = SupportFilter(asked.when, asked.ending, asked.sure, asked.q)
    found = device_ends(
        scope_of(request).store, wanted, today(), sort=asked.sort, offset=(page - 1) * per, limit=per
    )
    return page_of(found, page, per)


@router.get("/devices/{device_id}/support", response=list_of(EndOfLife), auth=SEE, summary="A device's ends")
def device_support(request: HttpRequest, device_id: str) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return what ends of a device, with the reason and what it rests on."""
    scope = scope_of(request).store
    row = queries.find_device(scope, device_id)
    if row is None:
        raise Http404("There is no such device in what you may see.")
    return plain(list(ends_of(scope, [row.pk]).get(row.pk, ())))


@router.get("/support/lists", response=list_of(SupportListView), auth=SEE, summary="Own lists")
def lists(request: HttpRequest) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return the hospital's lists of ends of support that are in force."""
    return plain(support_lists(scope_of(request).tenant))


@router.get("/support/lists/{name}", response=page_schema(SupportRowView), auth=SEE, summary="Rows of a list")
def list_rows(request: HttpRequest, name: str, q: str = "", page: int = 1, per: int = 100) -> dict[str, Any]:
    """Return the rows of a list in force; an unknown list has none."""
    page, per = max(1, page), min(max(1, per), 1000)
    found = support_rows(scope_of(request).tenant, name, text=q, offset=(page - 1) * per, limit=per)
    return page_of(found, page, per)


class ListIn(Schema):
    """A list as a file: its bytes in base64, its name, corrections of columns."""

    name: str = Field(..., min_length=1, max_length=120)
    file: str = Field("list.csv", max_length=255)
    content: str = Field(..., description="The file in base64", max_length=44_000_000)
    map: list[str] = Field([], description='"Heading=field", one of the fields of a list', max_length=50)


@router.post(
    "/support/lists",
    response={200: schema_of(ListImport), 422: Problem},
    auth=EDIT,
    summary="Import a list",
)
def list_import(request: HttpRequest, given: ListIn) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Put a list in the place of the one of its name, and compare devices with it."""
    try:
        document = base64.b64decode(given.content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConfigurationError("the content is no base64") from error
    try:
        _, done = import_document(
            data_folder(), scope_of(request).tenant, document, given.file,
            actor=actor_of(request), name=given.name, mapping=given.map,
        )  # fmt: skip
    except MalformedInput as error:
        raise ConfigurationError(str(error)) from error
    forget()
    return plain(done)


class WhyIn(Schema):
    """Why something is done."""

    reason: str = Field(..., min_length=1, max_length=500)


@router.post(
    "/support/lists/{name}/undo", response={204: None, 422: Problem}, auth=EDIT, summary="Undo import"
)
def list_undo(request: HttpRequest, name: str, given: WhyIn) -> Any:  # noqa: ANN401
    """Take the latest import of a list back: the one before counts again."""
    undone(data_folder(), scope_of(request).tenant, name, actor=actor_of(request), reason=given.reason)
    forget()
    return Status(204, None)


@router.post(
    "/support/lists/{name}/remove", response={204: None, 422: Problem}, auth=EDIT, summary="Remove list"
)
def list_remove(request: HttpRequest, name: str, given: WhyIn) -> Any:  # noqa: ANN401
    """Remove a list: what it said of devices counts no more."""
    removed(data_folder(), scope_of(request).tenant, name, actor=actor_of(request), reason=given.reason)
    forget()
    return Status(204, None)


@router.get(
    "/replacement", response=list_of(Replacement), auth=SEE, url_name="replacement", summary="To replace"
)
def replacement(request: HttpRequest) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return the devices to plan to replace: why, how soon, what they are worth, what a new one costs."""
    return plain(replacements(data_folder(), scope_of(request).store))


@router.get(
    "/replacement/budget",
    response={200: schema_of(BudgetPlan), 422: Problem},
    auth=SEE,
    url_name="replacement_budget",
    summary="What to replace within a budget",
)
def replacement_budget(
    request: HttpRequest, amount: int, currency: str = "", years: int = 5, carry: bool = False
) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return which devices to replace in which year with ``amount`` a year, for the most risk taken away."""
    scope = scope_of(request).store
    return plain(budget(data_folder(), scope, amount, currency=currency, years=years, carry=carry))


@router.get(
    "/replacement/lives",
    response=list_of(CategoryLife),
    auth=SEE,
    url_name="replacement_lives",
    summary="Useful lives and prices",
)
def lives(request: HttpRequest) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return useful life and price of each category that is here."""
    return plain(category_lives(scope_of(request).store))


class LifeIn(Schema):
    """Useful life and price of a category; 0 takes either back."""

    years: int = Field(0, ge=0, le=50)
    price: int = Field(0, ge=0, le=1_000_000_000)
    reason: str = Field(..., min_length=1, max_length=500)


@router.put(
    "/replacement/lives/{category}",
    response={204: None, 422: Problem},
    auth=SETTINGS,
    summary="Set a useful life",
)
def life_set(request: HttpRequest, category: str, given: LifeIn) -> Any:  # noqa: ANN401
    """Set useful life and price of a category."""
    set_economics(
        scope_of(request).tenant, category, given.years, given.price,
        actor=actor_of(request), reason=given.reason,
    )  # fmt: skip
    return Status(204, None)
