"""What a prober is, and how one is run: permit in, one outcome word and facts out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Protocol

import msgspec

from medwarden.dissect.registry import dissectors
from medwarden.kernel.clock import Clock, wall_clock
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import Segment, Transport
from medwarden.operations.permit import Action, ActionKind, Permit, Target
from medwarden.sensors.active.exchange import Ended, Exchange, Limits, Outcome


class SnmpUser(msgspec.Struct, frozen=True):
    """An SNMP v3 user (RFC 3414): ``auth`` is "", sha or sha256; ``privacy`` is "" or aes."""

    name: str
    auth: str = ""
    auth_password: str = ""
    privacy: str = ""
    privacy_password: str = ""


class ProbeSetting(msgspec.Struct, frozen=True):
    """What probers need to know beyond the target. Secrets in it are never logged.

    ``ae_title`` is the title to call a DICOM device by, where one is known; ``titles_allowed`` lets
    http_head ask for the page itself, which some devices note as a visit.
    """

    limits: Limits = Limits()
    community: str = ""
    snmp_user: SnmpUser | None = None
    ae_title: str = ""
    titles_allowed: bool = False

    def __repr__(self) -> str:
        return f"<ProbeSetting {self.limits}>"


class ProbeManifest(msgspec.Struct, frozen=True):
    """How a prober declares itself.

    ``dissector`` reads what comes back; ``asks`` says in words what is sent; ``withheld`` are fields that
    the dissector concludes from our own question.
    """

    name: str
    title: str
    transport: Transport
    port: int
    dissector: str
    reference: str
    asks: str
    withheld: frozenset[str] = frozenset()

    @property
    def action(self) -> Action:
        """Return the action a permit must be for."""
        return Action(ActionKind.PROBE, self.name)


class Prober(Protocol):
    """One question in one protocol. It speaks through the exchange it is given and opens nothing."""

    manifest: ClassVar[ProbeManifest]

    def missing(self, setting: ProbeSetting) -> str:
        """Say what of ``setting`` is missing for this question, or nothing."""
        ...

    def converse(self, line: Exchange, setting: ProbeSetting) -> None:
        """Ask and hear the answer; raises Ended or MalformedInput where it is none."""
        ...


class ProbeResult(msgspec.Struct, frozen=True):
    """What came of one probe. ``facts`` are of the device alone, their source ``active:<prober>``."""

    outcome: Outcome
    words: str
    facts: tuple[Evidence, ...]
    sent: int
    received: int
    took_ns: int


def probe(
    prober: Prober, permit: Permit, aimed: Target, setting: ProbeSetting, clock: Clock = wall_clock
) -> ProbeResult:
    """Ask one question of ``aimed`` with ``permit`` and return what came of it.

    Raises NotPermitted, with nothing sent, where the permit does not cover this; ResourceError where our
    own end cannot be set up. Whatever the device does is an outcome.
    """
    manifest = prober.manifest
    started = clock()
    with Exchange(permit, manifest.action, aimed, manifest.transport, setting.limits, clock) as line:
        outcome, words = Outcome.ANSWERED, ""
        try:
            line.open()
            prober.converse(line, setting)
        except Ended as ended:
            outcome, words = ended.outcome, str(ended)
        except MalformedInput as error:
            outcome, words = Outcome.MALFORMED, str(error)
        facts, fault = _facts(manifest, line, aimed)
        if fault and outcome is Outcome.ANSWERED:
            outcome, words = Outcome.MALFORMED, fault
        return ProbeResult(outcome, words, facts, line.sent, line.received, clock() - started)


def _facts(manifest: ProbeManifest, line: Exchange, aimed: Target) -> tuple[tuple[Evidence, ...], str]:
    """Let the dissector read the conversation; return what it says of the device, and what was wrong."""
    member = next(d for d in dissectors() if d.manifest.name == manifest.dissector)
    dissector = member()
    found: dict[tuple[str, str], Evidence] = {}
    stream = manifest.transport is Transport.TCP
    offsets = {True: 0, False: 0}
    for piece in line.pieces:
        near, far = line.local, (aimed.ip, aimed.port)
        source, sink = (near, far) if piece.ours else (far, near)
        segment = Segment(
            ts_ns=piece.ts_ns,
            flow_id=1,
            transport=manifest.transport,
            src_mac=None,
            dst_mac=None,
            src_ip=source[0],
            dst_ip=sink[0],
            src_port=source[1],
            dst_port=sink[1],
            vlan=None,
            from_client=piece.ours,
            payload=piece.data,
            stream_offset=offsets[piece.ours] if stream else 0,
        )
        offsets[piece.ours] += len(piece.data)
        if piece.ours and not stream:
            continue
        try:
            stated = list(_readable(dissector.feed(segment)))
        except MalformedInput as error:
            return tuple(found.values()), str(error)
        if piece.ours:
            continue  # what we said of ourselves, or called the device, is no fact of the device
        for fact in stated:
            if fact.ip == aimed.ip and fact.field not in manifest.withheld:
                said = msgspec.structs.replace(fact, source=f"active:{manifest.name}")
                found.setdefault((fact.field, fact.value), said)
    return tuple(found.values()), ""


def _readable(stated: Iterable[Evidence]) -> Iterable[Evidence]:
    return stated
