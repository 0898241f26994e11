"""Claims that are filed say what all records say, whatever was changed, killed or damaged in between."""

from __future__ import annotations

import inspect
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medwarden.kernel.errors import ResourceError
from medwarden.model.feed import Kind, Record
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
from medwarden.store.knowledge_blocks import Held
from medwarden.store.knowledge_blocks import pack as pack_held
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
FILING = """
import sys
from pathlib import Path
from medwarden.store import filed_claims
from medwarden.store.knowledge import Knowledge
with Knowledge(Path(sys.argv[1])) as knowledge:
    filed = filed_claims.FiledClaims(knowledge)
for line in sys.stdin:
    with filed_claims._opened(Path(line.strip())) as db:
        print(db.execute("SELECT count(*) FROM block, shelf").fetchone()[0], flush=True)
filed.file()
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


def test_what_other_code_filed_stays_while_it_is_used(
    home: Path, put: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file(home)
    own, other = home / FOLDER / FILE, home / FOLDER / "filed-another.sqlite3"
    with monkeypatch.context() as later:
        later.setattr(filed_claims, "FILE", other.name)
        file(home)
        same(home)
        assert len(put) == 10
    file(home)
    assert len(put) == 10
    assert own.exists() and other.exists()


def test_a_file_of_other_code_goes_when_nobody_has_used_it_for_a_day(home: Path) -> None:
    left = [home / FOLDER / f"filed-older.sqlite3{end}" for end in ("", "-wal", "-shm")]
    with closing(sqlite3.connect(left[0], isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE kept (number)")
        file(home)
        assert all(path.exists() for path in left)
        for path in left:
            os.utime(path, (0, 0))
        file(home)
        assert not any(path.exists() for path in left)
        db.execute("INSERT INTO kept VALUES (1)")
        assert db.execute("SELECT number FROM kept").fetchall() == [(1,)]
    assert (home / FOLDER / FILE).exists()
    same(home)


def test_the_name_of_the_file_holds_the_code_that_runs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspect, "getsource", lambda module: f"{module.__name__} of a later release")
    file(home)
    assert [path.name for path in (home / FOLDER).glob("filed-*.sqlite3")] == [FILE]
    assert filed_claims._filing_version() not in FILE


@pytest.mark.parametrize("done", [(), ("PRAGMA journal_mode = WAL",), filed_claims._SCHEMA[:1]])
def test_a_file_whose_making_was_interrupted_is_made(home: Path, done: tuple[str, ...]) -> None:
    with closing(sqlite3.connect(home / FOLDER / FILE)) as db:
        for statement in done:
            db.execute(statement)
    same(home)


def test_after_a_disk_was_full_while_the_file_was_made_it_is_made(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = sqlite3.connect

    def small(path: Path, **options: object) -> sqlite3.Connection:
        db = inner(path, **options)  # type: ignore[call-overload]  # as the caller gave them
        db.execute("PRAGMA max_page_count = 2")
        return cast(sqlite3.Connection, db)

    with Knowledge(home) as knowledge:
        filed = FiledClaims(knowledge)
    with monkeypatch.context() as full:
        full.setattr(sqlite3, "connect", small)
        with pytest.raises(ResourceError, match="full"):
            filed.makers()
    assert filed.makers() == ["B. Braun"]
    same(home)


def test_a_disk_that_is_full_while_claims_are_filed_leaves_those_that_are(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file(home)
    bring(home, [pump(number, "1.0" * 500) for number in range(7000, 7400)])
    inner = filed_claims._made

    def full(db: sqlite3.Connection, path: Path) -> None:
        inner(db, path)
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages}")
        db.execute("PRAGMA cache_size = 1")

    with monkeypatch.context() as less:
        less.setattr(filed_claims, "_made", full)
        with pytest.raises(ResourceError, match="full"):
            file(home)
    assert "damaged" not in caplog.text
    with sqlite3.connect(home / FOLDER / FILE) as db:
        assert db.execute("SELECT count(*) FROM block").fetchone()[0] >= 5
    same(home)


def test_processes_that_make_and_fill_the_file_at_once_do_not_disturb_each_other(home: Path) -> None:
    with ExitStack() as ends:
        filing = [
            ends.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", FILING, str(home)],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                )
            )
            for _ in range(3)
        ]  # fmt: skip
        for turn in range(15):
            for each in filing:
                assert each.stdin is not None
                each.stdin.write(f"{home / str(turn)}.sqlite3\n")
                each.stdin.flush()
            for each in filing:
                assert each.stdout is not None
                if not each.stdout.readline():
                    pytest.fail(each.communicate()[1])
        assert [(each.communicate()[1], each.returncode) for each in filing] == [("", 0)] * 3
    same(home)


def test_each_block_is_forgotten_in_a_transaction_of_its_own(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file(home)
    with Knowledge(home, writable=True) as knowledge:
        knowledge.db.execute("PRAGMA foreign_keys = OFF")
        gone = [str(d) for (d,) in knowledge.rows("SELECT digest FROM block ORDER BY digest LIMIT 3")]
        for digest in gone:
            for table in ("part", "block"):
                knowledge.db.execute(f"DELETE FROM {table} WHERE digest = ?", (digest,))
    said: list[str] = []
    inner = filed_claims._made

    def listening(db: sqlite3.Connection, path: Path) -> None:
        inner(db, path)
        db.set_trace_callback(said.append)

    monkeypatch.setattr(filed_claims, "_made", listening)
    file(home)
    turns = " ".join(said).split("BEGIN IMMEDIATE")[1:]
    assert [turn.count("DELETE FROM block") for turn in turns] == [1, 1, 1]
    with sqlite3.connect(home / FOLDER / FILE) as db:
        assert not {digest for (digest,) in db.execute("SELECT digest FROM block")} & set(gone)


def test_a_record_that_cannot_be_read_is_said_of_the_file_in_which_it_stands(home: Path) -> None:
    file(home)
    digest, data, _ = pack_held([Held("CVE-2024-9000", "", 0, msgspec.Raw(b"\x01"))])
    with Knowledge(home, writable=True) as knowledge, knowledge.change():
        edition = knowledge.newest
        knowledge.db.execute("INSERT INTO block VALUES (?, ?)", (digest, data))
        knowledge.db.execute(
            "INSERT INTO part VALUES (?, ?, 'CVE-2024-9xxx', ?, 1)", (edition, Kind.VULNERABILITY, digest)
        )
    with Knowledge(home) as knowledge:
        filed = FiledClaims(knowledge)
    for _ in range(2):
        with pytest.raises(ResourceError, match=r"CVE-2024-9xxx of vulnerability in .*feeds\.sqlite3"):
            filed.makers()
    with sqlite3.connect(home / FOLDER / FILE) as db:
        assert db.execute("SELECT count(*) FROM block").fetchone() == (5,)


@pytest.mark.parametrize("how", ["no database", "rows", "cut", "no text"])
def test_a_damaged_file_is_made_again(home: Path, how: str) -> None:
    file(home)
    path = home / FOLDER / FILE
    if how == "no database":
        path.write_bytes(random.Random(1).randbytes(9000))
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:5000])
    else:
        with sqlite3.connect(path) as db:
            first = "(SELECT min(digest) FROM block)"
            flipped = f"UPDATE block SET digest = CAST(x'ff41' AS TEXT) WHERE digest = {first}"
            db.execute("UPDATE shelf SET data = x'c1c1'" if how == "rows" else flipped)
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
