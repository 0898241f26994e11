"""How the answers about a device changed: one row for each level and change, with what came and went."""

from __future__ import annotations

from collections.abc import Sequence

from medwarden.model.device import Ballot, Verdict
from medwarden.model.device import Device as ModelDevice
from medwarden.store.bulk import insert_rows
from medwarden.store.changes import Change
from medwarden.store.models import Device, VerdictChange
from medwarden.store.queries.device import verdicts_of

_MOST_REASONS = 5
_LONGEST = 200


def note_changes(change: Change, known: Sequence[tuple[Device, ModelDevice]]) -> None:
    """Write down where fresh verdicts differ from the stored ones, which they are about to replace.

    The first answers about a device are no change: its story begins with them.
    """
    stored = {
        device_id: {v.level: v for v in verdicts}
        for device_id, verdicts in verdicts_of([row.pk for row, _ in known]).items()
    }
    rows = []
    for row, device in known:
        before = stored.get(row.pk)
        if before is None:
            continue
        for verdict in device.verdicts:
            old = before.get(verdict.level)
            was = None if old is None else old.label
            if was != verdict.label:
                rows.append(_row(change, row, device, verdict, old))
    insert_rows(rows)


def _row(
    change: Change, row: Device, device: ModelDevice, verdict: Verdict, old: Verdict | None
) -> VerdictChange:
    return VerdictChange(
        tenant_id=row.tenant_id,
        site_id=row.site_id,
        device_id=row.pk,
        level=verdict.level,
        old=("" if old is None else old.label or "")[:_LONGEST],
        new=(verdict.label or "")[:_LONGEST],
        confidence=round(verdict.confidence, 4),
        at_ns=change.now_ns,
        heard_ns=device.last_seen,
        because=because(verdict, old),
        version=change.rule_version,
    )


def because(verdict: Verdict, old: Verdict | None) -> list[list[str]]:
    """Return the heaviest votes that came and those that went, as (came or went, field, value)."""
    now = {_key(b): b for b in verdict.ballots}
    then = {} if old is None else {_key(b): b for b in old.ballots}
    came = sorted((b for key, b in now.items() if key not in then), key=lambda b: -b.weight)
    went = sorted((b for key, b in then.items() if key not in now), key=lambda b: -b.weight)
    return [
        [word, ballot.evidence_field, ballot.evidence_value[:_LONGEST]]
        for word, ballots in (("came", came), ("went", went))
        for ballot in ballots[:_MOST_REASONS]
    ]


def _key(ballot: Ballot) -> tuple[str, str, str]:
    return ballot.label, ballot.evidence_field, ballot.evidence_value
