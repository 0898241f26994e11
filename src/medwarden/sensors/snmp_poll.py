"""Poll switches and wireless controllers over SNMP: who is attached where.

Which agents, and how to read them, stands in a TOML file that only its owner may read; passwords may
stand in the environment instead. They are never part of a command line, a message or a report::

    interval_s = 300

    [[device]]
    address = "10.0.0.5"
    community_env = "SWITCH_COMMUNITY"

    [[device]]
    address = "10.0.0.6"
    user = "reader"
    auth = "sha256"
    auth_password = "..."
    privacy = "aes"
    privacy_password_env = "SWITCH_PRIVACY"
"""

from __future__ import annotations

import os
import stat
import threading
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from medwarden.kernel.clock import Clock, wall_clock
from medwarden.kernel.errors import ConfigurationError, MalformedInput, RemoteServiceError
from medwarden.model.batch import Batch
from medwarden.model.log_source import LogTally
from medwarden.sensors.logs.gathering import BATCH_SCHEMA, FactSum
from medwarden.sensors.reception import SenderAccount
from medwarden.sensors.snmp_session import Credential, SnmpSession
from medwarden.sensors.snmp_tables import FIELDS, Rows, SwitchReading

SOURCE = "snmp_poll"
POLL_FIELDS = FIELDS
"""Evidence fields that polling may state."""
LEAST_INTERVAL_S = 30
_MOST_INTERVAL_S = 1e9  # what is no number at all is none either
_MOST_NAME = 255  # RFC 1035, 2.3.4
_SECRETS = ("community", "auth_password", "privacy_password")


class PolledDevice(msgspec.Struct, frozen=True):
    """One agent: where it is and how it lets itself be read."""

    address: str
    port: int
    credential: Credential


class PollPlan(msgspec.Struct, frozen=True):
    """Which agents are polled, and how often."""

    devices: tuple[PolledDevice, ...]
    interval_s: float


def read_plan(path: Path, environment: Mapping[str, str] = os.environ) -> PollPlan:
    """Return the plan that stands in a file. Raises ConfigurationError naming the file and what is wrong."""
    try:
        if path.stat().st_mode & stat.S_IRWXO:
            raise ConfigurationError(f"{path}: others may read its passwords; run chmod 600 {path}")
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read ({error})") from error
    except (ValueError, RecursionError) as error:  # also a number without measure, endless nesting
        raise ConfigurationError(f"{path}: is no TOML ({str(error)[:200]})") from error
    devices = table.get("device")
    interval = table.get("interval_s", 300)
    if not isinstance(devices, list) or not devices:
        raise ConfigurationError(f"{path}: names no [[device]]")
    if not isinstance(interval, int | float) or not LEAST_INTERVAL_S <= interval <= _MOST_INTERVAL_S:
        raise ConfigurationError(f"{path}: interval_s must be {LEAST_INTERVAL_S} or more")
    plan = tuple(_device(path, number, entry, environment) for number, entry in enumerate(devices, 1))
    return PollPlan(plan, float(interval))


def _device(path: Path, number: int, entry: object, environment: Mapping[str, str]) -> PolledDevice:
    where = f"{path}, device {number}"
    if not isinstance(entry, dict) or not isinstance(entry.get("address"), str):
        raise ConfigurationError(f"{where}: has no address")
    known = {"address", "port", "user", "auth", "privacy", *_SECRETS, *(f"{name}_env" for name in _SECRETS)}
    if unknown := sorted(set(entry) - known):
        raise ConfigurationError(f"{where}: {unknown[0][:40]} is not known")
    port = entry.get("port", 161)
    if not isinstance(port, int) or not 0 < port < 65536:
        raise ConfigurationError(f"{where}: port is no port")
    values = {name: str(entry.get(name, "")) for name in ("user", "auth", "privacy")}
    for name in _SECRETS:
        variable = entry.get(f"{name}_env")
        if variable is not None and str(variable) not in environment:
            raise ConfigurationError(f"{where}: there is no {str(variable)[:80]} in the environment")
        values[name] = environment[str(variable)] if variable is not None else str(entry.get(name, ""))
    if len(entry["address"]) > _MOST_NAME:
        raise ConfigurationError(f"{where}: address is longer than any name of a host")
    device = PolledDevice(entry["address"], port, Credential(**values))
    try:
        SnmpSession(device.address, device.port, device.credential).close()  # a wrong setting ends here
    except OSError as error:
        raise ConfigurationError(f"{where}: {device.address} is no address that can be asked") from error
    return device


def _unprotected(_address: str) -> None:
    """Protect nobody: for polls of one's own laboratory, and tests."""


class SnmpPoll:
    """Polls the agents of a plan in turn, in a thread of its own, from :meth:`start` on.

    A record is one poll of one agent: parsed where it answered, rejected where it did not. ``protected``
    is asked before each poll and says in a sentence why an address must not be asked, or None; an agent
    that is protected is not polled, and the poll counts as rejected for that reason.
    """

    def __init__(
        self,
        plan: PollPlan,
        *,
        clock: Clock = wall_clock,
        timeout_s: float = 2.0,
        protected: Callable[[str], str | None] = _unprotected,
    ) -> None:
        self._plan = plan
        self._protected = protected
        self._clock = clock
        self._timeout = timeout_s
        self._facts = FactSum(SOURCE)
        self._tally = LogTally()
        self._accounts: dict[str, SenderAccount] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="snmp-poll", daemon=True)
        self.error: BaseException | None = None
        self.octets = 0
        self.last_heard_ns: int | None = None

    def start(self) -> None:
        """Begin to poll."""
        self._thread.start()

    def stop(self) -> None:
        """Poll no further agent and end the thread; the one that is being read is read to its end."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                self.poll_all()
                self._ended.wait(self._plan.interval_s)
        except BaseException as error:  # noqa: BLE001 - kept for whoever asks: the thread cannot raise it
            self.error = error

    def poll_all(self) -> None:
        """Poll every agent of the plan once."""
        for device in self._plan.devices:
            if self._ended.is_set():
                return
            self.poll(device)

    def poll(self, device: PolledDevice) -> None:
        """Poll one agent; one that does not answer is counted, what it said before it fell silent is kept."""
        now, facts, fault = self._clock(), FactSum(SOURCE), None
        if (reason := self._protected(device.address)) is not None:
            with self._lock:
                self._count(
                    device, now, f"{device.address}: not polled, {reason}", "on the do-not-probe list"
                )
            return
        with SnmpSession(device.address, device.port, device.credential, timeout_s=self._timeout) as session:

            def walk(column: str) -> Rows:
                return dict(session.walk(column))

            try:
                SwitchReading(walk, device.address, now, facts).read()
            except (RemoteServiceError, MalformedInput) as error:
                fault = str(error)
        with self._lock:
            for fact in facts.take():
                said = fact.evidence
                self._facts.add(said.ts_ns, said.mac, said.ip, said.field, said.value, said.vlan)
            self._count(device, now, fault)

    def _count(
        self, device: PolledDevice, now: int, fault: str | None, reason: str = "no usable answer"
    ) -> None:
        key = f"{device.address}:{device.port}"
        account = self._accounts.setdefault(key, SenderAccount(key, SOURCE, now, now, 0, LogTally()))
        for tally in (self._tally, account.tally):
            tally.count.read += 1
            if fault is None:
                tally.count.parsed += 1
                tally.first_ns = now if tally.first_ns is None else tally.first_ns
                tally.last_ns = now
            else:
                tally.count.rejected += 1
                tally.reasons[reason] = tally.reasons.get(reason, 0) + 1
                tally.fault = tally.fault or fault
        if fault is None:
            account.last_ns = self.last_heard_ns = now

    def take(self, *, final: bool = False) -> Batch:  # noqa: ARG002 - nothing is held back
        """Return the facts since the last call."""
        with self._lock:
            return Batch(BATCH_SCHEMA.empty_table(), self._facts.take())

    def tally(self) -> LogTally:
        """Return the accounting of polls."""
        with self._lock:
            return msgspec.convert(msgspec.to_builtins(self._tally), LogTally)

    def accounts(self) -> list[SenderAccount]:
        """Return the account of every agent."""
        with self._lock:
            return [
                msgspec.convert(msgspec.to_builtins(account), SenderAccount)
                for account in self._accounts.values()
            ]
