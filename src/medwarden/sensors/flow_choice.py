"""Which flow export a datagram is: its version field says so, whatever port it came to."""

from __future__ import annotations

from medwarden.model.log_source import LogParser
from medwarden.sensors.logs.ipfix import Ipfix
from medwarden.sensors.logs.netflow5 import Netflow5
from medwarden.sensors.logs.netflow9 import Netflow9
from medwarden.sensors.logs.sflow import Sflow

_BY_VERSION: dict[bytes, type[LogParser]] = {b"\0\5": Netflow5, b"\0\x09": Netflow9, b"\0\x0a": Ipfix}


def flow_parser(datagram: bytes) -> type[LogParser] | None:
    """Return the parser of a flow export datagram, or None where it begins like none.

    sFlow has a version of four octets, NetFlow 5 and 9 and IPFIX of two. The head decides, not the whole
    datagram: what is broken behind it is its parser's to name.
    """
    if datagram[:4] == b"\0\0\0\5":
        return Sflow
    return _BY_VERSION.get(datagram[:2])
