"""SNPP: greeting, commands, texts passed over."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.dissect.observer import Observer
from medwarden.dissect.snpp import MAX_LINE, Snpp
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Converse = Callable[..., set[tuple[str, str, str]]]
CLIENT, SERVER = "client", "server"


def test_session_after_the_example_of_the_standard(converse: Converse) -> None:
    facts = converse(
        Snpp,
        (SERVER, b"220 SNPP Gateway Ready\r\n"),
        (CLIENT, b"LOGI nurse secret\r\nPAGE 5551212\r\nDATA\r\n"),
        (SERVER, b"250 OK\r\n250 Pager ID Accepted\r\n354 Begin\r\n"),
        (CLIENT, b"Doe in room 7\r\nNOTACOMMAND\r\n.\r\nSEND\r\nQUIT\r\n"),
        (SERVER, b"250 Message Sent Successfully\r\n221 OK, Goodbye\r\n"),
    )
    assert facts == {
        ("snpp.role", "server", SERVER),
        ("snpp.banner", "SNPP Gateway Ready", SERVER),
        ("snpp.role", "client", CLIENT),
        ("snpp.login", "in clear", CLIENT),
        ("snpp.pages", "yes", CLIENT),
    }


@pytest.mark.parametrize(
    ("side", "data", "reason"),
    [
        (CLIENT, b"HELO x\r\n", "no SNPP command"),
        (SERVER, b"hello\r\n", "no SNPP reply"),
        (CLIENT, b"x" * MAX_LINE, "no end of line"),
    ],
)
def test_others_are_refused(converse: Converse, side: str, data: bytes, reason: str) -> None:
    with pytest.raises(MalformedInput, match=reason):
        converse(Snpp, (side, data))


def test_observer_finds_it_by_its_port() -> None:
    assert Snpp.recognises(b"220 SNPP ready\r\n", False)
    assert not Snpp.recognises(b"220 FTP ready\r\n", False)
    assert not Snpp.recognises(b"PAGE", True)
    observer = Observer(b"k" * 32)
    ends = (None, None, "192.0.2.1", "192.0.2.2", 50000, 444)
    observer.observe(Segment(1, 1, Transport.TCP, *ends, None, True, b"PAGE 5551212\r\n"))
    assert observer.applications() == {1: "snpp"}
