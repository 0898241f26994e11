"""Every prober against every kind of peer: one word each, in bounds, and never without a permit."""

from __future__ import annotations

import ast
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.ports import reserved_port
from tests.waiting import PATIENCE, until

from medwarden.kernel.clock import wall_clock
from medwarden.model.segment import Transport
from medwarden.operations.permit import NotPermitted, Permit, Target
from medwarden.sensors.active import exchange
from medwarden.sensors.active.exchange import Exchange, Limits, Outcome
from medwarden.sensors.active.prober import ProbeResult, ProbeSetting, SnmpUser, probe
from medwarden.sensors.active.registry import probers
from medwarden.sensors.active.snmp_encoding import integer, octets, sequence, tlv
from medwarden.sensors.active.snmp_user import read_message

from . import peers

QUICK = ProbeSetting(limits=Limits(connect_s=0.5, total_s=0.9), community="secret-community", ae_title="CT1")
"""Of peers that let us wait, or where it does not matter how far we came."""
SOON = ProbeSetting(limits=Limits(connect_s=2, total_s=2), community="secret-community", ae_title="CT1")
"""Of peers that let us wait, and where everything has to be asked before the time is over."""
PATIENT = ProbeSetting(limits=Limits(PATIENCE, PATIENCE), community="secret-community", ae_title="CT1")
"""Of peers whose answer, and not the time, ends it."""
NAMES = sorted(probers())


def asked(name: str, port: int, setting: ProbeSetting = QUICK) -> ProbeResult:
    prober = probers()[name]
    begun = time.monotonic()
    result = probe(prober, peers.permit(prober, port), Target("main", "127.0.0.1", port), setting)
    assert time.monotonic() - begun < setting.limits.total_s + PATIENCE / 2
    assert result.received <= setting.limits.most_bytes + 65_535
    assert result.sent < 1_000
    assert result.words or result.outcome is Outcome.ANSWERED
    return result


@pytest.mark.parametrize("name", NAMES)
def test_a_prober_declares_itself(name: str) -> None:
    prober = probers()[name]
    manifest = prober.manifest
    assert manifest.name == name
    assert manifest.title and manifest.reference and manifest.asks
    assert 0 < manifest.port < 65_536
    assert prober.missing(QUICK) == ""


@pytest.mark.parametrize("name", NAMES)
def test_a_silent_peer(name: str) -> None:
    if name in peers.streams():
        with peers.tcp_peer(peers.silent) as (port, visits):
            assert asked(name, port, SOON).outcome is Outcome.SILENT
        assert len(visits) == 1
    else:
        with peers.udp_peer(peers.datagrams()) as (port, heard):
            assert asked(name, port, SOON).outcome is Outcome.SILENT
        # A Who-Is and one read; everybody else asks once. Nothing is repeated.
        assert len(heard) == (2 if name == "bacnet_whois" else 1)
        assert len(set(heard)) == len(heard)


@pytest.mark.parametrize("name", NAMES)
def test_a_closed_port(name: str) -> None:
    assert asked(name, reserved_port(), PATIENT).outcome is Outcome.CLOSED


@pytest.mark.parametrize("name", peers.streams())
def test_a_peer_that_resets_or_hangs_up(name: str) -> None:
    for talk in (peers.reset, peers.hang_up):
        with peers.tcp_peer(talk) as (port, visits):
            assert asked(name, port, PATIENT).outcome is Outcome.RESET
        assert len(visits) == 1


@pytest.mark.parametrize("name", peers.streams())
def test_a_peer_that_drips(name: str) -> None:
    with peers.tcp_peer(peers.dripping(peers.STARTS[name])) as (port, _):
        assert asked(name, port, SOON).outcome is Outcome.INCOMPLETE


@pytest.mark.parametrize("name", peers.streams())
@pytest.mark.parametrize(
    "garbage", [b"\xff" * 200, b"SSH-2.0-x\r\n" * 10, bytes(500), b"\x00\x00\x00\x01xxxxxxxx"]
)
def test_a_peer_that_talks_garbage(name: str, garbage: bytes) -> None:
    with peers.tcp_peer(peers.saying(garbage)) as (port, _):
        result = asked(name, port, PATIENT)
    assert result.outcome is Outcome.MALFORMED
    assert result.facts == ()


@pytest.mark.parametrize("name", peers.packets())
@pytest.mark.parametrize(
    "garbage", [b"", b"\xff" * 200, b"GET / HTTP/1.1\r\n\r\n", bytes(500), b"0\x84\xff\xff\xff\xff"]
)
def test_a_datagram_of_garbage(name: str, garbage: bytes) -> None:
    with peers.udp_peer(peers.datagrams(garbage)) as (port, _):
        result = asked(name, port, PATIENT)
    assert result.outcome is Outcome.MALFORMED
    assert result.facts == ()


@pytest.mark.parametrize("name", peers.streams())
def test_an_endless_answer(name: str) -> None:
    with peers.tcp_peer(peers.endless(peers.STARTS[name])) as (port, _):
        result = asked(name, port, PATIENT)
    assert result.outcome in (Outcome.EXCESSIVE, Outcome.INCOMPLETE, Outcome.MALFORMED, Outcome.ANSWERED)
    assert result.received <= QUICK.limits.most_bytes


def test_an_endless_head_is_excessive() -> None:
    with peers.tcp_peer(peers.endless(b"HTTP/1.1 200 OK\r\n")) as (port, _):
        assert asked("http_head", port, PATIENT).outcome is Outcome.EXCESSIVE


@pytest.mark.parametrize("name", peers.packets())
def test_a_flood_of_datagrams(name: str) -> None:
    with peers.udp_peer(peers.flood(b"\x81\x0a\x00\x08\x01\x00\x10\x08")) as (port, _):
        assert asked(name, port).outcome in (
            Outcome.MALFORMED,
            Outcome.ANSWERED,
            Outcome.SILENT,
            Outcome.EXCESSIVE,
        )


@pytest.mark.parametrize("name", NAMES)
def test_nothing_goes_without_a_permit_that_covers_it(name: str) -> None:
    """Expired, foreign, used, for another prober, address or port: no connection and no datagram."""
    prober = probers()[name]
    other = next(p for n, p in probers().items() if n != name)
    peer = peers.tcp_peer if prober.manifest.transport is Transport.TCP else peers.udp_peer
    with peer(lambda *_: None) as (port, visits):
        aimed = Target("main", "127.0.0.1", port)
        used = peers.permit(prober, port)
        used.redeem(prober.manifest.action, aimed, wall_clock())
        wrong = {
            "expired": peers.permit(prober, port, now=wall_clock() - 6_000_000_000),
            "from the future": peers.permit(prober, port, now=wall_clock() + 60_000_000_000),
            "of another prober": peers.permit(other, port),
            "for another port": peers.permit(prober, port + 1 if port < 65_535 else 1),
            "used": used,
            "hollow": object.__new__(Permit),
        }
        for permit in wrong.values():
            with pytest.raises(NotPermitted):
                probe(prober, permit, aimed, QUICK)
        with pytest.raises(AttributeError):
            probe(prober, None, aimed, QUICK)  # type: ignore[arg-type]
    assert visits == []


def test_one_connection_at_a_time_to_a_device() -> None:
    prober = probers()["http_head"]
    outcomes: list[ProbeResult] = []
    released = threading.Event()

    def hold(line: socket.socket, _over: threading.Event) -> None:
        line.recv(65_535)
        released.wait(PATIENCE)

    with peers.tcp_peer(hold) as (port, visits):
        first = threading.Thread(target=lambda: outcomes.append(asked("http_head", port, PATIENT)))
        first.start()
        until(lambda: bool(visits), "the first connection is there")
        with pytest.raises(NotPermitted, match="one connection at a time"):
            probe(prober, peers.permit(prober, port), Target("main", "127.0.0.1", port), QUICK)
        released.set()
        first.join()
        assert asked("http_head", port, PATIENT).outcome is Outcome.RESET, (
            "the next may, and was held by nobody"
        )
    assert [o.outcome for o in outcomes] == [Outcome.RESET]


def test_a_source_can_be_bound() -> None:
    where: list[tuple[str, int]] = []

    def talk(line: socket.socket, _over: threading.Event) -> None:
        where.append(line.getpeername())

    source_port = reserved_port()
    limits = Limits(PATIENCE, PATIENCE, source_ip="127.0.0.2", source_port=source_port)
    with peers.tcp_peer(talk) as (port, _):
        asked("http_head", port, ProbeSetting(limits=limits))
    assert where == [("127.0.0.2", source_port)]


def test_only_the_exchange_opens_sockets() -> None:
    folder = Path(exchange.__file__).parent
    for path in folder.glob("*.py"):
        imported = {
            alias.name.partition(".")[0]
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import)
            for alias in node.names
        } | {
            (node.module or "").partition(".")[0]
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom)
        }
        outside = {"socket", "ssl", "subprocess", "asyncio", "http", "urllib", "socketserver", "ctypes"}
        assert not imported & outside or path.name == "exchange.py", path.name
    assert "SO_BROADCAST" not in Path(exchange.__file__).read_text()


def test_an_exchange_is_not_made_before_its_permit_is_redeemed(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_args: object, **_named: object) -> socket.socket:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", never)
    prober = probers()["tls_hello"]
    with pytest.raises(NotPermitted):
        Exchange(
            peers.permit(prober, 443, now=1),
            prober.manifest.action,
            Target("main", "127.0.0.1", 443),
            Transport.TCP,
            Limits(),
        )


ALONE = """
import json, socket, subprocess, time
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
ear.bind(("lo", 3))
ear.setblocking(False)
def heard():
    time.sleep(0.1)
    count = 0
    while True:
        try:
            ear.recv(65535)
        except BlockingIOError:
            return count
        count += 1
from medwarden.kernel.clock import wall_clock
from medwarden.operations.permit import NotPermitted, Target
from medwarden.sensors.active.exchange import Limits
from medwarden.sensors.active.prober import ProbeSetting, probe
from medwarden.sensors.active.registry import probers
from tests.sensors.active import peers
setting = ProbeSetting(limits=Limits(0.3, 0.3), community="x")
refused = 0
heard()
for prober in probers().values():
    port = prober.manifest.port
    aimed = Target("main", "127.0.0.1", port)
    for permit in (peers.permit(prober, port, now=1), peers.permit(prober, port + 1)):
        try:
            probe(prober, permit, aimed, setting)
        except NotPermitted:
            refused += 1
before = heard()
for prober in probers().values():
    port = prober.manifest.port
    probe(prober, peers.permit(prober, port), Target("main", "127.0.0.1", port), setting)
print(json.dumps({"refused": refused, "before": before, "after": heard()}))
"""


def test_no_packet_leaves_when_refused() -> None:
    """In a network of its own with an ear on it: nothing after refusals, something after permits."""
    unshare = shutil.which("unshare")
    if unshare is None or os.geteuid() != 0:
        pytest.skip("needs root and unshare for a network namespace")
    done = subprocess.run(
        [unshare, "-n", sys.executable, "-c", ALONE],
        capture_output=True,
        check=False,
        cwd=Path(__file__).parents[3],
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr.decode()
    told = json.loads(done.stdout)
    assert told["refused"] == 2 * len(probers())
    assert told["before"] == 0
    assert told["after"] >= len(probers())


def test_an_acceptance_that_ends_within_its_context() -> None:
    body = bytes(68) + b"\x21\x00\x00\x04\x01\x00"
    answer = b"\x02\x00" + len(body).to_bytes(4, "big") + body
    with peers.tcp_peer(peers.saying(answer)) as (port, _):
        result = asked("dicom_echo", port)
    assert result.outcome is not Outcome.ANSWERED
    assert result.words


@pytest.mark.parametrize(("boots", "running"), [(2**31, 0), (1, 2**32), (2**40, 2**40)])
def test_an_agent_whose_clock_cannot_be(boots: int, running: int) -> None:
    def talk(line: socket.socket, data: bytes, sender: tuple[str, int], _over: threading.Event) -> None:
        usm = sequence(octets(b"\x80\0\0\0\1abc"), integer(boots), integer(running), *[octets(b"")] * 3)
        number = integer(read_message(data).number)
        header = sequence(number, integer(65_507), octets(b"\0"), integer(3))
        scoped = sequence(octets(b""), octets(b""), tlv(0xA8, number + integer(0) * 2 + sequence()))
        line.sendto(sequence(integer(3), header, octets(usm), scoped), sender)

    user = SnmpUser("reader", "sha", "password-1", "aes", "password-2")
    with peers.udp_peer(talk) as (port, _):
        result = asked("snmp_get", port, ProbeSetting(limits=PATIENT.limits, snmp_user=user))
    assert result.outcome is Outcome.MALFORMED
    assert "clock" in result.words
