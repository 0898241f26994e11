"""The interface engine: acknowledges HL7 v2 messages (accept and application acknowledgement)."""

from __future__ import annotations

import socketserver

from actors.mllp import END, START, stamp


class Engine(socketserver.StreamRequestHandler):
    """One sender's connection."""

    def handle(self) -> None:
        """Answer every message with ACK code AA."""
        pending = b""
        while piece := self.request.recv(4096):
            pending += piece
            while END in pending:
                message, _, pending = pending.partition(END)
                head = message.lstrip(START).decode(errors="replace").split("\r")[0].split("|")
                control = head[9] if len(head) > 9 else ""
                answer = f"MSH|^~\\&|INTEGRA|EGH|{head[2]}|{head[3]}|{stamp()}||ACK|{control}A|P|2.5.1\rMSA|AA|{control}\r"
                self.request.sendall(START + answer.encode() + END)


class Server(socketserver.ThreadingTCPServer):
    """Listens on the port IANA gives to HL7."""

    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    Server(("0.0.0.0", 2575), Engine).serve_forever()
