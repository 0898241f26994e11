"""Every feed against one server that has what its publisher has, and fails in every way a publisher can.

Whatever happens: nothing half-written, the edition before stays in use, and the status says why in words.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import ssl
import subprocess
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tests.feeds import making
from tests.feeds.upstream import Files, Upstream, first_look, seeds_of, upstream
from tests.transport.publisher import Answer, cut, endless, rest, status, whole

from medwarden.app.knowledge_status import FeedStatus, check, standing
from medwarden.app.knowledge_status import status as status_of
from medwarden.feeds.cve5_changes import LOG, RELEASE
from medwarden.feeds.download import is_live
from medwarden.feeds.registry import feeds
from medwarden.store.knowledge import Knowledge

LIVE = [feed.manifest.id for feed in feeds() if is_live(feed)]
INCREMENTAL = ("nvd", "cve5", "csaf", "osv", "fda_recall", "fda_enforcement", "fda_udi")
GIBI = 1 << 30


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Upstream]:
    with upstream(tmp_path / "home") as told:
        yield told


def stands(web: Upstream, feed: str) -> FeedStatus:
    return next(s for s in status_of(web.home) if s.manifest.id == feed)


def main_of(feed: str, files: Files) -> str:
    """Return the address that holds the records."""
    if feed == "csaf":
        return next(url for url in files if url.endswith("acme-1.json"))
    return list(files)[-1]


def leads_on(url: str) -> Answer:
    return status(302, Location=url)


def promising(size: int) -> Answer:
    """Promise so many bytes and send a few."""

    def answer(to: BaseHTTPRequestHandler) -> None:
        to.send_response_only(200)
        to.send_header("Content-Length", str(size))
        to.end_headers()
        to.wfile.write(b"x" * 1000)

    return answer


def dripping(to: BaseHTTPRequestHandler) -> None:
    """Send little; the clock of the session does the rest."""
    to.send_response_only(200)
    to.send_header("Connection", "close")
    to.end_headers()
    to.wfile.write(b"x" * 2000)


def bomb(feed: str) -> bytes:
    """Return a small file that begins as the feed's own and unpacks to far more than it may."""
    first = next(iter(seeds_of(feed).values()))
    return gzip.compress(first[: len(first) // 2] + b" " * (8 << 20), 9)


Failure = Callable[[Upstream, str, bytes], tuple[Answer, str]]

FAILURES: dict[str, Failure] = {
    "401": lambda *_: (status(401), "wants credentials"),
    "403": lambda *_: (status(403), "refuses this machine"),
    "404": lambda *_: (status(404), "has no such file"),
    "410": lambda *_: (status(410), "is gone for good"),
    "429 for a day": lambda *_: (status(429, Retry_After="86400"), "asks to come back in 86400 seconds"),
    "429 until a date": lambda *_: (
        status(429, Retry_After="Thu, 01 Jan 2032 00:00:00 GMT"),
        "asks to come back in",
    ),
    "500": lambda *_: (status(500), "it answered 500"),
    "502": lambda *_: (status(502), "it answered 502"),
    "503": lambda *_: (status(503), "after 5 tries"),
    "cut": lambda _, __, body: (cut(body + b" " * 2000, len(body) // 2), "after 5 tries"),
    "whole by its length and cut inside": lambda _, __, body: (whole(body[: len(body) // 2]), ""),
    "dripping": lambda *_: (dripping, "bytes a second"),
    "2 GB promised": lambda *_: (promising(2 * GIBI), "larger than the"),
    "without end": lambda *_: (endless(b"x" * (1 << 16)), "larger than the"),
    "empty": lambda *_: (whole(b""), ""),
    "another schema": lambda *_: (whole(b'{"data": [{"identifier": 1}]}'), "nothing was changed"),
    "a page for people": lambda *_: (
        whole(b"<!DOCTYPE html><title>Maintenance</title>"),
        "nothing was changed",
    ),
    "noise": lambda *_: (whole(bytes(range(256)) * 40), ""),
    "a loop of redirects": lambda _, url, __: (
        leads_on("/" + url.removeprefix("https://")),
        "leads on more than 5",
    ),
    "a redirect without TLS": lambda *_: (leads_on("http://elsewhere.example/x"), "only https is used"),
    "a bomb": lambda _, feed, __: (whole(bomb(feed)), ""),
}
"""What a publisher does, and words of the sentence that says so (none where the feed decides)."""


@pytest.mark.parametrize("feed", LIVE)
def test_whatever_a_publisher_does_the_edition_before_stays_in_use(
    web: Upstream, feed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medwarden.app.knowledge_sync._LEAST_UNPACKED", 4 << 20)
    files = first_look(feed)
    web.files = dict(files)
    assert web.sync(feed).edition is not None
    before = stands(web, feed)
    with Knowledge(web.home, writable=True) as knowledge, knowledge.change():
        # What is remembered of the publisher would keep it from being asked at all.
        knowledge.db.execute("UPDATE feed SET state = '{}'")
    if feed == "csaf":  # a wrong digest is tried apart
        web.files = {url: data for url, data in files.items() if not url.endswith(".sha512")}
    main = main_of(feed, files)
    for name, failure in FAILURES.items():
        of = feed if name == "a bomb" else main
        web.instead[main], words = failure(web, of, files[main])
        web.slow = name == "dripping"
        report = web.sync(feed)
        assert report.error, name
        assert words in report.error, name
        after = stands(web, feed)
        assert (after.edition, after.counts) == (before.edition, before.counts), name
        assert after.failure == report.error, name
        assert after.failed_ns > before.looked_ns, name
        assert any(report.error in sentence for sentence in standing(web.home).sentences), name
        folder = web.home / "knowledge"
        assert not [*folder.glob("arriving-*"), *folder.glob("gathering-*")], name
    assert check(web.home) == ()
    web.slow = False
    web.instead.clear()
    web.files = files
    assert web.sync(feed).error == ""
    assert stands(web, feed).failure == ""
    assert not [p for p in (web.home / "knowledge" / "under-way").rglob("*") if p.is_file()]


@pytest.mark.parametrize("feed", INCREMENTAL)
def test_what_is_asked_for_next_is_not_forgotten_when_a_later_look_fails(web: Upstream, feed: str) -> None:
    web.files = first_look(feed)
    web.sync(feed)
    with Knowledge(web.home) as knowledge:
        before = knowledge.states()[feed]
    web.otherwise = status(503)
    assert web.sync(feed).error
    with Knowledge(web.home) as knowledge:
        after = knowledge.states()[feed]
    assert after.state == before.state
    assert after.state
    assert after.edition == before.edition


@pytest.mark.parametrize("feed", LIVE)
def test_a_publisher_that_is_busy_for_a_moment_is_waited_for(web: Upstream, feed: str) -> None:
    web.files = first_look(feed)
    main, asked = main_of(feed, web.files), [0]

    def busy(to: BaseHTTPRequestHandler) -> None:
        asked[0] += 1
        (status(429, Retry_After="7") if asked[0] == 1 else whole(web.files[main]))(to)

    web.instead[main] = busy
    assert web.sync(feed).error == ""
    assert 7.0 in web.waited


@pytest.mark.parametrize("feed", LIVE)
def test_a_download_that_was_cut_is_taken_up_where_it_ended(web: Upstream, feed: str) -> None:
    web.files = first_look(feed)
    main, spans = main_of(feed, web.files), []
    body = web.files[main]

    def halting(to: BaseHTTPRequestHandler) -> None:
        spans.append(to.headers.get("Range", ""))
        (cut(body, len(body) // 2, ETag='"one"') if len(spans) == 1 else rest(body, ETag='"one"'))(to)

    web.instead[main] = halting
    assert web.sync(feed).error == ""
    assert spans == ["", f"bytes={len(body) // 2}-"]


@pytest.mark.parametrize("feed", LIVE)
def test_a_clock_that_is_years_ahead_is_told_and_changes_nothing(web: Upstream, feed: str) -> None:
    web.files = first_look(feed)
    main = main_of(feed, web.files)
    web.instead[main] = whole(web.files[main], Date="Thu, 01 Jan 2032 00:00:00 GMT")
    assert web.sync(feed).error == ""
    after = stands(web, feed)
    assert "ahead of ours" in after.notes
    assert not after.stale


@pytest.mark.parametrize("feed", ["cve5", "fda_udi"])
def test_what_came_of_a_large_file_is_there_for_the_next_look(web: Upstream, feed: str) -> None:
    web.files = first_look(feed)
    main, spans = main_of(feed, web.files), []
    body = web.files[main]
    web.instead[main] = cut(body, len(body) // 2, ETag='"one"')
    web.instead[main] = _cut_at_each_try(body)
    assert "after 5 tries" in web.sync(feed).error

    def going_on(to: BaseHTTPRequestHandler) -> None:
        spans.append(to.headers.get("Range", ""))
        rest(body, ETag='"one"')(to)

    web.instead[main] = going_on
    assert web.sync(feed).error == ""
    assert spans[0].startswith("bytes=")
    assert spans[0] != "bytes=0-"


def _cut_at_each_try(body: bytes) -> Answer:
    """Send one more byte at each try, and end the connection."""
    come = [len(body) // 2]

    def answer(to: BaseHTTPRequestHandler) -> None:
        if not to.headers.get("Range"):
            cut(body, come[0], ETag='"one"')(to)
            return
        start = int(to.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        to.send_response_only(206)
        to.send_header("Content-Length", str(len(body) - start))
        to.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        to.send_header("ETag", '"one"')
        to.end_headers()
        to.wfile.write(body[start : start + 1])

    return answer


def test_pages_that_came_before_a_failure_are_not_asked_for_again(
    web: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medwarden.feeds.nvd_pages import API

    monkeypatch.setattr("medwarden.feeds.nvd_pages.PAGE", 1)
    pages = {
        f"{API}?resultsPerPage=1&startIndex={n}": making.nvd(
            making.nvd_cve(f"CVE-2026-1000{n}"), total=4, start=n
        )
        for n in range(4)
    }
    web.files = dict(pages)
    third = list(pages)[2]
    web.instead[third] = status(500)
    assert web.sync("nvd").error
    assert stands(web, "nvd").edition is None
    web.instead.clear()
    web.asked.clear()
    assert web.sync("nvd").kept == 4
    assert web.asked == list(pages)[2:]


def test_a_wrong_hash_is_refused_and_not_kept_for_later(web: Upstream) -> None:
    files = first_look("cve5")
    archive = main_of("cve5", files)
    release = json.loads(files[RELEASE])
    release["assets"][0]["digest"] = "sha256:" + hashlib.sha256(b"other").hexdigest()
    web.files = {**files, RELEASE: json.dumps(release).encode()}
    assert "its sha256 is not the one its publisher gives" in web.sync("cve5").error
    assert not list((web.home / "knowledge" / "under-way" / "cve5").iterdir())
    release["assets"][0]["digest"] = "sha256:" + hashlib.sha256(files[archive]).hexdigest()
    web.files[RELEASE] = json.dumps(release).encode()
    assert web.sync("cve5").error == ""


def test_two_gigabytes_fill_neither_memory_nor_disk(web: Upstream) -> None:
    web.files = first_look("kev")
    sent = [0]

    def pouring(to: BaseHTTPRequestHandler) -> None:
        to.send_response_only(200)
        to.send_header("Connection", "close")
        to.end_headers()
        piece = b"x" * (1 << 16)
        try:
            while sent[0] < 2 * GIBI:
                to.wfile.write(piece)
                sent[0] += len(piece)
        except OSError:
            return

    web.instead[main_of("kev", web.files)] = pouring
    tracemalloc.start()
    try:
        assert "larger than the 4 MiB it may be" in web.sync("kev").error
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20
    assert sent[0] < 64 << 20
    assert sum(p.stat().st_size for p in web.home.rglob("*") if p.is_file()) < 1 << 20


def test_a_machine_between_with_a_certificate_of_its_own_is_not_believed(
    web: Upstream, tmp_path: Path
) -> None:
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("openssl is not here")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # the client leaves in the handshake
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        for feed in LIVE:
            report = web.sync(feed, f"https://127.0.0.1:{server.server_address[1]}")
            assert "the certificate of 127.0.0.1 does not hold" in report.error, feed
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert web.waited.count(2.0) == 0  # no further try can go better


def test_openfda_is_followed_by_its_own_links(web: Upstream) -> None:
    web.files = first_look("fda_recall")
    assert web.sync("fda_recall").edition is not None
    downloads = next(iter(web.files))
    answer = json.loads(web.files[downloads])
    answer["results"]["device"]["recall"]["export_date"] = "2026-01-09"
    web.files[downloads] = json.dumps(answer).encode()
    api = "https://api.fda.gov/device/recall.json"
    onward = f"{api}?search_after=7"
    page = json.loads(making.openfda(making.recall()))
    page["meta"]["results"] = {"skip": 0, "limit": 1000, "total": 1001}
    page["results"] = [making.recall()] * 1000
    web.instead[api] = whole(json.dumps(page).encode(), Link=f'<{onward}>; rel="next"')
    last = json.loads(making.openfda(making.recall()))
    last["meta"]["results"] = {"skip": 1000, "limit": 1000, "total": 1001}
    web.instead[onward] = whole(json.dumps(last).encode())
    report = web.sync("fda_recall")
    assert (report.error, report.seen) == ("", 1001)
    web.instead[api] = whole(json.dumps(page).encode())
    answer["results"]["device"]["recall"]["export_date"] = "2026-01-19"
    web.files[downloads] = json.dumps(answer).encode()
    assert "names no further page" in web.sync("fda_recall").error


def test_osv_is_brought_by_what_was_modified(web: Upstream) -> None:
    from medwarden.feeds.osv_changes import EXPORTS

    web.files = first_look("osv")
    assert web.sync("osv").kept == 1
    changes = f"{EXPORTS}/PyPI/modified_id.csv"
    web.files[changes] = b"2026-02-02T00:00:00Z,PYSEC-2026-7\n" + web.files[changes]
    web.files[f"{EXPORTS}/PyPI/PYSEC-2026-7.json"] = making.osv("PYSEC-2026-7")
    web.asked.clear()
    assert web.sync("osv").kept == 1
    assert f"{EXPORTS}/PyPI/all.zip" not in web.asked
    web.files[changes] = b"no time, no id\nneither here\n"
    assert "no time and id" in web.sync("osv").error


def test_one_bad_advisory_is_named_and_asked_for_again_while_the_others_come(web: Upstream) -> None:
    from tests.feeds.upstream import csaf_files

    documents = {f"acme-{n}": making.csaf(f"ACME-{n}", released=f"2026-01-0{n}T00:00:00Z") for n in (1, 2, 3)}
    web.files = csaf_files(documents)
    second = next(url for url in web.files if url.endswith("acme-2.json"))
    good = web.files[second]
    web.files[second] = good.replace(b"Pump", b"Bump")
    report = web.sync("csaf")
    assert "acme-2.json could not be downloaded, because its sha512" in report.error
    with Knowledge(web.home) as knowledge:
        assert {a.id for a in knowledge.advisories()} == {"ACME-1", "ACME-3"}
    web.files[second] = good
    web.asked.clear()
    assert web.sync("csaf").error == ""
    with Knowledge(web.home) as knowledge:
        assert {a.id for a in knowledge.advisories()} == {"ACME-1", "ACME-2", "ACME-3"}
    assert not [url for url in web.asked if url.endswith(("acme-1.json", "acme-3.json"))]


def test_a_provider_is_found_by_its_security_txt(web: Upstream) -> None:
    from tests.feeds.upstream import PROVIDER, csaf_files

    web.files = csaf_files({"acme-1": making.csaf("ACME-1")})
    web.files["https://acme.example/.well-known/security.txt"] = (
        f"# us\nContact: x\nCSAF: {PROVIDER}\n".encode()
    )
    web.providers = ("acme.example",)
    assert web.sync("csaf").error == ""
    assert LOG not in web.asked
