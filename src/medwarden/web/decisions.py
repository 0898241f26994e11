"""A decision of a person on a page: carried out with the reason that was given, audited, and answered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from medwarden.kernel.errors import ConfigurationError
from medwarden.store.chain import folder_of_database
from medwarden.store.changes import Change
from medwarden.web.scope import actor_of, scope_of
from medwarden.web.templatetags.console import page_url

LONGEST_REASON = 500


def reason_of(request: HttpRequest) -> str:
    """Return the reason that stands in the form."""
    return request.POST.get("reason", "").strip()[:LONGEST_REASON]


def change_by(request: HttpRequest, reason: str, site: str | None = None) -> Change:
    """Return a change in the name of who is signed in, at ``site`` or the one the page looks at."""
    scope = scope_of(request)
    actor = actor_of(request)
    return Change(actor, reason, tenant=scope.tenant, site=site or scope.site)


def decided(
    request: HttpRequest, page: str, decide: Callable[[Change], str], site: str | None = None
) -> HttpResponse:
    """Carry out a decision, say what came of it, and lead back to ``page``."""
    try:
        with change_by(request, reason_of(request), site) as change:
            done = decide(change)
        messages.success(request, _sentence(done))
    except ConfigurationError as error:
        messages.error(request, _sentence(str(error)))
    return HttpResponseRedirect(page_url(request, page))


def said(request: HttpRequest, page: str, act: Callable[[], str]) -> HttpResponse:
    """Do something that makes its own change, say what came of it, and lead back to ``page``."""
    try:
        messages.success(request, _sentence(act()))
    except ConfigurationError as error:
        messages.error(request, _sentence(str(error)))
    return HttpResponseRedirect(page_url(request, page))


def data_folder() -> Path:
    """Return the data folder of the open store. Raises ConfigurationError where it lies in none."""
    folder = folder_of_database()
    if folder is None:
        raise ConfigurationError("this store lies in no data folder")
    return folder


def refused(request: HttpRequest, page: str, said: str) -> HttpResponse:
    """Say why nothing was done, and lead back to ``page``."""
    messages.error(request, _sentence(said))
    return HttpResponseRedirect(page_url(request, page))


def _sentence(said: str) -> str:
    if "." in said.partition(" ")[0].rstrip(".:,"):  # it begins with the name of a file or an address
        return f"{said}."
    return f"{said[:1].upper()}{said[1:]}."
