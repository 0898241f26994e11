"""Evidence as tokens: what two devices of one kind share, without what only one of them has.

Addresses, serial numbers, UUIDs, times, the numbers in host names and the domains of houses are taken out,
because a model that saw them would know its training devices by heart and nothing else. What is left of a
text are its whole, its words and the character n-grams of its words; of a list its order and neighbours; of
traffic which services it has, how far it goes and how large its packets are.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache

from medwarden.knowledge.fingerprints.rules import FIELD_GROUPS
from medwarden.model.device import Conversation, Device

HASH_BITS = 22
"""Bits of a token's number; a model keeps only the numbers that its training saw more than once."""

_SEED = b"medwarden-tokens-1\x1f"

NAME_FIELDS = frozenset(
    {
        *FIELD_GROUPS["@names"],
        "smb.server_name",
        "smb.netbios_name",
        "ldap.netbios_computer",
        "rdp.client_name",
        "syslog.host_name",
        "dicom.ae_title",
        "dicom.station_name",
        "radius.machine",
        "sunrpc.machine_name",
        "lpd.host_name",
        "bacnet.object_name",
        "mdns.query",
        "inventory.name",
    }
)
"""Fields in which a device is called by a name that somebody in its house chose."""

_OF_THE_HOUSE = re.compile(
    r"[0-9a-z][0-9a-z.-]*\.(?:local|lan|home|internal|intranet|corp|test|example|invalid|home\.arpa)\.?$",
    re.IGNORECASE,
)
_ASKED = frozenset({"dns.domain", "dns.query", "http.host", "tls.sni", "quic.sni"})
"""Fields that name who is called; under a domain of special or private use that is the house's own."""

_STACK = re.compile(
    r"^(dhcp(v6)?\.(?!host_name|fqdn)|tcp\.|tls\.|quic\.|ntp\.|arp\.|ndp\.|icmp|dns\.(?!name)|eapol\.|igmp\."
    r"|http\.(method|status|content_type|host|path|request_order)|mdns\.query|ssdp\.search|ssh\.(kex|hassh))"
)
"""Fields that show how a network stack is built and whom it calls rather than what a device says it is."""

_VERBATIM = re.compile(r"^tcp\.stack$|\.ja[34]|hassh")
"""Fields whose values are digests or numbers throughout, none of them the device's own."""

_SERIAL_INSIDE = re.compile(
    r"^ssdp\.(usn|nt|location)$|^upnp\.(udn|serial)|^mdns\.(instance|host_name|query)$"
)
_SERIAL = re.compile(r"(?<![0-9a-z])(?=(?:[a-z]*\d){4})[0-9a-z]{9,}(?![0-9a-z])")

_PRESENCE_ONLY = frozenset(
    {
        "arp.ip",
        "ndp.ip",
        "dhcp.address",
        "dhcp.client_id",
        "dhcp.lease_time",
        "dhcp.requested_address",
        "dhcp.router",
        "dhcp.server_identifier",
        "dhcp.subnet_mask",
        "dhcp.domain_name",
        "kerberos.realm",
        "ldap.domain",
        "ntlmssp.domain",
        "ntlmssp.dns_domain",
        "browser.domain",
        "smb.domain",
        "nbns.domain",
        "radius.realm",
        "dhcp.serial_number",
        "mdns.txt.mac",
    }
)
"""Fields whose values belong to one device or to its network, never to its kind."""

_PERSONAL = re.compile(
    r"serial|_id$|\.mac$|address|\.uid$|uuid|\.udi$|key_hash|fingerprint|asset|password|\.(?:operator|user)$"
)
"""Fields of one device or one person. Names of people come hashed with a key of the house: no other house
would meet them, and no two builds of a model would be the same."""
_KINDS_BY_ID = frozenset(
    {"bacnet.vendor_id", "enip.vendor_id", "knx.manufacturer_id", "poct1a.model_id", "snmp.sys_object_id"}
)
_TITLES = frozenset({"http.title", "http.www_authenticate"})
_OF_ANY_PAGE = re.compile(
    r"^(?:basic realm=|digest realm=)?\W*(?:login(?: page)?|log ?[io]n|sign in|anmeld(?:en|ung)|home"
    r"|home ?page"
    r"|index(?: of /)?|welcome|start(?: ?page)?|main|untitled(?: document)?|document|redirect(?:ing)?|loading"
    r"|web ?(?:server|ui|interface|management)|protected(?: area)?|restricted|authentication required"
    r"|#?\s*(?:not found|forbidden|unauthorized|moved permanently|found|bad request))\W*$"
)
"""Titles of pages that programs of any maker show: a model takes them for the one device it met them at."""
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_MAC = re.compile(r"\b[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}\b")
_IPV4 = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b(?::\d{1,5}\b)?")
_IPV6 = re.compile(r"\b(?:[0-9a-f]{1,4}:){2,7}[0-9a-f]{0,4}\b|\bfe80:[0-9a-f:]+")
_LONG_HEX = re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b")
_LONG_NUMBER = re.compile(r"\d{6,}")
_HOST_NUMBER = re.compile(r"(?<=[a-z_-])0\d+\b|(?<![0-9a-z.])\d+(?![0-9a-z.])|(?<=[a-z])\d{4,}\b")
_COPY = re.compile(r"\s\(\d+\)$")
_LIST = re.compile(r"^\d+(?:,\d+)+$")
_WORD = re.compile(r"[a-z]+[0-9a-z]*|\d+[a-z]+[0-9a-z]*|\d+(?:\.\d+)*|#")
_GRAM = 4
_LONGEST = 160
_LEAST_TAIL = 4
_KNOWN_PORTS = 32_768


def is_stack(field: str) -> bool:
    """Tell whether a field shows how a device is built rather than what it says it is."""
    return _STACK.match(field) is not None


def normalise(field: str, value: str, personal: Iterable[str] = ()) -> str:
    """Return a value in lower case with what belongs to one device put as ``#``.

    ``personal`` are texts known to be the device's own: the ends of its MAC addresses without colons.
    """
    text = value.lower()
    for part in personal:
        if part in text:
            text = re.sub(rf"[0-9a-f]*{part}", "#", text)
    return _impersonal(field, text)


@lru_cache(maxsize=200_000)
def _impersonal(field: str, text: str) -> str:
    if _VERBATIM.search(field):
        return text
    text = _COPY.sub("", text)
    text = _UUID.sub("#", text)
    text = _MAC.sub("#", text)
    text = _IPV4.sub("#", text)
    text = _IPV6.sub("#", text)
    text = _LONG_HEX.sub("#", text)
    if _SERIAL_INSIDE.match(field):
        text = _SERIAL.sub("#", text)
    if field in _ASKED:
        text = _OF_THE_HOUSE.sub("#", text)
    return _LONG_NUMBER.sub("#", text)


def mac_tails(macs: Iterable[str]) -> tuple[str, ...]:
    """Return the last three and the last two octets of each MAC address, as names often end in them."""
    tails: dict[str, None] = {}
    for mac in macs:
        digits = mac.replace(":", "").lower()
        tails[digits[-6:]] = None
        tails[digits[-_LEAST_TAIL:]] = None
    return tuple(tails)


def token_number(token: str) -> tuple[int, int]:
    """Return the number of a token and its sign: a hash with a fixed seed, the same on every machine."""
    digest = zlib.crc32(token.encode(), zlib.crc32(_SEED))
    digest = (digest * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    digest ^= digest >> 29
    return digest >> 8 & ((1 << HASH_BITS) - 1), 1 if digest & 1 else -1


@lru_cache(maxsize=200_000)
def words_of(field: str, value: str) -> tuple[str, ...]:
    """Return the tokens of one normalised piece of evidence, each once, the field's presence first."""
    found: dict[str, None] = {f"has {field}": None}
    if field in _PRESENCE_ONLY or (_PERSONAL.search(field) and field not in _KINDS_BY_ID):
        return tuple(found)
    if field in NAME_FIELDS:
        value = _HOST_NUMBER.sub("#", value)
    if field in _TITLES and _OF_ANY_PAGE.match(value):
        return tuple(found)
    value = value[:_LONGEST]
    if value.strip("# ._-"):
        found[f"{field} = {value}"] = None
    if _LIST.match(value):
        parts = value.split(",")
        for first, second in zip(parts, [*parts[1:], "end"], strict=True):
            found[f"{field} : {first}>{second}"] = None
        return tuple(found)
    generic = not is_stack(field)
    for word in _WORD.findall(value):
        if word == "#":
            continue
        found[f"{field} : {word}"] = None
        if generic and len(word) > 2:
            found[f"word {word}"] = None
        if generic and len(word) > _GRAM:
            for place in range(len(word) - _GRAM + 1):
                found[f"part {word[place : place + _GRAM]}"] = None
    return tuple(found)


def _bin(amount: float) -> int:
    """Return the bin of an amount: two per doubling."""
    return round(2 * _log2(amount))


def _log2(amount: float) -> float:
    whole = max(1.0, amount)
    bits = int(whole).bit_length() - 1
    return bits + whole / (1 << bits) - 1.0


def _service(transport: str, port: int, application: str | None) -> str:
    if application:
        return f"{transport}/{application}"
    return f"{transport}/{port if port < _KNOWN_PORTS else 'high'}"


def behaviour_of(device: Device) -> tuple[tuple[str, float], ...]:
    """Return what the device's traffic looks like: named amounts, sorted by name.

    Per role, reach and service: how many talks there are and the mean octets of a packet sent and of the
    talk's packets altogether; over all: peers and ports. Amounts are logarithms (base 2) where they grow
    with time, octets per packet otherwise.
    """
    talks: dict[str, list[Conversation]] = {}
    for talk in device.conversations:
        key = f"{talk.role} {talk.scope} {_service(talk.transport, talk.port, talk.application)}"
        talks.setdefault(key, []).append(talk)
    named: dict[str, float] = {}
    for key, group in talks.items():
        packets = sum(t.packets for t in group)
        octets = sum(t.bytes_sent + t.bytes_received for t in group)
        flows = sum(t.flows for t in group)
        sent = sum(t.bytes_sent for t in group)
        named[f"{key} peers"] = _log2(1 + len({t.peer_device or t.peer_ip for t in group}))
        named[f"{key} octets/packet"] = octets / max(1, packets)
        named[f"{key} octets/flow"] = _log2(octets / max(1, flows))
        named[f"{key} packets/flow"] = _log2(packets / max(1, flows))
        named[f"{key} share sent"] = sent / max(1, octets)
    for service in device.services:
        named[f"serves {_service(service.transport, service.port, service.application)}"] = 1.0
    if not named:
        return ()
    peers = {t.peer_device or t.peer_ip for t in device.conversations}
    named["peers"] = _log2(1 + len(peers))
    named["outside"] = _log2(1 + len({t.peer_ip for t in device.conversations if t.scope == "internet"}))
    return tuple(sorted((name, round(amount, 4)) for name, amount in named.items()))


def behaviour_tokens(behaviour: Iterable[tuple[str, float]]) -> Iterator[str]:
    """Yield tokens of traffic: that something is there, and about how much, each amount in two grids."""
    for name, amount in behaviour:
        yield from step_tokens(name, amount_step(name, amount))


def amount_step(name: str, amount: float) -> int:
    """Return the step of an amount: all that its tokens depend on."""
    if name.startswith("serves "):
        return 0
    if name.endswith("octets/packet"):
        return _bin(amount)
    return round(amount * 10) if name.endswith("share sent") else round(2 * amount)


def step_tokens(name: str, step: int) -> Iterator[str]:
    """Yield the tokens of one named amount from its step."""
    if name.startswith("serves "):
        yield name
        return
    if name.endswith(" peers"):
        yield f"talks {name.removesuffix(' peers')}"
    yield f"{name} {step // 2 * 2}"
    yield f"{name} {(step + 1) // 2 * 2 - 1}"
