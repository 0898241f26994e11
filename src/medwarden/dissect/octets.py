"""Octets of the wire as text: addresses, names and numbers in the one form evidence is kept in.

Everything here takes bytes of any content and never raises on them.
"""

from __future__ import annotations

from medwarden.dissect._core import (
    ip_text,
    ipv4_text,
    ipv6_text,
    is_internal,
    is_loopback,
    mac_text,
    printable,
    text_or_hex,
)

__all__ = [
    "ip_text",
    "ipv4_text",
    "ipv6_text",
    "is_internal",
    "is_loopback",
    "mac_text",
    "printable",
    "text_or_hex",
]
