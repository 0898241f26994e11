"""What changed since a large engine was filled is asked of a small one, and the rest stays what it was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.app.test_vulnerabilities import advisory, pumps, states, take_in  # noqa: F401 - fixtures
from tests.store.conftest import heard, home, migrated, store  # noqa: F401 - fixtures

from medwarden.app.layered import Layered

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
