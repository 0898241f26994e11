"""VLANs that belong to another site: the same address twice is two devices, each at its own site."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.flowcore import packets as made

from medwarden.app.segments import Segment, claim, overlap, read_ranges, segments_of
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.accounting import InputReport
from medwarden.store.open import Store, ensure_site


def test_ranges_are_read_as_people_write_them() -> None:
    assert read_ranges("300, 100-199") == ((100, 199), (300, 300))
    assert read_ranges("") == ()
    assert Segment("x", read_ranges("100-199,300")).text == "100-199,300"
    for wrong in ("0", "5000", "9-3", "a", "1-2-3", "-4", "٣"):
        with pytest.raises(ConfigurationError, match="VLAN ids"):
            read_ranges(wrong)


def test_no_vlan_belongs_to_two_sites(store: Store) -> None:
    tenant, _ = ensure_site(None, None)
    for site in ("clinic", "annexe"):
        ensure_site(None, site)
    claim(tenant, "clinic", "100-199", actor="user:anna", reason="core switch")
    with pytest.raises(ConfigurationError, match="VLAN 150 belongs to clinic"):
        claim(tenant, "annexe", "150", actor="user:anna", reason="core switch")
    claim(tenant, "annexe", "200", actor="user:anna", reason="core switch")
    assert [(s.site, s.text) for s in segments_of(tenant, "main")] == [
        ("annexe", "200"),
        ("clinic", "100-199"),
    ]
    assert [s.site for s in segments_of(tenant, "clinic")] == ["annexe"]
    claim(tenant, "annexe", "", actor="user:anna", reason="closed")
    assert [s.site for s in segments_of(tenant, "main")] == ["clinic"]


RANGE = st.tuples(st.integers(1, 50), st.integers(1, 50)).map(lambda ends: (min(ends), max(ends)))


@given(st.lists(RANGE, max_size=4), st.lists(RANGE, max_size=4))
def test_a_dispute_is_found_exactly_where_there_is_one(
    first: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    one, two = Segment("one", tuple(first)), Segment("two", tuple(other))
    shared = [vlan for vlan in range(1, 51) if one.holds(vlan) and two.holds(vlan)]
    disputed = overlap([one, two])
    assert (disputed is not None) is bool(shared)
    assert disputed is None or disputed[2] in shared


def heard(store: Store, frames: list[bytes], content: str, kill: bool = False) -> None:
    """Take frames in as one input of a sensor at the main site."""
    from medwarden.app.ingest import Ingest, Taken
    from medwarden.app.packet_stage import PacketStage
    from medwarden.flowcore import CaptureReader

    ingest = Ingest(store, "core", kind="capture")
    stage = PacketStage(ingest.token_key)
    capture = made.pcap([((1_700_000_000 + n) * 10**9, frame) for n, frame in enumerate(frames)])
    CaptureReader(stage.core, "core.pcap").feed(memoryview(capture), 0, True)
    batch = stage.take(final=True)
    state = ingest.writer.begin_input(content, "core.pcap", "pcap")
    if kill:
        assert ingest.others is not None
        ingest.others.take([Taken(state, 0, batch)])  # killed before the own part was acknowledged
        return
    ingest.commit(state, 0, batch, InputReport("core.pcap"))


def frames() -> list[bytes]:
    """Return one host twice: the same address in the sensor's own network and in a VLAN of the clinic."""
    packet = made.ipv4(made.udp(b"<134>Jan  2 03:04:05 ct01 app[7]: hello", 514, 514), 17)
    return [made.ethernet(packet, tags=tags) for tags in ((), ((0x8100, 120),), ((0x8100, 300),))]


@pytest.mark.parametrize("kill", [False, True])
def test_what_is_heard_on_a_claimed_vlan_goes_to_the_site_that_claims_it(store: Store, kill: bool) -> None:
    from medwarden.store.models import Device, InputLedger

    tenant, main = ensure_site(None, None)
    ensure_site(None, "clinic")
    claim(tenant, "clinic", "100-199", actor="user:anna", reason="core switch")
    if kill:
        heard(store, frames(), "c1", kill=True)
        assert Device.objects.filter(site_id=main).count() == 0
    heard(store, frames(), "c1")
    ips = {
        site: sorted(ip for d in Device.objects.filter(site_id=site) for ip in d.ips)
        for site in (main, "clinic")
    }
    assert ips["clinic"] and ips["clinic"] == ips[main]
    rows = store.lake.query("SELECT site, vlan FROM flows", tenant=tenant).to_pylist()
    assert {(r["site"], r["vlan"]) for r in rows} == {("clinic", 120), (main, None), (main, 300)}
    assert len(rows) == 3
    assert sorted(InputLedger.objects.values_list("site_id", "next_batch")) == [("clinic", 1), (main, 1)]
