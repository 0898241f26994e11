"""The same hospital as other sensors would log it: rows derived from the sums of flows and their notes."""

from __future__ import annotations

import hashlib

from medwarden.simulation.ends import Session

LOGS = ("zeek", "eve", "netflow", "dhcp")
"""What can be asked for."""

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PROTOCOLS = {6: "tcp", 17: "udp", 1: "icmp"}


def digest_of(session: Session) -> int:
    """Return a number that tells a flow from every other."""
    key = f"{session.start}/{session.near_ip}/{session.near_port}/{session.far_ip}/{session.far_port}"
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=13).digest(), "big")


def unique_id(session: Session) -> str:
    """Return an identifier in the form of Zeek's: C and 17 digits to the base 62."""
    number, out = digest_of(session), []
    for _ in range(17):
        number, digit = divmod(number, 62)
        out.append(_DIGITS[digit])
    return "C" + "".join(out)
