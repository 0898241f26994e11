"""Things with a web page: a printer, and a camera behind basic authentication."""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KINDS = {
    "printer": ("KM-MFP-http/V0.0.1", "ECOSYS M3655idn", None),
    "camera": ("Apache", "AXIS P3245-LVE Network Camera", 'Basic realm="AXIS_ACCC8E000000"'),
}
KIND = KINDS[sys.argv[1]]


class Page(BaseHTTPRequestHandler):
    """Its only page."""

    protocol_version = "HTTP/1.1"
    server_version = KIND[0]
    sys_version = ""

    def do_GET(self) -> None:
        """Show the page, or ask who is there."""
        if KIND[2] and "Authorization" not in self.headers:
            self.send_response(401)
            self.send_header("WWW-Authenticate", KIND[2])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        page = f"<html><head><title>{KIND[1]}</title></head><body>{KIND[1]}</body></html>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", 80), Page).serve_forever()
