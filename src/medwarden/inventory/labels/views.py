"""The same device as it was known earlier, and without names: what a model has to learn to be unsure of."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from medwarden.inventory.labels.example import Example, example_of
from medwarden.inventory.labels.tokens import NAME_FIELDS
from medwarden.kernel.clock import NANOSECONDS
from medwarden.knowledge.fingerprints.rules import FIELD_GROUPS
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


_PRODUCT = frozenset(
    {
        *NAME_FIELDS,
        *FIELD_GROUPS["@products"],
        *FIELD_GROUPS["@makers"],
        *FIELD_GROUPS["@banners"],
        *("http.title", "http.server", "http.www_authenticate", "snmp.sys_descr", "snmp.sys_object_id"),
        *("dicom.model_name", "dicom.implementation_version_name", "hl7.sending_application"),
        *("tls.certificate_subject", "tls.certificate_issuer"),
    }
)


def unnamed(device: Device) -> Device:
    """Return a device as it would be if it said nothing of its product and had no name.

    Lesser models of a maker are so, and names are the house's: a kind is learnt by what is left as well.
    """
    return msgspec.structs.replace(
        device, ledger=tuple(entry for entry in device.ledger if entry.field not in _PRODUCT)
    )


def examples_in_time(
    device: Device, labels: Mapping[str, str | None], *, group: str, weight: float = 1.0
) -> list[Example]:
    """Return a device as an example now, at each of :data:`MOMENTS`, and unnamed, those alike once.

    Together they count as much as one.
    """
    views = [device, unnamed(device)]
    views += [heard_until(device, device.first_seen + seconds * NANOSECONDS) for seconds in MOMENTS]
    distinct: dict[tuple[object, object], Example] = {}
    for view in views:
        example = example_of(view, labels, group=group)
        distinct.setdefault((example.entries, example.behaviour), example)
    share = weight / len(distinct)
    return [msgspec.structs.replace(example, weight=share) for example in distinct.values()]
