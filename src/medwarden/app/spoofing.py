"""Contradicted identities of the stored inventory, and one address in two places, as findings."""

from __future__ import annotations

from collections.abc import Sequence

from medwarden.inventory.spoofing import RULES, TYPE, contradicted, spoofing_finding
from medwarden.kernel.ids import stable_id
from medwarden.model.device import Device
from medwarden.model.finding import Finding as ModelFinding
from medwarden.model.finding import FindingEvidence, FindingKind, Severity
from medwarden.store.changes import Change
from medwarden.store.elsewhere import Twin, record_moves, twins
from medwarden.store.findings import record_findings
from medwarden.store.models import Device as DeviceRow
from medwarden.store.models import Finding, Identity

TWO_PLACES = "address_in_two_places"


def suspected(devices: Sequence[Device]) -> list[Device]:
    """Return the devices, identified just now, that speak as something else by their own facts."""
    return [device for device in devices if contradicted(device) is not None]


def find_contradictions(tenant: str, site: str, suspects: Sequence[Device]) -> int:
    """Open findings for those of the :func:`suspected` devices that are spoofed; return how many.

    Within the change that stores their identities: nobody would look at them again. Findings stay until a
    person closes them: that the stranger is silent does not mean that he is gone. What was heard before that
    is the device's own from then on. Devices that are gone (merged) are left out.
    """
    if not suspects:
        return 0
    rows = DeviceRow.objects.filter(pk__in=[device.id for device in suspects])
    there = dict(rows.values_list("pk", "gateway"))
    suspects = [device for device in suspects if device.id in there]
    ids = list(there)
    gateways = {key for key, gateway in there.items() if gateway}
    several = set(Identity.objects.filter(device__in=ids).values_list("device", flat=True))
    closed = Finding.objects.filter(
        device_id__in=ids, type=TYPE, state__in=("resolved", "false_positive", "accepted")
    )
    settled: dict[str, int] = {}
    for device_id, last_seen in closed.values_list("device_id", "last_seen"):
        settled[device_id] = max(settled.get(device_id, 0), last_seen)
    found = []
    for device in suspects:
        spoof = contradicted(
            device,
            gateway=device.id in gateways,
            identities=2 if device.id in several else 1,
            settled_ns=settled.get(device.id, 0),
        )
        if spoof is not None:
            found.append(spoofing_finding(device, spoof))
    if found:
        with Change(
            "rule:spoofing", "its evidence contradicts itself", rule_version=RULES, tenant=tenant, site=site
        ) as change:
            record_findings(change, [finding.device for finding in found], found, frozenset())
    return len(found)


def find_moves(tenant: str) -> int:
    """Let devices that moved between sites lead to each other, and open findings for those that cannot have.

    Returns how many pairs moved that were not known to.
    """
    found = twins(tenant)
    if not found:
        return 0
    with Change("rule:moves", "two sites know one hardware address", tenant=tenant) as change:
        moved = record_moves(change, found)
    rows = {
        row.pk: row
        for row in DeviceRow.objects.filter(pk__in=[i for t in found for i in (t.device, t.other)])
    }
    there = rows.keys()
    places = [_two_places(t, rows) for t in found if not t.moved and {t.device, t.other} <= there]
    if places:
        with Change(
            "rule:spoofing", "one address in two places", rule_version=RULES, tenant=tenant
        ) as change:
            record_findings(change, [finding.device for finding in places], places, frozenset())
    return moved


def _two_places(twin: Twin, rows: dict[str, DeviceRow]) -> ModelFinding:
    row, other = rows[twin.device], rows[twin.other]
    hours = len(twin.hours)
    return ModelFinding(
        id=stable_id("f", row.site_id, row.pk, TWO_PLACES, twin.mac),
        kind=FindingKind.THREAT,
        type=TWO_PLACES,
        severity=Severity.HIGH,
        device=row.pk,
        title=f"One hardware address is active at two sites at once: {row.name or twin.mac}",
        detail=f"{twin.mac} sent traffic at {row.site_id} and at {other.site_id} in the same {hours} hours. "
        "One interface cannot: one of the two states an address that is not its own, or both sites hear the "
        "same network.",
        fix=f"Look at {row.name or row.pk} ({row.site_id}) and {other.name or other.pk} ({other.site_id}) "
        "which of them carries the address on its label. If the sites share a network, let one of them claim "
        "its VLANs.",
        evidence=tuple(
            FindingEvidence("interface.mac", f"{twin.mac} at {each.site_id}", each.first_seen, each.last_seen)
            for each in (row, other)
        ),
        mitre=("T1036", "T0848"),
        first_seen=min(twin.hours),
        last_seen=max(twin.hours),
        rule_version=RULES,
    )
