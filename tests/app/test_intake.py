"""One file to batches: its account, its content id, its name in one printable line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from medwarden.app.intake import content_id, take_in
from medwarden.kernel.errors import ResourceError
from medwarden.model.batch import Batch

KEY = b"k" * 32


def test_everything_readable_reaches_the_sink(capture: Path) -> None:
    taken: list[Batch] = []
    seen: list[int] = []
    whole = capture.read_bytes()
    capture.write_bytes(whole + whole[24:40])
    report = take_in(capture, KEY, taken.append, seen.append)
    assert report.packets.balanced()
    assert report.packets.parsed == seen[-1] == 2
    assert report.error is not None
    assert f"byte {len(whole)}" in report.error
    facts = {(f.evidence.field, f.evidence.value) for batch in taken for f in batch.facts}
    assert {("syslog.host_name", "ct01"), ("syslog.host_name", "ris02")} <= facts
    assert sum(batch.flows.num_rows for batch in taken) == 1


def test_names_that_are_no_text_are_told_in_printable_form(capture: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"a\nb\xff.pcap")
    odd.write_bytes(capture.read_bytes() + b"x")
    report = take_in(odd, KEY, lambda batch: None)
    assert report.path.endswith("a\\nb\\xff.pcap")
    assert report.error is not None
    assert report.error.isprintable()


def test_the_content_alone_makes_the_id(capture: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(capture.read_bytes())
    assert content_id(other) == content_id(capture)
    other.write_bytes(capture.read_bytes() + b"x")
    assert content_id(other) != content_id(capture)
    with pytest.raises(ResourceError, match="No such file"):
        content_id(tmp_path / "absent")
