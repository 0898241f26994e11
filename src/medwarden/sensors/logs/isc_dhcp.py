"""ISC DHCP: the server's messages in syslog, and its file of leases.

dhcpd(8) and the messages of server/dhcp.c ("DHCPACK on ADDRESS to MAC (NAME) via INTERFACE");
dhcpd.leases(5): blocks in braces, times in UTC ("4 2026/11/19 10:00:00") or as ``epoch`` seconds.
"""

from __future__ import annotations

import re
from typing import ClassVar

from medwarden.kernel.clock import NANOSECONDS
from medwarden.model.log_source import Framing, LogManifest, LogSetting, Tells
from medwarden.sensors.logs.dhcp_facts import LEASE_FIELDS, LEASE_TELLS, leased, leased6, named
from medwarden.sensors.logs.gathering import ip_or_none, mac_or_none
from medwarden.sensors.logs.line_parser import LineParser, mostly
from medwarden.sensors.logs.syslog_header import Message
from medwarden.sensors.logs.times import ns_of_text

_MESSAGE = re.compile(
    r"(?P<kind>DHCP(?:DISCOVER|OFFER|REQUEST|ACK|NAK|DECLINE|RELEASE|INFORM)|BOOTREQUEST|BOOTREPLY)"
    r"(?: (?:on|for|of) (?P<ip>[0-9a-fA-F.:]+))?(?: \((?P<server>[0-9.]+)\))?"
    r"(?: (?:to|from) (?P<who>[0-9a-fA-F.:]+))?"
    r"(?: \((?P<note>[^)]*)\))?(?: via (?P<via>[\w.:-]+))?"
)
_CLAIM = re.compile(
    rb"dhcpd(?:(?:\[\d+\])?:| \S+ \S+ -) (?:DHCP[A-Z]+ |BOOTRE)"
    rb"|^(?:DHCP[A-Z]+|BOOTRE[A-Z]+) (?:on|for|of|to|from) "
)
_LEASE = re.compile(r"lease (\S+) \{|ia-(?:na|pd|ta) \"((?:[^\"\\]|\\.)*)\" \{|iaaddr (\S+) \{")
_STATEMENT = re.compile(
    r"(starts|cltt|hardware ethernet|client-hostname|uid|binding state|set vendor-class-identifier ="
    r"|option agent\.circuit-id|option agent\.remote-id|set ddns-fwd-name =) (.+?);\s*(?:#.*)?$"
)
_TIME = re.compile(r"\d (\d{4})/(\d\d)/(\d\d) (\d\d:\d\d:\d\d)$|epoch (\d{1,12})(?!\d)")
_ESCAPE = re.compile(r"\\([0-7]{3}|.)")
_LEASE_HEAD = re.compile(rb"(?m)^(?:lease [0-9.]+ \{|ia-na \")")


class IscDhcp(LineParser):
    """Clients of an ISC DHCP server."""

    manifest: ClassVar[LogManifest] = LogManifest(
        name="isc_dhcp",
        title="ISC DHCP server log or leases",
        reference="dhcpd(8), dhcpd.leases(5)",
        framing=Framing.LINES,
        fields=(
            *LEASE_FIELDS,
            "dhcp.requested_address",
            "dhcp.vendor_class",
            "dhcp.relay_agent_circuit_id",
            "dhcp.relay_agent_remote_id",
        ),
        tells=LEASE_TELLS | {Tells.OPERATING_SYSTEM, Tells.LOCATION},
    )

    def __init__(self, name: str, setting: LogSetting) -> None:
        super().__init__(name, setting)
        self._block: dict[str, str] | None = None
        self._duid = b""

    @staticmethod
    def claims(line: bytes) -> bool:
        """Tell whether a line of log is one of this server's."""
        return _CLAIM.search(line[:512]) is not None

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether an input is the server's log, or its file of leases."""
        leases = _LEASE_HEAD.search(head) is not None and b"{" in head and b";" in head
        return leases or mostly(head, IscDhcp.claims)

    def line(self, text: str, offset: int) -> None:
        """Take a line of log, or one of a lease: a lease is one record, its last line counts it."""
        stripped = text.strip()
        if self._block is not None:
            self._in_block(stripped)
        elif begin := _LEASE.match(stripped):
            self._begin(begin)
        elif stripped.startswith("#") or stripped == "}" or _is_preamble(stripped):
            return
        else:
            super().line(text, offset)

    def _begin(self, begin: re.Match[str]) -> None:
        if begin[2] is not None:  # ia-na "IAID and DUID" {: addresses follow within
            self._duid = _octets(f'"{begin[2]}"')[4:]
            return
        self._block = {"address": begin[1] or begin[3]}

    def _in_block(self, line: str) -> None:
        block = self._block
        assert block is not None
        if line == "}":
            self._block = None
            self._lease(block)
        elif statement := _STATEMENT.match(line):
            block[statement[1].removesuffix(" =")] = statement[2]

    def _lease(self, block: dict[str, str]) -> None:
        ip = ip_or_none(block["address"])
        if ip is None:
            raise self.refuse("lease of what is no address")
        moment = _lease_time(block.get("cltt", "")) or _lease_time(block.get("starts", ""))
        moment = self.now_ns if moment is None else moment
        if ":" in ip:
            leased6(self.records, moment, ip, self._duid, None, _quoted(block.get("set ddns-fwd-name", "")))
        else:
            self._lease4(block, ip, moment)
        self.records.parsed(moment)

    def _lease4(self, block: dict[str, str], ip: str, moment: int) -> None:
        mac = mac_or_none(block.get("hardware ethernet", ""))
        if mac is None or block.get("binding state", "active") not in (
            "active",
            "free",
            "expired",
            "released",
        ):
            return
        identifier = _octets(block.get("uid", ""))
        client_id = f"{identifier[0]}:{identifier[1:128].hex()}" if len(identifier) > 1 else ""
        leased(self.records, moment, mac, ip, _quoted(block.get("client-hostname", "")), client_id)
        said = {
            "dhcp.vendor_class": block.get("set vendor-class-identifier", ""),
            "dhcp.relay_agent_circuit_id": block.get("option agent.circuit-id", ""),
            "dhcp.relay_agent_remote_id": block.get("option agent.remote-id", ""),
        }
        self.records.facts(moment, mac, ip, {field: _quoted(value) for field, value in said.items()})

    def read(self, message: Message, moment: int) -> None:
        """Take one message of the server; what tells of no client is only counted."""
        found = _MESSAGE.match(message.body)
        if found is None:
            if message.app != "dhcpd":
                raise self.refuse("line is no message of this server")
            return
        kind = found["kind"].removeprefix("DHCP").lower()
        who, note = found["who"] or "", found["note"] or ""
        mac = mac_or_none(who) if who.count(":") == 5 else None
        if mac is None and note.count(":") == 5:  # "DHCPACK to ADDRESS (MAC) via": the answer to an INFORM
            mac, note = mac_or_none(note), ""
        ip = ip_or_none(found["ip"] or "") or (ip_or_none(who) if mac is None or ":" not in who else None)
        if self.exporter is not None:
            self.records.fact(moment, None, self.exporter, "dhcp.role", "server")
        if mac is None:
            return
        self._client(kind, moment, mac, ip, named(note))
        via = ip_or_none(found["via"] or "")
        if via is not None:
            self.records.fact(moment, mac, None, "lease.relay", via)

    def _client(self, kind: str, moment: int, mac: str, ip: str | None, host: str) -> None:
        if kind == "ack" and ip is not None:
            leased(self.records, moment, mac, ip, host)
            return
        if kind in ("discover", "request", "inform", "decline", "release"):
            self.records.fact(moment, mac, None, "dhcp.message_type", kind)
        if kind == "request" and ip is not None:
            self.records.fact(moment, mac, None, "dhcp.requested_address", ip)
        if host and "load balance" not in host and "not found" not in host and " " not in host:
            self.records.fact(moment, mac, None, "dhcp.host_name", host)


def _is_preamble(line: str) -> bool:
    return line.startswith(("authoring-byte-order", "server-duid", "failover peer", "cltt ", "default-duid"))


def _lease_time(text: str) -> int | None:
    found = _TIME.match(text)
    if found is None:
        return None
    if found[5]:
        seconds = int(found[5])
        return seconds * NANOSECONDS if seconds < 9_000_000_000 else None
    return ns_of_text(f"{found[1]}-{found[2]}-{found[3]}T{found[4]}+00:00", "UTC")


def _octets(text: str) -> bytes:
    """Return a quoted string with octal escapes, or octets as hexadecimal with colons (dhcpd.leases(5))."""
    text = text.strip()
    if not text.startswith('"'):
        digits = "".join(part.zfill(2) for part in text.split(":"))
        try:
            return bytes.fromhex(digits)
        except ValueError:
            return b""
    body = text[1:].removesuffix('"')
    plain = _ESCAPE.sub(lambda m: chr(int(m[1], 8) & 0xFF) if len(m[1]) == 3 else m[1], body)
    return plain.encode("latin-1", "replace")


def _quoted(text: str) -> str:
    octets = _octets(text)
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.hex()


PARSER = IscDhcp
