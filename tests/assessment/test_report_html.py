"""The HTML report: complete, self-contained, safe against hostile names, accessible."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from html.parser import HTMLParser

import msgspec
import pytest

from medwarden.assessment import Assessment, analyse, render_html
from medwarden.assessment.report_html import CONTENTS
from medwarden.model.device import Device

VOID = {"br", "hr", "img", "meta", "link", "input", "col"}
ALLOWED = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "a",
    "div",
    "nav",
    "span",
    "ol",
    "ul",
    "li",
    "main",
    "header",
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "dl",
    "dt",
    "dd",
    "small",
    "strong",
    "section",
    "article",
    "figure",
    "figcaption",
    "table",
    "caption",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "footer",
    "svg",
    "desc",
    "rect",
    "line",
    "path",
    "text",
}


class _Page(HTMLParser):
    """Collects elements and checks that they nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.stack: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def page(assessment: Assessment) -> str:
    return render_html(assessment, organisation="St. Example")


def test_every_section_stands_and_is_linked(page: str) -> None:
    read = _Page(page)
    ids = [attrs["id"] for _, attrs in read.elements if attrs.get("id")]
    assert len(ids) == len(set(ids))
    assert {name for name, _ in CONTENTS} <= set(ids)
    for tag, attrs in read.elements:
        if tag == "a":
            assert (attrs["href"] or "").removeprefix("#") in ids


def test_the_page_needs_nothing_from_outside(page: str) -> None:
    read = _Page(page)
    assert {tag for tag, _ in read.elements} <= ALLOWED
    for _tag, attrs in read.elements:
        assert not {name for name in attrs if name.startswith("on") or name in ("src", "style", "srcset")}
    assert "url(" not in page
    assert "@import" not in page
    assert "http://" not in page


def test_the_policy_of_the_page_allows_its_own_style_and_nothing_else(page: str) -> None:
    style = page.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = next(
        attrs["content"]
        for tag, attrs in _Page(page).elements
        if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_both_themes_print_and_small_screens_are_styled(page: str) -> None:
    for query in ("prefers-color-scheme: dark", "@media print", "@page", "max-width: 40rem"):
        assert query in page


def test_tables_have_captions_and_pictures_have_words(page: str) -> None:
    read = _Page(page)
    assert sum(tag == "table" for tag, _ in read.elements) == sum(
        tag == "caption" for tag, _ in read.elements
    )
    for tag, attrs in read.elements:
        if tag == "svg":
            assert (
                attrs.get("aria-label") or attrs.get("aria-labelledby") or attrs.get("aria-hidden") == "true"
            )


def test_the_first_page_says_what_a_board_asks(page: str, assessment: Assessment) -> None:
    cover = page.partition('<div class="cover"')[2].partition("<section")[0]
    for sentence in assessment.sentences:
        assert sentence.replace("&", "&amp;").replace("'", "&#x27;") in cover
    for grade in assessment.grades:
        assert grade.area in cover
    assert cover.count('class="points"') == 5


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><script>x</script>",
    "';--\u202e\x00<svg/onload=1>",
    "javascript:alert(1)",
    "]]><!--",
)


def test_hostile_names_stay_text(
    hospital: list[Device], assessed: Callable[[list[Device]], Assessment], page: str
) -> None:
    devices = []
    for number, device in enumerate(hospital):
        bad = HOSTILE[number % len(HOSTILE)]
        devices.append(
            msgspec.structs.replace(
                device,
                id=f"{device.id}{bad}",
                names=(f"{bad}{number}",),
                vendor=bad,
                model=bad,
                os=bad,
                subnet=f"{device.subnet}{bad}" if number % 2 else bad,
                ips=(bad,),
                macs=(bad,),
                ledger=tuple(msgspec.structs.replace(e, value=e.value + bad) for e in device.ledger),
                conversations=tuple(
                    msgspec.structs.replace(c, peer_name=bad, peer_ip=bad, application=c.application and bad)
                    for c in device.conversations
                ),
            )
        )
    hostile = render_html(assessed(devices), title=HOSTILE[0], organisation=HOSTILE[1])
    read = _Page(hostile)
    assert {tag for tag, _ in read.elements} <= ALLOWED
    assert [tag for tag, _ in read.elements].count("style") == 1
    for tag, attrs in read.elements:
        assert not {name for name in attrs if name.startswith("on") or name in ("src", "style")}
        if tag == "a":
            assert (attrs["href"] or "").startswith("#")
    assert "\x00" not in hostile
    assert "\u202e" not in hostile
    assert "alert(1)" in "".join(read.words)


def test_an_empty_assessment_is_a_page_that_says_so() -> None:
    page = render_html(analyse([], [], [], [], []))
    assert "No device was seen" in page
    _Page(page)


def test_no_time_or_order_of_making_shows(assessment: Assessment) -> None:
    assert render_html(assessment) == render_html(assessment)
    assert re.search(r"Made 2025-06-15 01:00 UTC", render_html(assessment))
