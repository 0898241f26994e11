"""HEAD / over HTTP: server software and, only where asked for, the title of the page.

RFC 9110 section 9.3.2 (HEAD), RFC 9112. One request, no redirect is followed, no credentials are sent.
"""

from __future__ import annotations

from typing import ClassVar

from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Transport
from medwarden.sensors.active.exchange import Ended, Exchange, Outcome
from medwarden.sensors.active.prober import ProbeManifest, ProbeSetting


class HttpHead:
    """Ask a web server for the head of its first page."""

    manifest: ClassVar = ProbeManifest(
        name="http_head",
        title="HTTP HEAD",
        transport=Transport.TCP,
        port=80,
        dissector="http",
        reference="RFC 9110, RFC 9112",
        asks="HEAD / (GET / where titles are allowed)",
    )

    def missing(self, setting: ProbeSetting) -> str:
        """Need nothing."""
        del setting
        return ""

    def converse(self, line: Exchange, setting: ProbeSetting) -> None:
        """Send one request and hear the head, or with titles allowed the beginning of the page."""
        host = line.host
        method = "GET" if setting.titles_allowed else "HEAD"
        line.say(
            f"{method} / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: medwarden\r\nAccept: text/html\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        line.hear(_head_is_whole)
        if setting.titles_allowed:
            try:
                line.hear(lambda heard: b"</title>" in heard.lower())
            except Ended as ended:
                if ended.outcome is Outcome.EXCESSIVE:
                    raise


def _head_is_whole(heard: bytes) -> bool:
    if not heard.startswith(b"HTTP/1."[: len(heard)]):
        raise MalformedInput("http_head", "the answer does not begin with HTTP/1", 0)
    return b"\r\n\r\n" in heard or b"\n\n" in heard


PROBER = HttpHead
