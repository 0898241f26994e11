"""Knowledge goes from folder to folder in a signed file; what is forged, damaged or older changes nothing."""

from __future__ import annotations

import json
import shutil
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
    done = bundles.import_bundle(here, tmp_path / "old.bundle")
    assert "kev: older than what is in use" in done.notes
    assert used(here) == {"CVE-2026-10002"}


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
    new, _ = bundles.own_key(there, renew=True)
    assert new != old
    bundles.export_bundle(there, tmp_path / "a.bundle")
    with pytest.raises(ConfigurationError, match="not trusted"):
        bundles.import_bundle(here, tmp_path / "a.bundle")
    trusting(here, there)
    assert bundles.import_bundle(here, tmp_path / "a.bundle").signed
    assert bundles.forget(here, old[:8]).id == old
    with pytest.raises(ConfigurationError, match="0 trusted keys"):
        bundles.forget(here, old)
    own = there / "knowledge" / "keys" / "own.pem"
    assert own.stat().st_mode & 0o077 == 0
    with pytest.raises(ConfigurationError, match="no public key"):
        bundles.trust(here, own, "a private key")


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
