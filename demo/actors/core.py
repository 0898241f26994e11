"""The ward's router: DHCP and DNS by dnsmasq, time by a small SNTP responder."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

NAMES = {
    "pacs": "10.20.0.10", "ris": "10.20.0.11", "hl7": "10.20.0.12", "his": "10.20.0.13",
    "pumpserver": "10.20.0.14", "lis": "10.20.0.12", "time": "10.20.0.1",
}  # fmt: skip


def sntp() -> None:
    """Answer SNTP requests (RFC 4330) at stratum 2."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("10.20.0.1", 123))
    while True:
        request, peer = sock.recvfrom(512)
        now = time.time() + 2_208_988_800
        stamp = struct.pack(">II", int(now), int(now % 1 * 2**32))
        version = (request[0] >> 3) & 7
        head = bytes([version << 3 | 4, 2, 6, 0xEC]) + bytes(8) + bytes([10, 20, 0, 1])
        sock.sendto(head + stamp + request[40:48] + stamp + stamp, peer)


def main(work: str) -> None:
    """Run dnsmasq in the foreground of this namespace."""
    threading.Thread(target=sntp, daemon=True).start()
    addresses = [f"--address=/{name}.ward.example/{address}" for name, address in NAMES.items()]
    subprocess.run(
        [
            "dnsmasq",
            "--no-daemon",
            "--no-hosts",
            "--no-resolv",
            "--interface=eth0",
            "--bind-interfaces",
            "--dhcp-range=10.20.0.100,10.20.0.199,255.255.255.0,1h",
            "--dhcp-option=option:ntp-server,10.20.0.1",
            "--domain=ward.example",
            "--dhcp-authoritative",
            "--no-ping",
            f"--dhcp-leasefile={Path(work) / 'leases'}",
            "--user=root",
            *addresses,
        ],
        check=False,
    )


if __name__ == "__main__":
    main(sys.argv[1])
