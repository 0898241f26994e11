"""Files become editions; what is broken leaves the edition in use as it was, and is said."""

from __future__ import annotations

import errno
import gzip
import io
import json
import lzma
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from pytest_django.plugin import DjangoDbBlocker
from tests.feeds import making

from medwarden.app import knowledge as app
from medwarden.app import knowledge_status
from medwarden.app.knowledge_status import status
from medwarden.cli.main import run
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.model.feed import Kind
from medwarden.store.folder import FolderLock
from medwarden.store.knowledge import Knowledge


def imported(home: Path, **files: bytes) -> app.Imported:
    """Import files by name (the last underscore is the dot)."""
    folder = home.parent / "files"
    folder.mkdir(exist_ok=True)
    paths = []
    for name, data in files.items():
        path = folder / ".".join(name.rsplit("_", 1))
        path.write_bytes(data)
        paths.append(path)
    return app.import_files(home, paths, unsigned=True)


@pytest.fixture(autouse=True)
def _database(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def home(tmp_path: Path, migrated: Path) -> Path:
    return Path(shutil.copytree(migrated, tmp_path / "home"))


def test_a_folder_of_files_becomes_one_edition_per_feed(home: Path) -> None:
    done = imported(
        home,
        kev_json=making.kev("CVE-2026-10001"),
        epss_csv=making.epss(CVE_2026_10001=("0.5", "0.9")),
        nvd_json=making.nvd(making.nvd_cve("CVE-2026-10001")),
        record_json=making.cve5("CVE-2026-10001", []),
        advisory_json=making.csaf(),
        letter_txt=b"Dear Sir or Madam",
    )
    assert done.errors == ()
    assert done.unknown == ("letter.txt",)
    assert {f.feed: (f.seen, f.kept, f.rejected) for f in done.feeds} == dict.fromkeys(
        ("csaf", "cve5", "epss", "kev", "nvd"), (1, 1, 0)
    )
    with Knowledge(home) as knowledge:
        use = knowledge.exploitation("CVE-2026-10001")
        assert use is not None
        assert (use.kev_added, use.epss, use.activity) == ("2026-01-01", 0.5, "poc")
        assert {source.feed for source in use.sources} == {"kev", "epss", "cve5"}
        assert [v.provenance.feed for v in knowledge.vulnerability("CVE-2026-10001")] == ["cve5", "nvd"]
        advisory = knowledge.advisory("ACME-2026-001")
        assert advisory is not None
        assert advisory.provenance.read_ns > 0
        assert advisory.vulnerabilities[0].provenance.read_ns > 0
        assert [a.id for a in knowledge.advisories()] == ["ACME-2026-001"]


def test_without_unsigned_nothing_is_taken_in(tmp_path: Path) -> None:
    home = tmp_path / "fresh"
    with pytest.raises(ConfigurationError, match="--unsigned"):
        app.import_files(home, [], unsigned=False)
    assert not home.exists()


def test_archives_are_opened_by_their_content(home: Path, tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("cves/CVE-2026-10001.json", making.cve5("CVE-2026-10001", []))
    outer = io.BytesIO()
    with tarfile.open(fileobj=outer, mode="w") as tar:
        info = tarfile.TarInfo("all.zip")
        info.size = len(inner.getvalue())
        tar.addfile(info, io.BytesIO(inner.getvalue()))
    done = imported(
        home,
        a_bin=zstandard.ZstdCompressor().compress(outer.getvalue()),
        b_bin=gzip.compress(making.epss(CVE_2026_10002=("0.5", "0.9"))),
    )
    assert done.errors == ()
    assert [f.name for f in done.files] == ["a.bin!all.zip!cves/CVE-2026-10001.json", "b.bin"]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_an_archive_that_is_cut_keeps_nothing_of_its_file(home: Path, pack: object) -> None:
    assert callable(pack)
    imported(home, kev_json=making.kev("CVE-2026-10001"))
    packed = pack(making.kev(*(f"CVE-2026-{n}" for n in range(20000, 22000)), day="2026-02-02"))
    done = imported(home, newer_gz=packed[: len(packed) // 2])
    assert len(done.errors) == 1
    with Knowledge(home) as knowledge:
        assert set(knowledge.exploitations()) == {"CVE-2026-10001"}


def test_a_packer_that_is_not_opened_is_told_and_the_rest_is_taken_in(home: Path) -> None:
    done = imported(home, kev_json=making.kev("CVE-2026-10001"), csaf_xz=lzma.compress(making.csaf()))
    assert len(done.errors) == 1
    assert done.errors[0].endswith("csaf.xz: packed with xz: unpack it first, or use gzip, zstd, zip or tar")
    assert [feed.feed for feed in done.feeds] == ["kev"]


def test_where_nothing_is_of_a_feed_that_is_said(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    empty = app.import_files(home, [folder], unsigned=True)
    assert empty.errors == ("nothing was taken in: no file",)
    (folder / "README.md").write_text("read me")
    (folder / "notes.json").write_text('{"a": 1}')
    strange = app.import_files(home, [folder], unsigned=True)
    assert strange.errors == ("nothing was taken in: none of 2 files is of a feed that is known",)
    assert strange.unknown == ("README.md", "notes.json")


def test_a_folder_that_cannot_be_looked_into_is_named(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shut = tmp_path / "folder" / "shut"
    shut.mkdir(parents=True)
    (tmp_path / "folder" / "kev.json").write_bytes(making.kev("CVE-2026-10001"))
    real = os.scandir

    def scandir(path: str) -> object:
        if Path(path) == shut:
            raise PermissionError(13, "Permission denied", str(shut))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    done = app.import_files(home, [tmp_path / "folder"], unsigned=True)
    assert [feed.feed for feed in done.feeds] == ["kev"]
    assert len(done.errors) == 1
    assert done.errors[0].startswith(f"{shut}: ")


def test_of_files_that_are_the_whole_feed_the_newest_is_used(home: Path) -> None:
    imported(
        home,
        a_json=making.kev("CVE-2026-10001", day="2026-03-01"),
        b_json=making.kev("CVE-2026-10002", day="2026-02-01"),
    )
    with Knowledge(home) as knowledge:
        assert set(knowledge.exploitations()) == {"CVE-2026-10001"}
    done = imported(home, c_json=making.kev("CVE-2026-10003", day="2026-01-15"))
    assert "older than what is in use (2026-03-01)" in done.errors[0]
    imported(home, d_json=making.kev("CVE-2026-10004", day="2026-03-02"))
    with Knowledge(home) as knowledge:
        assert set(knowledge.exploitations()) == {"CVE-2026-10004"}


def test_records_of_pieces_are_laid_over_each_other_and_the_newer_stays(home: Path) -> None:
    imported(home, a_json=making.csaf("A-1", released="2026-02-01T00:00:00Z"), b_json=making.csaf("A-2"))
    imported(home, c_json=making.csaf("A-1", released="2026-01-01T00:00:00Z"), d_json=making.csaf("A-3"))
    with Knowledge(home) as knowledge:
        assert {a.id: a.provenance.updated[:7] for a in knowledge.advisories()} == {
            "A-1": "2026-02",
            "A-2": "2026-01",
            "A-3": "2026-01",
        }


def test_the_same_again_makes_no_edition_and_newer_ones_say_what_changed(home: Path) -> None:
    cves = [making.nvd_cve(f"CVE-2026-{n}") for n in range(10000, 10020)]
    imported(home, a_json=making.nvd(*cves))
    with Knowledge(home) as knowledge:
        first = knowledge.newest
        read = knowledge.vulnerability("CVE-2026-10003")[0].provenance.read_ns
        assert len(knowledge.changed_since(0).ids[Kind.VULNERABILITY]) == 20
    assert imported(home, a_json=making.nvd(*cves)).feeds[0].edition is None
    changed = {**cves[4], "lastModified": "2026-02-01T00:00:00.000"}
    imported(home, b_json=making.nvd(changed, making.nvd_cve("CVE-2026-99999")))
    with Knowledge(home) as knowledge:
        changes = knowledge.changed_since(first)
        assert changes.complete
        assert changes.ids == {Kind.VULNERABILITY: {"CVE-2026-10004", "CVE-2026-99999"}}
        assert knowledge.changed_since(changes.newest).ids == {}
        assert knowledge.vulnerability("CVE-2026-10003")[0].provenance.read_ns == read
        assert len(list(knowledge.vulnerabilities())) == 21


def test_who_was_away_too_long_is_told_to_look_at_everything(home: Path) -> None:
    imported(home, a_json=making.kev("CVE-2026-10000", day="2026-01-01"))
    numbers = []
    for n in range(1, 11):
        with Knowledge(home) as knowledge:
            numbers.append(knowledge.newest)
        imported(home, a_json=making.kev(f"CVE-2026-100{n:02d}", day=f"2026-01-{n + 9}"))
    with Knowledge(home) as knowledge:
        assert not knowledge.changed_since(numbers[0]).complete
        assert knowledge.changed_since(numbers[5]).complete


def test_how_often_other_feeds_came_is_no_matter(home: Path) -> None:
    imported(home, a_json=making.nvd(making.nvd_cve("CVE-2026-10000")))
    with Knowledge(home) as knowledge:
        first = knowledge.newest
    for n in range(1, 10):
        imported(home, a_json=making.kev(f"CVE-2026-1000{n}", day=f"2026-01-1{n}"))
    imported(home, a_json=making.nvd(making.nvd_cve("CVE-2026-20000")))
    with Knowledge(home) as knowledge:
        changes = knowledge.changed_since(first, (Kind.VULNERABILITY, Kind.ADVISORY))
        assert changes.complete
        assert changes.ids == {Kind.VULNERABILITY: {"CVE-2026-20000"}}
        assert not knowledge.changed_since(first, (Kind.EXPLOITATION,)).complete


@pytest.mark.parametrize(
    "broken",
    [
        making.kev("CVE-2026-10002", day="2026-02-02")[:-40],
        making.kev("CVE-2026-10002", day="2026-02-02").replace(b'"cveID"', b'"cve"'),
        making.kev("CVE-2026-10002", day="2026-02-02").replace(b'"vulnerabilities"', b'"entries"'),
    ],
    ids=["cut", "another schema", "another list"],
)
def test_a_broken_file_leaves_the_old_edition_in_use(home: Path, broken: bytes) -> None:
    imported(home, a_json=making.kev("CVE-2026-10001"))
    done = imported(home, b_json=broken)
    assert len(done.errors) == 1
    with Knowledge(home) as knowledge:
        assert set(knowledge.exploitations()) == {"CVE-2026-10001"}
    kev = next(s for s in status(home) if s.manifest.id == "kev")
    assert kev.edition is not None
    assert "b.json" in kev.failure
    imported(home, c_json=making.kev("CVE-2026-10003", day="2026-02-03"))
    assert next(s for s in status(home) if s.manifest.id == "kev").failure == ""


def test_a_flipped_byte_is_found_and_named(home: Path) -> None:
    imported(home, a_json=making.kev("CVE-2026-10001"), b_json=making.csaf())
    assert knowledge_status.check(home) == ()
    db = sqlite3.connect(home / "knowledge" / "feeds.sqlite3")
    rowid, data = db.execute(
        "SELECT block.rowid, data FROM block JOIN part USING (digest) WHERE kind = 'exploitation'"
    ).fetchone()
    data = bytearray(data)
    data[len(data) // 2] ^= 1
    db.execute("UPDATE block SET data = ? WHERE rowid = ?", (bytes(data), rowid))
    db.commit()
    db.close()
    (sentence,) = knowledge_status.check(home)
    assert sentence.startswith("kev: the block CVE-2026-10xxx of exploitation")
    with Knowledge(home) as knowledge:
        with pytest.raises(ResourceError, match="is damaged on this disk"):
            knowledge.exploitations()
        assert [a.id for a in knowledge.advisories()] == ["ACME-2026-001"]
    assert run(["knowledge", "status", "--check", "--home", str(home)]) == 1


_KILLED = """
import os, signal, sys
from pathlib import Path
from medwarden.app import knowledge as app
from medwarden.store import knowledge_editions as editions
count = 0
real = editions.pack
def pack(records):
    global count
    count += 1
    if count == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(records)
editions.pack = pack
app.import_files(Path(sys.argv[1]), [Path(sys.argv[2])], unsigned=True)
"""


@pytest.mark.parametrize("at", [1, 3])
def test_a_killed_import_leaves_the_old_edition_and_the_next_one_works(
    home: Path, tmp_path: Path, at: int
) -> None:
    imported(home, a_json=making.kev("CVE-2026-10001"))
    newer = tmp_path / "newer.json"
    newer.write_bytes(making.kev(*(f"CVE-202{y}-10001" for y in range(1, 6)), day="2026-02-02"))
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(home), str(newer), str(at)], check=False, env={**os.environ}
    )
    assert killed.returncode == -signal.SIGKILL
    with Knowledge(home) as knowledge:
        assert set(knowledge.exploitations()) == {"CVE-2026-10001"}
    app.import_files(home, [newer], unsigned=True)
    with Knowledge(home) as knowledge:
        assert len(knowledge.exploitations()) == 5
        assert knowledge.check() == []
    assert list((home / "knowledge").glob("gathering-*")) == []


def test_what_a_killed_process_laid_aside_is_removed_by_the_next(home: Path) -> None:
    aside = home / "knowledge" / "arriving-killed"
    aside.mkdir(parents=True)
    (aside / "held").write_bytes(b"a file of gigabytes")
    (home / "knowledge" / "gathering-1.sqlite3").write_bytes(b"")
    (home / "knowledge" / "gathering-1.sqlite3-journal").write_bytes(b"")
    with FolderLock(home, "knowledge"):
        with pytest.raises(ResourceError):
            imported(home, a_json=making.kev("CVE-2026-10001"))
        assert (aside / "held").exists(), "another process writes: it may be its own"
    with app.writing(home):
        assert not aside.exists()
        assert list((home / "knowledge").glob("gathering-*")) == []
    assert imported(home, a_json=making.kev("CVE-2026-10001")).errors == ()


def test_what_cannot_be_removed_keeps_nobody_from_importing(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    aside = home / "knowledge" / "arriving-of-root"
    aside.mkdir(parents=True)

    def refused(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as here:
        here.setattr("medwarden.app.knowledge.shutil.rmtree", refused)
        with app.writing(home):
            assert aside.exists()
    assert "arriving-of-root was left by a process that was killed" in caplog.text
    assert imported(home, a_json=making.kev("CVE-2026-10001")).errors == ()
    assert not aside.exists()


def test_the_commands_print_and_say_what_went_wrong(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kev.json").write_bytes(making.kev("CVE-2026-10001", "x"))
    assert run(["knowledge", "import", str(tmp_path / "kev.json"), "--home", str(home)]) == 2
    assert "--unsigned" in capsys.readouterr().err
    status = run(
        ["knowledge", "import", str(tmp_path / "kev.json"), "--unsigned", "--json", "--home", str(home)]
    )
    out, err = capsys.readouterr()
    assert status == 0
    assert json.loads(out)["feeds"][0]["rejected"] == 1
    assert "'x' is no CVE id" in err
    (tmp_path / "cut.json").write_bytes(making.csaf()[:-40])
    assert run(["knowledge", "import", str(tmp_path / "cut.json"), "--unsigned", "--home", str(home)]) == 1
    assert capsys.readouterr().err.count("cut.json: not one of its 1 records can be read") == 1
    assert run(["knowledge", "status", "--json", "--home", str(home)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    kev = next(line for line in lines if line["manifest"]["id"] == "kev")
    assert kev["counts"] == {"exploitation": 1}
    assert kev["stale"] is True  # new here, but published long ago
    assert run(["knowledge", "status", "--home", str(home)]) == 0
    assert "never taken in" in capsys.readouterr().out


def test_the_shared_snapshots_are_read_as_they_lie(shared: Path, home: Path) -> None:
    done = app.import_files(home, [shared / "knowledge" / "vuln"], unsigned=True)
    assert done.errors == ()
    found = {f.feed: f for f in done.feeds}
    assert (found["csaf"].kept, found["csaf"].rejected) == (193, 0)
    assert (found["cve5"].kept, found["cve5"].rejected) == (42, 0)
    assert found["kev"].kept == 1662
    with Knowledge(home) as knowledge:
        assert sum(a.id.startswith("ICSMA") for a in knowledge.advisories()) == 109
