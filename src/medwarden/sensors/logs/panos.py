"""PAN-OS: traffic, threats, GlobalProtect, HIP matches, User-ID and the DHCP server's system messages.

Palo Alto Networks, "Syslog Field Descriptions", and its published CEF and LEEF templates. Columns are told
apart by the type of log in the fourth of them. Sessions are taken from their ``end`` (or where they were
refused); Device-ID columns, where a licence fills them, name maker, model and system. Users are kept as
tokens.

Enhanced application logs are not read: the administrator's guide ("Enhanced Application Logs") says that they
are for the vendor's own services alone and cannot be seen on the firewall or on Panorama, and their layout is
published nowhere. What those services conclude of them, Device-ID, is in the columns and fields named above.
"""

from __future__ import annotations

import re
from typing import ClassVar

from medwarden.model.log_source import Framing, LogManifest, Tells
from medwarden.sensors.logs.dhcp_facts import leased
from medwarden.sensors.logs.firewall_facts import (
    FIREWALL_FIELDS,
    FIREWALL_TELLS,
    Session,
    port,
    protocol,
    take_session,
    user_token,
    whole,
)
from medwarden.sensors.logs.gathering import ip_or_none, mac_or_none
from medwarden.sensors.logs.key_values import Event, cef, leef
from medwarden.sensors.logs.line_parser import LineParser, mostly
from medwarden.sensors.logs.panos_columns import CEF_NAMES, COLUMNS, LEEF_NAMES
from medwarden.sensors.logs.syslog_header import Message
from medwarden.sensors.logs.times import ns_of_text

_TYPES = "|".join(COLUMNS)
_START = re.compile(rf"\d{{0,2}},(\d{{4}}/\d\d/\d\d \d\d:\d\d:\d\d),[^,]*,({_TYPES}),")
_CLAIM = re.compile(
    rb"\d{0,2},\d{4}/\d\d/\d\d \d\d:\d\d:\d\d,[^,]*,"
    rb"(?:TRAFFIC|THREAT|GLOBALPROTECT|HIPMATCH|HIP-MATCH|USERID|SYSTEM),"
    rb"|(?:CEF|LEEF):[^|]{1,4}\|Palo Alto Networks\|"
)
_DAY = re.compile(r"(\d{4})/(\d\d)/(\d\d) (\d\d:\d\d:\d\d)")
_CEF_DAY = re.compile(r"([A-Z][a-z]{2}) (\d\d) (\d{4}) (\d\d:\d\d:\d\d)(?: (\S+))?")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LEASE = re.compile(
    r"DHCP lease started ip ([0-9.]+) --> mac ([0-9a-fA-F:.-]+)(?: - hostname ([^,]*))?(?:, interface (\S+))?"
)
_DEVICE = {
    "category": "panos.device_category",
    "profile": "panos.device_profile",
    "model": "panos.device_model",
    "vendor": "panos.device_vendor",
    "osfamily": "panos.os_family",
    "osversion": "panos.os_version",
    "host": "panos.host_name",
}
_REASONS = {
    "tcp-fin": "fin", "tcp-rst-from-client": "rst", "tcp-rst-from-server": "rst", "aged-out": "idle",
    "tcp-reuse": "end",
}  # fmt: skip
_SUBTYPES = frozenset({"end", "deny", "drop"})
_DENIED = frozenset({"deny", "drop", "drop-icmp", "reset-both", "reset-client", "reset-server", "block"})


class Panos(LineParser):
    """Sessions and devices that a PAN-OS firewall sees."""

    manifest: ClassVar[LogManifest] = LogManifest(
        name="panos",
        title="PAN-OS log",
        reference="Palo Alto Networks, Syslog Field Descriptions",
        framing=Framing.LINES,
        fields=(
            *FIREWALL_FIELDS,
            *_DEVICE.values(),
            *("panos.host_id", "panos.serial_number", "panos.os", "panos.remote_access"),
            *("dhcp.address", "dhcp.host_name", "http.user_agent"),
        ),
        tells=FIREWALL_TELLS
        | {
            Tells.HARDWARE_ADDRESS,
            Tells.NAME,
            Tells.MAKE_AND_MODEL,
            Tells.OPERATING_SYSTEM,
            Tells.MANAGEMENT,
        },
    )

    @staticmethod
    def claims(line: bytes) -> bool:
        """Tell whether a line is a PAN-OS firewall's."""
        return _CLAIM.search(line[:1024]) is not None

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether most lines are a PAN-OS firewall's."""
        return mostly(head, Panos.claims)

    def line(self, text: str, offset: int) -> None:
        """Take one log message; the columns are found wherever the header before them ends."""
        if start := _START.search(text):
            self._columns(text[start.start() :])
            return
        super().line(text, offset)

    def _columns(self, text: str) -> None:
        cells = self.cells(text)
        names = COLUMNS.get(cells[3] if len(cells) > 3 else "")
        if names is None or len(cells) < 14:
            raise self.refuse("line is cut short")
        fields = {name: cell.strip() for name, cell in zip(names, cells, strict=False) if name}
        moment = self._time(fields.get("time_generated", "")) or self._time(fields.get("receive_time", ""))
        if moment is None:
            raise self.refuse("line has no time")
        self._take(fields, moment)
        self.records.parsed(moment)

    def read(self, message: Message, moment: int) -> None:
        """Take one message in CEF or LEEF. Raises MalformedInput for what is neither."""
        event = cef(message.body) or leef(message.body)
        if event is None or event.vendor != "Palo Alto Networks":
            raise self.refuse("line is no log of PAN-OS")
        fields = _renamed(event)
        self._take(fields, self._time(fields.get("time_generated", "")) or moment)

    def _time(self, text: str) -> int | None:
        if day := _DAY.match(text):
            return ns_of_text(f"{day[1]}-{day[2]}-{day[3]}T{day[4]}", self.setting.time_zone)
        if (day := _CEF_DAY.match(text)) and day[1] in _MONTHS:
            zone = "UTC" if day[5] in ("GMT", "UTC") else self.setting.time_zone
            return ns_of_text(f"{day[3]}-{_MONTHS.index(day[1]) + 1:02}-{day[2]}T{day[4]}", zone)
        return None

    def _take(self, fields: dict[str, str], moment: int) -> None:
        kind = fields.get("type", "").upper()
        if kind == "TRAFFIC":
            self._traffic(fields, moment)
        elif kind == "THREAT":
            self._threat(fields, moment)
        elif kind == "GLOBALPROTECT":
            self._global_protect(fields, moment)
        elif kind in ("HIPMATCH", "HIP-MATCH"):
            self._hip(fields, moment)
        elif kind == "USERID":
            user = user_token(self.tokeniser, fields.get("user", ""))
            self.records.fact(moment, None, ip_or_none(fields.get("ip", "")), "firewall.user", user)
        elif kind == "SYSTEM" and (lease := _LEASE.search(fields.get("opaque", ""))):
            ip, mac = ip_or_none(lease[1]), mac_or_none(lease[2])
            if ip is not None and mac is not None:
                leased(self.records, moment, mac, ip, (lease[3] or "").replace("[Unavailable]", ""))

    def _traffic(self, fields: dict[str, str], moment: int) -> None:
        get = fields.get
        macs = mac_or_none(get("src_mac", "")), mac_or_none(get("dst_mac", ""))
        client, server = ip_or_none(get("src", "")), ip_or_none(get("dst", ""))
        if client is None or server is None:
            raise self.refuse("session without addresses")
        self._devices(fields, moment, client, server, macs)
        if get("subtype", "end") not in _SUBTYPES:
            return  # a session that began: its end tells all of it
        elapsed = whole(get("elapsed", ""))
        start = self._time(get("start", ""))
        session = Session(
            end_ns=moment if start is None else start + elapsed * 1_000_000_000,
            duration_s=elapsed,
            client_ip=client,
            server_ip=server,
            client_port=port(get("sport", "")),
            server_port=port(get("dport", "")),
            protocol=protocol(get("proto", "")),
            bytes_out=whole(get("bytes_sent", "")),
            bytes_in=whole(get("bytes_received", "")),
            packets_out=whole(get("pkts_sent", "")),
            packets_in=whole(get("pkts_received", "")),
            client_mac=macs[0],
            server_mac=macs[1],
            application=get("app", ""),
            client_zone=get("from", ""),
            server_zone=get("to", ""),
            client_interface=get("inbound_if", ""),
            server_interface=get("outbound_if", ""),
            client_nat=_translated(get("natsrc", "")),
            server_nat=_translated(get("natdst", "")),
            user=get("srcuser", ""),
            denied=get("action", "") in _DENIED or get("subtype", "") in ("deny", "drop"),
            end_reason=_REASONS.get(get("session_end_reason", ""), "end"),
        )
        take_session(self.records, session, self.tokeniser)

    def _devices(
        self,
        fields: dict[str, str],
        moment: int,
        client: str,
        server: str,
        macs: tuple[str | None, str | None],
    ) -> None:
        """State what Device-ID has concluded of both ends."""
        for side, ip, mac in (("src", client, macs[0]), ("dst", server, macs[1])):
            for what, field in _DEVICE.items():
                self.records.fact(moment, mac, ip, field, fields.get(f"{side}_{what}", ""))

    def _threat(self, fields: dict[str, str], moment: int) -> None:
        client, server = ip_or_none(fields.get("src", "")), ip_or_none(fields.get("dst", ""))
        if client is None or server is None:
            raise self.refuse("threat without addresses")
        macs = mac_or_none(fields.get("src_mac", "")), mac_or_none(fields.get("dst_mac", ""))
        self._devices(fields, moment, client, server, macs)
        self.records.fact(moment, macs[0], client, "http.user_agent", fields.get("user_agent", ""))
        self.records.fact(moment, macs[0], client, "firewall.zone", fields.get("from", ""))
        self.records.fact(moment, macs[1], server, "firewall.zone", fields.get("to", ""))
        user = user_token(self.tokeniser, fields.get("srcuser", ""))
        self.records.fact(moment, macs[0], client, "firewall.user", user)

    def _global_protect(self, fields: dict[str, str], moment: int) -> None:
        ip = _translated(fields.get("private_ip", "")) or _translated(fields.get("private_ipv6", ""))
        if ip is None:
            return
        system = " ".join(filter(None, (fields.get("client_os", ""), fields.get("client_os_ver", ""))))
        said = {
            "panos.host_name": fields.get("machinename", ""),
            "panos.host_id": fields.get("hostid", ""),
            "panos.serial_number": fields.get("serialnumber", ""),
            "panos.os": system,
            "panos.remote_access": "globalprotect",
            "firewall.user": user_token(self.tokeniser, fields.get("srcuser", "")),
        }
        self.records.facts(moment, None, ip, said)

    def _hip(self, fields: dict[str, str], moment: int) -> None:
        ip = _translated(fields.get("src", "")) or _translated(fields.get("srcipv6", ""))
        mac = mac_or_none(fields.get("mac", ""))
        said = {
            "panos.host_name": fields.get("machinename", ""),
            "panos.host_id": fields.get("hostid", ""),
            "panos.serial_number": fields.get("serialnumber", ""),
            "panos.os": fields.get("os", ""),
            "firewall.user": user_token(self.tokeniser, fields.get("srcuser", "")),
        }
        self.records.facts(moment, mac, ip, said)


def _renamed(event: Event) -> dict[str, str]:
    """Return the fields of a CEF or LEEF event under PAN-OS's own names."""
    names = LEEF_NAMES if "cat" in event.fields and "srcPort" in event.fields else CEF_NAMES
    fields: dict[str, str] = {}
    for key, value in event.fields.items():
        if name := names.get(key):
            fields.setdefault(name, value)
    # CEF: the type of log stands in the name, its subtype in the class, or the other way round
    for text in (event.name, event.event_class):
        if text.upper() in COLUMNS:
            fields.setdefault("type", text.upper())
        else:
            fields.setdefault("subtype", text.lower())
    return fields


def _translated(text: str) -> str | None:
    """Return an address; None for the zeros that stand where there is none."""
    ip = ip_or_none(text)
    return None if ip in ("0.0.0.0", "::") else ip  # noqa: S104 - compared, not listened on


PARSER = Panos
