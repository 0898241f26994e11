"""Where the console shows who said something: a person's answer, a book, the plan, a maker's form."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest

from medwarden.app.origin import Said
from medwarden.web.templatetags.console import page_url

_Page = Callable[[HttpRequest, str, str], str]

_PAGES: dict[str, _Page] = {
    "answers": lambda request, _, __: page_url(request, "devices_answers"),
    "book": lambda request, _, name: page_url(request, "devices_book", name),
    "devices": lambda request, _, subnet: page_url(request, "devices", subnet=subnet),
    "finding": lambda request, _, finding: page_url(request, "finding", finding),
    "form": lambda request, _, form: page_url(request, "risk_mds2_form", form),
    "notice": lambda request, _, number: page_url(request, "risk_recall", number),
    "plan": lambda request, _, key: f"{page_url(request, 'places', q=key)}#plan",
    "policy": lambda request, _, policy: page_url(request, "policy", policy),
    "recall": lambda request, device, number: page_url(request, "risk_recall_case", number, device),
    "records": lambda request, device, _: page_url(request, "device", device, tab="records"),
    "support": lambda request, device, _: f"{page_url(request, 'device', device, tab='risk')}#support",
    "vulnerability": lambda request, _, name: page_url(request, "risk_vulnerability", name),
}
"""By the page that :class:`~medwarden.app.origin.Said` names: the URL for a device and a key."""


def page_of_said(request: HttpRequest, device: str, said: Said) -> str:
    """Return the URL of the page that shows a word, empty where no page does."""
    page = _PAGES.get(said.page)
    return "" if page is None else page(request, device, said.key)
