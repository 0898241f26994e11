"""Proposals that two devices are one: renewed by the linker, accepted or rejected by people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from medwarden.inventory.grouping import Grouping
from medwarden.inventory.linking import Link, is_identifying
from medwarden.kernel.errors import ConfigurationError
from medwarden.kernel.ids import stable_id
from medwarden.model.device import Device as ModelDevice
from medwarden.model.evidence import LedgerEntry
from medwarden.store.changes import Change
from medwarden.store.joining import grouping_of, join
from medwarden.store.models import Device, EvidenceEntry, IdentityProposal
from medwarden.store.queries.device import to_model, verdicts_of

OPEN, ACCEPTED, REJECTED, WITHDRAWN = "open", "accepted", "rejected", "withdrawn"
_AT_ONCE = 400


def identifying_devices(tenant: str, site: str) -> tuple[list[ModelDevice], frozenset[str]]:
    """Return the devices of a site that state anything that identifies them, and which are gateways.

    Their ledgers hold these facts alone.
    """
    rows = EvidenceEntry.objects.filter(tenant_id=tenant, site_id=site)
    fields = [f for f in rows.order_by().values_list("field", flat=True).distinct() if is_identifying(f)]
    ledgers: dict[str, list[LedgerEntry]] = {}
    columns = ("device_id", "source", "field", "value", "sensor", "first_seen", "last_seen", "count")
    for field in fields:
        for device, *values in rows.filter(field=field).values_list(*columns):
            ledgers.setdefault(device, []).append(LedgerEntry(*values))
    found: list[ModelDevice] = []
    gateways: set[str] = set()
    ids = sorted(ledgers)
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        verdicts = verdicts_of(part)
        for row in Device.objects.filter(pk__in=part, retired_at=None):
            found.append(to_model(row, verdicts.get(row.pk, ()), ledgers[row.pk]))
            if row.gateway:
                gateways.add(row.pk)
    return found, frozenset(gateways)


def renew_proposals(change: Change, site: str, links: Sequence[Link]) -> int:
    """Bring the open proposals of a site in line with what the linker found; return how many are open.

    What a person rejected stays rejected, and what was taken apart is not proposed again.
    """
    grouping = grouping_of(site)
    stored = {row.pk: row for row in IdentityProposal.objects.filter(site_id=site)}
    wanted = {stable_id("ip", site, *sorted((link.left, link.right))): link for link in links}
    open_now = 0
    for key, link in wanted.items():
        row = stored.get(key)
        if row is not None and row.state in (REJECTED, ACCEPTED):
            continue
        if _settled(grouping, link):
            continue
        open_now += 1
        _write(change, site, key, link, row)
    for key, row in stored.items():
        if row.state == OPEN and key not in wanted:
            row.state, row.decided_ns = WITHDRAWN, change.now_ns
            row.save(update_fields=["state", "decided_ns"])
    return open_now


def _settled(grouping: Grouping, link: Link) -> bool:
    one, other = grouping.device(link.left), grouping.device(link.right)
    return one == other or grouping.parted(one, other)


def _write(change: Change, site: str, key: str, link: Link, row: IdentityProposal | None) -> None:
    values = {
        "kind": link.kind.value,
        "left": link.left,
        "right": link.right,
        "odds": link.odds,
        "supporting": list(link.supporting),
        "against": list(link.against),
        "state": OPEN,
    }
    if row is None:
        IdentityProposal.objects.create(
            id=key, tenant_id=change.tenant, site_id=site, at_ns=change.now_ns, **values
        )
    elif any(getattr(row, name) != value for name, value in values.items()):
        IdentityProposal.objects.filter(pk=key).update(**values)


def accept(change: Change, proposal_id: str) -> int:
    """Join the two devices of an open proposal; return the number of the decision.

    Raises ConfigurationError where it is not open, or a device is gone.
    """
    row = _open(change, proposal_id)
    number = join(change, row.left, row.right, [*row.supporting])
    _decide(change, row, ACCEPTED)
    return number


def reject(change: Change, proposal_id: str) -> None:
    """Say that the devices of an open proposal are two; it is not made again.

    Raises ConfigurationError where it is not open, and for an empty reason.
    """
    if not change.reason.strip():
        raise ConfigurationError("say why: a decision on an identity needs a reason")
    row = _open(change, proposal_id)
    _decide(change, row, REJECTED)


def site_of(proposal_id: str) -> str:
    """Return the site of a proposal. Raises ConfigurationError where there is no such."""
    site = IdentityProposal.objects.filter(pk=proposal_id).values_list("site_id", flat=True).first()
    if site is None:
        raise ConfigurationError(f"there is no proposal {proposal_id[:40]!r}")
    return site


def _open(change: Change, proposal_id: str) -> IdentityProposal:
    row = IdentityProposal.objects.filter(tenant_id=change.tenant, pk=proposal_id).first()
    if row is None:
        raise ConfigurationError(f"there is no proposal {proposal_id[:40]!r}")
    if row.state != OPEN:
        raise ConfigurationError(f"this proposal is not open any more: it was {row.state}")
    return row


def _decide(change: Change, row: IdentityProposal, state: str) -> None:
    row.state, row.decided_ns, row.decided_by, row.reason = state, change.now_ns, change.actor, change.reason
    row.save(update_fields=["state", "decided_ns", "decided_by", "reason"])
    change.record(
        f"identity.proposal_{state}",
        f"device:{row.right}",
        {"proposal": row.pk, "devices": [row.left, row.right]},
        {"supporting": row.supporting, "against": row.against},
        site=row.site_id,
    )


def reject_undone(change: Change, identities: Iterable[str]) -> None:
    """Let proposals that were accepted, and whose join is undone, be rejected: the two are not one."""
    chosen = list(identities)
    rows = IdentityProposal.objects.filter(left__in=chosen, right__in=chosen, state=ACCEPTED)
    rows.update(state=REJECTED, decided_ns=change.now_ns, decided_by=change.actor, reason=change.reason)
