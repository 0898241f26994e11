"""Do not read again what equal payloads of equal conversations came to before.

Many devices of a kind say the same, and each says it again and again. Where a dissector states that what it
says follows ``from_payloads`` alone, and not from addresses, ports or times, a conversation that went like
another so far and goes on with the same payload comes to the same facts. :class:`RecallingObserver` finds out
what a payload comes to and writes it down as a :class:`~medwarden.flowcore.Step`;
:class:`~medwarden.flowcore.Router` follows known steps without asking. A conversation that leaves them is
read again from its beginning, so that its dissector stands where it would have stood.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from medwarden.dissect.observer import Flow, Observer, from_payloads, let_come
from medwarden.flowcore import LIVE_COURSE, OVER_COURSE, Course, Step
from medwarden.kernel.errors import InternalError
from medwarden.model.evidence import Evidence
from medwarden.model.segment import Dissector, Segment, Transport

_TCP = Transport.TCP
_HELLOS = "tls"

Said = tuple[str | bool | None, tuple[str, str, str]]


class Origin(NamedTuple):
    """Where a conversation stands of itself: at its beginning or, for datagrams, wherever it is."""

    stream: bool
    near: int  # ports of server and client, 0 where they make no difference
    far: int
    member: type[Dissector] | None = None
    strikes: int = 0
    attempts: int = 0


class RecallingObserver(Observer):
    """An observer that says of each payload what it came to, for the next that is equal.

    A stream is followed when its first segment decides whose it is; anything else is only observed.
    """

    def __init__(
        self,
        token_key: bytes,
        members: Sequence[type[Dissector]] | None = None,
        max_flows: int = 200_000,
        pass_over: Callable[[int, bool], None] = let_come,
    ) -> None:
        super().__init__(token_key, members, max_flows, pass_over)
        self._courses: dict[Origin, Course] = {}
        self._faults: list[str] = []
        self._over = 0
        self._muted = False

    @property
    def stream_ports(self) -> Collection[int]:
        """TCP ports that make a difference."""
        return self._streams.by_port

    @property
    def datagram_ports(self) -> Collection[int]:
        """UDP ports that make a difference."""
        return self._datagrams.by_port

    def root(self, stream: bool, near: int, far: int) -> Course:
        """Return how a conversation begins, from the port of its server and of its client (0: no matter)."""
        table = self._streams if stream else self._datagrams
        members = (*table.by_port.get(near, ()), *table.by_port.get(far, ()))
        if not all(from_payloads(member) for member in members):
            return LIVE_COURSE
        if stream:
            return Course(origin=Origin(True, near, far), hello=True)
        return self._datagram_course(Origin(False, near, far))

    def learn(
        self, course: Course, segment: Segment, payload: bytes, live: bool
    ) -> tuple[list[Evidence], Step, bool]:
        """Observe a segment; return its facts, what it came to, and whether the flow's state is held here.

        ``payload`` is that of the segment without what no dissector reads; ``live`` says that the flow's
        state is held here already.
        """
        flow_id, stream = segment.flow_id, segment.transport is _TCP
        if not stream and (read := self._datagram(course, segment, payload)) is not None:
            return *read, False
        if not live:
            self._stand(course, flow_id)
        before = self._applications.get(flow_id)
        faults = self._faults = []
        self.alone, self._over = True, 0
        facts = self.observe(segment)
        said = _said(facts, segment) if self.alone else None
        name = self._applications.get(flow_id)
        flow = self._flows.get(flow_id)
        if said is None or flow is None or (stream and flow.undecided):
            step = Step(course, LIVE_COURSE, payload, segment.from_client, segment.gap)
            return facts, step, True
        step = Step(
            course, OVER_COURSE, payload, segment.from_client, segment.gap,
            said, name if name != before else None, tuple(faults), self._over,
        )  # fmt: skip
        if flow.feed is None and not flow.undecided:
            del self._flows[flow_id]
            return facts, step, False
        if stream:
            step.follow(flow.name == _HELLOS)
            return facts, step, True
        del self._flows[flow_id]
        origin = _origin(course)
        member = None if flow.dissector is None else type(flow.dissector)
        attempts = flow.attempts if member is None else 0
        step.after = self._datagram_course(
            Origin(False, origin.near, origin.far, member, flow.strikes, attempts)
        )
        return facts, step, False

    def resume(self, course: Course, segment: Segment) -> list[Evidence]:
        """Observe a segment of a flow that followed known steps until now and is live from here on."""
        self._stand(course, segment.flow_id)
        return self.observe(segment)

    def settle(self, course: Course, flow_id: int) -> None:
        """Hold the state of a flow that followed known steps until now."""
        self._stand(course, flow_id)

    def _datagram(
        self, course: Course, segment: Segment, payload: bytes
    ) -> tuple[list[Evidence], Step] | None:
        """Read a datagram of a flow whose dissector is known, or return None where that is not enough."""
        origin = _origin(course)
        if origin.member is None or origin.strikes:
            return None
        dissector = self._stateless[origin.member]
        if hasattr(dissector, "application"):
            return None
        try:
            facts = list(dissector.feed(segment))
        except Exception:  # noqa: BLE001 - fed again by who counts what is wrong with it
            return None
        said = _said(facts, segment)
        if said is None:
            return None
        return facts, Step(course, course, payload, segment.from_client, segment.gap, said)

    def _datagram_course(self, origin: Origin) -> Course:
        course = self._courses.get(origin)
        if course is None:
            unread = () if origin.member is None else origin.member.manifest.volatile
            course = self._courses[origin] = Course(origin=origin, unread=unread)
        return course

    def _stand(self, course: Course, flow_id: int) -> None:
        """Bring the flow's state to where ``course`` has led."""
        steps: list[Step] = []
        while (step := course.step) is not None:
            steps.append(step)
            course = step.before
        origin = _origin(course)
        if origin.member is not None or origin.attempts:
            flow = self._flows[flow_id] = Flow()
            flow.strikes, flow.attempts = origin.strikes, origin.attempts
            if origin.member is not None:
                self._entrust(flow, origin.member, self._stateless[origin.member], stateless=True)
        if steps:
            self._repeat(origin, flow_id, steps)

    def _repeat(self, origin: Origin, flow_id: int, steps: list[Step]) -> None:
        """Read a stream again from its beginning, telling nothing."""
        offsets = {True: 0, False: 0}
        self._muted = True
        try:
            for step in reversed(steps):
                side = step.from_client
                ports = (origin.far, origin.near) if side else (origin.near, origin.far)
                segment = Segment(
                    0, flow_id, _TCP, None, None, None, None, *ports, None, side, step.payload,
                    offsets[side], step.gap,
                )  # fmt: skip
                offsets[side] += len(step.payload)
                self.observe(segment)
        finally:
            self._muted = False

    def _count(self, name: str) -> None:
        if not self._muted:
            self._faults.append(name)
            super()._count(name)

    def _let_go(self, flow_id: int, unclaimed: bool) -> None:
        if not self._muted:
            self._over = 2 if unclaimed else 1
            super()._let_go(flow_id, unclaimed)


def _origin(course: Course) -> Origin:
    if not isinstance(course.origin, Origin):
        raise InternalError("a conversation was followed from where it does not begin")
    return course.origin


def _said(facts: list[Evidence], segment: Segment) -> tuple[Said, ...] | None:
    """Return whose fact each is, or None where that cannot be told for sure."""
    if not facts:
        return ()
    sender, receiver = (segment.src_mac, segment.src_ip), (segment.dst_mac, segment.dst_ip)
    if None in sender or None in receiver or sender == receiver:
        return None
    said: list[Said] = []
    for fact in facts:
        if fact.ts_ns != segment.ts_ns or fact.vlan != segment.vlan:
            return None
        whose: str | bool | None
        if (fact.mac, fact.ip) == sender:
            whose = None
        elif (fact.mac, fact.ip) == receiver:
            whose = True
        elif fact.mac is None and fact.ip is not None:
            whose = fact.ip
        else:
            return None
        said.append((whose, (fact.field, fact.value, fact.source)))
    return tuple(said)
