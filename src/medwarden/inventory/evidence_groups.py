"""Groups of evidence that can be switched off, to measure what each is worth.

A name is a group of the table below, a protocol (``snmp``) or a single field (``snmp.sys_descr``). The
devices themselves stay as all evidence together told them apart: only what they are judged by goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from medwarden.kernel.errors import ConfigurationError
from medwarden.knowledge.fingerprints.rules import FIELD_GROUPS
from medwarden.model.device import Device


class Group(msgspec.Struct, frozen=True):
    """One group: protocols and single fields of the ledger; what of addresses and traffic goes as well."""

    title: str
    protocols: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    suffixes: tuple[str, ...] = ()
    macs: bool = False
    traffic: bool = False
    statements: bool = False


def _of(title: str, protocols: str, fields: Iterable[str] = ()) -> Group:
    return Group(title, frozenset(protocols.split()), frozenset(fields))


_NAMES = (*FIELD_GROUPS["@names"], "ldap.host", "rdp.client_name", "tds.client_name")

GROUPS: dict[str, Group] = {
    "dhcp": _of("DHCP requests, host name in them included", "dhcp dhcpv6"),
    "hostname": Group(
        "names of the device, whatever tells them",
        fields=frozenset(_NAMES),
        suffixes=(".host_name", ".host_names", ".fqdn"),
    ),
    "mac": Group("maker of the MAC address", macs=True),
    "traffic": Group("who talks to whom over which port", traffic=True),
    "stack": Group(
        "how TCP, TLS and DHCP are laid out",
        frozenset({"tcp"}),
        frozenset({"dhcp.parameter_request_list", "tls.ja4", "quic.ja4"}),
        suffixes=(".ja4", ".ja4s", ".ja3", ".ja3s"),
    ),
    "domains": Group(
        "names that the device looks up or asks servers for",
        frozenset({"dns"}),
        frozenset(FIELD_GROUPS["@domains"]),
    ),
    "web": _of("HTTP: pages, servers, user agents", "http"),
    "tls": _of("TLS and QUIC: certificates, server names, hand-shakes", "tls dtls quic"),
    "discovery": _of(
        "what devices announce to find each other",
        "mdns ssdp upnp wsd dpws llmnr nbns onvif sadp ubnt mndp addp coap edimax",
    ),
    "switch": _of("LLDP, CDP and their like", "lldp cdp stp hsrp eapol"),
    "snmp": _of("SNMP", "snmp"),
    "windows": _of(
        "Windows log-in and file services", "smb ntlmssp kerberos ldap browser dcerpc rdp rdpudp tds"
    ),
    "clinical": _of(
        "DICOM, HL7 and the protocols of medical devices",
        "dicom dicomweb hl7 fhir astm poct1a ecg sdc phd intellivue carescape datex_dri draeger_infinity "
        "medibus bbraun_bcc terufusion puritan_bennett",
    ),
    "plant": _of("building and plant", "bacnet modbus enip s7 dnp3 iec104 knx opcua fox mqtt"),
    "printing": _of("printing", "ipp pjl lpd zebra"),
    "voice": _of("telephony, video, paging", "sip sccp h225 rtsp wctp snpp tap espa444 espax"),
    "logins": _of("banners of terminals and file transfer", "ssh telnet ftp tftp smtp rfb"),
    "network": _of(
        "address resolution, time, tunnels, log-in to the network",
        "arp ndp ntp radius ike openvpn wireguard teamviewer sunrpc syslog lantronix moxa",
    ),
    "books": Group("the hospital's books and what people said", statements=True),
}
"""Every group by name. One field may be in several: a DHCP host name is in ``dhcp`` and ``hostname``."""

_FIELD = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_.]+)?\Z")


def check(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names without blanks and repetition. Raises ConfigurationError for one that cannot be."""
    wanted = tuple(dict.fromkeys(name.strip().lower() for name in names if name.strip()))
    for name in wanted:
        if name not in GROUPS and not _FIELD.match(name):
            raise ConfigurationError(
                f"{name!r} is no group of evidence: give {', '.join(GROUPS)}, a protocol or a field"
            )
    return wanted


class Without:
    """Takes the evidence of some groups away from devices. Raises ConfigurationError like :func:`check`."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = check(names)
        groups = [GROUPS[name] for name in self.names if name in GROUPS]
        plain = [name for name in self.names if name not in GROUPS]
        self._protocols = frozenset().union(
            *(g.protocols for g in groups), {n for n in plain if "." not in n}
        )
        self._fields = frozenset().union(*(g.fields for g in groups), {n for n in plain if "." in n})
        self._suffixes = tuple(suffix for g in groups for suffix in g.suffixes)
        self._macs = any(g.macs for g in groups)
        self._traffic = any(g.traffic for g in groups)
        self._statements = any(g.statements for g in groups)
        self._known: dict[str, bool] = {}

    def covers(self, field: str) -> bool:
        """Tell whether an evidence field is switched off."""
        known = self._known.get(field)
        if known is None:
            known = self._known[field] = (
                field.partition(".")[0] in self._protocols
                or field in self._fields
                or (bool(self._suffixes) and field.endswith(self._suffixes))
            )
        return known

    def reaches(self, device: Device) -> bool:
        """Tell whether anything goes from this device."""
        return (
            (self._macs and bool(device.macs))
            or (self._traffic and bool(device.conversations or device.services))
            or (self._statements and bool(device.statements))
            or any(self.covers(entry.field) for entry in device.ledger)
        )

    def strip(self, device: Device) -> Device:
        """Return the device as it would be judged without these groups; it is not judged anew here."""
        if not self.names:
            return device
        return msgspec.structs.replace(
            device,
            ledger=tuple(entry for entry in device.ledger if not self.covers(entry.field)),
            macs=() if self._macs else device.macs,
            services=() if self._traffic else device.services,
            conversations=() if self._traffic else device.conversations,
            statements=() if self._statements else device.statements,
        )
