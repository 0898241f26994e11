"""The next sensor: cheap sources that serve everybody before mirror ports that serve one corner."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from medwarden.assessment.positions import next_positions
from medwarden.model.visibility import SubnetSight

ICU = SubnetSight("10.1.1.0/24", 60, medical=50, without_category=40, planned="C, 3")
OFFICE = SubnetSight("10.1.2.0/24", 200, address_only=180, without_category=20, without_place=10)
WELL = SubnetSight("10.1.3.0/24", 80, medical=10)
BLIND = SubnetSight("10.9.0.0/16", 0, planned="D")


def test_a_log_that_serves_everybody_comes_before_a_mirror_of_one_subnet() -> None:
    found = next_positions([OFFICE, ICU, WELL, BLIND])
    assert [(p.source.split()[0], p.where) for p in found] == [
        ("DHCP", "10.1.2.0/24"),
        ("Mirror", "10.1.1.0/24 (C, 3)"),
        ("Polling", "10.1.2.0/24"),
        ("Mirror", "10.1.2.0/24"),
        ("Flow", "10.9.0.0/16 (D)"),
    ]
    assert found[1].medical == 40


def test_nothing_is_proposed_where_everything_is_seen() -> None:
    assert next_positions([WELL]) == ()
    assert WELL.word == "well"
    assert (OFFICE.word, ICU.word, BLIND.word) == ("poorly", "poorly", "blind")


COUNTS = st.integers(0, 300)


@given(
    st.lists(
        st.builds(SubnetSight, st.just("10.0.0.0/24"), COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)
    )
)
def test_gain_never_exceeds_what_is_missing(sights: list[SubnetSight]) -> None:
    for position in next_positions(sights):
        assert 0 <= position.medical <= position.devices
        assert position.devices <= sum(
            max(s.address_only, s.without_place, s.without_category) for s in sights
        )
