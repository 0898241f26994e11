"""The log of probes: a line before anything is sent, completed by what came of it.

A process that is killed between the two leaves the word ``sending``: what was about to happen is known.
"""

from __future__ import annotations

import msgspec

from medwarden.store.changes import Change
from medwarden.store.models import DEFAULT_SITE, ProbeLog

SENDING, REFUSED = "sending", "refused"


class Aimed(msgspec.Struct, frozen=True):
    """What a line of the log is about; ``device`` is empty where none is known at the address."""

    run: str
    device: str
    label: str
    ip: str
    port: int
    prober: str


def log_refused(change: Change, aimed: Aimed, *, protects: str, by: str, reason: str) -> int:
    """Write that a probe was refused, by whom or what, and why; return the number of the line."""
    return _line(change, aimed, outcome=REFUSED, protects=protects, by=by, reason=reason).pk


def log_sending(change: Change, aimed: Aimed, *, permit: str, grant: str, override: str) -> int:
    """Write that a probe is about to be sent, also to the audit chain; return the number of the line."""
    row = _line(change, aimed, outcome=SENDING, permit=permit, grant=grant, override=override)
    change.record(
        "probing.sent",
        f"device:{aimed.device}" if aimed.device else f"address:{aimed.ip}",
        None,
        {
            "prober": aimed.prober,
            "ip": aimed.ip,
            "port": aimed.port,
            "permit": permit,
            "grant": grant,
            "override": override,
            "run": aimed.run,
        },
    )
    return row.pk


def log_outcome(
    line: int, outcome: str, *, reason: str, sent: int, received: int, took_ns: int, facts: int
) -> None:
    """Complete a line with what came of the probe."""
    ProbeLog.objects.filter(pk=line).update(
        outcome=outcome,
        reason=reason,
        sent_bytes=sent,
        received_bytes=received,
        took_ns=took_ns,
        facts=facts,
    )


def _line(change: Change, aimed: Aimed, **columns: str) -> ProbeLog:
    return ProbeLog.objects.create(
        tenant_id=change.tenant,
        site_id=change.site or DEFAULT_SITE,
        at_ns=change.now_ns,
        actor=change.actor,
        **msgspec.structs.asdict(aimed),
        **columns,
    )
