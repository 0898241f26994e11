"""A sensor on a real interface: what comes by is known in seconds, accounted for, and kept through a kill."""

from __future__ import annotations

import itertools
import os
import pwd
import random
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.flowcore import packets as made
from tests.ports import reserved_port
from tests.product.conftest import lines, medwarden
from tests.product.processes import running
from tests.waiting import until

_numbers = itertools.count(1)


class Wire:
    """A veth pair, one end in a network namespace of its own, where the sensor runs."""

    def __init__(self) -> None:
        self.namespace = f"mw-{os.getpid()}-{next(_numbers)}"
        self.near, self.far = f"mwn{random.randrange(10**6)}", "ear0"
        ip("netns", "add", self.namespace)
        try:
            ip("link", "add", self.near, "type", "veth", "peer", "name", self.far, "netns", self.namespace)
            for setting in ("net.ipv6.conf.all.disable_ipv6", f"net.ipv6.conf.{self.near}.disable_ipv6"):
                where = self.inside if "all" in setting else []
                subprocess.run([*where, "sysctl", "-qw", f"{setting}=1"], check=True)
            ip("-n", self.namespace, "link", "set", self.far, "up", "promisc", "on")
            ip("link", "set", self.near, "up")
        except BaseException:
            self.cut()
            raise
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self._socket.bind((self.near, 0))

    @property
    def inside(self) -> list[str]:
        """Return the command that runs another one in the namespace."""
        return ["ip", "netns", "exec", self.namespace]

    def send(self, *frames: bytes) -> None:
        """Put frames on the wire."""
        for frame in frames:
            self._socket.send(frame)

    def cut(self) -> None:
        """Take everything down."""
        if hasattr(self, "_socket"):
            self._socket.close()
        ip("netns", "del", self.namespace)


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@pytest.fixture
def wire() -> Iterator[Wire]:
    if os.geteuid() != 0:
        pytest.skip("only root may make network namespaces")
    try:
        made_wire = Wire()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no network namespace with a veth pair can be made here: {error}")
    yield made_wire
    made_wire.cut()


def arrival(number: int) -> list[bytes]:
    """Return what a device says when it comes: a DHCP request with its name, then an ARP announcement."""
    mac, address = f"00:30:e6:00:00:{number:02x}", f"10.30.0.{number}"
    packed = bytes(map(int, address.split(".")))
    options = b"\x35\x01\x03" + b"\x0c\x09pump-" + f"{number:04}".encode() + b"\x32\x04" + packed
    bootp = struct.pack("!4BIHH16x", 1, 1, 6, 0, number, 0, 0) + made.mac(mac) + bytes(10 + 64 + 128)
    dhcp = made.udp(bootp + b"\x63\x82\x53\x63" + options + b"\xff", 68, 67)
    broadcast = "ff:ff:ff:ff:ff:ff"
    arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + made.mac(mac) + packed + bytes(6) + packed
    return [
        made.ethernet(made.ipv4(dhcp, 17, "0.0.0.0", "255.255.255.255"), src=mac, dst=broadcast),
        made.ethernet(arp.ljust(46, b"\0"), 0x0806, src=mac, dst=broadcast),
    ]


def known(home: Path) -> set[str]:
    """Return the MAC addresses of the inventory."""
    return {mac for device in lines(medwarden("devices", "--json", home=home)) for mac in device["macs"]}


def heard(home: Path) -> dict[str, int]:
    """Return how often each host name was heard."""
    connection = sqlite3.connect(home / "state.sqlite3")
    try:
        query = (
            "select value, sum(count) from store_evidenceentry where field = 'dhcp.host_name' group by value"
        )
        return dict(connection.execute(query))
    finally:
        connection.close()


def test_a_new_device_is_known_in_seconds_and_a_kill_doubles_nothing(
    wire: Wire, home: Path, tmp_path: Path
) -> None:
    sensor = ["sensor", "--home", home, "--interface", wire.far]
    assert medwarden("worker", "--once", home=home).returncode == 0
    with running(["worker", "--home", home], tmp_path) as worker:
        with running(sensor, tmp_path, wire.inside) as first:
            until(lambda: "listening on" in first.printed, "the first sensor listens")
            wire.send(*arrival(1))
            took = until(lambda: "00:30:e6:00:00:01" in known(home), "the first device is known")
            print(f"a new device was in the inventory after {took:.1f} s")  # noqa: T201
            assert heard(home) == {"pump-0001": 1}
            # ip netns exec becomes the command: the signal reaches the sensor itself
            assert first.end(signal.SIGKILL) == -signal.SIGKILL

        with running(sensor, tmp_path, wire.inside) as second:
            until(lambda: "listening on" in second.printed, "the second sensor listens")
            wire.send(*arrival(2), *arrival(3))
            until(lambda: "00:30:e6:00:00:03" in known(home), "the third device is known")
            assert second.end() == 0
        assert "4 packets read = 4 parsed + 0 rejected + 0 dropped" in second.printed
        assert heard(home) == {"pump-0001": 1, "pump-0002": 1, "pump-0003": 1}
        by_mac = {d["macs"][0]: d for d in lines(medwarden("devices", "--json", home=home))}
        assert by_mac["00:30:e6:00:00:01"]["ips"] == ["10.30.0.1"]
        assert by_mac["00:30:e6:00:00:01"]["vendor"] == "Draeger"
        assert worker.end() == 0
    assert medwarden("doctor", "--json", home=home).returncode == 0


def test_two_interfaces_are_heard_by_one_console_and_a_lost_one_leaves_it_up(
    wire: Wire, home: Path, tmp_path: Path
) -> None:
    second = "ear1"
    ip("-n", wire.namespace, "link", "add", second, "type", "veth", "peer", "name", "mouth1")
    for name in (second, "mouth1"):
        ip("-n", wire.namespace, "link", "set", name, "up")
    listening = [
        "up",
        "--home",
        home,
        "--port",
        reserved_port(),
        "--interface",
        wire.far,
        "--interface",
        second,
    ]
    with running(listening, tmp_path, wire.inside) as everything:
        until(lambda: f"listening on {wire.far}, {second}" in everything.printed, "both are listened on")
        speak = (
            "import socket, sys; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW);"
            "s.bind(('mouth1', 0)); [s.send(bytes.fromhex(f)) for f in sys.argv[1:]]"
        )
        wire.send(*arrival(1))
        frames = [frame.hex() for frame in arrival(2)]
        subprocess.run([*wire.inside, sys.executable, "-c", speak, *frames], check=True)
        both = {"00:30:e6:00:00:01", "00:30:e6:00:00:02"}
        until(lambda: both <= known(home), "a device of either interface is known")
        ip("-n", wire.namespace, "link", "del", second)
        until(lambda: "trying again every" in everything.printed, "the sensor is tried more seldom")
        assert {"serve", "worker"} <= everything.children().keys()
        assert everything.end() == 0


def test_a_sensor_that_gave_up_root_stores_what_it_hears(wire: Wire) -> None:
    try:
        subprocess.run([sys.executable, "-c", "import medwarden"], user="nobody", cwd="/", check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("the user nobody cannot read this Python installation")
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are root's alone
        place = Path(folder)
        place.chmod(0o755)
        home = place / "home"
        home.mkdir(mode=0o700)
        nobody = pwd.getpwnam("nobody")
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
        sensor = ["sensor", "--home", home, "--interface", wire.far, "--user", "nobody"]
        with running(sensor, place, wire.inside) as listening:
            until(lambda: "listening on" in listening.printed, "the sensor listens")
            wire.send(*arrival(1))
            until(lambda: "00:30:e6:00:00:01" in known(home), "the device is known")
            assert listening.end() == 0, listening.printed
        assert {path.stat().st_uid for path in home.rglob("*")} == {nobody.pw_uid}
