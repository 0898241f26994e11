"""Claims that are filed say what all records say, whatever was changed, killed or damaged in between."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medwarden.kernel.errors import ResourceError
from medwarden.model.feed import Record
from medwarden.model.vulnerability import (
    Advisory,
    ProductClaim,
    ProductStatus,
    Provenance,
    Remedy,
    VersionSpan,
    Vulnerability,
)
from medwarden.risk.matching.engine import Engine
from medwarden.risk.matching.filing import Entry, Filed, Route, RouteKind, pack, unpack
from medwarden.risk.matching.profile import Profile, Software
from medwarden.store import filed_claims
from medwarden.store.filed_claims import FILE, FiledClaims
from medwarden.store.knowledge import FOLDER, Knowledge
from medwarden.store.knowledge_editions import Brought, Gathering, put_in_use

FROM = Provenance("made", "here")
KILLED = """
import os, signal, sys
from pathlib import Path
from medwarden.store import filed_claims
from medwarden.store.knowledge import Knowledge
put, left = filed_claims._put, [2]
def killed(db, digest, made):
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    put(db, digest, made)
filed_claims._put = killed
with Knowledge(Path(sys.argv[1])) as knowledge:
    filed_claims.FiledClaims(knowledge).file()
"""
PROFILES = (
    Profile("B. Braun", "Infusomat Space", "2.1"),
    Profile("Braun", "Infusomatt Space", ""),
    Profile("", "B. Braun Infusomat Space", "9.0"),
    Profile("", "Infusomat", ""),
    Profile("Dell", "OptiPlex", os="Windows 10", os_version="10.0.17763.100"),
    Profile("Dell", "OptiPlex", os="Windows", os_version="10 1809", updates=frozenset({"KB5062557"})),
    Profile("GE Healthcare", "CARESCAPE B650", os="Linux", os_version="4.4"),
    Profile("Philips", "", software=(Software("OpenSSL", "1.0.2", "openssl", "pkg:generic/openssl@1.0.2"),)),
)
MAKERS = ("B. Braun", "b_braun", "Philips", "GE Healthcare", "GE Medical Systems", "Dell")
PRODUCTS = ("Infusomat Space", "infusomat_space_firmware", "CARESCAPE B650", "OptiPlex", "Space Infusomats")


def claims() -> st.SearchStrategy[ProductClaim]:
    versions = st.sampled_from(["", "2.1", "<= 3.0", "1.0 to 2.5", "vers:all/*", "Space"])
    spans = st.sampled_from([(), (VersionSpan(high="3.0"),), (VersionSpan(low="1.0", high="2.5"),)])
    of_makers = st.builds(
        ProductClaim, st.sampled_from(ProductStatus), st.sampled_from(MAKERS), st.sampled_from(PRODUCTS),
        versions, spans, st.sampled_from(["", "h", "o", "a"]),
    )  # fmt: skip
    of_systems = st.builds(
        ProductClaim, st.just(ProductStatus.AFFECTED), st.just("microsoft"),
        st.sampled_from(["windows_10_1809", "Windows 10 Version 1809", "linux_kernel"]), st.just(""),
        st.sampled_from([(), (VersionSpan(high="10.0.17763.7558"),), (VersionSpan(high="4.9"),)]),
        st.sampled_from(["o", ""]), fixed_by=st.sampled_from([(), ("KB5062557",)]), product_id=st.just("P1"),
    )  # fmt: skip
    of_programs = st.builds(
        ProductClaim, st.just(ProductStatus.AFFECTED), st.just("openssl"), st.just("openssl"), st.just(""),
        spans, st.sampled_from(["a", ""]), purl=st.sampled_from(["", "pkg:generic/openssl"]),
    )  # fmt: skip
    return st.one_of(of_makers, of_systems, of_programs)


REMEDY = Remedy(
    "vendor_fix", "10.0.17763.7558:Security Update:https://support.microsoft.com/help/5062557",
    products=("P1",),
)  # fmt: skip


def vulnerabilities(numbers: st.SearchStrategy[str]) -> st.SearchStrategy[Vulnerability]:
    return st.builds(
        Vulnerability, numbers, st.just("a title"), st.just(""), st.just(FROM),
        claims=st.lists(claims(), max_size=3).map(tuple),
        remedies=st.sampled_from([(), (REMEDY,)]), rejected=st.sampled_from([False, False, False, True]),
    )  # fmt: skip


NUMBERS = st.builds("CVE-{}-{}".format, st.integers(2023, 2025), st.integers(1000, 3005))
RECORDS = st.one_of(
    vulnerabilities(NUMBERS).map(lambda record: ("nvd", record)),
    vulnerabilities(NUMBERS).map(lambda record: ("cve5", record)),
    st.builds(
        Advisory, st.builds("ADV-{}".format, st.integers(0, 40)), st.sampled_from(["Infusomat", "Windows"]),
        st.just("somebody"), st.just(FROM),
        vulnerabilities=st.lists(vulnerabilities(st.one_of(NUMBERS, st.just(""))), max_size=3).map(tuple),
    ).map(lambda advisory: ("csaf", advisory)),
)  # fmt: skip


def bring(home: Path, records: Iterable[tuple[str, Record]], *, whole: bool = False) -> None:
    with Knowledge(home, writable=True) as knowledge, Gathering(knowledge.folder) as gathering:
        feeds = set()
        for feed, record in records:
            feeds.add(feed)
            gathering.add(feed, 0, record)
        for feed in sorted(feeds):
            put_in_use(knowledge, gathering, Brought(feed), whole=whole)


def all_of(knowledge: Knowledge) -> Engine:
    engine = Engine()
    for record in knowledge.vulnerabilities():
        engine.add_vulnerability(record)
    for advisory in knowledge.advisories():
        engine.add_advisory(advisory)
    return engine


def same(home: Path) -> None:
    with Knowledge(home) as knowledge:
        whole, filed = all_of(knowledge), Engine(None, FiledClaims(knowledge))
    for profile in PROFILES:
        assert filed.judge(profile) == whole.judge(profile)
    assert filed.named() == whole.named()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(RECORDS, max_size=12), min_size=1, max_size=3))
def test_an_engine_of_filed_claims_says_what_one_of_all_records_says(
    tmp_path_factory: pytest.TempPathFactory, editions: list[list[tuple[str, Record]]]
) -> None:
    home = tmp_path_factory.mktemp("home")
    for records in editions:
        bring(home, records)
        same(home)


@settings(max_examples=30, deadline=None)
@given(st.lists(RECORDS, max_size=15), st.sets(NUMBERS, max_size=4))
def test_advisories_about_vulnerabilities_are_those_that_a_look_through_all_finds(
    tmp_path_factory: pytest.TempPathFactory, records: list[tuple[str, Record]], asked: set[str]
) -> None:
    home = tmp_path_factory.mktemp("home")
    bring(home, records)
    with Knowledge(home) as knowledge:
        named = {v.id for _, a in records if isinstance(a, Advisory) for v in a.vulnerabilities}
        wanted = asked | set(sorted(named)[:2])
        found = list(FiledClaims(knowledge).advisories_about(knowledge, wanted))
        assert found == [
            a for a in knowledge.advisories() if any((v.id or a.id) in wanted for v in a.vulnerabilities)
        ]


@given(st.lists(st.builds(Entry, claims(), st.text(max_size=9), st.text(max_size=9), st.text(max_size=9))))
def test_entries_come_back_as_they_were_packed(entries: list[Entry]) -> None:
    assert unpack(pack(entries)) == entries


def pump(number: int, version: str = "2.5") -> tuple[str, Record]:
    claim = ProductClaim(ProductStatus.AFFECTED, "B. Braun", "Infusomat Space", f"<= {version}")
    return "nvd", Vulnerability(f"CVE-2024-{number}", "", "", FROM, claims=(claim,))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    bring(tmp_path, [pump(number) for number in range(1000, 6000, 500)])
    return tmp_path


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Return the digests of blocks as they are filed."""
    blocks: list[str] = []
    inner = filed_claims._put

    def noting(db: sqlite3.Connection, digest: str, made: Filed) -> None:
        blocks.append(digest)
        inner(db, digest, made)

    monkeypatch.setattr(filed_claims, "_put", noting)
    yield blocks


def file(home: Path) -> None:
    with Knowledge(home) as knowledge:
        FiledClaims(knowledge).file()


def test_only_blocks_that_changed_are_filed_again(home: Path, put: list[str]) -> None:
    file(home)
    assert len(put) == 5
    file(home)
    assert len(put) == 5
    bring(home, [pump(2000, "1.0")])
    file(home)
    assert len(put) == 6
    same(home)


def test_what_is_in_no_edition_any_more_is_forgotten(home: Path) -> None:
    file(home)
    for turn in range(12):
        bring(home, [pump(2000, f"1.{turn}")])
        file(home)
    with Knowledge(home) as knowledge, sqlite3.connect(home / FOLDER / FILE) as db:
        kept = {digest for (digest,) in knowledge.rows("SELECT digest FROM block")}
        assert {digest for (digest,) in db.execute("SELECT digest FROM block")} <= kept
        assert {b for (b,) in db.execute("SELECT DISTINCT block FROM shelf")} == {
            b for (b,) in db.execute("SELECT id FROM block")
        }
    same(home)


def test_an_engine_says_what_the_edition_said_that_it_was_made_of(home: Path) -> None:
    with Knowledge(home) as knowledge:
        before, filed = all_of(knowledge), Engine(None, FiledClaims(knowledge))
    bring(home, [pump(2000, "1.0"), pump(1000, "1.0")])
    file(home)
    assert len(before.judge(PROFILES[0])) == 10
    assert filed.judge(PROFILES[0]) == before.judge(PROFILES[0])


def test_who_is_killed_while_filing_leaves_the_rest_to_the_next(home: Path, put: list[str]) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, str(home)], check=False)
    assert ended.returncode == -signal.SIGKILL
    same(home)
    assert len(put) == 3


def test_what_other_code_filed_is_filed_again(
    home: Path, put: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file(home)
    monkeypatch.setattr(filed_claims, "filing_version", lambda: "another")
    same(home)
    assert len(put) == 10


@pytest.mark.parametrize("how", ["no database", "rows", "cut"])
def test_a_damaged_file_is_made_again(home: Path, how: str) -> None:
    file(home)
    path = home / FOLDER / FILE
    if how == "no database":
        path.write_bytes(random.Random(1).randbytes(9000))
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:5000])
    else:
        with sqlite3.connect(path) as db:
            db.execute("UPDATE shelf SET data = x'c1c1'")
    same(home)


def test_a_file_that_cannot_be_opened_is_said(home: Path) -> None:
    (home / FOLDER / FILE).mkdir()
    with Knowledge(home) as knowledge, pytest.raises(ResourceError, match="filed"):
        FiledClaims(knowledge).take(Route(RouteKind.MAKER, "B. Braun"))


def test_without_knowledge_nothing_is_filed(tmp_path: Path) -> None:
    with Knowledge(tmp_path) as knowledge:
        filed = FiledClaims(knowledge)
        filed.file()
        assert (filed.makers(), filed.take(Route(RouteKind.MAKER, "Dell")), filed.products()) == ([], [], {})
    assert not (tmp_path / FOLDER).exists()
