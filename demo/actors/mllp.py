"""HL7 v2 messages over MLLP: what the senders and the engine share."""

from __future__ import annotations

import datetime
import socket

START, END = b"\x0b", b"\x1c\r"


def stamp() -> str:
    """Return the present time as HL7 writes it."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y%m%d%H%M%S")


def send(host: str, port: int, messages: list[list[str]]) -> None:
    """Send messages (lists of segments) over one connection, waiting for each acknowledgement."""
    with socket.create_connection((host, port), 5) as connection:
        for segments in messages:
            connection.sendall(START + "\r".join(segments).encode() + b"\r" + END)
            answer = b""
            while not answer.endswith(END):
                piece = connection.recv(4096)
                if not piece:
                    return
                answer += piece
