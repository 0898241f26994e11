"""What bringing the work queue up to date needs: what has no choice yet, what evidence contradicts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from django.db.models import Count, Max

from medwarden.kernel.clock import NANOSECONDS
from medwarden.risk.work.actions import Concern
from medwarden.risk.work.states import WorkState
from medwarden.store.models import (
    Device,
    EvidenceEntry,
    Finding,
    Irrelevance,
    ProfileMember,
    RiskAcceptance,
    ScannerSighting,
    VulnerabilityVerdict,
    WorkAction,
    WorkRemedy,
)
from medwarden.store.work_items import CONCERNING

_AT_ONCE = 400


def pairs_to_choose(tenant: str, edition: int, rules: str) -> list[tuple[str, str]]:
    """Return open (profile, vulnerability) pairs of which no choice by this edition and rules is kept."""
    used = set(
        ProfileMember.objects.filter(tenant_id=tenant, until_ns=None).values_list("profile_id", flat=True)
    )
    known = {
        (profile, vulnerability)
        for profile, vulnerability in WorkRemedy.objects.filter(
            tenant_id=tenant, edition=edition, rules=rules
        ).values_list("profile_id", "vulnerability")
    }
    rows = VulnerabilityVerdict.objects.filter(tenant_id=tenant, until_ns=None, state__in=CONCERNING)
    return [
        pair
        for pair in rows.values_list("profile_id", "vulnerability").order_by("profile_id", "vulnerability")
        if pair[0] in used and pair not in known
    ]


def contradictions(tenant: str, site: str, concerns: Sequence[Concern]) -> dict[str, str]:
    """Return actions called done of which evidence heard since says otherwise, with the sentence.

    Of a vulnerability that is the old version heard again, of a practice the practice itself.
    """
    claimed = {
        row.key: row
        for row in WorkAction.objects.filter(tenant_id=tenant, site_id=site, state=WorkState.DONE.value)
        if row.claimed_ns is not None
    }
    found: dict[str, str] = {}
    for concern in concerns:
        row = claimed.get(concern.choice.key)
        if row is None or row.pk in found or not concern.devices or row.claimed_ns is None:
            continue
        again = (
            _old_version_heard(concern, row.claimed_ns)
            if concern.vulnerability
            else _practice_seen(site, concern, row.claimed_ns)
        )
        if again:
            found[row.pk] = again
    return found


def _old_version_heard(concern: Concern, since_ns: int) -> str:
    devices = sorted(concern.devices)[:_AT_ONCE]
    members = ProfileMember.objects.filter(device_id__in=devices, until_ns=None)
    verdicts = {
        row.profile_id: row
        for row in VulnerabilityVerdict.objects.filter(
            profile_id__in=members.values("profile_id"), vulnerability=concern.subject, until_ns=None
        )
    }
    for device, profile in members.values_list("device_id", "profile_id"):
        verdict = verdicts.get(profile)
        aspects = verdict.aspects if verdict is not None else []
        own = next((a.get("device_value", "") for a in aspects if a.get("name") == "version"), "")
        if not own:
            continue
        heard = EvidenceEntry.objects.filter(device_id=device, last_seen__gt=since_ns, value__icontains=own)
        entry = heard.order_by("-last_seen").first()
        if entry is not None:
            name = Device.objects.filter(pk=device).values_list("name", flat=True).first() or device
            when = datetime.fromtimestamp(entry.last_seen // NANOSECONDS, UTC).strftime("%Y-%m-%d %H:%M")
            return f"{name} still said {own} ({entry.field}) on {when} UTC"
    return ""


def _practice_seen(site: str, concern: Concern, since_ns: int) -> str:
    type = concern.subject.partition(": ")[0]
    row = (
        Finding.objects.filter(
            site_id=site, type=type, state__in=("open", "acknowledged"), last_seen__gt=since_ns
        )
        .select_related("device")
        .order_by("-last_seen")
        .first()
    )
    if row is None or row.device_id not in concern.devices:
        return ""
    when = datetime.fromtimestamp(row.last_seen // NANOSECONDS, UTC).strftime("%Y-%m-%d %H:%M")
    return f"seen again at {row.device.name or row.device_id} on {when} UTC: {row.title}"


def newest_changes(tenant: str, now_ns: int) -> tuple[object, ...]:
    """Return what differs whenever something changed that actions follow from."""
    verdicts = VulnerabilityVerdict.objects.filter(tenant_id=tenant)
    findings = Finding.objects.filter(tenant_id=tenant)
    people = Irrelevance.objects.filter(tenant_id=tenant)
    borne = RiskAcceptance.objects.filter(tenant_id=tenant)
    return (
        verdicts.aggregate(a=Max("pk"), b=Max("until_ns")),
        ProfileMember.objects.filter(tenant_id=tenant).aggregate(a=Max("pk"), b=Max("until_ns")),
        findings.aggregate(a=Max("changed_ns"), b=Max("last_seen"), c=Count("pk")),
        people.aggregate(a=Max("pk"), b=Max("ended_ns")),
        people.filter(expires_ns__gt=now_ns).count(),
        borne.filter(state="approved", expires_ns__gt=now_ns).count(),
        ScannerSighting.objects.filter(tenant_id=tenant).aggregate(a=Max("pk"), b=Max("until_ns")),
    )
