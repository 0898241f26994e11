"""What records outside the network say of a device: books, own attributes, the registry, software bills."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_POST

from medwarden.app.attributes import fill_devices
from medwarden.app.device_records import SUPPORT_ATTRIBUTE
from medwarden.app.disclosures import disclosure_for
from medwarden.app.gudid import Registered, registered
from medwarden.app.life_cycle import stated_by_hand
from medwarden.app.reconcile import compared
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.knowledge.mds2_disclosure import needs_of
from medwarden.model.book import FIELDS
from medwarden.model.device import Device
from medwarden.model.role import Permission, Role
from medwarden.store import queries
from medwarden.store.attributes import clear_value, may_edit, set_value, specs, values_of
from medwarden.store.models import Device as DeviceRow
from medwarden.store.queries import books as of_books
from medwarden.store.queries.mds2 import differences
from medwarden.store.queries.recall_cases import CaseFilter, each_case
from medwarden.store.sbom import bills, components
from medwarden.web.decisions import change_by, data_folder, reason_of
from medwarden.web.guard import requires
from medwarden.web.recent import forget
from medwarden.web.scope import Scope, scope_of, signed_in
from medwarden.web.templatetags.console import page_url
from medwarden.web.views.risk.recalls import VERDICTS

_MOST_COMPONENTS = 100
_MOST_BILLS = 10
_MOST_RECALLS = 50


def records(request: HttpRequest, scope: Scope, found: Device, row: DeviceRow) -> dict[str, object]:
    """Return what the tab shows; names of people only to roles that may see them."""
    user = signed_in(request)
    held = {value.name: value for value in values_of(scope.store, [row.pk]).get(row.pk, [])}
    listed = bills(scope.store, device=row.pk, limit=_MOST_BILLS)
    product = _registered(found)
    return {
        "compared": compared(found),
        "booked": of_books.booked(scope.store, row.pk, staff=user.may(Permission.SEE_STAFF_NAMES)),
        "field_names": FIELDS,
        "attributes": [
            (spec, held.get(spec.name), may_edit(spec, Role(user.role))) for spec in specs(scope.tenant)
        ],
        "registered": product,
        "hit": product.hits[0] if product and product.hits else None,
        "bills": [(bill, components(scope.store, bill.id, limit=_MOST_COMPONENTS)) for bill in listed.items],
        "more_bills": max(0, listed.total - len(listed.items)),
        **_disclosed(scope, found),
        "recalled": each_case(scope.store, CaseFilter(device=found.id), scope.until_ns)[:_MOST_RECALLS],
        "verdict_words": {key: words[0] for key, words in VERDICTS.items()},
    }


def _disclosed(scope: Scope, found: Device) -> dict[str, object]:
    """Return what the maker discloses of a device, and where what was heard differs from it."""
    told = disclosure_for(scope.tenant, found)
    if told is None:
        return {"disclosed": None}
    return {
        "disclosed": told,
        "needs": needs_of(told),
        "disclosed_differences": differences(scope.store, [found.id]),
    }


def _registered(found: Device) -> Registered | None:
    """Return what the registry of products says, None where no registry was imported."""
    try:
        return registered(data_folder(), found)
    except ResourceError:
        return None


@requires(Permission.SEE_INVENTORY)
@require_POST
def attribute_set(request: HttpRequest, device_id: str, name: str) -> HttpResponse:
    """Set an own attribute by hand, or leave it to the rules again, where one's role may edit it."""
    scope, role = scope_of(request), Role(signed_in(request).role)
    row = queries.find_device(scope.store, device_id)
    if row is None:
        raise Http404("There is no such device in what you may see.")
    value = request.POST.get("value", "").strip()[:500]
    try:
        with change_by(request, reason_of(request) or "set by hand", row.site_id) as change:
            if value:
                set_value(change, row.pk, name, value, role=role)
            else:
                clear_value(change, row.pk, name, role=role)
        fill_devices(scope.tenant, row.site_id, [row.pk])
        if name == SUPPORT_ATTRIBUTE:
            stated_by_hand(data_folder(), scope.tenant, row.site_id, row.pk)
        forget()
        messages.success(request, "Kept." if value else "Left to the rules again.")
    except ConfigurationError as error:
        messages.error(request, f"{str(error)[:1].upper()}{str(error)[1:]}.")
    return HttpResponseRedirect(page_url(request, "device", row.pk, tab="records"))
