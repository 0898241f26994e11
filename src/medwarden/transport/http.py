"""The one HTTP session: every download and every call to another system's API goes through it.

TLS is checked, redirects stay on TLS, answers are bounded in size and time, a host is asked no faster than
it wishes, and a download that was cut is taken up where it ended (RFC 9110, 13.1.5 and 14.2). A file appears
under its name only when it is whole and its digest is the one that was promised.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from pathlib import Path
from typing import IO
from urllib.parse import SplitResult, urljoin, urlsplit

import msgspec
import urllib3
from urllib3.exceptions import HTTPError, LocationValueError, MaxRetryError, SSLError

from medwarden import __version__
from medwarden.kernel.errors import ConfigurationError, RemoteServiceError, ResourceError
from medwarden.transport.pace import Pace, Pacer

MEBI = 1 << 20
_CHUNK = 256 * 1024
_TRIES = 5
_MOST_REDIRECTS = 5
_BACKOFF_S = 2.0
_LONGEST_WAIT_S = 120.0
_CONNECT_S = 15.0
_READ_S = 60.0
_SLOWEST = 2048
"""Bytes per second below which, after a minute, a download counts as stuck."""
_TOLERATED_SKEW_S = 300.0
_OURS = {"User-Agent": f"medwarden/{__version__}", "Accept-Encoding": "identity"}
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_QUALYS_LIMITS = ("X-RateLimit-ToWait-Sec", "X-Concurrency-Limit-Limit")
_BEYOND = 416
_LONGEST_SHOWN = 300
_LINK = re.compile(r'<([^<>\s]{1,4000})>\s*;\s*rel="?([a-z]+)"?')
_CREDENTIALS = frozenset({"authorization", "apikey", "x-apikeys", "cookie"})
"""Headers that are for the host alone that was asked."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class DownloadFailed(RemoteServiceError):
    """A file did not come, or not whole; what came of it before and beside it is as good as it was.

    ``status`` is what the publisher answered (RFC 9110, 15), 0 where it is not for an answer that it failed.
    """

    def __init__(self, sentence: str, status: int = 0) -> None:
        super().__init__(sentence)
        self.status = status


class Fetched(msgspec.Struct, frozen=True):
    """What a download came to.

    ``fresh`` is False where the publisher said that nothing changed (304): there is then no new file.
    ``skew_s`` is how far the publisher's clock is ahead of ours where that is more than five minutes.
    ``onward`` is the address of the next page, where the publisher names one (RFC 8288, ``rel=next``).
    """

    url: str
    fresh: bool
    size: int = 0
    sha256: str = ""
    etag: str = ""
    last_modified: str = ""
    skew_s: float = 0.0
    onward: str = ""


class Limits(msgspec.Struct, frozen=True):
    """What one download may cost: bytes, and seconds from the first request to the last byte."""

    most_bytes: int = 512 * MEBI
    most_seconds: float = 1800.0


class HttpSession:
    """One session per process. ``wall``, ``now`` and ``sleep`` are given by tests.

    ``proxy`` and ``authorities`` (a file of CA certificates) are for hospitals that have their own.
    ``fingerprint`` is the SHA-256 of the one certificate that is believed, whoever signed it.
    """

    def __init__(
        self,
        *,
        proxy: str | None = None,
        authorities: Path | None = None,
        fingerprint: str = "",
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        read_s: float = _READ_S,
    ) -> None:
        timeout = urllib3.Timeout(connect=min(_CONNECT_S, read_s), read=read_s)
        settings = {
            "timeout": timeout,
            "retries": False,
            "cert_reqs": "CERT_NONE" if fingerprint else "CERT_REQUIRED",
            "assert_fingerprint": fingerprint or None,  # checked in place of chain and name
            "ca_certs": None if authorities is None else str(authorities),
        }
        self._pool: urllib3.PoolManager = (
            urllib3.PoolManager(**settings) if proxy is None else urllib3.ProxyManager(proxy, **settings)  # type: ignore[arg-type]  # the settings of one dict are of many types
        )
        self._now = now
        self._wall = wall
        self._sleep = sleep
        self._pacer = Pacer(now, sleep)

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def fetch(
        self,
        url: str,
        target: Path,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        etag: str = "",
        last_modified: str = "",
        sha256: str = "",
        sha512: str = "",
        limits: Limits | None = None,
        pace: Pace | None = None,
        partial: Path | None = None,
        named: str = "",
    ) -> Fetched:
        """Download ``url`` to ``target``, or learn that it did not change since ``etag``/``last_modified``.

        With ``body`` it is posted and the answer taken, which only fits a question that may be asked twice.

        ``partial`` is where what came of the file stays when the download fails, on the disk of ``target``: a
        later call takes it up there, if the file is still the same. ``named`` is what errors call the file
        where its path is not to be told; a query never is.

        Raises RemoteServiceError, in words a person can act on, where the publisher refuses, fails again
        and again, is too slow, sends too much or something else than its digest promises; ConfigurationError
        for an address that is not of https (http is for loopback alone); ResourceError where the disk fails.
        ``target`` is then what it was before.
        """
        return _Download(
            self,
            url,
            target,
            dict(headers or {}),
            body,
            limits or Limits(),
            pace,
            {"sha256": sha256, "sha512": sha512},
            partial,
            named or shown(url),
        ).run(etag, last_modified)


class _Download:
    """One download through its tries."""

    def __init__(
        self,
        session: HttpSession,
        url: str,
        target: Path,
        headers: dict[str, str],
        body: bytes | None,
        limits: Limits,
        pace: Pace | None,
        digests: dict[str, str],
        partial: Path | None,
        named: str,
    ) -> None:
        self._session = session
        self._named = named
        self._url = url
        self._target = target
        self._part = partial or target.with_name(f"{target.name}.part")
        self._mark = None if partial is None else partial.with_name(f"{partial.name}.of")
        self._worthless = False
        self._headers = headers
        self._body = body
        self._limits = limits
        self._pace = pace
        self._digests = {name: digest.lower() for name, digest in digests.items() if digest}
        self._begun = session._now()
        self._validator = ""

    def run(self, etag: str, last_modified: str) -> Fetched:
        known = {"If-None-Match": etag} if etag else {}
        known |= {"If-Modified-Since": last_modified} if last_modified else {}
        why = ""
        try:
            self._take_up()
            for attempt in range(_TRIES):
                if attempt:
                    self._pause(_BACKOFF_S * 2 ** (attempt - 1), why)
                try:
                    answer, url = self._ask(known)
                except HTTPError as error:
                    why = self._transient(error)
                    continue
                try:
                    if answer.status == 304:
                        return Fetched(self._url, fresh=False, etag=etag, last_modified=last_modified)
                    if _busy(answer):
                        why = f"it answered {answer.status}"
                        self._heed(_asked_to_wait(answer), why)
                        continue
                    if answer.status == _BEYOND and self._part.exists():
                        self._part.unlink()  # what was kept is longer than the file is now
                        why = "the file changed while it came"
                        continue
                    self._refuse(answer.status, url)
                    if self._take(answer):
                        return self._finish(answer)
                    why = "the connection ended in the middle of the file"
                except HTTPError as error:
                    why = self._transient(error)
                finally:
                    answer.close()
            raise self._failed(f"after {_TRIES} tries, the last one because {why}")
        except OSError as error:
            raise ResourceError(f"{self._part}: {error.strerror or error}") from error
        finally:
            if self._mark is None or self._worthless or not self._validator:
                self._part.unlink(missing_ok=True)
            if self._mark is not None and not self._part.exists():
                self._mark.unlink(missing_ok=True)

    def _take_up(self) -> None:
        """Begin anew, or where an earlier download ended."""
        if self._mark is not None and self._mark.exists() and self._part.exists():
            self._validator = self._mark.read_text("utf-8", "replace").strip()
        if not self._validator:
            self._part.unlink(missing_ok=True)

    def _transient(self, error: HTTPError) -> str:
        """Return why a try failed; raise where no further try can go better."""
        cause = error.reason if isinstance(error, MaxRetryError) and error.reason else error
        if isinstance(cause, SSLError) and "fingerprint" in str(cause).lower():
            raise self._failed(
                f"because the certificate of {urlsplit(self._url).hostname} is not the pinned one: either"
                " somebody stands in between, or it was renewed and its new fingerprint has to be pinned"
            )
        if isinstance(cause, SSLError) and "certificate" in str(cause).lower():
            host = urlsplit(self._url).hostname
            raise self._failed(
                f"because the certificate of {host} does not hold ({_words(error)}): either somebody stands"
                " in between, or this hospital's proxy needs its authority named under authorities"
            )
        return _words(error)

    def _ask(self, known: dict[str, str]) -> tuple[urllib3.BaseHTTPResponse, str]:
        url = self._url
        have = self._part.stat().st_size if self._part.exists() else 0
        headers = {**_OURS, **self._headers, **known}
        if have and self._validator and self._body is None:
            headers |= {"Range": f"bytes={have}-", "If-Range": self._validator}
        elif have:
            self._part.unlink()
        for _ in range(_MOST_REDIRECTS + 1):
            host, asked = checked_host(url), urlsplit(url).netloc
            self._session._pacer.wait(host, self._pace)
            answer = self._session._pool.request(
                "GET" if self._body is None else "POST",
                url,
                body=self._body,
                headers=headers,
                preload_content=False,
                redirect=False,
                enforce_content_length=False,  # we count ourselves, and keep what came before a cut
            )
            onward = answer.headers.get("Location") if answer.status in _REDIRECTS else None
            if onward is None:
                return answer, url
            answer.close()
            if self._body is not None:
                raise self._failed("because it leads on what was posted to it")
            url = self._onward(url, onward)
            if checked_host(url) != host or urlsplit(url).netloc != asked:
                headers = {n: v for n, v in headers.items() if n.lower() not in _CREDENTIALS}
        raise self._failed(f"because it leads on more than {_MOST_REDIRECTS} times")

    def _onward(self, url: str, location: str) -> str:
        """Return where an answer leads on; nobody elsewhere leads on to services of this machine."""
        try:
            onward = urljoin(url, location)
            here = _is_loopback(urlsplit(onward).hostname or "")
        except ValueError as error:
            raise self._failed("because it leads on to no address") from error
        if here and not _is_loopback(urlsplit(self._url).hostname or ""):
            raise self._failed("because it leads on to this machine itself")
        return onward

    def _refuse(self, status: int, url: str) -> None:
        if status in (200, 206):
            return
        words = {
            401: "wants credentials that were not given or are wrong",
            403: "refuses this machine, which some publishers do for a while after too many requests",
            404: "has no such file; it may have moved",
            407: "is behind a proxy that wants credentials",
            410: "says that the file is gone for good",
        }
        where = self._named
        if urlsplit(url).netloc != urlsplit(self._url).netloc:
            where += f", which leads on to {urlsplit(url).hostname}"
        raise DownloadFailed(f"{where}: {words.get(status, f'answered {status}')}", status)

    def _take(self, answer: urllib3.BaseHTTPResponse) -> bool:
        """Write the body; tell whether all of it came."""
        resumed = answer.status == 206
        if resumed and not _continues(answer.headers.get("Content-Range", ""), self._part.stat().st_size):
            raise self._failed("because it sent another part of the file than was asked for")
        strong = answer.headers.get("ETag", "")
        self._validator = (
            strong if strong and not strong.startswith("W/") else answer.headers.get("Last-Modified", "")
        )
        if self._mark is not None:
            self._mark.write_text(self._validator, "utf-8")
        length = answer.headers.get("Content-Length", "")
        wanted = int(length) if length.isascii() and length.isdigit() else None
        got, begun = 0, self._session._now()
        with self._part.open("ab" if resumed else "wb") as out:
            if wanted is not None:
                self._bound(out.tell() + wanted)
            for piece in answer.stream(_CHUNK):
                out.write(piece)
                got += len(piece)
                self._bound(out.tell())
                self._hurry(got, begun)
            out.flush()
            os.fsync(out.fileno())
        return wanted is None or got >= wanted

    def _bound(self, size: int) -> None:
        if size > self._limits.most_bytes:
            self._worthless = True
            raise self._failed(
                f"because it is larger than the {self._limits.most_bytes // MEBI} MiB it may be"
            )

    def _hurry(self, got: int, begun: float) -> None:
        now = self._session._now()
        if now - self._begun > self._limits.most_seconds:
            raise self._failed(f"because it took longer than {self._limits.most_seconds:.0f} seconds")
        if now - begun > 60 and got < _SLOWEST * (now - begun):
            raise self._failed(f"because it came at less than {_SLOWEST} bytes a second")

    def _finish(self, answer: urllib3.BaseHTTPResponse) -> Fetched:
        with self._part.open("rb") as whole:
            sums = {name: _digest(whole, name) for name in {"sha256", *self._digests}}
        for name, promised in self._digests.items():
            if sums[name] != promised:
                self._worthless = True
                raise self._failed(
                    f"because its {name} is not the one its publisher gives: nothing was changed"
                )
        size = self._part.stat().st_size
        self._part.replace(self._target)
        return Fetched(
            self._url,
            fresh=True,
            size=size,
            sha256=sums["sha256"],
            etag=answer.headers.get("ETag", ""),
            last_modified=answer.headers.get("Last-Modified", ""),
            skew_s=self._skew(answer.headers.get("Date", "")),
            onward=_next_page(answer.headers.get("Link", "")),
        )

    def _skew(self, date: str) -> float:
        moment = _moment(date)
        ahead = 0.0 if moment is None else moment.timestamp() - self._session._wall()
        return round(ahead, 1) if abs(ahead) > _TOLERATED_SKEW_S else 0.0

    def _heed(self, retry_after: str, why: str) -> None:
        """Wait as long as a busy host asks (RFC 9110, 10.2.3), or give up where that is too long."""
        if not retry_after:
            return
        moment = _moment(retry_after)
        wait = (
            float(retry_after)
            if retry_after.isascii() and retry_after.isdigit()
            else 0.0
            if moment is None
            else max(0.0, moment.timestamp() - self._session._wall())
        )
        self._pause(wait, why)

    def _pause(self, seconds: float, why: str) -> None:
        left = self._begun + self._limits.most_seconds - self._session._now()
        if seconds > min(_LONGEST_WAIT_S, left):
            raise self._failed(f"because {why} and asks to come back in {seconds:.0f} seconds")
        self._session._sleep(seconds)

    def _failed(self, why: str) -> DownloadFailed:
        return DownloadFailed(f"{self._named} could not be downloaded, {why}")


def _busy(answer: urllib3.BaseHTTPResponse) -> bool:
    """Tell whether a host asks to come back; Qualys says so with 409 and headers of its own."""
    return answer.status in _BUSY or (
        answer.status == 409 and any(name in answer.headers for name in _QUALYS_LIMITS)
    )


def _asked_to_wait(answer: urllib3.BaseHTTPResponse) -> str:
    return answer.headers.get("Retry-After") or answer.headers.get(_QUALYS_LIMITS[0], "")


def shown(url: str) -> str:
    """Return an address as errors and logs may tell it: without query, fragment and credentials, bounded.

    Raises ConfigurationError for what is no address.
    """
    parts = _parts(url)
    whole = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return whole if len(whole) <= _LONGEST_SHOWN else f"{whole[:_LONGEST_SHOWN]}…"


def checked_host(url: str) -> str:
    """Return the host of an address that may be asked.

    Raises ConfigurationError for one that holds a password or is not of https (http is for loopback alone),
    and for what is no address.
    """
    parts = _parts(url)
    host = parts.hostname or ""
    if parts.username or parts.password:
        raise ConfigurationError(f"the address of {host} must not contain a password")
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host)):
        return host
    raise ConfigurationError(
        f"{parts.scheme}://{host}: only https is used, so that nobody can change what comes"
    )


def _parts(url: str) -> SplitResult:
    """Take an address apart; one in brackets that do not close is none (RFC 3986, 3.2.2)."""
    try:
        return urlsplit(url)
    except ValueError as error:
        raise ConfigurationError("this is no address: its host cannot be read") from error


def _next_page(link: str) -> str:
    return next((url for url, rel in _LINK.findall(link) if rel == "next"), "")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _continues(content_range: str, have: int) -> bool:
    return content_range.replace(" ", "").startswith(f"bytes{have}-")


def _moment(date: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, TypeError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _digest(file: IO[bytes], name: str) -> str:
    file.seek(0)
    return hashlib.file_digest(file, name).hexdigest()  # type: ignore[arg-type]  # typeshed wants a raw file


def _words(error: HTTPError) -> str:
    cause = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    if isinstance(cause, LocationValueError):
        return "it leads on to no address"  # what cannot be understood may hold anything
    return str(cause).rpartition(": ")[2] or type(cause).__name__
