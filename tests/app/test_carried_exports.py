"""Flow exports inside a capture: read as if they had been sent to us, once, and counted as records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pytest_django.plugin import DjangoDbBlocker
from tests.flowcore import packets as made
from tests.sensors.logs import exports

from medwarden.app import replay as replaying
from medwarden.app.carried_exports import Watching, take_in_exports
from medwarden.app.intake import take_in
from medwarden.app.log_intake import setting_of
from medwarden.app.replay import replay_captures
from medwarden.app.study import study
from medwarden.model.accounting import InputReport
from medwarden.model.batch import Batch

KEY = b"k" * 32
TEN = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (6, 1), (1, 4), (2, 4), (22, 4), (21, 4)]


def datagrams(path: Path, payloads: Sequence[bytes], port: int = 2055, exporter: str = "10.0.0.1") -> Path:
    frames = [
        made.ethernet(made.ipv4(made.udp(payload, 33_092, port), 17, exporter, "10.0.0.9"))
        for payload in payloads
    ]
    path.write_bytes(made.pcap((made.START + i * made.SECOND, frame) for i, frame in enumerate(frames)))
    return path


def records5(first: int, count: int) -> list[bytes]:
    return [exports.record5(f"10.3.0.{n}", "10.4.0.1", (40_000, 443)) for n in range(first, first + count)]


def test_exports_of_all_kinds_are_read(tmp_path: Path) -> None:
    nine = exports.netflow9(
        [exports.template9(260, TEN), exports.set_of(260, exports.row("10.3.1.1", "10.4.0.1", (40_000, 80)))]
    )
    ten = exports.ipfix(
        [exports.template10(261, TEN), exports.set_of(261, exports.row("10.3.1.2", "10.4.0.1", (40_000, 80)))]
    )
    capture = datagrams(tmp_path / "mixed.pcap", [exports.netflow5(records5(1, 3)), nine, ten], 9995)
    batches: list[Batch] = []
    report = take_in_exports(capture, setting_of(KEY), batches.append)
    assert report is not None and report.error is None
    assert (report.records.read, report.records.parsed) == (5, 5)
    clients = {ip for batch in batches for ip in batch.flows["client_ip"].to_pylist()}
    assert clients == {"10.3.0.1", "10.3.0.2", "10.3.0.3", "10.3.1.1", "10.3.1.2"}


def test_a_capture_without_exports_is_not_read_twice(capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("there is nothing to read")

    monkeypatch.setattr("medwarden.app.study.take_in_exports", never)
    assert len(study([capture]).inputs) == 1


def test_other_traffic_to_a_port_of_collectors_is_no_export(tmp_path: Path) -> None:
    capture = datagrams(tmp_path / "other.pcap", [b"hello there", b"\0\5 hello"], 9996)
    assert take_in_exports(capture, setting_of(KEY), lambda _batch: None) is None
    assert len(study([capture]).inputs) == 1


def test_what_is_broken_among_exports_is_counted_and_named(tmp_path: Path) -> None:
    good = exports.netflow5(records5(1, 2))
    capture = datagrams(tmp_path / "cut.pcap", [good, good[:-20], b"something else"], 2055)
    report = take_in_exports(capture, setting_of(KEY), lambda _batch: None)
    assert report is not None
    count = report.records
    assert count.read == count.parsed + count.rejected + count.dropped
    assert count.rejected >= 2 and count.parsed >= 2
    assert "form is not known" in report.rejected_reasons
    assert report.error is not None and "10.0.0.1" in report.error


def test_many_datagrams_of_one_exporter_are_all_read(tmp_path: Path) -> None:
    payloads = [exports.netflow5(records5(n % 200 + 1, 1), sequence=n) for n in range(3000)]
    capture = datagrams(tmp_path / "many.pcap", payloads)
    report = take_in_exports(capture, setting_of(KEY), lambda _batch: None)
    assert report is not None and (report.records.parsed, report.missing) == (3000, 0)


def test_devices_behind_the_exporter_are_known(tmp_path: Path) -> None:
    capture = datagrams(tmp_path / "flows.pcap", [exports.netflow5(records5(1, 20))])
    studied = study([capture])
    assert [report.format for report in studied.inputs] == ["pcap", "flow exports"]
    assert studied.inputs[1].records.parsed == 20
    addresses = {ip for device in studied.devices for ip in device.ips}
    assert {f"10.3.0.{n}" for n in range(1, 21)} <= addresses


def test_a_crash_between_capture_and_exports_loses_neither(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = datagrams(tmp_path / "flows.pcap", [exports.netflow5(records5(1, 20))])
    home, ends = tmp_path / "home", replaying._Numbered.end

    def crash(numbered: replaying._Numbered, report: InputReport) -> None:
        if report.format == "pcap":
            raise RuntimeError("the machine lost its power")
        ends(numbered, report)

    with django_db_blocker.unblock():
        monkeypatch.setattr(replaying._Numbered, "end", crash)
        with pytest.raises(RuntimeError):
            replay_captures([capture], home)
        monkeypatch.undo()
        again = replay_captures([capture], home)
        told = [(report.format, report.packets.parsed, report.records.parsed) for report in again.inputs]
        assert told == [("pcap", 1, 0), ("flow exports", 0, 20)]
        third = replay_captures([capture], home)
        assert [report.already for report in third.inputs] == [True]
        assert (third.devices, third.new_devices) == (again.devices, 0)
    assert sum(map(told_of, (home / "lake").rglob("*.parquet"))) == 20


def told_of(path: Path) -> int:
    """Return how many flows of the exporter's network stand in a file of the lake."""
    table = pq.read_table(path)
    if "packets_out" not in table.column_names:
        return 0
    return sum(ip.startswith("10.3.0.") for ip in table["client_ip"].to_pylist())


def test_the_first_batch_that_shows_exports_is_remembered(tmp_path: Path) -> None:
    seen: list[Batch] = []
    watching = Watching(seen.append)
    capture = datagrams(tmp_path / "a.pcap", [exports.netflow5(records5(1, 1))])
    take_in(capture, KEY, watching)
    assert watching.found and len(seen) == 1
