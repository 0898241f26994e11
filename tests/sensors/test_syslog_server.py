"""Syslog over TCP and TLS: framings, a real rsyslogd, and senders that mean no good."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.programs import started
from tests.sensors.logs.exports import FIELDS, ipfix, row, set_of, template10
from tests.waiting import PATIENCE, until

from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.model.log_source import LogSetting
from medwarden.sensors.datagram_server import DatagramServer
from medwarden.sensors.flow_choice import flow_parser
from medwarden.sensors.ipfix_framing import IpfixFraming
from medwarden.sensors.line_choice import MOST_MESSAGE, line_parser, one_line
from medwarden.sensors.reception import Reception
from medwarden.sensors.syslog_framing import NO_COUNT, TOO_LONG, SyslogFraming
from medwarden.sensors.syslog_server import SyslogServer, server_context

KEY = b"k" * 32
ACK = b"<30>Nov 14 22:00:01 dhcp1 dhcpd: DHCPACK on 10.20.0.%d to 00:1a:2b:3c:4d:%02x (pump-%d) via eth0"
NOW = 1_700_000_000_000_000_000


def reception() -> Reception:
    return Reception(line_parser, LogSetting(KEY, now_ns=NOW), prepare=one_line)


def acks(count: int) -> list[bytes]:
    return [ACK % (n, n, n) for n in range(1, count + 1)]


@contextmanager
def server(tls: ssl.SSLContext | None = None, **options: float) -> Iterator[tuple[SyslogServer, Reception]]:
    heard = reception()
    made = SyslogServer(
        "127.0.0.1",
        0,
        heard,
        tls=tls,
        most_connections=int(options.get("most_connections", 16)),
        unfinished_s=options.get("unfinished_s", PATIENCE),
    )
    made.start()
    try:
        yield made, heard
    finally:
        made.stop()
        assert made.error is None


def leased(heard: Reception) -> set[str]:
    return {f.evidence.value for f in heard.take(final=True).facts if f.evidence.field == "dhcp.address"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificate")
    pem, key = folder / "server.pem", folder / "server.key"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *("-keyout", str(key), "-out", str(pem), "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
        timeout=PATIENCE,
    )
    return pem, key


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.integers(1, 17), st.booleans())
def test_a_stream_cut_anywhere_gives_the_same_messages(bodies: list[bytes], size: int, counted: bool) -> None:
    messages = [b"<13>" + body.replace(b"\n", b" ") + b"x" for body in bodies]
    stream = b"".join(b"%d %s" % (len(m), m) if counted else m + b"\n" for m in messages)
    framing = SyslogFraming()
    found: list[bytes] = []
    for at in range(0, len(stream), size):
        found += framing.push(stream[at : at + size])
    assert found + framing.finish() == messages
    assert not framing.partial
    assert framing.faults == []


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_no_stream_breaks_the_framing(pieces: list[bytes]) -> None:
    whole, cut = SyslogFraming(64), SyslogFraming(64)
    joined = b"".join(pieces)
    together = whole.push(joined) + whole.finish()
    apart = [message for piece in pieces for message in cut.push(piece)] + cut.finish()
    assert together == apart
    assert whole.faults == cut.faults
    assert all(len(message) <= 64 for message in together[:-1])


def test_a_message_of_ten_megabytes_is_passed_over_in_bounded_memory() -> None:
    framing = SyslogFraming()
    good = b"<13>Nov 14 22:00:00 10.1.0.9 app: x"
    for piece in (b"10000000 <13>", *[b"y" * 65536] * 152, b"y" * (10_000_000 - 4 - 152 * 65536)):
        assert framing.push(piece) == []
        assert len(framing._pending) <= MOST_MESSAGE
    assert framing.push(b"%d %s" % (len(good), good)) == [good]
    for piece in [b"z" * 65536] * 160:
        assert framing.push(piece) == []
        assert len(framing._pending) <= 2 * MOST_MESSAGE
    assert framing.push(b"\n" + good + b"\n") == [good]
    assert framing.faults == [TOO_LONG, TOO_LONG]
    assert framing.push(b"12x34 <13>a\n" + good + b"\n") == [good]
    assert framing.faults[-1] == NO_COUNT


def test_messages_are_routed_by_what_they_say() -> None:
    with server() as (made, heard), socket.create_connection(made.address) as out:
        lines = [
            *acks(2),
            b"<166>Nov 14 2023 22:00:13: %ASA-4-106023: Deny tcp src o:198.51.100.6/4 dst i:10.1.0.4/22 by x",
            b"<13>Nov 14 22:00:00 10.1.0.9 app[1]: patient Doe",
            b"\xff\xfe\x00binary\x01",
        ]
        out.sendall(b"".join(line + b"\n" for line in lines))
        until(
            lambda: heard.tally().count.read == 5, "all messages are read", shown=lambda: str(heard.tally())
        )
        formats = {account.format: account.tally.count.parsed for account in heard.accounts()}
        assert formats == {"isc_dhcp": 2, "cisco_asa": 1, "syslog_lines": 2}
        batch = heard.take(final=True)
        assert batch.flows.num_rows == 1
        assert not [f for f in batch.facts if "Doe" in f.evidence.value]


def test_what_arrived_before_the_end_is_taken() -> None:
    with server() as (made, heard):
        with socket.create_connection(made.address) as out:
            out.sendall(b"".join(line + b"\n" for line in acks(9)) + ACK % (10, 10, 10))
        until(
            lambda: heard.tally().count.read == 10, "all messages are read", shown=lambda: str(heard.tally())
        )
        made.stop()
        assert len(leased(heard)) == 10


def test_slow_and_many_connections_are_bounded() -> None:
    with server(unfinished_s=0.3, most_connections=3) as (made, heard):
        slow = [socket.create_connection(made.address) for _ in range(3)]
        try:
            for each in slow:
                each.sendall(b"<13>never")
            until(
                lambda: heard.tally().count.read >= 3,
                "all messages are read",
                shown=lambda: str(heard.tally()),
            )
            assert heard.tally().reasons["message not finished in time"] == 3
            assert slow[0].recv(1) == b"" if _closed(slow[0]) else True
        finally:
            for each in slow:
                each.close()
        held = [socket.create_connection(made.address) for _ in range(8)]
        try:
            until(lambda: made.refused >= 5, "five are refused", shown=lambda: str(made.refused))
            assert made.refused == 5
        finally:
            for each in held:
                each.close()


def _closed(each: socket.socket) -> bool:
    each.settimeout(PATIENCE)
    try:
        return each.recv(1, socket.MSG_PEEK) == b""
    except ConnectionError:
        return False


def test_a_full_reception_makes_tcp_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medwarden.sensors.reception._MOST_WAITING", 10)
    with server() as (made, heard), socket.create_connection(made.address) as out:
        out.sendall(b"".join(line + b"\n" for line in acks(10)))
        until(lambda: heard.full, "the reception is full")
        out.sendall(b"".join(line + b"\n" for line in acks(12)[10:]))
        time.sleep(0.3)
        assert heard.tally().count.read == 10
        heard.take()
        until(
            lambda: heard.tally().count.read == 12, "all messages are read", shown=lambda: str(heard.tally())
        )
        assert heard.tally().count.dropped == 0


def test_tls_with_a_broken_peer_goes_on(certificate: tuple[Path, Path]) -> None:
    with server(server_context(*certificate)) as (made, heard):
        with socket.create_connection(made.address) as plain:
            plain.sendall(b"<13>not tls\n")
            plain.settimeout(PATIENCE)
            with suppress(ConnectionError):
                plain.recv(10)
        trust = ssl.create_default_context(cafile=str(certificate[0]))
        with (
            socket.create_connection(made.address) as raw,
            trust.wrap_socket(raw, server_hostname="localhost") as out,
        ):
            message = ACK % (7, 7, 7)
            out.sendall(b"%d %s" % (len(message), message))
            until(
                lambda: heard.tally().count.read == 1,
                "all messages are read",
                shown=lambda: str(heard.tally()),
            )
        assert leased(heard) == {"10.20.0.7"}


def test_ipfix_over_tcp_keeps_its_templates_and_ends_a_stream_that_is_none() -> None:
    heard = Reception(flow_parser, LogSetting(KEY), lasting=True)
    made = SyslogServer("127.0.0.1", 0, heard, framing=IpfixFraming)
    made.start()
    data = set_of(256, row("10.1.1.5", "10.1.2.9", (50000, 104)))
    try:
        with socket.create_connection(made.address) as out:
            message = ipfix([template10(256, FIELDS), data], 0)
            out.sendall(message[:9])
            time.sleep(0.05)
            out.sendall(message[9:] + ipfix([data], 1))
            until(
                lambda: heard.tally().count.parsed == 2,
                "all messages are parsed",
                shown=lambda: str(heard.tally()),
            )
        with socket.create_connection(made.address) as out:
            out.sendall(b"GET / HTTP/1.1\r\n")
            out.settimeout(PATIENCE)
            with suppress(ConnectionError):
                assert out.recv(1) == b""
    finally:
        made.stop()
    assert made.error is None
    assert heard.take(final=True).flows.num_rows == 2
    assert heard.tally().reasons == {"stream is not IPFIX": 1}


def test_a_wrong_certificate_and_a_taken_port_are_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no certificate"):
        server_context(tmp_path / "none.pem")
    with server() as (made, heard), pytest.raises(ResourceError, match="cannot be listened on"):
        SyslogServer("127.0.0.1", made.address[1], heard)


@pytest.mark.skipif(shutil.which("rsyslogd") is None, reason="rsyslogd is not installed")
@pytest.mark.parametrize("how", ["udp", "tcp", "tls"])
def test_rsyslogd_forwards_to_us(how: str, tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    count, heard = 40, reception()
    made: DatagramServer | SyslogServer
    if how == "udp":
        made = DatagramServer("127.0.0.1", 0, heard)
    else:
        context = server_context(*certificate) if how == "tls" else None
        made = SyslogServer("127.0.0.1", 0, heard, tls=context, unfinished_s=6 * PATIENCE)
    made.start()

    def told() -> str:
        return f"{heard.tally()}, {made.error}"

    source = tmp_path / "in.log"
    source.write_text("")
    action = f'type="omfwd" target="127.0.0.1" port="{made.address[1]}"'
    head = ""
    if how == "udp":
        action += ' protocol="udp"'
    else:
        action += ' protocol="tcp" TCP_Framing="octet-counted"'
    if how == "tls":
        head = f'global(DefaultNetstreamDriver="gtls" DefaultNetstreamDriverCAFile="{certificate[0]}")\n'
        action += ' StreamDriver="gtls" StreamDriverMode="1" StreamDriverAuthMode="x509/certvalid"'
    configuration = tmp_path / "rsyslog.conf"
    configuration.write_text(
        f'{head}global(workDirectory="{tmp_path}")\n'
        'module(load="imfile" mode="polling" pollingInterval="1")\n'
        'template(name="whole" type="string" string="%msg%")\n'
        f'input(type="imfile" File="{source}" Tag="x:" freshStartTail="off")\n'
        f'action({action} template="whole")\n'
    )
    command = ["rsyslogd", "-n", "-f", configuration, "-i", tmp_path / "pid"]
    try:
        with started(command, tmp_path):
            source.write_bytes(b"".join(line + b"\n" for line in acks(count)))
            until(lambda: heard.tally().count.read >= count, "all messages are read", shown=told)
    finally:
        made.stop()
    assert made.error is None
    assert len(leased(heard)) == count
    tally = heard.tally()
    assert tally.count.read == tally.count.parsed == count
