"""One decorator that every page wears: signed in, and the role carries the permission.

The same table (:mod:`medwarden.model.role`) guards pages, API and commands. A test walks all URLs
and fails on a view without the mark this decorator leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, cast
from urllib.parse import quote

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url

from medwarden.model.role import Permission
from medwarden.store.models import User

P = ParamSpec("P")
SIGNED_IN = "signed_in"
"""Mark of a page that needs a signed-in person but no particular permission (his own account)."""


class Guarded(Protocol):
    """A view that says what it needs."""

    needs: Permission | str


def requires(
    permission: Permission | None,
) -> Callable[
    [Callable[Concatenate[HttpRequest, P], HttpResponseBase]],
    Callable[Concatenate[HttpRequest, P], HttpResponseBase],
]:
    """Guard a view: strangers are led to the log-in, people without ``permission`` are refused.

    None asks only that somebody is signed in.
    """

    def guard(
        view: Callable[Concatenate[HttpRequest, P], HttpResponseBase],
    ) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            user = request.user
            if not isinstance(user, User) or not user.is_active:
                return to_login(request)
            if permission is not None and not user.may(permission):
                raise PermissionDenied(f"Your role does not include: {permission.value.replace('_', ' ')}.")
            return view(request, *args, **kwargs)

        cast(Guarded, guarded).needs = permission or SIGNED_IN
        return guarded

    return guard


def to_login(request: HttpRequest) -> HttpResponse:
    """Lead to the log-in and back; a partial request makes the whole page go there."""
    login = resolve_url(settings.LOGIN_URL)
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": login})
    return HttpResponseRedirect(f"{login}?next={quote(request.get_full_path())}")
