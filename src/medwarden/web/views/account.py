"""A person's own pages: second factor, password, passkeys, API tokens, appearance of the console."""

from __future__ import annotations

from urllib.parse import urlsplit

from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from medwarden.kernel.errors import ConfigurationError
from medwarden.web import api_tokens
from medwarden.web.first_steps import has_second_factor
from medwarden.web.frame import DENSITIES, THEMES
from medwarden.web.guard import requires
from medwarden.web.models import ApiToken
from medwarden.web.scope import signed_in

YEAR = 365 * 24 * 3600


@requires(None)
@require_GET
def second_factor(request: HttpRequest) -> HttpResponse:
    """Offer the ways to add a second factor."""
    if has_second_factor(signed_in(request)):
        return HttpResponseRedirect(reverse("account"))
    return render(request, "web/second_factor.html")


@requires(None)
@require_GET
def account(request: HttpRequest) -> HttpResponse:
    """Show how this person signs in and the tokens that act for him."""
    user = signed_in(request)
    factors = Authenticator.objects.filter(user=user)
    return render(
        request,
        "web/account.html",
        {
            "totp": factors.filter(type=Authenticator.Type.TOTP).first(),
            "passkeys": factors.filter(type=Authenticator.Type.WEBAUTHN),
            "recovery": factors.filter(type=Authenticator.Type.RECOVERY_CODES).first(),
            "tokens": ApiToken.objects.filter(owner=user).order_by("-created_ns"),
            "new_token": request.session.pop("new_token", None),
            "lifetimes": api_tokens.LIFETIMES_DAYS,
        },
    )


@requires(None)
@require_POST
def token_create(request: HttpRequest) -> HttpResponse:
    """Make an API token and show it this once."""
    try:
        days = int(request.POST.get("days", "90"))
        secret = api_tokens.create(signed_in(request), request.POST.get("name", ""), days)
    except (ValueError, ConfigurationError) as error:
        messages.error(request, str(error) if isinstance(error, ConfigurationError) else "Choose a lifetime.")
    else:
        request.session["new_token"] = secret
    return HttpResponseRedirect(reverse("account"))


@requires(None)
@require_POST
def token_delete(request: HttpRequest, token_id: int) -> HttpResponse:
    """Withdraw one of this person's own tokens."""
    api_tokens.withdraw(signed_in(request), token_id)
    messages.success(request, "The token no longer works.")
    return HttpResponseRedirect(reverse("account"))


@requires(None)
@require_POST
def appearance(request: HttpRequest) -> HttpResponse:
    """Remember theme or density in a cookie of this browser."""
    target = request.POST.get("next", "/")
    if not url_has_allowed_host_and_scheme(target, allowed_hosts=None) or urlsplit(target).netloc:
        target = "/"
    response = HttpResponseRedirect(target)
    for name, values in (("theme", THEMES), ("density", DENSITIES)):
        value = request.POST.get(name, "")
        if value in values:
            response.set_cookie(name, value, max_age=YEAR, secure=True, httponly=True, samesite="Strict")
    return response
