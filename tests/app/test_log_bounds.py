"""Reading a log takes no more memory the longer it is, and what is wrong with one line costs that line."""

from __future__ import annotations

import hashlib
import resource
from collections.abc import Iterator
from pathlib import Path

import msgspec

from medwarden.app.log_intake import LogReading, mark_of, setting_of, take_in_log
from medwarden.model.accounting import InputReport
from medwarden.sensors.log_files import PIECE, form_of
from medwarden.sensors.logs.lines import MOST_LINE, OVERLONG
from medwarden.sensors.logs.registry import parser_named

SETTING = setting_of(b"only for the tests of logs......")
CONN = (
    b'{"ts":17953416%02d.5,"uid":"C%024d","id.orig_h":"10.%d.%d.7","id.orig_p":%d,"id.resp_h":"10.200.0.%d",'
    b'"id.resp_p":443,"proto":"tcp","service":"ssl","duration":0.25,"orig_bytes":%d,"conn_state":"SF"}\n'
)
DNS = (
    b'{"timestamp":"2026-11-22T10:00:%02d.251547+0000","event_type":"dns","src_ip":"10.%d.%d.7","src_port":%d,'
    b'"dest_ip":"10.200.0.9","dest_port":53,"dns":{"type":"query","rrname":"host-%d.example.org","rrtype":"A"}}\n'
)
STREAM = 96 << 20
BATCH = 24 << 20
ROOM = 48 << 20


def conn_lines(first: int) -> bytes:
    numbers = range(first, first + PIECE // 230)
    return b"".join(CONN % (n % 60, n, n // 250 % 250, n % 250, n % 65536, n % 60, n % 9000) for n in numbers)


def dns_lines(first: int) -> bytes:
    numbers = range(first, first + PIECE // 220)
    return b"".join(DNS % (n % 60, n // 250 % 250, n % 250, n % 65536, n) for n in numbers)


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def pieces(made: object, size: int) -> Iterator[bytes]:
    assert callable(made)
    done = 0
    while done < size:
        piece = made(done // 200)
        done += len(piece)
        yield piece


def highest(form: str, made: object) -> tuple[int, int, InputReport]:
    """Return the highest memory of the first two batches and of the others; the stream never repeats."""
    reading = LogReading("stream", parser_named(form), SETTING, InputReport("stream", form))
    early = late = waiting = batches = 0
    for piece in pieces(made, STREAM):
        reading.push(piece)
        waiting += len(piece)
        if batches < 2:
            early = max(early, resident())
        else:
            late = max(late, resident())
        if waiting >= BATCH:
            waiting, batches = 0, batches + 1
            reading.take()
    reading.take(final=True)
    return early, late, reading.report()


def test_a_stream_of_flows_takes_no_more_memory_the_longer_it_is() -> None:
    early, late, report = highest("zeek", conn_lines)
    assert late < early + ROOM
    assert report.records.read == report.records.parsed > STREAM // 250


def test_a_stream_of_names_that_never_repeat_takes_no_more_memory_the_longer_it_is() -> None:
    early, late, report = highest("suricata_eve", dns_lines)
    assert late < early + ROOM
    assert report.records.read == report.records.parsed > STREAM // 250


def test_a_line_of_ten_megabytes_costs_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "conn.log"
    line = CONN % (0, 1, 0, 1, 1024, 5, 100)
    path.write_bytes(line * 3 + b'{"ts":1,"more":"' + b"a" * (10 << 20) + b'"}\n' + line * 2)
    form = form_of(path)
    assert form is not None
    flows = []
    report = take_in_log(path, form, SETTING, lambda batch, _report: flows.append(batch.flows.num_rows))
    assert sum(flows) == 5
    assert (report.records.read, report.records.parsed, report.records.rejected) == (6, 5, 1)
    assert report.rejected_reasons == {OVERLONG: 1}
    assert f"byte {3 * len(line)}" in (report.error or "")
    assert MOST_LINE < 10 << 20


def test_a_log_that_an_older_version_read_goes_on_where_it_was_left(tmp_path: Path) -> None:
    path = tmp_path / "conn.log"
    path.write_bytes(conn_lines(0)[: 1 << 16].rpartition(b"\n")[0] + b"\n")
    form = form_of(path)
    assert form is not None
    report = take_in_log(path, form, SETTING, lambda *_: None)
    mark = mark_of(report)
    assert mark is not None and mark.position == path.stat().st_size
    older = hashlib.blake2b(path.read_bytes(), digest_size=20).hexdigest()
    report.mark = msgspec.structs.replace(mark, digest=older).text()
    with path.open("ab") as log:
        log.write(CONN % (0, 1, 0, 1, 1024, 5, 100) * 4)
    grown = take_in_log(path, form, SETTING, lambda *_: None, report)
    assert grown.error is None
    assert grown.records.parsed == report.records.parsed + 4
    with path.open("r+b") as log:
        log.write(b'{"ts":1795341699')
    again = take_in_log(path, form, SETTING, lambda *_: None, report)
    assert "changed" in (again.error or "")
