from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker
from tests.programs import held
from tests.sensors.active import peers
from tests.waiting import PATIENCE

from medwarden.app import query
from medwarden.app.query import Planned, Wanted, plan_query, read_secrets, run_query
from medwarden.app.query_rules import (
    SubnetRule,
    actor_of,
    add_override,
    add_protection,
    add_subnet,
    rule_rows,
)
from medwarden.kernel.clock import Clock, wall_clock
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.model.inventory_delta import (
    AddressChange,
    BindingSource,
    ConversationIncrement,
    DeviceChange,
    InventoryDelta,
    KeyKind,
    ServiceIncrement,
)
from medwarden.operations.permit import Permit, Target
from medwarden.sensors.active.exchange import Limits
from medwarden.sensors.active.pace import Pace
from medwarden.sensors.active.prober import Prober, ProbeResult, ProbeSetting, probe
from medwarden.store.open import open_store

PRINTER, SCANNER, PUMP, NEIGHBOUR = "d-printer", "d-scanner", "d-pump", "d-neighbour"
pytestmark = pytest.mark.allow_hosts([f"127.0.9.{number}" for number in range(1, 9)])

IPS = {PRINTER: "127.0.9.1", SCANNER: "127.0.9.2", PUMP: "127.0.9.3", NEIGHBOUR: "127.0.9.1"}
KINDS = {PRINTER: "printer", SCANNER: "ultrasound", PUMP: "infusion_pump", NEIGHBOUR: "infusion_pump"}
PATIENT = ProbeSetting(limits=Limits(PATIENCE, PATIENCE))
"""Everybody who is asked answers, or has a port that is closed."""
ANSWER = b"HTTP/1.1 200 OK\r\nServer: Acme-Printer/7\r\nContent-Length: 0\r\n\r\n"


def tell(home: Path, devices: tuple[str, ...], port: int) -> None:
    from medwarden.store.ingest import IngestWriter
    from medwarden.store.models import Device, Identification

    with open_store(home, writer=True) as store:
        writer = IngestWriter(store, "live-x", kind="live")
        now = wall_clock()
        state = writer.begin_input(f"live:{'-'.join(devices)}", "x", "live")
        delta = InventoryDelta(
            "main",
            devices=tuple(DeviceChange(d, "main", KeyKind.IP, True, False, now, now) for d in devices),
            addresses=tuple(
                AddressChange(d, None, IPS[d], BindingSource.ARP, True, now, now) for d in devices
            ),
            services=tuple(ServiceIncrement(d, "tcp", port, "http", now, now, 1, 1, 9) for d in devices),
            conversations=tuple(
                ConversationIncrement(
                    d, "client", None, "127.9.9.9", None, "internal", "tcp", 104, "dicom", now, now,
                    1, 2, 3, 4, True,
                )
                for d in devices
                if d == SCANNER
            ),
        )  # fmt: skip
        writer.commit_batch(state, 0, None, None, delta)
        for device in devices:
            Device.objects.filter(pk=device).update(category=KINDS[device])
            verdict = {"level": "category", "label": KINDS[device], "confidence": 0.97}
            Identification.objects.update_or_create(
                device_id=device,
                defaults={
                    "tenant_id": "default",
                    "site_id": "main",
                    "verdicts": [verdict],
                    "model_version": "test",
                    "updated_ns": now,
                },
            )


@pytest.fixture
def web() -> Iterator[tuple[int, list[bytes]]]:
    """A web server on every address of 127.0.9.0/24 that counts requests."""
    heard: list[bytes] = []
    over = threading.Event()
    server = socket.create_server(("0.0.0.0", 0))
    server.settimeout(0.05)

    def serve() -> None:
        while not over.is_set():
            try:
                line, _ = server.accept()
            except TimeoutError:
                continue
            with line:
                heard.append(line.recv(4096))
                line.sendall(ANSWER)

    thread = threading.Thread(target=serve)
    thread.start()
    yield server.getsockname()[1], heard
    over.set()
    thread.join()
    server.close()


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> Path:
    home = tmp_path_factory.mktemp("empty") / "home"
    with django_db_blocker.unblock(), open_store(home, writer=True):
        return home


@pytest.fixture
def ward(tmp_path: Path, empty: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Path]:
    with django_db_blocker.unblock():
        yield Path(shutil.copytree(empty, tmp_path / "home"))


def switch_on(home: Path, *listed: str) -> str:
    rule = SubnetRule("127.0.9.0/24", ("http_head",), 600, tuple(range(24)), listed)
    return add_subnet(home, rule, None, None, "cli:nina", None, "find printers")


def go(home: Path, **more: object) -> list[Planned]:
    wanted = Wanted(per_minute=600, **more)  # type: ignore[arg-type]
    return run_query(home, wanted, PATIENT, actor="cli:nina", reason="find printers")


def words(steps: list[Planned]) -> dict[str, str]:
    return {step.device: step.outcome for step in steps}


def test_nothing_is_asked_by_default(ward: Path, web: tuple[int, list[bytes]]) -> None:
    tell(ward, (PRINTER,), web[0])
    assert plan_query(ward, Wanted(), PATIENT) == []
    (step, *_) = plan_query(ward, Wanted(device=PRINTER, probers=("http_head",)), PATIENT)
    assert (step.outcome, step.protects) == ("refused", "not switched on")
    assert go(ward) == []
    assert {s.outcome for s in go(ward, device=PRINTER)} == {"refused"}
    assert web[1] == []


def test_the_printer_is_asked_and_the_others_are_not(ward: Path, web: tuple[int, list[bytes]]) -> None:
    tell(ward, (PRINTER, SCANNER, PUMP), web[0])
    grant = switch_on(ward)
    plan = plan_query(ward, Wanted(), PATIENT)
    assert words(plan) == {PRINTER: "permitted", SCANNER: "refused", PUMP: "refused"}
    assert web[1] == []
    steps = go(ward)
    assert words(steps) == {PRINTER: "answered", SCANNER: "refused", PUMP: "refused"}
    assert len(web[1]) == 1
    assert web[1][0].startswith(b"HEAD / HTTP/1.1\r\nHost: 127.0.9.1\r\n")
    why = {s.device: (s.protects, s.by) for s in steps}
    assert why[SCANNER] == ("in use", "the patient")
    assert why[PUMP] == ("life-critical", "the default")
    with open_store(ward, writer=False):
        from medwarden.store.models import AuditEntry, EvidenceEntry, ProbeLog

        facts = EvidenceEntry.objects.filter(device_id=PRINTER, field="http.server")
        assert [(f.value, f.source, f.sensor) for f in facts] == [
            ("Acme-Printer/7", "active:http_head", "active@main")
        ]
        log = {row.device: row for row in ProbeLog.objects.all()}
        assert log[PRINTER].grant == grant
        assert log[PRINTER].outcome == "answered"
        assert log[PRINTER].facts >= 1
        assert log[PUMP].outcome == "refused"
        assert AuditEntry.objects.filter(action="probing.sent").count() == 1
    assert len(rule_rows(ward, "log")) == 3


def test_a_pump_that_shares_an_address_protects_it(ward: Path, web: tuple[int, list[bytes]]) -> None:
    tell(ward, (PRINTER, NEIGHBOUR), web[0])
    switch_on(ward)
    (step,) = go(ward)
    assert (step.outcome, step.protects) == ("refused", "life-critical")
    assert web[1] == []


def test_a_narrow_subnet_is_judged_by_its_neighbours(ward: Path, web: tuple[int, list[bytes]]) -> None:
    """Who vouches for unknown devices cannot cut the pump next to them out of sight."""
    IPS["d-unknown"], KINDS["d-unknown"] = "127.0.9.5", "unknown"
    tell(ward, ("d-unknown", PUMP), web[0])
    narrow = SubnetRule("127.0.9.5/32", ("http_head",), 600, tuple(range(24)), ("unknown",))
    add_subnet(ward, narrow, None, None, "cli:nina", None, "what is it")
    (step,) = go(ward)
    assert (step.outcome, step.protects) == ("refused", "unknown kind")
    assert web[1] == []


def test_an_unknown_device_among_printers_is_asked_where_somebody_vouches(
    ward: Path, web: tuple[int, list[bytes]]
) -> None:
    IPS["d-unknown"], KINDS["d-unknown"] = "127.0.9.5", "unknown"
    tell(ward, ("d-unknown", PRINTER), web[0])
    switch_on(ward)
    assert words(go(ward)) == {PRINTER: "answered", "d-unknown": "refused"}
    switch_on(ward, "unknown")
    assert words(plan_query(ward, Wanted(device="d-unknown"), PATIENT)) == {"d-unknown": "refused"}


def test_what_is_decided_during_a_run_counts_at_once(
    ward: Path, web: tuple[int, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry is read after the wait for the rate, right before each probe."""
    tell(ward, (PRINTER,), web[0])
    switch_on(ward)

    def meanwhile(_self: object, _network: str, _rate: float) -> float:
        if not rule_rows(ward, "protections"):
            add_protection(ward, "ip", "127.0.9.1", None, None, "cli:ben", None, "just moved to theatre")
        return 0.0

    monkeypatch.setattr("medwarden.app.query.Pace.wait", meanwhile)
    (step,) = go(ward)
    assert (step.protects, step.by) == ("do-not-probe registry", "cli:ben")
    assert web[1] == []


def late(prober: Prober, permit: Permit, aimed: Target, setting: ProbeSetting, _clock: Clock) -> ProbeResult:
    return probe(prober, permit, aimed, setting, lambda: wall_clock() + 6_000_000_000)


def test_a_permit_that_grew_old_is_worthless(
    ward: Path, web: tuple[int, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(ward, (PRINTER,), web[0])
    switch_on(ward)
    monkeypatch.setattr("medwarden.app.query.probe", late)
    (step,) = go(ward)
    assert step.outcome == "refused"
    assert web[1] == []
    assert [row["outcome"] for row in rule_rows(ward, "log")] == ["refused"]


def test_an_override_needs_a_person_who_may(ward: Path, web: tuple[int, list[bytes]]) -> None:
    tell(ward, (PUMP,), web[0])
    switch_on(ward)
    with open_store(ward, writer=True):
        from medwarden.model.role import Role
        from medwarden.store.accounts import create_user
        from medwarden.store.changes import Change

        with Change("test", "test") as change:
            create_user(change, "ben", "correct-horse-battery", Role.BIOMEDICAL_ENGINEER)
            create_user(change, "vera", "correct-horse-battery", Role.VIEWER)

    def lift(person: str) -> str:
        return add_override(
            ward,
            PUMP,
            ["http_head"],
            ["life-critical", "use unknown"],
            5,
            None,
            "cli:root",
            person,
            "on the bench",
        )

    for person in ("vera", "nobody"):
        with pytest.raises(ConfigurationError):
            lift(person)
    assert words(go(ward)) == {PUMP: "refused"}
    lift("ben")
    assert words(go(ward)) == {PUMP: "answered"}
    assert rule_rows(ward, "overrides")[0]["who"] == "user:ben"
    assert actor_of(ward, "ben", "cli:root", "protect_device") == "user:ben"
    with pytest.raises(ConfigurationError, match="may not enable probing"):
        actor_of(ward, "ben", "cli:root", "enable_probing")


def test_an_address_nobody_is_known_at_needs_a_person_and_keeps_the_pace(
    ward: Path, web: tuple[int, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(ward, (PRINTER,), web[0])
    switch_on(ward)
    with open_store(ward, writer=True):
        from medwarden.model.role import Role
        from medwarden.store.accounts import create_user
        from medwarden.store.changes import Change

        with Change("test", "test") as change:
            create_user(change, "ben", "correct-horse-battery", Role.BIOMEDICAL_ENGINEER)
    nobody = "127.0.9.6"
    (step,) = go(ward, device=nobody, probers=("http_head",))
    assert step.protects == "nobody known there"
    lifts = ["nobody known there"]
    add_override(ward, nobody, ["http_head"], lifts, 5, None, "cli:root", "ben", "new on the bench")
    paced: list[str] = []
    monkeypatch.setattr("medwarden.app.query.Pace.take", lambda _self, network, _rate: paced.append(network))
    (step,) = go(ward, device=nobody, probers=("http_head",))
    # Port 80 of that address: closed, where this machine has no web server of its own.
    assert step.outcome == "closed" or held(80, "tcp", "0A")
    assert paced == [nobody]


def test_runs_are_paced_and_alone(
    ward: Path, web: tuple[int, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    IPS["d-second"], KINDS["d-second"] = "127.0.9.8", "printer"
    tell(ward, (PRINTER, "d-second"), web[0])
    switch_on(ward)
    slept: list[float] = []
    # Time goes by only where it is waited: what the first probe takes is not spared.
    monkeypatch.setattr(query, "Pace", partial(Pace, clock=lambda: sum(slept)))
    wanted = Wanted(per_minute=20)
    steps = run_query(ward, wanted, PATIENT, actor="cli:nina", reason="r", sleep=slept.append)
    assert words(steps) == {PRINTER: "answered", "d-second": "answered"}
    assert sum(slept) == pytest.approx(3.0)
    with open_store(ward, writer=True, role=query.LOCK), pytest.raises(ResourceError):
        go(ward)
    with pytest.raises(ConfigurationError, match="say why"):
        run_query(ward, wanted, PATIENT, actor="cli:nina", reason=" ")
    with pytest.raises(ConfigurationError, match="no prober 'nmap'"):
        plan_query(ward, Wanted(probers=("nmap",)), PATIENT)


def test_secrets_are_for_their_owner(tmp_path: Path) -> None:
    file = tmp_path / "secrets.toml"
    file.write_text(
        'community = "s3cret"\n[snmp_user]\nname = "nina"\nauth = "sha"\nauth_password = "12345678"\n'
    )
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match="read by others"):
        read_secrets(file)
    file.chmod(0o600)
    setting = read_secrets(file)
    assert setting.community == "s3cret"
    assert setting.snmp_user is not None
    assert "s3cret" not in repr(setting)
    strange = (f"community = {'9' * 5000}", f"community = {'[' * 3000}", f"{'k' * 3000} = 1")
    for text in ("[", 'password = "x"', "community = 3", '[snmp_user]\nnome = "x"', *strange):
        file.write_text(text)
        with pytest.raises(ConfigurationError) as refused:
            read_secrets(file)
        assert len(str(refused.value)) < len(str(file)) + 300
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_secrets(tmp_path / "none")
    assert read_secrets(None) == ProbeSetting()
    assert peers.streams()
