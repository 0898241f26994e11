"""Names that mean the same: a hospital's own groups, what the data suggests, and changes with a reason."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from medwarden.app.aliases import Wish, alias_groups, change_stored_aliases, suggested_names
from medwarden.model.role import Permission
from medwarden.web.decisions import data_folder, reason_of, said
from medwarden.web.guard import requires
from medwarden.web.recent import forget, recently
from medwarden.web.scope import actor_of, scope_of, signed_in

KINDS = {"product": "One product", "vendor": "One maker", "related": "One house"}


def _suggested(tenant: str) -> list[dict[str, object]]:
    return [
        {
            "kind": each.kind,
            "vendor": each.vendor,
            "ours": each.ours,
            "theirs": each.theirs,
            "devices": each.devices,
            "why": each.why,
        }
        for each in suggested_names(data_folder(), tenant, advisories=True)
    ]


@requires(Permission.SEE_INVENTORY)
@require_GET
def aliases(request: HttpRequest) -> HttpResponse:
    """Show the hospital's own groups of names, and on request what the data suggests."""
    looked = request.GET.get("suggest") == "1"
    context = {
        "groups": [(KINDS[kind], vendor, names) for kind, vendor, names in alias_groups(data_folder())],
        "looked": looked,
        "suggestions": recently(_suggested, scope_of(request).tenant) if looked else [],
        "may_change": signed_in(request).may(Permission.CORRECT_IDENTITY),
    }
    return render(request, "web/risk_aliases.html", context)


@requires(Permission.CORRECT_IDENTITY)
@require_POST
def aliases_change(request: HttpRequest) -> HttpResponse:
    """Add a group of names, or remove one; devices are matched anew."""
    scope = scope_of(request)
    gone = request.POST.get("remove", "").strip()
    names = tuple(line.strip() for line in request.POST.get("names", "")[:4000].splitlines() if line.strip())
    vendor, kind = request.POST.get("vendor", "").strip(), request.POST.get("kind", "product")
    wish = Wish(
        vendor=vendor or (names[0] if kind == "vendor" and names else ""),
        products=names if kind == "product" else (),
        also=names if kind == "vendor" else (),
        related=names if kind == "related" else (),
    )

    def change() -> str:
        moved = change_stored_aliases(
            data_folder(), scope.tenant, gone or wish, actor=actor_of(request), reason=reason_of(request)
        )
        forget()
        kinds = "kind" if moved == 1 else "kinds"
        return f"kept: the verdicts of {moved:,} {kinds} of device changed"

    return said(request, "risk_aliases", change)
