from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import msgspec
import pytest

from medwarden.dissect.connection import MAX_FACTS, Connection, Inbox, text
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import DissectorManifest, Segment, Transport

Converse = Callable[..., set[tuple[str, str, str]]]


class Lines(Connection):
    """Tell each line; a line "?" is about the receiver, "!" breaks, "+" hands over, "#" reads too far."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="lines", title="Lines", transports=(Transport.TCP,), reference="none", fields=("lines.line",)
    )

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        while self._inner is None and (line := inbox.line(100)) is not None:
            if line.startswith(b"!"):
                raise inbox.malformed("an exclamation")
            if line.startswith(b"#"):
                line[5000]
            if line.startswith(b"+"):
                self.become(Lines())
                return
            tell = self.heard if line.startswith(b"?") else self.said
            tell("lines.line", line.decode("latin-1"))


SEGMENT = Segment(5, 1, Transport.TCP, "cm", "sm", "c", "s", 1, 2, 9, True, b"")


def feed(dissector: Connection, payload: bytes, gap: bool = False) -> list[tuple[str, str | None]]:
    segment = msgspec.structs.replace(SEGMENT, payload=payload, gap=gap)
    return [(fact.value, fact.ip) for fact in dissector.feed(segment)]


def test_each_fact_is_told_once_and_belongs_to_its_side() -> None:
    dissector = Lines()
    assert feed(dissector, b"a\na\n a \n?b\n\n") == [("a", "c"), ("?b", "s")]
    assert feed(dissector, b"a\nc\n") == [("c", "c")]


def test_facts_before_a_fault_come_out_before_it() -> None:
    told: list[Evidence] = []
    with pytest.raises(MalformedInput) as caught:
        told.extend(Lines().feed(msgspec.structs.replace(SEGMENT, payload=b"a\nb\n!\nc\n")))
    assert [fact.value for fact in told] == ["a", "b"]
    assert (caught.value.source, caught.value.offset) == ("lines", 6)


def test_a_read_beyond_a_message_is_malformed() -> None:
    with pytest.raises(MalformedInput, match="ends within a field"):
        feed(Lines(), b"#\n")


def test_after_a_gap_a_direction_is_not_read_further() -> None:
    dissector = Lines()
    assert feed(dissector, b"a\nhal") == [("a", "c")]
    assert feed(dissector, b"f\nb\n", gap=True) == []
    assert feed(dissector, b"c\n") == []
    assert not dissector.done
    dissector.close()
    assert dissector.done


def test_a_peer_that_invents_names_is_not_followed_for_ever() -> None:
    told = feed(Lines(), b"".join(b"%d\n" % number for number in range(3 * MAX_FACTS)))
    assert len(told) == MAX_FACTS


def test_the_rest_goes_to_the_protocol_that_takes_over(converse: Converse) -> None:
    told = converse(Lines, ("client", b"a\n+\nb\n"), ("server", b"c\n"))
    assert told == {
        ("lines.line", "a", "client"),
        ("lines.line", "b", "client"),
        ("lines.line", "c", "server"),
    }


def test_a_transport_that_is_not_spoken_is_a_defect() -> None:
    with pytest.raises(NotImplementedError):
        list(Lines().feed(msgspec.structs.replace(SEGMENT, transport=Transport.UDP)))


def test_discarded_bytes_are_not_kept() -> None:
    inbox = Inbox("x")
    inbox.add(b"abc")
    inbox.discard(10)
    inbox.add(b"defghij")
    assert inbox.data == b""
    inbox.add(b"klm")
    assert (bytes(inbox.data), inbox.offset) == (b"klm", 10)
    assert inbox.take(4) is None
    assert inbox.take(2) == b"kl"


def test_an_endless_line_is_malformed() -> None:
    inbox = Inbox("x")
    inbox.add(b"a" * 50)
    assert inbox.line(60) is None
    with pytest.raises(MalformedInput, match="no end of line within 50 bytes"):
        inbox.line(50)


def test_text_is_utf_8_or_latin_1_up_to_a_nul() -> None:
    assert text("Lüftung\0x".encode()) == "Lüftung"
    assert text(b"L\xfcftung") == "Lüftung"
