"""Times with zone and age, honest numbers, links that keep state."""

from __future__ import annotations

import pytest
from django.template import Context, Template
from django.test import RequestFactory

from medwarden.kernel.clock import NANOSECONDS, wall_clock
from medwarden.web.templatetags import console

MINUTE = 60 * NANOSECONDS


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59, "59 s"), (61, "1 min"), (7200, "2 h"), (86_400 * 400, "400 d")]
)
def test_age_is_the_largest_whole_unit(seconds: int, text: str) -> None:
    assert console.age(seconds) == text


def test_a_time_shows_zone_and_age() -> None:
    shown = console.when(wall_clock() - 5 * MINUTE)
    assert " UTC</time>" in shown
    assert "(5 min ago)" in shown
    assert "in 1 h" in console.when(wall_clock() + 61 * MINUTE)
    assert console.when(None) == "never"


@pytest.mark.parametrize(
    ("share", "text"), [(0.999, "99 %"), (1.0, "100 %"), (0.0, "0 %"), (0.29, "29 %"), (None, "–")]
)
def test_certainty_is_never_rounded_up(share: float | None, text: str) -> None:
    assert console.percent(share) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1_536_000, "1.54 MB"), (10**18, "1,000 PB"), (None, "–")],
)
def test_sizes_have_three_figures(value: int | None, text: str) -> None:
    assert console.size(value) == text


def test_signs_are_written_out() -> None:
    assert [console.signed(n) for n in (3, 0, -3)] == ["+3", "0", "−3"]


def drawn(text: str, path: str) -> str:
    request = RequestFactory().get(path)
    return Template("{% load console %}{% autoescape off %}" + text + "{% endautoescape %}").render(
        Context({"request": request})
    )


def test_links_keep_site_and_time_range() -> None:
    assert drawn("{% go 'findings' state='open' %}", "/?site=main&range=7d&page=4") == (
        "/findings/?site=main&range=7d&state=open"
    )


def test_changing_a_parameter_starts_paging_anew() -> None:
    assert drawn("{% here sort='name' %}", "/devices/?q=ct&page=4") == "?q=ct&sort=name"
    assert drawn("{% here page=5 %}", "/devices/?q=ct&page=4") == "?q=ct&page=5"
    assert drawn("{% here q=None %}", "/devices/?q=ct&page=4") == "?"


def test_hidden_fields_are_escaped() -> None:
    shown = drawn("{% kept_fields 'q' %}", "/devices/?vendor=%22%3E%3Cscript%3E&q=x")
    assert "<script>" not in shown
    assert 'name="q"' not in shown


def test_a_heading_says_how_it_is_sorted() -> None:
    shown = drawn("{% sort_heading 'Risk' 'risk' '-risk' True %}", "/devices/")
    assert 'aria-sort="descending"' in shown
    assert 'href="?sort=risk"' in shown
    assert "aria-sort" not in drawn("{% sort_heading 'Risk' 'risk' 'name' True %}", "/devices/")


def test_types_and_factors_are_called_by_their_titles() -> None:
    assert console.type_words("unsupported_os") == "Operating system without updates"
    assert console.type_words("vulnerability") == "Known vulnerability"
    assert console.type_words("never_heard_of") == "Never heard of"
    cause = "traffic changed: new or changed: unsupported_os; gone: never_heard_of"
    assert console.factors_in_words(cause) == (
        "traffic changed: new or changed: Operating system without updates; gone: never_heard_of"
    )


@pytest.mark.parametrize(
    ("unit", "one"), [("devices", "device"), ("batteries", "battery"), ("entries", "entry")]
)
def test_a_pager_counts_one_as_one(unit: str, one: str) -> None:
    assert console.one_of(unit) == one


def test_roles_of_dicom_are_said_as_what_a_name_asks_and_offers() -> None:
    roles = ["echo_scu", "storage_commitment_scp", "worklist_scu"]
    assert console.roles_in_words(roles) == "asks for echo, worklist; offers storage commitment"
