"""Facts become columns, and flows get names, as they would one by one."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.flowcore import fact_columns
from medwarden.model.batch import Fact
from medwarden.model.evidence import Evidence
from medwarden.model.tables import EVIDENCE_LAKE_SCHEMA

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NUMBER = st.integers(-(2**63), 2**63 - 1)
EVIDENCE = st.builds(
    Evidence,
    NUMBER,
    st.none() | TEXT,
    st.none() | TEXT,
    st.none() | st.integers(0, 4094),
    TEXT,
    TEXT,
    TEXT,
)
FACTS = st.lists(st.builds(Fact, EVIDENCE, NUMBER, NUMBER), max_size=20)


@given(FACTS)
def test_columns_hold_what_the_facts_say(facts: list[Fact]) -> None:
    said = [fact.evidence for fact in facts]
    wanted = {
        **{name: [getattr(e, name) for e in said] for name in Evidence.__struct_fields__},
        "count": [fact.count for fact in facts],
        "last_ns": [fact.last_ns for fact in facts],
    }
    columns = fact_columns(facts)
    assert {name: column.to_pylist() for name, column in columns.items()} == wanted
    for name, column in columns.items():
        assert column.type == EVIDENCE_LAKE_SCHEMA.field(name).type
        column.validate(full=True)
        assert column.null_count == wanted[name].count(None)


def test_a_batch_without_facts_has_columns_without_rows() -> None:
    assert all(column.equals(pa.nulls(0, column.type)) for column in fact_columns([]).values())


def test_what_is_no_fact_or_no_text_is_refused() -> None:
    fact = Fact(Evidence(1, None, None, None, "a.b", "c", "a"), 1, 1)
    with pytest.raises(TypeError, match="a fact is wanted"):
        fact_columns([fact.evidence])  # type: ignore[list-item]
    with pytest.raises(UnicodeEncodeError):
        fact_columns([Fact(Evidence(1, None, None, None, "a.b", "\ud800", "a"), 1, 1)])
    with pytest.raises(OverflowError):
        fact_columns([Fact(Evidence(1, None, None, None, "a.b", "c", "a"), 2**63, 1)])
