"""Windows DHCP server: its audit logs for IPv4 and IPv6.

Microsoft, "Analyze DHCP server log files" (DhcpSrvLog-*.log, DhcpV6SrvLog-*.log): an explanation of the
event ids, a heading, then one event per line with commas. Dates are month/day/year in local time.
"""

from __future__ import annotations

import re
from typing import ClassVar

from medwarden.model.log_source import Framing, LogManifest, LogSetting, Tells
from medwarden.sensors.logs.dhcp_facts import LEASE_FIELDS, LEASE_TELLS, leased, leased6, octets_of
from medwarden.sensors.logs.gathering import ip_or_none, mac_or_none
from medwarden.sensors.logs.line_parser import LineParser
from medwarden.sensors.logs.times import ns_of_text

_EVENT = re.compile(r"(\d{2,5}),(\d\d)/(\d\d)/(\d\d(?:\d\d)?),(\d\d:\d\d:\d\d),")
_HEADING = "ID,Date,Time,Description,"
_HEAD = re.compile(
    rb"(?im)^\s*Microsoft DHCP(?:v6)? Service Activity Log|^ID,Date,Time,Description,IP(?:v6)? Address"
)
_EVENTS = re.compile(rb"\d\d,\d\d/\d\d/\d\d,\d\d:\d\d:\d\d,[^,\r\n]*,[0-9.]*,[^,\r\n]*,(?:[0-9A-Fa-f]{12})?,")
_DEFAULT4 = (
    "id",
    "date",
    "time",
    "description",
    "ip address",
    "host name",
    "mac address",
    "user name",
    "transactionid",
    "qresult",
    "probationtime",
    "correlationid",
    "dhcid",
    "vendorclass(hex)",
    "vendorclass(ascii)",
    "userclass(hex)",
    "userclass(ascii)",
    "relayagentinformation",
    "dnsregerror",
)
_LEASED = frozenset({"10", "11", "20", "11000", "11001", "11002", "11003"})
_KINDS = {"12": "release", "13": "decline", "15": "request"}


class WindowsDhcp(LineParser):
    """Clients of a Windows DHCP server."""

    manifest: ClassVar[LogManifest] = LogManifest(
        name="windows_dhcp",
        title="Windows DHCP server audit log",
        reference="Microsoft, Analyze DHCP server log files",
        framing=Framing.LINES,
        fields=(
            *LEASE_FIELDS,
            "dhcp.vendor_class",
            "dhcp.user_class",
            "dhcp.relay_agent_circuit_id",
            "dhcp.relay_agent_remote_id",
        ),
        tells=LEASE_TELLS | {Tells.OPERATING_SYSTEM, Tells.LOCATION},
    )

    def __init__(self, name: str, setting: LogSetting) -> None:
        super().__init__(name, setting)
        self._columns = {column: at for at, column in enumerate(_DEFAULT4)}
        self._preamble = True

    @staticmethod
    def claims(line: bytes) -> bool:
        """Tell whether a line is an event of the audit log (as forwarders send them)."""
        return _EVENTS.search(line[:1024]) is not None

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether an input is an audit log: its title, its heading, or events without either."""
        return _HEAD.search(head[:16384]) is not None or _EVENTS.match(head) is not None

    def enter(self, header: bytes) -> None:
        """Take the heading of a file that is read from its middle on."""
        for line in header.decode("latin-1").splitlines():
            if line.startswith(_HEADING):
                self._heading(line)

    def _heading(self, text: str) -> None:
        columns = text.strip().removesuffix(".").split(",")
        self._columns = {column.strip().lower(): at for at, column in enumerate(columns)}
        self._preamble = False

    def line(self, text: str, offset: int) -> None:  # noqa: ARG002 - one event, one line
        """Take an event; the explanations before the heading are passed over."""
        if text.startswith(_HEADING):
            self._heading(text)
            return
        event = _EVENT.search(text)
        if event is not None:
            self._preamble = False
            self._event(text[event.start() :], event)
        elif self._preamble and self.heard_ns is None:
            if not text.isprintable() and "\t" not in text:
                raise self.refuse("line is neither explanation nor event")
        else:
            raise self.refuse("line is no event")

    def _event(self, text: str, event: re.Match[str]) -> None:
        year = event[4] if len(event[4]) == 4 else f"20{event[4]}"
        moment = ns_of_text(f"{year}-{event[2]}-{event[3]}T{event[5]}", self.setting.time_zone)
        if moment is None:
            raise self.refuse("event without a time")
        cells = self.cells(text)

        def cell(*names: str) -> str:
            for name in names:
                at = self._columns.get(name, len(cells))
                if at < len(cells) and cells[at].strip():
                    return cells[at].strip()
            return ""

        self.records.parsed(moment)
        if self.exporter is not None:
            self.records.fact(moment, None, self.exporter, "dhcp.role", "server")
        six = ip_or_none(cell("ipv6 address"))
        if six is not None:
            if event[1] in _LEASED:
                leased6(
                    self.records, moment, six, octets_of(cell("duid bytes(hex)")), None, cell("host name")
                )
            return
        ip, mac = ip_or_none(cell("ip address")), mac_or_none(cell("mac address"))
        if mac is None or ip is None:
            return
        if event[1] in _LEASED:
            leased(self.records, moment, mac, ip, cell("host name"))
            self._options(moment, mac, ip, cell("vendorclass(ascii)"), cell("userclass(ascii)"))
            self._relay(moment, mac, ip, octets_of(cell("relayagentinformation").removeprefix("0x")))
        elif event[1] in _KINDS:
            self.records.fact(moment, mac, None, "dhcp.message_type", _KINDS[event[1]])

    def _options(self, moment: int, mac: str, ip: str, vendor: str, user: str) -> None:
        self.records.facts(moment, mac, ip, {"dhcp.vendor_class": vendor, "dhcp.user_class": user})

    def _relay(self, moment: int, mac: str, ip: str, option: bytes) -> None:
        """Take the sub-options of option 82 (RFC 3046): circuit and remote id."""
        names = {1: "dhcp.relay_agent_circuit_id", 2: "dhcp.relay_agent_remote_id"}
        at = 0
        while at + 2 <= len(option):
            end = at + 2 + option[at + 1]
            body = option[at + 2 : end]
            if option[at] in names and body and end <= len(option):
                text = body.decode("latin-1")
                readable = text.isascii() and text.isprintable()
                self.records.fact(moment, mac, ip, names[option[at]], text if readable else body.hex())
            at = end


PARSER = WindowsDhcp
