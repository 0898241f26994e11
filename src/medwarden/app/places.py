"""The hospital's plan of places: taken in from a table, shown, and devices placed by it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medwarden.inventory.plan import LARGEST, PlanProblem, read_plan
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.model.place import PlanRow
from medwarden.store.open import open_store

if TYPE_CHECKING:
    from medwarden.store.places import PlanCount


class PlanImport(msgspec.Struct, frozen=True):
    """What an import came to: rows in use, lines that could not be used, devices placed anew."""

    rows: int
    before: int
    devices: int
    problems: tuple[PlanProblem, ...]


def import_plan(home: Path, path: Path, *, actor: str, site: str | None = None) -> PlanImport:
    """Replace the plan of a site by the table in ``path`` (CSV in UTF-8 or Windows-1252) and place devices.

    Raises ResourceError where the file cannot be read, and ConfigurationError where no line of it can be
    used: the plan that stands is then kept.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise ConfigurationError(f"{path}: larger than {LARGEST >> 20} MiB, which no floor plan is")
        data = path.read_bytes()
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror}") from error
    with open_store(home, writer=True, role="plan"):
        return import_stored(data, str(path), actor=actor, site=site)


def import_stored(data: bytes, name: str, *, actor: str, site: str | None = None) -> PlanImport:
    """Do the same on a store that is open already (the console)."""
    rows, problems = read_plan(_text(data))
    if not rows:
        line, reason = (problems[0].line, problems[0].reason) if problems else (1, "the file is empty")
        raise ConfigurationError(f"{name}, line {line}: {reason}; the plan was left as it is")
    count = import_rows(rows, Path(name).name, actor=actor, site=site)
    return PlanImport(count.rows, count.before, count.devices, problems)


def import_rows(rows: Sequence[PlanRow], name: str, *, actor: str, site: str | None = None) -> PlanCount:
    """Replace the plan of a site by ``rows`` and place its devices anew, on a store that is open already."""
    from medwarden.app.judge import judge_stale
    from medwarden.store.changes import Change
    from medwarden.store.open import ensure_site
    from medwarden.store.places import replace_plan

    tenant, place = ensure_site(None, site)
    with Change(actor, f"plan imported from {name}", tenant=tenant, site=place) as change:
        count = replace_plan(change, place, rows)
    judge_stale(tenant, place)
    return count


def _text(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def plan_of(home: Path, site: str | None = None) -> list[PlanRow]:
    """Return the plan of a site, sorted by kind and key."""
    with open_store(home, writer=False):
        from medwarden.store.models import DEFAULT_SITE, DEFAULT_TENANT
        from medwarden.store.places import plan_rows

        return plan_rows(DEFAULT_TENANT, site or DEFAULT_SITE)
