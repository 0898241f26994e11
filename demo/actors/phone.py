"""An IP phone: registers by SIP (RFC 3261) with a call server that does not answer tonight."""

from __future__ import annotations

import socket
import time

REGISTER = (
    "REGISTER sip:10.20.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {me}:5060;branch=z9hG4bK{turn}\r\n"
    "From: <sip:4711@10.20.0.1>;tag={turn}\r\nTo: <sip:4711@10.20.0.1>\r\nCall-ID: {turn}@{me}\r\n"
    "CSeq: {turn} REGISTER\r\nContact: <sip:4711@{me}>\r\nUser-Agent: PolycomVVX-VVX_411-UA/5.9.7.3480\r\n"
    "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)

if __name__ == "__main__":
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("0.0.0.0", 5060))
    sock.connect(("10.20.0.1", 5060))
    me = sock.getsockname()[0]
    for turn in range(1, 7):
        try:
            sock.send(REGISTER.format(me=me, turn=turn).encode())
        except ConnectionRefusedError:
            continue
        finally:
            time.sleep(9)
