"""The inventory by kind and how sure it is: figures add up, lead to devices, and downloads agree."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable

import pytest
from django.http import QueryDict
from django.test import Client

from medwarden.model.role import Role
from medwarden.store.models import Device
from medwarden.store.queries import Kind
from medwarden.web.kinds import chosen, groups, shown, tree, under

SignedIn = Callable[..., Client]

KINDS = [
    Kind("IoMT", "infusion_pump", "BD", "Alaris", 5, 1, 2),
    Kind("IoMT", "infusion_pump", "B. Braun", "Space", 3, 0, 0),
    Kind("IoMT", "ct", "Siemens Healthineers", None, 2, 2, 2),
    Kind("unknown", None, None, None, 4, 0, 4),
]


def body(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def drawn(html: str) -> list[dict[str, object]]:
    found = re.search(r'<script id="kinds-data" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    nodes: list[dict[str, object]] = json.loads(found.group(1))["nodes"]
    return nodes


@pytest.mark.parametrize(
    ("query", "levels"),
    [
        ("", ("class", "category")),
        ("class=IoMT", ("category", "vendor")),
        ("class=IoMT&category=ct", ("vendor", "model")),
        ("vendor=BD", ("model",)),
        ("model=Space", ()),
    ],
)
def test_the_url_says_how_deep(query: str, levels: tuple[str, ...]) -> None:
    assert shown(chosen(QueryDict(query))) == levels


def test_groups_add_up_and_keep_what_is_not_known() -> None:
    found = groups(KINDS, ("class", "category"))
    assert [(g.label, g.devices, g.known) for g in found] == [
        ("IoMT", 10, True),
        ("Not identified", 4, False),
    ]
    for group in found:
        for name in ("devices", "risky", "unsure"):
            assert sum(getattr(c, name) for c in group.children) == getattr(group, name)
    assert [k.model for k in under(KINDS, {"class": "IoMT", "category": "infusion_pump"})] == [
        "Alaris",
        "Space",
    ]


def test_the_drawing_bounds_the_groups_and_says_how_many_are_left_out() -> None:
    many = [Kind("IT", f"c{n}", None, None, 50 - n, 0, 0) for n in range(40)]
    (node,) = tree(groups(many, ("class", "category")), lambda group, _parent: group.value)
    children = node["children"]
    assert isinstance(children, list)
    assert children[-1]["name"] == "16 more"
    assert sum(child["value"] for child in children) == node["value"]


def test_the_page_draws_every_device_and_leads_on(signed_in: SignedIn) -> None:
    client = signed_in(Role.VIEWER)
    nodes = drawn(body(client, "/devices/kinds/"))
    assert sum(int(str(node["value"])) for node in nodes) == Device.objects.count()
    inner = nodes[0]["children"]
    assert isinstance(inner, list)
    deeper = drawn(body(client, str(inner[0]["href"])))
    assert sum(int(str(node["value"])) for node in deeper) == inner[0]["value"]


def test_the_last_level_says_so(signed_in: SignedIn) -> None:
    html = body(signed_in(Role.VIEWER), "/devices/kinds/?class=IoMT&model=none-such")
    assert "This is the last level" in html


def test_the_api_counts_as_the_page(signed_in: SignedIn) -> None:
    found = json.loads(body(signed_in(Role.VIEWER), "/api/v1/kinds"))
    assert sum(kind["devices"] for kind in found) == Device.objects.count()
    sure = json.loads(body(signed_in(Role.VIEWER), "/api/v1/sureness"))
    assert sure["sure"] + sum(sure["unsure"].values()) == sure["devices"] == Device.objects.count()


def test_what_is_not_sure_is_listed_with_its_remedy(signed_in: SignedIn) -> None:
    client = signed_in(Role.VIEWER)
    html = body(client, "/devices/sureness/")
    open_ones = Device.objects.exclude(unsure="").count()
    assert open_ones
    assert f"{open_ones:,}" in html
    assert "What would settle it" in html
    level = Device.objects.exclude(unsure="").values_list("unsure", flat=True)[0]
    some = body(client, f"/devices/sureness/?unsure={level}")
    listed = re.findall(r'<tr data-id="([^"]+)"', some)
    assert listed
    assert set(Device.objects.filter(pk__in=listed).values_list("unsure", flat=True)) == {level}


def test_downloads_hold_what_the_pages_count(signed_in: SignedIn) -> None:
    client = signed_in(Role.NETWORK_ENGINEER)

    def table(url: str) -> list[dict[str, str]]:
        answer = client.get(url)
        pieces = getattr(answer, "streaming_content")  # noqa: B009 (the stub knows only whole answers)
        return list(csv.DictReader(io.StringIO(b"".join(pieces).decode())))

    kinds = table("/devices/kinds/export.csv")
    assert sum(int(row["devices"]) for row in kinds) == Device.objects.count()
    unsure = table("/devices/sureness/export.csv")
    assert len(unsure) == Device.objects.exclude(unsure="").count()
    assert client.get("/devices/kinds/export.pdf").status_code == 404
    assert client.get("/devices/sureness/export.pdf").status_code == 404
