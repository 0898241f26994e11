"""Downloads from a publisher that fails as publishers do: whole and right, or nothing and a sentence."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from medwarden.kernel.errors import ConfigurationError, RemoteServiceError, ResourceError
from medwarden.transport.http import Fetched, HttpSession, Limits
from medwarden.transport.pace import Pace

from .publisher import Answer, Publisher, cut, endless, publisher, rest, status, whole

BODY = bytes(range(256)) * 4096
SUM = hashlib.sha256(BODY).hexdigest()


class Time:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def session(time: Time) -> Iterator[HttpSession]:
    opened = HttpSession(now=time, wall=time, sleep=time.sleep, read_s=5)
    yield opened
    opened.close()


Fetch = Callable[..., tuple[Fetched, Publisher]]


@pytest.fixture
def fetch(session: HttpSession, tmp_path: Path) -> Fetch:
    def run(*script: Answer, **wanted: object) -> tuple[Fetched, Publisher]:
        with publisher(*script) as server:
            got = session.fetch(f"{server.url}/feed", tmp_path / "feed", **wanted)  # type: ignore[arg-type]  # named as fetch names them
            return got, server

    return run


def test_a_whole_file_stands_under_its_name_with_its_digest(fetch: Fetch, tmp_path: Path) -> None:
    got, server = fetch(whole(BODY, ETag='"7"', Last_Modified="Sun, 22 Nov 2026 10:00:00 GMT"), sha256=SUM)
    assert (tmp_path / "feed").read_bytes() == BODY
    assert (got.fresh, got.size, got.sha256, got.etag) == (True, len(BODY), SUM, '"7"')
    assert server.asked[0]["user-agent"].startswith("medwarden/")
    assert list(tmp_path.iterdir()) == [tmp_path / "feed"]


def test_what_did_not_change_is_not_sent_again(fetch: Fetch, tmp_path: Path) -> None:
    got, server = fetch(status(304), etag='"7"', last_modified="Sun, 22 Nov 2026 10:00:00 GMT")
    assert not got.fresh
    assert server.asked[0]["if-none-match"] == '"7"'
    assert server.asked[0]["if-modified-since"] == "Sun, 22 Nov 2026 10:00:00 GMT"
    assert list(tmp_path.iterdir()) == []


def test_a_cut_download_is_taken_up_where_it_ended(fetch: Fetch, tmp_path: Path) -> None:
    at = 300_000
    got, server = fetch(cut(BODY, at, ETag='"7"'), rest(BODY, ETag='"7"'), sha256=SUM)
    assert got.sha256 == SUM
    assert (tmp_path / "feed").read_bytes() == BODY
    assert server.asked[1]["if-range"] == '"7"'
    assert 0 < int(server.asked[1]["range"].removeprefix("bytes=").removesuffix("-")) <= at


def test_a_file_that_changed_in_between_is_read_from_the_start(fetch: Fetch, tmp_path: Path) -> None:
    newer = b"newer" * 1000
    fetch(cut(BODY, 300_000, ETag='"7"'), whole(newer, ETag='"8"'))
    assert (tmp_path / "feed").read_bytes() == newer


def test_without_anything_to_know_the_file_by_a_cut_one_is_read_from_the_start(
    fetch: Fetch, tmp_path: Path
) -> None:
    _, server = fetch(cut(BODY, 300_000), whole(BODY))
    assert "range" not in server.asked[1]
    assert (tmp_path / "feed").read_bytes() == BODY


def test_a_part_that_does_not_continue_ours_is_refused(fetch: Fetch, tmp_path: Path) -> None:
    other = status(206, Content_Range="bytes 5-9/10")
    with pytest.raises(RemoteServiceError, match="another part of the file"):
        fetch(cut(BODY, 300_000, ETag='"7"'), other)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [429, 503])
def test_a_busy_publisher_is_left_alone_as_long_as_it_asks(code: int, fetch: Fetch, time: Time) -> None:
    got, _ = fetch(status(code, Retry_After="17"), whole(BODY))
    assert got.fresh
    assert 17.0 in time.slept


def test_one_that_asks_for_hours_is_not_waited_for(fetch: Fetch, time: Time) -> None:
    with pytest.raises(RemoteServiceError, match="asks to come back in 7200 seconds"):
        fetch(status(429, Retry_After="7200"))
    assert sum(time.slept) == 0


def test_one_that_fails_again_and_again_is_given_up_with_growing_pauses(fetch: Fetch, time: Time) -> None:
    with pytest.raises(RemoteServiceError, match="after 5 tries, the last one because it answered 502"):
        fetch(status(502))
    assert time.slept == [2.0, 4.0, 8.0, 16.0]


@pytest.mark.parametrize(
    ("code", "words"), [(403, "refuses this machine"), (404, "no such file"), (418, "418")]
)
def test_a_refusal_is_said_at_once(code: int, words: str, fetch: Fetch, time: Time) -> None:
    with pytest.raises(RemoteServiceError, match=words):
        fetch(status(code))
    assert time.slept == []


def test_a_wrong_digest_leaves_the_old_file(fetch: Fetch, tmp_path: Path) -> None:
    (tmp_path / "feed").write_bytes(b"old")
    with pytest.raises(RemoteServiceError, match="sha512 is not the one its publisher gives"):
        fetch(whole(BODY), sha512="0" * 128)
    assert (tmp_path / "feed").read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [tmp_path / "feed"]


@pytest.mark.parametrize("body", [whole(b"x" * 3_000_000), endless(b"x" * 65_536)])
def test_too_much_is_not_taken(body: Answer, fetch: Fetch, tmp_path: Path) -> None:
    with pytest.raises(RemoteServiceError, match="larger than the 2 MiB"):
        fetch(body, limits=Limits(most_bytes=2 << 20))
    assert list(tmp_path.iterdir()) == []


def test_a_redirect_is_followed_and_a_circle_is_not(fetch: Fetch, tmp_path: Path) -> None:
    fetch(status(302, Location="/elsewhere"), whole(BODY))
    assert (tmp_path / "feed").read_bytes() == BODY
    with pytest.raises(RemoteServiceError, match="leads on more than 5 times"):
        fetch(status(302, Location="/round"))


def test_a_redirect_away_from_tls_is_refused(fetch: Fetch) -> None:
    with pytest.raises(ConfigurationError, match="only https"):
        fetch(status(302, Location="http://example.org/feed"))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/x",
        "ftp://example.org/x",
        "https://user:word@example.org/x",
        "file:///etc/passwd",
        "https://[x/y",
        "https://x]/y",
        "https://\N{ACCOUNT OF}/",
        "",
    ],
)
def test_only_checked_connections_are_made(url: str, session: HttpSession, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        session.fetch(url, tmp_path / "x")


def test_a_publisher_with_a_wrong_clock_is_noticed(fetch: Fetch) -> None:
    got, _ = fetch(whole(BODY, Date="Sun, 22 Nov 2026 10:00:00 GMT"))
    assert got.skew_s > 300


def test_a_host_is_asked_no_faster_than_it_wishes(session: HttpSession, time: Time, tmp_path: Path) -> None:
    with publisher(whole(b"x")) as server:
        for _ in range(7):
            session.fetch(f"{server.url}/feed", tmp_path / "feed", pace=Pace(3, 30.0))
    assert time.slept == [30.0, 30.0]


def test_a_full_or_missing_disk_is_this_machines_fault(session: HttpSession, tmp_path: Path) -> None:
    with publisher(whole(b"x")) as server, pytest.raises(ResourceError):
        session.fetch(f"{server.url}/feed", tmp_path / "nowhere" / "feed")


def test_nobody_there_is_said_after_the_last_try(session: HttpSession, tmp_path: Path) -> None:
    with publisher(whole(b"x")) as server:
        gone = server.url
    with pytest.raises(RemoteServiceError, match=r"refused"):
        session.fetch(f"{gone}/feed", tmp_path / "feed")


def test_errors_name_host_and_path_and_never_a_query(session: HttpSession, tmp_path: Path) -> None:
    word = "MRN-4711-Muster"
    for script in (status(403), status(502), whole(BODY)):
        with publisher(script) as server, pytest.raises(RemoteServiceError) as failed:
            session.fetch(f"{server.url}/feed?patient={word}#{word}", tmp_path / "feed", sha256="0" * 64)
        assert word not in str(failed.value)
        assert f"{server.url}/feed" in str(failed.value)


def test_where_a_publisher_leads_on_to_is_named_by_its_host_alone(
    session: HttpSession, tmp_path: Path
) -> None:
    with publisher(status(404)) as other:
        location = other.url.replace("127.0.0.1", "localhost") + "/signed/TOKEN-1?sig=TOKEN-2"
        with publisher(status(302, Location=location)) as server, pytest.raises(RemoteServiceError) as failed:
            session.fetch(f"{server.url}/feed", tmp_path / "feed")
    assert "TOKEN" not in str(failed.value)
    assert f"{server.url}/feed, which leads on to localhost: has no such file" in str(failed.value)


@pytest.mark.parametrize(
    "location", ["http://127.0.0.1:TOKEN/x", "http://[TOKEN/x", "http://127.0.0.1:99999999/x"]
)
def test_no_address_is_named_without_what_stands_there(location: str, fetch: Fetch) -> None:
    with pytest.raises((RemoteServiceError, ConfigurationError)) as failed:
        fetch(status(302, Location=location))
    assert "TOKEN" not in str(failed.value)


def test_a_file_may_be_called_by_another_name(fetch: Fetch) -> None:
    with pytest.raises(RemoteServiceError) as failed:
        fetch(status(404), named="Nessus at scanner.example, /scans/…/export")
    assert (
        str(failed.value) == "Nessus at scanner.example, /scans/…/export: has no such file; it may have moved"
    )


def test_credentials_do_not_follow_to_another_port_or_name_and_do_not_come_back(
    session: HttpSession, tmp_path: Path
) -> None:
    headers = {
        "Authorization": "Basic c2VjcmV0",
        "apiKey": "secret",
        "X-ApiKeys": "secret",
        "Cookie": "secret",
    }
    with publisher(whole(BODY)) as other:
        named = other.url.replace("127.0.0.1", "localhost")
        with publisher(status(302, Location=f"{named}/there")) as server:
            other.script = [status(302, Location=f"{server.url}/back")]
            server.script = [status(302, Location=f"{named}/there"), whole(BODY)]
            session.fetch(f"{server.url}/feed", tmp_path / "feed", headers=headers)
    names = {name.lower() for name in headers}
    assert names <= set(server.asked[0])
    assert not names & set(other.asked[0])
    assert not names & set(server.asked[1]), "who leads on does not get them by leading back"


def test_a_bomb_in_the_encoding_of_an_answer_is_bounded_as_what_it_unpacks_to(
    fetch: Fetch, tmp_path: Path
) -> None:
    packed = gzip.compress(bytes(64 << 20))
    with pytest.raises(RemoteServiceError, match="larger than the 2 MiB"):
        fetch(whole(packed, Content_Encoding="gzip"), limits=Limits(most_bytes=2 << 20))
    assert list(tmp_path.iterdir()) == []


def test_an_answer_that_says_to_be_of_many_gigabytes_is_refused_before_it_comes(
    fetch: Fetch, tmp_path: Path
) -> None:
    def promise(to: BaseHTTPRequestHandler) -> None:
        to.send_response(200)
        to.send_header("Content-Length", str(3 << 40))
        to.end_headers()

    with pytest.raises(RemoteServiceError, match="larger than the 2 MiB"):
        fetch(promise, limits=Limits(most_bytes=2 << 20))
    assert list(tmp_path.iterdir()) == []
