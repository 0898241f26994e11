"""Which devices: the filter that lists, facets, exports and the API share, and text search."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from functools import reduce
from operator import or_

import msgspec
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL

from medwarden.kernel.clock import to_datetime, wall_clock
from medwarden.store.models import Address, Device, Finding, Interface
from medwarden.store.queries.scope import Scope

UNKNOWN = "unknown"
"""Filter value that stands for an absent fact."""

ANY = "any"
"""Filter value that stands for every level that can be unsure."""

_MAC = re.compile(r"^(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}$|^(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}$|^[0-9a-f]{12}$")
_PART_OF_MAC = re.compile(r"^[0-9a-f]{2}(?:-[0-9a-f]{2})+-?$")
_MOST_TERMS = 8


class DeviceFilter(msgspec.Struct, frozen=True, omit_defaults=True):
    """Conditions that all hold. A tuple matches any of its values; a value that begins with ``!`` is
    excluded instead; ``unknown`` stands for an absent fact. Times are nanoseconds UTC.

    ``text`` finds every word of it in names, addresses, serial numbers, AE titles, vendor and model;
    a whole IP or MAC address is found exactly, a prefix (``10.2.0.0/16``) as a range.
    ``unsure`` is the most general level that is not sure (``any`` for one of them), ``doubt`` a reason for
    that. ``attributes`` are values of the hospital's own attributes by name, with ``>=`` and the like for
    numbers and dates. ``support`` is when support ends: ``ended``, ``year`` (within one) or ``later``.
    ``finding`` is a finding type that is open, ``retired`` shows retired devices instead of the rest.
    """

    text: str = ""
    device_class: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    vendor: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    os: tuple[str, ...] = ()
    level: tuple[str, ...] = ()
    site: tuple[str, ...] = ()
    subnet: tuple[str, ...] = ()
    location: tuple[str, ...] = ()
    managed: tuple[str, ...] = ()
    phi: tuple[str, ...] = ()
    finding: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    doubt: tuple[str, ...] = ()
    support: tuple[str, ...] = ()
    attributes: dict[str, tuple[str, ...]] = {}
    gateway: bool | None = None
    first_seen_since: int | None = None
    last_seen_since: int | None = None
    last_seen_before: int | None = None
    added_since: int | None = None
    risk_from: int | None = None
    likelihood_from: int | None = None
    likelihood_to: int | None = None
    impact_from: int | None = None
    impact_to: int | None = None
    retired: bool = False


_COLUMNS = {
    "device_class": "device_class",
    "category": "category",
    "vendor": "vendor",
    "model": "model",
    "os": "os",
    "level": "risk_level",
    "site": "site_id",
    "subnet": "subnet",
    "location": "location",
}
_BOUNDS = {
    "first_seen_since": "first_seen__gte",
    "last_seen_since": "last_seen__gte",
    "last_seen_before": "last_seen__lt",
    "added_since": "added_ns__gte",
    "risk_from": "risk_score__gte",
    "likelihood_from": "risk_likelihood__gte",
    "likelihood_to": "risk_likelihood__lte",
    "impact_from": "risk_impact__gte",
    "impact_to": "risk_impact__lte",
    "gateway": "gateway",
}
_TRUTH = {"yes": True, "true": True, "no": False, "false": False}


def select(scope: Scope, wanted: DeviceFilter) -> QuerySet[Device]:
    """Return the devices of ``scope`` that ``wanted`` describes, in no particular order."""
    rows = scope.over(Device.objects.all()).filter(retired_at__isnull=not wanted.retired)
    for name, column in _COLUMNS.items():
        rows = _any_of(rows, column, getattr(wanted, name))
    for name, column in _BOUNDS.items():
        bound = getattr(wanted, name)
        if bound is not None:
            rows = rows.filter(**{column: bound})
    for column, values in (("managed", wanted.managed), ("phi", wanted.phi)):
        if values:
            rows = rows.filter(_truth(column, values))
    if wanted.unsure:
        rows = rows.exclude(unsure="") if ANY in wanted.unsure else rows.filter(unsure__in=wanted.unsure)
    if wanted.attributes:
        from medwarden.store.attributes import with_attributes  # which is scoped by this package

        rows = with_attributes(rows, scope.tenant, wanted.attributes)
    if wanted.doubt:
        rows = rows.filter(reduce(or_, (Q(doubts__contains=f" {doubt} ") for doubt in wanted.doubt)))
    if wanted.support:
        rows = rows.filter(_support(wanted.support))
    if wanted.finding:
        open_ones = Finding.objects.filter(device_id=OuterRef("pk"), state="open", type__in=wanted.finding)
        rows = rows.filter(Exists(open_ones))
    for term in wanted.text.split()[:_MOST_TERMS]:
        # SQLite ends a search phrase at a NUL, and nothing that is stored holds control characters.
        printable = "".join(c for c in term if c.isprintable())
        if printable:
            rows = _containing(rows, printable)
    return rows


def _any_of(rows: QuerySet[Device], column: str, values: tuple[str, ...]) -> QuerySet[Device]:
    for negated in (False, True):
        chosen = [v.removeprefix("!") for v in values if v.startswith("!") is negated]
        if not chosen:
            continue
        known = [v for v in chosen if v != UNKNOWN or column == "device_class"]
        condition = Q(**{column: known[0]}) if len(known) == 1 else Q(**{f"{column}__in": known})
        if len(known) < len(chosen):
            condition |= Q(**{f"{column}__isnull": True})
        rows = rows.exclude(condition) if negated else rows.filter(condition)
    return rows


def _truth(column: str, values: tuple[str, ...]) -> Q:
    condition = Q(pk__in=[])
    for value in values:
        truth = _TRUTH.get(value)
        condition |= Q(**{f"{column}__isnull": True}) if truth is None else Q(**{column: truth})
    return condition


def _support(values: tuple[str, ...]) -> Q:
    """Return a condition on the first day on which support ends; a word that is none of ours fits nothing."""
    today = to_datetime(wall_clock()).date()
    now, year = today.isoformat(), (today + timedelta(days=365)).isoformat()
    known = {
        "ended": Q(support_ends__lt=now),
        "year": Q(support_ends__gte=now, support_ends__lte=year),
        "later": Q(support_ends__gt=year),
        UNKNOWN: Q(support_ends__isnull=True),
    }
    return reduce(or_, (known.get(value, Q(pk__in=[])) for value in values))


def _containing(rows: QuerySet[Device], term: str) -> QuerySet[Device]:
    lower = term.lower()
    if _MAC.match(lower):
        digits = re.sub(r"[^0-9a-f]", "", lower)
        mac = ":".join(digits[i : i + 2] for i in range(0, 12, 2))
        return rows.filter(pk__in=Interface.objects.filter(mac=mac).values("device_id"))
    network = _network(term)
    if network is not None:
        low, high = order_of(network.network_address), order_of(network.broadcast_address)
        held = Address.objects.filter(address_order__gte=low, address_order__lte=high)
        return rows.filter(pk__in=held.values("device_id"))
    if _PART_OF_MAC.match(lower):
        lower = lower.replace("-", ":")
    # Parameters are bound, and the row must still pass the scope of the outer query.
    if len(lower) >= 3:
        phrase = '"' + lower.replace('"', '""') + '"'
        found = RawSQL(
            "SELECT t.device_id FROM store_devicesearch s JOIN store_devicetext t ON t.number = s.rowid"
            " WHERE store_devicesearch MATCH %s",
            [phrase],
        )
    else:
        pattern = "%" + re.sub(r"([\\%_])", r"\\\1", lower) + "%"
        found = RawSQL(r"SELECT device_id FROM store_devicetext WHERE text LIKE %s ESCAPE '\'", [pattern])
    return rows.filter(pk__in=found)


def _network(term: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(term, strict=False)
    except ValueError:
        return None


def order_of(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """Return an address as text that sorts as addresses do: version, then hexadecimal digits."""
    return f"{address.version}{int(address):0{8 if address.version == 4 else 32}x}"
