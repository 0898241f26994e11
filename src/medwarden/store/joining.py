"""Decisions on which identities are one device: taken, undone, obeyed.

What was decided is kept as :class:`~medwarden.inventory.grouping.Decision` rows; the devices are what
replaying those that hold makes of them. The resolver knows nothing of it: it tells identities apart, and
what it says is mapped while it is stored, so a decision holds from the next batch on in every process.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from medwarden.inventory.grouping import Action, Decision, Grouping, renamed
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.inventory_delta import Merge
from medwarden.store.changes import Change
from medwarden.store.members import regroup
from medwarden.store.models import Device, Identity, IdentityAddress, IdentityDecision, IdentityInterface


class Joining(msgspec.Struct, frozen=True):
    """A join that the linker is certain of: identities, and in sentences why."""

    left: str
    right: str
    evidence: tuple[str, ...]


class Undone(msgspec.Struct, frozen=True):
    """A decision that was taken back: where it held, and the identities it spoke of."""

    site: str
    identities: tuple[str, ...]


def grouping_of(site: str) -> Grouping:
    """Return the devices of a site as its decisions make them."""
    return Grouping(_decision(row) for row in IdentityDecision.objects.filter(site_id=site, undone_ns=None))


def _decision(row: IdentityDecision) -> Decision:
    return Decision(row.number, Action(row.action), tuple(row.left), tuple(row.right), row.automatic)


def _device(change: Change, device_id: str) -> Device:
    row = Device.objects.filter(tenant_id=change.tenant, pk=device_id).first()
    if row is None:
        raise ConfigurationError(f"there is no device {device_id[:40]!r}")
    return row


def join(change: Change, kept_id: str, gone_id: str, evidence: Sequence[str] = ()) -> int:
    """Make two devices of a site one, which keeps the id ``kept_id``; return the decision's number.

    The change's reason says why. Raises ConfigurationError for devices that are not there, are the same or
    stand at different sites, and for an empty reason.
    """
    if not change.reason.strip():
        raise ConfigurationError("say why: a decision on an identity needs a reason")
    kept, gone = _device(change, kept_id), _device(change, gone_id)
    if kept.pk == gone.pk:
        raise ConfigurationError("these are one device already")
    if kept.site_id != gone.site_id:
        raise ConfigurationError(
            f"{kept.name or kept.pk} is at site {kept.site_id}, {gone.name or gone.pk} at {gone.site_id}: "
            "devices of different sites are shown as moved, never merged"
        )
    row = _enter(change, kept.site_id, Action.JOIN, [kept.pk], [gone.pk], list(evidence), [kept, gone])
    change.record(
        "device.merged",
        f"device:{gone.pk}",
        {"devices": [kept.pk, gone.pk]},
        {"into": kept.pk, "decision": row.number, "evidence": list(evidence)},
        site=kept.site_id,
    )
    regroup(change, kept.site_id, grouping_of(kept.site_id).composed())
    return row.number


def join_certain(change: Change, site: str, joinings: Sequence[Joining]) -> int:
    """Join what the linker is certain of, in one go; return how many decisions that were.

    Pairs that a person took apart, or whose join a person undid, are left alone.
    """
    grouping = grouping_of(site)
    refused = refused_pairs(site)
    numbers = 0
    for joining in joinings:
        left, right = grouping.device(joining.left), grouping.device(joining.right)
        pairs = {frozenset((a, b)) for a in grouping.members(left) for b in grouping.members(right)}
        if left == right or grouping.parted(left, right) or pairs & refused:
            continue
        rows = {row.pk: row for row in Device.objects.filter(pk__in=[left, right])}
        if len(rows) < 2:
            continue
        row = _enter(
            change, site, Action.JOIN, [left], [right], list(joining.evidence),
            [rows[left], rows[right]], automatic=True,
        )  # fmt: skip
        change.record(
            "device.merged",
            f"device:{right}",
            {"devices": [left, right]},
            {"into": left, "decision": row.number, "evidence": list(joining.evidence)},
            site=site,
        )
        grouping.add(_decision(row))
        numbers += 1
    if numbers:
        regroup(change, site, grouping.composed())
    return numbers


def refused_pairs(site: str) -> set[frozenset[str]]:
    """Return the pairs of identities whose automatic join a person undid."""
    undone = IdentityDecision.objects.filter(site_id=site, action=Action.JOIN.value, automatic=True)
    rows = undone.exclude(undone_ns=None).values_list("left", "right")
    return {frozenset((a, b)) for left, right in rows for a in left for b in right}


def part(change: Change, device_id: str, identities: Sequence[str]) -> int:
    """Take identities out of a device, to be one device together; return the decision's number.

    They never come back by themselves. Raises ConfigurationError where the device is made of one identity
    only, one named is none of its, or none would be left behind, and for an empty reason.
    """
    if not change.reason.strip():
        raise ConfigurationError("say why: a decision on an identity needs a reason")
    device = _device(change, device_id)
    members = list(Identity.objects.filter(device=device.pk).order_by("pk").values_list("pk", flat=True))
    taken = sorted(set(identities))
    if len(members) < 2:
        raise ConfigurationError(f"{device.name or device.pk} has one identity; there is nothing to split")
    strange = [identity for identity in taken if identity not in members]
    if strange or not taken:
        named = strange[0] if strange else "nothing"
        raise ConfigurationError(f"{named} is no identity of {device.name or device.pk}")
    rest = [identity for identity in members if identity not in taken]
    if not rest:
        raise ConfigurationError("name fewer: something must be left behind")
    row = _enter(change, device.site_id, Action.PART, taken, rest, [], [device])
    made = regroup(change, device.site_id, grouping_of(device.site_id).composed())
    change.record(
        "device.split",
        f"device:{device.pk}",
        {"identities": members},
        {"devices": {key: list(made[key]) for key in sorted(made)}, "decision": row.number},
        site=device.site_id,
    )
    return row.number


def undo(change: Change, number: int) -> Undone:
    """Take a decision back: the devices are as they would be had it never been made.

    Later decisions hold on. Raises ConfigurationError for an unknown number, a decision that is undone
    already, and an empty reason.
    """
    if not change.reason.strip():
        raise ConfigurationError("say why: a decision on an identity needs a reason")
    row = IdentityDecision.objects.filter(tenant_id=change.tenant, pk=number).first()
    if row is None:
        raise ConfigurationError(f"there is no decision {number}")
    if row.undone_ns is not None:
        raise ConfigurationError(f"decision {number} is undone already, by {row.undone_by}")
    row.undone_ns, row.undone_by, row.undone_why = change.now_ns, change.actor, change.reason
    row.save(update_fields=["undone_ns", "undone_by", "undone_why"])
    made = regroup(change, row.site_id, grouping_of(row.site_id).composed())
    change.record(
        "device.decision_undone",
        f"device:{row.left[0]}",
        {"decision": number, "action": row.action, "left": row.left, "right": row.right},
        {"devices": {key: list(made[key]) for key in sorted(made)}},
        site=row.site_id,
    )
    return Undone(row.site_id, tuple({*row.left, *row.right}))


def site_of_decision(number: int) -> str:
    """Return the site of a decision. Raises ConfigurationError where there is no such."""
    rows = IdentityDecision.objects.filter(pk=number)
    site = rows.values_list("site_id", flat=True).first()
    if site is None:
        raise ConfigurationError(f"there is no decision {number}")
    return site


def identities_of(device_id: str, macs: Sequence[str], ips: Sequence[str]) -> list[str]:
    """Return the identities of a device that have one of these MAC or IP addresses.

    Raises ConfigurationError for an address that is none of the device's.
    """
    members = list(Identity.objects.filter(device=device_id).values_list("pk", flat=True))
    found: dict[str, None] = {}
    for mac in macs:
        holders = IdentityInterface.objects.filter(device__in=members, mac=_as_stored(mac))
        ids = sorted(holders.values_list("device", flat=True))
        if not ids:
            raise ConfigurationError(f"{mac} is no interface of this device, or the only one")
        found |= dict.fromkeys(ids)
    for ip in ips:
        rows = IdentityAddress.objects.filter(device__in=members, ip=ip.strip().lower()).order_by(
            "-current", "-last_seen"
        )
        held = rows.values_list("device", flat=True).first()
        if held is None:
            raise ConfigurationError(f"{ip} is no address of an identity of this device, or the only one")
        found[held] = None
    return list(found)


def _as_stored(mac: str) -> str:
    """Return a MAC address as it is stored, written with colons, hyphens, points or nothing between."""
    digits = re.sub(r"[:.\s-]", "", mac).lower()
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))


def decided(site: str) -> set[str]:
    """Return the identities of a site that any decision speaks of, undone ones included."""
    rows = IdentityDecision.objects.filter(site_id=site).values_list("left", "right")
    return {identity for left, right in rows for identity in (*left, *right)}


def obey(change: Change, site: str, merge: Merge) -> None:
    """Let what the resolver found agree with what was decided, and move the rows.

    ``gone`` and ``kept`` are identities, of which decisions speak (:func:`decided`). Those that speak of the
    first speak of the second from now on.
    """
    _rename(site, merge)
    regroup(change, site, grouping_of(site).composed(), merge)


def _rename(site: str, merge: Merge) -> None:
    for row in IdentityDecision.objects.filter(site_id=site):
        if merge.gone not in row.left and merge.gone not in row.right:
            continue
        decision = renamed(_decision(row), merge.gone, merge.kept)
        if decision is None:
            row.delete()
        else:
            row.left, row.right = list(decision.left), list(decision.right)
            row.save(update_fields=["left", "right"])


def _enter(
    change: Change,
    site: str,
    action: Action,
    left: list[str],
    right: list[str],
    evidence: list[str],
    devices: Sequence[Device],
    *,
    automatic: bool = False,
) -> IdentityDecision:
    return IdentityDecision.objects.create(
        tenant_id=change.tenant,
        site_id=site,
        action=action.value,
        left=left,
        right=right,
        shown=[{"id": row.pk, "name": row.name, "macs": row.macs[:8], "ips": row.ips[:8]} for row in devices],
        automatic=automatic,
        at_ns=change.now_ns,
        actor=change.actor,
        reason=change.reason,
        evidence=evidence,
    )
