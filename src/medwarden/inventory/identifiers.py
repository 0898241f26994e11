"""What a device states that only one thing in the world should state, and how much that is worth.

Weights are natural logarithms of odds: how much likelier it is that two interfaces state the same value
because they are one device than by chance, by copying, or because somebody left a form as it came.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from medwarden.inventory.spoken_for import own_words
from medwarden.model.device import Device
from medwarden.model.evidence import LedgerEntry

_NUMBERS = {
    "dhcp.machine_uuid": (10.0, "SMBIOS UUID"),  # RFC 4578 option 97
    "dhcp.duid": (7.0, "DHCP unique identifier"),  # RFC 4361: one for all interfaces of a client
    "dhcpv6.duid": (7.0, "DHCP unique identifier"),  # RFC 8415 section 11
    "upnp.udn": (9.0, "UPnP device name"),
    "ssdp.usn": (9.0, "UPnP device name"),
    "wsd.endpoint": (9.0, "WS-Discovery endpoint"),
    "ipp.uuid": (9.0, "printer UUID"),
    "mdns.txt.uuid": (9.0, "mDNS UUID"),
    "mdns.txt.deviceid": (9.0, "mDNS device id"),
    "snmp.engine_id": (8.0, "SNMP engine id"),  # RFC 3411: one per engine
    "lldp.chassis_id": (9.0, "LLDP chassis id"),  # IEEE 802.1AB: one per chassis
    "smb.server_guid": (7.0, "SMB server GUID"),
    "hl7.equipment_uid": (8.0, "equipment id in HL7"),
    "tls.certificate_sha256": (4.0, "TLS certificate"),  # one certificate often serves a whole model
    "mqtt.client_id": (3.0, "MQTT client id"),
    "lldp.asset_id": (7.0, "LLDP asset id"),
}
_ONE_OF_SEVERAL = frozenset({"tls.certificate_sha256", "ssdp.usn", "upnp.udn", "dhcpv6.duid", "dhcp.duid"})
"""Identifiers of which one thing may have a few: services with certificates of their own, boot and system."""
CHASSIS = frozenset({"lldp.chassis_id", "snmp.engine_id"})
"""Identifiers that network equipment states alike on all its interfaces."""
SERIAL, NAME, MACHINE = "serial number", "host name", "SMBIOS UUID"
SERIAL_WEIGHT, NAME_WEIGHT, CLIENT_WEIGHT = 9.0, 3.0, 5.0

_NAMES = frozenset(
    {
        *("dhcp.host_name", "dhcp.fqdn", "dhcpv6.fqdn", "mdns.host_name", "llmnr.host_name", "nbns.name"),
        *("ntlmssp.workstation", "ntlmssp.computer", "kerberos.host", "smb.netbios_name", "snmp.sys_name"),
        *("lldp.system_name", "cdp.device_id", "radius.machine", "syslog.host_name", "dicom.station_name"),
    }
)
STACK = ("dhcp.parameter_request_list", "dhcp.vendor_class", "dhcp.options_order")
_PLACEHOLDER = re.compile(
    r"""(?ix) ^(?:
    (?: to [ ] be [ ] filled .* | default .* | system .* | not [ ] (?:specified|available|applicable) .*
      | none | null | n/?a | unknown | unspecified | serial .* | chassis .* | base [ ] board .*
      | o\.?e\.?m\.? .*
      | 0?1?2?34567890?\w{0,3} | 123456?7?8?9?0? | abcdef\w* | x+ | test\w* | invalid | empty
      | \W* )
    )$"""
)
_EMPTY_UUIDS = frozenset(
    {
        "00000000000000000000000000000000",
        "ffffffffffffffffffffffffffffffff",
        "03000200040005000006000700080009",  # left by makers of boards who number nothing
        "0123456789abcdef0123456789abcdef",
        "12345678123456781234567812345678",
    }
)
_PLAIN_NAMES = re.compile(
    r"(?i)^(?:i?phone|ipad|android(?:-device)?|galaxy|localhost.*|desktop|laptop|pc|windows(?:10|11)?|win(?:7|10|11)"
    r"|macbook(?:-(?:air|pro))?|imac|ubuntu|debian|raspberrypi|esp(?:8266|32).{0,3}|openwrt|printer|camera|ipcam"
    r"|switch|router|gateway|server|host|device|unknown|minint-.{0,12}|wdsclient|pxe.*|none|null|\W*)$"
)
_FEWEST_SYMBOLS, _FEWEST_DISTINCT = 5, 3
_MAC_DIGITS = 12


class Identifier(msgspec.Struct, frozen=True):
    """A value that identifies: ``kind`` in words, normalised ``value``, its weight, the entry behind it."""

    kind: str
    value: str
    weight: float
    entry: LedgerEntry


class Stated(msgspec.Struct, frozen=True):
    """What one device states that identifies it.

    ``names`` are its host names without domain. ``shared`` lists in words what it states several of though
    a device has one: a dock, a gateway, a bridge, somebody who speaks for others.
    """

    identifiers: tuple[Identifier, ...]
    names: tuple[Identifier, ...]
    clients: tuple[Identifier, ...]
    shared: tuple[str, ...]


def is_identifying(field: str) -> bool:
    """Tell whether a field of the ledger is looked at by :func:`stated`."""
    return (
        field in _NUMBERS or field in _NAMES or _is_serial(field) or field in ("dhcp.client_id", *STACK)
    ) and ".source_" not in field


def _is_serial(field: str) -> bool:
    return (
        field.endswith((".serial", "_serial", "serial_number", ".serialnumber", "txt.sn"))
        and not field.startswith(("tls.", "x509."))
        and ".source_" not in field
    )


def short_name(value: str) -> str | None:
    """Return a host name in lower case without its domain, or None where it names nobody."""
    name = value.strip().rstrip(".").removesuffix("$").partition(".")[0].lower()
    return None if len(name) < 3 or _PLAIN_NAMES.match(name) else name


def number(value: str) -> str | None:
    """Return a serial number or UUID without dashes and in lower case; None where nobody filled it in."""
    text = value.strip()
    if _PLACEHOLDER.match(text):
        return None
    text = re.sub(r"(?i)^(?:urn:)?uuid:", "", text).partition("::")[0]
    plain = re.sub(r"[\s:{}_-]", "", text).lower()
    few = len(plain) < _FEWEST_SYMBOLS or len(set(plain)) < _FEWEST_DISTINCT
    return None if few or plain in _EMPTY_UUIDS or _PLACEHOLDER.match(plain) else plain


def stated(device: Device) -> Stated:
    """Return what ``device`` states of itself that identifies it, without what it says for others."""
    found: dict[tuple[str, str], Identifier] = {}
    names: dict[str, Identifier] = {}
    clients: dict[str, Identifier] = {}
    for entry in own_words(device.ledger):
        if _is_serial(entry.field):
            _note(found, SERIAL, number(entry.value), SERIAL_WEIGHT, entry)
        elif entry.field in _NUMBERS:
            weight, kind = _NUMBERS[entry.field]
            _note(found, kind, number(entry.value), weight, entry)
        elif entry.field == "dhcp.client_id":
            _client(clients, entry)
        if entry.field in _NAMES and (name := short_name(entry.value)) is not None:
            names.setdefault(name, Identifier(NAME, name, NAME_WEIGHT, entry))
    shared = tuple(sorted(_several(found.values(), names)))
    return Stated(
        tuple(i for i in found.values() if i.kind not in shared),
        () if NAME in shared else tuple(names.values()),
        tuple(clients.values()) if len(clients) == 1 else (),
        shared,
    )


def _note(
    found: dict[tuple[str, str], Identifier], kind: str, value: str | None, weight: float, entry: LedgerEntry
) -> None:
    if value is not None:
        found.setdefault((kind, value), Identifier(kind, value, weight, entry))


def _client(clients: dict[str, Identifier], entry: LedgerEntry) -> None:
    """Take a DHCP client identifier in unless it is the interface's own MAC address (RFC 2132 9.14)."""
    form, _, rest = entry.value.partition(":")
    plain = number(rest)
    if plain is None or form == "255" or (form == "1" and len(rest) == _MAC_DIGITS):
        return  # the interface's own address, or a DUID, which is a field of its own
    clients.setdefault(plain, Identifier("DHCP client id", plain, CLIENT_WEIGHT, entry))


def _several(identifiers: Iterable[Identifier], names: dict[str, Identifier]) -> set[str]:
    """Return the kinds of which a device states more than one thing has."""
    counts: dict[str, int] = {}
    loose: set[str] = set()
    for identifier in identifiers:
        counts[identifier.kind] = counts.get(identifier.kind, 0) + 1
        if identifier.entry.field in _ONE_OF_SEVERAL:
            loose.add(identifier.kind)
    several = {kind for kind, n in counts.items() if n > (3 if kind in loose else 1)}
    hosts = {
        name
        for name, i in names.items()
        if i.entry.field.startswith(("dhcp", "ntlmssp", "kerberos", "radius"))
    }
    if len(hosts) > 1:
        several.add(NAME)
    return several
