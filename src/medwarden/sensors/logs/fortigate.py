"""FortiGate: traffic, application, DNS and DHCP logs.

Fortinet, "FortiOS Log Message Reference" (key=value; also sent as CEF with keys that begin with FTNTFGT).
Sessions that last are logged now and then with what was added since (``sentdelta``, ``rcvddelta``); their
packets are not told and count as one. Users are kept as tokens, addresses as they were before translation.
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
    whole,
)
from medwarden.sensors.logs.gathering import ip_or_none, mac_or_none
from medwarden.sensors.logs.key_values import cef, pairs
from medwarden.sensors.logs.line_parser import LineParser, mostly
from medwarden.sensors.logs.syslog_header import Message
from medwarden.sensors.logs.times import MOST_SECONDS, ns_of_text

_CLAIM = re.compile(
    rb'devid="?F[A-Z0-9]{3,}|CEF:\d\|Fortinet\|Fortigate\||FTNTFGT|\blogid="?\d{8,10}"?\s+type="?\w+'
)
_CEF_NAMES = {
    "src": "srcip", "dst": "dstip", "spt": "srcport", "dpt": "dstport", "proto": "proto", "act": "action",
    "in": "rcvdbyte", "out": "sentbyte", "app": "service", "deviceInboundInterface": "srcintf",
    "deviceOutboundInterface": "dstintf", "sourceTranslatedAddress": "transip", "smac": "srcmac",
    "shost": "srcname", "suser": "user", "dhost": "hostname",
}  # fmt: skip
_DEVICE = {
    "devtype": "fortigate.device_type",
    "srchwvendor": "fortigate.hardware_vendor",
    "srchwmodel": "fortigate.hardware_model",
    "srchwversion": "fortigate.hardware_version",
    "srcfamily": "fortigate.hardware_family",
    "osname": "fortigate.os_name",
    "srcswversion": "fortigate.os_version",
    "osversion": "fortigate.os_version",
    "srcname": "fortigate.host_name",
}
_DENIED = frozenset({"deny", "blocked", "block", "dropped"})
_REASONS = {"close": "fin", "client-rst": "rst", "server-rst": "rst", "timeout": "idle"}
_INTERIM = "0020"
_DHCP_KINDS = {"discover": "discover", "request": "request", "release": "release", "decline": "decline"}


class Fortigate(LineParser):
    """Sessions and devices that a FortiGate sees."""

    manifest: ClassVar[LogManifest] = LogManifest(
        name="fortigate",
        title="FortiGate log",
        reference="Fortinet, FortiOS Log Message Reference",
        framing=Framing.LINES,
        fields=(
            *FIREWALL_FIELDS,
            *dict.fromkeys(_DEVICE.values()),
            *("dhcp.address", "dhcp.host_name", "dhcp.message_type", "dns.query", "http.host", "tls.sni"),
        ),
        tells=FIREWALL_TELLS
        | {Tells.HARDWARE_ADDRESS, Tells.NAME, Tells.MAKE_AND_MODEL, Tells.OPERATING_SYSTEM},
    )

    @staticmethod
    def claims(line: bytes) -> bool:
        """Tell whether a line is a FortiGate's."""
        return _CLAIM.search(line[:1024]) is not None

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether most lines are a FortiGate's."""
        return mostly(head, Fortigate.claims)

    def read(self, message: Message, moment: int) -> None:
        """Take one log message. Raises MalformedInput where it has no type."""
        body = f"{message.app}: {message.body}" if message.app else message.body
        event = cef(body)
        fields = pairs(body) if event is None else _from_cef(event.fields)
        if event is not None and "type" not in fields:
            kind, _, rest = event.name.partition(":")
            fields["type"], fields["subtype"] = kind.strip(), rest.strip().partition(" ")[0]
        if not fields.get("type") or ("logid" not in fields and "devid" not in fields and event is None):
            raise self.refuse("line has no type of log")
        written = self._written(fields)
        at = moment if written is None else written
        kind, subtype = fields["type"], fields.get("subtype", "")
        if kind == "traffic":
            self._traffic(fields, at)
        elif kind == "utm" or subtype in ("app-ctrl", "dns", "webfilter"):
            self._content(fields, subtype, at)
        elif kind == "event" and fields.get("dhcp_msg"):
            self._dhcp(fields, at)

    def _written(self, fields: dict[str, str]) -> int | None:
        """Return when the message was written: seconds, milli-, micro- or nanoseconds, or date and time."""
        raw = fields.get("eventtime", "")
        if raw.isdecimal() and 10 <= len(raw) <= 19 and int(raw[:10]) < MOST_SECONDS:
            return int(raw.ljust(19, "0"))
        date, time, offset = fields.get("date", ""), fields.get("time", ""), fields.get("tz", "")
        offset = f"{offset[:3]}:{offset[3:]}" if re.fullmatch(r"[+-]\d{4}", offset) else ""
        return ns_of_text(f"{date}T{time}{offset}", self.setting.time_zone) if date and time else None

    def _traffic(self, fields: dict[str, str], at: int) -> None:
        get = fields.get
        interim = get("logid", "").endswith(_INTERIM)
        delta = "sentdelta" in fields or "rcvddelta" in fields
        if interim and not delta:
            return  # totals so far: they come again when the session ends
        names = ("sentdelta", "rcvddelta") if delta else ("sentbyte", "rcvdbyte")
        action = get("action", "")
        translated = ip_or_none(get("transip", ""))
        mac = mac_or_none(get("srcmac", "") or get("mastersrcmac", ""))
        session = Session(
            end_ns=at,
            duration_s=0 if interim else whole(get("duration", "")),
            client_ip=ip_or_none(get("srcip", "")),
            server_ip=ip_or_none(get("dstip", "")),
            client_port=port(get("srcport", "")),
            server_port=port(get("dstport", "")),
            protocol=protocol(get("proto", "")),
            bytes_out=whole(get(names[0], "")),
            bytes_in=whole(get(names[1], "")),
            packets_out=0 if interim else whole(get("sentpkt", "")),
            packets_in=0 if interim else whole(get("rcvdpkt", "")),
            client_mac=mac,
            server_mac=mac_or_none(get("dstmac", "") or get("masterdstmac", "")),
            application=get("app", ""),
            client_zone=get("srcintfrole", "").replace("undefined", ""),
            server_zone=get("dstintfrole", "").replace("undefined", ""),
            client_interface=get("srcintf", ""),
            server_interface=get("dstintf", ""),
            client_nat=translated if "snat" in get("trandisp", "") else None,
            user=get("user", ""),
            denied=action in _DENIED,
            end_reason="active" if interim else _REASONS.get(action, "end"),
        )
        take_session(self.records, session, self.tokeniser)
        self._device(fields, session.client_ip, mac, at)

    def _device(self, fields: dict[str, str], ip: str | None, mac: str | None, at: int) -> None:
        for key, field in _DEVICE.items():
            value = fields.get(key, "")
            if value and value.lower() not in ("unknown", "n/a", "none"):
                self.records.fact(at, mac, ip, field, value)

    def _content(self, fields: dict[str, str], subtype: str, at: int) -> None:
        ip, mac = ip_or_none(fields.get("srcip", "")), mac_or_none(fields.get("srcmac", ""))
        if name := fields.get("qname", ""):
            self.records.fact(at, mac, ip, "dns.query", name.rstrip(".").lower())
        host = fields.get("hostname", "")
        if host and subtype in ("webfilter", "app-ctrl"):
            encrypted = (
                fields.get("service", "").upper() in ("HTTPS", "SSL") or fields.get("dstport") == "443"
            )
            self.records.fact(at, mac, ip, "tls.sni" if encrypted else "http.host", host)
        self._device(fields, ip, mac, at)

    def _dhcp(self, fields: dict[str, str], at: int) -> None:
        kind = fields["dhcp_msg"].lower()
        mac, ip = mac_or_none(fields.get("mac", "")), ip_or_none(fields.get("ip", ""))
        if mac is None:
            return
        if kind == "ack" and ip is not None:
            leased(self.records, at, mac, ip, fields.get("hostname", "").replace("N/A", ""))
        elif kind in _DHCP_KINDS:
            self.records.fact(at, mac, None, "dhcp.message_type", _DHCP_KINDS[kind])


def _from_cef(fields: dict[str, str]) -> dict[str, str]:
    """Return the fields of a CEF message under FortiOS's own names."""
    named: dict[str, str] = {}
    for key, value in fields.items():
        own = key.removeprefix("FTNTFGT")
        named.setdefault(own if own != key else _CEF_NAMES.get(key, key), value)
    return named


PARSER = Fortigate
