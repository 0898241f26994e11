"""ESPA-X: logins name products, calls stay untold."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.espax import EspaX
from medwarden.dissect.observer import Observer
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Converse = Callable[..., set[tuple[str, str, str]]]
CLIENT, SERVER = "client", "server"


def message(body: str) -> bytes:
    text = f'<?xml version="1.0" encoding="UTF-8"?><ESPA-X version="1.00">{body}</ESPA-X>'.encode()
    return b"EX" + struct.pack(">I", 10 + len(text)) + b"\0\0\x02\x2a" + text


LOGIN = message(
    "<REQ.LOGIN><LI-CLIENT>Exemplar Call</LI-CLIENT><LI-CLIENTSW>3.2</LI-CLIENTSW><LI-USER>nc1</LI-USER>"
    "<LI-PASSWORD>secret</LI-PASSWORD></REQ.LOGIN>"
)
GRANTED = message("<RSP.LOGIN><RSP-CODE>200</RSP-CODE><LI-SERVER>Voice alarm server</LI-SERVER></RSP.LOGIN>")
CALL = message("<REQ.P-START><CP-TEXTMSG>Doe, bed 3</CP-TEXTMSG><CP-WARD>3B</CP-WARD></REQ.P-START>")


def test_login_and_call(converse: Converse) -> None:
    assert converse(EspaX, (CLIENT, LOGIN), (SERVER, GRANTED), (CLIENT, CALL)) == {
        ("espax.role", "client", CLIENT),
        ("espax.client", "Exemplar Call", CLIENT),
        ("espax.client_version", "3.2", CLIENT),
        ("espax.password", "in clear", CLIENT),
        ("espax.message", "REQ.LOGIN", CLIENT),
        ("espax.message", "REQ.P-START", CLIENT),
        ("espax.role", "server", SERVER),
        ("espax.server", "Voice alarm server", SERVER),
        ("espax.message", "RSP.LOGIN", SERVER),
    }


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"XX" + bytes(20), "no head"),
        (b"EX\x7f\0\0\0" + bytes(20), "no head"),
        (message("<a>"), "XML"),
        (b"EX\0\0\0\x1a\0\0\0\0<!DOCTYPE a><a/>", "document type"),
    ],
)
def test_broken_messages_are_refused(converse: Converse, data: bytes, reason: str) -> None:
    with pytest.raises(MalformedInput, match=reason):
        converse(EspaX, (CLIENT, data))


def test_observer_finds_it_on_any_port() -> None:
    assert not EspaX.recognises(b"EX\0\0\0\x20" + bytes(30), True)
    observer = Observer(b"k" * 32)
    ends = (None, None, "192.0.2.1", "192.0.2.2", 50000, 50001)
    observer.observe(Segment(1, 1, Transport.TCP, *ends, None, True, LOGIN))
    assert observer.applications() == {1: "espax"}


@given(st.lists(st.sampled_from([LOGIN, GRANTED, CALL, b"EX", b"<", bytes(4)])), st.integers(0, 700))
def test_any_stream_ends_in_facts_or_one_error(parts: list[bytes], cut: int) -> None:
    ends = (None, None, "192.0.2.1", "192.0.2.2", 1, 2023)
    segment = Segment(1, 1, Transport.TCP, *ends, None, True, b"".join(parts)[:cut])
    try:
        assert all(fact.field in EspaX.manifest.fields for fact in EspaX().feed(segment))
    except MalformedInput:
        return
