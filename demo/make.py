"""Make the demonstration captures: a small ward of network namespaces in which real stacks talk.

Usage: ``./dev demo`` (root is needed for namespaces). Writes ``src/medwarden/app/demo/ward.pcap.gz``.
Every host is a network namespace on one bridge; a recorder listens on the bridge's mirror. The
stacks are real: dcmtk and pynetdicom for DICOM, sdc11073 for IEEE 11073 SDC, dnsmasq with udhcpc and
dhclient for DHCP and DNS, net-snmp, and Python's own HTTP, TLS, FTP and socket modules. Patients in
the messages are invented. All processes are ended by pid, all namespaces are removed.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "src" / "medwarden" / "app" / "demo" / "ward.pcap.gz"
PREFIX = "mwd-"


@dataclass
class Host:
    """One host: namespace name, MAC address, and a static address or the name it asks DHCP with."""

    name: str
    mac: str
    address: str | None = None
    dhcp_name: str | None = None
    dhcp_client: str = "udhcpc"
    vendor_class: str | None = None
    namespace: str = field(init=False)

    def __post_init__(self) -> None:
        self.namespace = PREFIX + self.name


# Addresses carry the makers' registered prefixes, as on a real ward; the rest is invented.
HOSTS = [
    Host("core", "00:1b:21:0a:00:01", "10.20.0.1"),
    Host("switch", "00:1e:bd:5c:11:02", "10.20.0.2"),
    Host("pacs", "00:14:22:7e:10:10", "10.20.0.10"),
    Host("ris", "00:14:22:7e:10:11", "10.20.0.11"),
    Host("engine", "00:50:56:a1:20:12", "10.20.0.12"),
    Host("his", "00:50:56:a1:20:13", "10.20.0.13"),
    Host("pumpserver", "00:50:56:a1:20:14", "10.20.0.14"),
    Host("ct", "00:01:e3:44:02:21", "10.20.0.21"),
    Host("ultrasound", "00:1b:9c:55:03:22", "10.20.0.22"),
    Host("mr", "00:09:fb:31:70:23", "10.20.0.23"),
    Host("xray", "00:0c:34:12:88:24", "10.20.0.24"),
    Host("monitor1", "00:09:fb:08:15:31", None, "ICU-BED-01"),
    Host("monitor2", "00:09:fb:08:15:32", None, "ICU-BED-02"),
    Host("vent", "00:30:e6:20:41:33", "10.20.0.33"),
    Host("gateway", "00:30:e6:20:41:34", "10.20.0.34"),
    Host("pump1", "00:03:b1:70:11:41", None, "PUMP-70011", "udhcpc", "udhcp 1.19.4"),
    Host("pump2", "00:03:b1:70:11:42", None, "PUMP-70012", "udhcpc", "udhcp 1.19.4"),
    Host("pump3", "00:03:b1:70:11:43", None, "PUMP-70013", "udhcpc", "udhcp 1.19.4"),
    Host("lab", "00:0b:ab:61:02:51", "10.20.0.51"),
    Host("ws1", "3c:52:82:6a:10:61", None, "RAD-WS-01", "dhclient", "MSFT 5.0"),
    Host("ws2", "3c:52:82:6a:10:62", None, "WARD-PC-07", "dhclient", "MSFT 5.0"),
    Host("printer", "00:17:c8:4b:90:71", None, "KM-WARD3", "udhcpc", "udhcp 1.15.2"),
    Host("camera", "00:40:8c:d1:20:72", None, "axis-00408cd12072", "udhcpc", "udhcp 1.22.1"),
    Host("phone", "00:04:f2:88:31:73", None, "Polycom_0004f2883173", "dhclient", "Polycom-VVX411"),
]


def run(*command: str) -> None:
    """Run a command; what it prints is shown when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")


class Ward:
    """The namespaces, and every process started in them."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.processes: list[subprocess.Popen[bytes]] = []

    def build(self) -> None:
        """Make the bridge and one namespace with a veth pair for each host."""
        net = PREFIX + "net"
        run("ip", "netns", "add", net)
        # Bridge and ports are no hosts of the ward: without IPv6 addresses of their own they say nothing.
        run("ip", "netns", "exec", net, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        run("ip", "-n", net, "link", "add", "ward", "type", "bridge")
        # A bridge keeps LLDP to itself unless told to forward that group address (bit 14).
        run("ip", "-n", net, "link", "set", "ward", "type", "bridge", "group_fwd_mask", "0x4000")
        run("ip", "-n", net, "link", "set", "ward", "up")
        for number, host in enumerate(HOSTS):
            port = f"p{number}"
            run("ip", "netns", "add", host.namespace)
            run(
                "ip",
                "-n",
                net,
                "link",
                "add",
                port,
                "type",
                "veth",
                "peer",
                "name",
                "eth0",
                "netns",
                host.namespace,
            )
            run("ip", "-n", net, "link", "set", port, "master", "ward", "up")
            run("ip", "-n", host.namespace, "link", "set", "eth0", "address", host.mac)
            run("ip", "-n", host.namespace, "link", "set", "lo", "up")
            run("ip", "-n", host.namespace, "link", "set", "eth0", "up")
            if host.address:
                run("ip", "-n", host.namespace, "addr", "add", f"{host.address}/24", "dev", "eth0")
                if host.name != "core":
                    run("ip", "-n", host.namespace, "route", "add", "default", "via", "10.20.0.1")

    def start(self, host: str, *command: str) -> subprocess.Popen[bytes]:
        """Start a command in the namespace of ``host``; its output goes to a log in the work folder."""
        with (self.work / f"{host}.log").open("ab") as log:
            process = subprocess.Popen(
                ["ip", "netns", "exec", PREFIX + host, *command],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.work,
                env=os.environ | {"PYTHONPATH": str(ROOT / "demo")},
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def actor(self, host: str, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start one of the actors of this folder on ``host``."""
        return self.start(host, sys.executable, "-m", f"actors.{module}", *arguments)

    def tear_down(self) -> None:
        """End every process by pid and remove the namespaces."""
        for process in self.processes:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(5)
        for name in [PREFIX + "net", *(h.namespace for h in HOSTS)]:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@contextlib.contextmanager
def ward() -> Iterator[Ward]:
    """Yield a built ward in a work folder of its own and remove both afterwards."""
    work = Path(tempfile.mkdtemp(prefix="medwarden-ward-"))
    built = Ward(work)
    try:
        built.build()
        yield built
    finally:
        built.tear_down()
        shutil.rmtree(work, ignore_errors=True)


def ask_dhcp(built: Ward, host: Host, script: Path) -> None:
    """Start the DHCP client of ``host``."""
    assert host.dhcp_name
    if host.dhcp_client == "udhcpc":
        vendor = ["-V", host.vendor_class] if host.vendor_class else []
        built.start(
            host.name, "udhcpc", "-f", "-n", "-q", "-i", "eth0", "-x", f"hostname:{host.dhcp_name}",
            "-s", str(script), *vendor,
        )  # fmt: skip
        return
    config = built.work / f"dhclient-{host.name}.conf"
    config.write_text(
        f'send host-name "{host.dhcp_name}";\nsend vendor-class-identifier "{host.vendor_class}";\n'
        "request subnet-mask, broadcast-address, routers, domain-name, domain-name-servers, "
        "ntp-servers, netbios-name-servers;\n"
    )
    built.start(
        host.name, "dhclient", "-d", "-1", "-cf", str(config), "-sf", str(script),
        "-lf", str(built.work / f"{host.name}.leases"), "-pf", str(built.work / f"{host.name}.pid"), "eth0",
    )  # fmt: skip


def wait_for_leases(built: Ward, seconds: int = 60) -> None:
    """Wait until every host that asks DHCP has its address."""
    waiting = [h for h in HOSTS if h.dhcp_name]
    for _ in range(seconds):
        waiting = [h for h in waiting if "inet " not in addresses(h)]
        if not waiting:
            return
        time.sleep(1)
    raise SystemExit(f"no lease after {seconds} s: {', '.join(h.name for h in waiting)} (see {built.work})")


def addresses(host: Host) -> str:
    """Return the IPv4 addresses of a host as ``ip`` prints them."""
    listed = subprocess.run(
        ["ip", "-n", host.namespace, "-4", "addr", "show", "dev", "eth0"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return listed.stdout


def record(built: Ward, target: Path) -> subprocess.Popen[bytes]:
    """Start the recorder on the bridge."""
    recorder = built.start("net", sys.executable, "-m", "actors.recorder", "ward", str(target))
    time.sleep(1)
    return recorder


def play(built: Ward, target: Path) -> None:
    """Let the ward live for about a minute and a half."""
    recorder = record(built, target)
    script = ROOT / "demo" / "lease.sh"
    built.actor("core", "core", str(built.work))
    time.sleep(2)
    for host in HOSTS:
        if host.dhcp_name:
            ask_dhcp(built, host, script)
    wait_for_leases(built)
    built.actor("switch", "switch", str(built.work))
    built.actor("pacs", "archive")
    built.actor("ris", "worklist", str(built.work))
    built.actor("engine", "hl7_engine")
    built.actor("pumpserver", "pump_server", str(built.work))
    built.actor("printer", "web_device", "printer")
    built.actor("camera", "web_device", "camera")
    built.actor("vent", "sdc_provider", "10.20.0.33")
    time.sleep(4)
    for number in (1, 2, 3):
        built.actor(f"pump{number}", "pump", f"7001{number}")
    for modality in ("ct", "mr", "ultrasound", "xray"):
        built.actor(modality, "modality", modality)
    built.actor("his", "his")
    built.actor("lab", "analyser")
    built.actor("monitor1", "monitor", "1")
    built.actor("monitor2", "monitor", "2")
    built.actor("gateway", "sdc_consumer", "10.20.0.34")
    built.actor("ws1", "reading_room")
    built.actor("ws2", "office")
    built.actor("phone", "phone")
    time.sleep(75)
    os.killpg(recorder.pid, signal.SIGTERM)
    recorder.wait(10)


def main() -> int:
    """Make the capture anew."""
    if os.geteuid():
        sys.stderr.write("network namespaces need root: sudo ./dev demo\n")
        return 1
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    with ward() as built:
        temporary = built.work / "ward.pcap"
        play(built, temporary)
        for log in sorted(built.work.glob("*.log")):
            if "--logs" in sys.argv:
                sys.stdout.write(f"== {log.name}\n{log.read_text(errors='replace')[-1500:]}\n")
        TARGET.write_bytes(gzip.compress(temporary.read_bytes(), 9, mtime=0))
    sys.stdout.write(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
