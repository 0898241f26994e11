"""dnsmasq as DHCP server: its log, with ``log-dhcp`` also what clients ask and say, and its leases.

dnsmasq(8) and the messages of rfc2131.c. With ``log-dhcp`` every line begins with the number of the
transaction, and vendor class, client name and requested options stand on lines of their own.
Leases file: expiry, MAC address, address, name, client identifier; behind ``duid`` those of IPv6.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import ClassVar

import msgspec

from medwarden.kernel.clock import NANOSECONDS
from medwarden.model.log_source import Framing, LogManifest, LogSetting, Tells
from medwarden.sensors.logs.dhcp_facts import (
    LEASE_FIELDS,
    LEASE_TELLS,
    client_id_text,
    leased,
    leased6,
    named,
    octets_of,
)
from medwarden.sensors.logs.gathering import ip_or_none, mac_or_none
from medwarden.sensors.logs.line_parser import LineParser, mostly
from medwarden.sensors.logs.syslog_header import Message

_EVENT = re.compile(
    r"DHCP(DISCOVER|OFFER|REQUEST|ACK|NAK|DECLINE|RELEASE|INFORM)\(([\w.-]+)\)(?: ([0-9.]+))?"
    r" ((?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2})(?: (\S+))?"
)
_TRANSACTION = re.compile(r"(\d{1,10}) (.*)", re.DOTALL)
_CLAIM = re.compile(rb"dnsmasq-dhcp(?:(?:\[\d+\])?:| \S+ \S+ -) ")
_LEASE = re.compile(
    r"(\d{1,10}) ((?:[0-9a-fA-F]{2}-)?(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}) ([0-9.]+) (\S+) (\S+)$"
)
_LEASE6 = re.compile(r"(\d{1,10}) (T?\d+) ([0-9a-fA-F:]+) (\S+) ((?:[0-9a-fA-F]{2}:)*[0-9a-fA-F]{2})$")
_DUID = re.compile(r"duid ([0-9a-fA-F:]+)$")
_LEASE_HEAD = re.compile(
    rb"\d{1,10} (?:[0-9a-fA-F]{2}-)?(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2} [0-9.]+ \S+ \S+\r?(?:\n|$)"
)
_SAID = (
    ("vendor class: ", "dhcp.vendor_class"),
    ("client provides name: ", "dhcp.host_name"),
    ("user class: ", "dhcp.user_class"),
)
_REQUESTED = "requested options: "
_MOST_TRANSACTIONS = 1024


class _Transaction(msgspec.Struct):
    """What lines of one transaction have said before its client is known, and options asked for so far."""

    mac: str | None = None
    moment: int = 0
    said: dict[str, str] = msgspec.field(default_factory=dict)
    asked: list[str] = msgspec.field(default_factory=list)


class DnsmasqDhcp(LineParser):
    """Clients of dnsmasq's DHCP server."""

    manifest: ClassVar[LogManifest] = LogManifest(
        name="dnsmasq_dhcp",
        title="dnsmasq DHCP log or leases",
        reference="dnsmasq(8), log-dhcp and dhcp-leasefile",
        framing=Framing.LINES,
        fields=(
            *LEASE_FIELDS,
            "dhcp.vendor_class",
            "dhcp.user_class",
            "dhcp.parameter_request_list",
            "dhcp.requested_address",
        ),
        tells=LEASE_TELLS | {Tells.MAKE_AND_MODEL, Tells.OPERATING_SYSTEM},
    )

    def __init__(self, name: str, setting: LogSetting) -> None:
        super().__init__(name, setting)
        self._open: OrderedDict[str, _Transaction] = OrderedDict()

    @staticmethod
    def claims(line: bytes) -> bool:
        """Tell whether a line of log is one of this server's."""
        return _CLAIM.search(line[:512]) is not None

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether an input is the server's log, or its file of leases."""
        return _LEASE_HEAD.match(head) is not None or mostly(head, DnsmasqDhcp.claims)

    def line(self, text: str, offset: int) -> None:
        """Take a line of log or a lease."""
        if _DUID.match(text):
            self.records.parsed()
        elif four := _LEASE.match(text):
            ip, mac = ip_or_none(four[3]), mac_or_none(four[2][-17:])
            if ip is None or mac is None:
                raise self.refuse("lease of what is no address")
            moment = self._lease_time(int(four[1]))
            leased(self.records, moment, mac, ip, four[4], client_id_text(four[5]))
            self.records.parsed(moment)
        elif six := _LEASE6.match(text):
            if (address := ip_or_none(six[3])) is None:
                raise self.refuse("lease of what is no address")
            moment = self._lease_time(int(six[1]))
            leased6(self.records, moment, address, octets_of(six[5]), None, six[4])
            self.records.parsed(moment)
        else:
            super().line(text, offset)

    def _lease_time(self, expires: int) -> int:
        """Return when a lease was known to hold: the file tells only when it ends, or 0 for never."""
        end = min(expires, 8_999_999_999) * NANOSECONDS
        return min(end, self.now_ns) if end and self.now_ns else end or self.now_ns

    def read(self, message: Message, moment: int) -> None:
        """Take one message of the log."""
        if message.app != "dnsmasq-dhcp":
            raise self.refuse("line is no message of this server")
        if self.exporter is not None:
            self.records.fact(moment, None, self.exporter, "dhcp.role", "server")
        body, number = message.body, ""
        if numbered := _TRANSACTION.match(body):
            number, body = numbered[1], numbered[2]
        if event := _EVENT.match(body):
            self._event(event, number, moment)
        elif number:
            self._told(number, body, moment)

    def _event(self, event: re.Match[str], number: str, moment: int) -> None:
        kind, mac = event[1].lower(), mac_or_none(event[4])
        ip = ip_or_none(event[3] or "")
        if mac is None:
            return
        if number:
            transaction = self._transaction(number)
            transaction.mac, transaction.moment = mac, moment
            self.records.facts(moment, mac, None, transaction.said)
            transaction.said.clear()
            self._tell_asked(transaction)
        host = named(event[5] or "")
        if kind == "ack" and ip is not None:
            leased(self.records, moment, mac, ip, host)
        elif kind in ("discover", "request", "inform", "decline", "release"):
            self.records.fact(moment, mac, None, "dhcp.message_type", kind)
            if kind == "request" and ip is not None:
                self.records.fact(moment, mac, None, "dhcp.requested_address", ip)

    def _transaction(self, number: str) -> _Transaction:
        transaction = self._open.get(number)
        if transaction is None:
            transaction = self._open[number] = _Transaction()
            if len(self._open) > _MOST_TRANSACTIONS:
                _, oldest = self._open.popitem(last=False)
                self._tell_asked(oldest)
        else:
            self._open.move_to_end(number)
        return transaction

    def _told(self, number: str, body: str, moment: int) -> None:
        """Take a line that says what a client sent: before its client is known it is kept."""
        if body.startswith(_REQUESTED):
            transaction = self._transaction(number)
            codes = [part.strip().partition(":")[0] for part in body.removeprefix(_REQUESTED).split(",")]
            transaction.asked += [code for code in codes if code.isdecimal() and len(code) < 4]
            del transaction.asked[128:]
            transaction.moment = moment
            return
        for start, field in _SAID:
            if body.startswith(start):
                transaction = self._transaction(number)
                value = body.removeprefix(start)[:512]
                # a new exchange under the same number begins with what the client says
                self._tell_asked(transaction)
                transaction.said[field] = value
                return
        if number in self._open:
            self._tell_asked(self._open[number])

    def _tell_asked(self, transaction: _Transaction) -> None:
        if transaction.asked and transaction.mac is not None:
            asked = ",".join(transaction.asked)
            self.records.fact(transaction.moment, transaction.mac, None, "dhcp.parameter_request_list", asked)
            transaction.asked = []

    def settle(self, *, final: bool) -> None:
        """Tell the options asked for by the transactions that are still open, once nothing more comes."""
        if final:
            for transaction in self._open.values():
                self._tell_asked(transaction)
            self._open.clear()


PARSER = DnsmasqDhcp
