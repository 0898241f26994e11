"""Logs into batches and into the store: exact accounting, growth, and inputs mixed with captures."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from medwarden.app.ingest import Ingest
from medwarden.app.inputs import find_inputs
from medwarden.app.log_intake import mark_of, setting_of, source_tells, take_in_log
from medwarden.app.replay import Replay
from medwarden.app.study import study
from medwarden.model.accounting import InputReport, PacketCount
from medwarden.model.batch import Batch
from medwarden.sensors.log_files import form_of
from medwarden.sensors.logs.lines import MOST_LINE
from medwarden.store.open import Store

KEY = b"only for these tests............"
HEADER = (
    "#separator \\x09\n#path\tconn\n"
    "#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\torig_bytes\n"
)


def json_record(number: int) -> str:
    return (
        f'{{"ts":{1_700_000_000 + number}.5,"uid":"C{number}","id.orig_h":"10.1.1.9",'
        f'"id.orig_p":{1024 + number},"id.resp_h":"10.1.2.5","id.resp_p":104,'
        '"proto":"tcp","conn_state":"SF","orig_pkts":1}\n'
    )


def text_record(number: int) -> str:
    return f"{1_700_000_000 + number}.25\t10.1.1.9\t{1024 + number}\t10.1.2.5\t104\ttcp\t{number}\n"


def take(path: Path, since: InputReport | None = None) -> tuple[InputReport, list[Batch]]:
    batches: list[Batch] = []
    form = form_of(path)
    assert form is not None
    report = take_in_log(path, form, setting_of(KEY), lambda batch, _: batches.append(batch), since)
    return report, batches


def test_the_account_is_exact_and_the_first_fault_is_named(tmp_path: Path) -> None:
    path = tmp_path / "conn.log"
    long = "x" * MOST_LINE + "\n"
    path.write_text(json_record(0) + "{broken\n" + long + json_record(1) + '{"_path":"dns"}\n')
    report, batches = take(path)
    assert report.records == PacketCount(read=5, parsed=2, rejected=3)
    assert sum(report.rejected_reasons.values()) == 3
    assert report.error == f"{path}, byte {len(json_record(0))}: not a JSON object of this log"
    assert sum(batch.flows.num_rows for batch in batches) == 2
    assert (report.first_ns, report.last_ns) == (1_700_000_000_500_000_000, 1_700_000_001_500_000_000)
    assert report.bytes == path.stat().st_size


@pytest.mark.parametrize("end", ["\n", ""], ids=["whole", "without a line end"])
@pytest.mark.parametrize("known", [0, 3], ids=["from the start", "from the middle"])
def test_a_batch_that_was_stored_is_taken_once_more_as_it_was(tmp_path: Path, known: int, end: str) -> None:
    """A batch is in the lake, its acknowledgement is not, and the log has grown meanwhile."""
    path = tmp_path / "conn.log"
    path.write_text("".join(map(json_record, range(known))))
    since = take(path)[0] if known else None
    path.write_text("".join(map(json_record, range(8))).removesuffix("\n") + end)
    stored, before = take(path, since)
    path.write_text("".join(map(json_record, range(20))))
    again: list[tuple[Batch, InputReport]] = []
    form = form_of(path)
    assert form is not None
    report = take_in_log(
        path, form, setting_of(KEY), lambda batch, told: again.append((batch, told)), since, stored.mark
    )
    assert report.records == PacketCount(read=20, parsed=20)
    rows = [batch.flows.num_rows for batch, _ in again]
    assert sum(rows) == 20 - known
    assert again[0][1].mark == stored.mark
    assert again[0][0].flows.equals(pa.concat_tables([batch.flows for batch in before]))


@pytest.mark.parametrize("header", ["", HEADER], ids=["json", "text"])
def test_a_log_that_has_grown_goes_on_where_it_was_left(tmp_path: Path, header: str) -> None:
    record = text_record if header else json_record
    path = tmp_path / "conn.log"
    path.write_text(header + "".join(map(record, range(5))) + record(5)[:30])
    first, _ = take(path)
    assert first.records == PacketCount(read=6, parsed=5, rejected=1)
    path.write_text(header + "".join(map(record, range(9))))
    second, batches = take(path, first)
    assert second.records == PacketCount(read=9, parsed=9)
    assert second.error is None
    ids = [n for batch in batches for n in batch.flows["flow_id"].to_pylist()]
    assert len(ids) == 4
    assert min(ids) > 5, "ids go on as well"
    third, nothing = take(path, second)
    assert third.records == second.records
    assert all(batch.empty() for batch in nothing)


def test_a_file_that_is_another_by_now_is_not_read_on(tmp_path: Path) -> None:
    path = tmp_path / "conn.log"
    path.write_text("".join(map(json_record, range(5))))
    first, _ = take(path)
    path.write_text("".join(map(json_record, range(10, 20))))
    second, _ = take(path, first)
    assert second.error is not None
    assert "changed" in second.error
    mark = mark_of(first)
    assert mark is not None
    assert mark.position == len("".join(map(json_record, range(5))))


def counts(store: Store) -> tuple[int, int]:
    return store.lake.count("flows", tenant="default"), store.lake.count("evidence", tenant="default")


def replay(store: Store, *paths: Path) -> list[InputReport]:
    feeding = Replay(Ingest(store, "capture", kind="capture"))
    for path in paths:
        feeding.file(path)
    feeding.flush()
    return feeding.reports


def test_replayed_twice_changes_nothing_and_grown_is_not_doubled(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "conn.log"
    path.write_text("".join(map(json_record, range(50))))
    (first,) = replay(store, path)
    assert (first.already, counts(store)) == (False, (50, 0))
    (again,) = replay(store, path)
    assert (again.already, again.records.read, counts(store)) == (True, 50, (50, 0))
    with path.open("a") as file:
        file.writelines(map(json_record, range(50, 60)))
    (grown,) = replay(store, path)
    assert (grown.already, grown.records.read, counts(store)) == (False, 60, (60, 0))
    packed = tmp_path / "conn.2026-11-22.log.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    (moved,) = replay(store, packed)
    assert (moved.already, counts(store)) == (True, (60, 0))


def test_two_logs_that_begin_alike_are_two(store: Store, tmp_path: Path) -> None:
    one, other = tmp_path / "a.log", tmp_path / "b.log"
    one.write_text("".join(map(json_record, (0, 1, 2))))
    other.write_text("".join(map(json_record, (0, 7, 8))))
    assert [r.already for r in replay(store, one, other)] == [False, False]
    assert counts(store)[0] == 6
    assert [r.already for r in replay(store, other, one)] == [True, True]


def test_an_inventory_alone_fills_the_inventory(store: Store, tmp_path: Path) -> None:
    from medwarden.store.models import Device

    path = tmp_path / "inventory.csv"
    path.write_text("mac,ip,name,vendor,model\n00:09:fb:12:34:56,10.1.5.9,MX1,Philips,IntelliVue MX800\n")
    (report,) = replay(store, path)
    assert report.records == PacketCount(read=1, parsed=1)
    assert Device.objects.count() == 1
    (again,) = replay(store, path)
    assert again.already


def test_a_long_inventory_is_no_flood(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows are all of one moment, as the frames of a flood are; also for the process that comes next."""
    from medwarden.inventory import flood
    from medwarden.store.models import Device

    monkeypatch.setattr(flood, "MOST_HEARD_ONCE", 5)
    path = tmp_path / "inventory.csv"
    for begun in (0, 20):
        rows = [f"02:00:00:00:00:{number:02x},S{number}" for number in range(begun, begun + 20)]
        path.write_text("mac,serial\n" + "\n".join(rows) + "\n")
        replay(store, path)
        assert Device.objects.count() == begun + 20


@pytest.mark.parametrize(
    ("octets", "advice"),
    [
        (b"name,vendor\npump-1,B. Braun\n", "one of them for MAC or IP addresses"),
        ("Gerät,Raum\nPumpe,Küche\n".encode("latin-1"), "one of them for MAC or IP addresses"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "save it as XLSX or CSV"),
        (b"%PDF-1.7\n\x00\x01", "it begins with 0x25504446"),
        (b"", "an empty file"),
    ],
)
def test_what_is_no_input_is_told_with_what_to_do(tmp_path: Path, octets: bytes, advice: str) -> None:
    path = tmp_path / "inventory.csv"
    path.write_bytes(octets)
    (report,) = study([path]).inputs
    assert report.error is not None
    assert report.error.startswith(f"{path}, byte 0: ")
    assert report.error.endswith(advice)


def test_logs_and_captures_are_found_among_other_files(tmp_path: Path, capture: Path) -> None:
    (tmp_path / "conn.log").write_text(json_record(0))
    (tmp_path / "notes.txt").write_text("nothing that anybody knows\n")
    (tmp_path / "noise.bin").write_bytes(bytes(range(256)) * 10)
    found = find_inputs([tmp_path])
    assert {path.name for path in found.files} == {"conn.log", capture.name}
    assert {path.name for path in found.beside} == {"notes.txt", "noise.bin"}
    studied = study(found.files)
    assert {report.format for report in studied.inputs} == {"zeek:conn", "pcap"}
    assert all(report.error is None for report in studied.inputs)
    assert len(studied.devices) == 3, "the server of the log never answered"


def test_what_a_log_can_tell_is_told_by_its_kinds() -> None:
    tells = source_tells(
        [InputReport("x", "zeek:conn"), InputReport("y", "pcap"), InputReport("z", "nmap_xml")]
    )
    assert set(tells) == {"zeek:conn", "nmap_xml"}
    assert tells["zeek:conn"].title == "Zeek logs (conn)"
    assert "peers" in tells["zeek:conn"].tells
    assert "name" not in tells["zeek:conn"].tells
