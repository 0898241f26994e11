"""A hospital's own attributes: defined, ruled, filled when devices change, set by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medwarden.inventory.custom_attributes import AttributeFile, fill, read_attributes
from medwarden.kernel.errors import ResourceError
from medwarden.store.open import open_store

if TYPE_CHECKING:
    from medwarden.model.device import Device
    from medwarden.store.attributes import ValueView

_AT_ONCE = 200
_RULE_VERSION = "attributes-1"


def load_file(home: Path, path: Path, *, actor: str) -> tuple[AttributeFile, int]:
    """Define the attributes of a YAML file, put its rules in the place of those there are, and fill.

    Returns what was read and how many values changed. Raises ResourceError where it cannot be read and
    ConfigurationError where it does not hold; nothing is changed then.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ResourceError(f"{path}: {getattr(error, 'strerror', None) or 'not UTF-8 text'}") from error
    with open_store(home, writer=True, role="attributes"):
        from medwarden.store.models import DEFAULT_TENANT

        file = read_attributes(text, str(path))
        return file, apply_file(DEFAULT_TENANT, file, actor=actor, reason=f"attributes from {path.name}")


def apply_file(tenant: str, file: AttributeFile, *, actor: str, reason: str) -> int:
    """Do the same with a file that was read, on an open store; return how many values changed."""
    from medwarden.store.attributes import define, replace_rules
    from medwarden.store.changes import Change

    with Change(actor, reason, tenant=tenant) as change:
        for spec in file.attributes:
            define(change, spec)
        replace_rules(change, file.rules)
    return fill_all(tenant)


def fill_all(tenant: str) -> int:
    """Fill the attributes of all devices of a tenant anew, on an open store; return how many changed."""
    from medwarden.store.models import Site

    sites = Site.objects.filter(tenant_id=tenant).order_by("pk").values_list("pk", flat=True)
    return sum(fill_owed(tenant, site) for site in list(sites))


def fill_owed(tenant: str, site: str) -> int:
    """Fill the attributes of all devices of a site, which is owed no more then; return how many changed."""
    from medwarden.store.models import Device
    from medwarden.store.owed import Work, owed

    due = owed(tenant, site).get(Work.ATTRIBUTES)
    rows = Device.objects.filter(site_id=site, retired_at=None).order_by("pk")
    changed = fill_devices(tenant, site, list(rows.values_list("pk", flat=True)))
    if due is not None:
        due.done()
    return changed


def fill_devices(tenant: str, site: str, ids: Sequence[str]) -> int:
    """Fill the attributes of devices that changed; without rules and values by rule nothing is read."""
    from medwarden.store.attributes import record_filled, rules
    from medwarden.store.changes import Change
    from medwarden.store.models import AttributeValue
    from medwarden.store.queries import complete_devices

    wanted = rules(tenant)
    if not wanted and not AttributeValue.objects.filter(site_id=site).exclude(rule="").exists():
        return 0
    changed = 0
    for start in range(0, len(ids), _AT_ONCE):
        devices = complete_devices(ids[start : start + _AT_ONCE])
        said = _said([device.id for device in devices])
        filled = {device.id: fill(device, said.get(device.id, ()), wanted) for device in devices}
        with Change(
            "rule:attributes", "devices or rules changed", _RULE_VERSION, tenant=tenant, site=site
        ) as change:
            changed += record_filled(change, site, filled)
    return changed


def _said(ids: Sequence[str]) -> dict[str, list[dict[str, str]]]:
    """Return what the rows of books say that are these devices."""
    from medwarden.store.models import BookMatch, BookRow
    from medwarden.store.statements import HELD

    held = list(
        BookMatch.objects.filter(device_id__in=ids, state__in=HELD).values_list("device_id", "book_id", "key")
    )
    rows = {
        (book, key): said
        for book, key, said in BookRow.objects.filter(
            book_id__in={book for _, book, _ in held}, key__in={key for _, _, key in held}, until=None
        ).values_list("book_id", "key", "said")
    }
    found: dict[str, list[dict[str, str]]] = {}
    for device, book, key in held:
        if (book, key) in rows:
            found.setdefault(device, []).append(rows[book, key])
    return found


def as_file(home: Path) -> AttributeFile:
    """Return the attributes and rules there are, in the form of a file."""
    with open_store(home, writer=False):
        from medwarden.store.attributes import rules, specs
        from medwarden.store.models import DEFAULT_TENANT

        return AttributeFile(tuple(specs(DEFAULT_TENANT)), tuple(rules(DEFAULT_TENANT)))


def set_by_hand(
    home: Path, device: str, name: str, value: str | None, *, actor: str, reason: str
) -> str | None:
    """Set a value of the device with this id, MAC or IP, or take it away (None); return it in its form."""
    with open_store(home, writer=True, role="attributes"):
        from medwarden.app.inventory import one_device
        from medwarden.store.attributes import clear_value, set_value
        from medwarden.store.changes import Change

        found: Device = one_device(device)
        from medwarden.app.device_records import SUPPORT_ATTRIBUTE
        from medwarden.app.life_cycle import stated_by_hand
        from medwarden.store.models import DEFAULT_TENANT

        kept: str | None = None
        with Change(actor, reason) as change:
            if value is not None:
                kept = set_value(change, found.id, name, value)
            else:
                clear_value(change, found.id, name)
        if value is None:
            fill_devices(DEFAULT_TENANT, found.site, [found.id])
        if name == SUPPORT_ATTRIBUTE:
            stated_by_hand(home, DEFAULT_TENANT, found.site, found.id)
        return kept


def shown(home: Path, device: str) -> list[ValueView]:
    """Return the values of the device with this id, MAC or IP address."""
    with open_store(home, writer=False):
        from medwarden.app.inventory import one_device
        from medwarden.store.attributes import values_of
        from medwarden.store.queries import Scope

        found = one_device(device)
        return values_of(Scope(), [found.id]).get(found.id, [])
