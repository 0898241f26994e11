"""Switches and controllers over SNMP: real snmpd with made-up tables, version 2c and users of version 3."""

from __future__ import annotations

import ctypes
import json
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ports import reserved_port
from tests.programs import program, started
from tests.waiting import PATIENCE, until

from medwarden.dissect import ber
from medwarden.kernel.errors import ConfigurationError, MalformedInput, RemoteServiceError
from medwarden.sensors.active.snmp_encoding import integer, octets, oid, sequence, tlv
from medwarden.sensors.logs.gathering import FactSum
from medwarden.sensors.snmp_poll import POLL_FIELDS, PolledDevice, PollPlan, SnmpPoll, read_plan
from medwarden.sensors.snmp_session import Credential, SnmpSession
from medwarden.sensors.snmp_tables import Rows, SwitchReading

PUMP, CART, FAR = "00:1a:2b:3c:4d:5e", "00:1a:2b:3c:4d:5f", "00:1a:2b:3c:4d:60"
AP_RADIO = (0, 17, 34, 51, 68, 80)
V2 = Credential(community="ward")
USERS = {
    "plain": Credential(user="plain"),
    "signed": Credential(user="signed", auth="sha", auth_password="signed-pass"),
    "secret": Credential(
        user="secret",
        auth="sha256",
        auth_password="auth-pass-1",
        privacy="aes",
        privacy_password="priv-pass-1",
    ),
    "long": Credential(
        user="long", auth="sha512", auth_password="auth-pass-2", privacy="aes", privacy_password="priv-pass-2"
    ),
}


def dotted(mac: str) -> str:
    return ".".join(str(int(part, 16)) for part in mac.split(":"))


def spaced(mac: str) -> str:
    return mac.replace(":", " ")


def table() -> list[tuple[str, str, str]]:
    """Return a switch with a pump on port 1, an uplink on port 2, and a wireless controller beside."""
    q_port, q_status = "1.3.6.1.2.1.17.7.1.2.2.1.2", "1.3.6.1.2.1.17.7.1.2.2.1.3"
    lldp, station = "1.0.8802.1.1.2.1.4.1.1", "1.3.6.1.4.1.14179.2.1.4.1"
    rows = [
        *((f"1.3.6.1.2.1.31.1.1.1.1.{n}", "string", f"Gi1/0/{n - 100}") for n in (101, 102)),
        ("1.3.6.1.2.1.31.1.1.1.18.101", "string", "bed 12"),
        *((f"1.3.6.1.2.1.17.1.4.1.2.{n}", "integer", str(100 + n)) for n in (1, 2)),
        ("1.3.6.1.2.1.17.7.1.4.2.1.3.0.20", "gauge", "3"),
        (f"{q_port}.3.{dotted(PUMP)}", "integer", "1"),
        (f"{q_status}.3.{dotted(PUMP)}", "integer", "3"),
        (f"{q_port}.3.{dotted(FAR)}", "integer", "2"),
        (f"{q_status}.3.{dotted(FAR)}", "integer", "3"),
        (f"{lldp}.4.0.2.1", "integer", "4"),
        (f"{lldp}.5.0.2.1", "octet", "00 50 56 00 00 01"),
        (f"{lldp}.9.0.2.1", "string", "core-1"),
        (f"{lldp}.12.0.2.1", "octet", "28 00"),
        ("1.3.6.1.2.1.47.1.1.1.1.5.1", "integer", "3"),
        ("1.3.6.1.2.1.47.1.1.1.1.11.1", "string", "FOC1234"),
        ("1.3.6.1.2.1.47.1.1.1.1.13.1", "string", "WS-C2960X"),
        (f"{station}.2.{dotted(CART)}", "ipaddress", "10.30.0.9"),
        (f"{station}.4.{dotted(CART)}", "octet", " ".join(f"{a:02x}" for a in AP_RADIO)),
        (f"{station}.7.{dotted(CART)}", "string", "Ward"),
        (f"1.3.6.1.4.1.14179.2.2.1.1.3.{'.'.join(map(str, AP_RADIO))}", "string", "AP-3-West"),
    ]
    return list(rows)


TREES = ("1.3.6.1.2.1.17", "1.3.6.1.2.1.31", "1.3.6.1.2.1.47", "1.0.8802", "1.3.6.1.4.1.14179")
"""What the agent asks a script of ours for."""


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Start a snmpd that serves the table; yield its port."""
    snmpd = program("snmpd")
    folder = tmp_path_factory.mktemp("snmpd")
    (folder / "table.json").write_text(json.dumps(table()))
    port = reserved_port()
    script = f"{sys.executable} -S {Path(__file__).with_name('switch_agent.py')} {folder / 'table.json'}"
    lines = [
        f"agentAddress udp:127.0.0.1:{port}",
        "rocommunity ward",
        "sysName sw-3",
        "sysLocation building B",
        *(f"pass_persist -p 1 .{tree} {script}" for tree in TREES),
        "createUser plain",
        "createUser signed SHA signed-pass",
        "createUser secret SHA-256 auth-pass-1 AES priv-pass-1",
        "createUser long SHA-512 auth-pass-2 AES priv-pass-2",
        "rouser plain noauth",
        "rouser signed auth",
        "rouser secret priv",
        "rouser long priv",
        f"[snmp] persistentDir {folder}",
    ]
    (folder / "snmpd.conf").write_text("\n".join(lines) + "\n")
    words = [snmpd, "-f", "-Lo", "-C", "-c", folder / "snmpd.conf", "-I", "-smux,ifTable,ifXTable"]
    with started(words, folder, environment={"SNMP_PERSISTENT_DIR": str(folder)}) as daemon:
        until(lambda: _serves_table(port), "snmpd serves the table", every=0.2, shown=lambda: daemon.said)
        yield port


def _serves_table(port: int) -> bool:
    """Tell whether the agent answers for itself and for every tree that its script has to serve."""
    try:
        with SnmpSession("127.0.0.1", port, V2, tries=1) as session:
            return all(list(session.walk(tree)) for tree in ("1.3.6.1.2.1.1.5", *TREES))
    except RemoteServiceError:
        return False


def polled(
    port: int, credential: Credential
) -> tuple[SnmpPoll, set[tuple[str | None, str | None, str, str]]]:
    poll = SnmpPoll(PollPlan((PolledDevice("127.0.0.1", port, credential),), 60), timeout_s=PATIENCE / 3)
    poll.poll_all()
    facts = {(f.evidence.mac, f.evidence.ip, f.evidence.field, f.evidence.value) for f in poll.take().facts}
    assert {field for _, _, field, _ in facts} <= set(POLL_FIELDS)
    return poll, facts


@pytest.mark.parametrize("name", ["community", *USERS])
def test_a_switch_locates_who_hangs_on_its_ports(agent: int, name: str) -> None:
    poll, facts = polled(agent, V2 if name == "community" else USERS[name])
    assert poll.tally().fault is None
    assert {
        (PUMP, None, "switch.name", "sw-3"),
        (PUMP, None, "switch.port", "Gi1/0/1"),
        (PUMP, None, "switch.port_description", "bed 12"),
        (PUMP, None, "switch.vlan", "20"),
        (CART, "10.30.0.9", "wireless.ap", "AP-3-West"),
        (CART, "10.30.0.9", "wireless.ssid", "Ward"),
        (CART, "10.30.0.9", "wireless.controller", "sw-3"),
        (None, "127.0.0.1", "snmp.entity_model", "WS-C2960X"),
        (None, "127.0.0.1", "snmp.entity_serial", "FOC1234"),
        (None, "127.0.0.1", "snmp.sys_location", "building B"),
        ("00:50:56:00:00:01", None, "lldp.system_name", "core-1"),
    } <= facts
    assert not [fact for fact in facts if fact[0] == FAR], "behind an uplink nobody is located"
    assert poll.tally().count.parsed == 1


@pytest.mark.parametrize(
    "credential",
    [
        Credential(community="wrong"),
        Credential(user="nobody", auth="sha", auth_password="signed-pass"),
        Credential(user="signed", auth="sha", auth_password="wrong-pass"),
        Credential(user="secret", auth="sha256", auth_password="auth-pass-1"),
    ],
    ids=["community", "user", "password", "level"],
)
def test_a_wrong_credential_is_counted_and_no_secret_is_said(agent: int, credential: Credential) -> None:
    device = PolledDevice("127.0.0.1", agent, credential)
    poll = SnmpPoll(PollPlan((device,), 60), timeout_s=0.2)
    poll.poll_all()
    tally = poll.tally()
    assert (tally.count.read, tally.count.rejected) == (1, 1)
    assert poll.take().empty()
    assert tally.fault is not None and f"127.0.0.1:{agent}" in tally.fault
    for secret in (credential.community, credential.auth_password):
        assert not secret or secret not in tally.fault + repr(device)


def test_a_port_with_a_crowd_behind_it_locates_nobody() -> None:
    port = "1.3.6.1.2.1.17.4.3.1.2"
    crowd: Rows = {(0, 26, 43, 60, 77, n): 7 for n in range(40)}
    tables: dict[str, Rows] = {
        port: crowd | {(0, 26, 43, 60, 78, 1): 8},
        "1.3.6.1.2.1.2.2.1.2": {(7,): b"up", (8,): b"bed"},
    }
    facts = FactSum("snmp_poll")
    reading = SwitchReading(lambda column: tables.get(column, {}), "10.0.0.5", 1, facts)
    reading.read()
    located = {(f.evidence.mac, f.evidence.value) for f in facts.take() if f.evidence.field == "switch.port"}
    assert located == {("00:1a:2b:3c:4e:01", "bed")}
    assert reading.uplinks == {7}


@given(
    st.dictionaries(
        st.sampled_from(["1.3.6.1.2.1.17.7.1.2.2.1.2", "1.0.8802.1.1.2.1.4.1.1.5", "1.3.6.1.2.1.4.22.1.2"]),
        st.dictionaries(
            st.lists(st.integers(0, 2**32), max_size=8).map(tuple),
            st.one_of(st.integers(), st.binary(max_size=9)),
        ),
    )
)
def test_no_table_breaks_the_reading(tables: dict[str, Rows]) -> None:
    facts = FactSum("snmp_poll")
    SwitchReading(lambda column: tables.get(column, {}), "10.0.0.5", 1, facts).read()
    assert {f.evidence.field for f in facts.take()} <= set(POLL_FIELDS)


def test_an_agent_that_is_silent_is_asked_so_often_and_left() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        with (
            SnmpSession("127.0.0.1", silent.getsockname()[1], V2, timeout_s=0.05, tries=2) as session,
            pytest.raises(RemoteServiceError, match="no answer"),
        ):
            list(session.walk("1.3.6.1.2.1.1"))
        assert session.requests == 2


class Contrary:
    """An agent that answers every request as ``answer`` says, in a thread of its own."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(PATIENCE)
        self._answer = answer
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while request := self._socket.recvfrom(65535):
            if request[0] == b"end":
                return
            self._socket.sendto(self._answer(request[0]), request[1])

    def __enter__(self) -> Contrary:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(b"end", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()


def response(request: bytes, name: str, status: int = 0) -> bytes:
    """Return an answer to a GETBULK of version 2c with one binding."""
    outer = ber.expect(request, 0, len(request), ber.SEQUENCE, "test")
    version = ber.expect(request, outer.start, outer.end, ber.INTEGER, "test")
    community = ber.expect(request, version.end, outer.end, ber.OCTET_STRING, "test")
    pdu = ber.read_tlv(request, community.end, outer.end, "test")
    number = ber.read_integer(request, ber.expect(request, pdu.start, pdu.end, ber.INTEGER, "test"), "test")
    bindings = sequence(sequence(oid(name), integer(1)))
    return sequence(
        integer(1),
        octets(b"ward"),
        tlv(0xA2, integer(number) + integer(status) + integer(0) + bindings),
    )


@pytest.mark.parametrize(
    ("answer", "reason", "timeout_s"),
    [
        (lambda request: response(request, "1.3.6.1.2.1.1.1.0"), "round in circles", PATIENCE),
        (lambda request: response(request, "1.3.6.1.2.1.1.1.0", status=16), "lets it read nothing", PATIENCE),
        (lambda _request: b"\x30\x84\xff\xff\xff\xff", "no answer", 0.2),
        (lambda request: request, "no answer", 0.2),
    ],
    ids=["circles", "refusal", "broken", "echo"],
)
def test_an_agent_that_means_no_good_ends_the_walk(
    answer: Callable[[bytes], bytes], reason: str, timeout_s: float
) -> None:
    with (
        Contrary(answer) as agent,
        SnmpSession("127.0.0.1", agent.port, V2, timeout_s=timeout_s, tries=2) as session,
        pytest.raises(RemoteServiceError, match=reason),
    ):
        list(session.walk("1.3.6.1.2.1.1"))


def test_a_killed_connection_ends_no_session() -> None:
    """``ss --kill`` takes a datagram socket its peer, as a connection to no family does (connect(2))."""
    with (
        Contrary(lambda request: response(request, "1.3.6.1.2.1.1.1.0", status=16)) as agent,
        SnmpSession("127.0.0.1", agent.port, V2, timeout_s=PATIENCE / 3, tries=1) as session,
    ):
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.connect(session._socket.fileno(), struct.pack("=H14x", socket.AF_UNSPEC), 16) == 0
        with pytest.raises(OSError, match="not connected"):
            session._socket.getpeername()
        with pytest.raises(RemoteServiceError, match="lets it read nothing"):
            list(session.walk("1.3.6.1.2.1.1"))


def test_nobody_else_answers_for_an_agent() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent,
        Contrary(lambda request: request) as stranger,
    ):
        silent.bind(("127.0.0.1", 0))

        def answer_from_elsewhere() -> None:
            request, asker = silent.recvfrom(65_535)
            stranger._socket.sendto(response(request, "1.3.6.1.2.1.1.1.0", status=16), asker)

        helper = threading.Thread(target=answer_from_elsewhere)
        helper.start()
        with SnmpSession("127.0.0.1", silent.getsockname()[1], V2, timeout_s=0.3, tries=1) as session:
            libc = ctypes.CDLL(None, use_errno=True)
            assert libc.connect(session._socket.fileno(), struct.pack("=H14x", socket.AF_UNSPEC), 16) == 0
            with pytest.raises(RemoteServiceError, match="no answer"):
                list(session.walk("1.3.6.1.2.1.1"))
        helper.join(PATIENCE)
        assert not helper.is_alive()


@given(st.binary(max_size=200), st.integers(0, 2**31 - 1))
def test_no_answer_breaks_the_reading(noise: bytes, number: int) -> None:
    for credential in (V2, USERS["secret"]):
        with SnmpSession("127.0.0.1", 9, credential) as session:
            for datagram in (noise, b"\x30\x81" + noise):
                try:
                    found = session._read(datagram, number)
                except MalformedInput:
                    continue
                assert found in (None, False) or isinstance(found, bytes)


def test_a_plan_is_read_with_secrets_from_the_environment(tmp_path: Path) -> None:
    plan = tmp_path / "switches.toml"
    plan.write_text(
        'interval_s = 60\n[[device]]\naddress = "127.0.0.1"\ncommunity_env = "WARD"\n'
        '[[device]]\naddress = "127.0.0.1"\nport = 1161\nuser = "reader"\n'
    )
    plan.chmod(0o600)
    read = read_plan(plan, {"WARD": "secret-1"})
    assert read.interval_s == 60
    assert read.devices[0].credential == Credential(community="secret-1")
    assert (read.devices[1].port, read.devices[1].credential.user) == (1161, "reader")
    assert "secret-1" not in repr(read)
    assert msgspec.structs.asdict(read.devices[0])["port"] == 161


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "names no"),
        ("x = [", "is no TOML"),
        ("interval_s = 1\n[[device]]\naddress = '127.0.0.1'\n", "interval_s"),
        ("interval_s = nan\n[[device]]\naddress = '127.0.0.1'\n", "interval_s"),
        (f"interval_s = 1{'0' * 400}\n[[device]]\naddress = '127.0.0.1'\n", "interval_s"),
        (f"interval_s = {'9' * 5000}\n", "is no TOML"),
        (f"x = {'[' * 3000}", "is no TOML"),
        ("[[device]]\n", "no address"),
        ("[[device]]\naddress = '127.0.0.1'\ncolour = 1\n", "colour"),
        ("[[device]]\naddress = '127.0.0.1'\ncommunity_env = 'ABSENT'\n", "ABSENT"),
        ("[[device]]\naddress = '127.0.0.1'\n", "community or a user"),
        ("[[device]]\naddress = '127.0.0.1'\nuser = 'a'\nauth = 'md4'\n", "auth is one of"),
        (
            "[[device]]\naddress = '127.0.0.1'\nuser = 'a'\nauth = 'sha'\nauth_password = 'short'\n",
            "8 characters",
        ),
        ("[[device]]\naddress = '127.0.0.1'\nport = 0\ncommunity = 'c'\n", "port"),
        (f"[[device]]\naddress = '{'a' * 256}'\n", "device 1: address is longer"),
        ("[[device]]\naddress = 'a..b'\ncommunity = 'c'\n", "no address that can be asked"),
        (f"[[device]]\naddress = '{'a' * 70}.example'\ncommunity = 'c'\n", "no address that can be asked"),
    ],
    ids=lambda text: text[:24],
)
def test_a_wrong_plan_is_refused_in_words(tmp_path: Path, text: str, reason: str) -> None:
    plan = tmp_path / "switches.toml"
    plan.write_text(text)
    plan.chmod(0o600)
    with pytest.raises(ConfigurationError, match=reason) as refused:
        read_plan(plan, {})
    assert "short" not in str(refused.value)


def test_a_plan_that_others_may_read_is_refused(tmp_path: Path) -> None:
    plan = tmp_path / "switches.toml"
    plan.write_text("[[device]]\n")
    plan.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        read_plan(plan)
