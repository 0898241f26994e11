from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medwarden.kernel.errors import ConfigurationError
from medwarden.model.device import Ballot, Device, DeviceClass, Verdict
from medwarden.model.evidence import LedgerEntry
from medwarden.model.inventory_delta import ConversationIncrement, InventoryDelta
from medwarden.model.role import Role
from medwarden.store import queries as q
from medwarden.store.changes import Change
from medwarden.store.delta import apply_delta
from medwarden.store.identities import record_identities, restore_device, retire
from medwarden.store.models import AuditEntry, DeviceText, User
from medwarden.store.open import Store, ensure_site
from medwarden.store.queries.devices import SORTS

from .conftest import HOUR, DeltaMaker

MAIN = q.Scope()


def fill(
    heard: DeltaMaker, *numbers: int, site: str = "main", tenant: str = "default", ts: int = 10 * HOUR
) -> None:
    ensure_site(tenant, site)
    with Change("sensor:s", "heard", tenant=tenant, site=site) as change:
        apply_delta(change, heard(*numbers, site=site, ts=ts))


def conclude(number: int, **fields: object) -> Device:
    device = q.complete_devices([f"d-main-{number}"])[0]
    concluded = msgspec.structs.replace(device, **fields)
    with Change("rule:identity", "evidence", "model-1", site="main") as change:
        record_identities(change, [concluded])
    return concluded


@pytest.fixture
def ward(store: Store, heard: DeltaMaker) -> None:
    """Five devices: a pump, a CT, a CT of another maker, a PC, and one nobody knows."""
    fill(heard, 1, 2, 3, 4, 5)
    conclude(
        1,
        names=("PUMP-ICU-1",),
        device_class=DeviceClass.IOMT,
        category="infusion_pump",
        vendor="B. Braun",
        model="Space",
        serial="SN-4711",
        subnet="10.0.0.0/24",
        managed=False,
    )
    ledger = (LedgerEntry("dicom", "dicom.ae_title", "CT_SCANNER_7", "s", 1, 2, 3),)
    conclude(
        2,
        names=("ct7",),
        device_class=DeviceClass.IOMT,
        category="ct",
        vendor="Siemens",
        phi=True,
        ledger=ledger,
    )
    conclude(3, names=("ct8",), device_class=DeviceClass.IOMT, category="ct", vendor="GE", phi=False)
    conclude(4, names=("nurse-pc",), device_class=DeviceClass.IT, category="workstation", managed=True)


def names(page: q.Page[q.DeviceRow]) -> list[str | None]:
    return [row.name for row in page.items]


def found(**wanted: object) -> set[str | None]:
    return set(names(q.devices(MAIN, msgspec.convert(wanted, q.DeviceFilter))))


@pytest.mark.usefixtures("ward")
class TestFilters:
    def test_values_exclusions_and_absent_facts(self) -> None:
        assert found(category=["ct"]) == {"ct7", "ct8"}
        assert found(category=["ct", "infusion_pump"], vendor=["!GE"]) == {"ct7", "PUMP-ICU-1"}
        assert found(category=["unknown"]) == {"10.0.0.5"}
        assert found(category=["!unknown", "!ct"]) == {"PUMP-ICU-1", "nurse-pc"}
        assert found(device_class=["unknown"]) == {"10.0.0.5"}
        assert found(phi=["yes"]) == {"ct7"}
        assert found(phi=["unknown", "no"]) == {"PUMP-ICU-1", "ct8", "nurse-pc", "10.0.0.5"}
        assert found(managed=["no"]) == {"PUMP-ICU-1"}
        assert found(subnet=["10.0.0.0/24"]) == {"PUMP-ICU-1"}
        assert found(last_seen_since=11 * HOUR) == set()
        assert len(found(first_seen_since=10 * HOUR)) == 5

    @pytest.mark.parametrize(
        "text, expected",
        [
            ("pump", {"PUMP-ICU-1"}),
            ("UMP-ic", {"PUMP-ICU-1"}),
            ("sn-4711", {"PUMP-ICU-1"}),
            ("ct_scanner", {"ct7"}),
            ("siemens", {"ct7"}),
            ("ct siemens", {"ct7"}),
            ("ct ge", {"ct8"}),
            ("10.0.0.4", {"nurse-pc"}),
            ("10.0.0.4/31", {"nurse-pc", "10.0.0.5"}),
            ("10.0.0.0/29", {"PUMP-ICU-1", "ct7", "ct8", "nurse-pc", "10.0.0.5"}),
            ("10.9.0.0/16", set()),
            ("02:00:00:00:00:03", {"ct8"}),
            ("02-00-00-00-00-03", {"ct8"}),
            ("0200.0000.0003", {"ct8"}),
            ("020000000003", {"ct8"}),
            ("00:00:03", {"ct8"}),
            ("00-00-03", {"ct8"}),
            ("nurse%", set()),
            ("%", set()),
            ('"', set()),
            ("zzz", set()),
            ("AND OR NOT", set()),
        ],
    )
    def test_text(self, text: str, expected: set[str | None]) -> None:
        assert found(text=text) == expected

    def test_sorts_and_pages(self) -> None:
        everything = [q.devices(MAIN, sort="name", offset=n, limit=2) for n in (0, 2, 4, 6)]
        assert [n for page in everything for n in names(page)] == sorted(names(q.devices(MAIN)), key=str)
        assert {page.total for page in everything} == {5}
        assert names(q.devices(MAIN, sort="-ip"))[0] == "10.0.0.5"
        with pytest.raises(ConfigurationError, match="cannot be sorted by 'password'"):
            q.devices(MAIN, sort="password")
        for sort in SORTS:
            assert q.devices(MAIN, sort=f"-{sort}").total == 5

    def test_facets_count_what_the_filter_leaves(self) -> None:
        counts = q.facets(MAIN)
        assert counts["device_class"] == {"IoMT": 3, "IT": 1, "unknown": 1}
        assert counts["category"]["ct"] == 2
        assert counts["phi"] == {"unknown": 3, "yes": 1, "no": 1}
        assert counts["managed"] == {"unknown": 3, "no": 1, "yes": 1}
        assert q.facets(MAIN, q.DeviceFilter(category=("ct",)))["vendor"] == {"GE": 1, "Siemens": 1}

    def test_export_yields_every_row_of_the_filter(self) -> None:
        rows = list(q.each_device(MAIN, q.DeviceFilter(category=("ct",)), sort="name"))
        assert [row.name for row in rows] == ["ct7", "ct8"]
        assert q.device_ids(MAIN, q.DeviceFilter(category=("ct",))) == ["d-main-2", "d-main-3"]

    def test_a_renamed_device_is_found_by_its_new_name_alone(self) -> None:
        conclude(4, names=("front-desk",))
        assert found(text="front-desk") == {"front-desk"}
        assert found(text="nurse") == set()

    def test_a_retired_device_leaves_the_lists_and_returns_when_heard(self, heard: DeltaMaker) -> None:
        with Change("user:anna", "sold", site="main") as change:
            retire(change, "d-main-4")
        assert "nurse-pc" not in found()
        assert found(retired=True) == {"nurse-pc"}
        with pytest.raises(ConfigurationError, match="retired already"), Change("user:anna", "x") as change:
            retire(change, "d-main-4")
        with Change("user:anna", "still here", site="main") as change:
            restore_device(change, "d-main-4")
            retire(change, "d-main-4")
        fill(heard, 4, ts=11 * HOUR)
        assert "nurse-pc" in found()
        reasons = AuditEntry.objects.filter(action="device.restored").order_by("sequence")
        assert list(reasons.values_list("reason", flat=True)) == ["still here", "heard again"]

    def test_overview_counts_levels(self) -> None:
        numbers = q.overview(MAIN, since=0)
        assert (numbers.devices, numbers.devices_before, numbers.medical) == (5, 0, 3)
        assert (numbers.with_class, numbers.with_category, numbers.with_vendor, numbers.with_model) == (
            4,
            4,
            3,
            1,
        )
        now = AuditEntry.objects.latest("sequence").at_ns
        assert [day.devices for day in q.trend(MAIN, now, days=3)] == [0, 0, 5]

    def test_subnets_say_how_many_are_known(self) -> None:
        assert q.subnets(MAIN) == [("10.0.0.0/24", 1, 1)]


def test_identity_comes_back_whole_and_is_audited(store: Store, heard: DeltaMaker) -> None:
    fill(heard, 1)
    assert q.stale_devices("main") == ["d-main-1"]
    ballot = Ballot("vendor", "GE", 0.7, "oui-1", "eth.oui", "00:11:22")
    verdicts = (
        Verdict("vendor", "GE", 0.93, "Siemens", 0.04, (ballot,)),
        Verdict("model", None, 0.2),
    )
    conclude(1, vendor="GE", names=("a", "b"), verdicts=verdicts)
    back = q.device(MAIN, "d-main-1")
    assert back is not None
    assert (back.vendor, back.names, back.verdicts) == ("GE", ("a", "b"), verdicts)
    assert q.devices(MAIN).items[0].confidence == {"vendor": 0.93}
    assert q.stale_devices("main") == []
    entry = AuditEntry.objects.latest("sequence")
    assert (entry.action, entry.subject, entry.version) == (
        "device.identified",
        "device:d-main-1",
        "model-1",
    )
    assert (entry.before, entry.after) == ('{"vendor":null}', '{"vendor":"GE"}')
    count = AuditEntry.objects.count()
    conclude(1, vendor="GE")
    assert AuditEntry.objects.count() == count
    fill(heard, 1)
    assert q.stale_devices("main") == ["d-main-1"]


def talk(
    client: str, server: str | None, port: int, sent: int, scope: str = "internal"
) -> ConversationIncrement:
    peer_ip = None if server else "203.0.113.9"
    return ConversationIncrement(
        client, "client", server, peer_ip, None, scope, "tcp", port, "dicom", 1, 2, 1, 2, sent, 0, True
    )


@pytest.mark.usefixtures("ward")
def test_matrix_folds_conversations_by_category() -> None:
    delta = InventoryDelta(
        site="main",
        conversations=(
            talk("d-main-2", "d-main-4", 104, 100),
            talk("d-main-3", "d-main-4", 104, 50),
            talk("d-main-2", None, 443, 7, "internet"),
        ),
    )
    with Change("sensor:s", "heard", site="main") as change:
        apply_delta(change, delta)
    cells = {(c.client, c.server, c.port): c for c in q.matrix(MAIN) if c.port != 53}
    dicom = cells["ct", "workstation", 104]
    assert (dicom.clients, dicom.servers, dicom.flows, dicom.bytes) == (2, 1, 2, 150)
    assert cells["ct", "internet", 443].bytes == 7
    edges = q.edges(MAIN, "ct", "workstation")
    assert [(e.client, e.server, e.bytes) for e in edges] == [
        ("d-main-2", "d-main-4", 100),
        ("d-main-3", "d-main-4", 50),
    ]
    assert q.matrix(q.Scope("other")) == []
    assert q.peer_counts(["d-main-2", "d-main-3"]) == {"d-main-2": 3, "d-main-3": 2}
    assert q.applications(["d-main-2"]) == {"d-main-2": ["dicom", "dns"]}
    page = q.conversations(MAIN, "d-main-2", limit=2)
    assert (page.total, [c.port for c in page.items]) == (3, [53, 104])


def test_nothing_leaks_to_another_tenant_or_site(store: Store, heard: DeltaMaker) -> None:
    """Every reader that takes a scope, asked at random for what is not in it, answers with nothing."""
    fill(heard, 1, 2)
    fill(heard, 1, 2, site="north")
    fill(heard, 1, 2, site="elsewhere", tenant="other")
    scopes = {
        "main": q.Scope(sites=("main",)),
        "north": q.Scope(sites=("north",)),
        "elsewhere": q.Scope("other"),
    }
    readers: dict[str, Callable[[q.Scope, str], object]] = {
        "device": lambda s, i: q.device(s, i),
        "find": lambda s, i: q.find_device(s, i),
        "list": lambda s, i: [r for r in q.devices(s).items if r.id == i],
        "text": lambda s, i: [r for r in q.devices(s, q.DeviceFilter(text="10.0.0.1")).items if r.id == i],
        "part": lambda s, i: [r for r in q.devices(s, q.DeviceFilter(text="d-")).items if r.id == i],
        "conversations": lambda s, i: q.conversations(s, i).items,
        "addresses": lambda s, i: q.addresses(s, i),
        "activity": lambda s, i: q.activity(s, i),
        "history": lambda s, i: q.history(s, subject=f"device:{i}"),
        "risk": lambda s, i: q.risk(s, i),
    }
    chance = random.Random(7)
    seen = 0
    for _ in range(300):
        mine, other = chance.sample(sorted(scopes), 2)
        name, number = chance.choice(sorted(readers)), chance.choice((1, 2))
        assert not readers[name](scopes[mine], f"d-{other}-{number}"), (name, mine, other)
        seen += bool(readers[name](scopes[mine], f"d-{mine}-{number}"))
    assert seen > 100
    assert q.devices(q.Scope("other", sites=("main",))).total == 0
    assert q.devices(q.Scope(sites=())).total == 0


def test_a_person_sees_his_sites(store: Store) -> None:
    anna = User(username="anna", role=Role.VIEWER.value, tenant_id="default", sites=["north"])
    assert q.Scope.of(anna) == q.Scope("default", ("north",))
    assert q.Scope.of(anna, "north") == q.Scope("default", ("north",))
    assert q.Scope.of(anna, "main") == q.Scope("default", ())
    anna.sites = []
    assert q.Scope.of(anna) == q.Scope("default", None)
    assert q.Scope.of(anna, "main") == q.Scope("default", ("main",))


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=60,
    deadline=None,
)
@given(text=st.text(max_size=30))
def test_no_search_text_breaks_the_list(ward: None, text: str) -> None:
    page = q.devices(MAIN, q.DeviceFilter(text=text))
    assert 0 <= page.total <= 5


@pytest.mark.usefixtures("ward")
def test_the_search_index_fits_its_table() -> None:
    conclude(1, names=("other",))
    DeviceText.objects.filter(device_id="d-main-3").delete()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO store_devicesearch(store_devicesearch, rank) VALUES ('integrity-check', 1)"
        )
    assert found(text="ct8") == set()
