"""Kinds of devices, quantities and times in words, the same in every part of the report."""

from __future__ import annotations

from collections.abc import Iterable

from medwarden.kernel.clock import NANOSECONDS, to_datetime
from medwarden.knowledge.taxonomy import categories
from medwarden.model.device import Device, DeviceClass

DAY = 86_400 * NANOSECONDS
CLASS_NAMES = {
    DeviceClass.IOMT: "Medical (IoMT)",
    DeviceClass.IOT: "Other IoT",
    DeviceClass.OT: "Building and plant (OT)",
    DeviceClass.IT: "IT",
    DeviceClass.NET: "Network",
    DeviceClass.UNKNOWN: "Not identified",
}


SERVER_CATEGORIES = frozenset(
    {"ehr_server", "interface_engine", "server", "hypervisor", "domain_controller", "storage"}
)
"""IT that belongs beside clinical servers; the risk factor for shared segments draws the same line."""


def is_stranger(device: Device) -> bool:
    """Tell whether ``device`` has no business in a segment of medical devices: office IT and other IoT."""
    if is_medical(device):
        return False
    office = device.device_class is DeviceClass.IT and device.category not in SERVER_CATEGORIES
    return office or device.device_class is DeviceClass.IOT


def is_medical(device: Device) -> bool:
    """Tell whether ``device`` is used in care: by its category, else by its class."""
    known = categories().get(device.category or "")
    return known.medical if known else device.device_class is DeviceClass.IOMT


def category_name(category: str | None) -> str:
    """Return how a person calls a category id."""
    if category is None:
        return "Not identified"
    known = categories().get(category)
    return known.name if known else category


def what(device: Device) -> str:
    """Return what a device is in a few words: category, then maker and model where known."""
    kind = category_name(device.category) if device.category else CLASS_NAMES[device.device_class]
    made = " ".join(part for part in (device.vendor, device.model) if part)
    return f"{kind}, {made}" if made else kind


def quantity(number: int, noun: str, plural: str | None = None) -> str:
    """Return ``number`` with its noun: ``1 device``, ``1,204 devices``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def percent(share: float) -> str:
    """Return a share as whole per cent; 100 % and 0 % are said only where they are exact."""
    if 0 < share < 0.01:
        return "under 1\u00a0%"
    if 0.99 < share < 1:
        return "over 99\u00a0%"
    return f"{share * 100:.0f}\u00a0%"


def listed(items: Iterable[str], most: int = 3) -> str:
    """Return distinct ``items`` in their order as a phrase: ``a, b and 4 more``."""
    distinct = list(dict.fromkeys(items))
    if len(distinct) > most:
        return f"{', '.join(distinct[:most])} and {len(distinct) - most:,} more"
    if len(distinct) > 1:
        return f"{', '.join(distinct[:-1])} and {distinct[-1]}"
    return "".join(distinct)


def duration(span: int) -> str:
    """Return a span of nanoseconds in its natural unit: ``14.0 days``, ``3.2 hours``, ``45 seconds``."""
    seconds = span / NANOSECONDS
    for size, noun in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size or (size == 60 and seconds >= size):
            return f"{seconds / size:.1f} {noun}"
    return f"{seconds:.0f} seconds"


def moment(ts_ns: int) -> str:
    """Return a time to the minute in UTC, or a dash for none."""
    return to_datetime(ts_ns).strftime("%Y-%m-%d %H:%M") if ts_ns else "–"


def volume(size: int) -> str:
    """Return bytes in a decimal unit (IEC 80000-13): ``812 B``, ``4.1 GB``."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
