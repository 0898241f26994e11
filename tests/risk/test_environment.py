"""CVSS for where a device stands: as FIRST's formulas give it, never from what was only not seen."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.model.device import Device, DeviceClass
from medwarden.model.vulnerability import Cvss
from medwarden.risk.context import DeviceRecord, PolicyInForce, RiskContext
from medwarden.risk.environment import Environment, environment_of, rescored

PUMP = Device(id="d1", site="main", device_class=DeviceClass.IOMT, category="infusion_pump", last_seen=9)
THREE = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
FOUR = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"
TWO = "AV:N/AC:L/Au:N/C:P/I:P/A:P"


def score(vector: str, environment: Environment) -> tuple[float, float]:
    found = rescored([Cvss(vector[5:8] if vector[0] == "C" else "2.0", vector, 1.0, "x")], environment)
    assert found is not None
    return found.base, found.adjusted


@pytest.mark.parametrize(
    ("vector", "environment", "expected"),
    [
        (THREE, Environment(), (9.8, 9.8)),
        (THREE, Environment("H", "H", "H", "A"), (9.8, 8.8)),
        (THREE, Environment("L", "L", "L"), (9.8, 8.0)),
        (THREE + "/MAV:P/CR:L", Environment(), (9.8, 9.8)),
        (FOUR, Environment(), (9.3, 9.3)),
        (FOUR, Environment("H", "H", "H", "A"), (9.3, 8.7)),
        (FOUR, Environment(life=True), (9.3, 10.0)),
        (TWO, Environment("H", "H", "H"), (7.5, 8.8)),
    ],
)
def test_scores_are_those_of_the_formulas(
    vector: str, environment: Environment, expected: tuple[float, float]
) -> None:
    assert score(vector, environment) == expected


def test_the_newest_vector_that_can_be_read_counts() -> None:
    vectors = [
        Cvss("2.0", TWO, 7.5, "x"),
        Cvss("3.1", THREE, 9.8, "x"),
        Cvss("4.0", "CVSS:4.0/AV:Z", 9.3, "x"),
    ]
    found = rescored(vectors, Environment())
    assert found is not None
    assert (found.version, found.base) == ("3.1", 9.8)
    assert rescored([Cvss("3.1", "nonsense", 5.0, "x")], Environment()) is None
    assert rescored([], Environment()) is None


def test_what_is_known_of_a_device_sets_the_metrics() -> None:
    context = RiskContext.build([PUMP], 10)
    found = environment_of(msgspec.structs.replace(PUMP, phi=True), context)
    assert (found.confidentiality, found.vector) == ("H", "X")
    assert found.availability == "H"
    assert environment_of(msgspec.structs.replace(PUMP, category=None), context) == Environment()
    for reach, vector in (("none", "L"), ("segment", "A"), ("beyond", "X")):
        policy = PolicyInForce("p", "P", 0, reach, lambda _c: True, lambda _t, _p: True)
        held = msgspec.structs.replace(context, records={"d1": DeviceRecord(policy=policy)})
        assert environment_of(PUMP, held).vector == vector


letters = st.sampled_from(["X", "L", "M", "H"])


@given(letters, letters, st.sampled_from(["X", "A", "L"]), st.booleans(), st.sampled_from([THREE, FOUR, TWO]))
def test_a_score_stays_a_score_and_less_reach_never_raises_it(
    secrecy: str, need: str, vector: str, life: bool, published: str
) -> None:
    base, here = score(published, Environment(secrecy, need, need, vector, life))
    assert 0 <= here <= 10
    assert here <= score(published, Environment(secrecy, need, need, "X", life))[1]
    assert base == score(published, Environment())[0]
