from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from medwarden.kernel.clock import wall_clock
from medwarden.model.role import Role
from medwarden.store.changes import Change
from medwarden.store.models import AuditEntry, Device, VexDocument, VexStatement
from medwarden.store.open import Store

SignedIn = Callable[..., Client]
CVE = "CVE-2020-0001"


def text(answer: object) -> str:
    content = getattr(answer, "content")  # noqa: B009 (a response of the test client)
    return re.sub(r"\s+", " ", content.decode())


@pytest.fixture
def known(store: Store) -> Device:
    """A device of the furnished hospital of whose kind one vulnerability is confirmed."""
    from medwarden.model.vulnerability import Match, MatchState
    from medwarden.store.vulnerabilities import profiles_of, record_members, record_verdicts

    device = Device.objects.exclude(vendor=None).exclude(model=None).order_by("pk")[0]
    Device.objects.filter(pk=device.pk).update(firmware="2.0", confidence={})
    with Change("rule:test", "test", site=device.site_id) as change:
        fresh = record_members(change, profiles_of("default", [device.pk]), "test")
        match = Match("", CVE, "MADE-1", MatchState.CONFIRMED, "made up")
        record_verdicts(change, {key: [match] for key in fresh}, edition=1, rules="r", cause="test")
    return Device.objects.get(pk=device.pk)


def document(device: Device, author: str, status: str = "fixed") -> bytes:
    product = {"name": "it", "product_id": "P"}
    version = {"category": "product_version", "name": "2.0", "product": product}
    named = {"category": "product_name", "name": device.model, "branches": [version]}
    return json.dumps(
        {
            "document": {
                "category": "csaf_vex",
                "csaf_version": "2.0",
                "publisher": {"category": "vendor", "name": author, "namespace": "https://vex.example"},
                "tracking": {"id": "V-1", "version": "1", "current_release_date": "2026-01-01T00:00:00Z"},
            },
            "product_tree": {
                "branches": [{"category": "vendor", "name": device.vendor, "branches": [named]}]
            },
            "vulnerabilities": [{"cve": CVE, "product_status": {status: ["P"]}}],
        }
    ).encode()


def bring(client: Client, held: bytes) -> str:
    file = SimpleUploadedFile("vex.json", held, content_type="application/json")
    return text(client.post("/risk/vex/import/", {"document": file}, follow=True))


def verdict(device: Device) -> str:
    from medwarden.store.queries import Scope
    from medwarden.store.queries.vulnerabilities import VerdictFilter, verdicts

    wanted = VerdictFilter(devices=(device.pk,), vulnerability=CVE)
    return next(verdicts(Scope(), wanted, at_ns=wall_clock())).state.value


def test_a_strangers_word_waits_is_believed_and_taken_back(signed_in: SignedIn, known: Device) -> None:
    client = signed_in(Role.ANALYST)
    assert "1 waiting for you" in bring(client, document(known, "Somebody Else"))
    assert verdict(known) == "confirmed"
    page = text(client.get("/risk/vex/?state=waiting"))
    assert "Somebody Else" in page
    assert CVE in page
    row = VexStatement.objects.get()
    believed = {"id": row.pk, "decision": "accept", "reason": ""}
    assert "Say why" in text(client.post("/risk/vex/decide/", believed, follow=True))
    said = text(client.post("/risk/vex/decide/", {**believed, "reason": "asked"}, follow=True))
    assert "1 believed; verdicts of 1 devices changed" in said
    assert verdict(known) == "fixed"
    client.post(f"/risk/vex/statements/{row.pk}/reopen/", {"reason": "not sure"})
    assert verdict(known) == "confirmed"
    made = VexDocument.objects.get()
    assert "taken back" in text(client.post(f"/risk/vex/{made.pk}/undo/", {"reason": "old"}, follow=True))
    audited = AuditEntry.objects.filter(action__startswith="vex.", actor="user:analyst")
    steps = ["vex.imported", "vex.accepted", "vex.counts", "vex.reopened", "vex.undone"]
    assert list(audited.order_by("sequence").values_list("action", flat=True)) == steps


def test_the_makers_word_counts_at_once_over_the_api_too(signed_in: SignedIn, known: Device) -> None:
    client = signed_in(Role.NETWORK_ENGINEER)

    def post(path: str, body: object) -> tuple[int, dict[str, object]]:
        answer = client.post(f"/api/v1/vex/{path}", json.dumps(body), content_type="application/json")
        return answer.status_code, json.loads(answer.content or b"{}")

    status, taken = post("documents", {"document": document(known, str(known.vendor)).decode()})
    assert (status, taken["states"]) == (200, {"counts": 1})
    assert verdict(known) == "fixed"
    listed = client.get("/api/v1/vex/statements?state=counts").json()
    assert listed["items"][0]["author"] == known.vendor
    status, wrong = post("documents", {"document": "{}"})
    assert (status, "neither OpenVEX" in str(wrong["detail"])) == (422, True)
    status, _ = post("statements/decide", {"statements": [1], "accept": True, "reason": "x"})
    assert status == 422
    key = client.get("/api/v1/vex/documents").json()[0]["id"]
    assert post(f"documents/{key}/undo", {"reason": "x"})[0] == 204
    assert verdict(known) == "confirmed"


@pytest.mark.parametrize("form", ["csaf", "openvex"])
def test_the_hospitals_word_is_downloaded_and_audited(signed_in: SignedIn, known: Device, form: str) -> None:
    client = signed_in(Role.ADMINISTRATOR)
    client.post("/risk/vex/issuer/", {"name": "St. Elsewhere", "namespace": "https://elsewhere.example"})
    answer = client.get(f"/risk/vex/export/{form}/")
    held = json.loads(answer.content)
    assert answer["Content-Disposition"].startswith("attachment")
    assert "St. Elsewhere" in json.dumps(held)
    assert client.get(f"/api/v1/vex/export/{form}").json() == held
    assert AuditEntry.objects.filter(action="vex.exported").count() == 2
    assert client.get("/risk/vex/export/spdx/").status_code == 404
    assert "nothing to tell" in text(client.get(f"/risk/vex/export/{form}/?vendor=nobody", follow=True))


def test_a_person_of_some_sites_does_not_decide_for_all(signed_in: SignedIn, known: Device) -> None:
    client = signed_in(Role.ANALYST, "local", (known.site_id,))
    assert "every site" in bring(client, document(known, "Somebody Else"))
    assert not VexDocument.objects.exists()
    body = json.dumps({"document": document(known, "x").decode()})
    assert client.post("/api/v1/vex/documents", body, content_type="application/json").status_code == 422


def test_the_page_says_what_to_do_when_there_is_nothing(signed_in: SignedIn) -> None:
    client = signed_in(Role.ANALYST)
    assert "No statement yet" in text(client.get("/risk/vex/"))
    assert "Choose a JSON document" in text(client.post("/risk/vex/import/", follow=True))
    assert "no JSON" in bring(client, b"nothing")


def test_who_signed_is_shown_and_a_compared_key_counts(signed_in: SignedIn, known: Device) -> None:
    sequoia = pytest.importorskip("pysequoia", reason="the extra medwarden[openpgp] is not installed")
    key = sequoia.Tsk.generate("Acme PSIRT <psirt@acme.example>")
    certificate = key.extract_certificate()
    fingerprint = str(certificate.fingerprint).upper()
    held = document(known, "Axis")
    signed = bytes(sequoia.sign(key.signer(), held, mode=sequoia.SignatureMode.DETACHED))
    client = signed_in(Role.ADMINISTRATOR)

    def upload(what: bytes) -> str:
        files = [
            SimpleUploadedFile("vex.json.asc", signed),
            SimpleUploadedFile("vex.json.sha256", hashlib.sha256(what).hexdigest().encode()),
            SimpleUploadedFile("psirt.asc", str(certificate).encode()),
        ]
        form = {"document": SimpleUploadedFile("vex.json", what), "companions": files}
        return text(client.post("/risk/vex/import/", form, follow=True))

    assert "is of none of the keys" in upload(document(known, "Mallory"))
    assert not VexDocument.objects.exists()
    page = upload(held)
    assert "by a key nobody compared yet" in page
    assert "1 document is signed by a key that nobody compared yet" in page
    assert "Acme PSIRT &lt;psirt@acme.example&gt;" in page
    assert fingerprint in page
    assert VexStatement.objects.get().state == "waiting", "anybody can make a key in a maker's name"
    form = {"who": fingerprint, "publisher": "Axis", "reason": ""}
    assert "how you compared" in text(client.post("/risk/vex/trust/", form, follow=True))
    form["reason"] = "called their hotline"
    assert "by a trusted key" in text(client.post("/risk/vex/trust/", form, follow=True))
    assert VexStatement.objects.get().state == "counts"
    assert AuditEntry.objects.filter(action="knowledge.settings", reason="called their hotline").exists()
    form["who"] = "no fingerprint"
    assert "no fingerprint of an OpenPGP key" in text(client.post("/risk/vex/trust/", form, follow=True))
    ended = {"who": fingerprint, "publisher": "Axis", "act": "end", "reason": "stolen"}
    assert "not trusted for Axis" in text(client.post("/risk/vex/trust/", ended, follow=True))
    assert VexStatement.objects.get().state == "waiting"


def test_a_key_is_widened_and_ended_over_the_api(signed_in: SignedIn, known: Device) -> None:
    client, fingerprint = signed_in(Role.ADMINISTRATOR), "AB" * 20

    def put(**body: object) -> tuple[int, object]:
        answer = client.put("/api/v1/vex/keys", json.dumps(body), content_type="application/json")
        return answer.status_code, answer.json()

    assert put(who=fingerprint, publisher="Axis")[0] == 422
    status, held = put(who=fingerprint, publisher="Axis", reason="called them")
    assert (status, held[0]) == (200, {"id": fingerprint, "kind": "key", "publishers": ["Axis"]})  # type: ignore[index]  # JSON
    put(who=fingerprint, publisher="Bosch", reason="Axis signs for Bosch")
    assert client.get("/api/v1/vex/keys").json()[0]["publishers"] == ["Axis", "Bosch"]
    page = text(client.get("/risk/vex/"))
    assert fingerprint in page
    assert '<div class="anywhere">Bosch</div>' in page
    assert put(who=fingerprint, trusted=False, reason="stolen")[0] == 200
    assert fingerprint not in text(client.get("/risk/vex/"))
    assert put(who=fingerprint, trusted=False, reason="stolen")[0] == 422
    refused = signed_in(Role.ANALYST).put("/api/v1/vex/keys", "{}", content_type="application/json")
    assert refused.status_code == 403


def test_the_api_takes_signature_and_digest_with_the_document(signed_in: SignedIn, known: Device) -> None:
    sequoia = pytest.importorskip("pysequoia", reason="the extra medwarden[openpgp] is not installed")
    key = sequoia.Tsk.generate("Acme PSIRT <psirt@acme.example>")
    certificate = key.extract_certificate()
    held = document(known, "Acme")
    signed = bytes(sequoia.sign(key.signer(), held, mode=sequoia.SignatureMode.DETACHED))
    client = signed_in(Role.ANALYST)

    def post(what: bytes, *companions: bytes) -> tuple[int, dict[str, object]]:
        packed = [base64.b64encode(each).decode() for each in (what, *companions)]
        body = {"document": packed[0], "packed": True, "companions": packed[1:]}
        answer = client.post("/api/v1/vex/documents", json.dumps(body), content_type="application/json")
        return answer.status_code, answer.json()

    status, wrong = post(held, b"0" * 64)
    assert (status, "sha256 is not the one" in str(wrong["detail"])) == (422, True)
    status, wrong = post(document(known, "Mallory"), signed, str(certificate).encode())
    assert (status, "none of the keys" in str(wrong["detail"])) == (422, True)
    status, taken = post(held, signed, str(certificate).encode(), hashlib.sha512(held).hexdigest().encode())
    assert status == 200, taken
    assert taken["fingerprint"] == str(certificate.fingerprint).upper()
    assert taken["signer"] == "Acme PSIRT <psirt@acme.example>"
    (row,) = client.get("/api/v1/vex/documents").json()
    assert (row["fingerprint"], row["signer"]) == (taken["fingerprint"], taken["signer"])
    assert post(held, b"hello")[0] == 422
    unpacked = json.dumps({"document": "%", "packed": True})
    assert client.post("/api/v1/vex/documents", unpacked, content_type="application/json").status_code == 422
