"""What changed in the inventory since it was last asked: increments the store adds to its rows.

The resolver hands one :class:`InventoryDelta` per round to whoever keeps the inventory. Counts
(``count``, ``flows``, ``packets``, ``bytes*``) are increments to be added; ``first_seen`` is the
smallest and ``last_seen`` the largest time of this round, to be folded with minimum and maximum;
everything else is the present value and replaces what was there. Every device id used in a delta is
either listed in ``devices`` of this or an earlier delta, or was handed to the resolver when it was
restored. ``merges`` are to be applied first: all rows of ``gone`` move to ``kept``, and ``gone``
never appears again. A delta is keyed by content, so adding the same one twice must be prevented by
whoever applies it (by batch id).

Times are nanoseconds since the epoch, addresses their canonical text.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class KeyKind(StrEnum):
    """What a device is known by: its MAC address, or (behind a router, in logs) only by IP address."""

    MAC = "mac"
    IP = "ip"


class BindingSource(StrEnum):
    """Who said that an address belongs to a device; ``seen`` is a conclusion from traffic."""

    ARP = "arp"
    NDP = "ndp"
    DHCP = "dhcp"
    SEEN = "seen"

    @property
    def authoritative(self) -> bool:
        """Tell whether the protocol that binds addresses itself said so."""
        return self is not BindingSource.SEEN


class DeviceChange(msgspec.Struct, frozen=True):
    """A device that is new or was heard again. ``new`` is true in exactly one delta of its life.

    ``gateway``: the device forwards for others, so addresses seen behind its MAC are not its own.
    """

    id: str
    site: str
    kind: KeyKind
    new: bool
    gateway: bool
    first_seen: int
    last_seen: int
    vlans: tuple[int, ...] = ()  # all known


class InterfaceChange(msgspec.Struct, frozen=True):
    """A network interface of a device. ``randomised``: locally administered, changes over time;
    ``virtual``: shared by a redundancy group (VRRP, HSRP, GLBP, CARP).
    """

    device: str
    mac: str
    randomised: bool
    virtual: bool
    first_seen: int
    last_seen: int


class AddressChange(msgspec.Struct, frozen=True):
    """An IP address a device has (``current``) or had, and who said so (the best source so far)."""

    device: str
    mac: str | None
    ip: str
    source: BindingSource
    current: bool
    first_seen: int
    last_seen: int


class LedgerIncrement(msgspec.Struct, frozen=True):
    """A fact heard ``count`` more times; key: device, sensor, source, field, value."""

    device: str
    sensor: str
    source: str
    field: str
    value: str
    first_seen: int
    last_seen: int
    count: int


class ServiceIncrement(msgspec.Struct, frozen=True):
    """A port of a device that answered; key: device, transport, port. ``clients`` is the number of
    distinct clients so far (absolute, counted up to 1,000), ``application`` None where not known.
    """

    device: str
    transport: str
    port: int
    application: str | None
    first_seen: int
    last_seen: int
    clients: int
    flows: int
    bytes: int


class ConversationIncrement(msgspec.Struct, frozen=True):
    """Traffic with one peer over one service; key: device, role, peer_device or peer_ip, transport, port.

    The fields are those of :class:`medwarden.model.device.Conversation`. A conversation between two of
    our devices appears twice, once for each with its role. ``established`` once true stays true.
    """

    device: str
    role: str  # client, server
    peer_device: str | None
    peer_ip: str | None
    peer_name: str | None
    scope: str  # internal, internet, multicast, broadcast
    transport: str
    port: int
    application: str | None
    first_seen: int
    last_seen: int
    flows: int
    packets: int
    bytes_sent: int
    bytes_received: int
    established: bool


class ActivityIncrement(msgspec.Struct, frozen=True):
    """What a device sent and received in one clock hour; key: device, hour (its start in ns)."""

    device: str
    hour: int
    flows: int
    packets: int
    bytes_sent: int
    bytes_received: int


class Merge(msgspec.Struct, frozen=True):
    """Two devices turned out to be one: rows of ``gone`` belong to ``kept``."""

    gone: str
    kept: str
    ts_ns: int
    reason: str


class InventoryDelta(msgspec.Struct, frozen=True):
    """All that changed. ``ignored`` counts evidence that belongs to no device of ours, by reason."""

    site: str
    devices: tuple[DeviceChange, ...] = ()
    interfaces: tuple[InterfaceChange, ...] = ()
    addresses: tuple[AddressChange, ...] = ()
    ledger: tuple[LedgerIncrement, ...] = ()
    services: tuple[ServiceIncrement, ...] = ()
    conversations: tuple[ConversationIncrement, ...] = ()
    activity: tuple[ActivityIncrement, ...] = ()
    merges: tuple[Merge, ...] = ()
    ignored: dict[str, int] = msgspec.field(default_factory=dict)

    def empty(self) -> bool:
        """Tell whether nothing changed."""
        return not (
            self.devices
            or self.interfaces
            or self.addresses
            or self.ledger
            or self.services
            or self.conversations
            or self.activity
            or self.merges
        )
