"""An infusion pump: heartbeats to its server over TLS, and a service page nobody asked for."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer


class Service(BaseHTTPRequestHandler):
    """The pump's web page."""

    server_version = "Alaris-PCU/9.33"
    sys_version = ""

    def do_GET(self) -> None:
        """Show who it is."""
        page = b"<html><head><title>Alaris PC Unit 8015</title></head><body>Service</body></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


def main(serial: str) -> None:
    """Beat for a minute."""
    threading.Thread(target=HTTPServer(("0.0.0.0", 80), Service).serve_forever, daemon=True).start()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for _ in range(4):
        with (
            socket.create_connection(("10.20.0.14", 3613), 5) as plain,
            context.wrap_socket(plain, server_hostname="pumpserver.ward.example") as secure,
        ):
            for beat in range(4):
                secure.sendall(f"PCU {serial} beat {beat} infusing".encode())
                secure.recv(256)
                time.sleep(3)


if __name__ == "__main__":
    main(sys.argv[1])
