"""Kea DHCP: leases as CSV (memfile) for IPv4 and IPv6, and the server's log.

Kea Administrator Reference Manual, "Memfile - Basic Storage for Leases" (columns by heading, commas inside
values as ``&#x2c``) and the messages DHCP4_LEASE_ALLOC and DHCP6_LEASE_ALLOC of the Kea Messages Manual.
"""

from __future__ import annotations

import re
from typing import ClassVar

from medwarden.kernel.clock import NANOSECONDS
from medwarden.model.log_source import Framing, LogManifest, LogSetting
from medwarden.sensors.logs.dhcp_facts import (
    LEASE_FIELDS,
    LEASE_TELLS,
    client_id_text,
    leased,
    leased6,
    octets_of,
)
from medwarden.sensors.logs.gathering import ip_or_none, mac_or_none
from medwarden.sensors.logs.line_parser import LineParser, mostly
from medwarden.sensors.logs.syslog_header import Message, split_message

_HEAD4, _HEAD6 = "address,hwaddr,client_id,", "address,duid,valid_lifetime,"
_CLAIM = re.compile(rb"\[kea-dhcp[46]\.[\w-]+/|kea-dhcp[46](?:(?:\[\d+\])?:| \S+ \S+ -) ")
_LOG = re.compile(
    r"(?:TRACE|DEBUG|INFO|WARN|ERROR|FATAL)?\s{0,40}\[(kea-dhcp[46])\.[^\]]*\] ([A-Z0-9_]+) (.*)", re.DOTALL
)
_ALLOC4 = re.compile(
    r"\[hwtype=\d+ ([0-9a-f:]+)\](?:, cid=\[([^\]]*)\])?"
    r".*?[Ll]ease ([0-9.]+) (?:has been|was) (?:allocated|renewed)"
)
_RELEASE4 = re.compile(r"\[hwtype=\d+ ([0-9a-f:]+)\]")
_ALLOC6 = re.compile(
    r"duid=\[([0-9a-f:]+)\](?:, \[hwtype=\d+ ([0-9a-f:]+)\])?.*?lease for address ([0-9a-f:]+)"
)
_CURRENT = "0"
_ESCAPED = re.compile(r"&#x([0-9a-fA-F]{2})")


class KeaDhcp(LineParser):
    """Clients of a Kea DHCP server."""

    manifest: ClassVar[LogManifest] = LogManifest(
        name="kea_dhcp",
        title="Kea DHCP server leases or log",
        reference="Kea Administrator Reference Manual; Kea Messages Manual",
        framing=Framing.LINES,
        fields=LEASE_FIELDS,
        tells=LEASE_TELLS,
    )

    def __init__(self, name: str, setting: LogSetting) -> None:
        super().__init__(name, setting)
        self._columns: dict[str, int] = {}

    @staticmethod
    def claims(line: bytes) -> bool:
        """Tell whether a line of log is one of this server's."""
        return _CLAIM.search(line[:512]) is not None

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether an input is a file of leases by its heading, or the server's log."""
        if head.startswith((_HEAD4.encode(), _HEAD6.encode())):
            return True
        return mostly(head, KeaDhcp.claims)

    def enter(self, header: bytes) -> None:
        """Take the heading of a file that is read from its middle on."""
        first = header.partition(b"\n")[0].decode("latin-1").rstrip("\r")
        if first.startswith((_HEAD4, _HEAD6)):
            self._columns = {name.strip(): at for at, name in enumerate(first.split(","))}

    def line(self, text: str, offset: int) -> None:
        """Take a heading, a lease or a line of log."""
        if text.startswith((_HEAD4, _HEAD6)):
            self._columns = {name.strip(): at for at, name in enumerate(text.split(","))}
        elif self._columns:
            self._lease(text.split(","))
        else:
            super().line(text, offset)

    def _lease(self, cells: list[str]) -> None:
        columns = self._columns
        if len(cells) < min(len(columns), 8):
            raise self.refuse("lease with too few columns")

        def cell(name: str) -> str:
            at = columns.get(name, len(cells))
            text = cells[at].strip() if at < len(cells) else ""
            return _ESCAPED.sub(lambda m: chr(int(m[1], 16)), text)

        ip = ip_or_none(cell("address"))
        expire, lifetime = cell("expire"), cell("valid_lifetime")
        if ip is None or not expire.isdecimal() or len(expire) > 10:
            raise self.refuse("lease without address or time")
        begun = int(expire) - (int(lifetime) if lifetime.isdecimal() and len(lifetime) < 11 else 0)
        moment = max(0, begun) * NANOSECONDS
        self.records.parsed(moment)
        if cell("state") not in ("", _CURRENT):
            return  # declined, reclaimed, released: nobody holds it
        mac = mac_or_none(cell("hwaddr"))
        if "duid" in columns:
            leased6(self.records, moment, ip, octets_of(cell("duid")), mac, cell("hostname"))
        else:
            leased(self.records, moment, mac, ip, cell("hostname"), client_id_text(cell("client_id")))

    def read(self, message: Message, moment: int) -> None:
        """Take one message of the log; those that tell of no lease are only counted."""
        body = message.body
        found = _LOG.match(body)
        if found is None:  # through syslog, the name of the logger may be in the tag and the time in the body
            inner = split_message(body, self.now_ns, self.setting.time_zone)
            found = _LOG.match(inner.body)
        if found is None:
            if message.app in ("kea-dhcp4", "kea-dhcp6"):
                self._event(body, moment)
                return
            raise self.refuse("line is no message of this server")
        self._event(f"{found[2]} {found[3]}", moment)

    def _event(self, body: str, moment: int) -> None:
        name = body.partition(" ")[0]
        if name in ("DHCP4_LEASE_ALLOC", "DHCP4_LEASE_RENEW") and (four := _ALLOC4.search(body)):
            ip, mac = ip_or_none(four[3]), mac_or_none(four[1])
            if ip is not None and mac is not None:
                leased(self.records, moment, mac, ip, "", client_id_text(four[2] or ""))
        elif name in ("DHCP6_LEASE_ALLOC", "DHCP6_LEASE_RENEW") and (six := _ALLOC6.search(body)):
            if (ip := ip_or_none(six[3])) is not None:
                leased6(self.records, moment, ip, octets_of(six[1]), mac_or_none(six[2] or ""))
        elif name.startswith("DHCP4_") and (who := _RELEASE4.search(body)):
            kind = {"DHCP4_RELEASE": "release", "DHCP4_DECLINE_LEASE": "decline"}.get(name)
            if kind is not None:
                self.records.fact(moment, mac_or_none(who[1]), None, "dhcp.message_type", kind)


PARSER = KeaDhcp
