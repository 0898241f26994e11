"""The log of an ISC DHCP server, as syslog writes it."""

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
