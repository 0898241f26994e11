"""What a person must know before approving a learnt policy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from medwarden.kernel.clock import NANOSECONDS
from medwarden.model.device import Conversation
from medwarden.model.policy import PolicyRule
from medwarden.policy.observe import Observed

DAY = 86_400 * NANOSECONDS
ENOUGH_DAYS = 14
CLEAR_TEXT = frozenset(
    {"dicom", "hl7", "hl7v2", "mllp", "http", "ftp", "telnet", "ldap", "mqtt", "tftp", "vnc", "smtp"}
)


def notes_on(
    observed: Sequence[Observed], rules: Sequence[PolicyRule], unnamed: Sequence[str], first: int, last: int
) -> tuple[str, ...]:
    """Return notes in order of weight: short observation, what was left out and why, clear text."""
    notes = []
    days = (last - first) / DAY
    if not rules:
        notes.append("No answered conversation was seen: this policy allows nothing. Do not enforce it.")
    if days < ENOUGH_DAYS:
        notes.append(
            f"Learnt from {_duration(last - first)} of traffic; weekly and monthly work may be "
            "missing. Observe "
            f"at least {ENOUGH_DAYS} days before enforcing."
        )
    inbound = [c for each in observed for c in each.inbound]
    if inbound:
        notes.append(
            f"Not allowed: {_count(inbound)} that came in from the internet ({_services(inbound)}). "
            "Broker such access by name and time instead."
        )
    if unnamed:
        shown = ", ".join(unnamed[:3]) + (f" and {len(unnamed) - 3} more" if len(unnamed) > 3 else "")
        notes.append(
            f"Not allowed: {len(unnamed)} internet addresses without a known name ({shown}). Add "
            "those the maker "
            "documents."
        )
    nameless = [
        c for each in observed for c in each.learnt if not (c.peer_device or c.peer_ip or c.peer_name)
    ]
    if nameless:
        notes.append(
            f"Not allowed: {_count(nameless)} with peers too many to tell apart ({_services(nameless)})."
        )
    scans = [c for each in observed for c in each.scans]
    if scans:
        peers = len({(c.peer_device, c.peer_ip) for c in scans})
        notes.append(f"Not learnt: port scans by {peers} peer{'' if peers == 1 else 's'}.")
    unanswered = [c for each in observed for c in each.unanswered]
    if unanswered:
        notes.append(f"Not learnt: {_count(unanswered)} that nobody answered ({_services(unanswered)}).")
    clear = sorted(
        {
            f"{r.application} {'to' if r.direction == 'to_peer' else 'from'} {r.peer.label}"
            for r in rules
            if r.application in CLEAR_TEXT
        }
    )
    if clear:
        shown = ", ".join(clear[:4]) + (f" and {len(clear) - 4} more" if len(clear) > 4 else "")
        notes.append(f"Allows clear text: {shown}.")
    return tuple(notes)


def _duration(span: int) -> str:
    days = span / DAY
    if days >= 2:
        return f"{days:.1f} days"
    hours = days * 24
    return f"{hours:.1f} hours" if hours >= 1 else f"{hours * 60:.0f} minutes"


def _count(conversations: Sequence[Conversation]) -> str:
    number = len(conversations)
    return f"{number} conversation{'' if number == 1 else 's'}"


def _services(conversations: Iterable[Conversation]) -> str:
    services = sorted({(c.transport, c.port) for c in conversations if c.port}, key=lambda s: (s[1], s[0]))
    if not services:
        return "many ports"
    shown = ", ".join(f"{transport}/{port}" for transport, port in services[:5])
    return shown + (f" and {len(services) - 5} more" if len(services) > 5 else "")
