"""What a device says of itself in so many words: maker, model, firmware, serial, names."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from medwarden.inventory.books import book_ballots
from medwarden.inventory.replaced import replaced
from medwarden.kernel.clock import NANOSECONDS
from medwarden.knowledge.end_of_support import windows_release
from medwarden.knowledge.fingerprints.rules import TRUST
from medwarden.knowledge.makers import known_maker, short_name
from medwarden.knowledge.vendor_ids import numbered_maker
from medwarden.model.device import Ballot, Device
from medwarden.model.evidence import LedgerEntry

_MAKER_FIELDS = (
    "sdc.manufacturer",
    "dpws.manufacturer",
    "upnp.manufacturer",
    "intellivue.manufacturer",
    "poct1a.manufacturer",
    "lldp.manufacturer",
    "mdns.txt.manufacturer",
    "mdns.txt.mfg",
    "mdns.txt.usb_mfg",
    "mdns.txt.vendor",
    "snmp.entity_manufacturer",
    "snmp.ups_manufacturer",
    "modbus.vendor_name",
    "bacnet.vendor_name",
    "hl7.software_vendor",
    "dnp3.manufacturer",
    "onvif.manufacturer",
    "phd.manufacturer",
)
_CONCLUDED_FIELDS = {
    "panos.device_vendor": "vendor",
    "panos.device_model": "model",
    "panos.os_family": "os",
    "fortigate.hardware_vendor": "vendor",
    "fortigate.hardware_model": "model",
    "fortigate.os_name": "os",
}
"""What a firewall has concluded of a device: likely, but not the device's own word."""
_NUMBERED_MAKER_FIELDS = frozenset({"bacnet.vendor_id", "enip.vendor_id", "knx.manufacturer_id"})
_MODEL_FIELDS = (
    "sdc.model_name",
    "dpws.model_name",
    "upnp.model_name",
    "intellivue.model_name",
    "pjl.model",
    "poct1a.model_id",
    "lldp.model",
    "mdns.txt.usb_mdl",
    "mdns.txt.model",
    "mdns.txt.modelname",
    "mdns.txt.mdl",
    "snmp.entity_model",
    "snmp.ups_model",
    "snmp.hr_device_descr",
    "modbus.model_name",
    "modbus.product_name",
    "bacnet.model_name",
    "enip.product_name",
    "dnp3.product",
    "ipp.model",
    "mndp.board",
    "onvif.model",
    "s7.module_type",
    "sadp.model",
    "sccp.model",
    "ubnt.model",
    "zebra.product_name",
    "phd.model_number",
    "medibus.device_name",
    "addp.device_name",
    "edimax.model",
)
_FIRMWARE_FIELDS = (
    "sdc.firmware_version",
    "sdc.software_version",
    "dpws.firmware_version",
    "upnp.firmware_version",
    "upnp.software_version",
    "lldp.firmware",
    "lldp.software",
    "mdns.txt.firmware",
    "mdns.txt.fv",
    "mdns.txt.fw",
    "mdns.txt.fwversion",
    "mdns.txt.swver",
    "snmp.entity_firmware",
    "snmp.entity_software",
    "snmp.ups_software",
    "bacnet.firmware_revision",
    "modbus.revision",
    "enip.revision",
    "intellivue.software_version",
    "pjl.firmware",
    "poct1a.software_version",
    "s7.firmware",
    "hl7.software_version",
    "dnp3.software_version",
    "fox.version",
    "ipp.firmware",
    "mndp.version",
    "onvif.firmware",
    "sadp.firmware",
    "sccp.load",
    "ubnt.firmware",
    "zebra.firmware",
    "phd.firmware_version",
    "phd.software_version",
    "medibus.software_version",
    "draeger_infinity.firmware",
    "addp.firmware",
    "edimax.firmware",
)
_SERIAL_FIELDS = (
    "sdc.serial_number",
    "dpws.serial_number",
    "upnp.serial_number",
    "lldp.serial",
    "mdns.txt.serial",
    "mdns.txt.serialnumber",
    "mdns.txt.sn",
    "snmp.entity_serial",
    "snmp.printer_serial",
    "enip.serial_number",
    "bacnet.serial_number",
    "intellivue.serial_number",
    "pjl.serial_number",
    "poct1a.serial_number",
    "s7.serial_number",
    "dhcp.serial_number",
    "dnp3.serial_number",
    "ipp.serial_number",
    "knx.serial_number",
    "onvif.serial_number",
    "sadp.serial_number",
    "zebra.serial_number",
    "hl7.equipment_serial",
    "phd.serial_number",
    "moxa.serial_number",
    "draeger_infinity.serial_number",
)
_PLAIN_FIELDS = {
    **dict.fromkeys(_MODEL_FIELDS, ("model", TRUST["strong"])),
    **dict.fromkeys(_FIRMWARE_FIELDS, ("firmware", TRUST["strong"])),
    **dict.fromkeys(_SERIAL_FIELDS, ("serial", TRUST["declared"])),
}
"""Fields whose text is the answer: the level they answer and how far they may be trusted."""
_MAKERS = frozenset(_MAKER_FIELDS)
_TELLING = frozenset(
    {*_MAKERS, *_NUMBERED_MAKER_FIELDS, *_PLAIN_FIELDS, *_CONCLUDED_FIELDS, "ntlmssp.os_version"}
)
_VERSIONS = frozenset({*_FIRMWARE_FIELDS, "ntlmssp.os_version"})
"""Fields whose value changes when a device is brought up to date."""
_NAME_FIELDS = (
    "dhcp.host_name",
    "dhcp.fqdn",
    "dhcpv6.fqdn",
    "kerberos.host",
    "ntlmssp.computer",
    "ntlmssp.workstation",
    "smb.server_name",
    "smb.netbios_name",
    "ldap.netbios_computer",
    "rdp.client_name",
    "nbns.name",
    "mdns.host_name",
    "llmnr.host_name",
    "snmp.sys_name",
    "lldp.system_name",
    "cdp.device_id",
    "dns.name",
    "syslog.host_name",
    "fortigate.host_name",
    "panos.host_name",
    "dicom.station_name",
    "dicom.ae_title",
    "hl7.sending_application",
    "sdc.friendly_name",
    "upnp.friendly_name",
    "radius.machine",
    "sunrpc.machine_name",
    "lpd.host_name",
    "sccp.device_name",
    "tftp.device_name",
    "bacnet.object_name",
    "fox.station_name",
    "knx.friendly_name",
    "mndp.identity",
    "ubnt.host_name",
    "s7.plc_name",
    "coap.endpoint_name",
    "moxa.device_name",
    "draeger_infinity.name",
    "addp.network_name",
    "inventory.name",
)
_PATIENT_DATA_FIELDS = frozenset(
    {
        "astm.patient_data",
        "dicom.patient_data",
        "dicomweb.patient_data",
        "fhir.patient_data",
        "hl7.patient_data",
        "draeger_infinity.patient_data",
        "intellivue.patient_data",
        "poct1a.patient_data",
        "sdc.patient_data",
    }
)
_PLACEHOLDERS = frozenset(
    {
        *("", "0", "123456", "12345678", "0000000000", "default", "default string", "generic", "localhost"),
        *("localhost.localdomain", "manufacturer", "model", "n/a", "na", "none", "not specified", "null"),
        *("string", "system manufacturer", "to be filled by o.e.m.", "unknown", "unspecified"),
    }
)
"""What forms leave in a field that nobody filled in."""

_MOST_NAMES = 8
_RESTART_NS = 60 * NANOSECONDS
"""A device that is brought up to date is silent for that long; parts that tell their own versions are not."""


def _meant(value: str) -> bool:
    """Tell whether a value was filled in by somebody rather than left as it came."""
    return value.strip().lower() not in _PLACEHOLDERS


def declared_ballots(device: Device) -> Iterator[Ballot]:
    """Yield the votes of fields whose very meaning is maker, model, firmware or serial, and of books."""
    former = replaced(device.ledger, _VERSIONS, _RESTART_NS)
    for entry in device.ledger:
        if entry.field not in _TELLING or not _meant(entry.value) or (entry.field, entry.value) in former:
            continue
        if entry.field in _MAKERS:
            maker = known_maker(entry.value)
            weight = TRUST["declared" if maker is not None else "likely"]
            yield _vote("vendor", short_name(entry.value), weight, "declared-maker", entry)
            if maker is not None and maker.device_class is not None:
                yield _vote("class", maker.device_class.value, TRUST["likely"], "declared-maker", entry)
            if maker is not None and maker.category is not None:
                yield _vote("category", maker.category, TRUST["likely"], "declared-maker", entry)
        elif entry.field in _NUMBERED_MAKER_FIELDS:
            yield from _numbered(entry)
        if (plain := _PLAIN_FIELDS.get(entry.field)) is not None:
            level, weight = plain
            yield _vote(level, entry.value, weight, f"declared-{level}", entry)
        if (concluded := _CONCLUDED_FIELDS.get(entry.field)) is not None:
            label = short_name(entry.value) if concluded == "vendor" else entry.value
            yield _vote(concluded, label, TRUST["likely"], "concluded-elsewhere", entry)
        if entry.field == "ntlmssp.os_version":
            yield from _windows(entry)
    yield from book_ballots(device)


def _numbered(entry: LedgerEntry) -> Iterator[Ballot]:
    """Yield what the number of a maker says, by the list of the body that gives such numbers out."""
    maker = numbered_maker(entry.field, entry.value)
    if maker is not None:
        yield _vote("vendor", maker.name, TRUST["declared"], "numbered-maker", entry)
        known = known_maker(maker.name)
        if maker.category is not None:
            yield _vote("category", maker.category, TRUST["strong"], "numbered-maker", entry)
        elif known is not None and known.category is not None:
            yield _vote("category", known.category, TRUST["likely"], "numbered-maker", entry)


def _windows(entry: LedgerEntry) -> Iterator[Ballot]:
    """Yield what the build number in NTLMSSP says (MS-NLMP 2.2.2.10, published builds of Windows)."""
    release = windows_release(entry.value)
    if release is not None:
        yield _vote("os", release.os, TRUST["strong"], "windows-build", entry)
        yield _vote("os_version", release.version, TRUST["strong"], "windows-build", entry)


def _vote(level: str, label: str, weight: float, rule: str, entry: LedgerEntry) -> Ballot:
    return Ballot(level, label.strip(), weight, rule, entry.field, entry.value)


def _plain_name(name: str) -> str:
    return name.strip().rstrip(".").removesuffix(".local").removesuffix("$").strip()


def names_of(device: Device) -> tuple[str, ...]:
    """Return what the device is called, the names it gives itself first, each once in any letter case."""
    order = {field: place for place, field in enumerate(_NAME_FIELDS)}
    entries = sorted(
        (e for e in device.ledger if e.field in order and _meant(e.value)),
        key=lambda e: (order[e.field], -e.count, e.value),
    )
    names: dict[str, str] = {}
    for entry in entries:
        name = _plain_name(entry.value)
        if name and not _is_address(name):
            names.setdefault(name.lower(), name)
    shortened = {name.partition(".")[0] for name in names if "." in name}
    return tuple(name for key, name in names.items() if key not in shortened or "." in key)[:_MOST_NAMES]


def is_called(entry: LedgerEntry, name: str) -> bool:
    """Tell whether ``entry`` is where a device is called ``name``, with its domain or without."""
    called = _plain_name(entry.value).casefold()
    return entry.field in _NAME_FIELDS and name.casefold() in (called, called.partition(".")[0])


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def carries_patient_data(device: Device) -> bool | None:
    """Return True where patient data was seen from the device; None otherwise: absence proves nothing."""
    return any(e.field in _PATIENT_DATA_FIELDS and e.value == "yes" for e in device.ledger) or None


def subnet_of(device: Device) -> str | None:
    """Return the network of the main address: by the mask DHCP gave out, else /24 (IPv4) or /64 (IPv6)."""
    masks = [e.value for e in device.ledger if e.field == "dhcp.subnet_mask"]
    for ip in sorted(device.ips, key=lambda text: ":" in text):
        address = ipaddress.ip_address(ip)
        if address.is_link_local or address.is_loopback:
            continue
        length = "64" if address.version == 6 else (masks[-1] if masks else "24")
        try:
            return str(ipaddress.ip_network(f"{ip}/{length}", strict=False))
        except ValueError:
            return str(ipaddress.ip_network(f"{ip}/24", strict=False))
    return None


def heard_fields(entries: Iterable[LedgerEntry]) -> frozenset[str]:
    """Return the protocols (first part of the field names) that said anything."""
    return frozenset(entry.field.partition(".")[0] for entry in entries)
