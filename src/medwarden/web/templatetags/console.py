"""Tags and filters of every page: assets, icons, times with age, numbers, links that keep state."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Protocol
from urllib.parse import urlencode

from django import template
from django.http import HttpRequest
from django.template.context import RequestContext
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from medwarden.inventory.linking import Compared, ground_of
from medwarden.kernel.clock import NANOSECONDS, to_datetime, wall_clock
from medwarden.knowledge import taxonomy
from medwarden.model.book import FIELDS
from medwarden.model.risk import RiskLevel
from medwarden.risk.matching.findings import TYPE as VULNERABILITY
from medwarden.risk.registry import all_factors
from medwarden.store.queries import AuditRow, DeviceRow, SensorRow
from medwarden.web import icons, static_files

register = template.Library()
KEPT = ("site", "range")
_NANOSECONDS_FROM = 10**17  # 1973: no count in an audit entry comes near
_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
_SHORT_FORMS = {
    "ap": "Access point", "ip": "IP", "mac": "MAC", "vlan": "VLAN",
    "os": "Operating system", "os_version": "OS version", "phi": "Patient data",
}  # fmt: skip
_FACTOR_ID = re.compile(r"\b[a-z0-9]+(?:_[a-z0-9]+)+\b")
_PREFIXES = ("B", "kB", "MB", "GB", "TB", "PB")


@register.simple_tag
def asset(name: str) -> str:
    """Return the URL of an asset, versioned by its content."""
    return static_files.url_of(name)


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """Draw a symbol of the sprite; it is decoration, the words stand beside it."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        css,
        static_files.url_of("icons/sprite.svg"),
        name,
    )


@register.simple_tag
def category_icon(category: str | None, device_class: str | None = None, css: str = "") -> SafeString:
    """Draw the symbol of a category, or of its class."""
    return icon(icons.category_icon(category, device_class), css)


@register.filter
def category_name(category: str | None) -> str:
    """Return how a person calls a category; the unknown says so."""
    known = taxonomy.categories().get(category or "")
    if known is not None and category != taxonomy.UNKNOWN:
        return known.name
    return category.replace("_", " ") if category and category != taxonomy.UNKNOWN else "Not identified"


def age(seconds: float) -> str:
    """Return a span in its largest whole unit: ``5 min``, ``3 d``."""
    for unit, length in _UNITS:
        if seconds >= length:
            return f"{int(seconds // length):,} {unit}"
    return "0 s"


def ago(moment_ns: int, now_ns: int) -> str:
    """Return how long ago a moment was, or how far ahead it lies."""
    seconds = (now_ns - moment_ns) / NANOSECONDS
    return f"{age(seconds)} ago" if seconds >= 0 else f"in {age(-seconds)}"


@register.filter
def when(moment_ns: int | None) -> SafeString | str:
    """Show a time with its zone and age."""
    if not moment_ns:
        return "never"
    moment = to_datetime(moment_ns)
    return format_html(
        '<time datetime="{}" class="nowrap">{} UTC</time> <span class="faint nowrap">({})</span>',
        moment.isoformat(timespec="seconds"),
        moment.strftime("%Y-%m-%d %H:%M:%S"),
        ago(moment_ns, wall_clock()),
    )


@register.filter
def when_cell(moment_ns: int | None) -> SafeString | str:
    """Show a time in a table cell: age first, the moment with its zone beneath."""
    if not moment_ns:
        return "never"
    moment = to_datetime(moment_ns)
    return format_html(
        '<time datetime="{}" class="nowrap">{}</time><span class="sub nowrap">{} UTC</span>',
        moment.isoformat(timespec="seconds"),
        ago(moment_ns, wall_clock()),
        moment.strftime("%Y-%m-%d %H:%M"),
    )


@register.filter
def is_past(moment_ns: int) -> bool:
    """Tell whether a time has come already."""
    return moment_ns <= wall_clock()


@register.filter
def number(value: int | float | None) -> str:
    """Write a number with thousands separated; nothing known is a dash."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


@register.filter
def roles_in_words(roles: Sequence[str]) -> str:
    """Say which services of DICOM a name asks for (as SCU) and which it offers (as SCP; PS3.7)."""
    asked = [role.removesuffix("_scu").replace("_", " ") for role in roles if role.endswith("_scu")]
    offered = [role.removesuffix("_scp").replace("_", " ") for role in roles if role.endswith("_scp")]
    other = [words(role) for role in roles if not role.endswith(("_scu", "_scp"))]
    parts = ((asked, "asks for "), (offered, "offers "), (other, ""))
    return "; ".join(f"{lead}{', '.join(found)}" for found, lead in parts if found)


@register.filter
def one_of(unit: str) -> str:
    """Return the singular of what a pager counts: ``devices``, ``batteries``."""
    return f"{unit[:-3]}y" if unit.endswith("ies") else unit.removesuffix("s")


@register.filter
def get(table: dict[str, str], key: str) -> str:
    """Return a word of a table, the key itself where it has none."""
    return table.get(key, key)


@register.filter
def signed(value: int) -> str:
    """Write a number with its sign, minus as minus."""
    return f"+{value:,}" if value > 0 else f"−{-value:,}" if value < 0 else "0"


@register.filter
def size(value: int | None) -> str:
    """Write a number of bytes with three figures and a decimal prefix."""
    if value is None:
        return "–"
    amount = float(value)
    for prefix in _PREFIXES:
        if amount < 1000 or prefix == _PREFIXES[-1]:
            break
        amount /= 1000
    return (
        f"{value} B"
        if prefix == "B"
        else f"{amount:.3g} {prefix}"
        if amount < 1000
        else f"{amount:,.0f} {prefix}"
    )


@register.filter
def percent(value: float | None) -> str:
    """Write a share between 0 and 1 as whole per cent, never rounding up to certainty."""
    if value is None:
        return "–"
    return f"{int(value * 100 + 1e-9) if value < 1 else 100} %"


@register.filter
def words(value: str | None) -> str:
    """Turn an identifier into words in sentence case; short forms stay what they are."""
    return _SHORT_FORMS.get(value or "") or (value or "").replace("_", " ").capitalize()


@cache
def _factor_titles() -> dict[str, str]:
    return {factor.id: factor.title for factor in all_factors()}


@register.filter
def type_words(value: str) -> str:
    """Return how a person calls a type of finding, which most often is a factor of risk."""
    return "Known vulnerability" if value == VULNERABILITY else _factor_titles().get(value) or words(value)


@register.filter
def factors_in_words(text: str) -> str:
    """Name the factors in a sentence by their titles instead of their ids."""
    titles = _factor_titles()
    return _FACTOR_ID.sub(lambda found: titles.get(found[0], found[0]), text)


@register.filter
def book_key(key: str) -> str:
    """Return what a row of a book is recognised by as people say it: ``Asset tag 7`` for ``asset_tag:7``."""
    field, found, value = key.partition(":")
    return f"{FIELDS[field]} {value}" if found and field in FIELDS else key


class OfService(Protocol):
    """Traffic to a port."""

    transport: str
    port: int


@register.filter
def service_name(traffic: OfService) -> str:
    """Return a service as evidence names it: ``tcp/104``."""
    return f"{traffic.transport}/{traffic.port}"


@register.filter
def ground_of_sentence(sentence: str) -> Compared | None:
    """Return the evidence that a sentence on two devices names, None where it names none."""
    return ground_of(sentence)


@register.inclusion_tag("web/part/meter.html")
def confidence(value: float | None, name: str = "Confidence") -> dict[str, object]:
    """Draw a confidence bar with its figure."""
    share = value or 0.0
    return {"share": round(share * 100), "text": percent(share), "weak": share < 0.5, "name": name}


@register.filter
def risk_level(score: int) -> str:
    """Return the level of a risk score, for :func:`level`."""
    return RiskLevel.of(score).value


@register.inclusion_tag("web/part/level.html")
def level(value: str, score: int | None = None) -> dict[str, object]:
    """Draw a badge of a risk level or severity: shape, word, colour."""
    return {"level": value, "shape": f"state-{value}", "word": words(value), "score": score}


STATE_LOOKS = {
    "open": ("is-accent", "state-info"),
    "acknowledged": ("is-info", "state-none"),
    "accepted": ("is-medium", "check"),
    "false_positive": ("is-info", "close"),
    "resolved": ("is-ok", "check"),
}


@register.inclusion_tag("web/part/badge.html")
def finding_state(value: str) -> dict[str, object]:
    """Draw a badge of a finding's state."""
    look, shape = STATE_LOOKS.get(value, ("is-info", "state-info"))
    line = shape in ("check", "close")
    return {"css": look, "shape": shape, "word": words(value), "line": line}


def _request(context: RequestContext) -> HttpRequest:
    request = context["request"]
    if not isinstance(request, HttpRequest):
        raise TypeError("these tags need the request in the context")
    return request


@register.simple_tag(takes_context=True)
def go(context: RequestContext, name: str, *args: object, **query: object) -> str:
    """Return the URL of a page with this page's site and time range kept."""
    return page_url(_request(context), name, *args, **query)


def page_url(request: HttpRequest, name: str, *args: object, **query: object) -> str:
    """Return the URL of a page with the request's site and time range, and ``query`` beside them."""
    kept = {k: request.GET[k] for k in KEPT if request.GET.get(k)}
    wanted = {**kept, **{k: str(v) for k, v in query.items() if v not in (None, "")}}
    text = urlencode(wanted)
    return reverse(name, args=args) + (f"?{text}" if text else "")


@register.simple_tag(takes_context=True)
def here(context: RequestContext, **changes: object) -> str:
    """Return this page's URL with some parameters changed (None takes one away); paging starts anew."""
    query = _request(context).GET.copy()
    if "page" not in changes:
        query.pop("page", None)
    for key, value in changes.items():
        if value in (None, ""):
            query.pop(key, None)
        elif isinstance(value, list | tuple):
            query.setlist(key, [str(v) for v in value])
        else:
            query[key] = str(value)
    return f"?{query.urlencode()}" if query else "?"


@register.simple_tag(takes_context=True)
def kept_fields(context: RequestContext, *skip: str) -> SafeString:
    """Carry this page's parameters through a GET form as hidden fields, except those in ``skip``."""
    fields = [
        format_html('<input type="hidden" name="{}" value="{}">', key, value)
        for key, values in _request(context).GET.lists()
        for value in values
        if key not in skip and key != "page"
    ]
    return mark_safe("".join(fields))  # noqa: S308 (each part went through format_html)


@register.simple_tag
def year() -> int:
    """Return the present year in UTC."""
    return datetime.now(UTC).year


@register.simple_tag(takes_context=True)
def sort_heading(
    context: RequestContext, title: str, key: str, current: str, numeric: bool = False
) -> SafeString:
    """Draw a column heading that sorts by ``key``; a second activation turns the order round."""
    css = "num" if numeric else ""
    if not key:
        return format_html('<th scope="col" class="{}">{}</th>', css, title)
    active = current.removeprefix("-") == key
    falling = current.startswith("-")
    if active:
        target = key if falling else f"-{key}"
    else:
        target = f"-{key}" if numeric else key
    order = format_html(' aria-sort="{}"', "descending" if falling else "ascending") if active else ""
    mark = icon("down" if falling else "up") if active else ""
    return format_html(
        '<th scope="col" class="{}"{}><a href="{}">{}{}</a></th>',
        css,
        order,
        here(context, sort=target),
        title,
        mark,
    )


@register.filter
def audit_words(action: str) -> str:
    """Turn an audited action (``device.identified``) into words."""
    return action.replace(".", " ").replace("_", " ").capitalize()


@register.inclusion_tag("web/part/audit_change.html")
def audit_change(entry: AuditRow) -> dict[str, object]:
    """Show what an audit entry changed, field by field."""
    before = json.loads(entry.before) if entry.before else None
    after = json.loads(entry.after) if entry.after else None
    if not isinstance(before, dict) and not isinstance(after, dict):
        one = [("value", before, after)] if (before, after) != (None, None) else []
        return {"changes": [(n, _plain(b), _plain(a)) for n, b, a in one]}
    old = before if isinstance(before, dict) else {}
    new = after if isinstance(after, dict) else {}
    names = list(dict.fromkeys([*old, *new]))
    return {
        "changes": [
            (words(n), _said(n, old.get(n)), _said(n, new.get(n))) for n in names if old.get(n) != new.get(n)
        ]
    }


def _said(name: str, value: object) -> str | None:
    plain = _plain(value)
    if plain and name == "category":
        return category_name(plain)
    return factors_in_words(plain) if plain and name == "factors" else plain


def _plain(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and value > _NANOSECONDS_FROM:
        return f"{to_datetime(value):%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, list):
        return ", ".join(str(v) for v in value)
    return str(value)


@register.inclusion_tag("web/part/badge.html")
def sensor_health(sensor: SensorRow) -> dict[str, object]:
    """Draw a badge of a sensor's health: balanced and reporting, silent, or losing packets."""
    balanced = sensor.packets.balanced() and sensor.records.balanced()
    if not balanced:
        return {"css": "is-critical", "shape": "state-critical", "word": "Does not add up"}
    if sensor.packets.dropped:
        share = sensor.packets.dropped / max(1, sensor.packets.read)
        return {"css": "is-high", "shape": "state-high", "word": f"Loses {share:.2%}"}
    if sensor.kind == "live" and wall_clock() - sensor.heartbeat_ns > 120 * NANOSECONDS:
        return {"css": "is-medium", "shape": "state-medium", "word": "Silent"}
    return {"css": "is-ok", "shape": "check", "word": "All accounted", "line": True}


class Span(Protocol):
    """Something that was seen from a first to a last moment."""

    first_seen: int
    last_seen: int


@register.simple_tag
def seen(span: Span) -> SafeString:
    """Show when something was last seen and, beneath, since when; the tooltip has both to the second."""
    first, last = to_datetime(span.first_seen), to_datetime(span.last_seen)
    return format_html(
        '<time datetime="{}" class="nowrap" title="{} UTC to {} UTC">{}</time>'
        '<span class="sub nowrap">since {} UTC</span>',
        last.isoformat(timespec="seconds"),
        first.strftime("%Y-%m-%d %H:%M:%S"),
        last.strftime("%Y-%m-%d %H:%M:%S"),
        ago(span.last_seen, wall_clock()),
        first.strftime("%Y-%m-%d %H:%M"),
    )


@register.filter
def device_label(row: DeviceRow) -> str:
    """Return how a person calls a device: name, else an address, else its id."""
    return row.name or (row.ips or row.macs or [row.id])[0]
