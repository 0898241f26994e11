"""What firewalls say of sessions: two-way flows with the addresses before translation, zones, denials."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

import msgspec

from medwarden.dissect.phi import Tokeniser
from medwarden.kernel.clock import NANOSECONDS
from medwarden.model.log_source import Tells
from medwarden.sensors.logs.flow_record import application_name, payload_octets
from medwarden.sensors.logs.records import FlowRow, Records, counter

FIREWALL_FIELDS = ("firewall.zone", "firewall.interface", "firewall.denied", "firewall.nat", "firewall.user")
FIREWALL_TELLS = frozenset({Tells.PEERS, Tells.VOLUME, Tells.SERVICES, Tells.APPLICATION})
PROTOCOLS = {
    "icmp": 1, "igmp": 2, "ip": 0, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51, "icmp6": 58,
    "icmpv6": 58, "ipv6-icmp": 58, "eigrp": 88, "ospf": 89, "pim": 103, "sctp": 132,
}  # fmt: skip
_MOST_DURATION = 366 * 86_400
_SYN = 0x02


class Session(msgspec.Struct):
    """One session as a firewall logs it; addresses are those before translation."""

    end_ns: int
    duration_s: float
    client_ip: str | None
    server_ip: str | None
    client_port: int = 0
    server_port: int = 0
    protocol: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    packets_out: int = 0
    packets_in: int = 0
    client_mac: str | None = None
    server_mac: str | None = None
    application: str = ""
    client_zone: str = ""
    server_zone: str = ""
    client_interface: str = ""
    server_interface: str = ""
    client_nat: str | None = None
    server_nat: str | None = None
    user: str = ""
    denied: bool = False
    end_reason: str = "end"


def take_session(records: Records, session: Session, tokeniser: Tokeniser) -> None:
    """Take in the flow and the facts of a session."""
    end = session.end_ns
    duration = min(max(session.duration_s, 0.0), _MOST_DURATION)
    start = max(0, end - round(duration * NANOSECONDS))
    if session.client_ip is None and session.server_ip is None:
        return
    ported = session.protocol in (6, 17, 132)
    six = ":" in (session.client_ip or session.server_ip or "")
    # Firewalls count octets even where they do not count packets; at least one carried them.
    out = session.packets_out or (1 if session.bytes_out or session.denied or not session.bytes_in else 0)
    back = session.packets_in or (1 if session.bytes_in and not session.denied else 0)
    tcp = session.protocol == 6
    records.flow(
        FlowRow(
            start_ns=start,
            end_ns=end,
            client_ip=session.client_ip,
            server_ip=session.server_ip,
            client_port=session.client_port if ported else 0,
            server_port=session.server_port if ported else 0,
            ip_protocol=session.protocol,
            client_mac=session.client_mac,
            server_mac=session.server_mac,
            packets_out=counter(out),
            packets_in=counter(back),
            bytes_out=counter(session.bytes_out),
            bytes_in=counter(session.bytes_in),
            payload_out=payload_octets(session.protocol, out, counter(session.bytes_out), six=six),
            payload_in=payload_octets(session.protocol, back, counter(session.bytes_in), six=six),
            tcp_flags_out=_SYN if tcp and session.denied else 0,
            end_reason=session.end_reason,
            application=application_name(session.application),
        )
    )
    _facts(records, session, start, tokeniser)


def _facts(records: Records, session: Session, start: int, tokeniser: Tokeniser) -> None:
    # Addresses on the internet are nobody's device here: which zone they are behind goes without saying.
    client, server = inside(session.client_ip), inside(session.server_ip)
    client_mac, server_mac = session.client_mac, session.server_mac
    records.fact(start, client_mac, client, "firewall.zone", session.client_zone)
    records.fact(start, server_mac, server, "firewall.zone", session.server_zone)
    records.fact(start, client_mac, client, "firewall.interface", session.client_interface)
    records.fact(start, server_mac, server, "firewall.interface", session.server_interface)
    if session.client_nat not in (None, client):
        records.fact(start, client_mac, client, "firewall.nat", session.client_nat or "")
    if session.server_nat not in (None, server):
        records.fact(start, server_mac, server, "firewall.nat", session.server_nat or "")
    if session.denied:
        records.fact(
            start, client_mac, client, "firewall.denied", f"{session.protocol}/{session.server_port}"
        )
    if session.user:
        records.fact(start, client_mac, client, "firewall.user", user_token(tokeniser, session.user))


@lru_cache(maxsize=1 << 16)
def inside(ip: str | None) -> str | None:
    """Return an address that may be a device's of the site; None for those on the internet."""
    return None if ip is None or ip_address(ip).is_global else ip


def user_token(tokeniser: Tokeniser, user: str) -> str:
    """Return a token for a user's name, the same with and without the domain; "" for none and machines."""
    name = user.rpartition("\\")[2].partition("@")[0].strip()
    if not name or name.endswith("$") or name.lower() in ("unknown", "n/a", "anonymous", "-"):
        return ""
    return tokeniser.token("user", name)


def whole(text: str) -> int:
    """Return a decimal number as such, 0 for anything else."""
    text = text.strip()
    return int(text) if text.isdecimal() and len(text) < 20 else 0


def port(text: str) -> int:
    """Return a port, 0 for anything that is none."""
    number = whole(text)
    return number if number < 65536 else 0


def protocol(text: str) -> int:
    """Return an IP protocol by number or name, 0 where it is neither."""
    number = PROTOCOLS.get(text.strip().lower())
    if number is not None:
        return number
    value = whole(text)
    return value if value < 256 else 0
