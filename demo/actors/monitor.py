"""A bedside monitor: announces itself as the IntelliVue interface guide describes and reports vitals."""

from __future__ import annotations

import socket
import struct
import sys
import time


def text(value: str) -> bytes:
    """Return a variable label: length and ASCII octets, padded to an even length."""
    octets = value.encode() + bytes(len(value) % 2)
    return struct.pack(">H", len(octets)) + octets


def connect_indication(bed: int) -> bytes:
    """Return a connect indication: nomenclature, remote operation, event report, attributes."""
    label = f"ICU BED {bed}".encode("utf-16-be")
    values = [
        (0x0928, text("Philips") + text("M8004A")),  # system model
        (0xF135, struct.pack(">H", len(label)) + label),  # bed label
    ]
    listed = b"".join(struct.pack(">HH", number, len(value)) + value for number, value in values)
    attributes = struct.pack(">HH", len(values), len(listed)) + listed
    report = struct.pack(">HHHIHH", 33, 0, 0, int(time.time()) & 0xFFFFFFFF, 0x0D17, len(attributes))
    invoked = struct.pack(">HHH", 1, 0, len(report) + len(attributes)) + report + attributes
    return struct.pack(">HBB", 0, 1, 0) + struct.pack(">HH", 1, len(invoked)) + invoked


if __name__ == "__main__":
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sock.bind(("0.0.0.0", 24105))
    for _ in range(6):
        sock.sendto(connect_indication(int(sys.argv[1])), ("10.20.0.255", 24005))
        time.sleep(10)
