"""Several processes read one capture, and it comes out as if one had."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.flowcore import packets as made
from tests.product.processes import alive
from tests.waiting import until

from medwarden.app import replay as replay_module
from medwarden.app import shares
from medwarden.app.ingest import Ingest
from medwarden.app.intake import Sink, content_id, take_in
from medwarden.app.replay import Replay
from medwarden.app.share_plan import Plan, plan_shares
from medwarden.app.shares import DEAL, form_of_shares, pack, shares_of_form, take_in_shares, unpack
from medwarden.flowcore import FlowCore, FlowCoreConfig
from medwarden.kernel.errors import ConfigurationError, InternalError, ResourceError
from medwarden.model.accounting import InputReport
from medwarden.model.batch import Batch
from medwarden.store.open import Store

KEY = b"k" * 32


def capture(folder: Path, hosts: int = 60) -> Path:
    """Write a capture in which each host logs, asks and greets, with a fragment and a broken packet."""
    packets = []
    now = made.START
    for host in range(hosts):
        address = f"10.3.{host // 250}.{host % 250 + 1}"
        for text in (b"<134>Jan  2 03:04:05 host%d app[7]: hello" % host, b"<134>Jan  2 03:04:05 again x: y"):
            packets.append((now, made.udp_frame(text, client=address, src=514, dst=514)))
            now += made.SECOND // 50
        packets.append((now, made.ethernet(b"\x45\0\0\x20")))
    path = folder / "shared.pcap"
    path.write_bytes(made.pcap(packets))
    return path


def flows_of(batches: list[Batch]) -> Counter[tuple[object, ...]]:
    rows = pa.concat_tables([batch.flows for batch in batches]).drop_columns(["flow_id"]).to_pylist()
    return Counter(tuple(row.values()) for row in rows)


def facts_of(batches: list[Batch]) -> dict[object, tuple[int, int, int]]:
    return {
        (e.mac, e.ip, e.vlan, e.field, e.value, e.source): (e.ts_ns, fact.last_ns, fact.count)
        for fact in unpack([pack(batch) for batch in batches]).facts
        for e in (fact.evidence,)
    }


def alone(
    path: Path, share: tuple[int, int] = (0, 1), plan: Plan | None = None
) -> tuple[InputReport, list[Batch]]:
    batches: list[Batch] = []
    return take_in(path, KEY, batches.append, share=share, plan=plan), batches


def compare(path: Path, count: int, plan: Plan | None = None) -> None:
    report, batches = alone(path)
    parts = [alone(path, (at, count), plan) for at in range(count)]
    together = [batch for _, brought in parts for batch in brought]
    assert flows_of(together) == flows_of(batches)
    assert facts_of(together) == facts_of(batches)
    assert sum(part.packets.parsed for part, _ in parts) == report.packets.parsed
    assert [part.packets.rejected for part, _ in parts] == [report.packets.rejected] + [0] * (count - 1)
    assert {part.packets.read for part, _ in parts} == {report.packets.read}
    assert sum((Counter(part.malformed) for part, _ in parts), Counter()) == Counter(report.malformed)
    ids = [at for batch in together for at in batch.flows["flow_id"].to_pylist()]
    assert len(set(ids)) == len({flow for batch in batches for flow in batch.flows["flow_id"].to_pylist()})


@pytest.mark.parametrize("count", [2, 3, 7])
def test_shares_together_are_what_one_process_reads(tmp_path: Path, count: int) -> None:
    path = capture(tmp_path)
    uneven = Plan({(17, 514): count - 1, (6, 80): None}, tuple(range(count)))
    for plan in (None, plan_shares(path, KEY, count), uneven):
        compare(path, count, plan)


def test_real_captures_come_to_the_same_in_shares(shared: Path) -> None:
    taken = [p for p in sorted((shared / "captures").rglob("*.pcap")) if p.stat().st_size < 60_000]
    for path in taken[::7]:
        compare(path, 2, plan_shares(path, KEY, 2))


def test_fragments_of_a_datagram_are_one_share_s() -> None:
    seen = []
    for which in range(2):
        core = FlowCore(FlowCoreConfig(share=(which, 2), seed=KEY[:16], datagram_ports=frozenset({514})))
        whole = made.udp(b"x" * 64, 514, 514)
        for host in range(40):
            for at, more in ((0, 0x2000), (24, 0x2000), (48, 0)):
                piece = whole[at : at + 24] if more else whole[at:]
                frame = made.ethernet(
                    made.ipv4(piece, 17, src=f"10.4.0.{host + 1}", ident=host, fragment=more | at // 8)
                )
                core.packet(made.START, 1, frame)
        seen += [segment.src_ip for segment in core.take_segments()]
        assert core.parsed + core.foreign == 120
    assert sorted(map(str, seen)) == sorted(f"10.4.0.{host + 1}" for host in range(40))


def test_what_is_plain_and_what_is_not_fall_to_the_same_share() -> None:
    services = {(6, 104): 1, (17, 514): 0, (6, 443): None}
    config = FlowCoreConfig(seed=KEY[:16], datagram_ports=frozenset({514}), stream_ports={104: 4096})
    cores = [FlowCore(replace(config, share=(which, 2))) for which in range(2)]
    for core in cores:
        core.deal(services)
    whole = made.udp(b"x" * 64, 514, 514)
    frames = []
    for host in range(1, 41):
        source = f"10.4.0.{host}"
        for at, more in ((24, 0x2000), (48, 0), (0, 0x2000)):  # the first fragment comes last
            piece = whole[at : at + 24] if more else whole[at:]
            frames.append(made.ethernet(made.ipv4(piece, 17, source, ident=host, fragment=more | at // 8)))
        datagram = made.ipv4(whole, 17, source)
        frames += [made.ethernet(datagram), made.ethernet(b"\0\x05\x08\0" + datagram, 0x8100)]
        for port in (104, 443):
            frames.append(made.ethernet(made.ipv4(made.tcp(b"", 40_000 + host, port, flags=2), 6, source)))
            frames.append(made.ethernet(made.ipv4(made.tcp(b"", 40_000 + host, port), 6, source)[:-1]))
    for at, frame in enumerate(frames):
        for core in cores:
            core.packet(made.START + at * 1000, 1, frame)
    flows = [core.take_flows(final=True).to_pylist() for core in cores]
    of_port = [Counter(row["server_port"] for row in rows) for rows in flows]
    assert of_port[0][104] == 0 and of_port[1][104] == 40
    assert of_port[0][514] == 80 and of_port[1][514] == 0
    assert of_port[0][443] + of_port[1][443] == 40 and min(of_port[0][443], of_port[1][443]) > 5
    assert sum(core.parsed for core in cores) == 40 * 7 and cores[0].rejected == 40 * 2 == len(frames) - 280
    assert [core.parsed + core.foreign + core.rejected for core in cores] == [len(frames)] * 2
    taken = Counter(segment.src_ip for segment in cores[0].take_segments())
    alone = FlowCore(config)
    for at, frame in enumerate(frames):
        alone.packet(made.START + at * 1000, 1, frame)
    assert taken == Counter(segment.src_ip for segment in alone.take_segments())


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0x0800, 0x86DD, 0x8100, 0x0806, 0x8847]),
            st.binary(max_size=90),
            st.integers(0, 200),
        ),
        max_size=30,
    )
)
def test_every_packet_is_exactly_one_share_s_whatever_its_bytes(frames: list[tuple[int, bytes, int]]) -> None:
    cores = [FlowCore(FlowCoreConfig(share=(which, 3), seed=KEY[:16])) for which in range(3)]
    alone = FlowCore(FlowCoreConfig(seed=KEY[:16]))
    for core in cores[:]:
        core.deal({(17, 53): 2}, (5, 1, 2))
    for kind, data, wire in frames:
        frame = made.ethernet(data if kind != 0x0800 else b"\x45" + data, kind)
        for core in (*cores, alone):
            core.packet(made.START, 1, frame, max(wire, len(frame)))
    assert sum(core.parsed for core in cores) == alone.parsed
    assert [core.rejected for core in cores] == [alone.rejected, 0, 0]
    assert {core.parsed + core.rejected + core.foreign for core in cores} == {len(frames)}
    together = sum(core.take_flows(final=True).num_rows for core in cores)
    assert together == alone.take_flows(final=True).num_rows


def test_services_are_dealt_out_once_to_shares_there_are() -> None:
    for wrong in ({(6, 80): 2}, {(6, 80): -1}, {(1, 80): 0}, {(6, 65_536): 0}):
        with pytest.raises(InternalError):
            FlowCore(FlowCoreConfig(share=(0, 2), seed=KEY[:16])).deal(wrong)
    for parts in ((1,), (1, 2, 3), (-1, 2), (0, 0), (1, 1 << 32)):
        with pytest.raises(InternalError):
            FlowCore(FlowCoreConfig(share=(0, 2), seed=KEY[:16])).deal({}, parts)
    core = FlowCore(FlowCoreConfig(share=(0, 2), seed=KEY[:16]))
    core.deal({})
    with pytest.raises(InternalError):
        core.deal({})


def test_a_conversation_is_dealt_out_by_its_known_port_else_by_the_lower_one() -> None:
    core = FlowCore(FlowCoreConfig(stream_ports={11112: 4096}, datagram_ports=frozenset({5353})))
    assert core.service(6, 2000, 11112) == core.service(6, 11112, 2000) == 11112
    assert core.service(17, 11112, 5353) == 5353
    assert core.service(6, 11112, 104) == core.service(6, 104, 11112) == 104
    assert core.service(6, 50_000, 40_000) == 40_000


def test_a_share_must_be_one_of_those_there_are_and_have_a_seed_in_common() -> None:
    for wrong in ((2, 2), (-1, 2), (0, 65), (0, 0)):
        with pytest.raises(ConfigurationError):
            FlowCoreConfig(share=wrong, seed=KEY[:16])
    with pytest.raises(ConfigurationError):
        FlowCoreConfig(share=(0, 2))


def test_processes_bring_what_one_reads_again_and_again_alike(tmp_path: Path) -> None:
    path = capture(tmp_path)
    report, batches = alone(path)
    runs: list[list[Batch]] = [[], []]
    for run in runs:
        told = take_in_shares(path, KEY, run.append, 2)
        assert (told.packets, told.format, told.error) == (report.packets, report.format, None)
        assert told.packets.balanced() and told.rejected_reasons == report.rejected_reasons
    assert flows_of(runs[0]) == flows_of(batches) and facts_of(runs[0]) == facts_of(batches)
    assert [batch.flows for batch in runs[0]] == [batch.flows for batch in runs[1]]
    assert [batch.facts for batch in runs[0]] == [batch.facts for batch in runs[1]]


def test_a_killed_process_is_started_anew(tmp_path: Path) -> None:
    path = capture(tmp_path)
    share = shares._Share(path, KEY, (0, 1))
    share.start()
    share.deal(Plan({(6, 80): 0}))
    assert share._process is not None
    share._process.kill()
    share._process.join()
    brought = []
    while (packed := share.next()) is not None:
        brought.append(unpack([packed]))
    share.stop()
    assert facts_of(brought) == facts_of(alone(path)[1])
    assert share.report.packets.balanced()


def test_a_process_that_always_ends_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    share = shares._Share(tmp_path / "x.pcap", KEY, (0, 1))

    def end() -> bytes | None:
        share.stop()
        raise EOFError

    monkeypatch.setattr(share, "_receive", end)
    share.start()
    share.deal(None)
    with pytest.raises(ResourceError, match="goes on from there"):
        share.next()


class Slow(shares._Share):
    """A share that waits to be asked, and may fail."""

    def __init__(self, batches: int, error: Exception | None = None) -> None:
        super().__init__(Path("x.pcap"), KEY, (0, 1))
        self.brought: list[int] = []
        self._batches = batches
        self._error = error

    def next(self) -> bytes | None:
        if len(self.brought) == self._batches:
            if self._error is not None:
                raise self._error
            return None
        self.brought.append(len(self.brought))
        return b"%d" % self.brought[-1]


def test_a_share_runs_ahead_of_the_others_but_not_for_ever() -> None:
    share = Slow(50)
    receiver = shares._Receiver(share)
    until(lambda: len(share.brought) >= shares._AHEAD, "the share runs ahead")
    time.sleep(0.02)  # it would go on in that time
    assert len(share.brought) == shares._AHEAD
    taken = []
    while (packed := receiver.take()) is not None:
        taken.append(packed)
    receiver.stop()
    assert taken == [b"%d" % at for at in range(50)]


def test_what_receiving_comes_to_is_raised_where_batches_are_taken() -> None:
    receiver = shares._Receiver(Slow(1, ResourceError("no more")))
    assert receiver.take() == b"0"
    with pytest.raises(ResourceError, match="no more"):
        receiver.take()
    receiver.stop()
    waiting = shares._Receiver(Slow(50))
    waiting.stop()  # though nobody took anything
    assert not waiting._thread.is_alive()


def test_processes_end_when_their_batches_are_not_wanted(tmp_path: Path) -> None:
    path = capture(tmp_path)

    def refuse(_batch: Batch) -> None:
        raise ResourceError("the disk is full")

    with pytest.raises(ResourceError, match="disk"):
        take_in_shares(path, KEY, refuse, 2)
    assert not [one for one in active_children() if one.is_alive()]
    assert not [one for one in threading.enumerate() if one.name.startswith("share of")]


PARENT = """
import sys, time
from pathlib import Path
from medwarden.app import shares
if __name__ == "__main__":
    share = shares._Share(Path(sys.argv[1]), b"k" * 32, (0, 1))
    share.start()
    share.deal(None)
    print(share._process.pid, flush=True)
    time.sleep(600)
"""


def test_processes_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    pipe = tmp_path / "never.pcap"
    os.mkfifo(pipe)
    arguments = [sys.executable, str(script), str(pipe)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    until(lambda: not alive(child), "the child ended with its parent")


def test_how_an_input_was_begun_is_read_from_its_format() -> None:
    assert shares_of_form(form_of_shares("pcap", 1)).processes == 1
    assert shares_of_form(form_of_shares("pcapng", 12)) == (12, DEAL)
    assert shares_of_form("pcap in 2 shares") == (2, 0)
    assert shares_of_form("pcap in 2 shares by deal 99") == (2, 99)
    assert shares_of_form("zeek conn").processes == 1


def test_an_input_of_an_older_version_goes_on_by_pairs_of_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = capture(tmp_path)
    old: list[Batch] = []
    new: list[Batch] = []
    take_in_shares(path, KEY, new.append, 2)
    monkeypatch.setattr(shares, "plan_shares", None)  # nobody asks
    report = take_in_shares(path, KEY, old.append, 2, deal=0)
    assert report.packets.balanced()
    assert facts_of(old) == facts_of(new) and flows_of(old) == flows_of(new)


def test_an_input_that_another_version_dealt_out_is_not_mixed_up(tmp_path: Path, store: Store) -> None:
    path = capture(tmp_path)
    with pytest.raises(ResourceError, match="another version"):
        take_in_shares(path, KEY, print, 2, deal=DEAL + 1)
    ingest = Ingest(store, "shared", kind="capture")
    ingest.writer.begin_input(content_id(path), str(path), f"pcap in 2 shares by deal {DEAL + 1}")
    with pytest.raises(ResourceError, match="another version"):
        Replay(ingest).file(path)


def test_a_large_file_is_shared_and_known_when_it_comes_again(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medwarden.store.models import Device, InputLedger

    monkeypatch.setattr(replay_module, "_SHARED_BYTES", 0)
    path = capture(tmp_path)
    ingest = Ingest(store, "shared", kind="capture")
    both, once = Replay(ingest, processes=2), Replay(ingest)
    both.file(path)
    both.flush()
    once.file(path)
    assert Device.objects.count() == 1  # one interface with sixty addresses
    assert once.reports[0].already and once.reports[0].packets == both.reports[0].packets
    assert InputLedger.objects.get().format == f"pcap in 2 shares by deal {DEAL}"
    assert both.reports[0].format == "pcap"


def test_a_file_goes_on_with_as_many_processes_as_it_was_begun_with(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def read(path: Path, token_key: bytes, sink: Sink, processes: int, deal: int) -> InputReport:
        asked.append((processes, deal))
        return take_in(path, token_key, sink)

    monkeypatch.setattr(replay_module, "take_in_shares", read)
    path = capture(tmp_path)
    ingest = Ingest(store, "shared", kind="capture")
    ingest.writer.begin_input(content_id(path), str(path), form_of_shares("pcap", 3))
    Replay(ingest).file(path)
    assert asked == [(3, DEAL)]
