"""A hospital's own attributes: definitions, rules, values by rule and by hand, and lists filtered by them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from medwarden.inventory.custom_attributes import check_rule, check_spec, number_of, value_of
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.custom_attribute import AttributeKind, AttributeRule, AttributeSpec, Conditions, Filled
from medwarden.model.role import Permission, Role, may
from medwarden.store.bulk import insert_rows, update_rows
from medwarden.store.changes import Change
from medwarden.store.marking import mark
from medwarden.store.models import AttributeDefinition, AttributeValue, Device, Site
from medwarden.store.models import AttributeRule as RuleRow
from medwarden.store.owed import Work, owe
from medwarden.store.queries.scope import Scope

_AT_ONCE = 400
_COMPARED = re.compile(r"(>=|<=|>|<|!=|!|=)?(.*)", re.DOTALL)
_BOUND = {">=": "gte", "<=": "lte", ">": "gt", "<": "lt"}


class ValueView(msgspec.Struct, frozen=True):
    """A value at a device: ``rule`` is empty where a person set it; ``why`` explains it in words."""

    name: str
    title: str
    kind: AttributeKind
    value: str
    rule: str
    why: str
    actor: str
    at_ns: int


def specs(tenant: str) -> list[AttributeSpec]:
    """Return the attributes of a tenant in their order."""
    rows = AttributeDefinition.objects.filter(tenant_id=tenant).order_by("position", "name")
    return [_spec(row) for row in rows]


def _spec(row: AttributeDefinition) -> AttributeSpec:
    return AttributeSpec(row.name, row.title, AttributeKind(row.kind), tuple(row.choices), tuple(row.editors))


def define(change: Change, spec: AttributeSpec) -> None:
    """Define an attribute, or change it; values and rules that no longer fit are refused.

    Raises ConfigurationError where it cannot be, or a value or rule that there is does not fit its new kind.
    """
    check_spec(spec)
    row = AttributeDefinition.objects.filter(tenant_id=change.tenant, name=spec.name).first()
    if row is None:
        last = AttributeDefinition.objects.filter(tenant_id=change.tenant).count()
        row = AttributeDefinition(
            tenant_id=change.tenant, site_id=None, name=spec.name, position=last, created_ns=change.now_ns
        )
        before = None
    else:
        before = _spec(row)
        if before == spec:
            return
        for value in AttributeValue.objects.filter(attribute=row).values_list("value", flat=True).distinct():
            value_of(spec, value)
        for rule in RuleRow.objects.filter(attribute=row):
            check_rule(_rule(rule, spec.name), spec)
    row.title, row.kind = spec.title[:120] or spec.name, spec.kind.value
    row.choices, row.editors = list(spec.choices), list(spec.editors)
    row.save()
    for stored in AttributeValue.objects.filter(attribute=row):
        stored.number = number_of(spec, stored.value)
        stored.save(update_fields=["number"])
    change.record("attribute.defined", f"attribute:{spec.name}", before, spec)


def undefine(change: Change, name: str) -> None:
    """Remove an attribute with its rules and values. Raises ConfigurationError where there is none."""
    row = _defined(change.tenant, name)
    values = AttributeValue.objects.filter(attribute=row).count()
    change.record("attribute.removed", f"attribute:{name}", {"values": values}, None)
    AttributeValue.objects.filter(attribute=row).delete()
    row.delete()


def _defined(tenant: str, name: str) -> AttributeDefinition:
    row = AttributeDefinition.objects.filter(tenant_id=tenant, name=name).first()
    if row is None:
        known = ", ".join(AttributeDefinition.objects.filter(tenant_id=tenant).values_list("name", flat=True))
        raise ConfigurationError(f"there is no attribute {name[:60]!r}: there are {known or 'none yet'}")
    return row


def rules(tenant: str) -> list[AttributeRule]:
    """Return the rules of a tenant in the order in which they are tried."""
    rows = RuleRow.objects.filter(tenant_id=tenant).order_by("position", "pk").select_related("attribute")
    return [_rule(row, row.attribute.name) for row in rows]


def _rule(row: RuleRow, attribute: str) -> AttributeRule:
    return AttributeRule(row.name, attribute, row.value, msgspec.convert(row.conditions, Conditions))


def replace_rules(change: Change, wanted: Sequence[AttributeRule]) -> None:
    """Put ``wanted`` in the place of all rules; filling by them is owed to every site.

    Raises ConfigurationError for one that cannot be.
    """
    defined = {row.name: row for row in AttributeDefinition.objects.filter(tenant_id=change.tenant)}
    before = len(rules(change.tenant))
    rows, names = [], set()
    for position, rule in enumerate(wanted):
        if rule.attribute not in defined:
            raise ConfigurationError(f"rule {rule.name}: there is no attribute {rule.attribute[:60]!r}")
        if not rule.name or len(rule.name) > 80 or rule.name in names:
            raise ConfigurationError(
                f"rule {rule.name[:60]!r}: every rule has a name of its own, of up to 80 characters"
            )
        names.add(rule.name)
        spec = _spec(defined[rule.attribute])
        check_rule(rule, spec)
        rows.append(
            RuleRow(
                tenant_id=change.tenant,
                site_id=None,
                attribute=defined[rule.attribute],
                name=rule.name,
                position=position,
                value=value_of(spec, rule.value),
                conditions=msgspec.to_builtins(rule.when),
                created_ns=change.now_ns,
            )
        )
    RuleRow.objects.filter(tenant_id=change.tenant).delete()
    insert_rows(rows)
    for site in Site.objects.filter(tenant_id=change.tenant).values_list("pk", flat=True):
        owe(change, Work.ATTRIBUTES, site)
    change.record("attribute.rules", f"tenant:{change.tenant}", {"rules": before}, {"rules": sorted(names)})


def set_value(change: Change, device_id: str, name: str, value: str, *, role: Role | None = None) -> str:
    """Set a value by hand, which outranks every rule; return it in its kind's form.

    The device is judged anew, for what follows from the value.

    ``role`` is that of the person (None: the command line of the machine). Raises ConfigurationError for an
    unknown device or attribute, a value that is none, or a role that may not edit it.
    """
    row, spec = _editable(change.tenant, name, role)
    device = _device(change, device_id)
    plain = value_of(spec, value)
    before = AttributeValue.objects.filter(device=device, attribute=row).first()
    change.record(
        "attribute.set",
        f"device:{device.pk}",
        before and {name: before.value},
        {name: plain},
        site=device.site_id,
    )
    AttributeValue.objects.update_or_create(
        device=device,
        attribute=row,
        defaults={
            "tenant_id": device.tenant_id,
            "site_id": device.site_id,
            "value": plain,
            "number": number_of(spec, plain),
            "rule": "",
            "why": change.reason,
            "actor": change.actor[:150],
            "at_ns": change.now_ns,
        },
    )
    mark([device.pk], retired=False)
    return plain


def clear_value(change: Change, device_id: str, name: str, *, role: Role | None = None) -> None:
    """Take a value away that was set by hand; rules fill it when the device is judged anew.

    Raises ConfigurationError for none.
    """
    row, _ = _editable(change.tenant, name, role)
    device = _device(change, device_id)
    stored = AttributeValue.objects.filter(device=device, attribute=row, rule="").first()
    if stored is None:
        raise ConfigurationError(f"nobody set {name} of this device by hand")
    change.record("attribute.cleared", f"device:{device.pk}", {name: stored.value}, None, site=device.site_id)
    stored.delete()
    mark([device.pk], retired=False)


def _editable(tenant: str, name: str, role: Role | None) -> tuple[AttributeDefinition, AttributeSpec]:
    row = _defined(tenant, name)
    if role is not None and not may_edit(_spec(row), role):
        raise ConfigurationError(f"your role may not edit {name}")
    return row, _spec(row)


def may_edit(spec: AttributeSpec, role: Role) -> bool:
    """Tell whether a role may set values of an attribute by hand."""
    if spec.editors:
        return role.value in spec.editors or role is Role.ADMINISTRATOR
    return may(role, Permission.CORRECT_IDENTITY)


def _device(change: Change, device_id: str) -> Device:
    device = Device.objects.filter(tenant_id=change.tenant, pk=device_id).first()
    if device is None:
        raise ConfigurationError(f"there is no device {device_id[:40]!r}")
    return device


def record_filled(change: Change, site: str, filled: Mapping[str, Mapping[str, Filled]]) -> int:
    """Bring values in line with what rules give now; those set by hand stay. Return how many changed."""
    defined = {row.name: row for row in AttributeDefinition.objects.filter(tenant_id=change.tenant)}
    by_key = {row.pk: (row, _spec(row)) for row in defined.values()}
    changes = 0
    ids = sorted(filled)
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        stored = {(v.device_id, v.attribute_id): v for v in AttributeValue.objects.filter(device_id__in=part)}
        new: list[AttributeValue] = []
        changed: list[AttributeValue] = []
        gone: list[AttributeValue] = []
        for device in part:
            wanted = {defined[name].pk: one for name, one in filled[device].items() if name in defined}
            for key, one in wanted.items():
                value = stored.get((device, key))
                if value is not None and (not value.rule or _same(value, one)):
                    continue
                (new if value is None else changed).append(
                    _filled(change, site, device, by_key[key], one, value)
                )
            gone += [v for (d, k), v in stored.items() if d == device and v.rule and k not in wanted]
        insert_rows(new)
        update_rows(changed, ["value", "number", "rule", "why", "actor", "at_ns"])
        AttributeValue.objects.filter(pk__in=[v.pk for v in gone]).delete()
        changes += len(new) + len(changed) + len(gone)
    if changes:
        change.record("attribute.filled", f"site:{site}", None, {"values": changes}, site=site)
    return changes


def _same(value: AttributeValue, one: Filled) -> bool:
    return (value.value, value.rule, value.why) == (one.value, one.rule, one.why)


def _filled(
    change: Change,
    site: str,
    device: str,
    attribute: tuple[AttributeDefinition, AttributeSpec],
    one: Filled,
    value: AttributeValue | None,
) -> AttributeValue:
    if value is None:
        value = AttributeValue(
            tenant_id=change.tenant, site_id=site, device_id=device, attribute=attribute[0]
        )
    value.value, value.number = one.value, number_of(attribute[1], one.value)
    value.rule, value.why = one.rule, one.why
    value.actor, value.at_ns = change.actor[:150], change.now_ns
    return value


def values_of(scope: Scope, ids: Sequence[str]) -> dict[str, list[ValueView]]:
    """Return the values of devices, in the order of the attributes; devices without any have no entry."""
    found: dict[str, list[ValueView]] = {}
    rows = scope.over(AttributeValue.objects.filter(device_id__in=ids)).select_related("attribute")
    for row in rows.order_by("attribute__position", "attribute__name"):
        found.setdefault(row.device_id, []).append(
            ValueView(
                row.attribute.name,
                row.attribute.title,
                AttributeKind(row.attribute.kind),
                row.value,
                row.rule,
                row.why,
                row.actor,
                row.at_ns,
            )
        )
    return found


def with_attributes(
    rows: QuerySet[Device], tenant: str, asked: Mapping[str, Iterable[str]]
) -> QuerySet[Device]:
    """Narrow devices to those with attribute values as asked: for each name any of the given conditions.

    A condition is a value, ``!value`` (not that, also none at all), ``unknown`` (none at all), or for numbers
    and dates ``>=``, ``<=``, ``>`` or ``<`` and a value. Raises ConfigurationError for an unknown attribute
    or a value that is none of its kind.
    """
    for name, conditions in asked.items():
        row = _defined(tenant, name)
        spec = _spec(row)
        held = AttributeValue.objects.filter(device_id=OuterRef("pk"), attribute=row)
        either, excluded = Q(pk__in=[]), []
        some = False
        for condition in conditions:
            operator, text = _split(condition)
            if operator in ("!", "!="):
                excluded.append(value_of(spec, text))
                continue
            some = True
            if text == "unknown" and not operator:
                either |= Q(~Exists(held))
            elif operator in _BOUND:
                number = number_of(spec, value_of(spec, text))
                if number is None:
                    raise ConfigurationError(f"{name}: only numbers and dates are compared with {operator}")
                either |= Q(Exists(held.filter(**{f"number__{_BOUND[operator]}": number})))
            else:
                either |= Q(Exists(held.filter(value=value_of(spec, text))))
        if some:
            rows = rows.filter(either)
        if excluded:
            rows = rows.filter(~Exists(held.filter(value__in=excluded)))
    return rows


def _split(condition: str) -> tuple[str, str]:
    found = _COMPARED.fullmatch(condition)
    assert found is not None  # every text fits
    return found[1] or "", found[2].strip()


def value_counts(scope: Scope, name: str) -> dict[str, int]:
    """Return how many devices have which value of an attribute, in falling order."""
    row = _defined(scope.tenant, name)
    counted = scope.over(AttributeValue.objects.filter(attribute=row, device__retired_at=None)).values_list(
        "value"
    )
    return dict(counted.annotate(n=Count("pk")).order_by("-n", "value"))
