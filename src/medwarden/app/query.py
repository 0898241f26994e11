"""Safe active query: for each device and prober ask the interlock, then one question, then write it down.

Nothing here opens a socket: :func:`medwarden.sensors.active.prober.probe` does, against a permit. Registry,
devices and use are read anew before every single probe, because a run lasts and a ward does not wait.
"""

from __future__ import annotations

import ipaddress
import secrets
import stat
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medwarden.kernel.clock import Clock, wall_clock
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.accounting import InputReport, PacketCount
from medwarden.model.device import Device
from medwarden.model.inventory_delta import InventoryDelta, LedgerIncrement
from medwarden.operations.in_use import in_use
from medwarden.operations.interlock import Grant, Protects, Refusal, Request, decide
from medwarden.operations.permit import NotPermitted, Permit, Target, target
from medwarden.sensors.active.pace import Pace
from medwarden.sensors.active.prober import Prober, ProbeResult, ProbeSetting, SnmpUser, probe
from medwarden.sensors.active.registry import probers
from medwarden.store.open import Store, open_store

if TYPE_CHECKING:
    from medwarden.store.changes import Change
    from medwarden.store.ingest import IngestWriter, InputState
    from medwarden.store.probe_log import Aimed

LOCK = "query"
"""One process at a time asks questions: rates and one connection per device hold for all of them."""

PER_MINUTE = 60
"""Probes a minute of one run, over all subnets."""

_SEGMENT_S = 60.0


class Planned(msgspec.Struct, frozen=True):
    """One question of a run: to whom, what, and whether the interlock lets it pass.

    ``outcome`` is ``permitted`` or ``refused`` of a plan, else the word of the log; ``by`` is who or what
    protects, ``reason`` the sentence.
    """

    site: str
    device: str
    label: str
    ip: str
    port: int
    prober: str
    asks: str
    outcome: str
    protects: str = ""
    by: str = ""
    reason: str = ""
    facts: int = 0


class Wanted(msgspec.Struct, frozen=True):
    """What a run asks: of one device (id or address) or all, with some probers or all that are on."""

    site: str | None = None
    device: str = ""
    probers: tuple[str, ...] = ()
    per_minute: float = PER_MINUTE


def read_secrets(path: Path | None, setting: ProbeSetting | None = None) -> ProbeSetting:
    """Return ``setting`` with the secrets of a TOML file that its owner alone can read.

    ``community`` is for SNMP v2c; a table ``snmp_user`` has name, auth, auth_password, privacy,
    privacy_password. Raises ConfigurationError for a file that others can read or that says anything else.
    """
    setting = setting or ProbeSetting()
    if path is None:
        return setting
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ConfigurationError(f"{path} can be read by others: chmod 600 it")
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        unknown = set(told) - {"community", "snmp_user"}
        if unknown:
            raise ConfigurationError(f"{path}: {min(unknown)[:40]!r} is no secret that a prober uses")
        user = msgspec.convert(told["snmp_user"], SnmpUser) if "snmp_user" in told else None
        community = msgspec.convert(told.get("community", ""), str)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:  # all that TOML and msgspec raise, and endless nesting
        raise ConfigurationError(f"{path} is no file of secrets: {str(error)[:200]}") from error
    return msgspec.structs.replace(setting, community=community, snmp_user=user)


def plan_query(home: Path, wanted: Wanted, setting: ProbeSetting, clock: Clock = wall_clock) -> list[Planned]:
    """Return what a run would ask of whom, and what is refused and why; sends and changes nothing."""
    with open_store(home, writer=False):
        round_ = _Round(wanted, setting, clock)
        return [round_.planned(each) for each in round_.questions()]


def run_query(
    home: Path,
    wanted: Wanted,
    setting: ProbeSetting,
    *,
    actor: str,
    reason: str,
    on_step: Callable[[Planned], None] | None = None,
    clock: Clock = wall_clock,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Planned]:
    """Ask what the interlock permits, store the answers, and return every step, refused ones too.

    Raises ConfigurationError without a reason, ResourceError where another run is under way.
    """
    if not reason.strip():
        raise ConfigurationError("say why devices are asked: --reason")
    with open_store(home, writer=True, role=LOCK) as store:
        run = _Run(store, _Round(wanted, setting, clock), actor, reason, sleep)
        try:
            return run.all(on_step)
        finally:
            run.end()


class _Question(msgspec.Struct, frozen=True):
    prober: Prober
    grant: Grant | None
    target: Target
    devices: tuple[Device, ...]
    setting: ProbeSetting


class _Round:
    """Walks the devices of a site and asks the interlock for each question, with what is known now."""

    def __init__(self, wanted: Wanted, setting: ProbeSetting, clock: Clock) -> None:
        from medwarden.store.models import DEFAULT_SITE, DEFAULT_TENANT

        self.tenant, self.site = DEFAULT_TENANT, wanted.site or DEFAULT_SITE
        self.wanted = wanted
        self.clock = clock
        self._setting = setting
        self._medical: dict[str, tuple[float, bool]] = {}
        unknown = sorted(set(wanted.probers) - set(probers()))
        if unknown:
            raise ConfigurationError(
                f"there is no prober {unknown[0][:40]!r}: choose of {', '.join(probers())}"
            )

    def questions(self) -> Iterator[_Question]:
        """Yield one question per present address in a subnet that is on, and prober of it.

        An address or device named by itself is taken up also where nothing is on, so that the plan says so.
        """
        from medwarden.store.probing import registry
        from medwarden.store.queries.standing import addressed_in

        seen: set[tuple[str, str]] = set()
        # The narrowest first, whose rate is the one that counts.
        grants = registry(self.tenant, self.site).grants
        for grant in sorted(grants, key=lambda g: -ipaddress.ip_network(g.network).prefixlen):
            for ip in dict.fromkeys(ip for ip, _ in addressed_in(self.tenant, self.site, grant.network)):
                names = sorted(grant.probers)
                if self.wanted.probers:
                    names = [name for name in names if name in self.wanted.probers]
                for name in names:
                    if (ip, name) not in seen and (question := self._question(ip, name, grant)) is not None:
                        seen.add((ip, name))
                        yield question
        if self.wanted.device and not seen:
            for ip in self._addresses(self.wanted.device):
                for name in self.wanted.probers or tuple(probers()):
                    question = self._question(ip, name, None)
                    if question is not None:
                        yield question

    def _addresses(self, named: str) -> tuple[str, ...]:
        from medwarden.store.queries import Scope, device

        found = device(Scope(self.tenant, (self.site,)), named)
        return (named,) if found is None else found.ips

    def _question(self, ip: str, name: str, grant: Grant | None) -> _Question | None:
        from medwarden.store.queries import complete_devices
        from medwarden.store.queries.standing import standing_at

        devices = tuple(complete_devices(standing_at(self.tenant, self.site, ip, self.clock())))
        named = self.wanted.device
        if named and named != ip and named not in {device.id for device in devices}:
            return None
        prober = probers()[name]
        titles = {e.value: e.last_seen for d in devices for e in d.values("dicom.ae_title")}
        setting = msgspec.structs.replace(
            self._setting, ae_title=max(titles, key=lambda t: titles[t], default="")
        )
        aimed = target(self.site, ip, _port(prober, devices))
        return _Question(prober, grant, aimed, devices, setting)

    def decided(self, question: _Question) -> Permit | Refusal:
        """Ask the interlock with registry, devices, override and use as they are at this moment."""
        from medwarden.store.probing import override_for, registry
        from medwarden.store.queries.standing import listening_since

        missing = question.prober.missing(question.setting)
        if missing:
            return Refusal(
                f"{question.prober.manifest.name} needs {missing}", Protects.NOT_SWITCHED_ON, "medwarden"
            )
        now = self.clock()
        since = listening_since(self.tenant, self.site, now)
        action = question.prober.manifest.action
        owner = question.devices[0].id if question.devices else question.target.ip
        request = Request(action, question.target, question.devices, self._medical_segment(question))
        return decide(
            request,
            registry(self.tenant, self.site),
            {device.id: in_use(device, now, since) for device in question.devices},
            override_for(self.tenant, self.site, owner, action, now),
            now,
        )

    def _medical_segment(self, question: _Question) -> bool | None:
        from medwarden.store.queries.standing import is_medical_segment

        if question.grant is None:
            return None
        network = _neighbourhood(question.grant.network)
        known = self._medical.get(network)
        if known is None or time.monotonic() - known[0] > _SEGMENT_S:
            known = (time.monotonic(), is_medical_segment(self.tenant, self.site, network))
            self._medical[network] = known
        return known[1]

    def again(self, question: _Question) -> _Question | None:
        """Return the question with the devices as they stand now; None where nobody is meant any more."""
        return self._question(question.target.ip, question.prober.manifest.name, question.grant)

    def planned(self, question: _Question) -> Planned:
        """Return what the interlock says; its permit is thrown away unused."""
        outcome = self.decided(question)
        if isinstance(outcome, Refusal):
            return _step(question, "refused", outcome)
        return _step(question, "permitted")


class _Run:
    """One run: pace, log, probe, store."""

    def __init__(
        self, store: Store, round_: _Round, actor: str, reason: str, sleep: Callable[[float], None]
    ) -> None:
        from medwarden.store.ingest import IngestWriter

        self._round = round_
        self._actor, self._reason, self._sleep = actor, reason, sleep
        self._pace = Pace(round_.wanted.per_minute)
        self.number = f"run-{secrets.token_hex(6)}"
        self._writer: IngestWriter = IngestWriter(
            store, f"active@{round_.site}", site=round_.site, kind="active", name="active query"
        )
        self._state: InputState = self._writer.begin_input(f"active:{self.number}", "active query", "active")
        self._batch = 0
        self._answers = 0
        self._first = self._last = round_.clock()

    def all(self, on_step: Callable[[Planned], None] | None) -> list[Planned]:
        """Take one question after the other."""
        steps: list[Planned] = []
        for question in list(self._round.questions()):
            step = self._one(question)
            steps.append(step)
            if on_step is not None:
                on_step(step)
        return steps

    def end(self) -> None:
        """Close the input and let what was learnt be judged."""
        from medwarden.app.judge import judge_stale

        report = InputReport("active query", "active", first_ns=self._first, last_ns=self._last)
        report.records = PacketCount(read=self._answers, parsed=self._answers)
        self._writer.finish_input(self._state, report)
        judge_stale(self._writer.tenant, self._writer.site)

    def _one(self, question: _Question) -> Planned:
        """Ask the interlock before the wait, so that nobody waits for a refusal, and again after it."""
        outcome = self._round.decided(question)
        if isinstance(outcome, Permit):
            network, rate = question.target.ip, self._round.wanted.per_minute
            if question.grant is not None:
                network, rate = question.grant.network, float(question.grant.per_minute)
            while (wait := self._pace.wait(network, rate)) > 0:
                self._sleep(min(wait, 5.0))
            fresh = self._round.again(question)
            if fresh is None:
                return _step(
                    question, "refused", Refusal("it left this address", Protects.NOBODY_KNOWN, "medwarden")
                )
            question, outcome = fresh, self._round.decided(fresh)
            if isinstance(outcome, Permit):
                self._pace.take(network, rate)
        return (
            self._refuse(question, outcome) if isinstance(outcome, Refusal) else self._ask(question, outcome)
        )

    def _refuse(self, question: _Question, refusal: Refusal) -> Planned:
        from medwarden.store.probe_log import log_refused

        with self._change() as change:
            log_refused(
                change,
                self._aimed(question),
                protects=refusal.protects.value,
                by=refusal.by,
                reason=refusal.reason,
            )
        return _step(question, "refused", refusal)

    def _ask(self, question: _Question, permit: Permit) -> Planned:
        from medwarden.store.probe_log import log_outcome, log_sending

        with self._change() as change:
            line = log_sending(
                change,
                self._aimed(question),
                permit=permit.number,
                grant=permit.grant,
                override=permit.override,
            )
        try:
            result = probe(question.prober, permit, question.target, question.setting, self._round.clock)
        except NotPermitted as late:
            # Time passed between permit and probe; what the permit rests on may have changed.
            log_outcome(line, "refused", reason=str(late), sent=0, received=0, took_ns=0, facts=0)
            return _step(question, "refused", Refusal(str(late), Protects.USE_UNKNOWN, "medwarden"))
        self._store(question, result)
        log_outcome(
            line,
            result.outcome.value,
            reason=result.words,
            sent=result.sent,
            received=result.received,
            took_ns=result.took_ns,
            facts=len(result.facts),
        )
        return msgspec.structs.replace(
            _step(question, result.outcome.value), reason=result.words, facts=len(result.facts)
        )

    def _store(self, question: _Question, result: ProbeResult) -> None:
        """Add the facts to the one device at the address; where several share it, to the lake alone."""
        from medwarden.store.ingest import evidence_table

        self._last = self._round.clock()
        if not result.facts:
            return
        self._answers += 1
        owner = question.devices[0].id if len(question.devices) == 1 else None
        delta = InventoryDelta(self._writer.site)
        if owner is not None:
            increments = tuple(
                LedgerIncrement(owner, self._writer.sensor, f.source, f.field, f.value, f.ts_ns, f.ts_ns, 1)
                for f in result.facts
            )
            delta = InventoryDelta(self._writer.site, ledger=increments)
        evidence = evidence_table((fact, owner) for fact in result.facts)
        self._writer.commit_batch(self._state, self._batch, None, evidence, delta)
        self._batch += 1

    def _change(self) -> Change:
        from medwarden.store.changes import Change

        return Change(
            self._actor,
            self._reason,
            tenant=self._writer.tenant,
            site=self._writer.site,
            clock=self._round.clock,
        )

    def _aimed(self, question: _Question) -> Aimed:
        from medwarden.store.probe_log import Aimed

        device, label = _who(question)
        return Aimed(
            self.number,
            device,
            label,
            question.target.ip,
            question.target.port,
            question.prober.manifest.name,
        )


def _neighbourhood(network: str) -> str:
    """Return the subnet, or what is around a very narrow one: its neighbours say what kind of place it is."""
    parsed = ipaddress.ip_network(network)
    widest = 24 if parsed.version == 4 else 64
    return str(parsed if parsed.prefixlen <= widest else parsed.supernet(new_prefix=widest))


def _port(prober: Prober, devices: Sequence[Device]) -> int:
    """Return the port at which the device was seen to serve this protocol, else the usual one."""
    manifest = prober.manifest
    offered = [
        (service.last_seen, service.port)
        for device in devices
        for service in device.services
        if service.application == manifest.dissector and service.transport == manifest.transport.value
    ]
    if not offered or manifest.port in {port for _, port in offered}:
        return manifest.port
    return max(offered)[1]


def _who(question: _Question) -> tuple[str, str]:
    if not question.devices:
        return "", question.target.ip
    return question.devices[0].id, " and ".join(device.label for device in question.devices)[:512]


def _step(question: _Question, outcome: str, refusal: Refusal | None = None) -> Planned:
    device, label = _who(question)
    return Planned(
        site=question.target.site,
        device=device,
        label=label,
        ip=question.target.ip,
        port=question.target.port,
        prober=question.prober.manifest.name,
        asks=question.prober.manifest.asks,
        outcome=outcome,
        protects="" if refusal is None else refusal.protects.value,
        by="" if refusal is None else refusal.by,
        reason="" if refusal is None else refusal.reason,
    )
