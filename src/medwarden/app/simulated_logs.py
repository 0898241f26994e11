"""Writing the logs of a simulated hospital: what other sensors would have said of the same traffic."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO

import msgspec

from medwarden.kernel.errors import ConfigurationError
from medwarden.simulation import wire
from medwarden.simulation.ends import HOUR, Session
from medwarden.simulation.hospital import Site
from medwarden.simulation.logs import LOGS, dhcp_server, eve, netflow, zeek

_HEADER = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, 1)


class LogFiles:
    """The logs of one site, in folders ``zeek``, ``suricata``, ``netflow`` and ``dhcp``."""

    def __init__(self, folder: Path, site: Site, wanted: Sequence[str], start: int) -> None:
        unknown = [name for name in wanted if name not in LOGS]
        if unknown:
            raise ConfigurationError(f"there is no log {unknown[0]!r}; there are {', '.join(LOGS)}")
        self._folder = folder
        self._site = site
        self._wanted = frozenset(wanted)
        self._stack = ExitStack()
        self._open: dict[str, IO[bytes]] = {}
        self._exporter = netflow.Exporter(site.number + 1, start - 24 * HOUR)
        self._encode = msgspec.json.Encoder().encode

    def __enter__(self) -> LogFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _file(self, name: str) -> IO[bytes]:
        found = self._open.get(name)
        if found is None:
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            found = self._open[name] = self._stack.enter_context(path.open("wb"))
            if name.endswith(".pcap"):
                found.write(_HEADER)
        return found

    def _heading(self, name: str) -> list[bytes]:
        """Return what an audit log begins with where none was written yet."""
        return [] if name in self._open else [dhcp_server.WINDOWS_HEADING.encode()]

    def write(self, sessions: Iterable[Session], at: int) -> None:
        """Write the flows that ended up to ``at``."""
        ended = sorted(sessions, key=lambda s: (s.end, s.start, s.near_ip, s.near_port, s.far_ip, s.far_port))
        parts: dict[str, list[bytes]] = {}
        for session in ended:
            if "zeek" in self._wanted:
                for log, row in zeek.rows(session):
                    parts.setdefault(f"zeek/{log}.log", []).append(self._encode(row))
            if "eve" in self._wanted:
                for event in eve.rows(session):
                    parts.setdefault("suricata/eve.json", []).append(self._encode(event))
            if "dhcp" in self._wanted:
                server = self._site.roles.get("dhcp")
                host = server.name.lower() if server is not None else "dhcp"
                for line in dhcp_server.lines(session, host):
                    parts.setdefault("dhcp/dhcpd.log", []).append(line.encode())
                if server is not None and server.system.name == "Windows Server":
                    for line in dhcp_server.windows_lines(session):
                        audit = parts.setdefault("dhcp/DhcpSrvLog.log", self._heading("dhcp/DhcpSrvLog.log"))
                        audit.append(line.encode())
        for name, lines in parts.items():
            self._file(name).write(b"\n".join(lines) + b"\n")
        if "netflow" in self._wanted and ended:
            self._export(ended, at)

    def _export(self, sessions: Sequence[Session], at: int) -> None:
        network = self._site.plan.networks["servers"]
        collector = self._site.roles.get("watch") or self._site.roles.get("dns")
        if collector is None:
            raise ConfigurationError("a site without servers has nobody to export flows to")
        target = collector.end(at)
        head = wire.ethernet(target.mac, network.gateway_mac, wire.ETHER_IPV4)
        out = self._file("netflow/netflow9.pcap")
        for number, datagram in enumerate(self._exporter.datagrams(sessions, at)):
            packet = wire.udp(
                network.gateway, target.ip, 50_001, netflow.PORT, datagram, ttl=255, ident=number & 0xFFFF
            )
            size, moment = len(head) + len(packet), at + number * 1000
            out.write(struct.pack("<IIII", moment // 10**9, moment % 10**9, size, size) + head + packet)
