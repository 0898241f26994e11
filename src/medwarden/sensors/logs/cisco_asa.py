"""Cisco ASA and Firepower Threat Defense, and what IOS switches say of who hangs on which port.

Cisco, "ASA Series Syslog Messages" and "FTD Syslog Messages" (connection events 430001 to 430003), "System
Message Guide" of IOS for 802.1X, MAB and moves of MAC addresses. A teardown tells the octets of both
directions together: they are booked as the server's, for mostly they are. Denied packets become flows of
one packet; connections count when they end, with who opened them as told when they were built.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import ClassVar

import msgspec

from medwarden.model.log_source import Framing, LogManifest, LogSetting, Tells
from medwarden.sensors.logs.dhcp_facts import leased
from medwarden.sensors.logs.firewall_facts import (
    FIREWALL_FIELDS,
    FIREWALL_TELLS,
    Session,
    port,
    protocol,
    take_session,
    whole,
)
from medwarden.sensors.logs.gathering import ip_or_none, mac_or_none
from medwarden.sensors.logs.line_parser import LineParser, mostly
from medwarden.sensors.logs.syslog_header import Message
from medwarden.sensors.logs.times import ns_of_text

_CLAIM = re.compile(
    rb"%(?:ASA|FTD|PIX|FWSM)-(?:[a-z]+-)?\d-\d{6}: |%[A-Z][A-Z0-9_]*(?:-[A-Z0-9_]+)?-[0-7]-[A-Z0-9_]+: "
)
_FIREWALL = re.compile(r"%(?:ASA|FTD|PIX|FWSM)-(?:[a-z]+-)?\d-(\d{6}): (.*)", re.DOTALL)
_SWITCH = re.compile(r"%([A-Z][A-Z0-9_]*(?:-[A-Z0-9_]+)?)-[0-7]-([A-Z0-9_]+): (.*)", re.DOTALL)
_END = r"(\S{1,200}?):([0-9a-fA-F.:]{1,64})/(\d+)"
_MAPPED = r"(?: ?\(([0-9a-fA-F.:]+)/\d+\))?(?: ?\(([^)]*)\))?"
_BUILT = re.compile(
    rf"Built (inbound|outbound) (TCP|UDP|SCTP) connection (\d+) for {_END}{_MAPPED} to {_END}{_MAPPED}"
)
_TORN = re.compile(
    rf"Teardown (TCP|UDP|SCTP) connection (\d+) for {_END}(?: ?\([^)]*\))? to {_END}(?: ?\([^)]*\))?"
    r" duration (\d{1,9}):(\d\d):(\d\d) bytes (\d+)(?: (.*))?"
)
_ICMP = re.compile(
    r"(?:Built (inbound|outbound)|Teardown) ICMP connection for faddr ([0-9a-fA-F.:]+)/\d+(?:\([^)]*\))?"
    r" gaddr ([0-9a-fA-F.:]+)/\d+ laddr ([0-9a-fA-F.:]+)/\d+"
)
_DENY = re.compile(
    r"Deny (\S+) src (\S{1,200}?):([0-9a-fA-F.:]{1,64}?)(?:/(\d+))?(?:\([^)]*\))?"
    r" dst (\S{1,200}?):([0-9a-fA-F.:]{1,64}?)(?:/(\d+))?(?:\s|\()"
)
_LISTED = re.compile(
    r"access-list \S+ (permitted|denied|est-allowed) (\S+) (\S+)/([0-9a-fA-F.:]+)\((\d+)\)(?:\([^)]*\))? -> "
    r"(\S+)/([0-9a-fA-F.:]+)\((\d+)\)"
)
_NAT = re.compile(
    r"Built (?:dynamic|static) \S+ translation from \S+?:([0-9.]+)(?:/\d+)?\S* to \S+?:([0-9.]+)"
)
_GRANTED = re.compile(r"address granted ([0-9a-fA-F.:]+) \(([0-9.]+)\)")
_PAIRS = re.compile(r"(?:^|, )([A-Za-z0-9_]+): ((?:(?!, [A-Za-z0-9_]+: ).)*)", re.DOTALL)
_ON_PORT = re.compile(r"client \(([0-9a-fA-F.:-]+)\).*? on Interface ([A-Za-z]+[\d/.]+)")
_FLAP = re.compile(r"[Hh]ost ([0-9a-fA-F.]+) in vlan (\d+) is flapping")
_AUTHENTICATED = frozenset({"DOT1X", "MAB", "AUTHMGR", "SESSION_MGR", "EPM"})
_REASONS = (("FIN", "fin"), ("Reset", "rst"), ("timeout", "idle"), ("Timeout", "idle"))
_MOST_OPEN = 20_000


class _Open(msgspec.Struct):
    """What was said of a connection when it was built."""

    outbound: bool
    nats: tuple[str | None, str | None]


class CiscoAsa(LineParser):
    """Connections through an ASA or FTD, and ports of IOS switches."""

    manifest: ClassVar[LogManifest] = LogManifest(
        name="cisco_asa",
        title="Cisco ASA, FTD or IOS log",
        reference="Cisco ASA Series Syslog Messages; FTD Syslog Messages",
        framing=Framing.LINES,
        fields=(
            *FIREWALL_FIELDS,
            *("dhcp.address", "dhcp.host_name", "dns.query", "http.user_agent", "http.host"),
            *("switch.name", "switch.port", "switch.vlan", "switch.authentication"),
        ),
        tells=FIREWALL_TELLS | {Tells.LOCATION, Tells.HARDWARE_ADDRESS},
    )

    def __init__(self, name: str, setting: LogSetting) -> None:
        super().__init__(name, setting)
        self._open: OrderedDict[str, _Open] = OrderedDict()

    @staticmethod
    def claims(line: bytes) -> bool:
        """Tell whether a line has the mark of a Cisco message: %FACILITY-SEVERITY-NAME."""
        return _CLAIM.search(line[:512]) is not None

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether most lines are Cisco messages."""
        return mostly(head, CiscoAsa.claims)

    def read(self, message: Message, moment: int) -> None:
        """Take one message; those that tell of no connection or port are only counted."""
        body = f"{message.app}: {message.body}" if message.app else message.body
        if firewall := _FIREWALL.search(body):
            self._firewall(firewall[1], firewall[2], moment)
        elif switch := _SWITCH.search(body):
            self._switch(switch, message.host, moment)
        else:
            raise self.refuse("line has no mark of a Cisco message")

    def _firewall(self, number: str, body: str, moment: int) -> None:
        session: Session | None = None
        if number in ("302013", "302015"):
            self._built(body)
        elif number in ("302014", "302016"):
            session = self._torn(body, moment)
        elif number == "302020":
            session = _icmp(body, moment)
        elif number == "106023":
            session = _deny(body, moment)
        elif number == "106100":
            session = _listed(body, moment)
        elif number in ("430002", "430003"):
            session = self._event(number, dict(_PAIRS.findall(body)), moment)
        elif number == "305011" and (nat := _NAT.match(body)):
            inner, outer = ip_or_none(nat[1]), ip_or_none(nat[2])
            self.records.fact(moment, None, inner, "firewall.nat", outer or "")
        elif number == "604103" and (granted := _GRANTED.search(body)):
            self._granted(granted, moment)
        if session is not None:
            take_session(self.records, session, self.tokeniser)

    def _granted(self, granted: re.Match[str], moment: int) -> None:
        identifier = re.sub(r"[^0-9a-fA-F]", "", granted[1])
        ip = ip_or_none(granted[2])
        mac = mac_or_none(identifier[-12:])  # a client identifier: type 01, then the address
        if ip is not None and mac is not None and len(identifier) in (12, 14):
            leased(self.records, moment, mac, ip)

    def _built(self, body: str) -> None:
        built = _BUILT.match(body)
        if built is None:
            raise self.refuse("connection message of another form")
        nats = (ip_or_none(built[7] or ""), ip_or_none(built[12] or ""))
        self._open[built[3]] = _Open(built[1] == "outbound", nats)
        if len(self._open) > _MOST_OPEN:
            self._open.popitem(last=False)

    def _torn(self, body: str, moment: int) -> Session:
        torn = _TORN.match(body)
        if torn is None:
            raise self.refuse("connection message of another form")
        known = self._open.pop(torn[2], None)
        first = (torn[3], ip_or_none(torn[4]), port(torn[5]))
        second = (torn[6], ip_or_none(torn[7]), port(torn[8]))
        outbound = known.outbound if known is not None else first[2] < second[2]
        nats = known.nats if known is not None else (None, None)
        client, server = (second, first) if outbound else (first, second)
        if outbound:
            nats = (nats[1], nats[0])
        text = torn[13] or ""
        total = whole(torn[12])
        return Session(
            end_ns=moment,
            duration_s=int(torn[9]) * 3600 + int(torn[10]) * 60 + int(torn[11]),
            client_ip=client[1],
            server_ip=server[1],
            client_port=client[2],
            server_port=server[2],
            protocol=protocol(torn[1]),
            packets_out=1,
            packets_in=1 if total else 0,
            bytes_in=total,
            client_interface=client[0],
            server_interface=server[0],
            client_nat=nats[0],
            server_nat=nats[1],
            end_reason=next((reason for mark, reason in _REASONS if mark in text), "end"),
        )

    def _event(self, number: str, fields: dict[str, str], moment: int) -> Session | None:
        """Return the session of a Firepower connection event; of its beginning (430002) only if blocked."""
        get = fields.get
        client, server = ip_or_none(get("SrcIP", "")), ip_or_none(get("DstIP", ""))
        if client is None or server is None:
            raise self.refuse("connection event without addresses")
        denied = get("AccessControlRuleAction", "").startswith("Block")
        self.records.fact(moment, None, client, "dns.query", get("DNSQuery", "").rstrip(".").lower())
        self.records.fact(moment, None, client, "http.user_agent", get("UserAgent", ""))
        self.records.fact(moment, None, client, "http.host", get("ReferencedHost", ""))
        if number == "430002" and not denied:
            return None
        begun = ns_of_text(get("FirstPacketSecond", ""), "UTC")
        duration = whole(get("ConnectionDuration", ""))
        return Session(
            end_ns=moment if begun is None else begun + duration * 1_000_000_000,
            duration_s=duration,
            client_ip=client,
            server_ip=server,
            client_port=port(get("SrcPort", "")),
            server_port=port(get("DstPort", "")),
            protocol=protocol(get("Protocol", "")),
            bytes_out=whole(get("InitiatorBytes", "")),
            bytes_in=whole(get("ResponderBytes", "")),
            packets_out=whole(get("InitiatorPackets", "")),
            packets_in=whole(get("ResponderPackets", "")),
            application=get("ApplicationProtocol", ""),
            client_zone=get("IngressZone", ""),
            server_zone=get("EgressZone", ""),
            client_interface=get("IngressInterface", ""),
            server_interface=get("EgressInterface", ""),
            client_nat=ip_or_none(get("NAT_InitiatorIP", "")),
            server_nat=ip_or_none(get("NAT_ResponderIP", "")),
            user=get("User", "").replace("No Authentication Required", ""),
            denied=denied,
        )

    def _switch(self, switch: re.Match[str], host: str, moment: int) -> None:
        name = host or self.exporter or ""
        if switch[1] in _AUTHENTICATED and (client := _ON_PORT.search(switch[3])):
            mac = mac_or_none(client[1])
            if mac is not None:
                said = {"switch.name": name, "switch.port": client[2]}
                said["switch.authentication"] = f"{switch[1].lower()} {switch[2].lower()}"
                self.records.facts(moment, mac, None, said)
        elif flap := _FLAP.search(switch[3]):
            mac = mac_or_none(flap[1])
            self.records.fact(moment, mac, None, "switch.vlan", flap[2])


def _icmp(body: str, moment: int) -> Session | None:
    found = _ICMP.match(body)
    if found is None or found[1] is None:
        return None
    foreign, local = ip_or_none(found[2]), ip_or_none(found[4])
    ends = (foreign, local) if found[1] == "inbound" else (local, foreign)
    mapped = ip_or_none(found[3])
    nats = (None, mapped) if found[1] == "inbound" else (mapped, None)
    return Session(
        moment, 0, ends[0], ends[1], protocol=1, packets_out=1, client_nat=nats[0], server_nat=nats[1]
    )


def _deny(body: str, moment: int) -> Session | None:
    found = _DENY.match(body + " ")
    if found is None:
        return None
    return Session(
        moment,
        0,
        ip_or_none(found[3]),
        ip_or_none(found[6]),
        port(found[4] or ""),
        port(found[7] or ""),
        protocol(found[1]),
        client_interface=found[2],
        server_interface=found[5],
        denied=True,
    )


def _listed(body: str, moment: int) -> Session | None:
    found = _LISTED.match(body)
    if found is None or found[1] != "denied":
        return None  # what was permitted comes again when its connection ends
    return Session(
        moment,
        0,
        ip_or_none(found[4]),
        ip_or_none(found[7]),
        port(found[5]),
        port(found[8]),
        protocol(found[2]),
        client_interface=found[3],
        server_interface=found[6],
        denied=True,
    )


PARSER = CiscoAsa
