"""Archives of strangers: every reader of a zip refuses what would be unpacked without a bound."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from medwarden.kernel.errors import MalformedInput
from medwarden.knowledge.gudid_files import entries
from medwarden.knowledge.zip_archive import open_archive
from medwarden.sensors.equipment_list import read_list
from medwarden.sensors.mds2_sheet import read_sheets
from medwarden.store.knowledge_bundle import _Bundle, is_bundle

READERS: dict[str, Callable[[Path], object]] = {
    "archive": lambda path: open_archive(path, "file").close(),
    "register": lambda path: list(entries(path)),
    "equipment list": lambda path: read_list(path.read_bytes(), "file"),
    "form": lambda path: read_sheets(path.read_bytes(), "file"),
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
