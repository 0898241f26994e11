"""Settings: people and roles, sites, the audit chain, about."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from medwarden.app.segments import SETTING, claim
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.role import GRANTS, Permission, Role
from medwarden.store import queries
from medwarden.store.accounts import create_user, set_active, set_password, set_role, set_sites
from medwarden.store.chain import check_chain
from medwarden.store.changes import Change
from medwarden.store.models import Device, Site, User
from medwarden.store.settings import setting
from medwarden.web.accounts import first_password, mark_first_password
from medwarden.web.guard import requires
from medwarden.web.scope import scope_of, signed_in
from medwarden.web.templatetags.console import words

AUDIT_PAGE = 100

PERMISSION_WORDS = {
    Permission.SEE_INVENTORY: "See devices, findings and risk",
    Permission.SEE_STAFF_NAMES: "See names of staff",
    Permission.CHANGE_FINDING: "Move findings and actions on",
    Permission.ACCEPT_RISK: "Accept a risk for a time",
    Permission.CORRECT_IDENTITY: "Say what a device is",
    Permission.EDIT_PLACES: "Say where devices are",
    Permission.EDIT_BOOKS: "Bring equipment lists in",
    Permission.LEARN_POLICY: "Learn policies from traffic",
    Permission.APPROVE_POLICY: "Approve policies",
    Permission.FEED_DATA: "Feed captures, logs and knowledge",
    Permission.EXPORT: "Download lists",
    Permission.SEE_AUDIT: "Read the audit chain",
    Permission.CHANGE_SETTINGS: "Change settings",
    Permission.MANAGE_USERS: "Manage people and roles",
    Permission.BACKUP: "Back up and restore",
    Permission.ENABLE_PROBING: "Let medwarden ask devices",
    Permission.PROTECT_DEVICE: "Protect devices from being asked",
    Permission.OVERRIDE_INTERLOCK: "Answer for an action on a protected device",
    Permission.CAPTURE_DEVICE: "Record packets of a device",
    Permission.EXPORT_RAW_CAPTURE: "Download packets with patients in them",
}


@requires(None)
@require_GET
def settings(request: HttpRequest) -> HttpResponse:
    """Lead to the first settings page the role includes."""
    user = signed_in(request)
    if user.may(Permission.MANAGE_USERS):
        return HttpResponseRedirect(reverse("settings_people"))
    if user.may(Permission.SEE_AUDIT):
        return HttpResponseRedirect(reverse("settings_audit"))
    return HttpResponseRedirect(reverse("settings_about"))


@requires(Permission.MANAGE_USERS)
@require_GET
def people(request: HttpRequest) -> HttpResponse:
    """List people, their roles and second factors."""
    scope = scope_of(request)
    kinds = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
    factors = set(Authenticator.objects.filter(type__in=kinds).values_list("user_id", flat=True))
    rows = User.objects.filter(tenant_id=scope.tenant).order_by("username")
    return render(
        request,
        "web/people.html",
        {
            "people": [(user, user.pk in factors) for user in rows],
            "roles": [(role.value, words(role.value)) for role in Role],
            "grants": [(PERMISSION_WORDS[p], [p in GRANTS[role] for role in Role]) for p in Permission],
            "sites": Site.objects.filter(tenant_id=scope.tenant).order_by("name"),
            "new_person": request.session.pop("new_person", None),
        },
    )


@requires(Permission.MANAGE_USERS)
@require_POST
def person_create(request: HttpRequest) -> HttpResponse:
    """Make a person with a first password, shown this once."""
    scope, user = scope_of(request), signed_in(request)
    name = request.POST.get("username", "").strip()[:150]
    password = first_password()
    try:
        role = Role(request.POST.get("role", Role.VIEWER.value))
        with Change(f"user:{user.username}", "people page", tenant=scope.tenant) as change:
            if not name:
                raise ConfigurationError("give the person a user name")
            made = create_user(change, name, password, role, sites=request.POST.getlist("sites"))
            mark_first_password(made)
    except ValueError:
        messages.error(request, "Choose a role.")
    except ConfigurationError as error:
        messages.error(request, f"{str(error).capitalize()}.")
    else:
        request.session["new_person"] = {"name": name, "password": password}
    return HttpResponseRedirect(reverse("settings_people"))


@requires(Permission.MANAGE_USERS)
@require_POST
def person_change(request: HttpRequest, user_id: int) -> HttpResponse:
    """Change role, sites or activity of a person, or make him a new first password."""
    scope, user = scope_of(request), signed_in(request)
    other = User.objects.filter(tenant_id=scope.tenant, pk=user_id).first()
    if other is None:
        messages.error(request, "There is no such person.")
        return HttpResponseRedirect(reverse("settings_people"))
    act = request.POST.get("act", "")
    try:
        with Change(f"user:{user.username}", "people page", tenant=scope.tenant) as change:
            if act == "role":
                set_role(change, other, Role(request.POST.get("role", "")))
            elif act == "sites":
                set_sites(change, other, request.POST.getlist("sites"))
            elif act in ("on", "off"):
                set_active(change, other, act == "on")
            elif act == "password":
                _new_password(request, change, other)
    except ValueError:
        messages.error(request, "Choose a role.")
    except ConfigurationError as error:
        messages.error(request, f"{str(error).capitalize()}.")
    else:
        messages.success(request, f"{other.username} is changed.")
    return HttpResponseRedirect(reverse("settings_people"))


def _new_password(request: HttpRequest, change: Change, other: User) -> None:
    password = first_password()
    set_password(change, other, password)
    removed, _ = Authenticator.objects.filter(user=other).delete()
    if removed:
        change.record("user.second_factor_removed", f"user:{other.username}", removed, 0)
    mark_first_password(other)
    request.session["new_person"] = {"name": other.username, "password": password}


@requires(Permission.CHANGE_SETTINGS)
@require_GET
def sites(request: HttpRequest) -> HttpResponse:
    """List the sites and how much is known at each."""
    scope = scope_of(request)
    rows = [
        (
            site,
            Device.objects.filter(site=site, retired_at__isnull=True).count(),
            setting(SETTING, "", tenant=scope.tenant, site=site.pk),
        )
        for site in Site.objects.filter(tenant_id=scope.tenant).order_by("name")
    ]
    return render(request, "web/sites.html", {"rows": rows})


@requires(Permission.CHANGE_SETTINGS)
@require_POST
def site_rename(request: HttpRequest, site_id: str) -> HttpResponse:
    """Give a site another name; its id stays."""
    scope, user = scope_of(request), signed_in(request)
    name = request.POST.get("name", "").strip()[:200]
    site = Site.objects.filter(tenant_id=scope.tenant, pk=site_id).first()
    if site is None or not name:
        messages.error(request, "Give the site a name.")
        return HttpResponseRedirect(reverse("settings_sites"))
    with Change(f"user:{user.username}", "sites page", tenant=scope.tenant, site=site.pk) as change:
        change.record("site.renamed", f"site:{site.pk}", {"name": site.name}, {"name": name})
        site.name = name
        site.save(update_fields=["name"])
    messages.success(request, "The site is renamed.")
    return HttpResponseRedirect(reverse("settings_sites"))


@requires(Permission.CHANGE_SETTINGS)
@require_POST
def site_vlans(request: HttpRequest, site_id: str) -> HttpResponse:
    """Let a site claim the VLANs that sensors of other sites hear."""
    scope, user = scope_of(request), signed_in(request)
    if not Site.objects.filter(tenant_id=scope.tenant, pk=site_id).exists():
        raise Http404("There is no such site.")
    wanted = request.POST.get("vlans", "").strip()[:400]
    try:
        claimed = claim(scope.tenant, site_id, wanted, actor=f"user:{user.username}", reason="sites page")
        messages.success(request, f"{claimed.text or 'No VLANs'}: set, for sensors from their next start on.")
    except ConfigurationError as error:
        said = str(error)
        messages.error(request, f"{said[0].upper()}{said[1:]}.")
    return HttpResponseRedirect(reverse("settings_sites"))


@requires(Permission.SEE_AUDIT)
@require_GET
def audit(request: HttpRequest) -> HttpResponse:
    """Show the audit chain, newest first; checking it reads every entry, so it is done when asked."""
    scope = scope_of(request)
    before = request.GET.get("before", "")
    entries = queries.history(
        scope.store,
        subject=request.GET.get("subject", "")[:200],
        action=request.GET.get("action", "")[:60],
        before_sequence=int(before) if before.isascii() and before.isdigit() and len(before) < 20 else None,
        limit=AUDIT_PAGE,
    )
    context = {
        "entries": entries,
        "older": entries[-1].sequence if len(entries) == AUDIT_PAGE else None,
        "report": check_chain() if request.GET.get("check") == "yes" else None,
        "subject": request.GET.get("subject", ""),
        "action": request.GET.get("action", ""),
    }
    return render(request, "web/audit.html", context)


@requires(None)
@require_GET
def about(request: HttpRequest) -> HttpResponse:
    """Show version, licence and what this role may do."""
    user = signed_in(request)
    return render(
        request,
        "web/about.html",
        {"permissions": [PERMISSION_WORDS[p] for p in Permission if user.may(p)]},
    )
