"""History of scores: only changes are stored, any date tells what was computed then, and it stays small."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.store.conftest import DeltaMaker

from medwarden.kernel.errors import InternalError
from medwarden.model.finding import FindingEvidence
from medwarden.model.risk import Factor, RiskScore
from medwarden.risk.levels import GroupKind, aggregate
from medwarden.risk.score import compose
from medwarden.risk.weights import GroupShape
from medwarden.store.changes import Change
from medwarden.store.delta import apply_delta
from medwarden.store.open import Store
from medwarden.store.queries import Scope, risk, risk_history
from medwarden.store.queries.scores import changes_of, risk_at

HOUR = 3600 * 10**9
START = 1_790_000_000 * 10**9


def factor(name: str, raw: float, why: str = "because", group: str = "protocol") -> Factor:
    evidence = tuple(FindingEvidence("f", str(n), 1, 2) for n in range(5))
    return Factor(name, name.title(), group, 0, raw, why, evidence)


def score(device: str, *factors: Factor, rules: str = "1") -> RiskScore:
    return compose(device, factors, rules)


def keep(at_ns: int, *scores: RiskScore, reason: str = "traffic changed") -> None:
    from medwarden.store.scores import record_scores

    with Change("rule:risk", reason, "1", site="main", clock=lambda: at_ns) as change:
        record_scores(change, scores)


@pytest.fixture
def two(store: Store, heard: DeltaMaker) -> list[str]:
    with Change("sensor:s", "heard", site="main") as change:
        apply_delta(change, heard(1, 2))
    return ["d-main-1", "d-main-2"]


def test_what_did_not_change_writes_nothing(two: list[str]) -> None:
    from medwarden.store.models import FactorSpan
    from medwarden.store.models import RiskScore as Row

    one = two[0]
    keep(START, score(one, factor("telnet", 20), factor("smb", 10)))
    keep(START + HOUR, score(one, factor("telnet", 20), factor("smb", 10)))
    assert (Row.objects.count(), FactorSpan.objects.count()) == (1, 2)
    keep(START + 2 * HOUR, score(one, factor("telnet", 20), factor("smb", 10), factor("ftp", 5)))
    assert (Row.objects.count(), FactorSpan.objects.count()) == (2, 3)
    assert Row.objects.get(current=True).cause == "traffic changed: new or changed: ftp"
    keep(START + 3 * HOUR, score(one, factor("telnet", 20, "louder"), factor("ftp", 5)))
    ended = FactorSpan.objects.exclude(until_ns=None)
    assert {(row.factor, row.why, len(row.evidence)) for row in ended} == {
        ("smb", "because", 3),
        ("telnet", "because", 3),
    }
    assert Row.objects.get(current=True).cause == "traffic changed: new or changed: telnet; gone: smb"
    assert len(risk_history(Scope(), one)) == len(changes_of(Scope(), one)) == 3


steps = st.lists(
    st.dictionaries(
        st.sampled_from(["telnet", "smb", "ftp", "care", "shield"]),
        st.tuples(
            st.sampled_from([1.0, 7.5, 20.0, 40.0]), st.sampled_from(["because", "for another reason"])
        ),
    ),
    min_size=1,
    max_size=8,
)


def drawn(device: str, held: dict[str, tuple[float, str]]) -> RiskScore:
    groups = {"care": "impact", "shield": "control"}
    factors = []
    for name, (raw, why) in held.items():
        group = groups.get(name, "protocol")
        raw = {"impact": raw / 200, "control": -raw}.get(group, raw)
        factors.append(factor(name, raw, why, group))
    return score(device, *factors)


@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps)
def test_history_as_of_a_date_is_the_score_that_was_computed_then(
    two: list[str], history: list[dict[str, tuple[float, str]]]
) -> None:
    from medwarden.store.models import FactorSpan
    from medwarden.store.models import RiskScore as Row

    Row.objects.all().delete()
    FactorSpan.objects.all().delete()
    computed = [drawn(two[0], held) for held in history]
    for number, each in enumerate(computed):
        keep(START + number * HOUR, each)
    assert risk_at(Scope(), two[0], START - 1) is None
    for number, each in enumerate(computed):
        for at in (START + number * HOUR, START + number * HOUR + HOUR - 1):
            found = risk_at(Scope(), two[0], at)
            assert found is not None
            assert _bare(found) == _bare(each)
            assert sum(f.points for f in found.factors) == found.score
    now = risk(Scope(), two[0])
    assert now is not None
    assert _bare(now) == _bare(computed[-1])


def _bare(found: RiskScore) -> RiskScore:
    return msgspec.structs.replace(
        found, factors=tuple(msgspec.structs.replace(f, evidence=()) for f in found.factors)
    )


def test_a_site_as_of_a_date_is_what_its_devices_were_then(two: list[str]) -> None:
    from medwarden.store.queries.risk_groups import organisation_at, scores_at, site_at

    keep(START, score(two[0], factor("telnet", 20)), score(two[1], factor("smb", 60)))
    keep(START + HOUR, score(two[0], factor("telnet", 90)))
    keep(START + 2 * HOUR, score(two[1]))
    shape = GroupShape()
    for at in (START, START + HOUR, START + 2 * HOUR):
        then = {}
        for device in two:
            found = risk_at(Scope(), device, at)
            assert found is not None
            then[device] = found.score
        assert scores_at(Scope(), at) == then
        assert site_at(Scope(), "main", at, shape) == aggregate(GroupKind.SITE, "main", then.items(), shape)
        assert organisation_at(Scope(), at, shape).score == site_at(Scope(), "main", at, shape).score
    assert site_at(Scope(sites=("other",)), "main", START, shape).devices == 0


def test_points_that_do_not_add_up_are_refused(two: list[str]) -> None:
    wrong = msgspec.structs.replace(score(two[0], factor("telnet", 20)), score=99)
    with pytest.raises(InternalError, match="add up"):
        keep(START, wrong)


@pytest.mark.parametrize("stamp", [START - 5, START, START + 5], ids=["before", "the same", "after"])
def test_a_score_that_fell_due_while_it_was_made_stays_due(two: list[str], stamp: int) -> None:
    """Whatever its stamp says: a change may commit long after it began."""
    from medwarden.store.marking import marks_of
    from medwarden.store.models import Device
    from medwarden.store.queries import due_devices
    from medwarden.store.scores import mark_due, record_scores

    Device.objects.update(stale=False)
    marks = marks_of(two)
    with Change("user:anna", "irrelevant", clock=lambda: stamp) as change:
        assert mark_due(change, two) == 2
    assert due_devices("main") == two
    with Change("rule:risk", "late", site="main", clock=lambda: START) as change:
        record_scores(change, [score(two[0], factor("telnet", 20))], marks)
    assert due_devices("main") == two
    marks = marks_of(two)
    with Change("rule:risk", "later", site="main", clock=lambda: START) as change:
        record_scores(change, [score(two[0], factor("telnet", 20))], marks)
    assert due_devices("main") == two[1:]
    with Change("rule:risk", "read and stored in one", site="main", clock=lambda: START) as change:
        record_scores(change, [score(two[1], factor("telnet", 20))])
    assert due_devices("main") == []


def test_groups_are_written_when_their_level_changes_or_once_an_hour(two: list[str]) -> None:
    from medwarden.store.models import GroupRisk
    from medwarden.store.queries.risk_groups import group_history
    from medwarden.store.risk_groups import record_groups

    def note(at_ns: int) -> None:
        with Change("rule:risk", "scores", site=None, clock=lambda: at_ns) as change:
            record_groups(change, GroupShape())

    keep(START, score(two[0], factor("telnet", 20)))
    note(START)
    before = GroupRisk.objects.filter(kind="site").count()
    keep(START + 1, score(two[0], factor("telnet", 21)))
    note(START + 1)
    assert GroupRisk.objects.filter(kind="site").count() == before, "within the hour, same level"
    keep(START + 2, score(two[0], factor("telnet", 200)))
    note(START + 2)
    note(START + 2 * HOUR)
    moments = group_history("default", GroupKind.SITE, "main")
    assert [m.at_ns for m in moments] == [START, START + 2]
    assert moments[-1].level != moments[0].level
    assert [m.at_ns for m in group_history("default", GroupKind.SITE, "main", since_ns=START + 1)] == [
        START,
        START + 2,
    ]


def test_what_ended_six_years_ago_is_forgotten_and_nothing_else(two: list[str]) -> None:
    from medwarden.store.models import FactorSpan
    from medwarden.store.models import RiskScore as Row
    from medwarden.store.risk_groups import forget_history

    keep(START, score(two[0], factor("telnet", 20), factor("smb", 3)))
    keep(START + HOUR, score(two[0], factor("telnet", 20)))
    keep(START + 2 * HOUR, score(two[0], factor("telnet", 40)))
    with Change("system", "a new day") as change:
        assert forget_history(change, START + HOUR) == 0
        assert forget_history(change, START + HOUR + 1) == 2
    assert sorted(Row.objects.values_list("at_ns", flat=True)) == [START + HOUR, START + 2 * HOUR]
    assert FactorSpan.objects.filter(factor="smb").count() == 0
    assert risk(Scope(), two[0]) is not None


def test_movers_are_compared_with_the_date(two: list[str]) -> None:
    from medwarden.store.queries.risk_groups import matrix, movers

    keep(START, score(two[0], factor("telnet", 20)), score(two[1], factor("smb", 60)))
    keep(START + HOUR, score(two[0], factor("telnet", 90)), score(two[1], factor("smb", 5)))
    risen, fallen = movers(Scope(), START + 1)
    assert [m.device for m in risen] == two[:1]
    assert [m.device for m in fallen] == two[1:]
    assert risen[0].before < risen[0].now
    assert "telnet" in risen[0].cause
    assert movers(Scope(), START + HOUR) == ([], [])
    assert sum(cell.devices for row in matrix(Scope()) for cell in row) == 2


Held = tuple[str, str, str, str]
"""What a device is held for: category, maker, model, department."""


def _identified(device: str, at_ns: int, held: Held) -> None:
    """Store what a device is held for, as identifying it does."""
    from medwarden.model.device import Device as ModelDevice
    from medwarden.model.device import DeviceClass
    from medwarden.model.place import Place
    from medwarden.store.identities import record_identities

    category, vendor, model, department = held
    found = ModelDevice(
        id=device, site="main", device_class=DeviceClass.IOMT, category=category, vendor=vendor, model=model,
        first_seen=1, last_seen=2, place=Place(department=department),
    )  # fmt: skip
    with Change("rule:identity", "evidence changed", "1", site="main", clock=lambda: at_ns) as change:
        record_identities(change, [found])


_HELD = st.tuples(
    st.sampled_from(["infusion_pump", "patient_monitor"]),
    st.sampled_from(["Acme", "Other"]),
    st.sampled_from(["M1", "M2"]),
    st.sampled_from(["ICU", "OR"]),
)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.tuples(st.integers(0, 1), _HELD, st.integers(1, 90)), min_size=1, max_size=8))
def test_groups_as_of_a_date_are_what_devices_scored_and_were_then(
    two: list[str], steps: list[tuple[int, Held, int]]
) -> None:
    """Whatever devices were held for over time, each group of a date is the score of its devices of then."""
    from medwarden.store.models import AuditEntry, Device, FactorSpan
    from medwarden.store.models import RiskScore as Row
    from medwarden.store.queries.groups_at import groups_at

    Row.objects.all().delete()
    FactorSpan.objects.all().delete()
    AuditEntry.objects.filter(action="device.identified").delete()
    Device.objects.update(category=None, vendor=None, model=None, place=None, risk_score=0)
    truth: list[tuple[int, dict[str, tuple[Held, int]]]] = []
    held: dict[str, tuple[Held, int]] = {}
    for number, (which, labels, raw) in enumerate(steps):
        at_ns, device = START + number * HOUR, two[which]
        _identified(device, at_ns, labels)
        keep(at_ns, score(device, factor("telnet", raw)))
        held = held | {device: (labels, score(device, factor("telnet", raw)).score)}
        truth.append((at_ns + 1, held))
    for at_ns, then in truth:
        for kind, name_of in (
            (GroupKind.CATEGORY, lambda labels: labels[0]),
            (GroupKind.MODEL, lambda labels: f"{labels[1]} {labels[2]}"),
            (GroupKind.DEPARTMENT, lambda labels: labels[3]),
            (GroupKind.SITE, lambda _labels: "main"),
        ):
            found = {group.name: group for group in groups_at(Scope(), kind, at_ns, GroupShape())}
            names = {name_of(labels) for labels, _ in then.values()}
            assert found.keys() == names
            for name in names:
                members = [(d, points) for d, (labels, points) in then.items() if name_of(labels) == name]
                assert found[name] == aggregate(kind, name, members, GroupShape())
    assert groups_at(Scope(), GroupKind.CATEGORY, START - 1, GroupShape()) == []
    assert groups_at(Scope(sites=("elsewhere",)), GroupKind.CATEGORY, truth[-1][0], GroupShape()) == []
