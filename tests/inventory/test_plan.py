"""Floor plans as tables: headings as people write them, and every bad line named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.inventory.plan import Plan, port_name, read_plan
from medwarden.model.place import PlanKey, PlanRow


def test_a_switch_plan_as_cabling_teams_write_it() -> None:
    rows, problems = read_plan(
        "Switch;Port;Gebäude;Etage;Raum;Abteilung\nsw-c3-01.hospital.local;GigabitEthernet1/0/4;C;3;3.21;ICU\n"
    )
    assert problems == ()
    assert rows == (
        PlanRow(
            PlanKey.SWITCH_PORT, "sw-c3-01.hospital.local GigabitEthernet1/0/4", "C", "3", "3.21", "ICU", 2
        ),
    )
    plan = Plan(rows)
    assert plan.find(PlanKey.SWITCH_PORT, "SW-C3-01 Gi1/0/4") == rows[0]
    assert plan.find(PlanKey.SWITCH_PORT, "SW-C3-01 Gi1/0/5") is None


def test_one_line_may_say_several_things_of_a_place() -> None:
    rows, problems = read_plan("\ufeffap,unit,building,floor\nap-12,ICU-W,B,2\n")
    assert problems == ()
    assert {row.kind for row in rows} == {PlanKey.ACCESS_POINT, PlanKey.UNIT}


def test_kind_and_key() -> None:
    rows, problems = read_plan(
        "kind\tkey\troom\nsubnet\t10.1.2.3/24\t1.01\nAccess Point\tap-1\t1.02\ncloud\tx\t1.03\n"
    )
    assert [(row.kind, row.key) for row in rows] == [
        (PlanKey.SUBNET, "10.1.2.0/24"),
        (PlanKey.ACCESS_POINT, "ap-1"),
    ]
    assert [(p.line, p.reason.split(":")[0]) for p in problems] == [(4, "'cloud' is no kind of key")]


def test_the_smallest_network_decides() -> None:
    rows, _ = read_plan(
        "subnet,building,floor\n10.0.0.0/8,Campus,\n10.3.0.0/16,C,\n10.3.4.0/24,C,4\nfd00::/8,X,\n"
    )
    plan = Plan(rows)
    assert [
        row.floor if row else None for row in (plan.subnet_of("10.3.4.9"), plan.subnet_of("10.3.9.9"))
    ] == [
        "4",
        None,
    ]
    assert plan.subnet_of("192.168.1.1") is None
    six = plan.subnet_of("fd00::1")
    assert six is not None and six.building == "X"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("300.1.1.0/24,,,A", "no subnet"),
        (",5000,,A", "no VLAN id"),
        (",,00:11:22,A", "no MAC address"),
        (",,,A", "nothing that is at this place"),
        ("10.0.0.0/24,,,", "names no building"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_and_the_rest_kept(line: str, said: str) -> None:
    rows, problems = read_plan(f"subnet,vlan,mac,building\n{line}\n,12,,B\n")
    assert [row.key for row in rows] == ["12"]
    assert len(problems) == 1
    assert problems[0].line == 2
    assert said in problems[0].reason


@pytest.mark.parametrize("text", ["", "a,b,c\n1,2,3\n", "building,floor\nA,1\n", "switch,port\ns,p\n"])
def test_a_table_that_is_no_plan_is_refused_by_its_heading(text: str) -> None:
    rows, problems = read_plan(text)
    assert rows == ()
    assert [p.line for p in problems] == [1]


@pytest.mark.parametrize(
    ("long", "short"),
    [
        ("GigabitEthernet1/0/4", "gi1/0/4"),
        ("Gi 1/0/4", "gi1/0/4"),
        ("TenGigabitEthernet1/1/1", "te1/1/1"),
        ("Ethernet1/3", "eth1/3"),
        ("port 7", "port7"),
    ],
)
def test_interface_names_are_one_in_long_and_short(long: str, short: str) -> None:
    assert port_name(long) == short


@given(st.text(max_size=300))
def test_any_text_is_rows_or_named_problems(text: str) -> None:
    rows, problems = read_plan("switch,port,subnet,room\n" + text)
    Plan(rows)
    assert all(problem.reason and problem.line >= 1 for problem in problems)
    assert all(row.room for row in rows)


@pytest.mark.parametrize("evidence", ["", "x", "10.1.2.0/24", "\0", "1" * 3000])
def test_what_is_no_address_is_in_no_subnet(evidence: str) -> None:
    plan = Plan([PlanRow(PlanKey.SUBNET, "10.1.2.0/24", "C")])
    assert plan.by_evidence(PlanKey.SUBNET, evidence) is None
    assert plan.by_evidence(PlanKey.SUBNET, "10.1.2.9") is plan.rows[0]
