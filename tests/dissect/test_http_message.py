from __future__ import annotations

import zlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.http import HttpBody, HttpHead, HttpStream, http_pair
from medwarden.kernel.errors import MalformedInput


def events(stream: HttpStream, data: bytes, sizes: Sequence[int] = (1 << 20,)) -> list[HttpHead | HttpBody]:
    told: list[HttpHead | HttpBody] = []
    at = 0
    index = 0
    while at < len(data):
        size = sizes[index % len(sizes)]
        told += list(stream.feed(data[at : at + size]))
        at += size
        index += 1
    return told


@given(
    bodies=st.lists(st.binary(max_size=200), min_size=1, max_size=4),
    chunked=st.lists(st.booleans(), min_size=4, max_size=4),
    sizes=st.lists(st.integers(1, 50), min_size=1, max_size=5),
    keep=st.integers(1, 120),
)
def test_bodies_come_out_as_they_went_in_however_cut(
    bodies: list[bytes], chunked: list[bool], sizes: list[int], keep: int
) -> None:
    wire = b""
    for body, in_chunks in zip(bodies, chunked, strict=False):
        if in_chunks:
            wire += b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
            for at in range(0, len(body), 7):
                piece = body[at : at + 7]
                wire += b"%X\r\n%s\r\n" % (len(piece), piece)
            wire += b"0\r\n\r\n"
        else:
            wire += b"POST /a HTTP/1.1\nContent-Length: %d\n\n%s" % (len(body), body)
    told = events(http_pair(keep=lambda head: keep)[0], wire, sizes)
    assert len([event for event in told if isinstance(event, HttpHead)]) == len(bodies)
    kept = [event for event in told if isinstance(event, HttpBody)]
    assert [body.data for body in kept] == [body[:keep] for body in bodies]
    for event, body in zip(kept, bodies, strict=True):
        assert event.complete or len(body) >= keep
        assert not event.complete or len(body) <= keep


def test_a_response_knows_the_request_it_answers() -> None:
    client, server = http_pair(keep=lambda head: 10)
    events(client, b"HEAD /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n")
    told = events(
        server,
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
    )
    heads = [(event.status, event.target) for event in told if isinstance(event, HttpHead)]
    assert heads == [(100, "/a"), (200, "/a"), (200, "/b")]
    assert [event.data for event in told if isinstance(event, HttpBody)] == [b"x"]


def test_folded_and_repeated_fields_are_joined() -> None:
    head, body = events(
        http_pair(keep=lambda head: 1)[0], b"\r\nGET / HTTP/1.1\r\nA: 1\r\n  two\r\na: 3\r\n\r\n"
    )
    assert isinstance(head, HttpHead) and isinstance(body, HttpBody)
    assert head.headers == {"a": "1 two, 3"}
    assert body.complete


def test_a_skipped_body_costs_no_memory() -> None:
    client, server = http_pair(keep=lambda head: 0)
    events(client, b"GET /image HTTP/1.1\r\n\r\n")
    events(server, b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 5000)
    assert len(server.inbox.data) == 0
    assert server.partial() is None


def test_an_inflated_body_is_bounded() -> None:
    head = HttpHead(False, "HTTP/1.1", {"content-encoding": "deflate"}, "GET", "/")
    bomb = HttpBody(head, zlib.compress(b"\0" * 50_000_000), complete=True)
    assert len(bomb.content()) == 262144
    assert HttpBody(head, b"no deflate at all", complete=True).content() == b""


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_give_events_or_malformed_input(data: bytes, of_client: bool) -> None:
    stream = http_pair(keep=lambda head: 100)[0 if of_client else 1]
    try:
        events(stream, data, (13,))
    except MalformedInput as error:
        assert error.source == "http"


def test_an_endless_head_is_refused() -> None:
    client, _ = http_pair(keep=lambda head: 100)
    list(client.feed(b"GET / HTTP/1.1\r\n"))
    with pytest.raises(MalformedInput, match="does not end"):
        for _ in range(100):
            list(client.feed(b"X-A: " + b"a" * 1000 + b"\r\n"))
