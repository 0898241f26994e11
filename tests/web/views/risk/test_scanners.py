from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.test import Client
from tests.connectors.scanners.contract import ACCOUNT, SECRET, Contract, case_files, serving, status

from medwarden.app import scanner_pull
from medwarden.app.scanners import credentials_of
from medwarden.model.role import Role
from medwarden.store.models import AuditEntry, Scan, ScannerConnection
from medwarden.store.open import Store

SignedIn = Callable[..., Client]
(CASE,) = [path for path in case_files("nessus") if path.name.startswith("two_scans")]


def text(answer: object) -> str:
    content = getattr(answer, "content")  # noqa: B009 (a response of the test client)
    return re.sub(r"\s+", " ", content.decode())


@pytest.fixture
def nessus() -> Iterator[Contract]:
    with serving(CASE) as server:
        yield server


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch, store: Store) -> list[str]:
    """Let a pull be done in this process instead of one of its own, on the store that is open."""
    begun: list[str] = []

    def start(home: Path, connection: str = "") -> None:
        begun.append(connection)
        row = ScannerConnection.objects.get(pk=connection)
        scanner_pull._Pull(home, row, "", None, 0.0).run()

    monkeypatch.setattr(scanner_pull, "start", start)
    return begun


def form(url: str, **more: object) -> dict[str, object]:
    return {
        "name": "Basement", "interface": "nessus", "address": url, "account": ACCOUNT, "secret": SECRET,
        "every_hours": "24", "chosen": "", "fingerprint": "", "authorities": "", "proxy": "", **more,
    }  # fmt: skip


def site_of(client: Client) -> str:
    rows = client.get("/api/v1/devices?per=1").json()["items"]
    return str(rows[0]["site"])


def test_a_scanner_is_connected_asked_changed_and_disconnected(
    signed_in: SignedIn, nessus: Contract, at_once: list[str]
) -> None:
    client = signed_in(Role.ADMINISTRATOR)
    site = site_of(client)
    assert "No scanner is asked by itself" in text(client.get(f"/risk/scans/?site={site}"))
    said = text(client.post(f"/risk/scans/connect/?site={site}", form(nessus.url), follow=True))
    assert "Basement is connected and asked every 24 hours" in said
    row = ScannerConnection.objects.get()
    page = text(client.post(f"/risk/scans/scanners/{row.pk}/pull/", follow=True))
    assert "Basement is being asked" in page
    assert at_once == [row.pk]
    assert "2 new reports" in page
    assert Scan.objects.filter(source="Basement: Ward.nessus", actor="scanner:Basement").exists()

    change = {**form(nessus.url, name="Cellar", every_hours="6"), "account": "", "secret": ""}
    del change["interface"]
    assert "Cellar is changed" in text(client.post(f"/risk/scans/scanners/{row.pk}/", change, follow=True))
    row.refresh_from_db()
    assert (row.name, row.every_hours) == ("Cellar", 6)
    some = {**change, "chosen": "Ward 7\nWard 8"}
    client.post(f"/risk/scans/scanners/{row.pk}/", some)
    shown = client.get("/risk/scans/").content.decode()
    assert re.search(r"<textarea[^>]*>Ward 7\nWard 8</textarea>", shown)
    change["address"] = "https://elsewhere.example"
    page = text(client.post(f"/risk/scans/scanners/{row.pk}/", change, follow=True))
    assert "credentials have to be given again" in page

    end = f"/risk/scans/scanners/{row.pk}/disconnect/"
    assert "Say why" in text(client.post(end, {"reason": ""}, follow=True))
    assert "is asked no longer" in text(client.post(end, {"reason": "replaced"}, follow=True))
    row.refresh_from_db()
    assert row.sealed == ""
    actions = AuditEntry.objects.filter(action__startswith="scanner.").order_by("sequence")
    assert list(actions.values_list("action", flat=True)) == [
        "scanner.connected", "scanner.asked_for", "scanner.asked", "scanner.changed", "scanner.changed",
        "scanner.disconnected",
    ]  # fmt: skip


def test_a_failure_is_shown_and_the_secret_is_not(
    signed_in: SignedIn, nessus: Contract, at_once: list[str], store: Store
) -> None:
    client = signed_in(Role.ADMINISTRATOR)
    site = site_of(client)
    client.post(f"/risk/scans/connect/?site={site}", form(nessus.url))
    row = ScannerConnection.objects.get()
    assert credentials_of(store.home, row).secret == SECRET
    nessus.from_then_on = (0, status(401))
    page = text(client.post(f"/risk/scans/scanners/{row.pk}/pull/", follow=True))
    assert "does not accept these credentials" in page
    assert at_once
    everywhere = page + json.dumps(client.get("/api/v1/scanners").json())
    everywhere += " ".join(str(entry.__dict__) for entry in AuditEntry.objects.all())
    assert SECRET not in everywhere
    assert ACCOUNT not in everywhere


def test_the_api_connects_asks_and_disconnects(
    signed_in: SignedIn, nessus: Contract, at_once: list[str]
) -> None:
    client = signed_in(Role.ADMINISTRATOR)
    site = site_of(client)

    def send(method: str, path: str, body: object = None) -> tuple[int, dict[str, object]]:
        answer = client.generic(method, f"/api/v1/scanners{path}", json.dumps(body or {}), "application/json")
        return answer.status_code, json.loads(answer.content or b"{}")

    wanted = {
        "site": site, "interface": "nessus", "name": "Basement", "address": nessus.url,
        "credentials": {"account": ACCOUNT, "secret": SECRET}, "every_hours": 12,
    }  # fmt: skip
    assert send("POST", "", {**wanted, "site": "nowhere"})[0] == 404
    assert send("POST", "", {**wanted, "address": "http://nessus.example"})[0] == 422
    status_, made = send("POST", "", wanted)
    assert status_ == 200, made
    assert send("POST", "", wanted)[0] == 422, "the name is taken"
    assert send("POST", f"/{made['id']}/pull")[0] == 204
    assert at_once == [made["id"]]
    page = text(client.get("/risk/scans/"))
    assert ", next in" in " ".join(re.sub("<[^>]*>", "", page).split()), "in half a day"
    ScannerConnection.objects.update(ended_ns=1, begun_ns=1)
    assert "every 12 hours, due now" in text(client.get("/risk/scans/"))
    (row,) = client.get("/api/v1/scanners").json()
    assert (row["name"], row["brought"], row["error"], row["every_hours"]) == ("Basement", 2, "", 12)
    assert not {"sealed", "secret", "credentials", "account"} & set(row)
    assert send("PATCH", f"/{made['id']}", {"every_hours": 0, "chosen": ["Ward"]})[0] == 200
    (row,) = client.get("/api/v1/scanners").json()
    assert (row["next_ns"], row["chosen"]) == (0, ["Ward"])
    assert send("PATCH", "/sn-none", {"every_hours": 0})[0] == 404
    assert send("POST", "/sn-none/pull")[0] == 404
    assert send("POST", f"/{made['id']}/disconnect", {"reason": "replaced"})[0] == 204
    assert client.get("/api/v1/scanners").json() == []


def test_who_may_not_set_does_not_connect_and_a_site_is_needed(signed_in: SignedIn, nessus: Contract) -> None:
    analyst = signed_in(Role.ANALYST)
    assert analyst.post("/risk/scans/connect/", form(nessus.url)).status_code == 403
    assert "An administrator may connect one" in text(analyst.get("/risk/scans/"))
    assert not ScannerConnection.objects.exists()
