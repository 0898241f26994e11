from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pytest_django.plugin import DjangoDbBlocker

from medwarden.kernel.errors import InternalError, ResourceError
from medwarden.model.accounting import InputReport, PacketCount
from medwarden.model.evidence import Evidence
from medwarden.model.inventory_delta import (
    ConversationIncrement,
    InventoryDelta,
    LedgerIncrement,
    Merge,
)
from medwarden.store import models, queries
from medwarden.store.chain import verify_chain
from medwarden.store.ingest import IngestWriter, Part, evidence_table
from medwarden.store.open import Store, open_store

from .conftest import HOUR, DeltaMaker, TableMaker
from .replaying import BATCHES, take_in

SCOPE = queries.Scope()


def contents(store: Store) -> dict[str, Any]:
    """Everything an input leaves behind, without what says when it was written."""
    rows: dict[str, Any] = {}
    for model in (
        models.Device,
        models.Interface,
        models.Address,
        models.EvidenceEntry,
        models.Service,
        models.Conversation,
        models.ActivityHour,
    ):
        fields = [f.name for f in model._meta.concrete_fields if f.name not in ("id", "added_ns")]
        rows[model.__name__] = sorted(map(repr, model.objects.values_list(*fields)))
    rows["ledger"] = list(models.InputLedger.objects.values_list("content", "next_batch", "status"))
    for table in ("flows", "evidence"):
        rows[table] = store.lake.query(f"SELECT * FROM {table} ORDER BY ALL", tenant="default").to_pylist()
    rows["audit"] = sorted(
        models.AuditEntry.objects.filter(action="device.new").values_list("subject", flat=True)
    )
    return rows


def test_a_batch_lands_everywhere_once(
    store: Store, flows: TableMaker, facts: TableMaker, heard: DeltaMaker
) -> None:
    writer = IngestWriter(store, "s1")
    state = writer.begin_input("c1", "a.pcap", "pcap")
    assert (state.next_batch, state.complete) == (0, False)
    assert writer.commit_batch(state, 0, flows(5), facts(3), heard(1, 2))
    before = contents(store)
    assert not writer.commit_batch(state, 0, flows(5), facts(3), heard(1, 2))
    assert contents(store) == before
    assert (len(before["flows"]), len(before["evidence"]), len(before["Device"])) == (5, 3, 2)
    assert {row["sensor"] for row in before["flows"]} == {"s1"}
    assert {row["batch"] for row in before["flows"]} == {"default/main/c1/0"}


def test_increments_add_and_times_widen(store: Store, heard: DeltaMaker) -> None:
    writer = IngestWriter(store, "s1")
    state = writer.begin_input("c1", "a.pcap", "pcap")
    writer.commit_batch(state, 0, None, None, heard(1, ts=10 * HOUR))
    writer.commit_batch(state, 1, None, None, heard(1, ts=8 * HOUR))
    device = queries.device(SCOPE, "d-main-1")
    assert device is not None
    assert (device.first_seen, device.last_seen) == (8 * HOUR, 10 * HOUR + 5)
    assert [(e.value, e.count) for e in device.ledger] == [("host-1", 4)]
    assert [(s.flows, s.bytes, s.clients) for s in device.services] == [(8, 1000, 3)]
    assert [(c.flows, c.bytes_sent, c.peer_ip, c.peer_device) for c in device.conversations] == [
        (2, 120, "8.8.8.8", None)
    ]
    assert (device.macs, device.ips) == (("02:00:00:00:00:01",), ("10.0.0.1",))
    hours = queries.activity(SCOPE, "d-main-1")
    assert [(h.hour, h.flows) for h in hours] == [(8 * HOUR, 1), (10 * HOUR, 1)]
    assert models.AuditEntry.objects.filter(action="device.new").count() == 1


def test_the_same_content_is_recognised(store: Store, flows: TableMaker, heard: DeltaMaker) -> None:
    writer = IngestWriter(store, "s1")
    state = writer.begin_input("c1", "a.pcap", "pcap")
    writer.commit_batch(state, 0, flows(5), None, heard(1))
    writer.finish_input(state, InputReport("a.pcap", "pcap", PacketCount(5, 4, 1, 0)))
    before = contents(store)
    again = writer.begin_input("c1", "copy of a.pcap", "pcap")
    assert (again.complete, again.next_batch, again.report.already) == (True, 1, True)
    assert again.report.path == "copy of a.pcap"
    assert again.report.packets == PacketCount(5, 4, 1, 0)
    writer.finish_input(again, again.report)
    assert contents(store) == before
    row = models.InputLedger.objects.get()
    assert (row.times_seen, row.path, row.status) == (2, "a.pcap", "complete")


def test_inputs_that_share_a_flush_keep_their_own_names(
    store: Store, flows: TableMaker, facts: TableMaker, heard: DeltaMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A group is acknowledged as a whole or not at all; what the lake holds of it is not doubled."""
    writer = IngestWriter(store, "s1")

    def group(*names: str) -> list[Part]:
        return [
            Part(
                writer.begin_input(name, f"{name}.pcap", "pcap"),
                0,
                flows(5),
                facts(3),
                final=InputReport(f"{name}.pcap", "pcap", PacketCount(5, 5)),
            )
            for name in names
        ]

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("medwarden.store.ingest.apply_delta", cut_off)
        with pytest.raises(KeyboardInterrupt):
            writer.commit_group(group("c1", "c2"), heard(1))
    assert store.lake.count("flows", tenant="default") == 10  # in the lake, but not acknowledged
    assert set(models.InputLedger.objects.values_list("status", flat=True)) == {"reading"}
    assert not models.Device.objects.exists()
    parts = group("c2", "c3")  # the next run groups them otherwise
    writer.commit_group(parts, heard(1))
    writer.commit_group(group("c1"), heard(2))
    assert store.lake.count("flows", tenant="default") == 15
    rows = store.lake.query("SELECT batch, count(*) AS n FROM flows GROUP BY batch", tenant="default")
    assert {row["batch"]: row["n"] for row in rows.to_pylist()} == {
        f"default/main/{name}/0": 5 for name in ("c1", "c2", "c3")
    }
    assert all(part.state.complete for part in parts)
    assert set(models.InputLedger.objects.values_list("status", flat=True)) == {"complete"}
    with pytest.raises(InternalError):
        writer.commit_group(parts, heard(3))


def test_a_failed_input_goes_on_where_it_stopped(store: Store, heard: DeltaMaker) -> None:
    writer = IngestWriter(store, "s1")
    state = writer.begin_input("c1", "a.pcap", "pcap")
    writer.commit_batch(state, 0, None, None, heard(1))
    writer.finish_input(state, InputReport("a.pcap", "pcap", error="a.pcap, byte 9: cut off"))
    (row,) = queries.inputs(SCOPE).items
    assert (row.status, row.error) == ("failed", "a.pcap, byte 9: cut off")
    again = writer.begin_input("c1", "a.pcap", "pcap")
    assert (again.complete, again.next_batch) == (False, 1)


def test_a_sensor_that_was_killed_says_so_when_it_comes_back(store: Store, heard: DeltaMaker) -> None:
    writer = IngestWriter(store, "live-eth0", kind="live")
    live = writer.begin_input("live:live-eth0:1", "eth0", "live")
    writer.commit_batch(live, 0, None, None, heard(1))
    file = writer.begin_input("file:1", "a.pcap", "pcap")
    writer.commit_batch(file, 0, None, None, heard(1))
    IngestWriter(store, "live-eth1", kind="live")
    assert {row.status for row in queries.inputs(SCOPE).items} == {"reading"}
    IngestWriter(store, "live-eth0", kind="live")
    rows = {row.path: row for row in queries.inputs(SCOPE).items}
    assert (rows["eth0"].status, rows["eth0"].batches) == ("failed", 1)
    assert "without closing" in (rows["eth0"].error or "")
    assert rows["a.pcap"].status == "reading"  # a file is read on where it stood


def test_a_skipped_batch_is_a_defect(store: Store, heard: DeltaMaker) -> None:
    writer = IngestWriter(store, "s1")
    state = writer.begin_input("c1", "a.pcap", "pcap")
    with pytest.raises(InternalError, match="follows"):
        writer.commit_batch(state, 1, None, None, heard(1))
    other = writer.begin_input("c1", "a.pcap", "pcap")
    writer.commit_batch(other, 0, None, None, heard(1))
    with pytest.raises(InternalError, match="somebody else"):
        writer.commit_batch(state, 0, None, None, heard(2))
    assert models.Device.objects.count() == 1


def test_accounting_is_shown_by_sensor_and_input(store: Store, heard: DeltaMaker) -> None:
    writer = IngestWriter(store, "s1", kind="live", name="mirror port")
    for number in range(2):
        state = writer.begin_input(f"c{number}", f"{number}.pcap", "pcap")
        report = InputReport(f"{number}.pcap", "pcap", PacketCount(10, 7, 2, 1), malformed={"dicom": 1})
        writer.commit_batch(state, 0, None, None, heard(number), report)
    (sensor,) = queries.sensors(SCOPE)
    assert (sensor.name, sensor.kind, sensor.inputs) == ("mirror port", "live", 2)
    assert sensor.packets == PacketCount(20, 14, 4, 2)
    assert sensor.packets.balanced()
    page = queries.inputs(SCOPE)
    assert page.total == 2
    assert page.items[0].report.malformed == {"dicom": 1}


def test_two_devices_become_one(store: Store, heard: DeltaMaker) -> None:
    writer = IngestWriter(store, "s1")
    state = writer.begin_input("c1", "a.pcap", "pcap")
    writer.commit_batch(state, 0, None, None, heard(1, 2, 3))
    peer = ConversationIncrement(
        "d-main-3", "client", "d-main-2", None, None, "internal", "tcp", 104, "dicom", 1, 2, 1, 1, 1, 1, True
    )
    shared = LedgerIncrement("d-main-1", "s", "dhcp", "dhcp.host_name", "host-2", 1, 2, 5)
    writer.commit_batch(
        state, 1, None, None, InventoryDelta(site="main", conversations=(peer,), ledger=(shared,))
    )
    merge = Merge("d-main-2", "d-main-1", 5, "same serial number")
    writer.commit_batch(state, 2, None, None, InventoryDelta(site="main", merges=(merge,)))
    device = queries.device(SCOPE, "d-main-2")
    assert device is not None
    assert device.id == "d-main-1"
    assert device.macs == ("02:00:00:00:00:01", "02:00:00:00:00:02")
    assert device.ips == ("10.0.0.1", "10.0.0.2")
    assert {e.value: e.count for e in device.ledger} == {"host-1": 2, "host-2": 7}
    assert [s.flows for s in device.services] == [8]
    third = queries.device(SCOPE, "d-main-3")
    assert third is not None
    assert "d-main-1" in {c.peer_device for c in third.conversations}
    assert queries.ids_over_time(SCOPE, "d-main-1") == ["d-main-1", "d-main-2"]
    assert queries.devices(SCOPE).total == 2
    assert models.AuditEntry.objects.filter(action="device.merged", subject="device:d-main-2").exists()
    assert queries.load_state("main").merges == (merge,)


def test_state_comes_back_as_the_delta_that_brought_it(store: Store, heard: DeltaMaker) -> None:
    writer = IngestWriter(store, "s1")
    delta = heard(1, 2)
    writer.commit_batch(writer.begin_input("c1", "a.pcap", "pcap"), 0, None, None, delta)
    back = queries.load_state("main")
    assert back.interfaces == delta.interfaces
    assert back.addresses == delta.addresses
    assert back.services == delta.services
    assert [(d.id, d.kind, d.vlans, d.new) for d in back.devices] == [
        (d.id, d.kind, d.vlans, False) for d in delta.devices
    ]
    assert queries.load_state("elsewhere").empty()


def test_fields_with_many_values_come_back_with_the_state(store: Store, heard: DeltaMaker) -> None:
    writer = IngestWriter(store, "s1")
    asked = tuple(
        LedgerIncrement("d-main-1", "s1", "dns", "dns.query", f"{number}.example.org", 1, 2, 3)
        for number in range(40)
    )
    few = LedgerIncrement("d-main-1", "s1", "dhcp", "dhcp.host_name", "ct", 1, 2, 3)
    delta = msgspec.structs.replace(heard(1), ledger=(*asked, few))
    writer.commit_batch(writer.begin_input("c1", "a.pcap", "pcap"), 0, None, None, delta)
    assert sorted(queries.load_state("main").ledger, key=repr) == sorted(asked, key=repr)


def test_sites_keep_their_own_devices(store: Store, heard: DeltaMaker) -> None:
    for site in ("main", "north"):
        writer = IngestWriter(store, f"sensor-{site}", site=site)
        state = writer.begin_input("c1", "a.pcap", "pcap")
        assert not state.complete
        writer.commit_batch(state, 0, None, None, heard(1, site=site))
    assert queries.devices(SCOPE).total == 2
    assert queries.devices(queries.Scope(sites=("north",))).items[0].id == "d-north-1"


def test_equal_facts_become_one_row() -> None:
    facts = [Evidence(ts, "m", "i", None, "dhcp.host_name", "a", "dhcp") for ts in (5, 3, 9)]
    table = evidence_table([*((f, "d") for f in facts), (facts[0], None)])
    rows = [{k: row[k] for k in ("ts_ns", "last_ns", "count", "device")} for row in table.to_pylist()]
    assert rows == [
        {"ts_ns": 3, "last_ns": 9, "count": 3, "device": "d"},
        {"ts_ns": 5, "last_ns": 5, "count": 1, "device": None},
    ]


POINTS = [
    ("append-before", 1),
    ("append-after", 1),
    ("append-after", 2),
    ("append-after", 4),
    ("close-before", 3),
    ("close-after", 12),
    ("ledger-before", 4),
    ("acknowledge-after", 2),
    ("delta-after", 2),
    ("seal-before", 2),
    ("commit-after", 2),
    ("finish-before", 1),
]


@pytest.fixture
def batches(tmp_path: Path, flows: TableMaker, facts: TableMaker, heard: DeltaMaker) -> Path:
    for n in range(BATCHES):
        pq.write_table(flows(20, n * 20), tmp_path / f"flows{n}.parquet")
        pq.write_table(facts(10, n * 10), tmp_path / f"facts{n}.parquet")
        (tmp_path / f"delta{n}.json").write_bytes(msgspec.json.encode(heard(n, n + 1, ts=(n + 1) * HOUR)))
    return tmp_path


@pytest.mark.parametrize("point, number", POINTS)
def test_killed_anywhere_nothing_acknowledged_is_lost_and_nothing_doubled(
    batches: Path, migrated: Path, django_db_blocker: DjangoDbBlocker, point: str, number: int
) -> None:
    command = [sys.executable, str(Path(__file__).with_name("replaying.py"))]
    killed = Path(shutil.copytree(migrated, batches / "killed"))
    done = subprocess.run(
        [*command, str(killed), str(batches), point, str(number)], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 9, f"it was not killed, so the test would show nothing: {done.stderr}"
    whole = Path(shutil.copytree(migrated, batches / "whole"))
    with django_db_blocker.unblock():
        with open_store(whole, writer=True) as store:
            take_in(store, batches)
            expected = contents(store)
        with open_store(killed, writer=True) as store:
            row = models.InputLedger.objects.filter(content="c1").first()
            assert (row.next_batch if row else 0) >= done.stdout.count("acknowledged")
            assert verify_chain() is None
            take_in(store, batches)
            assert contents(store) == expected
            assert verify_chain() is None
            assert store.lake.check() == []
            assert store.damage == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_stops_cleanly_and_goes_on_later(
    tmp_path: Path,
    migrated: Path,
    django_db_blocker: DjangoDbBlocker,
    flows: TableMaker,
    heard: DeltaMaker,
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("this machine does not let root mount a tmpfs")
    try:
        home = Path(shutil.copytree(migrated, disk / "home"))
        with django_db_blocker.unblock(), open_store(home, writer=True) as store:
            writer = IngestWriter(store, "s1")
            state = writer.begin_input("c1", "a.pcap", "pcap")
            done, refused = 0, ""
            ballast = disk / "ballast"
            while done < 200 and not refused:
                with ballast.open("ab") as file:
                    file.write(os.urandom(30_000))
                try:
                    writer.commit_batch(
                        state, done, _noise(flows, done), None, heard(*range(done, done + 20))
                    )
                    done += 1
                except (ResourceError, OSError) as error:
                    refused = str(error)
            assert "No space left" in refused or "full" in refused
            ballast.unlink()
            assert state.next_batch == done
            assert store.lake.count("flows", tenant="default") in (200 * done, 200 * (done + 1))
            assert writer.commit_batch(state, done, _noise(flows, done), None, heard(*range(done, done + 20)))
            assert store.lake.count("flows", tenant="default") == 200 * (done + 1)
            assert models.Device.objects.count() == done + 20
            assert verify_chain() is None
            assert store.lake.check() == []
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def _noise(flows: TableMaker, number: int) -> pa.Table:
    return flows(200, number * 200, syn_out=os.urandom(200).hex())
