"""Where a device is: on the network and in the building, and what says so."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class PlanKey(StrEnum):
    """What a row of a floor plan is found by, the most exact first."""

    MAC = "mac"
    SWITCH_PORT = "switch_port"  # "switch port" separated by a blank
    CIRCUIT = "circuit"  # DHCP relay agent circuit id (RFC 3046)
    ACCESS_POINT = "access_point"
    STATION = "station"  # DICOM station name or AE title
    UNIT = "unit"  # HL7 point of care, e.g. ICU
    SWITCH = "switch"
    SUBNET = "subnet"
    VLAN = "vlan"


class PlanRow(msgspec.Struct, frozen=True):
    """One line of a hospital's own plan: what is known by ``key`` is at this place.

    ``line`` counts from 1, the heading included; 0 where the row came from no table.
    """

    kind: PlanKey
    key: str
    building: str | None = None
    floor: str | None = None
    room: str | None = None
    department: str | None = None
    line: int = 0


class PlaceBasis(msgspec.Struct, frozen=True):
    """Why a part of a place is what it is: the fact it rests on, and the plan's key where one decided."""

    part: str
    value: str
    field: str
    evidence: str
    plan: PlanKey | None = None


class Place(msgspec.Struct, frozen=True):
    """Where a device is. Absent parts are None, never guessed.

    ``switch``, ``port``, ``access_point`` and ``ssid`` are where it is attached; ``said`` is what the
    device or its data say of the place in their own words; ``basis`` explains each part that is not None.
    """

    building: str | None = None
    floor: str | None = None
    room: str | None = None
    department: str | None = None
    switch: str | None = None
    port: str | None = None
    access_point: str | None = None
    ssid: str | None = None
    said: str | None = None
    basis: tuple[PlaceBasis, ...] = ()

    @property
    def label(self) -> str | None:
        """Return the place in one line, the building first; where it is attached if that is all there is."""
        inside = [part for part in (self.building, self.floor, self.room) if part]
        if inside:
            return ", ".join(inside)
        if self.said or self.department:
            return self.said or self.department
        attached = " ".join(part for part in (self.switch, self.port) if part)
        return self.access_point or attached or None


PARTS = ("building", "floor", "room", "department", "switch", "port", "access_point", "ssid", "said")
"""The parts of a place, as lists and exports name them."""
