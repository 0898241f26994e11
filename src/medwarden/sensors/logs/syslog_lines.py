"""Plain syslog: which hosts and programs write, never what they write.

RFC 5424, RFC 3164. The rest of a message may hold patient data and is not read. What no other parser of
lines claims comes here, so that every sender is at least known by name.
"""

from __future__ import annotations

import re
from typing import ClassVar

from medwarden.model.log_source import Framing, LogManifest, Tells
from medwarden.sensors.logs.gathering import ip_or_none
from medwarden.sensors.logs.line_parser import LineParser, mostly
from medwarden.sensors.logs.syslog_header import Message

_PRIORITY = re.compile(rb"<(?:\d|[1-9]\d|1[0-8]\d|19[01])>")
_OLD = re.compile(rb"(?:<\d{1,3}>)?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [\w.:-]+ [\w./-]+(?:\[\d+\])?: ")
_ISO = re.compile(rb"(?:<\d{1,3}>)?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S* [\w.:-]+ [\w./-]+(?:\[\d+\])?: ")


class SyslogLines(LineParser):
    """Names of hosts and programs in the headers of log messages."""

    general: ClassVar[bool] = True
    manifest: ClassVar[LogManifest] = LogManifest(
        name="syslog_lines",
        title="Syslog",
        reference="RFC 5424, RFC 3164",
        framing=Framing.LINES,
        fields=("syslog.host_name", "syslog.app_name"),
        tells=frozenset({Tells.NAME}),
        ports=(514, 601, 6514),
    )

    @staticmethod
    def claims(line: bytes) -> bool:
        """Tell whether a line has a priority, or a header as syslog daemons write it into files."""
        return bool(_PRIORITY.match(line) or _OLD.match(line) or _ISO.match(line))

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether most lines have a header of syslog."""
        return mostly(head, SyslogLines.claims)

    def read(self, message: Message, moment: int) -> None:
        """Take the names of one message. Raises MalformedInput where there is no header at all."""
        if message.ts_ns is None and not message.app and not message.host and self.heard_ns is None:
            raise self.refuse("line has no header of syslog")
        address = ip_or_none(message.host) if message.host else None
        # Behind a relay the sender of the datagram is not the host that wrote: only an address can be told.
        owner = address or self.exporter
        host = message.host if address is None else ""
        self.records.fact(moment, None, owner, "syslog.host_name", host)
        self.records.fact(moment, None, owner, "syslog.app_name", message.app)


PARSER = SyslogLines
