"""A rule for a range of ports is stored, told apart, shown and exported as a range."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from django.template.loader import render_to_string
from pytest_django.plugin import DjangoDbBlocker

from medwarden.model.policy import Direction, Peer, Policy, PolicyRule, PolicyState
from medwarden.policy import to_text
from medwarden.policy.mud import to_mud_text
from medwarden.store import queries
from medwarden.store.changes import Change
from medwarden.store.open import open_store
from medwarden.store.policies import record_policy

RULE = PolicyRule(
    Direction.TO_PEER,
    Peer("subnet", "10.1.2.0/24", "10.1.2.0/24"),
    "tcp",
    49152,
    None,
    7,
    9,
    1,
    2,
    port_to=65535,
)
POLICY = Policy("p-1", "category", "ct", "CT", PolicyState.LEARNT, 0, (RULE,), 1, 2, ("d-1",))


@pytest.fixture
def stored(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Policy]:
    with django_db_blocker.unblock(), open_store(tmp_path / "home", writer=True):
        with Change("user:anna", "learn", site="main") as change:
            record_policy(change, POLICY)
        read = queries.policy(queries.Scope(), "p-1")
        assert read is not None
        yield read


def test_the_range_comes_back_from_the_store(stored: Policy) -> None:
    assert stored.rules == (RULE,)


def test_a_narrower_range_is_another_version(stored: Policy) -> None:
    narrower = msgspec.structs.replace(RULE, port_to=50000)
    with Change("user:anna", "learn", site="main") as change:
        assert record_policy(change, msgspec.structs.replace(POLICY, rules=(narrower,))).version == 2


def test_pages_and_exports_show_the_range(stored: Policy) -> None:
    page = render_to_string("web/part/policy_rules.html", {"policy": stored})
    assert "tcp/49152-65535" in re.sub(r"\s", "", page)
    assert "tcp/49152-65535" in to_text(stored)
    mud = json.dumps(json.loads(to_mud_text(stored)))
    assert '"lower-port": 49152' in mud
    assert '"upper-port": 65535' in mud
