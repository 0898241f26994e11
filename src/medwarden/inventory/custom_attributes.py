"""Rules that fill a hospital's own attributes: read from YAML, checked, applied to devices with reasons."""

from __future__ import annotations

import datetime
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

import msgspec

from medwarden.kernel.errors import ConfigurationError
from medwarden.knowledge.makers import short_name
from medwarden.knowledge.taxonomy import categories
from medwarden.knowledge.written_yaml import read_yaml
from medwarden.model.book import FIELDS
from medwarden.model.custom_attribute import AttributeKind, AttributeRule, AttributeSpec, Conditions, Filled
from medwarden.model.device import Device, DeviceClass
from medwarden.model.role import Role

MOST_RULES = 2000

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TRUE, _FALSE = (
    frozenset({"yes", "true", "1", "y", "ja", "oui"}),
    frozenset({"no", "false", "0", "n", "nein", "non"}),
)


class AttributeFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Attributes and rules as a file has them."""

    attributes: tuple[AttributeSpec, ...] = ()
    rules: tuple[AttributeRule, ...] = ()


def read_attributes(text: str, name: str) -> AttributeFile:
    """Read attributes and rules from the YAML of a file ``name``; raises ConfigurationError for a fault."""
    try:
        file = msgspec.convert(_lists(read_yaml(text, name) or {}), AttributeFile)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{name}: {str(error)[:300]}") from error
    if len(file.rules) > MOST_RULES:
        raise ConfigurationError(f"{name}: more than {MOST_RULES} rules")
    return file


def _lists(told: object) -> object:
    """Let a person write one value where several may stand."""
    if not isinstance(told, dict):
        return told
    rules = told.get("rules")
    if not isinstance(rules, list):
        return told
    return told | {"rules": [_rule_lists(rule) for rule in rules]}


def _rule_lists(rule: object) -> object:
    if not isinstance(rule, dict):
        return rule
    when = rule.get("when")
    if isinstance(rule.get("value"), bool):
        rule = rule | {"value": "yes" if rule["value"] else "no"}
    elif isinstance(rule.get("value"), int | float | datetime.date):
        rule = rule | {"value": str(rule["value"])}
    if not isinstance(when, dict):
        return rule
    return rule | {
        "when": {
            key: {k: _listed(v) for k, v in value.items()} if isinstance(value, dict) else _listed(value)
            for key, value in when.items()
        }
    }


def _listed(value: object) -> object:
    return value if isinstance(value, list) else [str(value)]


def check_spec(spec: AttributeSpec) -> None:
    """Raise ConfigurationError where an attribute cannot be: its name, choices or editors."""
    if not _NAME.fullmatch(spec.name):
        raise ConfigurationError(
            f"{spec.name[:60]!r} cannot name an attribute: use small letters, digits and _, a letter first"
        )
    if (spec.kind is AttributeKind.CHOICE) != bool(spec.choices):
        raise ConfigurationError(f"{spec.name}: choices belong to a choice, and a choice needs them")
    unknown = sorted(set(spec.editors) - {role.value for role in Role})
    if unknown:
        raise ConfigurationError(f"{spec.name}: there is no role {unknown[0][:40]!r}")


def check_rule(rule: AttributeRule, spec: AttributeSpec) -> None:
    """Raise ConfigurationError where a rule cannot be: its value, a category, class, prefix or field."""
    value_of(spec, rule.value)
    when = rule.when
    for category in when.category:
        if category not in categories():
            raise ConfigurationError(f"rule {rule.name}: there is no category {category[:60]!r}")
    for device_class in when.device_class:
        if device_class not in {c.value for c in DeviceClass}:
            raise ConfigurationError(f"rule {rule.name}: there is no class {device_class[:40]!r}")
    for prefix in when.subnet:
        try:
            ipaddress.ip_network(prefix, strict=False)
        except ValueError:
            raise ConfigurationError(
                f"rule {rule.name}: {prefix[:60]!r} is no prefix such as 10.2.0.0/16"
            ) from None
    for field in when.book:
        if field not in FIELDS:
            raise ConfigurationError(f"rule {rule.name}: books have no field {field[:40]!r}")


def value_of(spec: AttributeSpec, text: str) -> str:
    """Return a value in its kind's one form; raises ConfigurationError where it is no value of that kind."""
    plain = " ".join(text.split())[:400]
    if not plain:
        raise ConfigurationError(f"{spec.name}: an empty value; remove it instead")
    if spec.kind is AttributeKind.NUMBER:
        try:
            number = float(plain.replace(",", "."))
        except ValueError:
            raise ConfigurationError(f"{spec.name}: {plain[:40]!r} is no number") from None
        if not abs(number) < 1e15:
            raise ConfigurationError(f"{spec.name}: {plain[:40]!r} is no number to keep")
        return str(int(number)) if number.is_integer() else repr(number)
    if spec.kind is AttributeKind.DATE:
        try:
            return datetime.date.fromisoformat(plain[:10]).isoformat()
        except ValueError:
            raise ConfigurationError(f"{spec.name}: {plain[:40]!r} is no date such as 2026-03-31") from None
    if spec.kind is AttributeKind.YES_NO:
        folded = plain.casefold()
        if folded not in _TRUE | _FALSE:
            raise ConfigurationError(f"{spec.name}: {plain[:40]!r} is neither yes nor no")
        return "yes" if folded in _TRUE else "no"
    if spec.kind is AttributeKind.CHOICE:
        chosen = next((c for c in spec.choices if c.casefold() == plain.casefold()), None)
        if chosen is None:
            raise ConfigurationError(f"{spec.name}: {plain[:40]!r} is none of {', '.join(spec.choices)}")
        return chosen
    return plain


def number_of(spec: AttributeSpec, value: str) -> float | None:
    """Return a number, or a date as days, to sort and compare by; None for other kinds."""
    if spec.kind is AttributeKind.NUMBER:
        return float(value)
    if spec.kind is AttributeKind.DATE:
        return float(datetime.date.fromisoformat(value).toordinal())
    return None


def fill(
    device: Device, said: Sequence[Mapping[str, str]], rules: Sequence[AttributeRule]
) -> dict[str, Filled]:
    """Return what the rules give a device, by attribute: of each attribute the first rule that holds.

    ``said`` is what the rows of books say that are this device.
    """
    found: dict[str, Filled] = {}
    for rule in rules:
        if rule.attribute in found:
            continue
        why = holds(rule.when, device, said)
        if why is not None:
            found[rule.attribute] = Filled(rule.attribute, rule.value, rule.name, "; ".join(why) or "always")
    return found


def holds(when: Conditions, device: Device, said: Sequence[Mapping[str, str]]) -> list[str] | None:
    """Return in words why all conditions hold of a device, or None where one does not."""
    reasons: list[str] = []
    for reason in _asked(when, device, said):
        if reason is None:
            return None
        reasons.append(reason)
    return reasons


def _asked(when: Conditions, device: Device, said: Sequence[Mapping[str, str]]) -> Iterator[str | None]:
    if when.device_class:
        yield _one("class", device.device_class.value, when.device_class)
    if when.category:
        yield _one("category", device.category, when.category)
    if when.vendor:
        yield _one("vendor", device.vendor, [*when.vendor, *map(short_name, when.vendor)])
    if when.model:
        yield _pattern("model", [device.model or ""], when.model)
    if when.subnet:
        yield _within(device, when.subnet)
    if when.place:
        yield _placed(device, when.place)
    if when.name:
        yield _pattern("name", device.names, when.name)
    for field, patterns in when.book.items():
        yield _pattern(f"book {field}", [row.get(field, "") for row in said], patterns)
    for field, patterns in when.evidence.items():
        yield _pattern(field, [entry.value for entry in device.values(field)], patterns)


def _one(what: str, value: str | None, wanted: Iterable[str]) -> str | None:
    if value is not None and value.casefold() in {w.casefold() for w in wanted}:
        return f"{what} is {value}"
    return None


def _pattern(what: str, values: Iterable[str], patterns: Iterable[str]) -> str | None:
    folded = [pattern.casefold() for pattern in patterns]
    for value in values:
        if value and any(fnmatchcase(value.casefold(), pattern) for pattern in folded):
            return f"{what} is {value}"
    return None


def _within(device: Device, prefixes: Iterable[str]) -> str | None:
    networks = [ipaddress.ip_network(prefix, strict=False) for prefix in prefixes]
    for ip in device.ips:
        address = ipaddress.ip_address(ip)
        for network in networks:
            if address.version == network.version and address in network:
                return f"{ip} is in {network}"
    return None


def _placed(device: Device, wanted: Iterable[str]) -> str | None:
    place = device.place
    parts = [device.location or ""]
    if place is not None:
        parts += [
            place.building or "",
            place.floor or "",
            place.room or "",
            place.department or "",
            place.said or "",
        ]
    for part in parts:
        for word in wanted:
            if part and re.search(rf"(?<!\w){re.escape(word.casefold())}(?!\w)", part.casefold()):
                return f"place {part}"
    return None
