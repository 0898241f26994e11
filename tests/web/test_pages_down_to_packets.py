"""Every answer on every page leads down to packets or log lines: page, device, vote, input, number."""

from __future__ import annotations

import html
import re
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.test import Client

from medwarden.app.ingest import Ingest
from medwarden.app.intake import content_id, take_in
from medwarden.app.judge import judge_stale
from medwarden.app.log_intake import setting_of, take_in_log
from medwarden.app.simulate import Request, simulate, start_of
from medwarden.model.batch import Batch
from medwarden.model.role import Role
from medwarden.sensors.log_files import form_of
from medwarden.store.models import Device, Identification
from medwarden.store.open import Store

SignedIn = Callable[..., Client]

PAGES = (
    *("/", "/devices/", "/devices/kinds/", "/devices/sureness/", "/devices/unknown/", "/devices/identities/"),
    *("/devices/books/", "/findings/", "/map/", "/policies/", "/places/", "/search/?q=a"),
    *("/operations/names/", "/operations/batteries/", "/operations/protected/"),
)
"""Pages that say of devices what they are, or of groups of devices."""

_LINK = re.compile(r'href="(/[^"#]*)')
_LEVEL = re.compile(r'href="#(level-\w+)"')
_VOTES = re.compile(r"<caption[^>]*>Votes for .*?</table>", re.DOTALL)
_ROW = re.compile(r"<tr><td class=\"cell-main mono\">(.*?)</td>.*?</tr>", re.DOTALL)
_NUMBER = re.compile(r'<td class="num mono">(\d+)</td>')
_MOST_STEPS = 2


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the packets and logs of a small simulated house."""
    folder = tmp_path_factory.mktemp("house")
    simulate(
        Request(devices=16, hours=0.04, seed=21, start=start_of("2026-03-02T09:00"), logs=("zeek",)), folder
    )
    return folder


def taken(path: Path, key: bytes) -> Iterator[Batch]:
    """Yield what a capture or log comes to."""
    found: list[Batch] = []
    form = None if path.suffix == ".pcap" else form_of(path)
    if form is None:
        assert take_in(path, key, found.append).error is None
    else:
        take_in_log(path, form, setting_of(key), lambda batch, _: found.append(batch))
    yield from (batch for batch in found if not batch.empty())


@pytest.fixture
def known(store: Store, house: Path) -> list[Device]:
    """Return the devices that a house's packets and logs show, judged."""
    before = set(Device.objects.values_list("pk", flat=True))
    ingest = Ingest(store, "capture@house", kind="capture", site="house")
    for path in [*sorted((house / "site-1").glob("*.pcap")), *sorted(house.glob("logs/*/zeek/conn.log"))]:
        state = ingest.writer.begin_input(content_id(path), str(path), path.suffix[1:])
        for number, batch in enumerate(taken(path, ingest.token_key)):
            ingest.commit(state, number, batch)
    assert judge_stale(ingest.writer.tenant, "house")
    return list(Device.objects.exclude(pk__in=before).order_by("pk"))


def shown(client: Client, url: str) -> str:
    """Return a page; it must be there."""
    answer = client.get(url)
    assert answer.status_code == 200, (url, answer.status_code)
    return answer.content.decode()


def votes_of(page: str) -> list[str]:
    """Return the rows of votes on the page of a device."""
    return [row.group(0) for table in _VOTES.findall(page) for row in _ROW.finditer(table)]


def test_every_vote_leads_to_packets_or_lines(signed_in: SignedIn, known: list[Device]) -> None:
    client = signed_in(Role.VIEWER)
    followed: dict[str, str] = {}
    answered = 0
    for device in known:
        page = shown(client, f"/devices/{device.pk}/")
        stored = Identification.objects.get(device_id=device.pk).verdicts
        rows = votes_of(page)
        assert len(rows) == sum(len(verdict["ballots"]) for verdict in stored)
        answered += any(verdict["label"] for verdict in stored)
        for row in rows:
            if same_page := _LEVEL.search(row):
                assert f'id="{same_page.group(1)}"' in page
                continue
            (link,) = _LINK.findall(row)
            asked = re.search(r"field=([^&]*)", html.unescape(link))
            assert asked is not None, row
            followed.setdefault(asked.group(1), html.unescape(link))
    assert answered > len(known) / 2
    assert len(followed) > 10
    assert any(field.startswith("oui.") for field in followed)
    assert any(field.startswith("flow.") for field in followed)
    for field, link in followed.items():
        page = shown(client, link)
        assert _NUMBER.search(page), f"{field}: {link} names no packet and no line"


def test_every_fact_of_the_ledger_leads_to_packets_or_lines(signed_in: SignedIn, known: list[Device]) -> None:
    client = signed_in(Role.VIEWER)
    talkative = max(known, key=lambda d: len(shown(client, f"/devices/{d.pk}/")))
    page = shown(client, f"/devices/{talkative.pk}/")
    links = dict.fromkeys(
        html.unescape(link) for link in _LINK.findall(page) if f"/{talkative.pk}/evidence/" in link
    )
    assert len(links) > 10
    for link in list(links)[:40]:
        assert _NUMBER.search(shown(client, link)), link


def test_every_page_of_answers_leads_to_a_device(signed_in: SignedIn, known: list[Device]) -> None:
    client = signed_in(Role.ADMINISTRATOR)
    devices = {f"/devices/{device.pk}/" for device in known}
    devices |= {f"/devices/{pk}/" for pk in Device.objects.values_list("pk", flat=True)}
    lost = [start for start in PAGES if not leads_to(client, start, devices)]
    assert not [start for start in lost if 'class="empty"' not in shown(client, start)]
    assert len(lost) < len(PAGES) / 3


def leads_to(client: Client, start: str, devices: set[str]) -> bool:
    """Tell whether a device is two steps away from a page at most."""
    waiting, seen = deque([(start, 0)]), {start}
    while waiting:
        url, steps = waiting.popleft()
        answer = client.get(url, follow=True)
        if answer.status_code != 200:
            assert url != start, f"{start} is no page"
            continue
        text = answer.content.decode()
        links = [html.unescape(link) for link in _LINK.findall(text.partition("<main")[2] or text)]
        if devices & {link.partition("?")[0] for link in links}:
            return True
        if steps < _MOST_STEPS:
            fresh = [link for link in dict.fromkeys(links) if link not in seen and "export" not in link]
            seen.update(fresh)
            waiting += [(link, steps + 1) for link in fresh[:12]]
    return False
