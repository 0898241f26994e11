"""What changed since a large engine was filled is asked of a small one, and the rest stays what it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.app.test_vulnerabilities import advisory, pumps, states, take_in  # noqa: F401 - fixtures
from tests.store.conftest import heard, home, migrated, store  # noqa: F401 - fixtures

from medwarden.app import read_ahead, vulnerabilities
from medwarden.app.layered import Layered
from medwarden.model.vulnerability import MatchState
from medwarden.store.open import Store

claims = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 3))


@given(claims, st.dictionaries(st.sampled_from("abcdef"), st.none() | st.integers(0, 3)))
def test_it_finds_what_one_engine_of_everything_would(
    before: dict[str, int], news: dict[str, int | None]
) -> None:
    """Claims are numbers up to which a thing is meant; None takes one back."""

    def judge(filed: dict[str, int], subject: int) -> list[tuple[str, int]]:
        return [(name, most) for name, most in filed.items() if subject <= most]

    now = {name: most for name, most in {**before, **news}.items() if most is not None}
    small = {name: most for name, most in now.items() if name in news}
    layered = Layered[int, tuple[str, int]](lambda subject: judge(before, subject), lambda found: found[0])
    layered.lay(lambda subject: judge(small, subject), news)
    for subject in range(4):
        assert sorted(layered.judge(subject)) == sorted(judge(now, subject))


def test_a_new_advisory_does_not_have_all_claims_filed_again(
    pumps: Store,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from medwarden.store.models import Device

    take_in(pumps.home, tmp_path, advisory("MADE-1", "<= 2.5"))
    vulnerabilities.refresh(pumps.home, "default")
    read_ahead.read_ahead(pumps.home)
    take_in(pumps.home, tmp_path, advisory("MADE-1", "<= 1.5"), advisory("MADE-2", "<= 4", "CVE-2020-0002"))
    vulnerabilities.refresh(pumps.home, "default")

    def filed_again(*_: object) -> None:
        raise AssertionError("all claims were filed again")

    monkeypatch.setattr("medwarden.store.knowledge.Knowledge.vulnerabilities", filed_again)
    Device.objects.filter(pk="d-main-1").update(firmware="2.2")
    assert vulnerabilities.match_devices(pumps.home, "default", "main", ["d-main-1"]) == 1
    assert states()["d-main-1"] is MatchState.FIXED, "by the advisory as it is now"
    assert states(cve="CVE-2020-0002")["d-main-1"] is MatchState.CONFIRMED
