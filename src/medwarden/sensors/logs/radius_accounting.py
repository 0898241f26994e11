"""RADIUS accounting: which interface logged on where, at which port or access point.

FreeRADIUS ``detail`` files (rlm_detail: a line of time, attributes behind a tab, an empty line), and the
log of Microsoft's Network Policy Server in its two published forms: XML ("DTS compliant", one event per
line) and the older list of values behind attribute numbers ("IAS"). Attributes: RFC 2865, RFC 2866,
RFC 3580 (station ids: MAC address, a colon, the SSID). Users are kept as tokens.
"""

from __future__ import annotations

import re
from typing import ClassVar

from medwarden.kernel.clock import NANOSECONDS
from medwarden.model.log_source import Framing, LogManifest, LogSetting, Tells
from medwarden.sensors.logs.firewall_facts import user_token
from medwarden.sensors.logs.gathering import ip_or_none, mac_or_none
from medwarden.sensors.logs.line_parser import LineParser
from medwarden.sensors.logs.syslog_header import split_message
from medwarden.sensors.logs.times import ns_of_text

_ATTRIBUTE = re.compile(r"[\t ]+([A-Za-z][\w-]*)(?::\d+)? [:+]?= (.*)$")
_DETAIL_TIME = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}$")
_DETAIL_HEAD = re.compile(
    rb"(?m)^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\r?\n\t[A-Z][\w-]+ = "
)
_EVENT_HEAD = re.compile(rb"^\s*(?:\xef\xbb\xbf)?<Event><Timestamp data_type=")
_IAS_HEAD = re.compile(rb'^"?[0-9.]+"?,[^,\r\n]*,\d\d/\d\d/\d{4},\d\d:\d\d:\d\d,(?:IAS|RAS|NPS),')
_ELEMENT = re.compile(r"<([A-Za-z][\w.-]*)(?: data_type=\"\d+\")?>([^<]*)</\1>")
_IAS = re.compile(r'"?[0-9.]+"?,[^,]*,(\d\d)/(\d\d)/(\d{4}),(\d\d:\d\d:\d\d),(?:IAS|RAS|NPS),')
_IAS_NUMBERS = {
    "4": "NAS-IP-Address", "5": "NAS-Port", "8": "Framed-IP-Address", "30": "Called-Station-Id",
    "31": "Calling-Station-Id", "32": "NAS-Identifier", "40": "Acct-Status-Type", "61": "NAS-Port-Type",
    "87": "NAS-Port-Id", "1": "User-Name", "81": "Tunnel-Private-Group-Id", "4108": "Client-IP-Address",
    "4128": "Client-Friendly-Name",
}  # fmt: skip
_STATION = re.compile(r"((?:[0-9A-Fa-f]{2}[-:.]?){5}[0-9A-Fa-f]{2})(?::(.*))?$")
_STATUS = {"1": "start", "2": "stop", "3": "interim-update", "7": "accounting-on", "8": "accounting-off"}
_STATUSES = frozenset(_STATUS.values()) | {"alive"}
_PORT_TYPES = {
    "15": "Ethernet", "19": "Wireless-802.11", "5": "Virtual", "Wireless-IEEE-802-11": "Wireless-802.11",
}  # fmt: skip
_MOST_ATTRIBUTES = 256
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))


class RadiusAccounting(LineParser):
    """Interfaces and where they are attached, as RADIUS accounting tells."""

    manifest: ClassVar[LogManifest] = LogManifest(
        name="radius_accounting",
        title="RADIUS accounting",
        reference="FreeRADIUS rlm_detail; Microsoft NPS log file formats; RFC 2866, RFC 3580",
        framing=Framing.LINES,
        fields=(
            "radius.nas", "radius.nas_identifier", "radius.nas_port", "radius.nas_port_id",
            "radius.nas_port_type", "radius.access_point", "radius.ssid", "radius.called_station",
            "radius.user", "radius.address", "radius.session", "radius.vlan", "radius.role",
        ),
        tells=frozenset({Tells.HARDWARE_ADDRESS, Tells.LOCATION}),
    )  # fmt: skip

    def __init__(self, name: str, setting: LogSetting) -> None:
        super().__init__(name, setting)
        self._record: dict[str, str] | None = None
        self._begun: int | None = None

    @staticmethod
    def claims(line: bytes) -> bool:
        """Tell whether a line is an event of the Network Policy Server."""
        return _EVENT_HEAD.match(line) is not None or _IAS_HEAD.match(line) is not None

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether an input is a detail file or a log of the Network Policy Server."""
        return (
            _DETAIL_HEAD.match(head.lstrip(b"\r\n")) is not None
            or _EVENT_HEAD.match(head) is not None
            or _IAS_HEAD.match(head) is not None
        )

    def feed(self, piece: bytes | memoryview, offset: int) -> None:
        """Take whole lines; an empty one ends a record of a detail file."""
        at = offset
        for raw in bytes(piece).split(b"\n"):
            line = raw.rstrip(b"\r\0")
            if line.strip():
                self._one(line, at)
            elif line != b"" or at + len(raw) < offset + len(piece):
                self._finish()
            at += len(raw) + 1

    def line(self, text: str, offset: int) -> None:  # noqa: ARG002 - a record is several lines
        """Take a time, an attribute, or an event of the Network Policy Server."""
        if _DETAIL_TIME.match(text):
            self._finish()
            self._record = {}
            self._begun = split_message(f"{text} ", self.now_ns, self.setting.time_zone).ts_ns
        elif self._record is not None and (attribute := _ATTRIBUTE.match(text)):
            if not attribute[2].isprintable():
                raise self.refuse("attribute with control characters")
            if len(self._record) < _MOST_ATTRIBUTES:
                self._record.setdefault(attribute[1], _unquoted(attribute[2]))
        elif "<Event>" in text[:64]:
            self._event(text)
        elif ias := _IAS.match(text):
            self._ias(text, ias)
        else:
            raise self.refuse("line is neither a time, an attribute nor an event")

    def settle(self, *, final: bool) -> None:
        """End the last record of a detail file."""
        if final:
            self._finish()

    def _finish(self) -> None:
        record, self._record = self._record, None
        if record is None:
            return
        stamp = record.get("Timestamp", "") or record.get("Event-Timestamp", "")
        moment = int(stamp) * NANOSECONDS if stamp.isdecimal() and len(stamp) < 11 else self._begun
        if moment is None:
            moment = self.setting.now_ns
        self._tell(record, min(moment, 8_999_999_999 * NANOSECONDS))

    def _event(self, text: str) -> None:
        record = {name: _plain(value) for name, value in _ELEMENT.findall(text)[:_MOST_ATTRIBUTES]}
        stamp = re.match(r"(\d\d)/(\d\d)/(\d{4}) (\d\d:\d\d:\d\d)", record.get("Timestamp", ""))
        if stamp is None:
            raise self.refuse("event without a time")
        moment = ns_of_text(f"{stamp[3]}-{stamp[1]}-{stamp[2]}T{stamp[4]}", self.setting.time_zone)
        if moment is None:
            raise self.refuse("event without a time")
        self._tell(record, moment)

    def _ias(self, text: str, ias: re.Match[str]) -> None:
        moment = ns_of_text(f"{ias[3]}-{ias[1]}-{ias[2]}T{ias[4]}", self.setting.time_zone)
        if moment is None:
            raise self.refuse("event without a time")
        cells = self.cells(text)
        record: dict[str, str] = {"User-Name": cells[1], "NAS-IP-Address": cells[0]}
        for number, value in zip(cells[6::2], cells[7::2], strict=False):
            if name := _IAS_NUMBERS.get(number.strip()):
                record[name] = value.strip()
        self._tell(record, moment)

    def _tell(self, record: dict[str, str], moment: int) -> None:
        """State where the interface of one record is attached."""
        get = record.get
        self.records.parsed(moment)
        server = ip_or_none(get("NAS-IP-Address", "") or get("Client-IP-Address", ""))
        self.records.fact(moment, None, server, "radius.role", "nas")
        self.records.fact(moment, None, server, "radius.nas_identifier", get("NAS-Identifier", ""))
        calling = _STATION.match(get("Calling-Station-Id", ""))
        mac = mac_or_none(calling[1]) if calling is not None else None
        ip = ip_or_none(get("Framed-IP-Address", ""))
        if mac is None:
            return
        called = _STATION.match(get("Called-Station-Id", ""))
        kind = get("NAS-Port-Type", "")
        kind = _PORT_TYPES.get(kind, kind)
        status = get("Acct-Status-Type", "")
        said = {
            "radius.nas": get("NAS-Identifier", "") or get("Client-Friendly-Name", "") or server or "",
            "radius.nas_port": get("NAS-Port", ""),
            "radius.nas_port_id": get("NAS-Port-Id", ""),
            "radius.nas_port_type": kind,
            "radius.user": user_token(self.tokeniser, _person(get("User-Name", ""), mac)),
            "radius.session": _STATUS.get(status, status.lower() if status.lower() in _STATUSES else ""),
            "radius.vlan": get("Tunnel-Private-Group-Id", ""),
        }
        if called is not None and kind.startswith("Wireless"):
            said["radius.access_point"] = mac_or_none(called[1]) or ""
            said["radius.ssid"] = called[2] or ""
        elif get("Called-Station-Id", ""):
            said["radius.called_station"] = get("Called-Station-Id", "")
        if ip is not None:
            said["radius.address"] = ip
        self.records.facts(moment, mac, ip, said)


def _person(user: str, mac: str) -> str:
    """Return a user's name; nothing for a host's account or where MAC address authentication names itself."""
    if user.startswith("host/") or mac_or_none(user) == mac:
        return ""
    return user


def _unquoted(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return text


def _plain(text: str) -> str:
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    return text.strip()


PARSER = RadiusAccounting
