"""The same device as it was known earlier: what a model has to learn to be unsure of."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from medwarden.inventory.labels.example import Example, example_of
from medwarden.kernel.clock import NANOSECONDS
from medwarden.model.device import Device

MOMENTS = (5, 60, 600)
"""Seconds after a device was first heard at which it is looked at beside the end."""


def heard_until(device: Device, moment: int) -> Device:
    """Return a device with what had been heard of it by a moment, in nanoseconds since the epoch.

    Conversations that began by then are whole: their sums have no moments in them.
    """
    return msgspec.structs.replace(
        device,
        ledger=tuple(entry for entry in device.ledger if entry.first_seen <= moment),
        services=tuple(service for service in device.services if service.first_seen <= moment),
        conversations=tuple(talk for talk in device.conversations if talk.first_seen <= moment),
        last_seen=min(device.last_seen, moment),
    )


def examples_in_time(
    device: Device, labels: Mapping[str, str | None], *, group: str, weight: float = 1.0
) -> list[Example]:
    """Return a device as an example now and at each of :data:`MOMENTS`, those alike once.

    Together they count as much as one.
    """
    views = [device]
    views += [heard_until(device, device.first_seen + seconds * NANOSECONDS) for seconds in MOMENTS]
    distinct: dict[tuple[object, object], Example] = {}
    for view in views:
        example = example_of(view, labels, group=group)
        distinct.setdefault((example.entries, example.behaviour), example)
    share = weight / len(distinct)
    return [msgspec.structs.replace(example, weight=share) for example in distinct.values()]
