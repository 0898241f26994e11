"""What DHCP servers' logs and leases say of a client, under the names the DHCP dissector uses."""

from __future__ import annotations

from medwarden.dissect.dhcpv6 import duid_facts
from medwarden.model.log_source import Tells
from medwarden.sensors.logs.records import Records

LEASE_FIELDS = (
    "dhcp.address",
    "dhcp.client_id",
    "dhcp.host_name",
    "dhcp.message_type",
    "dhcp.role",
    "dhcpv6.address",
    "dhcpv6.duid",
    "dhcpv6.duid_type",
    "dhcpv6.duid_mac",
    "dhcpv6.duid_enterprise",
    "dhcpv6.fqdn",
    "lease.relay",
)
LEASE_TELLS = frozenset({Tells.HARDWARE_ADDRESS, Tells.NAME})


def leased(
    records: Records, moment: int, mac: str | None, ip: str, host: str = "", client_id: str = ""
) -> None:
    """State that an interface holds an address, and what its owner calls itself."""
    if mac is not None:
        records.fact(moment, mac, ip, "dhcp.address", ip)
    records.fact(moment, mac, ip, "dhcp.host_name", named(host))
    if client_id:
        records.fact(moment, mac, ip, "dhcp.client_id", client_id)


def leased6(records: Records, moment: int, ip: str, duid: bytes, mac: str | None, host: str = "") -> None:
    """State that a client with a DUID holds an IPv6 address."""
    said = dict(duid_facts(duid))
    mac = mac or said.get("duid_mac")
    if mac is not None:
        records.fact(moment, mac, ip, "dhcpv6.address", ip)
    records.facts(moment, mac, ip, {f"dhcpv6.{field}": value for field, value in said.items()})
    records.fact(moment, mac, ip, "dhcpv6.fqdn", named(host))


def named(host: str) -> str:
    """Return a host name as a client gave it; what servers write where there is none is nothing."""
    host = host.strip().rstrip(".")
    return "" if host in ("*", "-", "unknown") else host


def octets_of(text: str) -> bytes:
    """Return hexadecimal octets with colons, hyphens or nothing between them; nothing for anything else."""
    digits = text.replace(":", "").replace("-", "").strip()
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return b""


def client_id_text(text: str) -> str:
    """Return a client identifier as the DHCP dissector writes it: type, colon, the rest in hexadecimal."""
    octets = octets_of(text)
    return f"{octets[0]}:{octets[1:128].hex()}" if len(octets) > 1 else ""
