"""Answers of people: shown before, given, passed on, taken back; on a real store."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django.plugin import DjangoDbBlocker

from medwarden.app import answers as answers_module
from medwarden.app import learning
from medwarden.app.answer_tables import import_answers, queue_table, read_answers
from medwarden.app.answers import checked_labels, give_answer, preview, undo_answer
from medwarden.app.fingerprints import load_own
from medwarden.app.judge import judge_stale
from medwarden.app.learning import RULES_FILE
from medwarden.app.models import load_model
from medwarden.app.unknown import all_clusters, devices_meant, unknown_queue
from medwarden.kernel.errors import ConfigurationError
from medwarden.knowledge.fingerprints.rules import own_rules
from medwarden.model.device import Device
from medwarden.model.inventory_delta import (
    DeviceChange,
    InterfaceChange,
    InventoryDelta,
    KeyKind,
    LedgerIncrement,
)
from medwarden.store.open import Store, open_store

SECOND = 1_000_000_000
PUMP = {"category": "infusion_pump", "vendor": "Acme Medical"}


def put(*devices: tuple[int, str, tuple[tuple[str, str], ...]]) -> None:
    """Store devices: number, first octets of the MAC address, and what they say."""
    from medwarden.store.changes import Change
    from medwarden.store.delta import apply_delta

    ids = {number: f"d-main-{number:03d}" for number, _, _ in devices}
    delta = InventoryDelta(
        site="main",
        devices=tuple(
            DeviceChange(ids[n], "main", KeyKind.MAC, True, False, SECOND, 2 * SECOND, ())
            for n, _, _ in devices
        ),
        interfaces=tuple(
            InterfaceChange(ids[n], f"{prefix}:00:01:{n:02x}", False, False, SECOND, 2 * SECOND)
            for n, prefix, _ in devices
        ),
        addresses=(),
        ledger=tuple(
            LedgerIncrement(ids[n], "s", field.partition(".")[0], field, value, SECOND, 2 * SECOND, 1)
            for n, _, said in devices
            for field, value in said
        ),
        services=(),
        conversations=(),
        activity=(),
    )
    with Change("sensor:s", "heard", site="main") as change:
        apply_delta(change, delta)
    judge_stale("default", "main")


def pump(number: int) -> tuple[int, str, tuple[tuple[str, str], ...]]:
    """Return a device of a make that no rule knows."""
    name = f"acme-{number:04d}"
    return (
        number,
        "70:b3:d5",
        (("dhcp.vendor_class", "ACME-IV"), ("dhcp.host_name", name), ("http.server", "acmed/2")),
    )


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> Path:
    """Return a data folder that is brought up to date once and then copied."""
    home = tmp_path_factory.mktemp("template") / "home"
    with django_db_blocker.unblock(), open_store(home, writer=True):
        pass
    return home


@pytest.fixture
def store(migrated: Path, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Store]:
    """Return an open, empty data folder."""
    home = Path(shutil.copytree(migrated, tmp_path / "home"))
    with django_db_blocker.unblock(), open_store(home, writer=True) as opened:
        yield opened


@pytest.fixture
def house(store: Store) -> Iterator[Store]:
    """Return a store with ten unknown pumps, a camera and a device that says it is something else."""
    declared = (("dhcp.vendor_class", "ACME-IV"), ("http.server", "acmed/2"), ("dhcp.host_name", "DCS-935L"))
    put(
        *(pump(n) for n in range(1, 11)),
        (40, "b0:c5:54", declared),
        (41, "70:b3:d6", (("http.title", "other"),)),
    )
    yield store
    (store.home / "fingerprints" / RULES_FILE).unlink(missing_ok=True)
    load_own(store.home)
    (store.home / "models" / "local.mwm").unlink(missing_ok=True)
    load_model(store.home)


def device(key: str) -> Device:
    from medwarden.store.queries import complete_devices

    return complete_devices([key])[0]


def test_one_answer_labels_the_cluster_and_those_that_come_later(house: Store) -> None:
    from medwarden.store.queries import Scope

    first, *_ = unknown_queue(Scope()).items
    assert len(first.devices) == 10
    given = give_answer(Scope(), first.id, PUMP, home=house.home, actor="user:anna", reason="looked at one")
    assert given.preview.rule is not None
    one = device("d-main-003")
    assert (one.category, one.vendor, one.device_class) == ("infusion_pump", "Acme Medical", "IoMT")
    assert {s.by for s in one.statements} == {"user:anna"}
    put(pump(20))
    later = device("d-main-020")
    assert later.category == "infusion_pump"
    assert later.statements == ()
    verdict = later.verdict("category")
    assert verdict is not None
    assert any(ballot.rule == "answered-1" for ballot in verdict.ballots)
    assert not any("d-main-003" in c.devices for c in all_clusters(Scope()))


def test_what_a_device_declares_is_not_overruled(house: Store) -> None:
    from medwarden.store.queries import Scope

    before = device("d-main-040")
    assert before.category == "ip_camera"
    ten = [f"d-main-{n:03d}" for n in range(1, 11)]
    given = give_answer(Scope(), ten, PUMP, home=house.home, actor="user:anna")
    assert device("d-main-040").category == "ip_camera"
    assert "d-main-040" not in {e.device for e in given.preview.changes}


def test_a_preview_changes_nothing(house: Store) -> None:
    from medwarden.store.queries import Scope

    shown = preview(Scope(), ["d-main-001", "d-main-002"], PUMP)
    answered = {(e.device, e.level): e.after for e in shown.changes if e.answered}
    followed = {e.device for e in shown.changes if not e.answered and e.level == "category"}
    assert answered["d-main-001", "category"] == "infusion_pump"
    assert followed == {f"d-main-{n:03d}" for n in range(3, 11)}
    assert shown.reached >= 8
    assert device("d-main-001").category is None
    assert not own_rules()
    assert not (house.home / "fingerprints" / RULES_FILE).exists()
    assert unknown_queue(Scope()).total >= 1


def test_undo_brings_back_what_was_before(house: Store) -> None:
    from medwarden.store.answers import answers, versions
    from medwarden.store.models import AuditEntry
    from medwarden.store.queries import Scope

    rules = house.home / "fingerprints" / RULES_FILE
    first = give_answer(Scope(), "d-main-041", {"vendor": "Other"}, home=house.home, actor="user:anna")
    kept = rules.read_text() if rules.exists() else ""
    model = versions(Scope())[0]
    second = give_answer(Scope(), "d-main-001", PUMP, home=house.home, actor="user:anna")
    assert device("d-main-005").category == "infusion_pump"
    done = undo_answer(
        Scope(), str(second.answer.number), home=house.home, actor="user:ben", reason="mistaken"
    )
    assert device("d-main-001").category is None
    assert device("d-main-005").category is None
    assert (rules.read_text() if rules.exists() else "") == kept
    assert versions(Scope())[0].digest == model.digest
    assert {e.after for e in done.preview.changes if e.level == "category"} == {None}
    page = answers(Scope())
    assert [(a.number, a.undone_by) for a in page.items] == [(2, "user:ben"), (1, "")]
    assert AuditEntry.objects.filter(action="answer.undone", actor="user:ben").count() == 1
    with pytest.raises(ConfigurationError, match="taken back already"):
        undo_answer(Scope(), "2", home=house.home, actor="user:ben")
    undo_answer(Scope(), str(first.answer.number), home=house.home, actor="user:ben")
    assert not rules.exists()
    assert device("d-main-041").vendor != "Other"


def test_devices_that_share_nothing_telling_get_no_rule(house: Store) -> None:
    from medwarden.store.queries import Scope

    put((60, "02:00:5e", ()), (61, "02:00:5e", ()))
    shown = preview(Scope(), ["d-main-060", "d-main-061"], {"category": "sbc"})
    assert shown.rule is None
    assert "nothing telling in common" in shown.why_not


def test_labels_are_checked() -> None:
    assert checked_labels({"category": "infusion_pump", "vendor": "", "model": "  A  1 "}) == {
        "category": "infusion_pump", "class": "IoMT", "model": "A 1",
    }  # fmt: skip
    for labels, words in (
        ({}, "needs a label"),
        ({"category": "infusion_pmp"}, "perhaps infusion_pump"),
        ({"class": "IT", "category": "ct"}, "of the class IoMT"),
        ({"class": "Medical"}, "a class is one of"),
        ({"colour": "red"}, "is no level"),
        ({"vendor": "x" * 300}, "at most"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            checked_labels(labels)


def test_what_is_meant_must_be_there(house: Store) -> None:
    from medwarden.store.queries import Scope

    with pytest.raises(ConfigurationError, match="the queue has no 'u-nothing' now"):
        devices_meant(Scope(), "u-nothing")
    with pytest.raises(ConfigurationError, match="no devices are called"):
        devices_meant(Scope(), "aa:bb:cc:dd:ee:ff")
    found, cluster = devices_meant(Scope(), ["70:b3:d5:00:01:01"])
    assert [d.id for d in found] == ["d-main-001"]
    assert cluster == ""


def test_the_queue_goes_out_and_comes_back_as_a_table(house: Store, tmp_path: Path) -> None:
    from medwarden.store.queries import Scope

    found = all_clusters(Scope())
    text = queue_table(found)
    key = next(c.id for c in found if len(c.devices) == 10)
    lines = text.split("\r\n")
    place = next(i for i, line in enumerate(lines) if line.startswith(key))
    cells = lines[place].split(",")
    cells[-8:-5] = ["infusion_pump", "Acme Medical", ""]
    lines[place] = ",".join(cells)
    data = "\r\n".join([*lines[:-1], "nobody,1,,,,ct,,,,,,,"]).encode("utf-8-sig")
    done = import_answers(Scope(), data, "answers.csv", home=house.home, actor="user:anna")
    assert [len(g.answer.devices) for g in done.given] == [10]
    assert done.given[0].answer.reason == "from answers.csv, line 2"
    assert [p.reason for p in done.problems] == ["no devices are called 'nobody'"]
    assert device("d-main-007").vendor == "Acme Medical"


def test_tables_that_are_none_are_named() -> None:
    with pytest.raises(ConfigurationError, match="the columns target"):
        read_answers(b"a,b\n1,2\n", "x.csv")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        read_answers(b"\xff\xfe", "x.csv")
    rows, problems, empty = read_answers(b"target;vendor\nd-1 d-2;'=Acme\n;Acme\nd-3;\n", "x.csv")
    assert [(row.target, row.labels) for row in rows] == [(("d-1", "d-2"), {"vendor": "=Acme"})]
    assert [p.line for p in problems] == [3]
    assert empty == 1


def test_formulas_do_not_leave() -> None:
    from medwarden.inventory.clusters import Cluster

    evil = Cluster("u-1", "n", ("d",), 1.0, 1.0, {}, (), (("http.title", "x", "=cmd()"),))
    assert ",'=cmd()," in queue_table([evil])


def test_customers_who_share_a_folder_do_not_teach_each_other(house: Store) -> None:
    from medwarden.store.models import Tenant
    from medwarden.store.queries import Scope

    Tenant.objects.create(pk="other", name="Other", created_ns=1)
    given = give_answer(Scope(), "d-main-001", PUMP, home=house.home, actor="user:anna")
    assert given.preview.rule is None
    assert "several customers" in given.preview.why_not
    assert device("d-main-001").category == "infusion_pump"
    assert device("d-main-005").category is None
    assert not own_rules()


@pytest.fixture
def by_rules_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no model be trained, where a test is about something else."""
    for owner in (answers_module, learning):
        monkeypatch.setattr(owner, "retrain", lambda _answered: (None, 0.0))


@pytest.mark.usefixtures("by_rules_alone")
def test_two_who_answer_at_once_are_both_heard(house: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is second thinks his answer through once more, with the other one."""
    from medwarden.store.answers import standing_answers
    from medwarden.store.queries import Scope

    planned, rounds = answers_module._planned, list[int]()

    def while_another_answers(*arguments: Any) -> Any:
        plan = planned(*arguments)
        rounds.append(plan.number)
        if len(rounds) == 1:
            give_answer(Scope(), "d-main-041", {"vendor": "Other"}, home=house.home, actor="user:ben")
        return plan

    monkeypatch.setattr(answers_module, "_planned", while_another_answers)
    ten = [f"d-main-{n:03d}" for n in range(1, 11)]
    given = give_answer(Scope(), ten, PUMP, home=house.home, actor="user:anna")
    assert rounds == [1, 1, 2]
    assert [(a.number, a.actor) for a in standing_answers("default")] == [(1, "user:ben"), (2, "user:anna")]
    assert given.answer.number == 2
    assert {rule.id for rule in own_rules()} == {"answered-1", "answered-2"}
    assert device("d-main-041").vendor == "Other"
    assert device("d-main-001").category == "infusion_pump"


@pytest.mark.usefixtures("by_rules_alone")
def test_an_answer_is_taken_back_after_others_came_in_and_more_was_heard(
    house: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of two is taken back while the second is; what came in between is judged without both."""
    from medwarden.store.answers import standing_answers
    from medwarden.store.queries import Scope

    ten = [f"d-main-{n:03d}" for n in range(1, 11)]
    give_answer(Scope(), ten, PUMP, home=house.home, actor="user:anna")
    give_answer(Scope(), "d-main-041", {"vendor": "Other"}, home=house.home, actor="user:ben")
    put(pump(20))
    assert device("d-main-020").category == "infusion_pump"
    without, rounds = answers_module._without, list[int]()

    def while_another_is_undone(scope: Any, answer: Any, left: Any) -> Any:
        found = without(scope, answer, left)
        rounds.append(answer.number)
        if len(rounds) == 1:
            undo_answer(Scope(), "2", home=house.home, actor="user:ben")
        return found

    monkeypatch.setattr(answers_module, "_without", while_another_is_undone)
    done = undo_answer(Scope(), "1", home=house.home, actor="user:cleo")
    assert rounds == [1, 2, 1]
    assert "d-main-020" in {e.device for e in done.preview.changes}
    assert standing_answers("default") == []
    assert not own_rules()
    assert [device(f"d-main-{n:03d}").category for n in (1, 10, 20)] == [None] * 3
    assert device("d-main-041").vendor != "Other"
    with pytest.raises(ConfigurationError, match="taken back already"):
        undo_answer(Scope(), "1", home=house.home, actor="user:anna")
