"""The disclosure forms that count for devices, as risk, patient data and policy take them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Protocol

import msgspec

from medwarden.app.vulnerabilities import own_aliases
from medwarden.knowledge.mds2_disclosure import disclosure_of, needs_of
from medwarden.model.mds2 import Disclosure, NetworkNeeds
from medwarden.risk.mds2_naming import Naming
from medwarden.store.chain import folder_of_database
from medwarden.store.mds2 import counting_forms, standing_series, words_of


class Named(Protocol):
    """What of a device decides which form is of it."""

    @property
    def id(self) -> str:
        """Return its id."""
        ...

    @property
    def vendor(self) -> str | None:
        """Return its maker."""
        ...

    @property
    def model(self) -> str | None:
        """Return its model."""
        ...


class Disclosed:
    """What makers disclose of the devices of a tenant, as it stands when it is first asked for.

    On an open store. Forms are read once for all devices of a model.
    """

    def __init__(self, tenant: str) -> None:
        self._tenant = tenant
        self._read: dict[str, Disclosure] = {}

    @cached_property
    def naming(self) -> Naming:
        """Return the rules by which forms are found."""
        series = standing_series(self._tenant)
        if not series:
            return Naming(())
        home = folder_of_database()
        return Naming(series, words_of(self._tenant), None if home is None else own_aliases(home))

    def of(self, devices: Iterable[Named]) -> dict[str, Disclosure]:
        """Return, by device, what its maker discloses; devices without a form are left out."""
        fits = {each.id: fit for each in devices if (fit := self.naming.of(each.id, each.vendor, each.model))}
        missing = {fit.series for fit in fits.values()} - set(self._read)
        for series, (identifier, form, at_ns) in counting_forms(self._tenant, missing).items():
            self._read[series] = disclosure_of(identifier, form, at_ns)
        return {
            device: msgspec.structs.replace(self._read[fit.series], attached=fit.why)
            for device, fit in fits.items()
            if fit.series in self._read
        }


def disclosure_for(tenant: str, device: Named) -> Disclosure | None:
    """Return what the maker of one device discloses, or None without a form; on an open store."""
    return Disclosed(tenant).of([device]).get(device.id)


def network_needs(tenant: str, devices: Sequence[Named]) -> dict[str, NetworkNeeds]:
    """Return, by device, what its maker says that it needs of the network: for the author of a policy.

    The ports are those that the form names, what the device may use by its maker's word. Whether service from
    afar, the internet or systems outside are needed stands beside them; None where the form leaves it open.
    On an open store; devices without a form are left out.
    """
    return {device: needs_of(disclosure) for device, disclosure in Disclosed(tenant).of(devices).items()}
