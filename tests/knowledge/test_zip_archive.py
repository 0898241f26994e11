"""Archives of strangers: every reader of a zip refuses what would be unpacked without a bound."""

from __future__ import annotations

import gc
import io
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from medwarden.feeds.containers import Bounds, members
from medwarden.kernel.errors import MalformedInput
from medwarden.knowledge.gudid_files import entries
from medwarden.knowledge.sbom import read_bill
from medwarden.knowledge.zip_archive import DAMAGE, open_archive
from medwarden.sensors.equipment_list import read_list
from medwarden.sensors.mds2_document import read_form
from medwarden.sensors.mds2_sheet import read_sheets
from medwarden.sensors.spreadsheet import opened
from medwarden.sensors.support_list import read_support_list
from medwarden.store.knowledge_bundle import _Bundle, is_bundle

READERS: dict[str, Callable[[Path], object]] = {
    "archive": lambda path: open_archive(path, "file").close(),
    "register": lambda path: list(entries(path)),
    "equipment list": lambda path: read_list(path.read_bytes(), "file"),
    "form": lambda path: read_sheets(path.read_bytes(), "file"),
}


_BOUNDS = Bounds(most_member=1 << 20, most_bytes=1 << 22, most_members=50)
ALL: dict[str, Callable[[Path], object]] = {
    **READERS,
    "spreadsheet": lambda path: opened(path.read_bytes(), "file"),
    "list of models": lambda path: read_support_list(path.read_bytes(), "file"),
    "whole form": lambda path: read_form(path.read_bytes(), "file"),
    "bundle": lambda path: _Bundle(path).archive.close(),
    "feed": lambda path: [(m.name, m.stream.read()) for m in members(path, "file", _BOUNDS)],
    "bill of materials": lambda path: read_bill(path.read_bytes(), "file"),
}


def archive(method: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name in ("[Content_Types].xml", "xl/workbook.xml", "device.txt", "xl/worksheets/sheet1.xml"):
            made.writestr(name, b"<a/>" * 100)
    return out.getvalue()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["bzip2", "lzma"])
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_members_that_are_not_deflated_are_refused(
    tmp_path: Path, read: Callable[[Path], object], method: int
) -> None:
    path = tmp_path / "file.zip"
    path.write_bytes(archive(method))
    with pytest.raises(MalformedInput, match="deflate"):
        read(path)


def test_damage_is_said() -> None:
    whole = archive(zipfile.ZIP_DEFLATED)
    with pytest.raises(MalformedInput, match="damaged"):
        open_archive(io.BytesIO(whole[:-30]), "file")
    with open_archive(io.BytesIO(whole), "file") as opened:
        assert "device.txt" in opened.namelist()


def test_a_bundle_whose_members_are_damaged_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "knowledge.bundle"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name in ("manifest.json", "manifest.sig"):
            made.writestr(name, b'{"format": 1}' * 100)
    whole = path.read_bytes()
    assert is_bundle(path)
    packed = whole.index(b"manifest.json") + len("manifest.json")
    path.write_bytes(whole[:packed] + b"\xff\xff" + whole[packed + 2 :])
    with pytest.raises(MalformedInput, match="damaged bundle"):
        _Bundle(path)
    path.write_bytes(whole.replace(b"PK\x01\x02", b"PK\x09\x09"))
    assert not is_bundle(path)


def far_away(place: int) -> bytes:
    """Return an archive whose zip64 field puts its first member at a place of 64 bits (APPNOTE, 4.5.3)."""
    whole = archive(zipfile.ZIP_STORED)
    at = whole.index(b"PK\x01\x02")
    head, name = bytearray(whole[at : at + 46]), whole[at + 46 : at + 46 + len("[Content_Types].xml")]
    extra = struct.pack("<HHQ", 1, 8, place)
    head[30:32], head[42:46] = struct.pack("<H", len(extra)), b"\xff" * 4
    end = bytearray(whole[-22:])
    end[12:16] = struct.pack("<L", struct.unpack("<L", end[12:16])[0] + len(extra))
    return whole[:at] + head + name + extra + whole[at + 46 + len(name) : -22] + end


@pytest.mark.parametrize("place", [1 << 40, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
@pytest.mark.parametrize("read", ALL.values(), ids=ALL)
def test_a_member_at_a_place_that_no_file_has_is_damage(
    tmp_path: Path, read: Callable[[Path], object], place: int
) -> None:
    path = tmp_path / "file.zip"
    path.write_bytes(far_away(place))
    if read is READERS["archive"]:
        with open_archive(path, "file") as opened_archive, pytest.raises(DAMAGE):
            opened_archive.read("[Content_Types].xml")
    else:
        with pytest.raises(MalformedInput):
            read(path)


def several_disks() -> bytes:
    whole = archive(zipfile.ZIP_STORED)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(whole) - 22, 7)
    return whole[:-22] + locator + whole[-22:]


@pytest.mark.parametrize("read", ALL.values(), ids=ALL)
def test_an_archive_over_several_disks_is_refused(tmp_path: Path, read: Callable[[Path], object]) -> None:
    path = tmp_path / "file.zip"
    path.write_bytes(several_disks())
    assert is_bundle(path) is False
    with pytest.raises(MalformedInput):
        read(path)


@pytest.mark.parametrize("read", ALL.values(), ids=ALL)
def test_whatever_is_damaged_is_the_files_fault(tmp_path: Path, read: Callable[[Path], object]) -> None:
    path, chance = tmp_path / "file.zip", random.Random(11)
    wholes = [archive(zipfile.ZIP_DEFLATED), archive(zipfile.ZIP_STORED), far_away(64)]
    refused = 0
    for number in range(240):
        whole = bytearray(wholes[number % len(wholes)])
        for _ in range(chance.choice((1, 1, 2, 8))):
            whole[chance.randrange(len(whole))] = chance.choice((0, 0x7F, 0xFF, chance.randrange(256)))
        path.write_bytes(whole)
        try:
            read(path)
        except MalformedInput:
            refused += 1
    assert refused


def crowded(entries: int, declared: int) -> bytes:
    """Return an archive of a directory of empty members, whose end declares how many as it pleases."""
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", 20, 0, 20, *(0,) * 15)
    directory = entry * entries
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, declared, declared, len(directory), 4, 0)
    return b"PK\x03\x04" + directory + end


@pytest.mark.parametrize("declared", [0, 1, 5000], ids=["none", "one", "as many as there are"])
def test_members_are_counted_before_they_are_made_room_for(declared: int) -> None:
    document, made = crowded(5000, declared), 0

    class Counting(zipfile.ZipInfo):
        def __init__(self, name: str = "NoName") -> None:
            nonlocal made
            made += 1
            super().__init__(name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zipfile, "ZipInfo", Counting)
        with pytest.raises(MalformedInput, match="more than 4,096 members"):
            open_archive(io.BytesIO(document), "file")
        assert made == 0
        open_archive(io.BytesIO(document), "file", 5000).close()
        assert made == 5000


@pytest.mark.parametrize("name", sorted(ALL.keys() - {"bundle", "bill of materials"}))
def test_no_reader_takes_in_a_directory_without_end(tmp_path: Path, name: str) -> None:
    path = tmp_path / "file.zip"
    path.write_bytes(crowded(5000, 1))
    with pytest.raises(MalformedInput, match="members"):
        ALL[name](path)


def test_a_directory_larger_than_its_members_may_make_it_is_not_read() -> None:
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", 20, 0, 20, *(0,) * 10, 60_000, *(0,) * 4)
    directory = (entry + bytes(60_000)) * 20
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 20, 20, len(directory), 0, 0)
    with pytest.raises(MalformedInput, match="whose directory alone has 1,200,920 bytes"):
        open_archive(io.BytesIO(directory + end), "file", 20)
    open_archive(io.BytesIO(directory + end), "file").close()


def test_a_file_that_was_opened_for_an_archive_is_closed_with_it(tmp_path: Path) -> None:
    path = tmp_path / "file.zip"
    path.write_bytes(archive(zipfile.ZIP_STORED))
    opened_archive = open_archive(path, "file")
    opened_archive.close()
    with pytest.raises(ValueError, match="closed"):
        opened_archive.read("device.txt")
    own = io.BytesIO(path.read_bytes())
    open_archive(own, "file").close()
    assert not own.closed


def test_an_archive_of_nothing_is_none_the_less_whole(tmp_path: Path) -> None:
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    path = tmp_path / "empty.zip"
    path.write_bytes(empty.getvalue())
    with open_archive(path, "file") as found:
        assert found.namelist() == []
    outer = tmp_path / "outer.zip"
    with zipfile.ZipFile(outer, "w") as made:
        for name, data in (("a.json", b"{}"), ("empty.zip", empty.getvalue()), ("b.json", b"{}")):
            made.writestr(name, data)
    assert [each.name for each in members(outer, "o")] == ["o!a.json", "o!b.json"]


def test_a_file_that_is_gone_leaves_nothing_to_close(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_archive(tmp_path / "gone.zip", "file")
    gc.collect()  # what an archive without a file says when it goes would fail this test
