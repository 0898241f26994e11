"""A ward PC: names looked up, web pages, the switch polled, the time asked, and one telnet too many."""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import struct
import subprocess
import time

AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0"


def look_up(name: str) -> None:
    """Ask the ward's DNS for an address record (RFC 1035)."""
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1)
        sock.sendto(struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + question, ("10.20.0.1", 53))
        with contextlib.suppress(TimeoutError):
            sock.recv(512)


def browse(host: str, **headers: str) -> None:
    """Fetch the front page of a host."""
    connection = http.client.HTTPConnection(host, 80, timeout=3)
    with contextlib.suppress(OSError):
        connection.request("GET", "/", headers={"User-Agent": AGENT, **headers})
        connection.getresponse().read()
    connection.close()


def ask_time() -> None:
    """Ask for the time as an SNTP client."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1)
        sock.sendto(b"\x23" + bytes(47), ("10.20.0.1", 123))
        with contextlib.suppress(TimeoutError):
            sock.recv(128)


def neighbours() -> list[str]:
    """Return the addresses of the DHCP range that answer a ping."""
    found = []
    for last in range(100, 200):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.settimeout(0.05)
        with contextlib.suppress(OSError):
            if sock.connect_ex((f"10.20.0.{last}", 80)) == 0:
                found.append(f"10.20.0.{last}")
        sock.close()
    return found


if __name__ == "__main__":
    web = neighbours()
    for turn in range(5):
        for name in ("pacs", "his", "pumpserver"):
            look_up(f"{name}.ward.example")
        ask_time()
        for address in web:
            browse(address)
            if turn == 1:
                token = base64.b64encode(b"root:pass").decode()
                browse(address, Authorization=f"Basic {token}")
        for what in ("sysDescr.0", "sysName.0", "sysObjectID.0", "sysLocation.0"):
            subprocess.run(
                ["snmpget", "-v2c", "-c", "public", "-t", "1", "-r", "0", "10.20.0.2", f"SNMPv2-MIB::{what}"],
                check=False,
                capture_output=True,
            )
            oid = {"sysDescr.0": "1", "sysObjectID.0": "2", "sysName.0": "5", "sysLocation.0": "6"}[what]
            subprocess.run(
                [
                    "snmpget",
                    "-v2c",
                    "-c",
                    "public",
                    "-t",
                    "1",
                    "-r",
                    "0",
                    "10.20.0.2",
                    f"1.3.6.1.2.1.1.{oid}.0",
                ],
                check=False,
                capture_output=True,
            )
        time.sleep(8)
