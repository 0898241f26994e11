from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.store.conftest import DeltaMaker, heard, home, migrated, store  # noqa: F401 - fixtures

from medwarden.app.attributes import apply_file, fill_devices
from medwarden.app.books import import_document
from medwarden.inventory.custom_attributes import read_attributes
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.role import Role
from medwarden.store.changes import Change
from medwarden.store.delta import apply_delta
from medwarden.store.open import Store

FILE = """
attributes:
  - {name: owner_team, title: Team, kind: choice, choices: [ICU, Imaging, IT]}
  - {name: value_class, kind: number, editors: [biomedical_engineer]}
  - {name: in_scope, kind: yes_no}
  - {name: review_by, kind: date}
rules:
  - {name: by book, attribute: owner_team, value: ICU, when: {book: {department: "icu*"}}}
  - {name: by name, attribute: owner_team, value: Imaging,
     when: {evidence: {dhcp.host_name: ["host-2", "ct*"]}}}
  - {name: rest, attribute: owner_team, value: IT}
  - {name: subnet, attribute: in_scope, value: yes, when: {subnet: 10.0.0.0/30}}
  - {name: high, attribute: value_class, value: 3, when: {subnet: 10.0.0.0/8, name: "host-?"}}
"""


@pytest.fixture
def ward(store: Store, heard: DeltaMaker) -> Store:  # noqa: F811
    from medwarden.app.judge import judge_stale

    with Change("sensor:s", "heard", site="main") as change:
        apply_delta(change, heard(1, 2, 9))
    judge_stale("default", "main")
    book = "Asset Tag,Host Name,Department\nA1,host-1,ICU 3\nA2,host-7,ICU\n"
    import_document(book.encode(), "b.csv", actor="user:anna", name="B")
    return store


def load(text: str = FILE) -> int:
    return apply_file("default", read_attributes(text, "x.yaml"), actor="user:anna", reason="set up")


def values(device: str) -> dict[str, str]:
    from medwarden.store.attributes import values_of
    from medwarden.store.queries import Scope

    return {v.name: v.value for v in values_of(Scope(), [device]).get(device, [])}


def chosen(**asked: Any) -> set[str]:
    from medwarden.store.attributes import with_attributes
    from medwarden.store.models import Device

    rows = with_attributes(Device.objects.all(), "default", asked)
    return {pk.removeprefix("d-main-") for pk in rows.values_list("pk", flat=True)}


def test_rules_fill_attributes_the_first_that_holds_and_say_why(ward: Store) -> None:
    from medwarden.store.attributes import value_counts, values_of
    from medwarden.store.queries import Scope

    assert load() > 0
    assert values("d-main-1") == {"owner_team": "ICU", "value_class": "3", "in_scope": "yes"}
    assert values("d-main-2")["owner_team"] == "Imaging"
    assert values("d-main-9") == {"owner_team": "IT", "value_class": "3"}
    why = {v.name: v for v in values_of(Scope(), ["d-main-1"])["d-main-1"]}
    assert (why["owner_team"].rule, why["owner_team"].why) == ("by book", "book department is ICU 3")
    assert why["in_scope"].why == "10.0.0.1 is in 10.0.0.0/30"
    assert value_counts(Scope(), "owner_team") == {"ICU": 1, "IT": 1, "Imaging": 1}
    assert load() == 0  # nothing changed


def test_a_value_set_by_hand_outranks_rules_until_it_is_taken_away(ward: Store) -> None:
    from medwarden.store.attributes import clear_value, set_value

    load()
    with Change("user:anna", "asked the ward") as change:
        assert (
            set_value(change, "d-main-1", "owner_team", "imaging", role=Role.BIOMEDICAL_ENGINEER) == "Imaging"
        )
    load(FILE.replace("value: ICU", "value: IT"))
    assert values("d-main-1")["owner_team"] == "Imaging"
    with Change("user:anna", "mistaken") as change:
        clear_value(change, "d-main-1", "owner_team")
    fill_devices("default", "main", ["d-main-1"])
    assert values("d-main-1")["owner_team"] == "IT"
    with pytest.raises(ConfigurationError, match="nobody set"), Change("user:anna", "again") as change:
        clear_value(change, "d-main-1", "owner_team")


def test_only_the_roles_that_may_edit_an_attribute_do(ward: Store) -> None:
    from medwarden.store.attributes import set_value

    load()
    for role, name, allowed in (
        (Role.VIEWER, "owner_team", False),
        (Role.NETWORK_ENGINEER, "value_class", False),
        (Role.BIOMEDICAL_ENGINEER, "value_class", True),
        (Role.ADMINISTRATOR, "value_class", True),
    ):
        with Change("user:anna", "try") as change:
            if allowed:
                set_value(change, "d-main-1", name, "7", role=role)
            else:
                with pytest.raises(ConfigurationError, match="your role may not edit"):
                    set_value(change, "d-main-1", name, "IT", role=role)
    assert values("d-main-1")["value_class"] == "7"


def test_lists_are_filtered_by_attributes(ward: Store) -> None:
    from medwarden.store.attributes import set_value

    load()
    with Change("user:anna", "r") as change:
        set_value(change, "d-main-1", "value_class", "10")
        set_value(change, "d-main-2", "review_by", "2026-05-01")
    assert chosen(owner_team=["ICU", "IT"]) == {"1", "9"}
    assert chosen(owner_team=["!ICU"]) == {"2", "9"}
    assert chosen(in_scope=["unknown"]) == {"9"}
    assert chosen(value_class=[">=4"]) == {"1"} and chosen(value_class=["<10"]) == {"2", "9"}
    assert chosen(review_by=["<=2026-06-01"]) == {"2"}
    assert chosen(owner_team=["ICU"], in_scope=["yes"]) == {"1"}
    with pytest.raises(ConfigurationError, match="no attribute 'wheel'"):
        chosen(wheel=["1"])
    with pytest.raises(ConfigurationError, match="only numbers and dates"):
        chosen(in_scope=[">yes"])


def test_values_follow_when_devices_change(ward: Store) -> None:
    from medwarden.store.models import Device

    load()
    Device.objects.filter(pk="d-main-1").update(ips=["192.0.2.1"])
    fill_devices("default", "main", ["d-main-1"])
    assert values("d-main-1") == {"owner_team": "ICU"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("attributes: [{name: Big Name}]", "cannot name an attribute"),
        ("attributes: [{name: a, kind: choice}]", "choices belong to a choice"),
        ("attributes: [{name: a, editors: [king]}]", "no role 'king'"),
        ("attributes: [{name: a, kind: colour}]", "Invalid enum value"),
        ("rules: [{name: r, attribute: a, value: 1}]", "no attribute 'a'"),
        ("attributes: [{name: a, kind: number}]\nrules: [{name: r, attribute: a, value: x}]", "no number"),
        (
            "attributes: [{name: a}]\nrules: [{name: r, attribute: a, value: x, when: {category: ship}}]",
            "no category",
        ),
        (
            "attributes: [{name: a}]\nrules: [{name: r, attribute: a, value: x, when: {subnet: ten}}]",
            "no prefix",
        ),
        (
            "attributes: [{name: a}]\nrules: [{name: r, attribute: a, value: x, when: {colour: red}}]",
            "unknown field",
        ),
        (
            "attributes: [{name: a}]\nrules: [{name: r, attribute: a, value: x, when: {book: {wheel: 1}}}]",
            "no field",
        ),
        ("{", "x.yaml"),
        ("[1]", "x.yaml"),
    ],
)
def test_what_does_not_hold_is_refused_with_the_reason_and_changes_nothing(
    ward: Store, text: str, reason: str
) -> None:
    from medwarden.store.attributes import rules, specs

    load()
    before = specs("default"), rules("default")
    with pytest.raises(ConfigurationError, match=reason):
        load(text)
    assert (specs("default"), rules("default")) == before


def test_an_attribute_that_is_removed_takes_its_values_along(ward: Store) -> None:
    from medwarden.store.attributes import rules, undefine

    load()
    with Change("user:anna", "not needed") as change:
        undefine(change, "owner_team")
    assert values("d-main-1") == {"value_class": "3", "in_scope": "yes"}
    assert {rule.attribute for rule in rules("default")} == {"in_scope", "value_class"}
    assert msgspec.to_builtins(rules("default")[0].when) == {"subnet": ("10.0.0.0/30",)}


def test_devices_that_are_judged_anew_are_filled_anew(ward: Store) -> None:
    from medwarden.app.judge import judge_stale
    from medwarden.store.models import Device

    load()
    Device.objects.filter(pk="d-main-1").update(ips=["192.0.2.1"], stale=True)
    judge_stale("default", "main")
    assert values("d-main-1") == {"owner_team": "ICU"}
