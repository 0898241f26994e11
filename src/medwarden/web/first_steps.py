"""What a person must do first: replace a first password, and (administrators) add a second factor.

An administrator without a passkey or an authenticator app sees no page and gets no API answer
until one is set up (OWASP ASVS 5.0, 6.3.3).
"""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from django.http import HttpRequest, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import resolve, reverse
from django.urls.exceptions import Resolver404
from django.utils.deprecation import MiddlewareMixin

from medwarden.model.role import Role
from medwarden.store.models import User
from medwarden.web.models import FirstPassword

ALWAYS = frozenset({"account_logout", "account_reauthenticate", "mfa_reauthenticate", "appearance"})
FOR_PASSWORD = frozenset({"account_change_password"})
FOR_FACTOR = frozenset(
    {
        "second_factor",
        "mfa_index",
        "mfa_activate_totp",
        "mfa_add_webauthn",
        "mfa_list_webauthn",
        "mfa_reauthenticate_webauthn",
    }
)


def has_second_factor(user: User) -> bool:
    """Tell whether the person has a passkey or an authenticator app (recovery codes alone do not count)."""
    kinds = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
    return bool(Authenticator.objects.filter(user=user, type__in=kinds).exists())


def next_step(user: User) -> str | None:
    """Return the name of the page this person has to complete first, or None."""
    if FirstPassword.objects.filter(owner=user).exists():
        return "account_change_password"
    if user.role == Role.ADMINISTRATOR and not has_second_factor(user):
        return "second_factor"
    return None


class FirstStepsMiddleware(MiddlewareMixin):
    """Leads a signed-in person to what he has to do first; API calls are refused with the reason."""

    def process_request(self, request: HttpRequest) -> HttpResponseBase | None:
        """Return a redirect or a refusal, or None to go on."""
        if not isinstance(request.user, User):
            return None
        try:
            name = resolve(request.path_info).url_name
        except Resolver404:
            return None
        if name in ALWAYS:
            return None
        step = next_step(request.user)
        if step is None:
            return None
        allowed = FOR_PASSWORD if step == "account_change_password" else FOR_FACTOR
        if name in allowed:
            return None
        if request.path_info.startswith("/api/"):
            return JsonResponse(
                {"detail": "Set up a passkey or an authenticator app in the console first."}, status=403
            )
        return HttpResponseRedirect(reverse(step))
