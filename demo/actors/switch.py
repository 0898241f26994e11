"""A managed switch: net-snmp answers for it with the read community everybody forgot to change, and
it announces itself by LLDP.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

DESCRIPTION = "Cisco IOS Software, C2960X Software (C2960X-UNIVERSALK9-M), Version 15.2(7)E4"


def tlv(kind: int, value: bytes) -> bytes:
    """Return one LLDP TLV (IEEE 802.1AB 8.4)."""
    return struct.pack(">H", kind << 9 | len(value)) + value


def announce() -> None:
    """Send an LLDP frame every ten seconds."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind(("eth0", 0))
    mac = bytes.fromhex("001ebd5c1102")
    frame = bytes.fromhex("0180c200000e") + mac + b"\x88\xcc"
    frame += tlv(1, b"\x04" + mac) + tlv(2, b"\x05Gi1/0/24") + tlv(3, struct.pack(">H", 120))
    frame += tlv(4, b"uplink") + tlv(5, b"ward3-sw1") + tlv(6, DESCRIPTION.encode())
    frame += (
        tlv(7, struct.pack(">HH", 0x14, 0x04))
        + tlv(8, b"\x05\x01\x0a\x14\x00\x02\x02\x00\x00\x00\x01\x00")
        + tlv(0, b"")
    )
    while True:
        sock.send(frame)
        time.sleep(10)


def main(work: str) -> None:
    """Run snmpd and announce."""
    config = Path(work) / "snmpd.conf"
    config.write_text(
        f"agentaddress udp:10.20.0.2:161\nrocommunity public\nsysdescr {DESCRIPTION}\n"
        "sysname ward3-sw1\nsyslocation Building A, floor 3, closet 2\nsysobjectid .1.3.6.1.4.1.9.1.1208\n"
    )
    subprocess.Popen(["snmpd", "-f", "-Lo", "-C", "-c", str(config), "-p", str(Path(work) / "snmpd.pid")])
    announce()


if __name__ == "__main__":
    main(sys.argv[1])
