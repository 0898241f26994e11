"""All publishers on one loopback server: what each has at which address, and how it misbehaves."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import zstandard
from tests.feeds import making
from tests.transport.publisher import Answer, publisher, status, whole

from medwarden.app.knowledge import FeedReport
from medwarden.app.knowledge_settings import SyncSettings
from medwarden.app.knowledge_sync import sync
from medwarden.feeds.cve5_changes import RELEASE
from medwarden.feeds.nvd_pages import API
from medwarden.feeds.openfda import DOWNLOADS
from medwarden.feeds.osv_changes import EXPORTS
from medwarden.feeds.registry import feed_named
from medwarden.transport.http import HttpSession, Limits

PROVIDER = "https://acme.example/csaf/provider-metadata.json"
Files = dict[str, bytes]


def zipped(name: str, data: bytes, method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip with one file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr(name, data)
    return out.getvalue()


def tarred(name: str, data: bytes) -> bytes:
    """Return a tar with one file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def csaf_files(
    advisories: dict[str, bytes], *, role: str = "csaf_provider", keys: list[dict[str, str]] | None = None
) -> Files:
    """Return a provider's directory: metadata, list of changes, documents with their digests."""
    metadata = {
        "canonical_url": PROVIDER,
        "role": role,
        "publisher": {"category": "vendor", "name": "Acme", "namespace": "https://acme.example"},
        "public_openpgp_keys": keys or [],
        "distributions": [{"directory_url": "https://acme.example/csaf/white"}],
    }
    changes = "".join(
        f'"2026/{name}.json","{json.loads(data)["document"]["tracking"]["current_release_date"]}"\n'
        for name, data in advisories.items()
    )
    files = {
        PROVIDER: json.dumps(metadata).encode(),
        "https://acme.example/csaf/white/changes.csv": changes.encode(),
    }
    for name, data in advisories.items():
        url = f"https://acme.example/csaf/white/2026/{name}.json"
        files[url] = data
        files[f"{url}.sha512"] = f"{hashlib.sha512(data).hexdigest()}  {name}.json\n".encode()
    return files


def first_look(feed: str) -> Files:
    """Return what the publisher of a feed has at first."""
    one = feed_named(feed)
    addresses: tuple[str, ...] = getattr(one, "addresses", ())
    bodies: dict[str, Callable[[], bytes]] = {
        "kev": lambda: making.kev("CVE-2026-10001"),
        "epss": lambda: making.epss(CVE_2026_10001=("0.5", "0.9")),
        "exploitdb": lambda: making.exploitdb(("50001", "CVE-2026-10001")),
        "metasploit": lambda: making.metasploit(pump=["CVE-2026-10001"]),
        "attack": lambda: making.attack("T0855"),
        "cwe": lambda: zipped("cwec.xml", making.cwe("79")),
        "oui": lambda: making.oui(("MA-L", "00AABB", "Acme")),
        "end_of_life": lambda: making.eol_answer("acme-os"),
        "fda_classification": lambda: zipped("foiclass.txt", making.foiclass("FRN|Pump|2|N|Y")),
    }
    if feed in bodies:
        return {url: bodies[feed]() for url in addresses}
    if feed == "nvd":
        return {API: making.nvd(making.nvd_cve("CVE-2026-10001"))}
    if feed == "cve5":
        archive = "https://github.com/CVEProject/cvelistV5/releases/download/x/all_CVEs_at_midnight.zip.zip"
        release = {
            "tag_name": "cve_2026-01-02_0000Z",
            "published_at": "2026-01-02T01:00:00Z",
            "assets": [{"name": "2026-01-02_all_CVEs_at_midnight.zip.zip", "browser_download_url": archive}],
        }
        inner = zipped("cves/2026/10xxx/CVE-2026-10001.json", making.cve5("CVE-2026-10001", []))
        return {RELEASE: json.dumps(release).encode(), archive: zipped("cves.zip", inner)}
    if feed == "osv":
        return {
            f"{EXPORTS}/PyPI/modified_id.csv": b"2026-01-02T00:00:00.5Z,GHSA-aaaa-bbbb-cccc\n",
            f"{EXPORTS}/PyPI/all.zip": zipped("GHSA-aaaa-bbbb-cccc.json", making.osv("GHSA-aaaa-bbbb-cccc")),
        }
    if feed == "csaf":
        return csaf_files({"acme-1": making.csaf("ACME-1")})
    endpoint = {"fda_recall": "recall", "fda_enforcement": "enforcement", "fda_udi": "udi"}[feed]
    record = {"recall": making.recall(), "enforcement": making.enforcement(), "udi": making.listing()}[
        endpoint
    ]
    url = f"https://download.open.fda.gov/device/{endpoint}.json.zip"
    return {
        DOWNLOADS: making.exports("2026-01-02", **{endpoint: url}),
        url: zipped(f"{endpoint}.json", making.openfda(record)),
    }


class Upstream:
    """The server: ``files`` by address (with its query or without), ``instead`` of them answers."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.files: Files = {}
        self.instead: dict[str, Answer] = {}
        self.providers: tuple[str, ...] = (PROVIDER,)
        self.vouches: dict[str, tuple[str, ...]] = {}
        self.otherwise: Answer | None = None
        self.passed = 0.0
        self.slow = False
        self.asked: list[str] = []
        self.url = ""
        self.wall_s = 1_767_400_000.0
        self.waited: list[float] = []
        self.read_s = 60.0

    def answer(self, to: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        url = "https://" + to.path.lstrip("/")
        self.asked.append(url)
        plain = url.partition("?")[0]
        if self.otherwise is not None:
            self.otherwise(to)
            return
        for key in (url, plain):
            if key in self.instead:
                self.instead[key](to)
                return
        data = self.files.get(url, self.files.get(plain))
        if data is None:
            status(404)(to)
            return
        tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        if to.headers.get("If-None-Match") == tag:
            status(304)(to)
            return
        whole(data, ETag=tag)(to)

    def now(self) -> float:
        """Return the time of the session: it runs as it waits, and a minute at each look where ``slow``."""
        self.passed += 61.0 if self.slow else 0.0
        return self.passed

    def session(self) -> HttpSession:
        """Return a session whose clock runs as it waits."""

        def sleep(seconds: float) -> None:
            self.waited.append(seconds)
            self.passed += seconds

        return HttpSession(sleep=sleep, now=self.now, wall=lambda: self.wall_s, read_s=self.read_s)

    def sync(self, feed: str, url: str = "") -> FeedReport:
        """Bring one feed up to date from here, or from another server that stands for all publishers."""
        session = self.session()
        try:
            (report,) = sync(
                self.home,
                [feed],
                session=session,
                settings=SyncSettings(
                    mirrors={"https://": f"{url or self.url}/"},
                    csaf=self.providers,
                    osv=("PyPI",),
                    vouches=self.vouches,
                ),
                wall=lambda: self.wall_s,
                limits=Limits(most_bytes=4 << 20, most_seconds=600.0),
            )
        finally:
            session.close()
        return report


@contextmanager
def upstream(home: Path) -> Iterator[Upstream]:
    """Serve until the block ends."""
    told = Upstream(home)
    with publisher(told.answer) as server:
        told.url = server.url
        yield told


def seeds_of(feed: str) -> Files:
    """Return small files of a feed (or of containers) for fuzzing, by name."""
    pump: dict[str, object] = {
        "vendor": "Acme",
        "product": "Pump",
        "versions": [{"version": "0", "lessThan": "2"}],
    }
    match: dict[str, object] = {
        "vulnerable": True,
        "criteria": "cpe:2.3:o:acme:pump:1.0:*:*:*:*:*:*:*",
        "versionEndExcluding": "2",
    }
    if feed == "container":
        data = making.kev("CVE-2026-10001")
        inner = tarred("kev.json", data)
        return {
            "zip": zipped("kev.json", data),
            "zip_zip": zipped("a.zip", zipped("b", data)),
            "zip_bzip2": zipped("kev.json", data, zipfile.ZIP_BZIP2),
            "zip_lzma": zipped("kev.json", data, zipfile.ZIP_LZMA),
            "tar": inner,
            "tar_gz": gzip.compress(inner, mtime=0),
            "tar_zst": zstandard.ZstdCompressor().compress(inner),
            "gz_zip": gzip.compress(zipped("kev.json", data), mtime=0),
            "plain": data,
        }
    seeds: dict[str, Files] = {
        "kev": {"two": making.kev("CVE-2026-10001", "x")},
        "epss": {"two": making.epss(CVE_2026_10001=("0.5", "0.9"), CVE_2026_10002=("7e-5", "1"))},
        "exploitdb": {"two": making.exploitdb(("50001", "CVE-2026-10001"), ("50002", ""))},
        "metasploit": {"two": making.metasploit(pump=["CVE-2026-10001"], none=[])},
        "attack": {"two": making.attack("T0855", "TA0108")},
        "cwe": {"two": making.cwe("79", "89")},
        "oui": {"two": making.oui(("MA-L", "00AABB", "Acme, Inc."), ("MA-S", "00AABBCC1", "Pump"))},
        "end_of_life": {"page": making.eol_page(), "answer": making.eol_answer("acme-os")},
        "fda_classification": {
            "table": making.foiclass("FRN|Elektrogerät|2|N|Y", "short"),
            "answer": making.openfda({"product_code": "FRN", "device_name": "Pump"}),
        },
        "fda_recall": {
            "one": making.openfda(making.recall(codes="Serial Numbers 100 through 200; Lot: A1, B2"))
        },
        "fda_enforcement": {"one": making.openfda(making.enforcement())},
        "fda_udi": {"one": making.openfda(making.listing())},
        "nvd": {"one": making.nvd(making.nvd_cve("CVE-2026-10001", match))},
        "cve5": {"one": making.cve5("CVE-2026-10001", [pump])},
        "csaf": {"one": making.csaf()},
        "nvd_overrides": {
            "one": json.dumps(
                {
                    "_annotation": {"cve_id": "CVE-2026-10001"},
                    "cve": {"configurations": [{"nodes": [{"cpeMatch": [match]}]}]},
                }
            ).encode()
        },
        "osv": {
            "one": making.osv("GHSA-aaaa-bbbb-cccc"),
        },
    }
    return seeds[feed]
