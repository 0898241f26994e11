"""Archives of strangers: members by their contents, one of our errors for damage, names that are words."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.feeds.upstream import tarred

from medwarden.feeds.containers import Bounds, members
from medwarden.kernel.errors import MalformedInput

METHODS = {"stored": zipfile.ZIP_STORED, "deflate": zipfile.ZIP_DEFLATED}
OTHERS = {"bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}
DOCUMENT = b'{"a": 1}' * 300
TAR = tarred("a.json", DOCUMENT)


def zipped(method: int, name: str = "a.json") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("folder/", b"")
        archive.writestr(name, DOCUMENT)
    return out.getvalue()


def read(folder: Path, data: bytes) -> list[tuple[str, bytes]]:
    path = folder / "file"
    path.write_bytes(data)
    bounds = Bounds(most_member=1 << 20, most_bytes=1 << 22, most_members=50)
    return [(member.name, member.stream.read()) for member in members(path, "file", bounds)]


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_zip_is_read_however_it_is_packed(tmp_path: Path, method: int) -> None:
    assert read(tmp_path, zipped(method)) == [("file!a.json", DOCUMENT)]


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_damage_within_a_member_is_the_files_fault(tmp_path: Path, method: int) -> None:
    whole = bytearray(zipped(method))
    at = whole.index(b"a.json") + len("a.json")
    refused = 0
    for offset in range(at, min(at + 60, whole.index(b"PK\x01\x02"))):
        damaged = bytes((*whole[:offset], whole[offset] ^ 0xFF, *whole[offset + 1 :]))
        try:
            read(tmp_path, damaged)
        except MalformedInput as error:
            assert "file" in str(error)
            refused += 1
    assert refused


@pytest.mark.parametrize("method", OTHERS.values(), ids=OTHERS)
def test_what_would_be_unpacked_without_a_bound_is_refused(tmp_path: Path, method: int) -> None:
    for data in (zipped(method), gzip.compress(zipped(method))):
        with pytest.raises(MalformedInput, match="deflate"):
            read(tmp_path, data)


@pytest.mark.parametrize("kind", [b"L", b"K", b"x", b"g", b"X"])
def test_a_tar_whose_head_is_without_end_is_refused(tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("a.json")
    info.type, info.size = kind, 40 << 20
    bomb = info.tobuf(tarfile.GNU_FORMAT) + bytes(40 << 20) + TAR
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(bomb, 1))
    with pytest.raises(MalformedInput, match="damaged archive"):
        list(members(path, "file"))


class Nameless(zipfile.ZipInfo):
    """A member without a name, which ``zipfile`` writes of nobody else."""

    def is_dir(self) -> bool:
        return False


def test_a_member_without_a_name_is_a_file(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(Nameless(""), DOCUMENT)
    assert read(tmp_path, out.getvalue()) == [("file!", DOCUMENT)]


def test_what_a_member_is_called_stands_in_sentences_as_words(tmp_path: Path) -> None:
    name = "\x1b[31m" + "x" * 5000 + ".json"
    ((shown, _),) = read(tmp_path, zipped(zipfile.ZIP_DEFLATED, name))
    assert shown.isprintable()
    assert len(shown) < 300
    assert shown.endswith(".json")
    damaged = bytearray(zipped(zipfile.ZIP_DEFLATED, "\x1b[31m" + "x" * 100))
    damaged[damaged.rindex(b"PK\x03\x04") + 26] = 3  # its own head says another length of the name
    with pytest.raises(MalformedInput) as refused:
        read(tmp_path, bytes(damaged))
    assert str(refused.value).isprintable()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    whole=st.sampled_from([*(zipped(m) for m in METHODS.values()), TAR, gzip.compress(TAR)]),
    damage=st.lists(st.tuples(st.integers(0, 1 << 14), st.integers(0, 255)), min_size=1, max_size=4),
    end=st.integers(0, 1 << 14),
)
def test_whatever_is_damaged_is_read_or_refused(
    tmp_path: Path, whole: bytes, damage: list[tuple[int, int]], end: int
) -> None:
    data = bytearray(whole)
    for at, octet in damage:
        data[at % len(data)] = octet
    try:
        read(tmp_path, bytes(data[: end or None]))
    except MalformedInput as error:
        assert str(error).isprintable()


def test_a_tar_of_folders_without_end_is_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for number in range(60):
            folder = tarfile.TarInfo(f"folder{number}")
            folder.type = tarfile.DIRTYPE
            archive.addfile(folder)
    with pytest.raises(MalformedInput, match="more than 50 files"):
        read(tmp_path, out.getvalue())


def with_holes(version: str) -> bytes:
    """Return a tar of a member with holes, as GNU tar writes it (its manual, appendix D)."""
    info = tarfile.TarInfo("a.json")
    if version == "old":
        info.type = tarfile.GNUTYPE_SPARSE
        return info.tobuf(tarfile.GNU_FORMAT) + TAR
    info.pax_headers = {"GNU.sparse.major": version, "GNU.sparse.minor": "0"}
    info.size = 1 << 20
    return info.tobuf(tarfile.PAX_FORMAT) + b"9999999\n" + b"0\n" * (1 << 19) + TAR


@pytest.mark.parametrize("version", ["old", "1"])
def test_maps_of_holes_are_not_read(tmp_path: Path, version: str) -> None:
    with pytest.raises(MalformedInput, match="a member with holes"):
        read(tmp_path, with_holes(version))


@pytest.mark.parametrize(
    "head",
    [{"GNU.sparse.map": "1,x"}, {"GNU.sparse.size": "x", "GNU.sparse.map": "0,1"}],
    ids=["map", "size"],
)
def test_a_tar_whose_further_head_says_nonsense_is_damaged(tmp_path: Path, head: dict[str, str]) -> None:
    info = tarfile.TarInfo("a.json")
    info.pax_headers = head
    with pytest.raises(MalformedInput, match="damaged archive"):
        read(tmp_path, info.tobuf(tarfile.PAX_FORMAT) + TAR)


def test_a_tar_of_heads_that_say_more_of_heads_is_damaged(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a.json")
    info.type = tarfile.XHDTYPE
    with pytest.raises(MalformedInput, match="damaged archive"):
        read(tmp_path, info.tobuf(tarfile.USTAR_FORMAT) * 3000 + TAR)
