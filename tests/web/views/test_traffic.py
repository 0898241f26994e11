"""The map: graph, matrix and table say the same, and lead to the devices behind."""

from __future__ import annotations

import html as html_module
import json
import re
from collections.abc import Callable, Iterator

import pytest
from django.test import Client

from medwarden.model.role import Role
from medwarden.web import recent

SignedIn = Callable[..., Client]


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    recent.forget()
    yield
    recent.forget()


def drawn(page: str) -> list[dict[str, dict[str, object]]]:
    found = re.search(r'id="map-data"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data = json.loads(html_module.unescape(found[1]))
    assert isinstance(data, list)
    return data


@pytest.mark.parametrize("axis", ["category", "device_class", "subnet", "vendor"])
def test_every_edge_is_a_field_of_the_matrix(axis: str, signed_in: SignedIn) -> None:
    page = signed_in(Role.VIEWER).get(f"/map/?by={axis}").content.decode()
    edges = {(e["data"]["source"], e["data"]["target"]) for e in drawn(page) if "source" in e["data"]}
    fields = page.count('class="heat-')
    assert fields >= len(edges) > 0
    assert not edges & {(c, s) for c, s in edges if s in ("multicast", "broadcast")}


def test_an_application_narrows_all_three(signed_in: SignedIn) -> None:
    page = signed_in(Role.VIEWER).get("/map/?application=hl7").content.decode()
    labels = {e["data"]["label"] for e in drawn(page) if "source" in e["data"]}
    assert labels == {"hl7"}
    assert set(re.findall(r'<td data-label="Service">(\w+)', page)) == {"hl7"}


def test_between_two_groups_stand_their_devices(signed_in: SignedIn) -> None:
    page = signed_in(Role.VIEWER).get("/map/between/?by=category&client=ct&server=pacs").content.decode()
    assert "CT1" in page
    assert "PACS1" in page
    kinds = {e["data"].get("kind") for e in drawn(page) if "source" not in e["data"]}
    assert kinds == {"device"}


def test_old_traffic_leaves_with_the_time_range(signed_in: SignedIn) -> None:
    page = signed_in(Role.VIEWER).get("/map/?range=1h").content.decode()
    assert "No conversation in this time range" in page
