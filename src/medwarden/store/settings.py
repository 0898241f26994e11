"""Settings of a tenant or site, read with a default and changed through the audit chain."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from medwarden.store.changes import Change
from medwarden.store.models import DEFAULT_TENANT, Setting

T = TypeVar("T")


def setting(key: str, default: T, *, tenant: str = DEFAULT_TENANT, site: str | None = None) -> T:
    """Return the setting ``key`` of the site, else of the tenant, else ``default``.

    The value has the type of ``default``; raises msgspec.ValidationError where the stored one has not.
    """
    rows = Setting.objects.filter(tenant_id=tenant, key=key)
    for place in (site, None) if site else (None,):
        row = rows.filter(site_id=place).first()
        if row is not None:
            return msgspec.convert(row.value, type(default))
    return default


def set_setting(change: Change, key: str, value: object, *, secret: bool = False) -> None:
    """Store a setting for the change's tenant, and for its site alone where it names one.

    The value of a ``secret`` is not written to the audit chain, only that it changed.
    """
    row = Setting.objects.filter(tenant_id=change.tenant, site_id=change.site, key=key).first()
    before = None if row is None else row.value
    after = msgspec.to_builtins(value)
    if row is not None and before == after:
        return
    if row is None:
        row = Setting(tenant_id=change.tenant, site_id=change.site, key=key)
    row.value, row.updated_ns = after, change.now_ns
    row.save()
    if secret:
        change.record("setting.changed", f"setting:{key}", None, "(secret)")
    else:
        change.record("setting.changed", f"setting:{key}", before, after)
