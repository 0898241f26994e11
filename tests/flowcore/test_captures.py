"""The flow core on real captures: every packet accounted for, as many as other tools count."""

from __future__ import annotations

import csv
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from medwarden.flowcore import CaptureReader, FlowCore, FlowCoreConfig

CONFIG = FlowCoreConfig(
    stream_ports={80: 65_536, 104: 1 << 20, 443: 16_384, 445: 1 << 20, 2575: 65_536},
    stream_starts=((b"\x16\x03", 16_384), (b"SSH-", 4096)),
    datagram_ports=frozenset({53, 67, 68, 5353}),
    ethertypes=frozenset({0, 0x0806, 0x86DD, 0x88CC}),
)
SUFFIXES = (".pcap", ".cap", ".pcapng", ".trace")
# What the manifest's counting tool gave up on, and capinfos did not.
RECOUNTED = {
    "proto/bacnetx/nDPI__pcap_gnutella.pcap": 3905,
    "proto/ldap/PcapPlusPlus__PacketExamples_ldap.pcapng": 25,
}


def listed(shared: Path) -> Iterator[tuple[Path, str, int]]:
    with (shared / "captures" / "MANIFEST.tsv").open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            path = shared / "captures" / row["path"]
            if path.suffix in SUFFIXES and row["packets"] and path.exists():
                yield path, row["path"], int(row["packets"])


def read(path: Path) -> tuple[FlowCore, CaptureReader, int]:
    core = FlowCore(CONFIG)
    reader = CaptureReader(core, str(path))
    data = path.read_bytes()
    at = 0
    segments = 0
    while True:
        used = reader.feed(data, at, True)
        at += used
        segments += len(core.take_segments())
        if used == 0 and not core.full:
            return core, reader, segments


def test_every_capture_of_the_manifest_has_every_packet_in_a_flow(shared: Path) -> None:
    files = 0
    for path, name, packets in listed(shared):
        core, reader, segments = read(path)
        assert reader.packets_read == RECOUNTED.get(name, packets), name
        assert reader.packets_read == core.parsed + core.rejected
        batch = core.take_flows(final=True)
        batch.validate(full=True)
        counted = batch.to_pydict()
        assert sum(counted["packets_out"]) + sum(counted["packets_in"]) == core.parsed
        segments += len(core.take_segments())
        assert segments == core.segments_handed
        assert (core.reassembly_held, core.flows_active) == (0, 0)
        assert sum(core.reasons.values()) == core.rejected
        files += 1
    assert files > 600


@pytest.mark.parametrize(
    "name",
    [
        "made/dicom_orthanc_find_move_http.pcap",
        "made/hl7_mllp.pcap",
        "proto/http/nDPI__pcap_ocs.pcap",
        "attack/malcolm_plugins/zerologon/CVE-2020-1472_exploit_win2016.pcap",
    ],
)
def test_connections_and_bytes_are_those_of_tshark(shared: Path, name: str) -> None:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed")
    path = shared / "captures" / name
    fields = ["-e", "tcp.stream", "-e", "tcp.len"]
    done = subprocess.run(
        [tshark, "-r", str(path), "-Y", "tcp && !icmp", "-T", "fields", *fields],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    core, _reader, _segments = read(path)
    rows = [r for r in core.take_flows(final=True).to_pylist() if r["ip_protocol"] == 6]
    assert sum(r["packets_out"] + r["packets_in"] for r in rows) == len(lines)
    assert sum(r["payload_out"] + r["payload_in"] for r in rows) == sum(int(line[1]) for line in lines)
    assert len({r["flow_id"] for r in rows}) == len({line[0] for line in lines})


def test_a_stream_is_what_tshark_follows(shared: Path) -> None:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed")
    path = shared / "captures" / "made" / "hl7_mllp.pcap"
    done = subprocess.run(
        [tshark, "-r", str(path), "-q", "-z", "follow,tcp,raw,0"], capture_output=True, text=True, check=True
    )
    lines = [line for line in done.stdout.splitlines() if line.strip("\t").isalnum()]
    there = bytes.fromhex("".join(line for line in lines if not line.startswith("\t")))
    back = bytes.fromhex("".join(line.strip() for line in lines if line.startswith("\t")))
    core = FlowCore(FlowCoreConfig(stream_ports={2575: 1 << 20}))
    CaptureReader(core, "x").feed(path.read_bytes())
    segments = [s for s in core.take_segments() if s.transport == "tcp"]
    first = segments[0].flow_id
    said = b"".join(s.payload for s in segments if s.flow_id == first and s.from_client)
    heard = b"".join(s.payload for s in segments if s.flow_id == first and not s.from_client)
    assert {said, heard} == {there, back}
    assert said and heard
