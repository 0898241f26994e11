"""Flow exports over UDP from real exporters: counted as nfcapd and as our own flow core count them."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.compute as pc
import pytest
from tests.ports import reserved_port
from tests.programs import started
from tests.sensors.logs.exports import SETTING_KEY, netflow5, record5
from tests.waiting import PATIENCE, until

from medwarden.app.intake import take_in
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.model.batch import Batch
from medwarden.model.log_source import LogSetting
from medwarden.sensors import reception as reception_module
from medwarden.sensors.datagram_server import DatagramServer
from medwarden.sensors.flow_choice import flow_parser
from medwarden.sensors.reception import Allowed, Reception

SETTING = LogSetting(SETTING_KEY)


@contextmanager
def collector(**options: Allowed | int) -> Iterator[tuple[DatagramServer, Reception]]:
    most = options.get("most_senders", reception_module.MOST_SENDERS)
    allowed = options.get("allowed")
    assert isinstance(most, int) and (allowed is None or isinstance(allowed, Allowed))
    reception = Reception(flow_parser, SETTING, allowed=allowed, most_senders=most)
    server = DatagramServer("127.0.0.1", 0, reception)
    server.start()
    try:
        yield server, reception
    finally:
        server.stop()
        assert server.error is None


def send(address: tuple[str, int], datagrams: list[bytes]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for datagram in datagrams:
            out.sendto(datagram, address)


def totals(batch: Batch) -> tuple[int, int, int]:
    flows = batch.flows
    return (
        flows.num_rows,
        sum(pc.sum(flows[c]).as_py() or 0 for c in ("packets_out", "packets_in")),
        sum(pc.sum(flows[c]).as_py() or 0 for c in ("bytes_out", "bytes_in")),
    )


def export(
    capture: Path, addresses: list[tuple[str, int]], version: str, folder: Path, *options: str
) -> None:
    """Let softflowd export the flows of a capture, one run for each collector."""
    for number, address in enumerate(addresses):
        subprocess.run(
            [
                *("softflowd", "-d", "-r", str(capture), "-v", version, "-T", "full", "-c", "none"),
                *("-p", str(folder / f"pid{number}"), "-n", f"{address[0]}:{address[1]}", *options),
            ],
            check=True,
            timeout=PATIENCE,
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )


@pytest.mark.skipif(shutil.which("softflowd") is None, reason="softflowd is not installed")
@pytest.mark.parametrize("form", ["5", "9", "10", "10 -b"])
def test_softflowd_is_counted_as_our_own_flow_core_counts(shared: Path, tmp_path: Path, form: str) -> None:
    capture = shared / "captures/made/dicom_orthanc_find_move_http.pcap"
    with collector() as (server, reception):
        version, *options = form.split()
        export(capture, [server.address], version, tmp_path, *options)
        until(lambda: reception.octets > 0, "the exports arrive")
        server.stop()
        batch = reception.take(final=True)
    own: list[Batch] = []
    take_in(capture, SETTING_KEY, own.append)
    ip = [b.flows.filter(pc.greater_equal(b.flows["ip_protocol"], 0)) for b in own]
    assert totals(batch) == tuple(map(sum, zip(*(totals(Batch(f, ())) for f in ip), strict=True)))
    ours = {
        (r["client_ip"], r["client_port"], r["server_ip"], r["server_port"], r["bytes_out"], r["bytes_in"])
        for flows in ip
        for r in flows.to_pylist()
    }
    heard = {
        (r["client_ip"], r["client_port"], r["server_ip"], r["server_port"], r["bytes_out"], r["bytes_in"])
        for r in batch.flows.to_pylist()
    }
    assert heard == ours
    tally = reception.tally()
    assert tally.count.balanced()
    assert (tally.count.rejected, tally.count.dropped, tally.missing) == (0, 0, 0)


@pytest.mark.skipif(
    None in (shutil.which("softflowd"), shutil.which("nfcapd"), shutil.which("nfdump")),
    reason="softflowd or nfdump is not installed",
)
@pytest.mark.parametrize("version", ["5", "9", "10"])
def test_nfcapd_comes_to_the_same_sums(shared: Path, tmp_path: Path, version: str) -> None:
    capture = shared / "captures/made/dicom_dcmtk_echo_store.pcap"
    port = reserved_port()
    command = ["nfcapd", "-l", tmp_path, "-w", tmp_path, "-p", port, "-b", "127.0.0.1", "-t", 3600]
    with started(command, tmp_path) as peer:
        peer.until_bound(port)
        with collector() as (server, reception):
            export(capture, [server.address, ("127.0.0.1", port)], version, tmp_path)
            until(lambda: reception.octets > 0, "the exports arrive")
            server.stop()
            batch = reception.take(final=True)
        until(lambda: _waiting(port) == 0, "nfcapd has taken what arrived")
    files = sorted(tmp_path.glob("nfcapd.*"))
    assert files, "nfcapd wrote nothing"
    summary = subprocess.run(
        ["nfdump", "-r", str(files[0]), "-I"], capture_output=True, text=True, check=True, timeout=PATIENCE
    ).stdout
    told = dict(line.split(": ", 1) for line in summary.splitlines() if ": " in line)
    _, packets, octets = totals(batch)
    assert (packets, octets) == (int(told["Packets"]), int(told["Bytes"]))
    assert reception.tally().count.parsed >= int(told["Flows"])


def _waiting(port: int) -> int:
    """Return how many octets wait for whoever holds a UDP port (proc(5), the receive queue)."""
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        words = line.split()
        if words[1].endswith(f":{port:04X}"):
            return int(words[4].partition(":")[2], 16)
    raise AssertionError(f"nobody holds UDP port {port}")


def test_exporters_are_kept_apart_and_bounded() -> None:
    with collector(most_senders=2) as (server, reception):
        for number in range(4):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
                out.bind((f"127.0.0.{number + 2}", 0))
                out.sendto(netflow5([record5("10.1.1.5", "10.1.2.9", (50000 + number, 80))]), server.address)
        until(
            lambda: reception.tally().count.read == 4,
            "4 datagrams are read",
            shown=lambda: str(reception.tally()),
        )
        accounts = reception.accounts()
        assert [account.sender for account in accounts] == ["127.0.0.4", "127.0.0.5"]
        flows = reception.take(final=True).flows
        assert sorted(flows["client_port"].to_pylist()) == [50000, 50001, 50002, 50003]
        assert flows["flow_id"].to_pylist() == [1, 2, 3, 4]
        assert reception.tally().count.parsed == 4


def test_a_sender_that_is_not_allowed_is_dropped_and_counted() -> None:
    with collector(allowed=Allowed(["10.0.0.0/8"])) as (server, reception):
        send(server.address, [netflow5([record5("10.1.1.5", "10.1.2.9", (50000, 80))])])
        until(
            lambda: reception.tally().count.read == 1,
            "1 datagrams are read",
            shown=lambda: str(reception.tally()),
        )
        assert reception.tally().reasons == {"sender is not on the allow list": 1}
        assert reception.tally().count.dropped == 1
        assert reception.take(final=True).empty()


def test_noise_is_rejected_by_name() -> None:
    with collector() as (server, reception):
        send(server.address, [b"GET / HTTP/1.1", b"", b"\0\5\0\1"])
        until(
            lambda: reception.tally().count.read == 3,
            "3 datagrams are read",
            shown=lambda: str(reception.tally()),
        )
        tally = reception.tally()
        assert tally.count.rejected == 3
        assert tally.fault is not None and "127.0.0.1" in tally.fault


def test_what_the_kernel_drops_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not read for a while loses datagrams, and says how many."""
    monkeypatch.setattr("medwarden.sensors.datagram_server.RECEIVE_BUFFER", 8192)
    reception = Reception(flow_parser, SETTING)
    server = DatagramServer("127.0.0.1", 0, reception)
    datagrams = [netflow5([record5("10.1.1.5", "10.1.2.9", (40000 + n, 80))], sequence=n) for n in range(400)]
    send(server.address, datagrams)  # before it is started: the buffer overflows
    server.start()
    until(
        lambda: reception.tally().count.read == 400,
        "400 datagrams are read",
        shown=lambda: str(reception.tally()),
    )
    server.stop()
    count = reception.tally().count
    assert count.read == 400
    assert count.balanced()
    assert count.dropped > 0
    assert count.parsed > 0


def test_what_the_store_does_not_keep_up_with_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medwarden.sensors.reception._MOST_WAITING", 10)
    with collector() as (server, reception):
        sent = [netflow5([record5("10.1.1.5", "10.1.2.9", (40000 + n, 80))], sequence=n) for n in range(50)]
        send(server.address, sent)
        until(
            lambda: reception.tally().count.read == 50,
            "50 datagrams are read",
            shown=lambda: str(reception.tally()),
        )
        assert reception.tally().reasons == {"too much waits to be stored": 30}
        assert reception.take(final=True).flows.num_rows == 20
        send(server.address, sent[-1:])
        until(
            lambda: reception.tally().count.read == 51,
            "51 datagrams are read",
            shown=lambda: str(reception.tally()),
        )
        assert reception.tally().count.parsed == 21


def test_a_port_in_use_is_said_in_words() -> None:
    with collector() as (server, _), pytest.raises(ResourceError, match="cannot be listened on"):
        DatagramServer("127.0.0.1", server.address[1], Reception(flow_parser, SETTING))


def test_an_allow_list_of_no_network_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="networks"):
        Allowed(["ward 3"])
