"""The page of the sources of knowledge, and its API: what is old or failed is said, work runs beside."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from tests.feeds import making

from medwarden.app import knowledge_bundles as bundles
from medwarden.app.knowledge import import_files
from medwarden.app.knowledge_job import Job, last_job
from medwarden.app.knowledge_settings import read_settings
from medwarden.model.role import Role
from medwarden.store.knowledge import Knowledge
from medwarden.store.models import AuditEntry
from medwarden.store.open import Store
from medwarden.web.views.risk import knowledge as view

SignedIn = Callable[..., Client]
PAGE = "/risk/knowledge/"
HOUR = 3_600_000_000_000


@pytest.fixture
def known(store: Store, tmp_path: Path) -> Store:
    """A folder in which two sources are in use."""
    (tmp_path / "kev.json").write_bytes(
        making.kev("CVE-2026-10001", day=datetime.now(UTC).date().isoformat())
    )
    (tmp_path / "advisory.json").write_bytes(making.csaf())
    done = import_files(store.home, [tmp_path / "kev.json", tmp_path / "advisory.json"], unsigned=True)
    assert done.errors == ()
    return store


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Collect jobs in place of beginning them."""
    jobs: list[Job] = []

    def start(home: Path, job: Job) -> Job:
        del home
        jobs.append(job)
        return job

    monkeypatch.setattr(view, "start", start)
    monkeypatch.setattr("medwarden.web.api.knowledge.start", start)
    return jobs


def test_without_knowledge_the_page_says_what_to_do(store: Store, signed_in: SignedIn) -> None:
    text = signed_in(Role.ADMINISTRATOR).get(PAGE).content.decode()
    assert "Nothing is known yet" in text
    assert "Nothing is looked for by itself" in text
    assert "Known exploited vulnerabilities" in text


def test_every_source_says_its_age_and_what_is_wrong(known: Store, signed_in: SignedIn) -> None:
    with Knowledge(known.home, writable=True) as knowledge:
        knowledge.note_failure("kev", "www.cisa.gov refuses this machine")
    text = signed_in(Role.VIEWER).get(PAGE).content.decode()
    assert "1 of 2 sources is too old" in text  # the advisory is of January
    assert "www.cisa.gov refuses this machine" in text
    assert "The edition before stays in use." in text
    assert "brought by a person" in text
    assert "Ask the publishers now" not in text


def test_other_pages_say_that_knowledge_is_too_old(known: Store, signed_in: SignedIn) -> None:
    client = signed_in(Role.VIEWER)
    for page in ("/", "/risk/knowledge/record/"):
        text = client.get(page).content.decode()
        assert "Security advisories (CSAF): " in text, page
        assert "What is said of risk may be behind" in text, page
    assert "What is said of risk may be behind" not in client.get(PAGE).content.decode()


def test_techniques_of_findings_have_names_once_attack_was_brought(
    store: Store, signed_in: SignedIn, tmp_path: Path
) -> None:
    from medwarden.store.models import Finding

    row = Finding.objects.order_by("pk")[0]
    row.mitre = ["T0855", "T9999"]
    row.save()
    (tmp_path / "ics.json").write_bytes(making.attack("T0855"))
    import_files(store.home, [tmp_path / "ics.json"], unsigned=True)
    with Knowledge(store.home) as knowledge:
        name = knowledge.techniques()["T0855"].name
    text = signed_in(Role.VIEWER).get(f"/findings/{row.pk}/").content.decode()
    assert (
        f'<span class="mono nowrap">T0855</span> {name}, <span class="mono nowrap">T9999</span></dd>' in text
    )


def test_pages_are_silent_where_knowledge_is_fresh_or_nobody_brought_any(
    store: Store, signed_in: SignedIn
) -> None:
    client = signed_in(Role.VIEWER)
    assert "may be behind" not in client.get("/").content.decode()
    assert "No knowledge was taken in yet" in client.get(f"{PAGE}record/").content.decode()


def test_who_says_what_is_shown_with_its_origin(known: Store, signed_in: SignedIn) -> None:
    client = signed_in(Role.VIEWER)
    text = client.get(f"{PAGE}record/?q=cve-2026-10001").content.decode()
    assert "used in attacks, in CISA&#x27;s catalogue since 2026-01-01" in text
    assert "a person brought it and vouched for it" in text
    assert "No source in use speaks of it" in client.get(f"{PAGE}record/?q=CVE-1999-0001").content.decode()
    answer = client.get("/api/v1/knowledge/records/ACME-2026-001")
    (word,) = answer.json()
    assert (word["kind"], word["feed"], word["verified"]) == ("advisory", "csaf", False)
    assert client.get("/api/v1/knowledge/records/none").status_code == 404


def test_publishers_are_asked_beside_the_page(known: Store, signed_in: SignedIn, started: list[Job]) -> None:
    client = signed_in(Role.ANALYST)
    assert client.post(f"{PAGE}sync/", {"feed": "kev"}).status_code == 302
    answer = client.post(
        "/api/v1/knowledge/sync", json.dumps({"reason": "a new attack"}), content_type="application/json"
    )
    assert answer.status_code == 202
    assert [(job.kind, job.feeds, job.actor) for job in started] == [
        ("sync", ("kev",), "user:analyst"),
        ("sync", (), "user:analyst"),
    ]


def test_a_bundle_is_laid_down_and_taken_in_beside(
    known: Store, signed_in: SignedIn, started: list[Job], tmp_path: Path
) -> None:
    bundles.export_bundle(known.home, tmp_path / "all.bundle")
    data = (tmp_path / "all.bundle").read_bytes()
    client = signed_in(Role.ANALYST)
    sent = SimpleUploadedFile("all.bundle", data)
    assert client.post(f"{PAGE}import/", {"bundle": sent}).status_code == 302
    vouching = {"bundle": SimpleUploadedFile("all.zip", data), "unsigned": "on"}
    client.post(f"{PAGE}import/", vouching)
    (job,) = started
    assert Path(job.paths[0]).read_bytes() == data
    assert not job.unsigned
    signed_in(Role.ADMINISTRATOR).post(
        f"{PAGE}import/", {"bundle": SimpleUploadedFile("all.zip", data), "unsigned": "on"}
    )
    assert started[1].unsigned


def test_the_api_takes_a_bundle_as_well(known: Store, signed_in: SignedIn, started: list[Job]) -> None:
    client = signed_in(Role.ANALYST)
    answer = client.post("/api/v1/knowledge/bundles", {"bundle": SimpleUploadedFile("a", b"x")})
    assert answer.status_code == 202
    assert len(started) == 1
    answer = client.post(
        "/api/v1/knowledge/bundles", {"bundle": SimpleUploadedFile("a", b"x"), "unsigned": "true"}
    )
    assert answer.status_code == 422
    assert client.post("/api/v1/knowledge/bundles", {}).status_code == 422


def test_the_schedule_is_kept_and_audited(known: Store, signed_in: SignedIn) -> None:
    client = signed_in(Role.ADMINISTRATOR)
    form = {"on": "on", "at": "04:20", "zone": "Europe/Berlin", "jitter": "10"}
    client.post(f"{PAGE}schedule/", form)
    assert read_settings(known.home).schedule.at == "04:20"
    row = AuditEntry.objects.filter(action="knowledge.settings").get()
    assert row.actor == "user:administrator"
    client.post(f"{PAGE}schedule/", {**form, "zone": "Mars"})
    client.post(f"{PAGE}schedule/", {**form, "jitter": "a lot"})
    assert read_settings(known.home).schedule.zone == "Europe/Berlin"
    assert "Looked for by itself every day from 04:20" in client.get(PAGE).content.decode()
    answer = client.put(
        "/api/v1/knowledge/schedule",
        json.dumps({"on": False, "reason": "no internet"}),
        content_type="application/json",
    )
    assert answer.json()["next_ns"] is None


def test_ages_and_publishers_are_set(known: Store, signed_in: SignedIn) -> None:
    client = signed_in(Role.ADMINISTRATOR)
    client.post(f"{PAGE}csaf/age/", {"hours": "100000"})
    assert read_settings(known.home).stale_after == {}
    client.post(f"{PAGE}csaf/age/", {"hours": "80000"})
    assert read_settings(known.home).stale_after == {"csaf": 80000}
    client.post(f"{PAGE}csaf/age/", {"hours": ""})
    client.post(f"{PAGE}provider/", {"named": "philips.com"})
    assert "philips.com" in (read_settings(known.home).csaf or ())
    client.post(f"{PAGE}provider/", {"named": "philips.com", "act": "remove"})
    assert "philips.com" not in (read_settings(known.home).csaf or ())
    rows = client.get("/api/v1/knowledge/providers").json()
    assert rows[0]["asked"]


def test_a_key_is_trusted_and_forgotten(known: Store, signed_in: SignedIn, tmp_path: Path) -> None:
    id, pem = bundles.own_key(tmp_path / "elsewhere")
    client = signed_in(Role.ADMINISTRATOR)
    client.post(f"{PAGE}key/", {"pem": "none", "name": "x"})
    assert bundles.trusted(known.home) == []
    client.post(f"{PAGE}key/", {"pem": pem, "name": "the other house"})
    assert [key["id"] for key in client.get("/api/v1/knowledge/keys").json()] == [id]
    client.post(f"{PAGE}key/", {"forget": id})
    assert bundles.trusted(known.home) == []
    assert AuditEntry.objects.filter(action__startswith="knowledge.key").count() == 2


def test_everything_leaves_as_a_signed_bundle(known: Store, signed_in: SignedIn, tmp_path: Path) -> None:
    answer = signed_in(Role.ADMINISTRATOR).post(f"{PAGE}bundle/")
    out = tmp_path / "came.bundle"
    out.write_bytes(io.BytesIO(b"".join(answer.streaming_content)).getvalue())  # type: ignore[attr-defined]  # a streamed answer
    assert bundles.is_bundle(out)
    assert list((known.home / "knowledge").glob("leaving-*")) == []


def test_what_is_under_way_and_what_it_came_to_is_shown(known: Store, signed_in: SignedIn) -> None:
    from medwarden.app.knowledge_job import run

    path = known.home / "kev2.json"
    newer = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    path.write_bytes(making.kev("CVE-2026-10001", "CVE-2026-10002", day=newer))
    known.close()
    done = run(known.home, Job("import", "user:anna", paths=(str(path),), unsigned=True))
    assert done.errors == ()
    client = signed_in(Role.VIEWER)
    text = client.get(PAGE).content.decode()
    assert "files brought by user:anna" in text
    assert "New, changed or withdrawn: 1 word on attacks." in text
    assert client.get("/api/v1/knowledge/job").json()["sentences"][-1].startswith("Nothing changes")
    part = client.get(f"{PAGE}job/")
    assert part["HX-Refresh"] == "true"
    found = last_job(known.home)
    assert found is not None
    assert not found.running


def test_the_api_says_how_knowledge_stands(known: Store, signed_in: SignedIn) -> None:
    client = signed_in(Role.VIEWER)
    rows = {row["id"]: row for row in client.get("/api/v1/knowledge").json()}
    assert rows["kev"]["counts"] == {"exploitation": 1}
    assert rows["kev"]["licence"] == "CC0-1.0"
    assert client.get("/api/v1/knowledge/standing").json()["stale"] == ["csaf"]
    admin = signed_in(Role.ADMINISTRATOR)
    table = b"".join(admin.get(f"{PAGE}export.csv").streaming_content).decode()  # type: ignore[attr-defined]  # a streamed answer
    assert table.splitlines()[0].startswith("id,title,publisher")
