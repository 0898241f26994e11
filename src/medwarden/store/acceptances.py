"""Risks that are borne for a while: asked for, approved by somebody whose role may, and lapsing.

What is accepted is named word for word; what becomes known later is not. When an acceptance ends, the
findings it covered are open again, and the action has its devices back.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from medwarden.kernel.clock import NANOSECONDS, iso
from medwarden.kernel.errors import ConfigurationError
from medwarden.kernel.ids import stable_id
from medwarden.model.finding import FindingState
from medwarden.model.role import Permission, Role, may
from medwarden.risk.matching.findings import TYPE as VULNERABILITY_TYPE
from medwarden.risk.work.states import AcceptScope, AcceptState
from medwarden.store.changes import Change
from medwarden.store.findings import transition
from medwarden.store.models import (
    Device,
    Finding,
    ProfileMember,
    RiskAcceptance,
    User,
    VulnerabilityVerdict,
    WorkAction,
)
from medwarden.store.work import note_event
from medwarden.store.work_items import CONCERNING, About, covered, subject_of

DAY = 86_400 * NANOSECONDS
_MOST_DEVICES = 5000


class Wish(msgspec.Struct, frozen=True):
    """What somebody asks to be accepted: for which devices of an action, until when, on what conditions.

    ``subjects`` are the vulnerabilities and types of findings; empty for all that the action has now.
    """

    scope: AcceptScope
    expires_ns: int
    devices: tuple[str, ...] = ()
    vendor: str = ""
    model: str = ""
    subjects: tuple[str, ...] = ()
    conditions: str = ""
    subnet: str = ""


def approver_named(tenant: str, name: str) -> str:
    """Return the user name of somebody who may accept risks. Raises ConfigurationError for anybody else."""
    user = User.objects.filter(tenant_id=tenant, username=name, is_active=True).first()
    if user is None or not may(Role(user.role), Permission.ACCEPT_RISK):
        raise ConfigurationError(f"{name[:60]!r} may not accept risks: name somebody whose role may")
    return user.username


def ask(change: Change, action: WorkAction, wish: Wish, *, most_days: int) -> RiskAcceptance:
    """Keep somebody's wish that the risk of an action is accepted; the change's reason is the reason.

    Raises ConfigurationError where nothing or nobody is named, the reason is empty, or the end is not within
    ``most_days`` from now.
    """
    if not change.reason.strip():
        raise ConfigurationError("say why the risk is to be accepted")
    if not change.now_ns < wish.expires_ns <= change.now_ns + most_days * DAY:
        raise ConfigurationError(f"a risk is accepted until a day in the future, {most_days} days at most")
    known = (*action.shown.get("vulnerabilities", ()), *action.shown.get("types", ()))
    subjects = wish.subjects or tuple(known)
    strange = sorted(set(subjects) - set(known))
    if strange or not subjects:
        raise ConfigurationError(
            f"{action.title!r} is not about {', '.join(strange)[:200] or 'anything now'}"
        )
    devices = _devices(action, wish)
    row = RiskAcceptance(
        id=stable_id("wa", action.pk, str(change.now_ns), change.actor, *subjects, *devices),
        tenant_id=change.tenant,
        site_id=action.site_id,
        action=action,
        state=AcceptState.ASKED.value,
        scope=wish.scope.value,
        devices=devices,
        vendor=wish.vendor[:200],
        model=wish.model[:200],
        subjects=list(subjects),
        conditions=wish.conditions.strip()[:2000],
        subnet=wish.subnet.strip()[:49],
        reason=change.reason.strip(),
        asked_by=change.actor[:150],
        asked_ns=change.now_ns,
        expires_ns=wish.expires_ns,
    )
    row.save(force_insert=True)
    said = {"scope": row.scope, "subjects": subjects, "until": iso(row.expires_ns), "id": row.pk}
    note_event(change, action, "asked", None, said, row.reason)
    change.record("work.acceptance_asked", f"work:{action.pk}", None, said, site=action.site_id)
    return row


def _devices(action: WorkAction, wish: Wish) -> list[str]:
    if wish.scope is AcceptScope.MODEL and not (wish.vendor or wish.model):
        raise ConfigurationError("say for which maker and model the risk is accepted")
    if wish.scope is not AcceptScope.DEVICE:
        return []
    known = set(
        Device.objects.filter(site_id=action.site_id, pk__in=wish.devices[:_MOST_DEVICES]).values_list(
            "pk", flat=True
        )
    )
    strange = [device for device in wish.devices if device not in known]
    if strange or not known:
        raise ConfigurationError(f"no such devices at this site: {', '.join(strange)[:200] or 'none named'}")
    return sorted(known)


def decide(change: Change, row: RiskAcceptance, *, approve: bool, approver: str) -> list[str]:
    """Approve or refuse a wish in the name of ``approver``; return the devices whose findings changed.

    Raises ConfigurationError where it was decided already or its time is over.
    """
    if row.state != AcceptState.ASKED.value:
        raise ConfigurationError(f"it is {row.state} already")
    if row.expires_ns <= change.now_ns:
        raise ConfigurationError("the day until which it was asked for is over: ask again")
    row.state = (AcceptState.APPROVED if approve else AcceptState.REFUSED).value
    row.approver, row.decided_ns, row.decided_reason = approver[:150], change.now_ns, change.reason
    row.save(update_fields=["state", "approver", "decided_ns", "decided_reason"])
    said = {"id": row.pk, "approver": approver, "until": iso(row.expires_ns), "subjects": row.subjects}
    what = "accepted" if approve else "refused"
    note_event(change, row.action, what, None, said, change.reason or row.reason)
    change.record(f"work.{what}", f"work:{row.action_id}", None, said, site=row.site_id)
    if not approve:
        return []
    findings = [f for f in findings_of(row) if f.state in ("open", "acknowledged")]
    for finding in findings:
        transition(
            change, finding.pk, FindingState.ACCEPTED, approver=approver, accepted_until_ns=row.expires_ns
        )
    return sorted({finding.device_id for finding in findings})


def end(change: Change, row: RiskAcceptance, state: AcceptState) -> list[str]:
    """End an acceptance: withdrawn by a person, or lapsed; return the devices whose findings are open again.

    Raises ConfigurationError where it does not hold.
    """
    if row.state not in (AcceptState.APPROVED.value, AcceptState.ASKED.value):
        raise ConfigurationError(f"it is {row.state} already")
    held = row.state == AcceptState.APPROVED.value
    row.state, row.ended_ns = state.value, change.now_ns
    row.ended_by, row.ended_reason = change.actor[:150], change.reason
    row.save(update_fields=["state", "ended_ns", "ended_by", "ended_reason"])
    said = {"id": row.pk, "subjects": row.subjects}
    note_event(change, row.action, state.value, said, None, change.reason)
    change.record(f"work.acceptance_{state.value}", f"work:{row.action_id}", said, None, site=row.site_id)
    if not held:
        return []
    findings = [f for f in findings_of(row) if f.state == "accepted"]
    for finding in findings:
        transition(change, finding.pk, FindingState.OPEN)
    return sorted({finding.device_id for finding in findings})


def lapsed(tenant: str, now_ns: int) -> list[RiskAcceptance]:
    """Return acceptances and wishes whose time is over and that were not ended yet."""
    rows = RiskAcceptance.objects.filter(
        tenant_id=tenant,
        state__in=(AcceptState.APPROVED.value, AcceptState.ASKED.value),
        expires_ns__lte=now_ns,
    )
    return list(rows.select_related("action"))


def release_moved(change: Change, row: RiskAcceptance) -> list[str]:
    """Open findings that an acceptance covered at devices that left its subnet; return the devices."""
    about = _about(row)
    here = covered(row, about.keys(), about)
    moved = [
        finding
        for finding in findings_of(row, anywhere=True)
        if finding.state == "accepted"
        and (finding.approver, finding.accepted_until_ns) == (row.approver, row.expires_ns)
        and finding.device_id not in here
    ]
    for finding in moved:
        transition(change, finding.pk, FindingState.OPEN)
    devices = sorted({finding.device_id for finding in moved})
    if devices:
        note_event(change, row.action, "condition", row.subnet, devices, change.reason)
        change.record("work.condition_broken", f"work:{row.action_id}", row.subnet, devices, site=row.site_id)
    return devices


def conditional(tenant: str) -> list[RiskAcceptance]:
    """Return the acceptances that hold only in a subnet."""
    rows = RiskAcceptance.objects.filter(tenant_id=tenant, state=AcceptState.APPROVED.value)
    return list(rows.exclude(subnet="").select_related("action"))


def _about(row: RiskAcceptance) -> About:
    devices = Device.objects.filter(site_id=row.site_id, retired_at=None)
    return {
        pk: (None, vendor or "", model or "", subnet or "")
        for pk, vendor, model, subnet in devices.values_list("pk", "vendor", "model", "subnet")
    }


def findings_of(row: RiskAcceptance, *, anywhere: bool = False) -> list[Finding]:
    """Return the findings that an acceptance covers as a whole; ``anywhere`` forgets its subnet.

    A finding on an advisory is covered where every vulnerability of it that concerns the device is.
    """
    about = _about(row)
    if anywhere:
        about = {pk: (*facts[:3], row.subnet) for pk, facts in about.items()}
    here = covered(row, about.keys(), about)
    subjects = set(row.subjects)
    found = [
        finding
        for finding in Finding.objects.filter(site_id=row.site_id).exclude(type=VULNERABILITY_TYPE)
        if finding.device_id in here and subject_of(finding) in subjects
    ]
    wanted = {
        stable_id("f", row.site_id, device, VULNERABILITY_TYPE, advisory or "records")
        for device, advisory in _whole(row.tenant_id, row.site_id, here, subjects)
    }
    rows = Finding.objects.filter(site_id=row.site_id, type=VULNERABILITY_TYPE)
    return found + [finding for finding in rows if finding.pk in wanted]


def _whole(
    tenant: str, site: str, devices: Collection[str], subjects: Collection[str]
) -> Sequence[tuple[str, str]]:
    """Return (device, advisory) where all that concerns the device of the advisory is among ``subjects``."""
    members = [
        (device, profile)
        for device, profile in ProfileMember.objects.filter(
            tenant_id=tenant, site_id=site, until_ns=None
        ).values_list("device_id", "profile_id")
        if device in devices
    ]
    by_profile: dict[str, dict[str, set[str]]] = {}
    rows = VulnerabilityVerdict.objects.filter(tenant_id=tenant, until_ns=None, state__in=CONCERNING)
    profiles = {profile for _, profile in members}
    for profile, advisory, vulnerability in rows.values_list("profile_id", "advisory", "vulnerability"):
        if profile in profiles:
            by_profile.setdefault(profile, {}).setdefault(advisory, set()).add(vulnerability)
    whole = {
        profile: [advisory for advisory, known in advisories.items() if known <= set(subjects)]
        for profile, advisories in by_profile.items()
    }
    return [(device, advisory) for device, profile in members for advisory in whole.get(profile, ())]
