"""The log of a DHCP server: an ISC one as syslog writes it, and the audit log of a Windows one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from medwarden.simulation.ends import Session


def lines(session: Session, host: str) -> Iterator[str]:
    """Yield the lines of the leases that a flow was."""
    for log, at, fields in session.notes:
        if log != "dhcp":
            continue
        moment = datetime.fromtimestamp(at / 1e9, UTC)
        head = f"{moment:%b} {moment.day:2d} {moment:%H:%M:%S} {host} dhcpd[1123]:"
        name = f" ({fields['host_name']})" if fields["host_name"] else ""
        mac, ip, via, server = (
            fields["mac"],
            fields["assigned_addr"],
            fields["gateway"],
            fields["server_addr"],
        )
        whole = "DISCOVER" in fields["msg_types"]
        if whole:
            yield f"{head} DHCPDISCOVER from {mac}{name} via {via}"
            yield f"{head} DHCPOFFER on {ip} to {mac}{name} via {via}"
        yield f"{head} DHCPREQUEST for {ip}{f' ({server})' if whole else ''} from {mac}{name} via {via}"
        yield f"{head} DHCPACK on {ip} to {mac}{name} via {via}"


WINDOWS_HEADING = (
    "ID,Date,Time,Description,IP Address,Host Name,MAC Address,User Name, TransactionID, QResult,"
    "Probationtime, CorrelationID,Dhcid,VendorClass(Hex),VendorClass(ASCII),UserClass(Hex),UserClass(ASCII),"
    "RelayAgentInformation,DnsRegError."
)
"""Microsoft, Analyze DHCP server log files: columns since Windows Server 2012."""


def windows_lines(session: Session) -> Iterator[str]:
    """Yield the events that a Windows server writes for the leases that a flow was: 10 new, 11 renewed."""
    for log, at, fields in session.notes:
        if log != "dhcp":
            continue
        moment = datetime.fromtimestamp(at / 1e9, UTC)
        event, word = ("10", "Assign") if "DISCOVER" in fields["msg_types"] else ("11", "Renew")
        name, domain = fields["host_name"], fields["domain"]
        host = f"{name}.{domain}" if name else ""
        own_class = str(fields["vendor_class"] or "")
        if "," in own_class:
            own_class = f'"{own_class}"'
        octets = f"0x{own_class.encode().hex().upper()}" if own_class else ""
        mac = fields["mac"].replace(":", "").upper()
        number = int.from_bytes(bytes.fromhex(mac)[2:], "big")
        yield (
            f"{event},{moment:%m/%d/%y},{moment:%H:%M:%S},{word},{fields['assigned_addr']},{host},{mac},,"
            f"{number},0,,,,{octets},{own_class},,,,0"
        )
