from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from tests.knowledge import mds2_forms as made

from medwarden.model.role import Role
from medwarden.store.models import AuditEntry, Device, DisclosureForm, Finding
from medwarden.store.open import Store

SignedIn = Callable[..., Client]
One = Callable[..., Device]
VENDOR, MODEL = "Nordlicht Medizintechnik GmbH", "Perfusor Aurora 200"


@pytest.fixture
def pump(store: Store, one: One) -> Device:
    """Return a device of the model that the made-up form is of."""
    device = one(device_class="IoMT")
    Device.objects.filter(pk=device.pk).update(vendor=VENDOR, model=MODEL)
    return Device.objects.get(pk=device.pk)


def document(said: dict[str, str] | None = None) -> SimpleUploadedFile:
    rows = made.rows_2019({"ALOF-1": "Perhaps", **(said or {})}, printed={"SAHD-15": "SHAD-15"})
    return SimpleUploadedFile("aurora.xlsx", made.xlsx({"MDS2": rows}))


def ticket_of(client: Client, file: SimpleUploadedFile) -> str:
    answer = client.post("/risk/mds2/preview/", {"form": file})
    assert answer.status_code == 200, answer.content
    found = re.search(r'name="ticket" value="([^"]+)"', answer.content.decode())
    assert found is not None
    return found.group(1)


def bring_in(client: Client, said: dict[str, str] | None = None) -> str:
    ticket = ticket_of(client, document(said))
    answer = client.post("/risk/mds2/keep/", {"ticket": ticket, "vendor": VENDOR, "model": MODEL})
    assert answer.status_code == 302
    return answer.headers["Location"].split("?")[0]


def said_on(client: Client, page: str) -> str:
    return client.get(page).content.decode()


def test_without_forms_the_page_says_what_to_do(store: Store, signed_in: SignedIn) -> None:
    page = said_on(signed_in(Role.BIOMEDICAL_ENGINEER), "/risk/mds2/")
    assert "No form yet" in page and "Read it" in page
    assert "Read it" not in said_on(signed_in(Role.VIEWER), "/risk/mds2/")


def test_a_form_is_shown_before_it_is_kept(store: Store, signed_in: SignedIn, pump: Device) -> None:
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    answer = client.post("/risk/mds2/preview/", {"form": document()})
    page = answer.content.decode()
    assert "SHAD-15 is printed where SAHD-15 is meant" in page
    assert "is neither yes, no, not applicable nor a note" in page and "Nothing is kept yet" in page
    assert "Erika" not in page and DisclosureForm.objects.count() == 0
    where = bring_in(client)
    assert DisclosureForm.objects.get().model == MODEL
    assert AuditEntry.objects.filter(action="mds2.imported", actor="user:biomedical_engineer").exists()
    page = said_on(client, where)
    assert MODEL in page and "Needs of the network" in page and pump.pk in page
    listed = said_on(client, "/risk/mds2/?situation=held")
    assert MODEL in listed and "of 2024-05-17" in listed


def test_what_is_no_form_is_answered_with_a_sentence(store: Store, signed_in: SignedIn) -> None:
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    scan = SimpleUploadedFile("scan.pdf", made.pdf([[]], picture=True))
    answer = client.post("/risk/mds2/preview/", {"form": scan}, follow=True)
    assert "The file scan.pdf was not read: a scan" in answer.content.decode()
    assert "choose the file" in client.post("/risk/mds2/preview/", {}, follow=True).content.decode().lower()


def test_a_preview_is_the_persons_own_and_cannot_be_forged(store: Store, signed_in: SignedIn) -> None:
    ticket = ticket_of(signed_in(Role.BIOMEDICAL_ENGINEER), document())
    other = signed_in(Role.NETWORK_ENGINEER)
    for sent in (ticket, ticket[:-4] + "AAAA", ""):
        answer = other.post("/risk/mds2/keep/", {"ticket": sent, "vendor": "x", "model": "y"})
        assert answer.status_code == 302
    assert DisclosureForm.objects.count() == 0


def test_differences_are_first_and_lead_to_findings(store: Store, signed_in: SignedIn, pump: Device) -> None:
    from medwarden.store.models import EvidenceEntry

    EvidenceEntry.objects.filter(device=pump).delete()
    row = EvidenceEntry.objects.first()
    assert row is not None
    row.pk, row.device_id, row.field, row.value = None, pump.pk, "hl7.patient_data", "yes"
    row.save(force_insert=True)
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    where = bring_in(client, {"MPII-1": "No"})
    finding = Finding.objects.get(kind="declaration", type="declared_no_patient_data", state="open")
    page = said_on(client, where)
    assert f"/findings/{finding.pk}/" in page and "1 of 1 device is not as it declares" in page
    coverage = said_on(client, "/risk/mds2/?situation=contradicted")
    assert MODEL in coverage and "1 difference" in coverage
    records = said_on(client, f"/devices/{pump.pk}/?tab=records")
    assert "Maker&#x27;s form" in records or "Maker's form" in records
    assert finding.title.partition(":")[0] in records
    shown = said_on(client, f"/findings/{finding.pk}/")
    assert "MPII-1" in shown and "hl7.patient_data" in shown
    (answer,) = re.findall(rf'href="(/devices/{pump.pk}/evidence/[?]field=mds2.MPII-1&[^"]*)"', shown)
    assert f'href="{where}' in said_on(client, unescape(answer)), "the answer leads down to the form"
    assert f"/devices/{pump.pk}/evidence/?field=hl7.patient_data" in shown, "and the other side to packets"
    policy = said_on(client, f"/devices/{pump.pk}/?tab=policy")
    assert "What its maker says it needs" in policy


def test_forms_are_attached_withdrawn_and_restored_by_hand(
    store: Store, signed_in: SignedIn, pump: Device, one: One
) -> None:
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    where = bring_in(client)
    other = Device.objects.exclude(pk=pump.pk).order_by("pk")[0]
    client.post(f"{where}attach/", {"device": other.pk, "reason": "same pump", "decision": "belongs"})
    assert other.pk in said_on(client, where)
    client.post(f"{where}attach/", {"device": other.pk, "reason": "no", "decision": "forget"})
    client.post(f"{where}attach/", {"device": pump.pk, "reason": "another", "decision": "apart"})
    assert "No device in what you may see" in said_on(client, where)
    client.post(f"{where}standing/", {"reason": "of another version", "back": "0"})
    assert "was withdrawn" in said_on(client, where)
    client.post(f"{where}standing/", {"reason": "", "back": "1"})
    assert "was withdrawn" in said_on(client, where)
    client.post(f"{where}standing/", {"reason": "it was right", "back": "1"})
    assert "was withdrawn" not in said_on(client, where)


def test_only_who_may_see_every_site_brings_forms_in(store: Store, signed_in: SignedIn) -> None:
    client = signed_in(Role.BIOMEDICAL_ENGINEER, "eva", ("main",))
    answer = client.post("/risk/mds2/preview/", {"form": document()}, follow=True)
    assert "concerns every site" in answer.content.decode()
    assert signed_in(Role.VIEWER).post("/risk/mds2/preview/", {"form": document()}).status_code == 403


def test_answers_are_downloaded_in_our_words(store: Store, signed_in: SignedIn, pump: Device) -> None:
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    where = bring_in(client)
    answer = client.get("/risk/mds2/export.csv", {"form": where.rstrip("/").rpartition("/")[2]})
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]  # a streamed answer
    assert "SAHD-15" in text and "Access to its firmware at start can be prevented" in text
    assert client.get("/risk/mds2/export.pdf").status_code == 404


def test_the_api_brings_in_and_tells_the_same(store: Store, signed_in: SignedIn, pump: Device) -> None:
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    answer = client.post("/api/v1/mds2", {"file": document(), "vendor": "", "model": ""})
    assert answer.status_code == 200, answer.content
    kept = answer.json()
    assert kept["new"] and kept["devices"] == 1
    assert [f["id"] for f in client.get("/api/v1/mds2").json()["items"]] == [kept["id"]]
    one_form = client.get(f"/api/v1/mds2/{kept['id']}").json()
    assert {"SAHD-15"} <= {a["question"] for a in one_form["answers"]}
    row = next(r for r in client.get("/api/v1/mds2/coverage").json() if r["model"] == MODEL)
    assert row["with_form"] == 1
    device = client.get(f"/api/v1/devices/{pump.pk}/mds2").json()
    assert device["form"] == kept["id"] and device["needs"]["remote_service"] is False
    wrong = client.post(
        "/api/v1/mds2", {"file": SimpleUploadedFile("x.txt", b"hello"), "vendor": "", "model": ""}
    )
    assert wrong.status_code == 422 and "neither a spreadsheet" in wrong.json()["detail"]
    body = {"reason": "of another version"}
    done = client.post(f"/api/v1/mds2/{kept['id']}/standing", body, content_type="application/json")
    assert done.status_code == 204
    assert client.get(f"/api/v1/devices/{pump.pk}/mds2").status_code == 404
    assert client.get("/api/v1/mds2/none").status_code == 404
