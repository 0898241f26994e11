"""Log files: packed or not, in UTF-16, and known again by their first record."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import zstandard

from medwarden.kernel.errors import ResourceError
from medwarden.sensors.log_files import form_of, has_record, head_of, is_packed, log_id, opened_log

LINE = (
    '{"ts":1700000000.5,"uid":"C1","id.orig_h":"10.1.1.1","id.orig_p":1,"id.resp_h":"10.1.1.2","id.resp_p":2,'
    '"proto":"tcp","conn_state":"SF","orig_pkts":1}\n'
)


def content(path: Path) -> bytes:
    with opened_log(path) as file:
        pieces = []
        while piece := file.read():
            pieces.append(piece)
    return b"".join(pieces)


def test_packed_or_not_it_is_the_same_log(tmp_path: Path) -> None:
    data = (LINE * 3).encode()
    plain, packed, dense = tmp_path / "a.log", tmp_path / "a.log.gz", tmp_path / "a.log.zst"
    plain.write_bytes(data)
    packed.write_bytes(gzip.compress(data))
    dense.write_bytes(zstandard.compress(data))
    assert {content(path) for path in (plain, packed, dense)} == {data}
    assert len({log_id(head_of(path)) for path in (plain, packed, dense)}) == 1
    assert [is_packed(path) for path in (plain, packed, dense)] == [False, True, True]
    form = form_of(packed)
    assert form is not None
    assert form.manifest.name == "zeek"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_handed_on_as_utf_8(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "conn.log"
    path.write_bytes("\ufeff".encode(encoding) + (LINE * 3).encode(encoding))
    assert content(path) == (LINE * 3).encode()


def test_the_id_stays_while_a_log_grows() -> None:
    header = b"#separator \\x09\n#fields\tts\tuid\n"
    first = header + b"1.0\tC1\n"
    assert log_id(first) == log_id(first + b"2.0\tC2\n") == log_id(first.rstrip())
    assert log_id(first) != log_id(header + b"1.0\tC2\n")
    assert has_record(first)
    assert not has_record(header + b"1.0")


def test_what_cannot_be_had(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="no such file"), opened_log(tmp_path / "nothing"):
        pytest.fail("there is nothing to open")
    assert head_of(tmp_path / "nothing") == b""
    assert form_of(tmp_path) is None


def test_a_spreadsheet_is_opened_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"PK\x03\x04rest")
    assert content(path) == b"PK\x03\x04rest"
