"""Ends of support of devices: from shipped dates, feeds and the hospital's lists to devices and scores.

Notices are kept in the process as long as knowledge, names and lists stay the same; devices are compared when
they are identified and when any of these changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medwarden.app.vulnerabilities import ALIASES_FILE, own_aliases
from medwarden.kernel.clock import to_datetime, wall_clock
from medwarden.kernel.errors import ResourceError
from medwarden.kernel.ids import stable_id
from medwarden.knowledge.end_of_support import support_ends
from medwarden.knowledge.support_dates import published_dates, shipped_dates
from medwarden.model.life_cycle import Ending, EndOfLife, EndOfSupport, Subject
from medwarden.model.vulnerability import MatchState
from medwarden.risk.lifecycle.engine import RULES, Notices
from medwarden.risk.matching.profile import SURE, Profile
from medwarden.sensors.equipment_headings import own_columns
from medwarden.sensors.support_list import FIELDS, LARGEST, SupportList, read_support_list
from medwarden.store.knowledge import Knowledge
from medwarden.store.open import open_store

if TYPE_CHECKING:
    from medwarden.app.risk_world import Published
    from medwarden.store.life_cycle import ListImport
    from medwarden.store.models import Device
    from medwarden.store.queries.life_cycle import DeviceEnd, SupportListView

STANDING = "support.standing"
"""Setting: by which notices and rules the devices of a tenant were last compared."""

_AT_ONCE = 400
_VENDOR_SURE = 0.5
_SYSTEMS = "the makers' published life cycles"


class _Loaded(msgspec.Struct):
    home: Path
    tenant: str
    stamp: str
    notices: Notices


_loaded: list[_Loaded] = []


def match_support(home: Path, tenant: str, site: str, ids: Sequence[str], cause: str = "") -> set[str]:
    """Note what ends of some devices; return those of which something changed.

    On an open store of a writer.
    """
    from medwarden.app.risk_world import published
    from medwarden.store.changes import Change
    from medwarden.store.life_cycle import devices_compared, record_support

    notices, world = _notices(home, tenant, _stamp(home, tenant)), published(home)
    changed: set[str] = set()
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        stated = _stated(tenant, part)
        found = {
            row.pk: (*stated.get(row.pk, ()), *notices.of(_profile(row)), *_system(row, world))
            for row in devices_compared(tenant, part)
        }
        with Change("rule:support", cause or "devices changed", RULES, tenant=tenant, site=site) as change:
            changed |= record_support(change, found, cause or "the device's identity changed")
    return changed


def refresh_support(home: Path, tenant: str) -> int:
    """Compare all devices anew where notices, names or rules changed; return how many are said otherwise.

    On an open store of a writer. Scores of devices of which something changed fall due.
    """
    from medwarden.store.changes import Change
    from medwarden.store.models import Device, Site
    from medwarden.store.scores import mark_due
    from medwarden.store.settings import set_setting, setting

    stamp = _stamp(home, tenant)
    if setting(STANDING, "", tenant=tenant) == stamp:
        return 0
    moved: set[str] = set()
    for site in Site.objects.filter(tenant_id=tenant).values_list("pk", flat=True):
        ids = list(Device.objects.filter(tenant_id=tenant, site_id=site).values_list("pk", flat=True))
        moved |= match_support(home, tenant, site, ids, "notices of support changed")
    with Change("rule:support", "notices of support changed", RULES, tenant=tenant) as change:
        mark_due(change, sorted(moved))
        set_setting(change, STANDING, stamp)
    return len(moved)


def stated_by_hand(home: Path, tenant: str, site: str, device: str) -> None:
    """Follow a day that a person entered for a device or took away, on an open store of a writer."""
    from medwarden.store.changes import Change
    from medwarden.store.scores import mark_due

    match_support(home, tenant, site, [device], "a day was entered by hand")
    with Change("rule:support", "a day was entered by hand", RULES, tenant=tenant, site=site) as change:
        mark_due(change, [device])


def _stamp(home: Path, tenant: str) -> str:
    """Return what changes whenever devices may be said something else of."""
    from medwarden.store.life_cycle import in_force

    with Knowledge(home) as knowledge:
        edition = knowledge.newest
    path = home / ALIASES_FILE
    names = path.stat().st_mtime_ns if path.is_file() else 0
    said = [RULES, str(edition), str(names), *(notice.id for notice in shipped_dates())]
    said += [f"{row.name}/{row.number}/{row.digest}" for row in in_force(tenant)]
    return hashlib.blake2b("\n".join(said).encode(), digest_size=16).hexdigest()


def _notices(home: Path, tenant: str, stamp: str) -> Notices:
    for held in _loaded:
        if (held.home, held.tenant, held.stamp) == (home, tenant, stamp):
            return held.notices
    fresh = Notices(every_notice(home, tenant), own_aliases(home))
    _loaded[:] = [_Loaded(home, tenant, stamp, fresh)]
    return fresh


def every_notice(home: Path, tenant: str) -> Iterable[EndOfSupport]:
    """Yield every notice: of the hospital's lists first, then of feeds, then those that are shipped."""
    from medwarden.store.life_cycle import listed_ends

    yield from listed_ends(tenant)
    with Knowledge(home) as knowledge:
        for product in knowledge.life_cycles() if knowledge.newest else ():
            read = product.provenance.read_ns
            yield from published_dates(product, to_datetime(read).date().isoformat() if read else "")
    yield from shipped_dates()


def _profile(row: Device) -> Profile:
    return Profile(
        vendor=row.vendor or "",
        model=row.model or "",
        firmware=row.firmware or "",
        vendor_sure=row.confidence.get("vendor", 1.0) >= _VENDOR_SURE,
        model_sure=row.confidence.get("model", 1.0) >= SURE,
    )


def _system(row: Device, world: Published) -> tuple[EndOfLife, ...]:
    """Return the end of security updates of a device's operating system, where that is known."""
    if not row.os:
        return ()
    day = world.support_ends(row.os, row.os_version)
    if day is None:
        return ()
    shipped = support_ends(row.os, row.os_version) is not None
    name = row.os if not row.os_version or row.os_version in row.os else f"{row.os} {row.os_version}"
    source = _SYSTEMS if shipped else "endoflife.date"
    sure = row.confidence.get("os", 1.0) >= _VENDOR_SURE
    doubt = "" if sure else " It may be another one: the inventory is not sure of its system."
    return (
        EndOfLife(
            notice=stable_id("es", "system", name, day.isoformat()),
            subject=Subject.SYSTEM,
            ending=Ending.SECURITY,
            day=day,
            state=MatchState.CONFIRMED if sure else MatchState.POTENTIAL,
            reason=f"It runs {name}; {source} give{'' if shipped else 's'} {day.isoformat()} as the end of "
            f"its security updates.{doubt}",
            source=source,
        ),
    )


def _stated(tenant: str, ids: Sequence[str]) -> dict[str, tuple[EndOfLife, ...]]:
    """Return the days that people entered for devices of their own."""
    from medwarden.app.device_records import SUPPORT_ATTRIBUTE
    from medwarden.store.life_cycle import stated_days

    return {
        device: (
            EndOfLife(
                notice=stable_id("es", "stated", device, value),
                subject=Subject.STATED,
                ending=Ending.SUPPORT,
                day=date.fromisoformat(value),
                state=MatchState.CONFIRMED,
                reason=f"The hospital entered {value} as the end of its support.",
                source="entered by the hospital",
            ),
        )
        for device, value in stated_days(tenant, SUPPORT_ATTRIBUTE, ids)
    }


def import_file(
    home: Path,
    path: Path,
    *,
    actor: str,
    name: str = "",
    mapping: Iterable[str] = (),
    days_first: bool | None = None,
    trial: bool = False,
) -> tuple[SupportList, ListImport | None]:
    """Take a list in (called by its file name unless ``name``) and compare devices with it.

    ``trial`` only shows how it would be read. Raises ResourceError where the file cannot be read,
    MalformedInput where it is no such list and ConfigurationError for a mapping that cannot be.
    """
    try:
        with path.open("rb") as file:
            document = file.read(LARGEST + 1)
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror}") from error
    with open_store(home, writer=True, role="support"):
        from medwarden.store.models import DEFAULT_TENANT

        return import_document(
            home, DEFAULT_TENANT, document, str(path), actor=actor, name=name or path.stem,
            mapping=mapping, days_first=days_first, trial=trial,
        )  # fmt: skip


def import_document(
    home: Path,
    tenant: str,
    document: bytes,
    source: str,
    *,
    actor: str,
    name: str,
    mapping: Iterable[str] = (),
    days_first: bool | None = None,
    trial: bool = False,
) -> tuple[SupportList, ListImport | None]:
    """Do the same on a store that is open already (the console)."""
    from medwarden.store.changes import Change
    from medwarden.store.life_cycle import ListedRow, import_list

    read = read_support_list(document, source, own_columns(mapping, FIELDS), days_first=days_first)
    if trial:
        return read, None
    rows = [
        ListedRow(end.line, end.vendor, end.model, end.version, end.ending, end.day, end.url)
        for end in read.ends
    ]
    with Change(actor, f"ends of support imported from {Path(source).name}", tenant=tenant) as change:
        outcome = import_list(
            change, name, rows, file=Path(source).name, digest=hashlib.sha256(document).hexdigest(),
            columns=read.columns, rejected=read.rejected,
        )  # fmt: skip
    return read, msgspec.structs.replace(outcome, devices=follow_support(home, tenant))


def follow_support(home: Path, tenant: str) -> int:
    """Compare devices with what the lists say now, and score those of which something changed."""
    from medwarden.app.judge import assess_due
    from medwarden.store.models import Site

    moved = refresh_support(home, tenant)
    for site in Site.objects.filter(tenant_id=tenant).values_list("pk", flat=True) if moved else ():
        assess_due(tenant, site)
    return moved


def undone(home: Path, tenant: str, name: str, *, actor: str, reason: str) -> int:
    """Take the latest import of a list back, on an open store; return the number that counts now."""
    from medwarden.store.changes import Change
    from medwarden.store.life_cycle import undo_import

    with Change(actor, reason, tenant=tenant) as change:
        number = undo_import(change, name)
    follow_support(home, tenant)
    return number


def removed(home: Path, tenant: str, name: str, *, actor: str, reason: str) -> None:
    """Remove a list, on an open store."""
    from medwarden.store.changes import Change
    from medwarden.store.life_cycle import remove_list

    with Change(actor, reason, tenant=tenant) as change:
        remove_list(change, name)
    follow_support(home, tenant)


def undo_list(home: Path, name: str, *, actor: str, reason: str) -> int:
    """Take the latest import of a list back; return the number that counts now, 0 for none."""
    with open_store(home, writer=True, role="support"):
        from medwarden.store.models import DEFAULT_TENANT

        return undone(home, DEFAULT_TENANT, name, actor=actor, reason=reason)


def remove_list(home: Path, name: str, *, actor: str, reason: str) -> None:
    """Remove a list with all its imports."""
    with open_store(home, writer=True, role="support"):
        from medwarden.store.models import DEFAULT_TENANT

        removed(home, DEFAULT_TENANT, name, actor=actor, reason=reason)


def lists(home: Path) -> list[SupportListView]:
    """Return the lists in force."""
    with open_store(home, writer=False):
        from medwarden.store.models import DEFAULT_TENANT
        from medwarden.store.queries.life_cycle import support_lists

        return support_lists(DEFAULT_TENANT)


def shown(
    home: Path,
    *,
    when: str = "",
    ending: str = "",
    sure: bool = False,
    text: str = "",
    site: str | None = None,
) -> list[DeviceEnd]:
    """Return what ends of devices, the soonest first, after bringing it up to date."""
    with open_store(home, writer=True, role="support"):
        from medwarden.store.models import DEFAULT_TENANT
        from medwarden.store.queries import Scope
        from medwarden.store.queries.life_cycle import SupportFilter, each_end

        follow_support(home, DEFAULT_TENANT)
        scope = Scope(sites=None if site is None else (site,))
        return list(each_end(scope, SupportFilter(when, ending, sure, text), today()))


def today() -> date:
    """Return the day of now (UTC), which ends are compared with."""
    return to_datetime(wall_clock()).date()
