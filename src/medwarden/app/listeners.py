"""Records that are sent to us, or polled, into the store: flow exports, syslog, SNMP.

Each listener has a socket, a sensor row and an input of its own; all share the resolver of their site and
one storekeeper. A batch goes to the store every two seconds; what a source reports of itself (who sends,
what was lost, how far it lags) is kept in the sensor's row.

Import this module only once a store is open: it stands on the store's tables.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

import msgspec

from medwarden.app.ingest import Ingest, token_key
from medwarden.app.storekeeper import Storekeeper
from medwarden.kernel.clock import NANOSECONDS, wall_clock
from medwarden.kernel.errors import ConfigurationError, InternalError
from medwarden.model.accounting import InputReport
from medwarden.model.batch import Batch
from medwarden.model.log_source import LogSetting, LogTally
from medwarden.operations.interlock import Request, registered
from medwarden.operations.permit import Action, ActionKind, target
from medwarden.sensors.datagram_server import DatagramServer
from medwarden.sensors.flow_choice import flow_parser
from medwarden.sensors.ipfix_framing import IpfixFraming
from medwarden.sensors.line_choice import line_parser, one_line
from medwarden.sensors.reception import Allowed, Reception, SenderAccount
from medwarden.sensors.snmp_poll import SnmpPoll, read_plan
from medwarden.sensors.syslog_server import SyslogServer, server_context
from medwarden.store.open import Store

FLUSH_SECONDS = 2.0
_PORTS = {"netflow": 2055, "ipfix": 4739, "sflow": 6343, "udp": 514, "tcp": 514, "tls": 6514}
_PORTS["ipfix-tcp"] = 4739
_FLOWS = frozenset({"netflow", "ipfix", "sflow"})
_MOST_SENDERS_KEPT = 200
_QUERY = frozenset({"allow", "certificate", "key", "clients"})


class ListenerSpec(msgspec.Struct, frozen=True):
    """What is to be listened to.

    ``kind`` is netflow, ipfix, ipfix-tcp, sflow, udp, tcp, tls (syslog over these) or snmp. ``allow`` are
    networks that may send; none means all. For tls, ``certificate`` and ``key`` are PEM files, ``clients``
    the authority that senders' certificates must be from. For snmp, ``plan`` is the file of agents.
    """

    kind: str
    host: str = "127.0.0.1"
    port: int = 0
    allow: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    clients: Path | None = None
    plan: Path | None = None
    time_zone: str = "UTC"

    @property
    def text(self) -> str:
        """Return what the user calls it."""
        if self.kind == "snmp":
            return f"snmp {self.plan}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.kind}://{host}:{self.port}"


def read_spec(option: str, text: str, *, time_zone: str = "UTC") -> ListenerSpec:
    """Return the spec of an option: ``netflow HOST:PORT``, ``syslog tls://HOST:PORT?...``, ``snmp FILE``.

    Behind ``?`` may stand ``allow=NETWORK`` (more than once), and for tls ``certificate=FILE``, ``key=FILE``
    and ``clients=FILE``. Raises ConfigurationError where it says something else.
    """
    if option == "snmp":
        return ListenerSpec("snmp", plan=Path(text))
    url = text if "://" in text else f"{'udp' if option == 'syslog' else option}://{text}"
    try:
        parts = urlsplit(url)
        port = parts.port
        query = parse_qs(parts.query, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise ConfigurationError(f"--{option} {text}: {error}") from error
    kinds: tuple[str, ...] = ("udp", "tcp", "tls") if option == "syslog" else (option,)
    if option == "ipfix":
        kinds = ("ipfix", "ipfix-tcp")
    if parts.scheme not in kinds or option not in (*_FLOWS, "syslog") or not parts.hostname:
        raise ConfigurationError(f"--{option} {text}: write {kinds[0]}://HOST:PORT")
    if unknown := sorted(set(query) - _QUERY):
        raise ConfigurationError(f"--{option} {text}: {unknown[0]} is not known")
    files = {name: Path(query[name][-1]) for name in ("certificate", "key", "clients") if name in query}
    if parts.scheme == "tls" and "certificate" not in files:
        raise ConfigurationError(f"--{option} {text}: tls needs ?certificate=FILE")
    return ListenerSpec(
        parts.scheme,
        parts.hostname,
        _PORTS[parts.scheme] if port is None else port,
        tuple(query.get("allow", ())),
        files.get("certificate"),
        files.get("key"),
        files.get("clients"),
        time_zone=time_zone,
    )


class _Source(Protocol):
    """A server or poller with a thread of its own."""

    error: BaseException | None

    def start(self) -> None: ...
    def stop(self) -> None: ...


class _Gathered(Protocol):
    """Where what a source heard can be taken, and its account."""

    octets: int
    last_heard_ns: int | None

    def take(self, *, final: bool = False) -> Batch: ...
    def tally(self) -> LogTally: ...
    def accounts(self) -> list[SenderAccount]: ...


class Listener:
    """One listening socket, or one poller, on its way into the store.

    :meth:`start` begins, :meth:`stop` ends taking records in, :meth:`finish` brings what is left and
    returns the account. The sensor's row holds the counters meanwhile.
    """

    def __init__(
        self, spec: ListenerSpec, ingest: Ingest, keeper: Storekeeper, source: _Source, gathered: _Gathered
    ) -> None:
        self.spec = spec
        self.ingest = ingest
        self.address: tuple[str, int] | None = getattr(source, "address", None)
        self._keeper = keeper
        self._source = source
        self._gathered = gathered
        self._number = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"flush {spec.text}", daemon=True)
        self.error: BaseException | None = None
        begun = wall_clock()
        self._state = ingest.writer.begin_input(
            f"listener:{ingest.writer.sensor}:{begun}", spec.text, spec.kind
        )

    def start(self) -> None:
        """Begin to take records in, and to store them every two seconds."""
        self._source.start()
        self._thread.start()

    def stop(self) -> None:
        """Take what has arrived, and nothing more."""
        self._source.stop()
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def finish(self) -> InputReport:
        """Store what is left, close the input and return its account. Raises what ended a thread."""
        self.stop()
        for error in (self.error, self._source.error):
            if error is not None:
                raise InternalError(f"{self.spec.text}: the listener ended by a defect") from error
        self._flush(final=True)
        report = self.report()
        self._keeper.bring(partial(self.ingest.writer.finish_input, self._state, report))
        return report

    def report(self) -> InputReport:
        """Return the account so far."""
        tally = self._gathered.tally()
        return InputReport(
            self.spec.text,
            self.spec.kind,
            records=tally.count,
            bytes=self._gathered.octets,
            first_ns=tally.first_ns,
            last_ns=tally.last_ns,
            rejected_reasons=dict(tally.reasons),
            repeated=tally.repeated,
            missing=tally.missing,
        )

    def counters(self) -> dict[str, object]:
        """Return the running totals for the sensor's row: sums, lag, and the account of each sender."""
        tally = self._gathered.tally()
        heard = self._gathered.last_heard_ns
        lag = None if heard is None or tally.last_ns is None else max(0, heard - tally.last_ns) / NANOSECONDS
        senders = sorted(self._gathered.accounts(), key=lambda account: -account.last_ns)
        return {
            "records": msgspec.to_builtins(tally.count),
            "repeated": tally.repeated,
            "missing": tally.missing,
            "reasons": dict(tally.reasons),
            "fault": tally.fault,
            "last_heard_ns": heard,
            "lag_s": lag,
            "refused": getattr(self._source, "refused", 0),
            "broken": getattr(self._source, "broken", 0),
            "senders": [
                {
                    "sender": account.sender,
                    "format": account.format,
                    "last_ns": account.last_ns,
                    "bytes": account.octets,
                    "records": msgspec.to_builtins(account.tally.count),
                    "missing": account.tally.missing,
                }
                for account in senders[:_MOST_SENDERS_KEPT]
            ],
        }

    def _run(self) -> None:
        try:
            while not self._ended.wait(FLUSH_SECONDS):
                self._flush(final=False)
        except BaseException as error:  # noqa: BLE001 - raised again by finish(), in the thread that waits
            self.error = error

    def _flush(self, *, final: bool) -> None:
        batch = self._gathered.take(final=final)
        if batch.empty():
            self._keeper.bring(partial(self.ingest.writer.count, self.counters()))
            return
        number, self._number = self._number, self._number + 1
        self._keeper.bring(partial(self.ingest.commit, self._state, number, batch, self.report()))
        self._keeper.bring(partial(self.ingest.writer.count, self.counters()))


def open_listeners(
    store: Store,
    keeper: Storekeeper,
    specs: Sequence[ListenerSpec],
    site: str | None = None,
    *,
    beside: Ingest | None = None,
) -> list[Listener]:
    """Open the sockets of ``specs`` and return their listeners, not yet started.

    ``beside`` is the ingest of a live interface of the same process: its resolver is shared. Call
    :meth:`Listener.start` on each, later :meth:`Listener.finish`, then end the keeper. Raises
    ResourceError where a port cannot be had (what was opened before is closed again) and
    ConfigurationError for a wrong certificate, network or file of agents.
    """
    listeners: list[Listener] = []
    first = beside
    try:
        for spec in specs:
            setting = LogSetting(token_key(store.home), spec.time_zone, wall_clock())
            source, gathered = _opened(spec, setting, store, site)
            sensor = _sensor_name(spec, source, site)
            ingest = Ingest(store, sensor, kind=_kind(spec), site=site, name=spec.text, beside=first)
            first = first or ingest
            listeners.append(Listener(spec, ingest, keeper, source, gathered))
    except BaseException:
        for listener in listeners:
            listener.stop()
        raise
    return listeners


def _kind(spec: ListenerSpec) -> str:
    return "syslog" if spec.kind in ("udp", "tcp", "tls") else spec.kind


def _sensor_name(spec: ListenerSpec, source: _Source, site: str | None) -> str:
    """Return the name of a listener's sensor row: what it hears and on which port, always the same."""
    if spec.plan is not None:
        name = f"snmp-{spec.plan.stem}"
    else:
        port = spec.port or getattr(source, "address", ("", 0))[1]
        name = f"{_kind(spec)}-{spec.kind}-{port}" if _kind(spec) == "syslog" else f"{spec.kind}-{port}"
    return (name if site is None else f"{name}@{site}")[:80]


def _opened(
    spec: ListenerSpec, setting: LogSetting, store: Store, site: str | None
) -> tuple[_Source, _Gathered]:
    if spec.kind == "snmp":
        if spec.plan is None:
            raise ConfigurationError("snmp needs a file that names the agents")
        poll = SnmpPoll(read_plan(spec.plan), protected=partial(_protection, store, site))
        return poll, poll
    allowed = Allowed(spec.allow)
    if spec.kind in _FLOWS:
        reception = Reception(flow_parser, setting, allowed=allowed)
        return DatagramServer(spec.host, spec.port, reception), reception
    if spec.kind == "ipfix-tcp":
        reception = Reception(flow_parser, setting, allowed=allowed, lasting=True)
        return SyslogServer(spec.host, spec.port, reception, framing=IpfixFraming), reception
    reception = Reception(line_parser, setting, prepare=one_line, allowed=allowed)
    if spec.kind == "udp":
        return DatagramServer(spec.host, spec.port, reception), reception
    if spec.kind not in ("tcp", "tls"):
        raise ConfigurationError(f"{spec.kind} is nothing that can be listened to")
    tls = None
    if spec.kind == "tls":
        if spec.certificate is None:
            raise ConfigurationError("tls needs a certificate")
        tls = server_context(spec.certificate, spec.key, spec.clients)
    return SyslogServer(spec.host, spec.port, reception, tls=tls), reception


def _protection(store: Store, site: str | None, address: str) -> str | None:
    """Return why ``address`` must not be asked by the do-not-probe registry as it is now, or None."""
    from medwarden.store.models import DEFAULT_SITE, DEFAULT_TENANT
    from medwarden.store.probing import registry
    from medwarden.store.queries import complete_devices
    from medwarden.store.queries.standing import standing_at

    place, now = site or DEFAULT_SITE, wall_clock()
    try:
        aimed = target(place, address, 161)
        devices = tuple(complete_devices(standing_at(DEFAULT_TENANT, place, aimed.ip, now)))
        asked = Request(Action(ActionKind.PROBE, "snmp_poll"), aimed, devices)
        refusal = registered(asked, registry(DEFAULT_TENANT, place), now)
        return None if refusal is None else refusal.reason
    finally:
        store.leave_thread()
