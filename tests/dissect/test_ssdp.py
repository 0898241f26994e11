from __future__ import annotations

import pytest

from medwarden.dissect.ssdp import Ssdp
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport


def _facts(payload: bytes) -> dict[str, str]:
    segment = Segment(
        5, 1, Transport.UDP, "02:00:00:00:00:10", None, "192.0.2.10", "239.255.255.250", 50000, 1900, None,
        True, payload,
    )  # fmt: skip
    return {fact.field: fact.value for fact in Ssdp().feed(segment)}


def test_headers_are_read_in_any_case_and_with_bare_line_feeds() -> None:
    assert _facts(b"NOTIFY * HTTP/1.1\nnt : upnp:rootdevice\nServer:\tX/1 \n\nNT: body\n") == {
        "ssdp.nt": "upnp:rootdevice",
        "ssdp.server": "X/1",
    }


def test_a_line_without_colon_is_passed_over() -> None:
    assert _facts(b"NOTIFY * HTTP/1.1\r\ngarbage\r\nNT: a\r\n\r\n") == {"ssdp.nt": "a"}


def test_headers_beyond_the_bound_are_not_read() -> None:
    assert "ssdp.nt" not in _facts(b"NOTIFY * HTTP/1.1\r\n" + b"X: y\r\n" * 100 + b"NT: late\r\n\r\n")


@pytest.mark.parametrize(
    "payload", [b"", b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 404 Not Found\r\nST: a\r\n\r\n"]
)
def test_other_start_lines_are_malformed(payload: bytes) -> None:
    with pytest.raises(MalformedInput):
        _facts(payload)


def test_http_responses_are_no_ssdp() -> None:
    assert not Ssdp.recognises(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", False)
    assert Ssdp.recognises(b"HTTP/1.1 200 OK\r\nUSN: uuid:1\r\n\r\n", False)
