"""What hands XML to expat in pieces: nothing is kept waiting for an end that does not come."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from xml.parsers import expat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.feeds.cwe import Cwe
from medwarden.kernel.errors import MalformedInput
from medwarden.model.log_source import LogSetting
from medwarden.model.vulnerability import Provenance
from medwarden.sensors.logs.nmap_xml import NmapXml
from medwarden.sensors.scans.registry import read_report
from medwarden.transport.xml_pieces import XmlPieces
from medwarden.transport.xml_stream import _Answer

ENDLESS = {"tag": b'<a b="', "comment": b"<a><!--", "instruction": b"<a><?p ", "before the root": b"<!--"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("begun", ENDLESS.values(), ids=ENDLESS)
def test_what_does_not_end_is_refused_where_it_began(begun: bytes, encoding: str) -> None:
    document = (begun.decode() + "x" * 3000).encode(encoding)
    pieces = XmlPieces(expat.ParserCreate(None if encoding == "utf-16" else "utf-8"), "peer", longest=1000)
    fed = 0
    with pytest.raises(MalformedInput, match="without end") as refused:
        for at in range(0, len(document), 100):
            fed += 100
            pieces.feed(document[at : at + 100])
    assert refused.value.offset is not None
    began = document.rindex("<".encode(encoding)[-2 if encoding == "utf-16" else -1 :])
    assert abs(refused.value.offset - began) <= 1
    assert fed <= began + 1000 + 200


@pytest.mark.parametrize("begun", ["<a>", "<a><![CDATA["])
def test_text_may_be_as_long_as_it_is(begun: str) -> None:
    heard: list[str] = []
    parser = expat.ParserCreate()
    parser.CharacterDataHandler = heard.append
    pieces = XmlPieces(parser, "peer", longest=1000)
    pieces.feed(begun.encode())
    for _ in range(50):
        pieces.feed(b"x" * 500)
    pieces.feed(b"</a>" if begun == "<a>" else b"]]></a>")
    pieces.feed(b"", final=True)
    assert sum(map(len, heard)) == 25_000


@given(st.lists(st.integers(1, 700), max_size=30), st.integers(0, 900))
def test_what_ends_in_time_is_read_however_it_is_cut(sizes: list[int], filling: int) -> None:
    document = b"<a>" + b'<b c="%b"/>' % (b"x" * filling) * 5 + b"</a>"
    tags: list[str] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda tag, _: tags.append(tag)
    pieces, at = XmlPieces(parser, "peer", longest=1000), 0
    for size in sizes:
        pieces.feed(document[at : at + size])
        at += size
    pieces.feed(document[at:], final=True)
    assert tags == ["a", *"bbbbb"]


def nmap(document: bytes) -> str:
    parser = NmapXml("nmap", LogSetting(b"only for the test.............."))
    parser.feed(document, 0)
    return ", ".join(parser.tally.reasons)


def refusal(read: Callable[[], object]) -> str:
    with pytest.raises(MalformedInput) as refused:
        read()
    return refused.value.reason


@pytest.mark.parametrize("begun", ['<b c="', "<!--", "<?b "])
def test_no_reader_of_reports_and_feeds_waits_for_the_end_of_a_tag(begun: str) -> None:
    endless = begun.encode() + b"x" * (5 << 20)
    origin = Provenance("cwe", "file")
    for reason in (
        nmap(b"<nmaprun>" + endless),
        refusal(lambda: list(Cwe.read(io.BytesIO(b"<Weakness_Catalog>" + endless), origin))),
        *(
            refusal(partial(read_report, io.BytesIO(root + endless), "file"))
            for root in (b"<NessusClientData_v2>", b"<NexposeReport>")
        ),
    ):
        assert "without end" in reason


def test_a_peer_that_sends_a_tag_without_end_is_no_longer_listened_to() -> None:
    answer, sent = _Answer(), 0
    answer.feed(b'<get_tasks_response status="')
    while not answer.whole:
        answer.feed(b"x" * 1000)
        sent += 1000
    assert "without end" in answer.refused
    assert sent < 100_000
