"""What the resolver keeps."""

from __future__ import annotations

from medwarden.inventory.sightings import Fact, add_fact, is_interface


def test_facts_fold() -> None:
    facts: dict[str, Fact] = {}
    add_fact(facts, "a", Fact(5, 5, 1))
    add_fact(facts, "a", Fact(2, 9, 3))
    assert (facts["a"].first_seen, facts["a"].last_seen, facts["a"].count) == (2, 9, 4)


def test_interfaces() -> None:
    assert is_interface("00:17:88:00:00:01")
    assert not is_interface("00:00:00:00:00:00")
    assert not is_interface("ff:ff:ff:ff:ff:ff")
    assert not is_interface(None)
    assert is_interface(None, or_none=True)
