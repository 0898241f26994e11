from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.model.scan import SCANNERS, ScanOutcome
from medwarden.model.vulnerability import MatchState
from medwarden.risk.matching.seen_by import OWN, Own, Seen, merged, sentence

DAY = 86_400 * 10**9
KNOWN = 1000 * DAY
CONFIRMED = Own(MatchState.CONFIRMED, "Named, and it is affected.", KNOWN)
POTENTIAL = Own(MatchState.POTENTIAL, "It may be affected, because its version is not known.", KNOWN)
FIXED = Own(MatchState.FIXED, "3.2 is later than the named versions, so it is fixed.", KNOWN)


def seen(
    outcome: ScanOutcome = ScanOutcome.VULNERABLE,
    login: bool | None = True,
    scanner: str = "nessus",
    at: int = KNOWN + DAY,
) -> Seen:
    return Seen(scanner, outcome, login, at, "a check", 443, "3.0", "3.2")


def test_nobody_says_anything() -> None:
    assert merged(None, []) is None
    assert merged(None, [seen(ScanOutcome.NOT_VULNERABLE)]) is None


def test_what_only_a_scanner_sees_is_as_sure_as_the_scanner() -> None:
    found = merged(None, [seen()])
    assert found is not None
    assert (found.state, found.seen_by) == (MatchState.CONFIRMED, ("nessus",))
    assert (
        found.reason == "Nessus, logged in, found it at port 443 on 1972-09-28 (version 3.0, fixed in 3.2)."
    )
    guess = merged(None, [seen(ScanOutcome.POTENTIAL, None, "nmap")])
    assert guess is not None
    assert guess.state is MatchState.POTENTIAL
    assert guess.reason.startswith("nmap thinks it possible from a version or banner")
    mended = merged(None, [seen(ScanOutcome.FIXED)])
    assert mended is not None
    assert (mended.state, mended.seen_by) == (MatchState.FIXED, ())


def test_both_see_it() -> None:
    both = merged(CONFIRMED, [seen(), seen(scanner="openvas")])
    assert both is not None
    assert (both.state, both.seen_by, both.contradiction) == (
        MatchState.CONFIRMED,
        (OWN, "nessus", "openvas"),
        "",
    )
    surer = merged(POTENTIAL, [seen()])
    assert surer is not None
    assert surer.state is MatchState.CONFIRMED
    assert surer.reason.endswith("so it is affected.")
    guess = merged(POTENTIAL, [seen(ScanOutcome.POTENTIAL)])
    assert guess is not None
    assert guess.state is MatchState.POTENTIAL


@pytest.mark.parametrize(
    ("own", "scan", "state"),
    [
        # A scan after the fixed version was seen, by a scanner that tried: neither can be preferred.
        (FIXED, seen(), MatchState.POTENTIAL),
        # The fixed version was seen after the scan: ours stands.
        (FIXED, seen(at=KNOWN - DAY), MatchState.FIXED),
        # A banner does not stand against what is known.
        (FIXED, seen(ScanOutcome.POTENTIAL), MatchState.FIXED),
        # Logged in and gone: doubt; from outside: it stays as it is.
        (CONFIRMED, seen(ScanOutcome.FIXED), MatchState.POTENTIAL),
        (CONFIRMED, seen(ScanOutcome.NOT_VULNERABLE, None), MatchState.CONFIRMED),
    ],
)
def test_where_they_contradict_both_are_said(own: Own, scan: Seen, state: MatchState) -> None:
    found = merged(own, [scan])
    assert found is not None
    assert found.state is state
    assert own.reason.rstrip(".") in found.reason
    assert sentence(scan) in found.contradiction


def test_an_unknown_version_that_a_logged_in_scanner_saw_mended_is_fixed() -> None:
    found = merged(POTENTIAL, [seen(ScanOutcome.FIXED)])
    assert found is not None
    assert (found.state, found.contradiction) == (MatchState.FIXED, "")


SEEN = st.builds(
    seen,
    st.sampled_from(list(ScanOutcome)),
    st.sampled_from([True, False, None]),
    st.sampled_from(sorted(SCANNERS)),
    st.integers(0, 2 * KNOWN),
)


@given(own=st.sampled_from([None, CONFIRMED, POTENTIAL, FIXED]), said=st.lists(SEEN, max_size=5))
def test_whatever_is_said_the_verdict_names_who_said_it(own: Own | None, said: list[Seen]) -> None:
    found = merged(own, said)
    if found is None:
        assert own is None
        return
    speaking = {s.scanner for s in said if s.outcome in (ScanOutcome.VULNERABLE, ScanOutcome.POTENTIAL)}
    assert set(found.seen_by) - {OWN} <= speaking
    assert found.reason.endswith((".", "wrong.", "device."))
    if own is None:
        assert OWN not in found.seen_by
    elif own.state in (MatchState.CONFIRMED, MatchState.POTENTIAL) and found.state is not MatchState.FIXED:
        assert OWN in found.seen_by
    if not said and own is not None:
        assert (found.state, found.reason) == (own.state, own.reason)
