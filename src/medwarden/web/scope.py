"""What a request looks at: tenant, site and time range, the latter two read from the URL.

Every page and every API operation asks here, so that nobody sees a site he may not see: a site
in the URL that is not one of the person's own is answered as if it did not exist.
"""

from __future__ import annotations

from typing import NamedTuple

from django.http import Http404, HttpRequest

from medwarden.kernel.clock import NANOSECONDS, wall_clock
from medwarden.store import queries
from medwarden.store.models import Site, User

HOUR = 3600 * NANOSECONDS
RANGES: dict[str, tuple[str, int | None]] = {
    "1h": ("Last hour", HOUR),
    "24h": ("Last 24 hours", 24 * HOUR),
    "7d": ("Last 7 days", 7 * 24 * HOUR),
    "30d": ("Last 30 days", 30 * 24 * HOUR),
    "90d": ("Last 90 days", 90 * 24 * HOUR),
    "all": ("All time", None),
}
DEFAULT_RANGE = "all"


class SiteChoice(NamedTuple):
    """One site as the top bar lists it."""

    id: str
    name: str


class Scope(NamedTuple):
    """Tenant, site and time range of one request.

    ``site`` is None for all sites the person may see, which ``sites`` lists. ``since_ns`` is None for
    all time; ``until_ns`` is the moment of the request.
    """

    tenant: str
    site: str | None
    sites: tuple[SiteChoice, ...]
    every_site: bool
    range: str
    since_ns: int | None
    until_ns: int

    @property
    def store(self) -> queries.Scope:
        """Return what queries may read for this request."""
        if self.site is not None:
            return queries.Scope(self.tenant, (self.site,))
        return queries.Scope(self.tenant, None if self.every_site else tuple(s.id for s in self.sites))

    @property
    def one_site(self) -> str | None:
        """Return the site that is chosen, or the only one there is; None for several."""
        return self.site or (self.sites[0].id if len(self.sites) == 1 else None)

    @property
    def site_name(self) -> str:
        """Return how the top bar names the choice."""
        return next((s.name for s in self.sites if s.id == self.site), "All sites")

    @property
    def range_name(self) -> str:
        """Return the time range in words."""
        return RANGES[self.range][0]


def signed_in(request: HttpRequest) -> User:
    """Return the person behind a guarded request."""
    user = request.user
    if not isinstance(user, User):
        raise Http404
    return user


def scope_of(request: HttpRequest) -> Scope:
    """Return the scope of a guarded request; an unknown or forbidden site raises Http404."""
    found = getattr(request, "_medwarden_scope", None)
    if isinstance(found, Scope):
        return found
    user = signed_in(request)
    own = [str(s) for s in user.sites]
    rows = Site.objects.filter(tenant_id=user.tenant_id).order_by("name")
    sites = tuple(SiteChoice(s.id, s.name) for s in rows if not own or s.id in own)
    site = request.GET.get("site") or None
    if site is not None and site not in {s.id for s in sites}:
        raise Http404("There is no such site.")
    key = request.GET.get("range", DEFAULT_RANGE)
    if key not in RANGES:
        key = DEFAULT_RANGE
    now = wall_clock()
    length = RANGES[key][1]
    scope = Scope(user.tenant_id, site, sites, not own, key, None if length is None else now - length, now)
    request._medwarden_scope = scope  # type: ignore[attr-defined]  # read again by every view of the request
    return scope


def actor_of(request: HttpRequest) -> str:
    """Return how audited changes name the person behind a guarded request."""
    return f"user:{signed_in(request).username}"


def site_named(request: HttpRequest, site: str) -> str:
    """Return a site that stands in a URL or body; one the person may not see raises Http404."""
    if site not in {s.id for s in scope_of(request).sites}:
        raise Http404("There is no such site in what you may see.")
    return site
