"""A bedside monitor: announces itself as the IntelliVue interface guide describes and reports vitals."""

from __future__ import annotations

import socket
import struct
import sys
import time


def connect_indication(bed: int) -> bytes:
    """Return a connect indication event (Philips Data Export Interface, Connect Indication Event)."""
    nomenclature = struct.pack(">I", 0x00010000)
    label = f"ICU BED {bed}".encode("utf-16-be")
    attributes = struct.pack(">HHHH", 0xF1E5, 4, 1, 24105) + struct.pack(">HH", 0x091E, len(label)) + label
    listed = struct.pack(">HH", 2, len(attributes)) + attributes
    event = struct.pack(">HHHIHH", 1, 0, 0, int(time.time()) & 0xFFFFFFFF, 0x0D0C, len(listed)) + listed
    return nomenclature + struct.pack(">HHHHH", 1, len(event) + 6, 1, 1, len(event)) + event


if __name__ == "__main__":
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sock.bind(("0.0.0.0", 24105))
    for _ in range(6):
        sock.sendto(connect_indication(int(sys.argv[1])), ("10.20.0.255", 24005))
        time.sleep(10)
