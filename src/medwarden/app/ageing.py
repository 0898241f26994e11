"""Devices that fell silent: proposed for retirement, or retired by the rule of their site."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medwarden.kernel.errors import ConfigurationError
from medwarden.store.open import open_store

if TYPE_CHECKING:
    from medwarden.store.queries.ageing import Retirement, Silent


def silent_rows(home: Path) -> list[Silent]:
    """Return devices that are proposed for retirement, the longest silent first."""
    with open_store(home, writer=False):
        from medwarden.store.queries import Scope
        from medwarden.store.queries.ageing import silent_devices

        return silent_devices(Scope())


def set_retirement(
    home: Path,
    *,
    days: int,
    randomised_days: int,
    automatic: bool,
    actor: str,
    reason: str,
    site: str | None = None,
) -> Retirement:
    """Set after how many days of silence devices of a site (of all, where none is named) are retired.

    Raises ConfigurationError for fewer than one day.
    """
    with open_store(home, writer=True, role="identity"):
        from medwarden.store.changes import Change
        from medwarden.store.queries.ageing import KEY, Retirement
        from medwarden.store.settings import set_setting

        if min(days, randomised_days) < 1:
            raise ConfigurationError("a device is silent for a day at least before it can be retired")
        wanted = Retirement(days, randomised_days, automatic)
        with Change(actor, reason, site=site) as change:
            set_setting(change, KEY, wanted)
        return wanted


def retire_silent(tenant: str, site: str) -> int:
    """Retire the silent devices of a site whose rule says so; return how many.

    One that is heard again comes back by itself with its whole history; who was heard, merged or retired by
    a person since the list was made is left alone.
    """
    from medwarden.store.changes import Change
    from medwarden.store.identities import retire
    from medwarden.store.queries import Scope
    from medwarden.store.queries.ageing import retirement_of, silent_devices, still_silent

    if not retirement_of(tenant, site).automatic:
        return 0
    retired = 0
    for device in silent_devices(Scope(tenant, (site,))):
        reason = f"not heard for {device.days} days"
        with Change("rule:retirement", reason, tenant=tenant, site=site) as change:
            if still_silent(device):
                retire(change, device.id)
                retired += 1
    return retired
