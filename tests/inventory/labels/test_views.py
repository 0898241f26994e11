"""The same device as it was known earlier, and without names."""

from __future__ import annotations

from medwarden.inventory.labels.views import examples_in_time, heard_until, unnamed
from medwarden.model.device import Device
from medwarden.model.evidence import LedgerEntry

SECOND = 10**9


def heard(field: str, value: str, second: int) -> LedgerEntry:
    """Return a fact heard once."""
    return LedgerEntry("test", field, value, "s", second * SECOND, second * SECOND, 1)


PUMP = Device(
    "p",
    "here",
    macs=("00:03:b1:00:00:01",),
    first_seen=0,
    last_seen=900 * SECOND,
    ledger=(
        heard("dhcp.parameter_request_list", "1,3,6", 0),
        heard("dhcp.host_name", "PUMP-7", 1),
        heard("http.title", "Plum 360", 30),
        heard("tls.ja4", "t12d180600_80c52338a77d_3eb2c2", 700),
    ),
)


def test_without_its_names_a_device_keeps_how_it_is_built() -> None:
    assert [entry.field for entry in unnamed(PUMP).ledger] == ["dhcp.parameter_request_list", "tls.ja4"]
    assert unnamed(PUMP).macs == PUMP.macs


def test_what_came_later_was_not_known() -> None:
    assert [entry.field for entry in heard_until(PUMP, 5 * SECOND).ledger] == [
        "dhcp.parameter_request_list",
        "dhcp.host_name",
    ]


def test_views_that_are_alike_count_once_and_all_together_as_one_device() -> None:
    examples = examples_in_time(PUMP, {"category": "infusion_pump"}, group="g", weight=2.0)
    assert len(examples) == 4
    assert sum(example.weight for example in examples) == 2.0
    assert {example.group for example in examples} == {"g"}
