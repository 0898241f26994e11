"""What recalls are compared with at a device: maker, models, UDI-DI, lot, serial number, firmware, dates."""

from __future__ import annotations

import msgspec


class Said(msgspec.Struct, frozen=True):
    """A value and where it stands: an evidence field, ``book:NAME``, ``udi``."""

    value: str
    field: str


class DeviceFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """One device as recalls look at it; an empty part is not known.

    ``vendor_sure`` and ``model_sure`` tell whether the inventory is sure of them. ``made`` is the day of
    manufacture, ``bought`` the day of purchase (ISO 8601; a month or a year alone will do).
    """

    device: str
    label: str = ""
    vendor: str = ""
    vendor_sure: bool = True
    model_sure: bool = True
    models: tuple[Said, ...] = ()
    identifiers: tuple[Said, ...] = ()
    lots: tuple[Said, ...] = ()
    serials: tuple[Said, ...] = ()
    firmware: tuple[Said, ...] = ()
    made: tuple[Said, ...] = ()
    bought: tuple[Said, ...] = ()

    @property
    def product(self) -> tuple[object, ...]:
        """Return what tells products apart: devices with the same are judged by product only once."""
        return self.vendor, self.vendor_sure, self.model_sure, self.models, self.identifiers
