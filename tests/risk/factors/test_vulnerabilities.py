from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from medwarden.model.device import Device, DeviceClass
from medwarden.model.vulnerability import MatchState
from medwarden.risk.assess import assess_device
from medwarden.risk.context import KnownVulnerability, RiskContext

DEVICE = Device(id="d1", site="main", device_class=DeviceClass.IOMT, category="ct", last_seen=9)
CONFIRMED, POTENTIAL = MatchState.CONFIRMED, MatchState.POTENTIAL


def known(state: MatchState, score: float | None = 7.5, **facts: object) -> KnownVulnerability:
    return KnownVulnerability("CVE-2020-0001", state, "because", 1, score, **facts)  # type: ignore[arg-type]


def points(*said: KnownVulnerability) -> tuple[int, dict[str, float]]:
    context = RiskContext.build([DEVICE], 10, vulnerabilities={"d1": said})
    score, _ = assess_device(DEVICE, context)
    assert sum(factor.points for factor in score.factors) == score.score
    return score.score, {factor.id: factor.raw_points for factor in score.factors}


def test_what_is_used_in_attacks_counts_more_than_what_is_grave() -> None:
    used, factors = points(known(CONFIRMED, 5.0, exploited=True))
    grave, others = points(known(CONFIRMED, 9.8))
    assert used > grave > points()[0]
    assert "exploited_vulnerabilities" in factors
    assert "known_vulnerabilities" in others


def test_a_doubt_counts_less_and_what_is_fixed_or_irrelevant_nothing() -> None:
    assert points(known(CONFIRMED))[0] > points(known(POTENTIAL))[0] > points()[0]
    for state in (MatchState.FIXED, MatchState.NOT_AFFECTED, MatchState.IRRELEVANT):
        assert points(known(state, 10.0, exploited=True)) == points()


@given(
    st.lists(
        st.builds(
            KnownVulnerability,
            st.sampled_from(["CVE-1", "CVE-2", "CVE-3"]),
            st.sampled_from(MatchState),
            st.just("because"),
            st.integers(0, 9),
            st.none() | st.floats(0, 10),
            st.booleans(),
            st.booleans(),
            st.none() | st.floats(0, 1),
        ),
        max_size=40,
    )
)
def test_points_add_up_whatever_is_known(said: list[KnownVulnerability]) -> None:
    points(*said)
