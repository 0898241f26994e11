"""Every feed against a publisher that fails in every way: the edition in use stays, the status says why."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from tests.feeds import making
from tests.feeds.upstream import PROVIDER, Upstream, csaf_files, first_look, upstream
from tests.transport.publisher import status, whole

from medwarden.app import knowledge_status as app
from medwarden.app.knowledge_settings import SETTINGS, read_settings, sources_of
from medwarden.feeds.cve5_changes import LOG, RELEASE
from medwarden.feeds.download import is_live
from medwarden.feeds.nvd_pages import API
from medwarden.feeds.openfda import DOWNLOADS
from medwarden.feeds.registry import feeds
from medwarden.kernel.errors import ConfigurationError
from medwarden.store.knowledge import Knowledge

Signer = tuple[str, bytes, Callable[[bytes], bytes]]
"""Fingerprint, certificate, and what signs with its key."""

LIVE = [feed.manifest.id for feed in feeds() if is_live(feed)]


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Upstream]:
    with upstream(tmp_path / "home") as told:
        yield told


def state(web: Upstream, feed: str) -> app.FeedStatus:
    return next(s for s in app.status(web.home) if s.manifest.id == feed)


@pytest.mark.parametrize("feed", LIVE)
def test_a_second_look_finds_nothing_new(web: Upstream, feed: str) -> None:
    web.files = first_look(feed)
    assert web.sync(feed).edition is not None
    if feed == "cve5":
        web.files[LOG] = json.dumps([{"fetchTime": "2026-01-01T00:00:00.000Z"}]).encode()
    looked = state(web, feed).looked_ns
    again = web.sync(feed)
    assert (again.edition, again.error) == (None, "")
    assert state(web, feed).looked_ns > looked


def test_a_busy_publisher_is_waited_for_as_it_asks(web: Upstream) -> None:
    web.files = first_look("kev")
    url = next(iter(web.files))
    count = [0]

    def busy(to: BaseHTTPRequestHandler) -> None:
        count[0] += 1
        (status(429, Retry_After="7") if count[0] == 1 else whole(web.files[url]))(to)

    web.instead[url] = busy
    assert web.sync("kev").error == ""
    assert 7.0 in web.waited


def test_a_silent_publisher_is_given_up(web: Upstream) -> None:
    import threading

    released = threading.Event()
    web.files = first_look("kev")
    web.read_s = 0.1
    web.instead[next(iter(web.files))] = lambda to: (released.wait(60), None)[1]
    try:
        assert "after 5 tries" in web.sync("kev").error
    finally:
        released.set()


def test_a_publisher_whose_clock_is_wrong_is_said_and_read(web: Upstream) -> None:
    web.files = first_look("kev")
    web.instead[next(iter(web.files))] = whole(
        making.kev("CVE-2026-10001"), Date="Thu, 01 Jan 2032 00:00:00 GMT"
    )
    assert web.sync("kev").error == ""
    assert "the clock of www.cisa.gov is" in state(web, "kev").notes


def test_a_catalogue_that_lost_its_entries_is_not_taken(web: Upstream) -> None:
    web.files = first_look("kev")
    url = next(iter(web.files))
    web.files[url] = making.kev(*(f"CVE-2026-{n}" for n in range(20000, 20010)))
    web.sync("kev")
    web.files[url] = making.kev("CVE-2026-20001", day="2026-02-02")
    assert "it has 1 records, where there were 10" in web.sync("kev").error
    web.files[url] = making.kev("CVE-2026-20001", "CVE-2026-20002", day="2026-02-02", count=9)
    assert "it says that it has 9 records and has 2" in web.sync("kev").error
    web.files[url] = making.kev(*(f"CVE-2026-{n}" for n in range(20000, 20010)), day="2025-01-01")
    assert "older than what is in use" in web.sync("kev").error
    with Knowledge(web.home) as knowledge:
        assert len(knowledge.exploitations()) == 10


def test_a_feed_of_which_much_cannot_be_read_is_not_taken(web: Upstream) -> None:
    web.files = first_look("epss")
    url = next(iter(web.files))
    web.files[url] = making.epss(CVE_2026_10001=("0.5", "0.9")) + b"broken,1,1\n" * 10
    assert "seems to have changed its form" in web.sync("epss").error


def test_nvd_is_read_page_by_page_and_then_by_what_changed(
    web: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medwarden.feeds.nvd_pages.PAGE", 2)
    cves = [making.nvd_cve(f"CVE-2026-{n}") for n in range(10000, 10005)]
    for start in (0, 2, 4):
        page = making.nvd(*cves[start : start + 2], total=5, start=start)
        web.files[f"{API}?resultsPerPage=2&startIndex={start}"] = page
    assert web.sync("nvd").kept == 5
    assert len(web.asked) == 3
    with Knowledge(web.home) as knowledge:
        assert knowledge.states()["nvd"].state["since"].startswith("2026-01-02T03:04:05")
    web.asked.clear()
    web.files[API] = making.nvd(making.nvd_cve("CVE-2026-10003", modified="2026-01-05T00:00:00.000"))
    assert web.sync("nvd").kept == 1
    assert "lastModStartDate=2026-01-02T03%3A04%3A05" in web.asked[0]
    with Knowledge(web.home) as knowledge:
        assert len(list(knowledge.vulnerabilities())) == 5
        assert knowledge.vulnerability("CVE-2026-10003")[0].provenance.updated.startswith("2026-01-05")


def test_nvd_is_asked_no_faster_than_nist_wishes(web: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medwarden.feeds.nvd_pages.PAGE", 1)
    for start in range(7):
        page = making.nvd(making.nvd_cve(f"CVE-2026-1000{start}"), total=7, start=start)
        web.files[f"{API}?resultsPerPage=1&startIndex={start}"] = page
    assert web.sync("nvd").kept == 7
    assert sum(web.waited) >= 30


def test_cve_records_that_changed_are_fetched_one_by_one(web: Upstream) -> None:
    web.files = first_look("cve5")
    web.sync("cve5")
    link = "https://raw.githubusercontent.com/CVEProject/cvelistV5/main/cves/2026/10xxx/CVE-2026-10002.json"
    web.files = {
        LOG: json.dumps(
            [
                {
                    "fetchTime": "2026-01-03T00:00:00.000Z",
                    "new": [{"cveId": "CVE-2026-10002", "githubLink": link}],
                },
                {"fetchTime": "2025-12-31T00:00:00.000Z"},
            ]
        ).encode(),
        link: making.cve5("CVE-2026-10002", []),
    }
    assert web.sync("cve5").kept == 1
    assert RELEASE not in web.asked[2:]
    with Knowledge(web.home) as knowledge:
        assert {v.id for v in knowledge.vulnerabilities()} == {"CVE-2026-10001", "CVE-2026-10002"}


def test_recalls_since_are_asked_for_by_date(web: Upstream) -> None:
    web.files = first_look("fda_recall")
    web.sync("fda_recall")
    web.files[DOWNLOADS] = making.exports("2026-01-09", recall="https://download.open.fda.gov/gone.zip")
    web.files["https://api.fda.gov/device/recall.json"] = making.openfda(making.recall("Z-0002-2026"))
    assert web.sync("fda_recall").kept == 1
    assert re.search(r"event_date_posted:%5B2026-01-02\+TO\+2026-01-09%5D", web.asked[-1])
    with Knowledge(web.home) as knowledge:
        assert {r.id for r in knowledge.recalls()} == {"Z-0001-2026", "Z-0002-2026"}


def test_a_document_with_a_wrong_digest_changes_nothing(web: Upstream) -> None:
    web.files = first_look("csaf")
    web.sync("csaf")
    files = csaf_files({"acme-2": making.csaf("ACME-2", released="2026-03-01T00:00:00Z")})
    url = next(u for u in files if u.endswith("acme-2.json"))
    web.files = {**files, url: files[url].replace(b"Pump", b"Bump")}
    assert "its sha512 is not the one its publisher gives" in web.sync("csaf").error
    with Knowledge(web.home) as knowledge:
        assert [a.id for a in knowledge.advisories()] == ["ACME-1"]


def test_a_trusted_provider_without_digests_is_refused(web: Upstream) -> None:
    files = csaf_files({"acme-1": making.csaf("ACME-1")}, role="csaf_trusted_provider")
    web.files = {url: data for url, data in files.items() if not url.endswith(".sha512")}
    assert "has no digest, which its provider promises" in web.sync("csaf").error


@pytest.fixture
def signer() -> Signer:
    sequoia = pytest.importorskip("pysequoia", reason="the extra medwarden[openpgp] is not installed")
    key = sequoia.Tsk.generate("Acme <acme@acme.example>")

    def sign(data: bytes) -> bytes:
        return bytes(sequoia.sign(key.signer(), data, mode=sequoia.SignatureMode.DETACHED))

    certificate = key.extract_certificate()
    return str(certificate.fingerprint), bytes(certificate), sign


def _signed(web: Upstream, signer: Signer, document: bytes) -> str:
    fingerprint, certificate, sign = signer
    files = csaf_files(
        {"acme-1": document},
        role="csaf_trusted_provider",
        keys=[{"fingerprint": fingerprint, "url": "https://acme.example/key.asc"}],
    )
    url = next(u for u in files if u.endswith("acme-1.json"))
    files["https://acme.example/key.asc"] = certificate
    files[f"{url}.asc"] = sign(document)
    web.files = files
    return url


def test_a_signed_document_is_verified(web: Upstream, signer: Signer) -> None:
    _signed(web, signer, making.csaf("ACME-1"))
    assert web.sync("csaf").error == ""
    with Knowledge(web.home) as knowledge:
        advisory = knowledge.advisory("ACME-1")
        assert advisory is not None
        assert advisory.provenance.verified
    edition = state(web, "csaf").edition
    assert edition is not None
    assert edition.proof == "publisher"


def _by(document: bytes, publisher: str) -> bytes:
    return document.replace(b'"name": "Acme", "namespace"', f'"name": "{publisher}", "namespace"'.encode())


def _is_verified(web: Upstream, id: str) -> bool:
    with Knowledge(web.home) as knowledge:
        advisory = knowledge.advisory(id)
        assert advisory is not None
        assert {v.provenance.verified for v in advisory.vulnerabilities} == {advisory.provenance.verified}
        return advisory.provenance.verified


def test_a_provider_proves_no_word_of_another_publisher(web: Upstream, signer: Signer) -> None:
    _signed(web, signer, _by(making.csaf("ACME-1"), "Bcme"))
    assert web.sync("csaf").error == ""
    assert not _is_verified(web, "ACME-1")
    found = state(web, "csaf")
    assert found.edition is not None
    assert found.edition.proof == "transport"
    assert "name Bcme as publisher: they count as unsigned" in found.notes
    web.vouches = {PROVIDER: ("BCME",)}
    _signed(web, signer, _by(making.csaf("ACME-1", released="2026-05-05T00:00:00Z"), "Bcme"))
    assert web.sync("csaf").error == ""
    assert _is_verified(web, "ACME-1"), "a person said that it publishes for Bcme"


def test_a_provider_that_takes_another_name_does_not_speak_for_it(web: Upstream, signer: Signer) -> None:
    _signed(web, signer, making.csaf("ACME-1"))
    web.sync("csaf")
    assert _is_verified(web, "ACME-1")
    _signed(web, signer, _by(making.csaf("ACME-2", released="2026-05-05T00:00:00Z"), "Bcme"))
    web.files[PROVIDER] = _by(web.files[PROVIDER], "Bcme")
    assert web.sync("csaf").error == ""
    assert not _is_verified(web, "ACME-2")
    assert "was met as the provider of Acme and now says that it is of Bcme" in state(web, "csaf").notes


def test_a_forged_signature_changes_nothing(web: Upstream, signer: Signer) -> None:
    url = _signed(web, signer, making.csaf("ACME-1"))
    web.files[f"{url}.asc"] = signer[2](making.csaf("ACME-9"))
    assert "the signature is not one of Acme" in web.sync("csaf").error
    assert state(web, "csaf").edition is None


def test_a_key_with_another_fingerprint_changes_nothing(web: Upstream, signer: Signer) -> None:
    _signed(web, signer, making.csaf("ACME-1"))
    metadata = json.loads(web.files[PROVIDER])
    metadata["public_openpgp_keys"][0]["fingerprint"] = "00" * 20
    web.files[PROVIDER] = json.dumps(metadata).encode()
    assert "has not the fingerprint" in web.sync("csaf").error


def test_a_signature_that_was_taken_away_changes_nothing(web: Upstream, signer: Signer) -> None:
    url = _signed(web, signer, making.csaf("ACME-1"))
    del web.files[f"{url}.asc"]
    assert "has no signature, which its provider promises" in web.sync("csaf").error


def test_a_rolie_feed_is_followed_by_its_dates(web: Upstream) -> None:
    documents = {n: making.csaf(f"ACME-{n}", released=f"2026-01-0{n}T00:00:00Z") for n in (1, 2)}
    metadata = json.loads(csaf_files({})[PROVIDER])
    metadata["distributions"] = [
        {"rolie": {"feeds": [{"url": "https://acme.example/feed.json", "tlp_label": "WHITE"}]}}
    ]

    def feed(*numbers: int) -> bytes:
        entries = [
            {
                "id": f"ACME-{n}",
                "updated": f"2026-01-0{n}T00:00:00Z",
                "link": [],
                "content": {"src": f"https://acme.example/d/{n}.json", "type": "application/json"},
            }
            for n in numbers
        ]
        return json.dumps({"feed": {"id": "x", "title": "x", "entry": entries}}).encode()

    web.files = {PROVIDER: json.dumps(metadata).encode(), "https://acme.example/feed.json": feed(1)}
    web.files |= {f"https://acme.example/d/{n}.json": data for n, data in documents.items()}
    assert web.sync("csaf").kept == 1
    web.files["https://acme.example/feed.json"] = feed(1, 2)
    web.asked.clear()
    assert web.sync("csaf").kept == 1
    assert "https://acme.example/d/1.json" not in web.asked


def test_one_provider_that_fails_does_not_hold_up_the_others(web: Upstream) -> None:
    from medwarden.app.knowledge_settings import SyncSettings
    from medwarden.app.knowledge_sync import sync

    web.files = first_look("csaf")
    session = web.session()
    settings = SyncSettings(mirrors={"https://": f"{web.url}/"}, csaf=("gone.example", PROVIDER))
    (report,) = sync(web.home, ["csaf"], session=session, settings=settings, wall=lambda: web.wall_s)
    session.close()
    assert "gone.example publishes no CSAF metadata" in report.error
    assert report.kept == 1
    assert state(web, "csaf").edition is not None
    assert "gone.example" in state(web, "csaf").failure


def test_settings_are_read_and_wrong_ones_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "knowledge"
    folder.mkdir()
    path = folder / SETTINGS
    assert read_settings(tmp_path).proxy is None
    path.write_text("proxy: http://proxy.example:3128\ncsaf: [acme.example]\n")
    monkeypatch.setenv("MEDWARDEN_NVD_KEY", "a-key")
    settings = read_settings(tmp_path)
    assert settings.proxy == "http://proxy.example:3128"
    sources = sources_of(settings)
    assert (sources.csaf, sources.keys) == (("acme.example",), {"nvd": "a-key"})
    path.write_text("prxy: x\n")
    with pytest.raises(ConfigurationError, match="prxy"):
        read_settings(tmp_path)
