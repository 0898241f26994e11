"""Captures: listed, stopped, fetched without patients or raw with a reason, removed; all of it audited."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from io import BytesIO
from pathlib import Path

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.test import Client
from tests.flowcore import packets as made
from tests.product.patients import hl7, invented

from medwarden.kernel.clock import NANOSECONDS, wall_clock
from medwarden.model.role import Role
from medwarden.store.captures import NewCapture, begin_capture, end_capture
from medwarden.store.changes import Change
from medwarden.store.models import AuditEntry, CaptureJob, Device
from medwarden.store.open import Store, ensure_site
from medwarden.web.exports import streamed

SignedIn = Callable[..., Client]
(WHO,) = invented(1)


def pcapng() -> bytes:
    """Return a capture of HL7 messages about :data:`WHO`."""
    return made.section() + made.interface() + b"".join(made.enhanced(1, frame) for frame in hl7([WHO], 1))


@pytest.fixture
def begin(store: Store) -> Callable[..., str]:
    """Enter a capture; with ``files`` it has ended and left them."""

    def make(*, files: dict[str, bytes] | None = None, process: int = os.getpid(), site: str = "main") -> str:
        device = Device.objects.order_by("pk")[0]
        folder = str(store.home / "captures")
        wanted = NewCapture(
            device.pk, device.name or "?", "eth9", ("02:00:00:00:00:01",), (), 60, 100, None, folder, process
        )
        with Change("user:nina", "alarms arrive late", site=site) as change:
            number = begin_capture(change, wanted)
        place = Path(folder) / number
        place.mkdir(parents=True)
        for name, content in (files or {}).items():
            (place / name).write_bytes(content)
        if files:
            with Change("user:nina", "the capture ended") as change:
                end_capture(
                    change,
                    number,
                    ended_by="time",
                    error="",
                    packets=1,
                    dropped=0,
                    size=900,
                    files=list(files),
                )
        return number

    return make


Begin = Callable[..., str]


def test_the_list_says_what_runs_what_is_lost_and_what_ended(signed_in: SignedIn, begin: Begin) -> None:
    running, lost = begin(), begin(process=2**22 + 1)
    done = begin(files={"1.pcapng": pcapng()})
    client = signed_in(Role.VIEWER)
    page = client.get("/operations/captures/").content.decode()
    assert "Running" in page and "its process is gone" in page and "time limit reached" in page
    assert 'name="reason"' not in page
    states = {row["id"]: row["state"] for row in client.get("/api/v1/captures").json()["items"]}
    assert states == {running: "running", lost: "lost", done: "done"}
    assert client.get("/api/v1/captures", {"state": "done"}).json()["total"] == 1
    assert "No capture matches" in client.get("/operations/captures/", {"q": "zzz"}).content.decode()
    assert client.get(f"/api/v1/captures/{done}").json()["packets"] == 1
    assert client.get("/api/v1/captures/none").status_code == 404


def test_one_that_outlived_its_time_limit_is_lost_whoever_has_its_number_now(
    signed_in: SignedIn, begin: Begin
) -> None:
    number = begin()
    CaptureJob.objects.filter(pk=number).update(created_ns=wall_clock() - 400 * NANOSECONDS)
    assert signed_in(Role.VIEWER).get(f"/api/v1/captures/{number}").json()["state"] == "lost"


def test_a_running_capture_is_asked_to_stop(signed_in: SignedIn, begin: Begin) -> None:
    number = begin()
    client = signed_in(Role.NETWORK_ENGINEER)
    page = client.post(f"/operations/captures/{number}/stop/", {"reason": "enough"}, follow=True)
    assert "ends within a second" in page.content.decode()
    assert CaptureJob.objects.get(pk=number).stop_asked
    told = AuditEntry.objects.get(action="capture.stop_asked")
    assert (told.actor, told.reason) == ("user:network_engineer", "enough")
    page = client.post(f"/operations/captures/{number}/remove/", {"reason": "x"}, follow=True)
    assert "There is no ended capture" in page.content.decode()


def test_a_lost_capture_is_ended_with_the_files_it_left(signed_in: SignedIn, begin: Begin) -> None:
    number = begin(process=2**22 + 1)
    folder = Path(CaptureJob.objects.get(pk=number).folder)
    (folder / "1.pcapng").write_bytes(pcapng())
    client = signed_in(Role.NETWORK_ENGINEER)
    answer = client.post(
        f"/api/v1/captures/{number}/stop",
        {"reason": "its host was restarted"},
        content_type="application/json",
    )
    assert answer.status_code == 200
    row = answer.json()
    assert (row["state"], row["ended_by"], row["files"]) == ("failed", "lost", ["1.pcapng"])
    answer = client.get(f"/operations/captures/{number}/file/")
    assert answer.status_code == 200
    answer.close()


def test_what_is_downloaded_holds_no_patient_and_leaves_no_file(signed_in: SignedIn, begin: Begin) -> None:
    number = begin(files={"1.pcapng": pcapng(), "2.pcapng": pcapng()})
    folder = Path(CaptureJob.objects.get(pk=number).folder)
    assert WHO.family.encode() in (folder / "1.pcapng").read_bytes()
    client = signed_in(Role.ANALYST)
    answer = client.get(f"/operations/captures/{number}/file/")
    body = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    assert len(body) == int(answer["Content-Length"]) > 500
    assert body.count(made.section()) == 2
    assert WHO.family.encode() not in body
    assert f"{number}.pcapng" in answer["Content-Disposition"]
    assert sorted(p.name for p in folder.iterdir()) == ["1.pcapng", "2.pcapng"]
    told = AuditEntry.objects.get(action="capture.exported")
    assert (told.actor, told.subject) == ("user:analyst", f"capture:{number}")
    by_api = client.get(f"/api/v1/captures/{number}/file")
    assert b"".join(by_api.streaming_content) == body  # type: ignore[attr-defined]


def test_raw_packets_need_the_right_and_a_reason(signed_in: SignedIn, begin: Begin) -> None:
    number = begin(files={"1.pcapng": pcapng()})
    path = f"/operations/captures/{number}/raw/"
    assert signed_in(Role.NETWORK_ENGINEER).post(path, {"reason": "x"}).status_code == 403
    admin = signed_in(Role.ADMINISTRATOR)
    page = admin.post(path, {"reason": "  "}, follow=True).content.decode()
    assert "Say why: raw packets hold patients" in page
    asked = f"/api/v1/captures/{number}/raw"
    assert admin.post(asked, {"reason": " "}, content_type="application/json").status_code == 422
    assert not AuditEntry.objects.filter(action="capture.exported_raw").exists()
    answer = admin.post(path, {"reason": "the vendor asks for it"})
    assert b"".join(answer.streaming_content) == pcapng()  # type: ignore[attr-defined]
    told = AuditEntry.objects.get(action="capture.exported_raw")
    assert (told.actor, told.reason) == ("user:administrator", "the vendor asks for it")
    answer = admin.post(asked, {"reason": "once more"}, content_type="application/json")
    assert b"".join(answer.streaming_content) == pcapng()  # type: ignore[attr-defined]


def test_removed_packets_are_gone_and_the_record_stays(signed_in: SignedIn, begin: Begin) -> None:
    number = begin(files={"1.pcapng": pcapng()})
    folder = Path(CaptureJob.objects.get(pk=number).folder)
    client = signed_in(Role.NETWORK_ENGINEER)
    page = client.post(f"/operations/captures/{number}/remove/", {"reason": "ticket closed"}, follow=True)
    assert "are deleted" in page.content.decode() and "no packets kept" in page.content.decode()
    assert list(folder.iterdir()) == []
    page = client.get(f"/operations/captures/{number}/file/", follow=True)
    assert "has no files to fetch" in page.content.decode()
    assert client.get(f"/api/v1/captures/{number}/file").status_code == 422
    again = f"/api/v1/captures/{number}/remove"
    assert client.post(again, {"reason": "x"}, content_type="application/json").status_code == 200


def test_files_that_are_gone_and_files_that_are_no_capture_are_said(
    signed_in: SignedIn, begin: Begin
) -> None:
    gone, text = begin(files={"1.pcapng": b"x"}), begin(files={"1.pcapng": b"this is text, not a capture"})
    (Path(CaptureJob.objects.get(pk=gone).folder) / "1.pcapng").unlink()
    client = signed_in(Role.NETWORK_ENGINEER)
    page = client.get(f"/operations/captures/{gone}/file/", follow=True).content.decode()
    assert "1.pcapng is no longer in" in page
    page = client.get(f"/operations/captures/{text}/file/", follow=True).content.decode()
    assert f"Capture {text}: " in page
    assert client.get(f"/api/v1/captures/{text}/file").status_code == 503


def test_a_person_of_another_site_finds_no_capture(signed_in: SignedIn, begin: Begin) -> None:
    ensure_site(None, "clinic")
    number = begin(files={"1.pcapng": pcapng()})
    clara = signed_in(Role.NETWORK_ENGINEER, "clara", ("clinic",))
    assert clara.get("/api/v1/captures").json()["total"] == 0
    for path in ("stop", "remove"):
        assert clara.post(f"/operations/captures/{number}/{path}/", {"reason": "x"}).status_code == 404
    assert clara.get(f"/operations/captures/{number}/file/").status_code == 404


def test_the_devices_page_has_the_command_and_its_captures(signed_in: SignedIn, begin: Begin) -> None:
    begin(files={"1.pcapng": pcapng()})
    device = Device.objects.order_by("pk")[0].pk
    page = signed_in(Role.NETWORK_ENGINEER).get(f"/devices/{device}/?tab=packets").content.decode()
    assert f"medwarden capture {device} --interface INTERFACE" in page
    assert "--as network_engineer" in page and "alarms arrive late" in page
    page = signed_in(Role.VIEWER).get(f"/devices/{device}/?tab=packets").content.decode()
    assert "medwarden capture" not in page and "alarms arrive late" in page


def test_under_asgi_pieces_leave_one_after_the_other() -> None:
    drawn: list[int] = []

    def pieces(number: int = 0) -> bytes:
        drawn.append(number)
        return b"%d" % number

    async def first_two() -> list[bytes]:
        request = ASGIRequest({"type": "http", "method": "GET", "path": "/", "headers": []}, BytesIO())
        response = streamed(request, map(pieces, range(1000)), "text/plain")
        stream: AsyncIterator[bytes] = aiter(response)
        return [await anext(stream), await anext(stream)]

    assert asyncio.run(first_two()) == [b"0", b"1"]
    assert len(drawn) == 2
