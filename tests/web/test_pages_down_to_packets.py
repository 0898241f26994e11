"""Every answer on every page leads down to packets or log lines: page, device, vote, input, number."""

from __future__ import annotations

import html
import re
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from medwarden.app.answers import give_answer
from medwarden.app.books import import_document
from medwarden.app.ingest import Ingest
from medwarden.app.intake import content_id, take_in
from medwarden.app.judge import judge_stale
from medwarden.app.log_intake import setting_of, take_in_log
from medwarden.app.places import import_stored
from medwarden.app.simulate import Request, simulate, start_of
from medwarden.model.batch import Batch
from medwarden.model.custom_attribute import AttributeKind, AttributeSpec
from medwarden.model.role import Role
from medwarden.sensors.log_files import form_of
from medwarden.store import queries as q
from medwarden.store.attributes import define, set_value
from medwarden.store.changes import Change
from medwarden.store.models import (
    BookMatch,
    Device,
    Identification,
    VerdictChange,
)
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
_EVIDENCE = re.compile(r'href="(/devices/[^/"]+/evidence/[^"#]*)')
_GROUND = re.compile(r'<td class="cell-main anywhere"><a class="mono" href="(/devices/[^/"]+/evidence/[^"]*)')
_SAID = re.compile(r"<h2>Who says so</h2>.*?<li><strong>[^<]+</strong>", re.DOTALL)
_ANSWER = re.compile(
    r'<td data-label="(?:On evidence|Is|Because|Book|Network|Heard)".*?</td>'
    r'|<tr><td class="mono anywhere">.*?</tr>'  # evidence of a factor
    r'|<span class="sub anywhere">(?:came|went): .*?</span> = .*?</span>',  # what changed an answer
    re.DOTALL,
)
HEARD, SAID = "packets or lines", "who said it"
_TABS = ("identity", "records", "risk", "traffic")
_MOST_STEPS = 2
_MOST_GROUNDS = 5
"""Steps from a page to packets: verdict, aspect, level, vote, fact."""


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


class Ways:
    """Follows links to evidence down to packets, lines, or to who said it; each page once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._ends: dict[str, str] = {}

    def end(self, link: str, steps: int = 0) -> str:
        """Return ``packets``, ``lines or packets gone`` ... as words, or where the way is lost."""
        if link in self._ends:
            return self._ends[link]
        if steps > _MOST_GROUNDS:
            return f"no end behind {link}"
        answer = self._client.get(link)
        if answer.status_code != 200:
            return f"{answer.status_code} at {link}"
        page = answer.content.decode()
        grounds = [html.unescape(g) for g in _GROUND.findall(page)]
        ends = {self.end(ground, steps + 1) for ground in grounds}
        lost = sorted(end for end in ends if end not in (HEARD, SAID))
        if lost:
            found = lost[0]
        elif _NUMBER.search(page):
            found = HEARD
        elif grounds:
            found = HEARD if HEARD in ends else SAID
        else:
            found = SAID if _SAID.search(page) else f"nothing at {link}"
        self._ends[link] = found
        return found


def answers_of(page: str) -> list[str]:
    """Return the cells and lines of a page that state evidence or an answer, as they are marked up."""
    found = []
    for cell in (match.group(0) for match in _ANSWER.finditer(page)):
        said = re.sub(r'<span class="faint[^"]*">[^<]*</span>|<[^>]+>', " ", cell)
        if re.search(r"\w", said):
            found.append(cell)
    return found


def test_every_vote_leads_to_packets_or_lines(signed_in: SignedIn, known: list[Device]) -> None:
    client = signed_in(Role.VIEWER)
    ways = Ways(client)
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
    assert {ways.end(link) for link in followed.values()} == {HEARD}


def test_every_answer_on_the_pages_of_devices_leads_down(
    signed_in: SignedIn, known: list[Device], store: Store
) -> None:
    """Identity, place, names, addresses, history, patient data, services, factors, records: all of them."""
    client = signed_in(Role.ADMINISTRATOR)
    ways = Ways(client)
    people_and_plans(known, store.home)
    asked: dict[str, str] = {}
    for at, device in enumerate(known):
        for tab in _TABS if at % 3 == 0 else _TABS[:1]:
            page = shown(client, f"/devices/{device.pk}/?tab={tab}").partition("<main")[2]
            bare = [cell for cell in answers_of(page) if "<a " not in cell]
            assert not bare, (device.pk, tab, bare[0])
            for link in map(html.unescape, _EVIDENCE.findall(page)):
                field = re.search(r"field=([^&]*)", link)
                assert field is not None, link
                asked.setdefault(field.group(1), link)
    lost = {field: end for field, link in asked.items() if (end := ways.end(link)) not in (HEARD, SAID)}
    assert not lost
    wanted = {
        "ip",
        "mac",
        "name",
        "place.building",
        "place.said",
        "statement.person",
        "stated",
        "flow.serves",
        "attribute.owner_team",
        "book.CMMS",
    }
    assert wanted <= set(asked)
    told = ("statement.person", "stated", "attribute.owner_team", "book.CMMS")
    assert {ways.end(asked[field]) for field in told} == {SAID}
    assert {ways.end(asked[field]) for field in ("ip", "mac", "place.building", "name")} == {HEARD}


def test_the_api_leads_down_step_by_step(signed_in: SignedIn, known: list[Device]) -> None:
    client = signed_in(Role.VIEWER)
    device = next(device for device in known if device.category not in (None, "unknown"))

    def below(field: str, value: str) -> dict[str, Any]:
        answer = client.get(f"/api/v1/devices/{device.pk}/evidence", {"field": field, "value": value})
        assert answer.status_code == 200, answer.content
        told: dict[str, Any] = answer.json()
        return told

    steps, asked = 0, ("category", device.category or "")
    while (told := below(*asked))["rests_on"]:
        asked = told["rests_on"][0]["field"], told["rests_on"][0]["value"]
        steps += 1
        assert steps <= _MOST_GROUNDS
    assert steps
    assert any(mention["number"] > 0 for heard in told["heard"] for mention in heard["mentions"])
    assert client.get(
        f"/api/v1/devices/{device.pk}/evidence", {"field": "dhcp.host_name", "value": "nobody"}
    ).status_code in (404, 422)


def people_and_plans(known: list[Device], home: Path) -> None:
    """Have a plan imported and a person answer, so that places come from it and an answer changes."""
    row = next(device for device in known if device.subnet and ":" not in device.subnet)
    table = f"subnet,building,floor,room\n{row.subnet},C,2,2.14\n".encode()
    import_stored(table, "plan of may.csv", actor="user:anna", site=row.site_id)
    told = next(
        device for device in known if device.vendor and device.category not in (None, "infusion_pump")
    )
    labels = {"category": "infusion_pump"}
    scope = q.Scope(told.tenant_id)
    give_answer(scope, told.pk, labels, home=home, actor="user:anna", reason="the type plate")
    assert VerdictChange.objects.filter(device_id=told.pk, level="category").exists()
    with Change("user:anna", "asked the ward", tenant=told.tenant_id, site=told.site_id) as change:
        define(change, AttributeSpec("owner_team", "Team", AttributeKind.CHOICE, ("HTM", "IT")))
        set_value(change, known[0].pk, "owner_team", "HTM")
    mac = known[0].macs[0]
    book = f"Asset,MAC address,Serial number,Manufacturer\nA-1,{mac},SN-4711,Acme\n".encode()
    import_document(book, "cmms.csv", actor="user:anna", name="CMMS", site=known[0].site_id)
    assert BookMatch.objects.filter(device_id=known[0].pk, state="matched").exists()


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
