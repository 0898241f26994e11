"""Sites as commands show and change them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medwarden.app.segments import SETTING, claim
from medwarden.kernel.errors import ConfigurationError
from medwarden.store.open import open_store

if TYPE_CHECKING:
    from medwarden.store.queries.scope import Scope


def scope_of_site(site: str | None) -> Scope:
    """Return what a command about one site, or about all (None), may see; on an open store.

    Raises ConfigurationError where there is no such site.
    """
    from medwarden.store.models import DEFAULT_TENANT, Site
    from medwarden.store.queries import Scope

    if site is not None and not Site.objects.filter(tenant_id=DEFAULT_TENANT, pk=site).exists():
        raise ConfigurationError(f"there is no site {site[:60]!r}")
    return Scope(DEFAULT_TENANT, None if site is None else (site,))


def site_rows(home: Path) -> list[dict[str, object]]:
    """Return the sites with the VLANs they claim and how many devices they have."""
    with open_store(home, writer=False):
        from medwarden.store.models import DEFAULT_TENANT, Device, Site
        from medwarden.store.settings import setting

        return [
            {
                "id": site.pk,
                "name": site.name,
                "vlans": setting(SETTING, "", tenant=DEFAULT_TENANT, site=site.pk),
                "devices": Device.objects.filter(site=site, retired_at=None).count(),
            }
            for site in Site.objects.filter(tenant_id=DEFAULT_TENANT).order_by("pk")
        ]


def claim_vlans(home: Path, site: str, ranges: str, *, actor: str, reason: str) -> str:
    """Let a site claim VLANs and return them as text. Raises ConfigurationError for a dispute."""
    with open_store(home, writer=True, role="sites"):
        from medwarden.store.open import ensure_site

        tenant, place = ensure_site(None, site)
        return claim(tenant, place, ranges, actor=actor, reason=reason).text
