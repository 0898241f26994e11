"""Risk through the store: what was promised holds once it is done, what scores rest on makes them due."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from tests.store.conftest import HOUR, DeltaMaker, heard, home, migrated, store  # noqa: F401 - fixtures

from medwarden.cli.risk import risk as command
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.finding import Finding, FindingKind, FindingState, Severity
from medwarden.model.inventory_delta import ConversationIncrement, InventoryDelta
from medwarden.model.policy import Policy, PolicyState
from medwarden.model.risk import RiskLevel
from medwarden.risk.counterfactual import Action, ActionKind
from medwarden.store.changes import Change
from medwarden.store.delta import apply_delta
from medwarden.store.open import Store

ONE = "d-main-1"
IDS = ["d-main-1", "d-main-2", "d-main-3"]


def opened(
    device: str, app: str, port: int, peer: str | None, scope: str = "internal"
) -> ConversationIncrement:
    return ConversationIncrement(
        device, "server", peer, "203.0.113.9" if peer is None else "10.0.0.3", None, scope, "tcp", port, app,
        10 * HOUR, 10 * HOUR + 5, 3, 9, 100, 100, True,
    )  # fmt: skip


@pytest.fixture
def pumps(store: Store, heard: DeltaMaker) -> Store:  # noqa: F811
    from medwarden.app.judge import assess
    from medwarden.store.models import Device

    with Change("sensor:s", "heard", site="main") as change:
        apply_delta(change, heard(1, 2, 3))
        calls = (
            opened(ONE, "vnc", 5900, "d-main-3"),
            opened(ONE, "http", 80, None, "internet"),
            opened("d-main-2", "vnc", 5900, "d-main-3"),
        )
        apply_delta(change, InventoryDelta(site="main", conversations=calls))
    Device.objects.update(
        device_class="IoMT", category="infusion_pump", vendor="B. Braun", stale=False, managed=False
    )
    assess("default", "main", IDS)
    return store


def stored(device: str = ONE) -> int:
    from medwarden.store.models import Device

    return Device.objects.get(pk=device).risk_score


def factors(device: str = ONE) -> set[str]:
    from medwarden.store.models import FactorSpan

    return set(FactorSpan.objects.filter(device_id=device, until_ns=None).values_list("factor", flat=True))


def in_force(change: Change, policy: Policy) -> None:
    from medwarden.store.policies import record_policy, set_policy_state

    record_policy(change, policy)
    for state in (PolicyState.SIMULATED, PolicyState.APPROVED, PolicyState.CANARY, PolicyState.ENFORCED):
        set_policy_state(change, policy.id, state)


def test_the_score_after_enforcing_is_the_one_that_was_promised(pumps: Store) -> None:
    from medwarden.app.judge import assess
    from medwarden.app.risk import what_ifs
    from medwarden.policy.learn import learn_device
    from medwarden.store.queries import Scope, complete_devices

    promised = {a.actions[0].kind: a for a in what_ifs(Scope(), ONE)}
    assert promised[ActionKind.ISOLATE].before.score == stored()
    assert promised[ActionKind.ISOLATE].score < stored()
    devices = {each.id: each for each in complete_devices(IDS)}
    learnt = learn_device(devices[ONE], devices)
    nothing = msgspec.structs.replace(learnt, id="p-none", rules=(), title="Nobody")
    with Change("user:anna", "agreed with the ward", site="main") as change:
        in_force(change, nothing)
    assess("default", "main", [ONE])
    assert stored() == promised[ActionKind.ISOLATE].score
    assert "enforced_policy" in factors()

    with Change("user:anna", "the server has to reach it", site="main") as change:
        from medwarden.store.models import Policy as Row

        Row.objects.filter(pk="p-none").delete()
        in_force(change, learnt)
    assess("default", "main", [ONE])
    assert stored() == promised[ActionKind.ENFORCE].score


def test_a_finding_of_another_engine_makes_the_score_due_and_counts_while_it_stands(pumps: Store) -> None:
    from medwarden.app.judge import assess_due
    from medwarden.kernel.clock import wall_clock
    from medwarden.store.findings import record_findings, transition

    before, now = stored(), wall_clock()
    threat = Finding(
        "f1", FindingKind.THREAT, "beacon", Severity.HIGH, ONE, "Beacon", "every minute", "look at it",
        first_seen=now, last_seen=now,
    )  # fmt: skip
    with Change("rule:threats", "seen", site="main") as change:
        record_findings(change, [ONE], [threat], kinds=frozenset({FindingKind.THREAT}))
    assert assess_due("default", "main") == 1
    assert stored() > before
    assert "live_threat" in factors()
    with Change("user:anna", "a test of ours", site="main") as change:
        transition(change, "f1", FindingState.FALSE_POSITIVE)
    assert assess_due("default", "main") == 1
    assert stored() == before


def test_weights_of_the_hospital_count_and_are_kept_with_the_scores(pumps: Store, tmp_path: Path) -> None:
    from medwarden.app.judge import assess_due
    from medwarden.app.risk_rules import FILE, put_in_force, rules_in_force
    from medwarden.app.worker import renew
    from medwarden.store.models import AuditEntry, RiskScore
    from medwarden.store.risk_rules import noted_rules

    before = stored()
    own = tmp_path / "own.yaml"
    own.write_text("note: nobody answers the internet\npoints:\n  inbound_internet: 90\n")
    with pytest.raises(ConfigurationError, match="reason"):
        put_in_force(pumps.home, own, actor="user:anna", reason=" ")
    rules = put_in_force(pumps.home, own, actor="user:anna", reason="after the audit")
    assert assess_due("default", "main") == 3
    assert stored() > before
    row = RiskScore.objects.get(device_id=ONE, current=True)
    assert row.rules_version == rules.version
    assert f"rules {rules.version} instead of" in row.cause
    kept = noted_rules("default", rules.version)
    assert kept is not None and kept.points["inbound_internet"] == 90
    assert AuditEntry.objects.filter(action="risk.weights", actor="user:anna").exists()

    (pumps.home / FILE).write_text("points:\n  inbound_internet: much\n")
    assert rules_in_force(pumps.home) == rules, "what does not hold leaves what was in force"
    (pumps.home / FILE).unlink()
    renew()
    assert assess_due("default", "main") == 3
    assert stored() == before


def test_a_day_later_all_are_due_once(pumps: Store) -> None:
    from medwarden.app.risk_clock import new_day, note_groups
    from medwarden.store.models import GroupRisk
    from medwarden.store.queries import due_devices

    day = 86_400 * 10**9
    at = 20_000 * day
    assert new_day(lambda: at) == 0
    assert new_day(lambda: at + day) == 3
    assert new_day(lambda: at + day + 5) == 0
    assert due_devices("main") == IDS
    assert note_groups(lambda: at + day) >= 3
    assert {row.kind for row in GroupRisk.objects.all()} >= {"organisation", "site", "category"}


def test_the_plan_keeps_its_word(pumps: Store) -> None:
    from medwarden.app.risk import overview, plan_site, what_ifs
    from medwarden.store.queries import Scope

    found = plan_site(Scope(), RiskLevel.LOW)
    done = {(a.kind, a.subject) for chosen in found.chosen for a in chosen.option.actions}
    assert done
    assert (ActionKind.DISABLE_SERVICE, "tcp/104") not in done, "images are what it is there for"
    assert ActionKind.ISOLATE not in {kind for kind, _ in done}, "it is used in care"
    assert found.before == overview(Scope()).whole.score
    for chosen in found.chosen:
        (answer,) = what_ifs(Scope(), chosen.device, [chosen.option.actions])
        assert (answer.before.score, answer.score, answer.cost) == (
            chosen.before,
            chosen.option.score,
            chosen.option.cost,
        )
    with pytest.raises(ConfigurationError, match="low, medium or high"):
        plan_site(Scope(), RiskLevel.NONE)


def test_an_export_is_proved_by_the_chain(pumps: Store, tmp_path: Path) -> None:
    from medwarden.app.risk_export import check_file, proved
    from medwarden.kernel.clock import wall_clock
    from medwarden.store.queries import Scope, risk

    for form in ("json", "csv"):
        data, proof = proved(Scope(), wall_clock(), form, actor="user:anna", reason="audit")
        path = tmp_path / f"scores.{form}"
        path.write_bytes(data)
        assert check_file(path)
        assert proof.devices == 3 and proof.sequence > 0
        path.write_bytes(data.replace(b"main", b"mine", 1))
        assert not check_file(path)
    data, _ = proved(Scope(), wall_clock(), "json", actor="user:anna", reason="audit")
    said = {row["device"]: row for row in json.loads(data)["devices"]}
    now = risk(Scope(), ONE)
    assert now is not None
    assert said[ONE]["score"] == now.score == sum(f["points"] for f in said[ONE]["factors"])
    assert json.loads(data)["rules"][now.rules_version] is None or json.loads(data)["chain_whole"]
    with pytest.raises(ConfigurationError):
        proved(Scope(), 0, "pdf", actor="user:anna", reason="audit")


@pytest.mark.parametrize("text", ["pray", "move", "disable_service:ssh", "disable_service"])
def test_an_action_that_is_none_is_named(text: str) -> None:
    from medwarden.app.risk import parse_action

    with pytest.raises(ConfigurationError):
        parse_action(text)


def test_actions_are_read_as_they_are_written() -> None:
    from medwarden.app.risk import parse_action

    assert parse_action("disable-service:tcp/23") == Action(ActionKind.DISABLE_SERVICE, "tcp/23")
    assert parse_action("patch:CVE-2021-1") == Action(ActionKind.PATCH, "CVE-2021-1")


def test_commands_say_what_the_store_says(pumps: Store, tmp_path: Path) -> None:
    from medwarden.app.risk import overview
    from medwarden.store.queries import Scope

    whole, score, folder = overview(Scope()).whole.score, stored(), str(pumps.home)
    pumps.close()
    run = CliRunner().invoke

    def said(*arguments: str) -> str:
        result = run(command, [*arguments, "--home", folder], catch_exceptions=False, standalone_mode=False)
        assert not result.exception
        return result.output

    assert f"{whole} of 100" in run(command, ["--home", folder]).output
    assert json.loads(said("device", ONE, "--json"))["score"] == score
    assert "because" in said("device", ONE, "--history")
    assert json.loads(said("what-if", ONE, "isolate", "--json"))["before"] == score
    assert "infusion_pump" in said("levels")
    assert "As of" in said("as-of", "2100-01-01")
    assert "hours" in said("weights", "--explain") and "as shipped" in said("weights")
    out = tmp_path / "out.csv"
    assert "3 devices" in said("export", "-o", str(out), "--format", "csv")
    assert "unchanged" in said("export", "-o", str(out), "--check")
    assert json.loads((tmp_path / "out.csv.proof.json").read_text())["devices"] == 3
