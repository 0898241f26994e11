"""From a scanner's report to the hospital's own word, page by page, as a person goes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from medwarden.kernel.clock import wall_clock
from medwarden.model.role import Role
from medwarden.store.models import Device, Interface, MakerLetter
from medwarden.store.queries import Scope
from medwarden.store.queries.vulnerabilities import VerdictFilter, verdicts

SignedIn = Callable[..., Client]
CVE = "CVE-2020-0001"


def text(answer: object) -> str:
    content = getattr(answer, "content")  # noqa: B009 (a response of the test client)
    return re.sub(r"\s+", " ", content.decode())


def report(mac: str) -> SimpleUploadedFile:
    document = (
        '<?xml version="1.0"?><NessusClientData_v2><Report name="Ward"><ReportHost name="a"><HostProperties>'
        f'<tag name="mac-address">{mac}</tag><tag name="Credentialed_Scan">true</tag>'
        '<tag name="HOST_END_TIMESTAMP">1780000000</tag></HostProperties>'
        '<ReportItem port="443" protocol="tcp" severity="3" pluginID="1" pluginName="Old web server">'
        f"<cve>{CVE}</cve><cvss3_base_score>8.1</cvss3_base_score></ReportItem></ReportHost></Report>"
        "</NessusClientData_v2>"
    )
    return SimpleUploadedFile("ward.nessus", document.encode())


def answer(device: Device) -> SimpleUploadedFile:
    version = {"category": "product_version", "name": "2.0", "product": {"name": "it", "product_id": "P"}}
    model = {"category": "product_name", "name": device.model, "branches": [version]}
    document = {
        "document": {
            "category": "csaf_vex",
            "csaf_version": "2.0",
            "title": "Answer",
            "publisher": {
                "category": "vendor",
                "name": device.vendor,
                "namespace": "https://maker.example",
            },
            "tracking": {
                "id": "ANSWER-1",
                "version": "1",
                "status": "final",
                "initial_release_date": "2026-01-01T00:00:00Z",
                "current_release_date": "2026-01-01T00:00:00Z",
            },
        },
        "product_tree": {"branches": [{"category": "vendor", "name": device.vendor, "branches": [model]}]},
        "vulnerabilities": [{"cve": CVE, "product_status": {"known_not_affected": ["P"]}}],
    }
    return SimpleUploadedFile("answer.json", json.dumps(document).encode())


def test_from_a_scanners_report_to_the_hospitals_own_word(signed_in: SignedIn) -> None:
    macs = dict(Interface.objects.exclude(mac="").values_list("device_id", "mac"))
    device = Device.objects.exclude(vendor=None).exclude(model=None).filter(pk__in=macs).order_by("pk")[0]
    Device.objects.filter(pk=device.pk).update(firmware="2.0", confidence={})
    client = signed_in(Role.ADMINISTRATOR)
    site = device.site_id

    said = text(
        client.post(f"/risk/scans/import/?site={site}", {"report": report(macs[device.pk])}, follow=True)
    )
    assert "1 of 1 hosts are devices here, 1 sightings" in said
    page = text(client.get(f"/risk/vulnerabilities/{CVE}/"))
    assert "Nessus" in page, "who saw it stands on the page of the vulnerability"
    for form in ("nessus", "reasons"):
        assert client.get(f"/risk/scans/exclusions/{form}/?site={site}").status_code == 200

    wanted = {"maker": device.vendor, "model": device.model, "firmware": "2.0", "vulnerabilities": CVE}
    client.post("/risk/letters/write/", wanted)
    letter = MakerLetter.objects.get()
    assert CVE in letter.text
    step = f"/risk/letters/{letter.pk}/step/"
    assert "counts as sent" in text(
        client.post(step, {"what": "send", "to": "psirt@maker.example"}, follow=True)
    )
    answered = text(client.post(step, {"what": "answer", "document": answer(device)}, follow=True))
    assert "not affected" in answered, "the letter shows what the maker says"

    wanted_rows = VerdictFilter(devices=(device.pk,), vulnerability=CVE)
    verdict = next(verdicts(Scope(), wanted_rows, at_ns=wall_clock()))
    assert verdict.state.value == "not_affected", verdict
    held = client.get(f"/risk/vex/export/csaf/?cve={CVE}")
    (told,) = json.loads(held.content)["vulnerabilities"]
    assert told["cve"] == CVE
    assert "known_not_affected" in told["product_status"]
