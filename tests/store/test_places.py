"""The plan of a site: replaced as a whole, audited, kept apart from other sites'."""

from __future__ import annotations

from medwarden.model.place import PlanKey, PlanRow
from medwarden.store.open import Store, ensure_site

ROOM = PlanRow(PlanKey.SWITCH_PORT, "sw1 gi1/0/4", "C", "3", "3.21")
NET = PlanRow(PlanKey.SUBNET, "10.9.0.0/16", "D", line=7)


def test_a_plan_is_replaced_as_a_whole_and_audited(store: Store) -> None:
    from medwarden.store import queries
    from medwarden.store.changes import Change
    from medwarden.store.places import plan_page, plan_rows, planned, replace_plan

    tenant, site = ensure_site(None, None)
    _, clinic = ensure_site(None, "clinic")
    with Change("user:anna", "cabling of May", tenant=tenant, site=site) as change:
        assert replace_plan(change, site, [ROOM, NET, NET]).rows == 2
    with Change("user:anna", "the clinic's", tenant=tenant, site=clinic) as change:
        replace_plan(change, clinic, [NET])
    assert plan_rows(tenant, site) == [NET, ROOM]
    with Change("user:anna", "cabling of June", tenant=tenant, site=site) as change:
        count = replace_plan(change, site, [ROOM])
    assert (count.before, count.rows) == (2, 1)
    assert plan_rows(tenant, site) == [ROOM]
    assert plan_rows(tenant, clinic) == [NET]
    assert planned(tenant, clinic, PlanKey.SUBNET, "10.9.3.4") == NET, "with the line it stood on"
    assert planned(tenant, clinic, PlanKey.SUBNET, "10.8.3.4") is None
    assert planned(tenant, site, PlanKey.SWITCH_PORT, "SW1 GigabitEthernet1/0/4") == ROOM
    entries = queries.history(queries.Scope(), subject=f"site:{site}", action="plan.replaced")
    assert next((e.reason, e.before, e.after) for e in entries) == (
        "cabling of June",
        '{"rows":2}',
        '{"rows":1,"switch_port":1}',
    )
    assert plan_page(queries.Scope(), text="10.9").total == 1
    assert plan_page(queries.Scope(sites=(site,)), text="10.9").total == 0
    assert plan_page(queries.Scope(), kind="switch_port").items == (ROOM,)
    assert plan_page(queries.Scope(), text="3.21").items == (ROOM,)
