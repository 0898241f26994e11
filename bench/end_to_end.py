"""Measure from the first packet of a new device to its row, and to its category, with the real processes.

``medwarden sensor`` listens at one end of a veth pair, ``medwarden worker`` judges; devices that nobody has
seen say a DHCP request and an ARP announcement at the other end, one every two seconds. What is asked is what
the device page asks. Needs root.

    python bench/end_to_end.py [--devices 20]
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

CLONE_NEWNET = 0x40000000
PATIENCE_S = 90.0
STEP_S = 0.1
BROADCAST = b"\xff" * 6


def mac_of(number: int) -> bytes:
    return bytes.fromhex("001b78") + struct.pack("!I", number)[1:]


def frames(number: int) -> tuple[bytes, bytes]:
    """Return the DHCP request of a printer and the announcement of its address (RFC 5227)."""
    mac, address = mac_of(number), bytes((10, 9, number >> 8, number & 255))
    options = b"\x63\x82\x53\x63\x35\x01\x03\x0c\x09" + b"printer%02d" % (number % 100)
    options += b"\x3c\x12Hewlett-Packard JD" + b"\x37\x05\x01\x03\x06\x0f\x77\xff"
    bootp = struct.pack("!BBBBIHH", 1, 1, 6, 0, number, 0, 0) + bytes(16) + mac + bytes(202) + options
    datagram = struct.pack("!HHHH", 68, 67, 8 + len(bootp), 0) + bootp
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(datagram), 0, 0, 64, 17, 0) + bytes(4) + b"\xff" * 4
    arp = struct.pack("!HHBBH", 1, 0x800, 6, 4, 1) + mac + address + bytes(6) + address
    return BROADCAST + mac + b"\x08\0" + header + datagram, BROADCAST + mac + b"\x08\x06" + arp


def start(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "medwarden", *arguments], stdout=subprocess.DEVNULL)


def wait_for_sensor(out: socket.socket, home: Path) -> None:
    """Send a device's frames until it is stored: the sensor listens and everything is loaded."""
    from medwarden.store.open import open_store

    deadline = time.monotonic() + PATIENCE_S
    while not (home / "lake").is_dir():
        if time.monotonic() > deadline:
            sys.exit("the sensor did not start")
        time.sleep(0.5)
    time.sleep(3)
    open_store(home, writer=False)
    while True:
        for frame in frames(0):
            out.send(frame)
        time.sleep(1)
        if row(0) is not None:
            return
        if time.monotonic() > deadline:
            sys.exit("the sensor stored nothing")


def row(number: int) -> object | None:
    """Return the device's row as its list shows it, or None."""
    from medwarden.store import queries

    text = mac_of(number).hex(":")
    found = queries.devices(queries.Scope(), queries.DeviceFilter(text=text), limit=1).items
    return found[0] if found else None


def measure(out: socket.socket, devices: int) -> dict[str, list[float]]:
    sent: dict[int, float] = {}
    seen: dict[int, float] = {}
    named: dict[int, float] = {}
    begin = time.monotonic()
    while len(named) < devices and time.monotonic() < begin + 2 * devices + PATIENCE_S:
        now = time.monotonic()
        if len(sent) < devices and now - begin >= 2 * len(sent):
            number = len(sent) + 1
            for frame in frames(number):
                out.send(frame)
            sent[number] = time.monotonic()
        for number in sent.keys() - named.keys():
            device = row(number)
            if device is None:
                continue
            seen.setdefault(number, time.monotonic() - sent[number])
            if getattr(device, "category", None):
                named[number] = time.monotonic() - sent[number]
        time.sleep(STEP_S)
    return {"row": sorted(seen.values()), "category": sorted(named.values()), "sent": [float(len(sent))]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--devices", type=int, default=20)
    options = parser.parse_args()
    if os.geteuid() != 0 or ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        print(json.dumps({"missing": "a network namespace: run as root"}))
        return
    for command in (
        "sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1",
        "ip link add left type veth peer name right",
        "ip link set left up",
        "ip link set right up",
    ):
        subprocess.run(command.split(), check=True)
    with tempfile.TemporaryDirectory(prefix="medwarden-bench-") as folder:
        home = Path(folder) / "home"
        os.environ["PYTHONPATH"] = str(ROOT / "src")
        running = [start("sensor", "--home", str(home), "--interface", "right")]
        try:
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as out:
                out.bind(("left", 0))
                wait_for_sensor(out, home)
                running.append(start("worker", "--home", str(home)))
                time.sleep(8)
                result = measure(out, options.devices)
        finally:
            for process in running:
                process.send_signal(signal.SIGTERM)
            for process in running:
                process.wait(timeout=60)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
