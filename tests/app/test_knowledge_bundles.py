"""Knowledge goes from folder to folder in a signed file; what is forged, damaged or older changes nothing."""

from __future__ import annotations

import base64
import json
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pytest_django.plugin import DjangoDbBlocker
from tests.feeds import making

from medwarden.app import knowledge as app
from medwarden.app import knowledge_bundles as bundles
from medwarden.app import knowledge_status
from medwarden.app.knowledge_status import status
from medwarden.cli.main import run
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.store.knowledge import Knowledge

Members = dict[str, bytes]


@pytest.fixture(autouse=True)
def _database(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def there(tmp_path: Path, migrated: Path) -> Path:
    """The folder that exports."""
    return Path(shutil.copytree(migrated, tmp_path / "there"))


@pytest.fixture
def here(tmp_path: Path, migrated: Path) -> Path:
    """The folder that takes in."""
    return Path(shutil.copytree(migrated, tmp_path / "here"))


def fill(home: Path, day: str, *cves: str) -> None:
    path = home.parent / "kev.json"
    path.write_bytes(making.kev(*cves, day=day))
    other = home.parent / "advisory.json"
    other.write_bytes(making.csaf())
    app.import_files(home, [path, other], unsigned=True)


def trusting(here: Path, there: Path) -> None:
    path = here.parent / "key.pem"
    path.write_text(bundles.own_key(there)[1])
    bundles.trust(here, path, "there")


def used(home: Path) -> set[str]:
    with Knowledge(home) as knowledge:
        return set(knowledge.exploitations())


def changed(path: Path, change: Callable[[Members], None]) -> Path:
    """Write a bundle anew with other members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    other = path.with_name("changed.bundle")
    with zipfile.ZipFile(other, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return other


def test_a_bundle_carries_everything_and_says_who_signed_it(there: Path, here: Path, tmp_path: Path) -> None:
    fill(there, "2026-01-02", "CVE-2026-10001", "CVE-2026-10002")
    made = bundles.export_bundle(there, tmp_path / "a.bundle")
    trusting(here, there)
    done = bundles.import_bundle(here, tmp_path / "a.bundle")
    assert done.signed
    assert {e.feed for e in done.editions} == {"kev", "csaf"}
    assert used(here) == {"CVE-2026-10001", "CVE-2026-10002"}
    kev = next(s for s in status(here) if s.manifest.id == "kev")
    assert kev.edition is not None
    assert kev.edition.proof == f"bundle {made.key}"
    assert kev.edition.digest == next(e.edition.digest for e in made.editions if e.edition.feed == "kev")
    assert knowledge_status.check(here) == ()
    again = bundles.import_bundle(here, tmp_path / "a.bundle")
    assert again.editions == ()
    assert "kev: it is in use already" in again.notes


def test_a_key_that_is_not_trusted_is_refused_unless_a_person_vouches(
    there: Path, here: Path, tmp_path: Path
) -> None:
    fill(there, "2026-01-02", "CVE-2026-10001")
    bundles.export_bundle(there, tmp_path / "a.bundle")
    with pytest.raises(ConfigurationError, match="which is not trusted here"):
        bundles.import_bundle(here, tmp_path / "a.bundle")
    assert used(here) == set()
    done = bundles.import_bundle(here, tmp_path / "a.bundle", unsigned=True)
    assert not done.signed
    assert {e.proof for e in done.editions} == {"unsigned"}


def _manifest(members: Members) -> None:
    members["manifest.json"] = members["manifest.json"].replace(b"2026.01.02", b"2026.01.03")


def _signature(members: Members) -> None:
    members["manifest.sig"] = Ed25519PrivateKey.generate().sign(members["manifest.json"])


def _block(members: Members) -> None:
    name = next(n for n in members if n.startswith("blocks/"))
    members[name] = members[name][:-1] + bytes([members[name][-1] ^ 1])


def _other_block(members: Members) -> None:
    first, second = [n for n in members if n.startswith("blocks/")][:2]
    members[first] = members[second]


@pytest.mark.parametrize("unsigned", [False, True])
@pytest.mark.parametrize("damage", [_manifest, _signature, _block, _other_block])
def test_a_forged_or_damaged_bundle_changes_nothing(
    there: Path, here: Path, tmp_path: Path, damage: Callable[[Members], None], unsigned: bool
) -> None:
    fill(here, "2025-12-01", "CVE-2025-10001")
    fill(there, "2026-01-02", "CVE-2026-10001")
    bundles.export_bundle(there, tmp_path / "a.bundle")
    trusting(here, there)
    with pytest.raises(MalformedInput, match=r"signature is not of the key|has not the digest"):
        bundles.import_bundle(here, changed(tmp_path / "a.bundle", damage), unsigned=unsigned)
    assert used(here) == {"CVE-2025-10001"}
    assert knowledge_status.check(here) == ()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_bundle_that_is_cut_changes_nothing(there: Path, here: Path, tmp_path: Path, share: float) -> None:
    fill(there, "2026-01-02", "CVE-2026-10001")
    bundles.export_bundle(there, tmp_path / "a.bundle")
    trusting(here, there)
    data = (tmp_path / "a.bundle").read_bytes()
    (tmp_path / "cut.bundle").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(MalformedInput):
        bundles.import_bundle(here, tmp_path / "cut.bundle")
    assert used(here) == set()


def test_an_older_bundle_does_not_replace_what_is_newer(there: Path, here: Path, tmp_path: Path) -> None:
    fill(there, "2026-01-02", "CVE-2026-10001")
    bundles.export_bundle(there, tmp_path / "old.bundle")
    fill(there, "2026-02-02", "CVE-2026-10002")
    bundles.export_bundle(there, tmp_path / "new.bundle")
    trusting(here, there)
    bundles.import_bundle(here, tmp_path / "new.bundle")
    with pytest.raises(ConfigurationError, match="kev: older than what is in use"):
        bundles.import_bundle(here, tmp_path / "old.bundle")
    assert used(here) == {"CVE-2026-10002"}
    bundles.import_bundle(here, tmp_path / "old.bundle", replace=True)
    assert used(here) == {"CVE-2026-10001"}


def test_of_a_whole_catalogue_the_publishers_date_tells_which_is_older(
    there: Path, here: Path, tmp_path: Path
) -> None:
    fill(there, "2026-02-02", "CVE-2026-10002")
    bundles.export_bundle(there, tmp_path / "new.bundle", names=["kev"])
    fill(here, "2026-01-02", "CVE-2026-10001")  # made later, published earlier
    trusting(here, there)
    bundles.import_bundle(here, tmp_path / "new.bundle")
    assert used(here) == {"CVE-2026-10002"}


def test_a_bundle_of_the_future_is_refused(
    there: Path, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(there, "2026-01-02", "CVE-2026-10001")
    real = time.time_ns
    with monkeypatch.context() as ahead:
        ahead.setattr("medwarden.store.knowledge_bundle.time.time_ns", lambda: real() + 9 * 86_400 * 10**9)
        bundles.export_bundle(there, tmp_path / "a.bundle")
    trusting(here, there)
    with pytest.raises(ConfigurationError, match=r"made 9 days from now|made 8 days from now"):
        bundles.import_bundle(here, tmp_path / "a.bundle")
    assert used(here) == set()


def test_a_list_of_what_is_held_makes_the_next_bundle_small(there: Path, here: Path, tmp_path: Path) -> None:
    many = [f"CVE-20{y}-10001" for y in range(10, 26)]
    fill(there, "2026-01-02", *many)
    bundles.export_bundle(there, tmp_path / "first.bundle")
    trusting(here, there)
    bundles.import_bundle(here, tmp_path / "first.bundle")
    bundles.export_bundle(here, tmp_path / "held.list", list_only=True)
    fill(there, "2026-02-02", *many, "CVE-2026-10001")
    bundles.export_bundle(there, tmp_path / "next.bundle", since=tmp_path / "held.list")
    with zipfile.ZipFile(tmp_path / "next.bundle") as archive:
        assert sum(name.startswith("blocks/") for name in archive.namelist()) == 1
    (kev,) = [d for d in bundles.differences(here, tmp_path / "next.bundle") if d.feed == "kev"]
    assert (kev.new, kev.gone, kev.refused) == (("CVE-2026-10001",), (), "")
    bundles.import_bundle(here, tmp_path / "next.bundle")
    assert used(here) == {*many, "CVE-2026-10001"}
    (again,) = [d for d in bundles.differences(here, tmp_path / "next.bundle") if d.feed == "kev"]
    assert again.refused == "kev: it is in use already"


_KILLED = """
import os, signal, sys
from pathlib import Path
from medwarden.app import knowledge_bundles as bundles
from medwarden.store import knowledge_bundle as inside
count = 0
def dying(real):
    def call(*given, **named):
        global count
        count += 1
        if count == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*given, **named)
    return call
home, path = Path(sys.argv[2]), Path(sys.argv[3])
if sys.argv[1] == "import":
    inside._checked = dying(inside._checked)
    bundles.import_bundle(home, path)
else:
    inside._put = dying(inside._put)
    bundles.export_bundle(home, path)
"""


def _killed(act: str, home: Path, path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _KILLED, act, str(home), str(path)], check=False)
    assert done.returncode == -signal.SIGKILL


def test_a_killed_import_of_a_bundle_changes_nothing_and_the_next_one_works(
    there: Path, here: Path, tmp_path: Path
) -> None:
    many = [f"CVE-20{y}-10001" for y in range(10, 26)]
    fill(here, "2025-12-01", "CVE-2025-10001")
    fill(there, "2026-01-02", *many)
    bundles.export_bundle(there, tmp_path / "a.bundle")
    trusting(here, there)
    _killed("import", here, tmp_path / "a.bundle")
    assert used(here) == {"CVE-2025-10001"}
    assert knowledge_status.check(here) == ()
    bundles.import_bundle(here, tmp_path / "a.bundle")
    assert used(here) == set(many)


def test_a_killed_export_leaves_no_bundle_under_its_name(there: Path, tmp_path: Path) -> None:
    fill(there, "2026-01-02", *[f"CVE-20{y}-10001" for y in range(10, 26)])
    bundles.export_bundle(there, tmp_path / "a.bundle")
    before = (tmp_path / "a.bundle").read_bytes()
    _killed("export", there, tmp_path / "a.bundle")
    assert (tmp_path / "a.bundle").read_bytes() == before
    bundles.export_bundle(there, tmp_path / "a.bundle")
    assert bundles.is_bundle(tmp_path / "a.bundle")
    assert list(tmp_path.glob(".*.part")) == []


def test_a_bundle_against_an_older_one_carries_the_difference(
    there: Path, here: Path, tmp_path: Path
) -> None:
    many = [f"CVE-20{y}-10001" for y in range(10, 26)]
    fill(there, "2026-01-02", *many)
    bundles.export_bundle(there, tmp_path / "old.bundle")
    fill(there, "2026-02-02", *many, "CVE-2026-10001")
    bundles.export_bundle(there, tmp_path / "new.bundle", since=tmp_path / "old.bundle")
    with zipfile.ZipFile(tmp_path / "new.bundle") as archive:
        assert sum(name.startswith("blocks/") for name in archive.namelist()) == 1
    trusting(here, there)
    with pytest.raises(ConfigurationError, match="take that one in first"):
        bundles.import_bundle(here, tmp_path / "new.bundle")
    assert used(here) == set()
    bundles.import_bundle(here, tmp_path / "old.bundle")
    bundles.import_bundle(here, tmp_path / "new.bundle")
    assert used(here) == {*many, "CVE-2026-10001"}


def test_keys_are_renewed_listed_and_forgotten(there: Path, here: Path, tmp_path: Path) -> None:
    fill(there, "2026-01-02", "CVE-2026-10001")
    trusting(here, there)
    (trusted,) = bundles.trusted(here)
    old, _ = bundles.own_key(there)
    assert trusted.id == old
    bundles.own_key(there, renew=True)
    new, _ = bundles.own_key(there, renew=True)
    assert new != old
    bundles.export_bundle(there, tmp_path / "a.bundle")
    done = bundles.import_bundle(here, tmp_path / "a.bundle")
    assert done.signed
    assert f"the key {new} took the place of {old}, which signed for it" in done.notes
    assert [(key.id, key.name) for key in bundles.trusted(here)] == [(new, "there")]
    assert bundles.forget(here, new[:8]).id == new
    with pytest.raises(ConfigurationError, match="0 trusted keys"):
        bundles.forget(here, new)
    with pytest.raises(ConfigurationError, match="not trusted"):
        bundles.import_bundle(here, tmp_path / "a.bundle")
    own = there / "knowledge" / "keys" / "own.pem"
    assert own.stat().st_mode & 0o077 == 0
    with pytest.raises(ConfigurationError, match="no public key"):
        bundles.trust(here, own, "a private key")


def _strange_heir(members: Members) -> None:
    heirs = json.loads(members["heirs.json"])
    heirs[0]["signature"] = base64.b64encode(bytes(64)).decode()
    members["heirs.json"] = json.dumps(heirs).encode()


def _no_heirs(members: Members) -> None:
    members["heirs.json"] = b"[{"


@pytest.mark.parametrize(
    ("damage", "words"), [(_strange_heir, "not trusted"), (_no_heirs, "its line of keys cannot be read")]
)
def test_a_key_that_the_old_one_did_not_sign_is_not_trusted(
    there: Path, here: Path, tmp_path: Path, damage: Callable[[Members], None], words: str
) -> None:
    fill(there, "2026-01-02", "CVE-2026-10001")
    trusting(here, there)
    bundles.own_key(there, renew=True)
    bundles.export_bundle(there, tmp_path / "a.bundle")
    with pytest.raises((ConfigurationError, MalformedInput), match=words):
        bundles.import_bundle(here, changed(tmp_path / "a.bundle", damage))
    assert used(here) == set()


def test_a_bundle_of_a_replaced_key_is_no_longer_taken(there: Path, here: Path, tmp_path: Path) -> None:
    fill(there, "2026-01-02", "CVE-2026-10001")
    bundles.export_bundle(there, tmp_path / "old.bundle", names=["csaf"])
    trusting(here, there)
    bundles.own_key(there, renew=True)
    bundles.export_bundle(there, tmp_path / "new.bundle", names=["kev"])
    bundles.import_bundle(here, tmp_path / "new.bundle")
    with pytest.raises(ConfigurationError, match="not trusted"):
        bundles.import_bundle(here, tmp_path / "old.bundle")


def test_a_bundle_is_as_fresh_as_the_last_look_where_it_was_made(
    there: Path, here: Path, tmp_path: Path
) -> None:
    fill(there, "2026-01-02", "CVE-2026-10001")
    with Knowledge(there, writable=True) as knowledge:
        looked = time.time_ns() - 5 * 3_600_000_000_000
        with knowledge.change():
            knowledge.db.execute("UPDATE feed SET looked_ns = ?", (looked,))
            knowledge.db.execute("UPDATE edition SET made_ns = ?", (looked - 10**15,))
    bundles.export_bundle(there, tmp_path / "a.bundle")
    trusting(here, there)
    bundles.import_bundle(here, tmp_path / "a.bundle")
    kev = next(s for s in status(here) if s.manifest.id == "kev")
    assert kev.as_of_ns == looked
    assert kev.age_h == pytest.approx(5, abs=0.1)


def test_the_commands_carry_knowledge_over(
    there: Path, here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(there, "2026-01-02", "CVE-2026-10001")
    bundle = str(tmp_path / "a.bundle")
    assert run(["knowledge", "export", bundle, "--home", str(there)]) == 0
    assert "2 feeds, 2 records" in capsys.readouterr().out
    assert run(["knowledge", "import", bundle, "--home", str(here)]) == 2
    assert "not trusted here" in capsys.readouterr().err
    assert run(["knowledge", "key", "show", "--home", str(there)]) == 0
    (tmp_path / "there.pem").write_text(capsys.readouterr().out)
    assert run(["knowledge", "key", "trust", str(tmp_path / "there.pem"), "--home", str(here)]) == 0
    assert run(["knowledge", "key", "list", "--home", str(here)]) == 0
    assert capsys.readouterr().out.count(" there") == 2
    assert run(["knowledge", "import", bundle, "--json", "--home", str(here)]) == 0
    assert {e["feed"] for e in json.loads(capsys.readouterr().out)["editions"]} == {"kev", "csaf"}
    assert run(["knowledge", "export", bundle, "--feed", "nvd", "--home", str(there)]) == 2
    assert "nothing of nvd to export" in capsys.readouterr().err
