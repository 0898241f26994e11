"""Is a device at work on a patient right now? An answer from behaviour alone, and a cautious one.

What is heard on the network can prove that a device works; it can rarely prove that it does not. A pump
infuses on without its server, a ventilator breathes without a network. So there are three answers, and
``unknown`` has to be treated as ``yes`` by whoever asks. ``no`` is only said where one of these holds:

- the device states itself that it is idle, and stated it within :data:`STATED_S`;
- its kind does not work on patients (a printer, a switch) and it never spoke a clinical protocol;
- it is a medical device of moderate criticality whose work shows as clinical conversations, such were
  heard of it before, it is heard now, and for :data:`QUIET_S` of uninterrupted listening there were none.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import cache

import msgspec

from medwarden.dissect.registry import dissectors
from medwarden.kernel.clock import NANOSECONDS, to_datetime
from medwarden.knowledge.taxonomy import categories, name_of
from medwarden.model.device import Device
from medwarden.model.evidence import LedgerEntry

WINDOW_S = 15 * 60
"""A clinical conversation heard within this many seconds means that the device is in use."""

QUIET_S = 2 * 60 * 60
"""So long must a device be heard without a clinical conversation before silence means anything."""

HEARD_S = 10 * 60
"""A device that was not heard for longer may work where no sensor hears it."""

STATED_S = 2 * 60
"""A state that a device told of itself is believed for so long."""

STEP_S = 12 * 60 * 60
"""A procedure step that began and did not end is believed to go on for so long."""

AHEAD_S = 60
"""Facts so far in the future say that clocks do not agree, and then nothing can be concluded."""

SURE = 0.8
"""A category that is less probable is not known."""

LIFE_CRITICAL = 4
"""From this criticality of the taxonomy on, silence never counts as idleness."""

_STATE_FIELDS = (
    "bbraun_bcc.pump_state",
    "intellivue.operating_mode",
    "sdc.activation_state",
    "sdc.operating_mode",
    "terufusion.pump_state",
)
"""Fields in which a device says what it does; a test holds that dissectors tell each of them."""

_PATIENT_FIELDS = ("intellivue.patient_state", "sdc.patient_state")
_ATTACHED = frozenset({"admitted", "associated", "pre-admitted"})
_EXAM_STARTED, _EXAM_ENDED = "dicom.exam_started", "dicom.exam_ended"
_IDLE_STATES = frozenset({"off", "idle", "standby", "stby", "stndby", "shutdown", "shtdn", "stopped", "stop"})


class Use(StrEnum):
    """Whether a device works on a patient. Unknown is to be treated as yes."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class UseEvidence(msgspec.Struct, frozen=True):
    """What an answer rests on: words, the time it was first and last heard, and the evidence itself."""

    what: str
    first_ns: int
    last_ns: int
    field: str = ""
    value: str = ""


class InUse(msgspec.Struct, frozen=True):
    """The answer, why, since when it holds as far as that is known, and when it was given."""

    state: Use
    reason: str
    since_ns: int | None
    judged_ns: int
    evidence: tuple[UseEvidence, ...] = ()


def _at(moment_ns: int) -> str:
    return f"{to_datetime(moment_ns):%Y-%m-%d %H:%M} UTC"


@cache
def clinical_protocols() -> frozenset[str]:
    """Return the names of the dissectors of medical protocols, which are also applications of flows."""
    return frozenset(d.manifest.name for d in dissectors() if d.manifest.medical)


@cache
def clinical_ports() -> frozenset[tuple[str, int]]:
    """Return transports and ports at which medical protocols are served."""
    return frozenset(
        (transport.value, port)
        for d in dissectors()
        if d.manifest.medical
        for transport in d.manifest.transports
        for port in d.manifest.ports
    )


def in_use(device: Device, now_ns: int, listening_since_ns: int | None) -> InUse:
    """Judge whether ``device`` (complete, with ledger and conversations) works on a patient at ``now_ns``.

    ``listening_since_ns`` is since when the sensor that hears the device has listened without a break,
    None where none listens now; without one, silence says nothing.
    """
    latest = max([device.last_seen, *(e.last_seen for e in device.ledger)])
    latest = max([latest, *(c.last_seen for c in device.conversations)])
    if latest > now_ns + AHEAD_S * NANOSECONDS:
        return _answer(
            Use.UNKNOWN,
            f"it was heard at {_at(latest)}, which has yet to come: clocks disagree",
            None,
            now_ns,
        )
    told = _stated(device, now_ns, idle=True)
    # A protocol in which a device says right now that it is idle does not say by being spoken that it works.
    quiet = frozenset(e.field.partition(".")[0] for e in device.ledger if told and e.field in _STATE_FIELDS)
    clinical = sorted((e for _, e in _clinical(device)), key=lambda e: e.last_ns)
    recent = tuple(
        sorted(
            (e for name, e in _clinical(device) if name not in quiet and _is_recent(e, now_ns)),
            key=lambda e: e.last_ns,
        )
    )
    working = _steps_under_way(device, now_ns) + _stated(device, now_ns, idle=False)
    if recent or working:
        found = working + recent
        return _answer(
            Use.YES,
            f"{found[-1].what}, last heard {_at(found[-1].last_ns)}",
            min(e.first_ns for e in found),
            now_ns,
            found,
        )
    if told:
        return _answer(
            Use.NO, f"{told[-1].what}, told {_at(told[-1].last_ns)}", told[-1].first_ns, now_ns, told
        )
    return _silent(device, now_ns, listening_since_ns, clinical)


def last_work(device: Device) -> UseEvidence | None:
    """Return what last told that ``device`` (complete) worked on a patient, however long ago, or None.

    That is a conversation or fact in a clinical protocol, or a state of its own that is not idle.
    """
    told = [e for e in device.ledger if e.field in _STATE_FIELDS]
    quiet = frozenset(e.field.partition(".")[0] for e in told)  # what it says of itself decides for these
    found = [e for name, e in _clinical(device) if name not in quiet]
    found += [_fact(f"it stated {e.field} = {e.value}", e) for e in told if not _is_idle(e)]
    return max(found, key=lambda e: (e.last_ns, e.what), default=None)


def _silent(
    device: Device, now_ns: int, listening_since_ns: int | None, clinical: list[UseEvidence]
) -> InUse:
    """Say what it means that nothing clinical was heard lately."""
    kind = None if device.category is None else categories().get(device.category)
    if kind is None or kind.id.startswith("unknown") or _confidence(device) < SURE:
        return _answer(Use.UNKNOWN, "what kind of device it is is not known well enough", None, now_ns)
    name = name_of(kind.id)
    if not kind.medical and not clinical:
        return _answer(
            Use.NO, f"{name}: does not work on patients and never spoke a clinical protocol", None, now_ns
        )
    if kind.criticality >= LIFE_CRITICAL:
        return _answer(Use.UNKNOWN, f"{name}: works on a patient also without the network", None, now_ns)
    if not clinical:
        return _answer(
            Use.UNKNOWN, f"{name}: its work was never heard, so silence says nothing", None, now_ns
        )
    if listening_since_ns is None or listening_since_ns > now_ns - QUIET_S * NANOSECONDS:
        return _answer(
            Use.UNKNOWN,
            f"no sensor has listened to it for {QUIET_S // 60} minutes without a break",
            None,
            now_ns,
        )
    if device.last_seen < now_ns - HEARD_S * NANOSECONDS:
        return _answer(
            Use.UNKNOWN, f"not heard since {_at(device.last_seen)}: it may work elsewhere", None, now_ns
        )
    last = clinical[-1]
    if last.last_ns > now_ns - QUIET_S * NANOSECONDS:
        return _answer(
            Use.UNKNOWN, f"{last.what} was heard at {_at(last.last_ns)}, not long enough ago", None, now_ns
        )
    return _answer(
        Use.NO,
        f"{name}: heard, and no clinical conversation for {QUIET_S // 60} minutes",
        last.last_ns,
        now_ns,
        (last,),
    )


def _is_recent(evidence: UseEvidence, now_ns: int) -> bool:
    return evidence.last_ns >= now_ns - WINDOW_S * NANOSECONDS


def _clinical(device: Device) -> Iterable[tuple[str, UseEvidence]]:
    """Yield what was ever heard of a device in a clinical protocol, with the protocol."""
    names, ports = clinical_protocols(), clinical_ports()
    for talk in device.conversations:
        if talk.application in names or (talk.application is None and (talk.transport, talk.port) in ports):
            what = talk.application or f"{talk.transport}/{talk.port}"
            peer = talk.peer_name or talk.peer_ip or talk.peer_device or "a peer"
            side = "flow.client_of" if talk.role == "client" else "flow.serves"
            service = f"{talk.transport}/{talk.port}"
            yield what, UseEvidence(f"{what} with {peer}", talk.first_seen, talk.last_seen, side, service)
    for entry in device.ledger:
        # What our own query brought to light (source ``active:...``) is no work of the device's.
        protocol = entry.field.partition(".")[0]
        if not entry.source.startswith("active:") and (entry.source in names or protocol in names):
            words = f"it spoke {protocol} ({entry.field})"
            yield protocol, _fact(words, entry)


def _fact(what: str, entry: LedgerEntry) -> UseEvidence:
    return UseEvidence(what, entry.first_seen, entry.last_seen, entry.field, entry.value)


def _stated(device: Device, now_ns: int, *, idle: bool) -> tuple[UseEvidence, ...]:
    """Return the states a device told of itself lately, where all of them are idle (or those that are not).

    Of several states (channels of a pump) one that is not idle outweighs all others.
    """
    fresh = [
        entry
        for entry in device.ledger
        if entry.field in _STATE_FIELDS and entry.last_seen >= now_ns - STATED_S * NANOSECONDS
    ]
    working = [e for e in fresh if not _is_idle(e)]
    chosen = working if not idle else [] if working else fresh
    return tuple(
        _fact(f"it states {e.field} = {e.value}", e) for e in sorted(chosen, key=lambda e: e.last_seen)
    )


def _is_idle(entry: LedgerEntry) -> bool:
    return entry.value.strip().casefold() in _IDLE_STATES


def _steps_under_way(device: Device, now_ns: int) -> tuple[UseEvidence, ...]:
    """Return the examination that was begun and not ended (PS3.4 annex F.7), and who is admitted.

    Examinations are compared by when they were told: the same modality works on one at a time.
    """
    found = []
    begun = max(device.values(_EXAM_STARTED), key=lambda e: e.last_seen, default=None)
    ended = max((e.last_seen for e in device.values(_EXAM_ENDED)), default=0)
    if begun is not None and begun.last_seen >= max(ended, now_ns - STEP_S * NANOSECONDS):
        found.append(_fact("an examination is in progress", begun))
    states = [e for field in _PATIENT_FIELDS for e in device.values(field)]
    latest = max(states, key=lambda e: e.last_seen, default=None)
    if (
        latest is not None
        and latest.value.strip().casefold() in _ATTACHED
        and latest.last_seen >= now_ns - STEP_S * NANOSECONDS
    ):
        found.append(_fact("a patient is admitted to it", latest))
    return tuple(found)


def _confidence(device: Device) -> float:
    verdict = device.verdict("category")
    return verdict.confidence if verdict is not None and verdict.label == device.category else 0.0


def _answer(
    state: Use,
    reason: str,
    since_ns: int | None,
    now_ns: int,
    evidence: tuple[UseEvidence, ...] = (),
) -> InUse:
    return InUse(state, reason, since_ns, now_ns, evidence)
