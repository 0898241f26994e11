"""Pages of a list: the number in the URL, and what ``web/part/pager.html`` shows."""

from __future__ import annotations

import math
from typing import TypeVar

from django.http import HttpRequest

from medwarden.store.queries.scope import Page

T = TypeVar("T")

PER_PAGE = 50


def page_number(request: HttpRequest) -> int:
    """Return the page that the URL asks for, 1 where it makes no sense."""
    number = request.GET.get("page", "1")
    return max(1, int(number)) if number.isascii() and number.isdigit() and len(number) < 8 else 1


def offset_of(number: int, per_page: int = PER_PAGE) -> int:
    """Return how many rows lie before a page."""
    return (number - 1) * per_page


def cut(rows: list[T], number: int) -> Page[T]:
    """Return one page of a list that is counted as a whole."""
    start = offset_of(number)
    return Page(tuple(rows[start : start + PER_PAGE]), len(rows), start, PER_PAGE)


def paging(page: Page[T], number: int) -> dict[str, object]:
    """Return what the pager shows of a page."""
    return {
        "page": page,
        "asked": {"page": number},
        "pages": math.ceil(page.total / page.limit) or 1,
        "first": page.offset + 1 if page.total else 0,
        "last": min(page.offset + page.limit, page.total),
    }


def sort_of(request: HttpRequest, allowed: tuple[str, ...], otherwise: str) -> str:
    """Return the sort that the URL asks for, ``otherwise`` where that is not ``allowed``."""
    asked = request.GET.get("sort", otherwise)
    return asked if asked.removeprefix("-") in allowed else otherwise
