"""The files a person named: folders walked, captures told from what lies beside them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from tests.flowcore import packets as made

from medwarden.app.inputs import find_inputs
from medwarden.kernel.errors import ConfigurationError

CAPTURE = made.pcap([(made.START, made.udp_frame(b"x"))])


def test_folders_are_walked_in_a_stable_order(tmp_path: Path) -> None:
    for name in ("b/two.pcap", "a/one.cap", "b/deep/three", "b/.hidden.pcap", "notes.txt", "empty.pcap"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"no packets" if name == "notes.txt" else b"" if "empty" in name else CAPTURE)
    (tmp_path / "packed").write_bytes(gzip.compress(CAPTURE))
    found = find_inputs([tmp_path])
    names = [path.relative_to(tmp_path).as_posix() for path in found.files]
    assert names == ["a/one.cap", "b/deep/three", "b/two.pcap", "empty.pcap", "packed"]
    assert [path.name for path in found.beside] == ["notes.txt"]


def test_a_file_named_by_itself_is_an_input_whatever_it_is(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("no packets")
    (tmp_path / "one.pcap").write_bytes(CAPTURE)
    assert find_inputs([notes]).files == (notes,)
    both = find_inputs([tmp_path, notes, notes])
    assert both.files == (tmp_path / "one.pcap", notes)
    assert both.beside == ()


def test_a_folder_without_captures_stands_for_itself(tmp_path: Path) -> None:
    assert find_inputs([tmp_path]).files == (tmp_path,)
    (tmp_path / "notes.txt").write_text("no packets")
    found = find_inputs([tmp_path])
    assert found.files == (tmp_path,)
    assert [path.name for path in found.beside] == ["notes.txt"]


def test_what_does_not_exist_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file or folder"):
        find_inputs([tmp_path / "absent"])


def test_links_are_followed_to_files_but_not_round_in_circles(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "one.pcap").write_bytes(CAPTURE)
    (tmp_path / "real" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "link.pcap").symlink_to(tmp_path / "real" / "one.pcap")
    (tmp_path / "self.pcap").symlink_to("self.pcap")
    found = find_inputs([tmp_path])
    assert [path.relative_to(tmp_path).as_posix() for path in found.files] == ["link.pcap", "real/one.pcap"]
    assert find_inputs([tmp_path / "self.pcap"]).files == (tmp_path / "self.pcap",)
