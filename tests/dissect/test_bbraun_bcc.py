"""B. Braun BCC: the station's pumps, in plain and in stuffed messages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.bbraun_bcc import MAX_FRAME_BYTES, BBraunBcc
from medwarden.dissect.observer import Observer
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Converse = Callable[..., set[tuple[str, str, str]]]
HOST, STATION = "client", "server"


def message(text: str, bed: str = "1") -> bytes:
    size = len(f"{bed}/1/1>{text}") + 14
    body = f"\x01{size:05}\x02{bed}/1/1>{text}\x03".encode()
    return body + b"%05d\x04" % (sum(body) & 0xFF)


def stuffed(plain: bytes) -> bytes:
    for letter, marker in ((b"e", b"x"), (b"E", b"X")):
        plain = plain.replace(letter, letter * 2)
        plain = plain.replace(b"d" if letter == b"e" else b"D", letter + marker)
    return plain


RECORDS = "\x1e".join(
    [
        "12,50111,GNMODEL,688N030003",
        "12,50111,INRT,20.0",
        "12,50111,INM3,1",
        "12,50112,GNMODEL,Perfusor Space",
        "12,50112,INSOL,Dopamine",
        "12,50112,PANAME,Doe Jane",
        "12,50100,GNTIME,1",
        "12,50113,GNMODEL",
    ]
)
SAID = {
    ("bbraun_bcc.role", "host", HOST),
    ("bbraun_bcc.role", "station", STATION),
    ("bbraun_bcc.bed", "ICU7", STATION),
    ("bbraun_bcc.pump_model", "688N030003", STATION),
    ("bbraun_bcc.pump_model", "Perfusor Space", STATION),
    ("bbraun_bcc.pump_state", "pumping", STATION),
    ("bbraun_bcc.pumps", "2", STATION),
}


def test_published_example() -> None:
    assert message("ADMIN:ALIVE") == b"\x0100031\x021/1/1>ADMIN:ALIVE\x0300061\x04"


@pytest.mark.parametrize("send", [lambda m: m, stuffed])
def test_station_tells_its_pumps_and_not_who_lies_there(
    converse: Converse, send: Callable[[bytes], bytes]
) -> None:
    facts = converse(
        BBraunBcc,
        (HOST, send(message("ADMIN:ALIVE"))),
        (STATION, b"\x06"),
        (HOST, send(message("MEM:GET"))),
        (STATION, b"\x06" + send(message(RECORDS, "ICU7"))),
        (HOST, b"\x06"),
    )
    assert facts == SAID


def test_station_whose_pumps_all_stand_still_is_stopped(converse: Converse) -> None:
    still = message("1,50111,INM3,0\x1e1,50112,INM3,0", "ICU7")
    one_runs = message("1,50111,INM3,0\x1e1,50112,INM3,1", "ICU7")
    assert ("bbraun_bcc.pump_state", "stopped", STATION) in converse(BBraunBcc, (STATION, still))
    facts = converse(BBraunBcc, (STATION, one_runs))
    assert [value for field, value, _ in facts if field == "bbraun_bcc.pump_state"] == ["pumping"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (message("MEM:GET").replace(b"GET", b"GEU"), "checksum"),
        (b"\x0100099" + message("MEM:GET")[6:], "length or checksum"),
        (b"\x01hello\x04", "no message"),
        (b"hello", "between messages"),
        (b"\x01" + b"x" * MAX_FRAME_BYTES, "longer than"),
    ],
)
def test_broken_messages_are_refused(converse: Converse, data: bytes, reason: str) -> None:
    with pytest.raises(MalformedInput, match=reason):
        converse(BBraunBcc, (HOST, data))


def test_observer_finds_it_on_any_port() -> None:
    assert not BBraunBcc.recognises(b"\x0100031\x02GET / HTTP/1.1", True)
    assert not BBraunBcc.recognises(b"\x0100001\x021/1/1>", True)
    observer = Observer(b"k" * 32)
    ends = (None, None, "192.0.2.1", "192.0.2.2", 50000, 4001)
    observer.observe(Segment(1, 1, Transport.TCP, *ends, None, True, message("ADMIN:ALIVE")))
    assert observer.applications() == {1: "bbraun_bcc"}


@given(
    st.lists(
        st.sampled_from([message(RECORDS), message("MEM:GET"), b"\x06", b"\x01", b"\x04", b"E", b"\x1e"])
    )
)
def test_any_stream_ends_in_facts_or_one_error(parts: list[bytes]) -> None:
    ends = (None, None, "192.0.2.1", "192.0.2.2", 1, 4001)
    segment = Segment(1, 1, Transport.TCP, *ends, None, True, b"".join(parts))
    try:
        assert all(fact.field in BBraunBcc.manifest.fields for fact in BBraunBcc().feed(segment))
    except MalformedInput:
        return
