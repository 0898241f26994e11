"""What a page says of the age of knowledge where verdicts and scores rest on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django import template
from django.template.context import RequestContext

from medwarden.app.knowledge_records import technique_names
from medwarden.app.knowledge_status import Standing, standing
from medwarden.kernel.errors import ResourceError
from medwarden.store.chain import folder_of_database
from medwarden.web.recent import recently

register = template.Library()


@register.simple_tag
def techniques(ids: Sequence[str]) -> list[tuple[str, str]]:
    """Return techniques of ATT&CK with the names that the feed brought; '' where it was not brought."""
    home = folder_of_database()
    try:
        names = recently(technique_names, str(home), list(ids)) if home is not None and ids else {}
    except ResourceError:
        names = {}  # the notice above says that knowledge cannot be read
    return [(id, names.get(id, "")) for id in ids]


def _standing(home: str) -> Standing:
    return standing(Path(home))


@register.inclusion_tag("web/part/knowledge_notice.html", takes_context=True)
def knowledge_notice(context: RequestContext, empty: bool = True) -> dict[str, object]:
    """Say that knowledge is too old, failed last or (where ``empty``) is missing; nothing where all is well.

    The page of the sources says it better itself.
    """
    request = context["request"]
    match = request.resolver_match
    shown: dict[str, object] = {"request": request, "says": ""}
    home = folder_of_database()
    if home is None or (match is not None and match.url_name == "risk_knowledge"):
        return shown
    try:
        now = recently(_standing, str(home))
    except ResourceError as error:
        return {**shown, "says": str(error)}
    if not now.in_use:
        return {**shown, "says": now.sentences[-1] if empty else ""}
    if now.shown:
        return {**shown, "shown": True}
    return {**shown, "says": now.sentences[0] if now.stale else "", "more": len(now.stale) - 1}
