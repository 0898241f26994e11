"""What is known of devices beside what they say: findings, policies in force, work on patients, support.

Read for a few hundred devices at once, when they are assessed, from the rows of other engines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import msgspec
from django.db.models import Q

from medwarden.knowledge.taxonomy import categories
from medwarden.model.device import Conversation, Device, DeviceClass
from medwarden.model.finding import FindingKind, FindingState, Severity
from medwarden.model.life_cycle import Subject
from medwarden.model.policy import Direction, Policy, PolicyState
from medwarden.operations.in_use import last_work
from medwarden.policy.peers import within
from medwarden.policy.replay import permits
from medwarden.risk.context import AtWork, DeviceRecord, LiveFinding, PolicyInForce, SupportEnd
from medwarden.risk.factors.live import LIVE
from medwarden.store.models import AttributeValue, Finding, PolicyVersion
from medwarden.store.models import Device as Row
from medwarden.store.models import Policy as PolicyRow
from medwarden.store.prepared import Prepared, PreparedRows, one_of
from medwarden.store.queries.device import to_model
from medwarden.store.queries.life_cycle import ends_of
from medwarden.store.queries.scope import Scope

SUPPORT_ATTRIBUTE = "end_of_support"
"""An attribute of a hospital's own, of kind date, that tells until when a device is supported."""

_STANDING = (FindingState.OPEN.value, FindingState.ACKNOWLEDGED.value, FindingState.ACCEPTED.value)
_DEFAULTS = ("default_password", "default_credential", "default_account", "hard_coded_password")
_KINDS = {kind.value: kind for kind in FindingKind}
_SEVERITIES = {severity.value: severity for severity in Severity}
_AT_ONCE = 400


_ENFORCED = PreparedRows(
    PolicyRow,
    lambda tenant, site: PolicyRow.objects.filter(
        tenant_id=tenant, site_id=site, state=PolicyState.ENFORCED.value
    ).order_by("updated_ns"),
)


class Enforced:
    """The policies of a site that are enforced, by the devices they hold for; read once."""

    def __init__(self, tenant: str, site: str) -> None:
        self._by_device: dict[str, tuple[Policy, int]] = {}
        self._by_category: dict[str, tuple[Policy, int]] = {}
        for row in _ENFORCED(tenant, site):
            found = _document(row.pk)
            if found is None:
                continue
            policy, since = found
            for device in policy.devices:
                self._by_device[device] = found
            if policy.subject_kind == "device":
                self._by_device[policy.subject] = found
            elif policy.subject_kind == "category" and not policy.devices:
                self._by_category[policy.subject] = (policy, since)

    def of(self, device: Device) -> tuple[Policy, int] | None:
        """Return the policy enforced for ``device`` and since when, or None."""
        return self._by_device.get(device.id) or self._by_category.get(device.category or "")


def _document(policy_id: str) -> tuple[Policy, int] | None:
    """Return a policy as it is enforced, and since when without a break."""
    versions = list(PolicyVersion.objects.filter(policy_id=policy_id).order_by("-at_ns", "-pk"))
    if not versions or versions[0].state != PolicyState.ENFORCED.value:
        return None
    since = versions[0].at_ns
    for version in versions[1:]:
        if version.state != PolicyState.ENFORCED.value:
            break
        since = version.at_ns
    return msgspec.convert(versions[0].document, Policy), since


def records_of(tenant: str, devices: Sequence[Device], enforced: Enforced) -> dict[str, DeviceRecord]:
    """Return what is known of each of some devices; those of which nothing is are left out."""
    ids = [device.id for device in devices]
    findings, support = live_findings(tenant, ids), _support(tenant, ids)
    policies = {device.id: found for device in devices if (found := enforced.of(device))}
    peers = peers_of([device for device in devices if device.id in policies])
    records = {}
    for device in devices:
        policy = policies.get(device.id)
        record = DeviceRecord(
            findings=findings.get(device.id, ()),
            policy=None if policy is None else in_force(policy[0], policy[1], device, peers),
            at_work=_at_work(device),
            support=support.get(device.id),
        )
        if record != DeviceRecord():
            records[device.id] = record
    return records


def in_force(policy: Policy, since_ns: int, device: Device, peers: Mapping[str, Device]) -> PolicyInForce:
    """Return a policy as risk sees it enforced for ``device``; ``peers`` says what its peers are."""
    inbound = [rule for rule in policy.rules if rule.direction is Direction.FROM_PEER]
    own = device.subnet

    def near(kind: str, value: str) -> bool:
        if kind == "device":
            peer = peers.get(value)
            return own is not None and peer is not None and peer.subnet == own
        return own is not None and (value == own if kind == "subnet" else within(value, own))

    reach = "none"
    if inbound:
        here = all(
            rule.peer.kind in ("device", "subnet", "address") and near(rule.peer.kind, rule.peer.value)
            for rule in inbound
        )
        reach = "segment" if here else "beyond"

    def allows(conversation: Conversation) -> bool:
        return permits(policy, conversation, peers) is not None

    def serves(transport: str, port: int) -> bool:
        return any(
            rule.transport == transport
            and (rule.port is None or rule.port <= port <= (rule.port_to or rule.port))
            for rule in inbound
        )

    return PolicyInForce(policy.id, policy.title, since_ns, reach, allows, serves)


def peers_of(devices: Sequence[Device]) -> dict[str, Device]:
    """Return what the peers of devices are, without their evidence."""
    wanted = sorted({c.peer_device for d in devices for c in d.conversations if c.peer_device})
    found: dict[str, Device] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        for row in Row.objects.filter(pk__in=wanted[start : start + _AT_ONCE]):
            found[row.pk] = to_model(row)
    return found


def _at_work(device: Device) -> AtWork | None:
    kind = categories().get(device.category or "")
    if device.device_class is not DeviceClass.IOMT or (kind is not None and not kind.medical):
        return None
    last = last_work(device)
    return None if last is None else AtWork(last.what, last.last_ns)


_COUNTING = Prepared(
    lambda ids, tenant: Finding.objects.filter(
        Q(kind__in=[kind.value for kind in LIVE]) | Q(type__in=_DEFAULTS),
        tenant_id=tenant,
        device_id__in=one_of(ids),
        state__in=_STANDING,
    ),
    "device_id", "pk", "kind", "type", "severity", "title", "opened_ns", "last_seen",
)  # fmt: skip


def live_findings(tenant: str, ids: Sequence[str]) -> dict[str, tuple[LiveFinding, ...]]:
    """Return the findings of others that count for the scores of devices, by device."""
    found: dict[str, list[LiveFinding]] = {}
    for start in range(0, len(ids), _AT_ONCE):
        rows = _COUNTING(ids[start : start + _AT_ONCE], tenant)
        for device, pk, kind, name, severity, title, opened, last in rows:
            found.setdefault(device, []).append(
                LiveFinding(pk, _KINDS[kind], name, _SEVERITIES[severity], title, opened, last)
            )
    return {device: tuple(sorted(each, key=lambda f: f.id)) for device, each in found.items()}


def _support(tenant: str, ids: Sequence[str]) -> dict[str, SupportEnd]:
    """Return when help for devices ends for sure: as a person entered it, else the first day that is known.

    The end of an operating system counts by itself and is no end of the device.
    """
    found = {}
    for device, ends in ends_of(Scope(tenant), ids).items():
        counting = [end for end in ends if end.counts and end.subject is not Subject.SYSTEM]
        if counting:
            first = min(counting, key=lambda end: (end.day, end.notice))
            found[device] = SupportEnd(first.day, first.source, first.ending, first.reason, first.since_ns)
    for start in range(0, len(ids), _AT_ONCE):
        rows = AttributeValue.objects.filter(
            tenant_id=tenant,
            attribute__name=SUPPORT_ATTRIBUTE,
            attribute__kind="date",
            device_id__in=ids[start : start + _AT_ONCE],
        )
        for device, value in rows.values_list("device_id", "value"):
            found[device] = SupportEnd(date.fromisoformat(value), "entered by the hospital")
    return found
