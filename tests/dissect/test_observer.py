"""Routing of payloads to dissectors: by port, first bytes, content; faults; memory."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import ClassVar

import pytest

from medwarden.dissect.observer import SNIFF_STREAM_BYTES, Observer
from medwarden.dissect.phi import Tokeniser
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import DissectorManifest, Segment, Transport

KEY = b"k" * 32


def manifest(name: str, **more: object) -> DissectorManifest:
    settings: dict[str, object] = {"transports": (Transport.TCP,), "fields": (f"{name}.said",), **more}
    return DissectorManifest(name=name, title=name, reference="made up", **settings)  # type: ignore[arg-type]


class Toy:
    """Says every payload; breaks on ``!bad``, has a defect on ``!bug``; recognises its own name."""

    manifest: ClassVar[DissectorManifest]

    def __init__(self) -> None:
        self.seen = 0

    @classmethod
    def recognises(cls, payload: bytes, from_client: bool) -> bool:
        return payload.startswith(cls.manifest.name.encode())

    def feed(self, segment: Segment) -> Iterator[Evidence]:
        self.seen += 1
        for word in segment.payload.split():
            if word == b"!bad":
                raise MalformedInput(self.manifest.name, "bad word")
            if word == b"!bug":
                raise ZeroDivisionError("a defect")
            yield segment.said(f"{self.manifest.name}.said", word.decode(), self.manifest.name)


class Alpha(Toy):
    manifest = manifest("alpha", ports=(100,), stream_bytes=1000)


class Beta(Toy):
    manifest = manifest("beta", starts=(b"beta",), stream_bytes=500)


class Gamma(Toy):
    manifest = manifest("gamma", sniff=True)


class Datagrams(Toy):
    manifest = manifest("datagrams", transports=(Transport.UDP,), ports=(200,))


class Frames(Toy):
    manifest = manifest("frames", transports=(Transport.ETHERNET,), ethertypes=(0x88CC,))


def segment(
    payload: bytes, port: int = 100, flow: int = 1, from_client: bool = True, offset: int = 0,
    transport: Transport = Transport.TCP, ethertype: int = 0,
) -> Segment:  # fmt: skip
    ports = (50000, port) if from_client else (port, 50000)
    ips = ("192.0.2.1", "192.0.2.2") if from_client else ("192.0.2.2", "192.0.2.1")
    return Segment(
        1, flow, transport, None, None, *ips, *ports, None, from_client, payload, offset, False, ethertype
    )


def observer(*members: type[Toy], max_flows: int = 1000) -> Observer:
    return Observer(KEY, members or (Alpha, Beta, Gamma, Datagrams, Frames), max_flows)


def words(facts: list[Evidence]) -> list[str]:
    return [fact.value for fact in facts]


def test_port_decides_and_the_application_is_named() -> None:
    watching = observer()
    assert words(watching.observe(segment(b"alpha one"))) == ["alpha", "one"]
    assert words(watching.observe(segment(b"two", offset=9))) == ["two"]
    assert words(watching.observe(segment(b"three", from_client=False))) == ["three"]
    assert watching.applications() == {1: "alpha"}


def test_another_protocol_on_a_known_port_is_recognised_by_content() -> None:
    watching = observer()
    assert words(watching.observe(segment(b"beta hello"))) == ["beta", "hello"]
    assert watching.applications() == {1: "beta"}
    assert not watching.malformed


def test_start_decides_on_any_port() -> None:
    watching = observer()
    watching.observe(segment(b"beta hello", port=9999))
    watching.observe(segment(b"gamma hello", port=9999, flow=2))
    assert watching.applications() == {1: "beta", 2: "gamma"}


def test_port_is_believed_when_nobody_recognises_the_payload() -> None:
    watching = observer()
    assert words(watching.observe(segment(b"unknown words"))) == ["unknown", "words"]
    assert watching.applications() == {1: "alpha"}


def test_clients_port_decides_only_where_nothing_else_does() -> None:
    watching = observer()
    clashing = Segment(
        1, 1, Transport.TCP, None, None, "192.0.2.1", "192.0.2.2", 100, 9999, None, True, b"beta hello"
    )
    watching.observe(clashing)
    assert watching.applications() == {1: "beta"}
    late = Segment(
        1, 2, Transport.TCP, None, None, "192.0.2.1", "192.0.2.2", 100, 50000, None, True, b"alpha answers"
    )
    assert words(watching.observe(late)) == ["alpha", "answers"]


def test_few_first_bytes_are_held_until_they_tell() -> None:
    watching = observer()
    facts = []
    for at, octet in enumerate(b"beta tiny"):
        facts += watching.observe(segment(bytes((octet,)), port=9999, offset=at))
    assert watching.applications() == {1: "beta"}
    assert "".join(words(facts)) == "betatiny"


def test_the_answering_side_may_be_the_one_that_tells() -> None:
    watching = observer()
    assert not watching.observe(segment(b"?" * 200, port=9999))
    facts = watching.observe(segment(b"gamma here", port=9999, from_client=False))
    assert words(facts) == ["?" * 200, "gamma", "here"]


def test_undecided_flow_is_given_up() -> None:
    watching = observer()
    for at in range(10):
        assert not watching.observe(segment(b"?" * 100, port=9999, offset=100 * at))
        assert not watching.observe(segment(b"#" * 100, port=9999, offset=100 * at, from_client=False))
    assert not watching.applications()
    assert not watching.observe(segment(b"gamma too late", port=9999, offset=5000))


def test_malformed_is_counted_and_the_flow_dropped_but_its_facts_kept() -> None:
    watching = observer()
    assert words(watching.observe(segment(b"alpha good !bad more"))) == ["alpha", "good"]
    assert watching.malformed == {"alpha": 1}
    assert not watching.observe(segment(b"after", offset=20))
    assert words(watching.observe(segment(b"alpha other flow", flow=2))) == ["alpha", "other", "flow"]


def test_dissector_that_breaks_at_once_gives_way_to_content() -> None:
    class Greedy(Toy):
        manifest = manifest("greedy", ports=(100,), medical=True)

        @classmethod
        def recognises(cls, payload: bytes, from_client: bool) -> bool:
            return True

        def feed(self, segment: Segment) -> Iterator[Evidence]:
            raise MalformedInput("greedy", "never mine")

    watching = observer(Greedy, Alpha)
    assert words(watching.observe(segment(b"alpha words"))) == ["alpha", "words"]
    assert watching.applications() == {1: "alpha"}
    assert watching.malformed == {"greedy": 1}


def test_defect_is_counted_and_logged_once_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    watching = observer()
    with caplog.at_level(logging.ERROR):
        watching.observe(segment(b"alpha !bug"))
        watching.observe(segment(b"alpha !bug", flow=2))
    assert watching.malformed == {"alpha!defect": 2}
    assert len(caplog.records) == 1
    assert caplog.records[0].exc_info is not None
    assert words(watching.observe(segment(b"alpha fine", flow=3))) == ["alpha", "fine"]


def test_defect_in_recognition_is_counted() -> None:
    class Broken(Toy):
        manifest = manifest("broken", sniff=True)

        @classmethod
        def recognises(cls, payload: bytes, from_client: bool) -> bool:
            raise ZeroDivisionError

    watching = observer(Broken)
    assert not watching.observe(segment(b"anything"))
    assert watching.malformed == {"recognises!defect": 1}


def test_bad_datagram_does_not_silence_the_next_but_the_third_does() -> None:
    watching = observer()

    def datagram(payload: bytes) -> list[str]:
        return words(watching.observe(segment(payload, port=200, transport=Transport.UDP)))

    assert datagram(b"datagrams one") == ["datagrams", "one"]
    assert datagram(b"!bad datagram") == []
    assert datagram(b"two") == ["two"]
    assert datagram(b"!bad") == datagram(b"!bad") == []
    assert datagram(b"three") == []
    assert watching.malformed == {"datagrams": 3}


def test_datagram_from_the_server_reaches_its_dissector() -> None:
    watching = observer()
    facts = watching.observe(segment(b"answer", port=200, transport=Transport.UDP, from_client=False))
    assert words(facts) == ["answer"]


def test_frames_go_by_ethertype() -> None:
    watching = observer()
    frame = segment(b"frames tell", port=0, transport=Transport.ETHERNET, ethertype=0x88CC)
    assert words(watching.observe(frame)) == ["frames", "tell"]
    other = segment(b"frames tell", port=0, transport=Transport.ETHERNET, ethertype=0x1234)
    assert not watching.observe(other)


def test_bad_frame_does_not_silence_the_next() -> None:
    watching = observer()
    for _ in range(5):
        bad = segment(b"tells !bad", port=0, transport=Transport.ETHERNET, ethertype=0x88CC)
        assert words(watching.observe(bad)) == ["tells"]
    assert watching.malformed == {"frames": 5}


def test_state_is_forgotten_and_bounded() -> None:
    watching = observer(max_flows=3)
    for flow in range(5):
        watching.observe(segment(b"alpha", flow=flow))
    assert watching.evicted == 2
    assert set(watching.applications()) == {2, 3, 4}
    watching.forget([3, 4, 99])
    assert set(watching.applications()) == {2}
    assert not watching.observe(segment(b"mid-sentence", flow=0, offset=700))


def test_finished_dissector_gets_no_more() -> None:
    class Once(Toy):
        manifest = manifest("once", ports=(300,))

        def __init__(self) -> None:
            super().__init__()
            self.done = False

        def feed(self, segment: Segment) -> Iterator[Evidence]:
            self.done = True
            return super().feed(segment)

    watching = observer(Once)
    assert words(watching.observe(segment(b"once first", port=300))) == ["once", "first"]
    assert not watching.observe(segment(b"second", port=300, offset=10))
    assert watching.applications() == {1: "once"}


def test_application_may_be_told_later_than_the_dissector_is_chosen() -> None:
    class Carrier(Toy):
        manifest = manifest("carrier", ports=(300,))

        def __init__(self) -> None:
            super().__init__()
            self.application = "plain"

        def feed(self, segment: Segment) -> Iterator[Evidence]:
            if b"medical" in segment.payload:
                self.application = "carrier"
            return super().feed(segment)

    watching = observer(Carrier)
    watching.observe(segment(b"carrier hello", port=300))
    assert watching.applications() == {1: "plain"}
    watching.observe(segment(b"medical", port=300, offset=13))
    assert watching.applications() == {1: "carrier"}


def test_tokeniser_is_handed_to_those_who_ask() -> None:
    class Asking(Toy):
        manifest = manifest("asking", ports=(300,))

        def __init__(self) -> None:
            super().__init__()
            self.tokeniser: Tokeniser | None = None

        def feed(self, segment: Segment) -> Iterator[Evidence]:
            assert self.tokeniser is not None
            yield segment.said("asking.said", self.tokeniser.token("operator", "x"), "asking")

    (fact,) = observer(Asking).observe(segment(b"asking", port=300))
    assert fact.value == Tokeniser(KEY).token("operator", "x")


def test_core_interest_is_the_sum_of_the_manifests() -> None:
    class Delta(Toy):
        manifest = manifest("delta", ports=(100,), starts=(b"de", b"beta"), stream_bytes=0)

    interest = observer(Alpha, Beta, Delta, Datagrams, Frames).core_interest
    assert interest.stream_ports == {100: 1000}
    assert dict(interest.stream_starts) == {b"beta": SNIFF_STREAM_BYTES, b"de": SNIFF_STREAM_BYTES}
    assert interest.datagram_ports == {200}
    assert interest.ethertypes == {0x88CC}


def test_real_interest_serves_the_medical_protocols() -> None:
    interest = Observer(KEY).core_interest
    assert interest.stream_ports[104] >= 32768
    assert interest.stream_ports[2575] >= 32768
    assert any(b"\x0bMSH|".startswith(start) for start, _ in interest.stream_starts)


def passing(*members: type[Toy]) -> tuple[Observer, list[tuple[int, bool]]]:
    passed: list[tuple[int, bool]] = []
    watching = Observer(KEY, members, pass_over=lambda flow, unclaimed: passed.append((flow, unclaimed)))
    return watching, passed


def test_flow_that_nobody_knows_is_passed_over_as_unclaimed() -> None:
    watching, passed = passing(Alpha)
    watching.observe(segment(b"?" * 100, port=9999, flow=7))
    assert not passed
    watching.observe(segment(b"#" * 100, port=9999, flow=7, from_client=False))
    assert passed == [(7, True)]


def test_broken_stream_and_stream_joined_late_are_passed_over() -> None:
    watching, passed = passing(Alpha)
    watching.observe(segment(b"alpha words", flow=1))
    watching.observe(segment(b"!bad", flow=1, offset=11))
    watching.observe(segment(b"alpha", flow=2, offset=700))
    assert passed == [(1, False), (2, False)]


def test_stream_that_long_says_nothing_new_is_left() -> None:
    watching, passed = passing(Alpha)
    watching.observe(segment(b"alpha"))
    for at in range(63):
        watching.observe(segment(b" ", offset=5 + at))
    assert words(watching.observe(segment(b"news", offset=100))) == ["news"]
    assert not passed
    for at in range(65):
        watching.observe(segment(b" ", offset=200 + at))
    assert passed == [(1, False)]
    assert not watching.observe(segment(b"late", offset=300))
    assert watching.applications() == {1: "alpha"}


def test_medical_stream_and_frames_are_heard_to_the_end() -> None:
    class Ward(Toy):
        manifest = manifest("ward", ports=(100,), medical=True)

    watching, passed = passing(Ward, Frames)
    watching.observe(segment(b"ward"))
    for at in range(200):
        watching.observe(segment(b" ", offset=4 + at))
        frame = segment(b" ", port=0, flow=2, transport=Transport.ETHERNET, ethertype=0x88CC)
        assert not watching.observe(frame)
    assert words(watching.observe(segment(b"ventilator", offset=300))) == ["ventilator"]
    heard = segment(b"hello", port=0, flow=2, transport=Transport.ETHERNET, ethertype=0x88CC)
    assert words(watching.observe(heard)) == ["hello"]
    assert not passed


def test_what_differs_between_repetitions_is_told_where_a_port_agrees_on_it() -> None:
    class Clock(Toy):
        manifest = manifest("clock", transports=(Transport.UDP,), ports=(123, 200), volatile=((2, 12),))

    interest = observer(Datagrams, Clock).core_interest
    assert interest.datagram_volatile == {123: ((2, 12),)}
    assert interest.datagram_ports == {123, 200}


def test_openings_tell_only_where_all_dissectors_of_a_port_say_so() -> None:
    class Web(Toy):
        manifest = manifest("web", ports=(80, 100), starts=(b"GET ", b"beta"), opening_tells=True)

    interest = observer(Alpha, Beta, Web).core_interest
    assert interest.opening_ports == {80}
    assert interest.opening_starts == {b"GET "}
