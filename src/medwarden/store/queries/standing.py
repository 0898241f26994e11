"""Who stands at an address, and who listens: what the interlock must know of the inventory."""

from __future__ import annotations

import ipaddress

import msgspec

from medwarden.kernel.clock import NANOSECONDS
from medwarden.knowledge.taxonomy import categories
from medwarden.model.accounting import InputReport
from medwarden.operations.in_use import clinical_protocols
from medwarden.store.models import Address, Conversation, Device, EvidenceEntry, InputLedger
from medwarden.store.queries.filters import order_of

LATELY_S = 24 * 60 * 60
"""Who held an address within this many seconds may hold it still."""

_ALIVE_S = 60
_LOST = 0.001


def standing_at(tenant: str, site: str, ip: str, now_ns: int) -> list[str]:
    """Return the ids of all devices that hold ``ip`` or held it within :data:`LATELY_S`."""
    rows = Address.objects.filter(tenant_id=tenant, site_id=site, ip=ip)
    lately = now_ns - LATELY_S * NANOSECONDS
    return sorted({device for device, current, last in rows.values_list("device_id", "current", "last_seen")
                   if current or last >= lately})  # fmt: skip


def addressed_in(tenant: str, site: str, network: str) -> list[tuple[str, str]]:
    """Return (address, device id) of all present addresses in ``network``, in order."""
    net = ipaddress.ip_network(network)
    rows = Address.objects.filter(
        tenant_id=tenant,
        site_id=site,
        current=True,
        address_order__gte=order_of(net.network_address),
        address_order__lte=order_of(net.broadcast_address),
    )
    found = rows.order_by("address_order", "device_id").values_list("ip", "device_id")
    return [(ip, device) for ip, device in found if ipaddress.ip_address(ip) in net]


def is_medical_segment(tenant: str, site: str, network: str) -> bool:
    """Tell whether a device in ``network`` is, or may be, a medical one or ever spoke a medical protocol."""
    ids = sorted({device for _, device in addressed_in(tenant, site, network)})
    medical = [c.id for c in categories().values() if c.medical]
    spoken = sorted(clinical_protocols())
    for start in range(0, len(ids), 400):
        part = ids[start : start + 400]
        if (
            Device.objects.filter(pk__in=part, category__in=medical).exists()
            or EvidenceEntry.objects.filter(device_id__in=part, source__in=spoken).exists()
            or Conversation.objects.filter(device_id__in=part, application__in=spoken).exists()
        ):
            return True
    return False


def listening_since(tenant: str, site: str, now_ns: int) -> int | None:
    """Return since when every live ear of a site has listened without a break; None where none does.

    Of several interfaces the latest start counts, because which of them hears a device is not known. An
    ear that lost more than one packet in a thousand may have lost the very one that mattered.
    """
    alive = InputLedger.objects.filter(
        tenant_id=tenant,
        site_id=site,
        format="live",
        status="reading",
        sensor__heartbeat_ns__gte=now_ns - _ALIVE_S * NANOSECONDS,
    )
    begun: list[int] = []
    for first_ns, stored in alive.values_list("first_ns", "report"):
        packets = msgspec.convert(stored, InputReport).packets
        if packets.dropped > packets.read * _LOST:
            return None
        begun.append(first_ns)
    return max(begun, default=None)
