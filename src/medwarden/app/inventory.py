"""What commands show of the stored inventory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medwarden.app.log_intake import source_tells
from medwarden.assessment.positions import next_positions
from medwarden.assessment.result import Gap
from medwarden.assessment.sources import source_gaps
from medwarden.inventory.clinical_peers import ClinicalPeers
from medwarden.inventory.export import to_contract
from medwarden.kernel.clock import iso
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.accounting import InputReport
from medwarden.model.device import Device
from medwarden.model.visibility import Heard, Position, SubnetSight
from medwarden.store.open import open_store

if TYPE_CHECKING:
    from medwarden.store.queries import DeviceFilter, Scope

_AT_ONCE = 200


class Wanted(msgspec.Struct, frozen=True):
    """Which devices a command shows: text to find, and exact class, category and site."""

    text: str = ""
    device_class: str | None = None
    category: str | None = None
    site: str | None = None


def contract_devices(home: Path, wanted: Wanted) -> Iterator[dict[str, object]]:
    """Yield the devices that match, in the form of the published contract."""
    with open_store(home, writer=False):
        from medwarden.store import queries
        from medwarden.store.queries.books import book_facts

        ids = queries.device_ids(queries.Scope(), _filter(wanted))
        for start in range(0, len(ids), _AT_ONCE):
            part = ids[start : start + _AT_ONCE]
            booked = book_facts(part)
            for device in queries.complete_devices(part):
                risk = queries.risk(queries.Scope(), device.id)
                yield to_contract(device, risk, booked.get(device.id, ()))


def device_rows(home: Path, wanted: Wanted) -> list[tuple[object, ...]]:
    """Return the devices that match as rows of a table for people."""
    with open_store(home, writer=False):
        from medwarden.store import queries

        return [
            (
                row.id,
                row.name,
                row.device_class,
                row.category,
                row.vendor,
                row.model,
                ", ".join(row.ips[:2]),
                ", ".join(row.macs[:2]),
                row.risk_score,
                iso(row.last_seen)[:19],
            )
            for row in queries.each_device(queries.Scope(), _filter(wanted), sort="-risk")
        ]


def contract_device(home: Path, identifier: str) -> dict[str, object]:
    """Return one device in the form of the contract. Raises ConfigurationError when there is none."""
    with open_store(home, writer=False):
        from medwarden.store import queries
        from medwarden.store.queries.books import book_facts

        found = one_device(identifier)
        booked = book_facts([found.id]).get(found.id, ())
        return to_contract(found, queries.risk(queries.Scope(), found.id), booked)


def one_device(identifier: str, scope: Scope | None = None) -> Device:
    """Return the stored device with this id, MAC or IP address, complete, of those that ``scope`` holds.

    Raises ConfigurationError when there is none, or several hold the address at different sites.
    """
    from medwarden.store import queries

    scope = scope or queries.Scope()
    found = queries.device(scope, identifier)
    if found is not None:
        return found
    page = queries.devices(scope, queries.DeviceFilter(text=identifier), limit=2)
    if page.total > 1:
        raise ConfigurationError(f"{page.total} devices match {identifier[:80]!r}: name one by its id")
    if not page.items:
        raise ConfigurationError(
            f"no device is called {identifier[:80]!r}: "
            "give an id, a MAC or an IP address from `medwarden devices`"
        )
    return queries.complete_devices([page.items[0].id])[0]


def finding_rows(home: Path, *, everything: bool = False) -> list[dict[str, object]]:
    """Return findings as plain rows, gravest first; only those that want somebody unless ``everything``."""
    with open_store(home, writer=False):
        from medwarden.store import queries

        rows: list[dict[str, object]] = []
        wanted = (
            queries.FindingFilter() if everything else queries.FindingFilter(state=("open", "acknowledged"))
        )
        offset = 0
        while True:
            page = queries.findings(queries.Scope(), wanted, offset=offset, limit=500)
            rows += [msgspec.to_builtins(row) for row in page.items]
            offset += len(page.items)
            if offset >= page.total or not page.items:
                return rows


def _filter(wanted: Wanted) -> DeviceFilter:
    from medwarden.store.queries import DeviceFilter

    def one(value: str | None) -> tuple[str, ...]:
        return () if value is None else (value,)

    return DeviceFilter(
        text=wanted.text,
        device_class=one(wanted.device_class),
        category=one(wanted.category),
        site=one(wanted.site),
    )


def names_known(home: Path) -> ClinicalPeers:
    """Return who answers to which AE title and HL7 application, and the disputes over names."""
    with open_store(home, writer=False):
        from medwarden.store import queries

        return queries.clinical_peers(queries.Scope())


def battery_rows(home: Path) -> list[dict[str, object]]:
    """Return the batteries of pumps and monitors as plain rows, the emptiest first."""
    with open_store(home, writer=False):
        from medwarden.store import queries

        return [
            {
                "device": row.battery.device,
                "equipment": row.battery.equipment or row.label,
                "told_by": row.label,
                "location": row.location,
                "percent": row.battery.percent,
                "power": row.battery.power,
                "seen": iso(row.battery.seen),
            }
            for row in queries.battery_levels(queries.Scope())
        ]


class Sight(msgspec.Struct, frozen=True):
    """How well the network is seen, what each sensor hears, what to connect next, what logs cannot tell."""

    subnets: tuple[SubnetSight, ...]
    heard: tuple[Heard, ...]
    positions: tuple[Position, ...]
    limits: tuple[Gap, ...] = ()


def sight(home: Path) -> Sight:
    """Return what is seen of the network and what is not."""
    with open_store(home, writer=False):
        from medwarden.store import queries

        subnets = queries.subnet_sights(queries.Scope())
        heard = queries.heard_by_sensor(queries.Scope())
        limits = limits_of(queries.forms_read(queries.Scope()))
        return Sight(tuple(subnets), tuple(heard), next_positions(subnets), limits)


def limits_of(read: list[InputReport]) -> tuple[Gap, ...]:
    """Return what each kind of log that was read cannot tell, and whether another source makes up for it."""
    return tuple(source_gaps(read, source_tells(read)))
