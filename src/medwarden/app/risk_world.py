"""What the assessment of devices of a site takes from the world: rules, knowledge, other engines' answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cached_property
from pathlib import Path

import msgspec

from medwarden.app.device_records import Enforced, live_findings, records_of
from medwarden.app.disclosures import Disclosed
from medwarden.app.risk_rules import rules_in_force
from medwarden.kernel.clock import wall_clock
from medwarden.knowledge.end_of_support import support_ends
from medwarden.knowledge.taxonomy import categories
from medwarden.model.device import Device
from medwarden.model.feed import Cycle, LifeCycle, ProductCode
from medwarden.risk.context import DeviceRecord, FdaFacts, RiskContext
from medwarden.risk.weights import Rules
from medwarden.store.chain import folder_of_database
from medwarden.store.knowledge import Knowledge
from medwarden.store.queries.known import Known


class Published(msgspec.Struct, frozen=True):
    """What feeds say of kinds of devices and of operating systems."""

    edition: int
    codes: dict[str, ProductCode]
    systems: dict[str, LifeCycle]

    def fda(self, category: str) -> FdaFacts | None:
        """Return how the FDA classifies the product codes of a category, the highest class; None unknown."""
        kind = categories().get(category)
        if kind is None:
            return None
        found = [self.codes[code] for code in kind.fda_product_codes if code in self.codes]
        ranked = [code for code in found if code.device_class in ("1", "2", "3")]
        if not ranked:
            return None
        highest = max(int(code.device_class) for code in ranked)
        names = tuple(code.id for code in ranked if int(code.device_class) == highest)
        return FdaFacts(highest, names, any(code.life_support for code in found))

    def support_ends(self, os: str, os_version: str | None) -> date | None:
        """Return until when a system gets security updates: by the shipped table, else by the feed."""
        known = support_ends(os, os_version)
        if known is not None or not os_version:
            return known
        product = self.systems.get(os.lower()) or self.systems.get(os.lower().replace(" ", "-"))
        if product is None:
            return None
        version = os_version.lower()
        for cycle in sorted(product.cycles, key=lambda c: -len(c.name)):
            if version == cycle.name.lower() or version.startswith(f"{cycle.name.lower()}."):
                return _last_day(cycle)
        return None


_published: list[tuple[Path, Published]] = []


def published(home: Path | None) -> Published:
    """Return what feeds say, read again only when knowledge changed."""
    if home is None:
        return Published(0, {}, {})
    with Knowledge(home) as knowledge:
        edition = knowledge.newest
        for path, kept in _published:
            if path == home and kept.edition == edition:
                return kept
        systems: dict[str, LifeCycle] = {}
        if edition:
            for cycle in knowledge.life_cycles():
                systems[cycle.id.lower()] = cycle
                systems.setdefault(cycle.title.lower(), cycle)
        fresh = Published(edition, knowledge.product_codes() if edition else {}, systems)
    _published[:] = [(home, fresh)]
    return fresh


def _last_day(cycle: Cycle) -> date | None:
    days = [day for day in (cycle.security_ends, cycle.support_ends) if day]
    try:
        return max((date.fromisoformat(day[:10]) for day in days), default=None)
    except ValueError:
        return None  # a publisher's date that is none: nothing is known


class World:
    """Everything that is asked for while devices of one site are assessed; read once, as it is needed."""

    def __init__(self, tenant: str, site: str) -> None:
        self.tenant = tenant
        self.site = site
        self._home = folder_of_database()

    @cached_property
    def rules(self) -> Rules:
        """Return the rules in force."""
        return rules_in_force(self._home)

    @cached_property
    def _known(self) -> Known:
        return Known(self.tenant, wall_clock())

    @cached_property
    def _disclosed(self) -> Disclosed:
        return Disclosed(self.tenant)

    @cached_property
    def _enforced(self) -> Enforced:
        return Enforced(self.tenant, self.site)

    @cached_property
    def _published(self) -> Published:
        return published(self._home)

    def around(self, context: RiskContext, devices: Sequence[Device]) -> RiskContext:
        """Return ``context`` with what is known of ``devices``, a few hundred of one site."""
        return msgspec.structs.replace(
            context,
            support_ends=self._published.support_ends,
            vulnerabilities=self._known.of([device.id for device in devices]),
            records=records_of(self.tenant, devices, self._enforced),
            fda=self._published.fda,
            rules=self.rules,
            disclosures=self._disclosed.of(devices),
        )

    def enforces(self, device: Device) -> bool:
        """Tell whether a policy is enforced for ``device``: its score depends on traffic then."""
        return self._enforced.of(device) is not None

    def touched(self, devices: Sequence[Device], now_ns: int) -> RiskContext:
        """Return what factors that can change alone look at: vulnerabilities, findings of others, rules.

        ``devices`` are a few hundred of the site for which no policy is enforced.
        """
        ids = [device.id for device in devices]
        findings = live_findings(self.tenant, ids)
        return RiskContext(
            now_ns, {}, {}, {}, {},
            vulnerabilities=self._known.of(ids),
            records={device: DeviceRecord(findings=found) for device, found in findings.items()},
            rules=self.rules,
        )  # fmt: skip
