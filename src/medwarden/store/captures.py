"""Captures on demand in the store: jobs with who asked and why, their end, and every download, audited."""

from __future__ import annotations

import msgspec

from medwarden.kernel.errors import ConfigurationError
from medwarden.kernel.ids import stable_id
from medwarden.store.changes import Change
from medwarden.store.models import DEFAULT_SITE, CaptureJob
from medwarden.store.queries.scope import Page, Scope, bounds

RUNNING, DONE, FAILED = "running", "done", "failed"


class CaptureRow(msgspec.Struct, frozen=True):
    """One capture job as lists show it."""

    id: str
    site: str
    device: str
    label: str
    interface: str
    macs: list[str]
    ips: list[str]
    seconds: int
    megabytes: int
    packets_limit: int | None
    folder: str
    reason: str
    who: str
    state: str
    stop_asked: bool
    ended_by: str
    error: str
    process: int
    created_ns: int
    ended_ns: int | None
    packets: int
    dropped: int
    bytes: int
    files: list[str]


class CaptureFilter(msgspec.Struct, frozen=True, omit_defaults=True):
    """Conditions that all hold; an empty one matches everything."""

    device: str = ""
    state: tuple[str, ...] = ()
    text: str = ""


class NewCapture(msgspec.Struct, frozen=True):
    """What a capture is to record: whose packets, where, within which limits."""

    device: str
    label: str
    interface: str
    macs: tuple[str, ...]
    ips: tuple[str, ...]
    seconds: int
    megabytes: int
    packets: int | None
    folder: str
    process: int


SORTS: dict[str, str] = {
    "created": "created_ns",
    "device": "label",
    "state": "state",
    "bytes": "bytes",
    "who": "who",
}


def begin_capture(change: Change, wanted: NewCapture) -> str:
    """Enter a capture that begins now, in the name and for the reason of the change; return its id.

    Raises ConfigurationError without a reason.
    """
    if not change.reason.strip():
        raise ConfigurationError("say why the device is captured: --reason")
    site = change.site or DEFAULT_SITE
    identifier = stable_id("cap", change.tenant, site, wanted.device, str(change.now_ns), str(wanted.process))
    CaptureJob.objects.create(
        id=identifier,
        tenant_id=change.tenant,
        site_id=site,
        device=wanted.device,
        label=wanted.label[:512],
        interface=wanted.interface,
        macs=list(wanted.macs),
        ips=list(wanted.ips),
        seconds=wanted.seconds,
        megabytes=wanted.megabytes,
        packets_limit=wanted.packets,
        folder=f"{wanted.folder}/{identifier}",
        reason=change.reason,
        who=change.actor,
        state=RUNNING,
        process=wanted.process,
        created_ns=change.now_ns,
    )
    change.record("capture.begun", f"capture:{identifier}", None, wanted, site=site)
    return identifier


def end_capture(
    change: Change,
    identifier: str,
    *,
    ended_by: str,
    error: str,
    packets: int,
    dropped: int,
    size: int,
    files: list[str],
) -> None:
    """Complete a capture with what came of it."""
    state = FAILED if error else DONE
    CaptureJob.objects.filter(tenant_id=change.tenant, pk=identifier).update(
        state=state,
        ended_by=ended_by,
        error=error,
        packets=packets,
        dropped=dropped,
        bytes=size,
        files=files,
        ended_ns=change.now_ns,
    )
    after = {"state": state, "ended_by": ended_by, "packets": packets, "dropped": dropped}
    change.record("capture.ended", f"capture:{identifier}", {"state": RUNNING}, after)


def ask_to_stop(change: Change, identifier: str) -> None:
    """Ask a running capture to end. Raises ConfigurationError where none of that id runs."""
    asked = CaptureJob.objects.filter(tenant_id=change.tenant, pk=identifier, state=RUNNING)
    if not asked.update(stop_asked=True):
        raise ConfigurationError(f"no capture {identifier[:40]!r} is running")
    change.record("capture.stop_asked", f"capture:{identifier}", None, True)


def is_stop_asked(identifier: str) -> bool:
    """Tell whether somebody asked this capture to end."""
    return CaptureJob.objects.filter(pk=identifier, stop_asked=True).exists()


def record_export(change: Change, identifier: str, *, raw: bool, target: str) -> None:
    """Write to the audit chain who fetched a capture, whether with patients (``raw``), and why."""
    action = "capture.exported_raw" if raw else "capture.exported"
    change.record(action, f"capture:{identifier}", None, {"to": target})


def remove_capture(change: Change, identifier: str) -> None:
    """Note that the files of a capture were deleted; the job stays, without files."""
    rows = CaptureJob.objects.filter(tenant_id=change.tenant, pk=identifier).exclude(state=RUNNING)
    if not rows.update(files=[]):
        raise ConfigurationError(f"there is no ended capture {identifier[:40]!r}")
    change.record("capture.removed", f"capture:{identifier}", None, None)


def captures(
    scope: Scope,
    wanted: CaptureFilter | None = None,
    *,
    sort: str = "-created",
    offset: int = 0,
    limit: int = 50,
) -> Page[CaptureRow]:
    """Return a page of captures. ``sort`` is a key of :data:`SORTS`, with ``-`` for descending.

    Raises ConfigurationError for another one.
    """
    wanted = wanted or CaptureFilter()
    offset, limit = bounds(offset, limit)
    name, sign = sort.removeprefix("-"), "-" if sort.startswith("-") else ""
    if name not in SORTS:
        raise ConfigurationError(f"captures cannot be sorted by {name[:40]!r}: use one of {', '.join(SORTS)}")
    rows = scope.over(CaptureJob.objects.all())
    if wanted.device:
        rows = rows.filter(device=wanted.device)
    if wanted.state:
        rows = rows.filter(state__in=wanted.state)
    for term in wanted.text.split()[:8]:
        rows = rows.filter(label__icontains=term) | rows.filter(reason__icontains=term)
    columns = tuple("site_id" if f == "site" else f for f in CaptureRow.__struct_fields__)
    chosen = rows.order_by(f"{sign}{SORTS[name]}", "pk").values_list(*columns)
    items = tuple(CaptureRow(*values) for values in chosen[offset : offset + limit])
    return Page(items, rows.count(), offset, limit)


def capture(scope: Scope, identifier: str) -> CaptureRow | None:
    """Return one capture, or None."""
    columns = tuple("site_id" if f == "site" else f for f in CaptureRow.__struct_fields__)
    values = scope.over(CaptureJob.objects.all()).filter(pk=identifier).values_list(*columns).first()
    return None if values is None else CaptureRow(*values)
