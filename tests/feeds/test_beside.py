"""Digests and signatures beside files that a person brings: held against them, believed as far as they go."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest
from tests.feeds import making
from tests.feeds.upstream import zipped

from medwarden.app.knowledge import Imported, import_files
from medwarden.app.knowledge_settings import SyncSettings, write_settings
from medwarden.feeds.beside import Beside, Companions
from medwarden.store.knowledge import Knowledge

DATA = making.csaf("ACME-1")
Sign = Callable[[bytes], bytes]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "white" / "2026"
    found.mkdir(parents=True)
    (found / "acme-1.json").write_bytes(DATA)
    return found


@pytest.fixture
def signer() -> tuple[str, bytes, Sign]:
    sequoia = pytest.importorskip("pysequoia", reason="the extra medwarden[openpgp] is not installed")
    key = sequoia.Tsk.generate("Acme <acme@acme.example>")

    def sign(data: bytes) -> bytes:
        return bytes(sequoia.sign(key.signer(), data, mode=sequoia.SignatureMode.DETACHED))

    certificate = key.extract_certificate()
    return str(certificate.fingerprint).upper(), str(certificate).encode(), sign


def bring(folder: Path, tmp_path: Path) -> Imported:
    return import_files(tmp_path / "home", [folder.parent], unsigned=True)


def verified(tmp_path: Path) -> bool:
    with Knowledge(tmp_path / "home") as knowledge:
        advisory = knowledge.advisory("ACME-1")
        assert advisory is not None
        return advisory.provenance.verified


@pytest.mark.parametrize("name", ["sha256", "sha512"])
def test_a_digest_that_holds_is_passed_in_silence(folder: Path, tmp_path: Path, name: str) -> None:
    sum = hashlib.new(name, DATA).hexdigest().upper()
    (folder / f"acme-1.json.{name}").write_text(f"{sum}  acme-1.json\n")
    done = bring(folder, tmp_path)
    assert (done.errors, done.unknown) == ((), ())
    assert not verified(tmp_path)


@pytest.mark.parametrize("text", ["0" * 128 + "  acme-1.json", "", "no digest"])
def test_a_digest_that_does_not_hold_refuses_that_file_alone(folder: Path, tmp_path: Path, text: str) -> None:
    (folder / "acme-1.json.sha512").write_text(text)
    (folder / "acme-2.json").write_bytes(making.csaf("ACME-2"))
    done = bring(folder, tmp_path)
    (sentence,) = done.errors
    assert "its sha512 is not the one in acme-1.json.sha512" in sentence
    with Knowledge(tmp_path / "home") as knowledge:
        assert [a.id for a in knowledge.advisories()] == ["ACME-2"]


def test_a_signature_counts_with_a_key_that_the_operator_named(
    folder: Path, tmp_path: Path, signer: tuple[str, bytes, Sign]
) -> None:
    fingerprint, certificate, sign = signer
    (folder / "acme-1.json.asc").write_bytes(sign(DATA))
    (folder.parent / "publisher.asc").write_bytes(certificate)
    done = bring(folder, tmp_path)
    assert (done.errors, done.unknown) == ((), ())
    assert f"it is signed with the key {fingerprint}" in done.files[0].note
    assert not verified(tmp_path)
    write_settings(
        tmp_path / "home", SyncSettings(openpgp=(fingerprint.lower(),), vouches={fingerprint: ("acme",)})
    )
    (folder / "acme-1.json").write_bytes(newer := making.csaf("ACME-1", released="2026-05-05T00:00:00Z"))
    (folder / "acme-1.json.asc").write_bytes(sign(newer))
    assert bring(folder, tmp_path).files[0].note == ""
    assert verified(tmp_path)


@pytest.mark.parametrize("packed", [False, True])
def test_a_key_that_is_trusted_for_one_publisher_proves_no_word_of_another(
    folder: Path, tmp_path: Path, signer: tuple[str, bytes, Sign], packed: bool
) -> None:
    fingerprint, certificate, sign = signer
    write_settings(tmp_path / "home", SyncSettings(openpgp=(fingerprint,), vouches={fingerprint: ("Acme",)}))
    document = DATA.replace(b'"name": "Acme", "namespace"', b'"name": "Bcme", "namespace"')
    assert document != DATA
    name = "acme-1.zip" if packed else "acme-1.json"
    (folder / "acme-1.json").unlink()
    (folder / name).write_bytes(zipped("acme-1.json", document) if packed else document)
    (folder / f"{name}.asc").write_bytes(sign((folder / name).read_bytes()))
    (folder.parent / "publisher.asc").write_bytes(certificate)
    done = bring(folder, tmp_path)
    assert done.errors == ()
    assert "proves the word of Acme, not of Bcme" in done.files[0].note
    assert not verified(tmp_path)


def test_what_was_checked_is_what_is_taken_in(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "acme-1.json"
    (folder / "acme-1.json.sha512").write_text(hashlib.sha512(DATA).hexdigest())
    honest = Companions.check

    def and_then_changed(self: Companions, path: Path, document: IO[bytes]) -> Beside:
        found = honest(self, path, document)
        file.write_bytes(making.csaf("FORGED-1"))
        return found

    monkeypatch.setattr(Companions, "check", and_then_changed)
    assert bring(folder, tmp_path).errors == ()
    with Knowledge(tmp_path / "home") as knowledge:
        assert [a.id for a in knowledge.advisories()] == ["ACME-1"]


def test_a_forged_signature_refuses_the_file(
    folder: Path, tmp_path: Path, signer: tuple[str, bytes, Sign]
) -> None:
    _, certificate, sign = signer
    (folder / "acme-1.json.asc").write_bytes(sign(making.csaf("ACME-9")))
    (folder.parent / "publisher.asc").write_bytes(certificate)
    (sentence,) = bring(folder, tmp_path).errors
    assert "acme-1.json.asc is of none of the keys in the folder" in sentence


def test_a_signature_without_a_key_is_said_to_be_unchecked(
    folder: Path, tmp_path: Path, signer: tuple[str, bytes, Sign]
) -> None:
    (folder / "acme-1.json.asc").write_bytes(signer[2](DATA))
    done = bring(folder, tmp_path)
    assert done.errors == ()
    assert "no public key lies in the folder" in done.files[0].note
