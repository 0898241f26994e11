"""What matching looks at of a device; devices of one profile share their verdicts."""

from __future__ import annotations

import msgspec

SURE = 0.8
"""Confidence from which a maker or model counts as known; below it a match is at most potential."""


class Software(msgspec.Struct, frozen=True):
    """An application that was heard, or a component of a bill of materials; ``field`` is where it stands.

    ``doubt`` says in words why its version does not settle the matter, empty where it does.
    """

    name: str
    version: str = ""
    vendor: str = ""
    purl: str = ""
    cpe: str = ""
    field: str = ""
    doubt: str = ""


class Profile(msgspec.Struct, frozen=True):
    """The identity of one or many devices, as far as vulnerabilities go.

    ``vendor_sure`` and ``model_sure`` tell whether the inventory is sure of them (confidence from
    :data:`SURE` on). ``updates`` are knowledge base articles known to be installed, ``build`` the fullest
    build of the system that was seen (10.0.17763.7434). ``vendor_in_model`` tells that the vendor was taken
    from the model's name. An empty text is not known.
    """

    vendor: str = ""
    model: str = ""
    firmware: str = ""
    os: str = ""
    os_version: str = ""
    serial: str = ""
    category: str = ""
    vendor_sure: bool = True
    model_sure: bool = True
    software: tuple[Software, ...] = ()
    updates: frozenset[str] = frozenset()
    build: str = ""
    vendor_in_model: bool = False

    @property
    def label(self) -> str:
        """Return maker and model in words."""
        if self.vendor_in_model:
            return self.model
        said = self.model.lower().startswith(self.vendor.lower())
        made = self.model if said else " ".join(part for part in (self.vendor, self.model) if part)
        return made or self.os or "the device"
