r"""Identities of EAP, RADIUS and Kerberos as they may be kept: machines by name, people by token.

RFC 7542 (network access identifiers), RFC 4120 section 6.2.1 (``host/`` principals), [MS-ADTS] 3.1.1.8.1
(``NAME$`` accounts of computers).
"""

from __future__ import annotations

import re

import msgspec

from medwarden.model.evidence import clean

_MAC = re.compile(r"(?:[0-9a-fA-F]{2}[:-]?){5}[0-9a-fA-F]{2}|(?:[0-9a-fA-F]{4}\.){2}[0-9a-fA-F]{4}")


class Identity(msgspec.Struct, frozen=True):
    """Who asks for admission: a machine's name, a MAC address, or a person's name and realm."""

    machine: str = ""
    mac: str = ""
    person: str = ""
    realm: str = ""


def read_identity(text: str) -> Identity:
    r"""Return what kind of name ``text`` is: ``host/fqdn``, ``DOMAIN\NAME$``, a MAC, or a person's."""
    text = clean(text)
    if mac := mac_in(text):
        return Identity(mac=mac)
    lowered = text.lower()
    if lowered.startswith("host/"):
        return Identity(machine=text[5:].partition("@")[0].strip())
    domain, backslash, account = text.partition("\\")
    if not backslash:
        domain, account = "", text
    account, at, realm = account.rpartition("@") if "@" in account else (account, "", "")
    realm = realm if at else domain
    account, realm = account.strip(), realm.strip()
    if account.endswith("$"):
        return Identity(machine=account.rstrip("$").strip(), realm=realm)
    return Identity(person=account, realm=realm)


def mac_in(text: str) -> str:
    """Return the unicast MAC address that ``text`` wholly is, in lower case with colons, or ""."""
    if not _MAC.fullmatch(text):
        return ""
    digits = re.sub(r"[^0-9a-fA-F]", "", text).lower()
    octets = bytes.fromhex(digits)
    return "" if octets[0] & 1 or not any(octets) else octets.hex(":")
