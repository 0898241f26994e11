"""What reconciliation tells as findings names evidence that can be followed."""

from __future__ import annotations

from msgspec.structs import replace

from medwarden.inventory.reconcile_findings import NOT_IN_BOOKS, book_findings
from medwarden.knowledge.reconciliation import default_rules
from medwarden.model.device import Device


def evidence(macs: tuple[str, ...] = (), ips: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Return the evidence that a device with these addresses is in no book."""
    rules = default_rules()
    rules = replace(rules, findings=replace(rules.findings, not_in_books=True))
    (found,) = book_findings([Device(id="d-1", site="main", macs=macs, ips=ips)], {}, rules, 1)
    assert found.type == NOT_IN_BOOKS
    return [(each.field, each.value) for each in found.evidence]


def test_a_device_in_no_book_is_named_by_what_it_was_heard_with() -> None:
    macs = ("00:11:22:33:44:55", "00:11:22:33:44:66")
    assert evidence(macs=macs, ips=("10.0.0.1",)) == [("mac", " ".join(macs))]
    assert evidence(ips=("10.0.0.1", "10.0.0.2")) == [("ip", "10.0.0.1 10.0.0.2")]
    assert evidence() == []
