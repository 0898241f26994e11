"""Scopes of SDC devices: place and kind, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.sdc_scopes import FIELDS, facts_of_scope


@pytest.mark.parametrize(
    ("scope", "facts"),
    [
        (
            "sdc.ctxt.loc:/sdc.ctxt.loc.detail/HOSP1%2F%2F%2FCU1%2F%2FBed42?fac=HOSP1&bldng=B%201&flr=3&poc=CU1"
            "&rm=312&bed=Bed42&other=x",
            {
                ("sdc.facility", "HOSP1"),
                ("sdc.building", "B 1"),
                ("sdc.floor", "3"),
                ("sdc.location", "CU1"),
                ("sdc.room", "312"),
                ("sdc.bed", "Bed42"),
            },
        ),
        ("sdc.cdc.type:///69965", {("sdc.mds_type", "MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS")}),
        ("sdc.cdc.type:/urn:oid:1.2/3/67108865", {("sdc.mds_type", "67108865")}),
        ("sdc.mds.pkp:1.2.840.10004.20701.1.1", {("sdc.role", "provider")}),
        ("sdc.ctxt.pat:/x?poc=CU1", set()),
        ("sdc.ctxt.loc:/root/x", set()),
        ("http://www.onvif.org/location/room", set()),
        ("sdc.ctxt.loc://[x?poc=a", set()),
        ("sdc.ctxt.loc:/r/e?" + "poc=a&" * 40, set()),
        ("", set()),
    ],
)
def test_scope(scope: str, facts: set[tuple[str, str]]) -> None:
    assert set(facts_of_scope(scope)) == facts


@given(
    st.text(max_size=200), st.sampled_from(["", "sdc.ctxt.loc:", "sdc.cdc.type:", "sdc.ctxt.loc:/a/b?poc="])
)
def test_any_scope_gives_declared_fields(text: str, start: str) -> None:
    for field, value in facts_of_scope(start + text):
        assert field in FIELDS
        assert value
