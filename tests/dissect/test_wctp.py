"""WCTP over HTTP: operations and roles, no text."""

from __future__ import annotations

from collections.abc import Callable

from medwarden.dissect.observer import Observer
from medwarden.dissect.wctp import Wctp
from medwarden.model.segment import Segment, Transport

Converse = Callable[..., set[tuple[str, str, str]]]
CLIENT, SERVER = "client", "server"
DOCUMENT = b"""<?xml version="1.0"?><!DOCTYPE wctp-Operation SYSTEM "http://dtd.wctp.org/wctp-dtd-v1r3.dtd">
<wctp-Operation wctpVersion="wctp-dtd-v1r3"><wctp-SubmitRequest><wctp-SubmitHeader><wctp-Originator
senderID="nurse.rita@example.org"/><wctp-Recipient recipientID="5551212"/></wctp-SubmitHeader><wctp-Payload>
<wctp-Alphanumeric>Doe in room 7</wctp-Alphanumeric></wctp-Payload></wctp-SubmitRequest></wctp-Operation>"""
CONFIRMATION = b"""<?xml version="1.0"?><wctp-Operation wctpVersion="wctp-dtd-v1r3"><wctp-Confirmation>
<wctp-Success successCode="200"/></wctp-Confirmation></wctp-Operation>"""


def post(document: bytes, path: bytes = b"/WCTP/servlet") -> bytes:
    head = (
        b"POST " + path + b" HTTP/1.1\r\nHost: page.example.org\r\nContent-Type: text/xml\r\nContent-Length: "
    )
    return head + str(len(document)).encode() + b"\r\n\r\n" + document


def answer(document: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nServer: Gateway/2\r\nContent-Type: text/xml\r\nContent-Length: "
    return head + str(len(document)).encode() + b"\r\n\r\n" + document


def test_page_and_confirmation(converse: Converse) -> None:
    facts = converse(Wctp, (CLIENT, post(DOCUMENT)), (SERVER, answer(CONFIRMATION)))
    assert {fact for fact in facts if fact[0].startswith("wctp.")} == {
        ("wctp.role", "client", CLIENT),
        ("wctp.role", "gateway", SERVER),
        ("wctp.version", "wctp-dtd-v1r3", CLIENT),
        ("wctp.version", "wctp-dtd-v1r3", SERVER),
        ("wctp.operation", "message", CLIENT),
    }
    assert ("http.server", "Gateway/2", SERVER) in facts
    assert not [fact for fact in facts if "Doe" in fact[1] or "rita" in fact[1] or "555" in fact[1]]


def test_other_posts_stay_http() -> None:
    observer = Observer(b"k" * 32)
    for flow, payload in enumerate(
        (post(DOCUMENT), post(b"<order/>"), post(b"<x/>", b"/soap"), b"GET /wctp HTTP/1.1\r\nHost: x\r\n\r\n")
    ):
        ends = (None, None, "192.0.2.1", "192.0.2.2", 50000 + flow, 8080)
        observer.observe(Segment(1, flow, Transport.TCP, *ends, None, True, payload))
    assert observer.applications() == {0: "wctp", 1: "http", 2: "http", 3: "http"}
