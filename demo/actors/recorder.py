"""Record every frame of an interface into a pcap file (nanoseconds) until told to end."""

from __future__ import annotations

import signal
import socket
import struct
import sys
import time

ETH_P_ALL = 3
SNAPLEN = 262_144


def main(interface: str, target: str) -> None:
    """Write frames until SIGTERM."""
    ending = False

    def end(_number: int, _frame: object) -> None:
        nonlocal ending
        ending = True

    signal.signal(signal.SIGTERM, end)
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
    sock.bind((interface, 0))
    sock.setsockopt(263, 1, struct.pack("iHH8s", socket.if_nametoindex(interface), 1, 0, b""))  # promiscuous
    sock.settimeout(0.5)
    with open(target, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, SNAPLEN, 1))
        while not ending:
            try:
                frame = sock.recv(65_536)
            except TimeoutError:
                continue
            now = time.time_ns()
            out.write(struct.pack("<IIII", now // 10**9, now % 10**9, len(frame), len(frame)) + frame)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
