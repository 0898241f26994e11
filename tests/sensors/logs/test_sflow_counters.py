"""Counters of switch ports: what a port is, its load in steps, errors that rise; nothing of a lone number."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path
from shutil import which

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.flowcore import packets
from tests.sensors.logs.exports import ethernet_port, port_counters, sflow_counters

from medwarden.model.log_source import LogSetting
from medwarden.sensors.logs import sflow_counters as counters
from medwarden.sensors.logs.sflow import Sflow
from medwarden.sensors.logs.sflow_counters import speed_words

NOW = 1_700_000_000_000_000_000
GBIT = 10**9


def parser() -> Sflow:
    made = Sflow("switch", LogSetting(b"k" * 32, now_ns=NOW))
    made.heard_ns = NOW
    return made


def told(*datagrams: bytes) -> dict[str, list[str]]:
    """Return what the last of the datagrams says of the switch, by field."""
    sflow = parser()
    for datagram in datagrams[:-1]:
        sflow.feed(datagram, 0)
    sflow.take()
    sflow.feed(datagrams[-1], 0)
    said: dict[str, list[str]] = {}
    for fact in sflow.take(final=True).facts:
        assert fact.evidence.ip == "10.0.0.9"
        said.setdefault(fact.evidence.field, []).append(fact.evidence.value)
    assert sflow.tally.count.balanced()
    assert sflow.tally.count.rejected == 0
    return said


@pytest.mark.parametrize("wide", [False, True])
def test_a_port_says_what_it_is_from_its_first_sample(wide: bool) -> None:
    ports = [
        (3, [port_counters(3, octets=(10**12, 5), errors=(1, 2, 3, 4)), ethernet_port(fcs=9)]),
        (70000, [port_counters(70000, speed=10**8, direction=2, status=1)]),
        (9, [port_counters(9, speed=(1 << 64) - 1, direction=0, status=0)]),
    ]
    assert told(sflow_counters(ports, wide=wide)) == {
        "flow.exporter": ["sflow"],
        "flow.interface": [
            "3: Ethernet, 1 Gbit/s, full duplex, up",
            "70000: Ethernet, 100 Mbit/s, half duplex, down",
            "9: Ethernet, switched off, down",
        ],
    }


def test_load_and_errors_are_what_changed_between_two_samples() -> None:
    first = sflow_counters([(3, [port_counters(3, octets=(1000, 2000)), ethernet_port(single=5)])], 10_000)
    more = port_counters(3, octets=(1000 + GBIT // 8 * 4, 2000 + 50), errors=(0, 7, 1, 0))
    second = sflow_counters([(3, [more, ethernet_port(single=900, late=1, symbol=2)])], 20_000, 2)
    said = told(first, second)
    assert said["flow.interface_load"] == [
        "3: receives 10 to 50 % of 1 Gbit/s",
        "3: sends under 1 % of 1 Gbit/s",
    ]
    assert said["flow.interface_errors"] == [
        "3: input errors", "3: output discards", "3: late collisions", "3: symbol errors"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("octets", "step"),
    [
        (0, "under 1 %"),
        (2 * 10**7, "1 to 10 %"),
        (2 * 10**8, "10 to 50 %"),
        (10**9, "50 to 90 %"),
        (2 * 10**9, "over 90 %"),
    ],
)
def test_the_steps_of_load(octets: int, step: str) -> None:
    pair = [
        sflow_counters([(1, [port_counters(1, octets=(0, sent))])], at, number)
        for number, (at, sent) in enumerate(((1_000, 0), (11_000, octets)), 1)
    ]
    assert f"1: sends {step} of 1 Gbit/s" in told(*pair)["flow.interface_load"]


@pytest.mark.parametrize(
    ("uptime", "octets"), [(5_000, (900, 900)), (20_000, (5, 5)), (20_000, ((1 << 64) - 1, (1 << 64) - 1))]
)
def test_an_agent_that_began_anew_or_does_not_know_tells_no_load(
    uptime: int, octets: tuple[int, int]
) -> None:
    first = sflow_counters([(1, [port_counters(1, octets=(500, 500), errors=(9, 9, 9, 9))])], 10_000)
    second = sflow_counters([(1, [port_counters(1, octets=octets)])], uptime, 2)
    assert set(told(first, second)) == {"flow.exporter", "flow.interface"}


def test_agents_and_ports_are_kept_apart_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "MOST_INTERFACES", 2)
    kept = counters.InterfaceCounters()
    ports = [counters.interface(port_counters(n, octets=(n, n))[8:]) for n in range(4)]
    for n in (1, 2, 3):
        assert len(list(kept.take("a", 1000, n, ports[n], None))) == 1
    assert len(list(kept.take("a", 2000, 1, ports[1], None))) == 1  # was forgotten
    assert len(list(kept.take("a", 2000, 3, ports[3], None))) == 3
    assert len(list(kept.take("b", 2000, 3, ports[3], None))) == 1


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (struct.pack("!II", 1, 84) + bytes(84), "interface counters are cut short"),
        (struct.pack("!II", 2, 48) + bytes(48), "Ethernet counters are cut short"),
        (struct.pack("!II", 1, 400), "block overruns what it is in"),
    ],
)
def test_counters_that_are_cut_short_are_named(record: bytes, reason: str) -> None:
    sflow = parser()
    sflow.feed(sflow_counters([(1, [record])]), 0)
    assert sflow.tally.count.rejected == 1
    assert reason in (sflow.tally.fault or "")


def test_a_sample_without_its_header_and_one_with_too_much_are_named() -> None:
    for body, reason in (
        (bytes(8), "counter sample is shorter"),
        (struct.pack("!III", 1, 1, 999), "999 records"),
    ):
        head = sflow_counters([])[:-4] + struct.pack("!I", 1)
        sflow = parser()
        sflow.feed(head + struct.pack("!II", 2, len(body)) + body, 0)
        assert reason in (sflow.tally.fault or "")


@given(st.integers(1, (1 << 64) - 2))
def test_speeds_are_said_in_a_unit_that_fits(bits: int) -> None:
    number, unit = speed_words(bits).split()
    assert float(number) >= 1
    size = {"bit/s": 1, "kbit/s": 10**3, "Mbit/s": 10**6, "Gbit/s": 10**9}[unit]
    assert float(number) * size == pytest.approx(bits, rel=1e-4)


@pytest.mark.skipif(which("tshark") is None, reason="tshark is not installed")
def test_tshark_reads_the_same_counters(tmp_path: Path) -> None:
    generic = port_counters(3, octets=(111, 222), errors=(5, 6, 7, 8))
    datagram = sflow_counters([(3, [generic, ethernet_port(fcs=9, late=2, symbol=4)])])
    path = tmp_path / "sflow.pcap"
    path.write_bytes(packets.pcap([(0, packets.udp_frame(datagram, dst=6343))]))
    names = (
        *("ifindex", "ifspeed", "ifdirection", "ifinoct", "ifindisc", "ifinerr", "ifoutoct", "ifoutdisc"),
        *("ifouterr", "dot3StatsFCSErrors", "dot3StatsLateCollisions", "dot3StatsSymbolErrors"),
    )
    listed = subprocess.run(
        ["tshark", "-r", path, "-T", "fields", *(f"-esflow_245.{name}" for name in names)],
        capture_output=True, check=True, text=True,
    ).stdout.split()  # fmt: skip
    read = counters.interface(generic[8:])
    ethernet = counters.ethernet_counters(ethernet_port(fcs=9, late=2, symbol=4)[8:])
    ours = (
        read.index,
        read.speed,
        read.direction,
        read.received,
        *read.errors[:2],
        read.sent,
        *read.errors[2:],
    )
    assert [int(number) for number in listed] == [*ours, ethernet[1], ethernet[6], ethernet[12]]
    assert read.errors == (5, 6, 7, 8)
