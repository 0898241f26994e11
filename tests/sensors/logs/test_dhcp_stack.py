"""A real dnsmasq leases addresses to real clients; its log and its leases say who they are."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.programs import find, run, started
from tests.waiting import until

from medwarden.model.batch import Batch
from medwarden.model.log_source import LogParser, LogSetting
from medwarden.sensors.logs.lines import LineFramer
from medwarden.sensors.logs.registry import recognise

MACS = {"udhcpc": "02:00:00:00:10:01", "dhclient": "02:00:00:00:10:02"}


def parsed(content: bytes) -> tuple[LogParser, Batch]:
    form = recognise(content)
    assert form is not None
    parser = form("input", LogSetting(b"k" * 32, now_ns=time.time_ns()))
    framer = LineFramer()
    for block in (*framer.push(content), *framer.finish()):
        parser.feed(block.lines, block.offset)
    return parser, parser.take(final=True)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Lease addresses to two clients in a namespace of their own; yield the folder with log and leases."""
    if os.geteuid() != 0 or None in map(find, ("ip", "dnsmasq", "udhcpc")):
        pytest.skip("needs root, ip, dnsmasq and udhcpc")
    folder = tmp_path_factory.mktemp("dnsmasq")
    folder.chmod(0o755)
    names = [f"mwd{os.getpid()}{side}" for side in "sc"]
    made = []
    try:
        for name in names:
            run("ip", "netns", "add", name)
            made.append(name)
        server, client = names
        run("ip", "-n", server, "link", "add", "up0", "type", "veth", "peer", "name", "up0", "netns", client)
        run("ip", "-n", server, "addr", "add", "10.77.9.1/24", "dev", "up0")
        for name in names:
            run("ip", "-n", name, "link", "set", "up0", "up")
        command = [
            *("ip", "netns", "exec", server, "dnsmasq", "-k", "-p", "0", "--conf-file=/dev/null"),
            *("--interface=up0", "--bind-interfaces", "--dhcp-range=10.77.9.10,10.77.9.50,1h"),
            *("--dhcp-authoritative", "--log-dhcp", "--no-ping", "--user=root"),
            f"--log-facility={folder / 'log'}",
            f"--dhcp-leasefile={folder / 'leases'}",
            f"--pid-file={folder / 'pid'}",
        ]
        with started(command, folder):
            until((folder / "log").exists, "dnsmasq writes its log")
            lease(client, folder)
            yield folder
    finally:
        for name in made:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def lease(client: str, folder: Path) -> None:
    """Let every client that is installed ask for an address; dnsmasq has written down both when this ends."""
    inside = ("ip", "netns", "exec", client)
    makers = [maker for maker in MACS if find(maker)]
    for maker in makers:
        run("ip", "-n", client, "link", "set", "up0", "down")
        run("ip", "-n", client, "link", "set", "up0", "address", MACS[maker])
        run("ip", "-n", client, "link", "set", "up0", "up")
        if maker == "udhcpc":
            extra = ("-s", "/bin/true", "-x", "hostname:pump-17", "-V", "Alaris 8015")
            run(*inside, "udhcpc", "-f", "-q", "-n", "-i", "up0", "-t", "60", "-T", "1", *extra)
        else:
            configuration = folder / "dhclient.conf"
            configuration.write_text('send host-name "cart-3";\ntimeout 60;\n')
            files = ("-lf", folder / "dhclient.leases", "-pf", folder / "dhclient.pid")
            script = ("-sf", "/bin/true")
            run(*inside, "dhclient", "-1", "-4", *script, "-cf", configuration, *files, "up0")
            run(*inside, "dhclient", "-x", "-4", *script, *files, "up0")

    def written() -> bool:  # dnsmasq writes its log and its leases in its own time
        log, leases = ((folder / name).read_text() for name in ("log", "leases"))
        return MACS["udhcpc"] in leases and all(
            any("DHCPACK" in line and MACS[maker] in line for line in log.splitlines()) for maker in makers
        )

    until(written, "dnsmasq wrote down every lease", shown=(folder / "log").read_text)


def test_the_log_says_who_asked_and_how(network: Path) -> None:
    parser, batch = parsed((network / "log").read_bytes())
    assert parser.manifest.name == "dnsmasq_dhcp"
    assert parser.tally.count.balanced()
    said = {(f.evidence.mac, f.evidence.field): f.evidence.value for f in batch.facts}
    pump = MACS["udhcpc"]
    assert said[pump, "dhcp.host_name"] == "pump-17"
    assert said[pump, "dhcp.vendor_class"] == "Alaris 8015"
    assert said[pump, "dhcp.address"].startswith("10.77.9.")
    assert said[pump, "dhcp.parameter_request_list"].startswith("1,3,6,12,15")
    if find("dhclient"):
        assert said[MACS["dhclient"], "dhcp.address"].startswith("10.77.9.")
        assert said[MACS["dhclient"], "dhcp.parameter_request_list"].startswith("1,28,2,")


def test_the_leases_agree_with_the_log(network: Path) -> None:
    parser, leases = parsed((network / "leases").read_bytes())
    assert parser.manifest.name == "dnsmasq_dhcp"
    assert parser.tally.count.rejected == 0
    _, log = parsed((network / "log").read_bytes())
    held, told = (
        {(f.evidence.mac, f.evidence.value) for f in batch.facts if f.evidence.field == "dhcp.address"}
        for batch in (leases, log)
    )
    assert held and held <= told
