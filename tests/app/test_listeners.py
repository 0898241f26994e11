"""What is sent to us becomes devices, conversations and an exact account in the sensor's row."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.ports import reserved_port
from tests.sensors.logs.exports import netflow5, record5
from tests.waiting import until

from medwarden.app.listeners import ListenerSpec, open_listeners, read_spec
from medwarden.app.storekeeper import Storekeeper
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.store.open import Store

ACK = "<30>1 %s dhcp1 dhcpd 1 - - DHCPACK on 10.1.1.5 to 00:1a:2b:3c:4d:5e (pump-17) via eth0"


def test_flows_and_lines_of_two_listeners_meet_in_one_device(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medwarden.store.models import Conversation, InputLedger, Interface, Sensor

    monkeypatch.setattr("medwarden.app.listeners.FLUSH_SECONDS", 0.05)
    keeper = Storekeeper(store)
    specs = [ListenerSpec("netflow"), ListenerSpec("udp"), ListenerSpec("tcp")]
    listeners = open_listeners(store, keeper, specs)
    try:
        for listener in listeners:
            listener.start()
        flows, lines, stream = (listener.address for listener in listeners)
        assert flows is not None and lines is not None and stream is not None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(netflow5([record5("10.1.1.5", "10.1.2.9", (50000, 104))], sequence=4), flows)
            out.sendto(netflow5([record5("10.1.2.9", "10.1.1.5", (104, 50000))], sequence=9), flows)
            out.sendto(b"noise", flows)
            out.sendto((ACK % datetime.now(UTC).isoformat()).encode(), lines)
        with socket.create_connection(stream) as out:
            out.sendall(b"<13>Nov 14 22:00:00 10.1.2.9 archive[4]: stored Doe\n")
        until(lambda: all(one.report().records.read for one in listeners), "everybody heard something")
        until(
            lambda: Sensor.objects.filter(counters__records__read__gt=0).count() == 3,
            "three sensors have counted",
        )
        reports = [listener.finish() for listener in listeners]
    finally:
        keeper.end()
    assert [report.records.read for report in reports] == [3, 1, 1]
    assert [report.records.rejected for report in reports] == [1, 0, 0]
    assert all(report.records.balanced() for report in reports)
    assert reports[0].missing == 4
    pump = Interface.objects.get(mac="00:1a:2b:3c:4d:5e").device
    assert Conversation.objects.filter(device=pump, role="client", port=104).exists()
    row = Sensor.objects.get(kind="netflow")
    assert row.counters["records"] == {"read": 3, "parsed": 2, "rejected": 1, "dropped": 0}
    assert row.counters["missing"] == 4
    (sender,) = row.counters["senders"]
    assert (sender["sender"], sender["format"], sender["records"]["parsed"]) == ("127.0.0.1", "netflow5", 2)
    assert InputLedger.objects.filter(status="complete").count() == 3


def test_what_opened_before_an_error_is_closed_again(store: Store) -> None:
    keeper = Storekeeper(store)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = reserved_port()
            specs = [ListenerSpec("sflow", port=port), ListenerSpec("tcp", port=taken.getsockname()[1])]
            with pytest.raises(ResourceError, match="cannot be listened on"):
                open_listeners(store, keeper, specs)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
                again.bind(("127.0.0.1", port))
    finally:
        keeper.end()


@pytest.mark.parametrize(
    ("option", "text", "spec"),
    [
        ("netflow", "0.0.0.0:9995", ListenerSpec("netflow", "0.0.0.0", 9995)),
        ("ipfix", "[::1]", ListenerSpec("ipfix", "::1", 4739)),
        ("syslog", "10.0.0.1", ListenerSpec("udp", "10.0.0.1", 514)),
        (
            "syslog",
            "tls://10.0.0.1?certificate=/c.pem&key=/k.pem&allow=10.0.0.0/8&allow=10.1.0.0/16",
            ListenerSpec(
                "tls", "10.0.0.1", 6514, ("10.0.0.0/8", "10.1.0.0/16"), Path("/c.pem"), Path("/k.pem")
            ),
        ),
        ("snmp", "/etc/switches.toml", ListenerSpec("snmp", plan=Path("/etc/switches.toml"))),
    ],
)
def test_options_say_what_is_listened_to(option: str, text: str, spec: ListenerSpec) -> None:
    assert read_spec(option, text) == spec


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("netflow", "host:port"),
        ("netflow", "tcp://10.0.0.1:1"),
        ("syslog", "tls://10.0.0.1"),
        ("syslog", "udp://10.0.0.1?colour=1"),
        ("syslog", ""),
    ],
)
def test_wrong_options_are_refused_in_words(option: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=f"--{option}"):
        read_spec(option, text)


def test_a_switch_on_the_do_not_probe_list_is_not_polled(store: Store, tmp_path: Path) -> None:
    from medwarden.operations.interlock import EntryKind
    from medwarden.store.changes import Change
    from medwarden.store.probing import protect

    with Change("user:anna", "a switch that reboots when asked") as change:
        protect(change, EntryKind.IP, "127.0.0.1")
    plan = tmp_path / "switches.toml"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as agent:
        agent.bind(("127.0.0.1", 0))
        agent.setblocking(False)
        port = agent.getsockname()[1]
        plan.write_text(f'[[device]]\naddress = "127.0.0.1"\nport = {port}\ncommunity = "c"\n')
        plan.chmod(0o600)
        keeper = Storekeeper(store)
        try:
            (listener,) = open_listeners(store, keeper, [ListenerSpec("snmp", plan=plan)])
            listener.start()
            until(lambda: listener.report().records.read > 0, "the switch was considered")
            report = listener.finish()
        finally:
            keeper.end()
        with pytest.raises(BlockingIOError):
            agent.recv(1)
    assert report.rejected_reasons == {"on the do-not-probe list": report.records.read}
    assert report.records.read >= 1
