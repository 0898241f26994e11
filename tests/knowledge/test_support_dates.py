"""Shipped ends of support have a source each; columns of endoflife.date are not taken for each other."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from medwarden.knowledge.support_dates import _products, published_dates, shipped_dates
from medwarden.model.feed import Cycle, LifeCycle
from medwarden.model.life_cycle import Ending, Subject
from medwarden.model.vulnerability import Provenance


def product(name: str, *cycles: Cycle) -> LifeCycle:
    source = Provenance("end_of_life", name)
    return LifeCycle(name, name, "device", cycles, source, url=f"https://endoflife.date/{name}")


def test_every_shipped_day_says_who_says_so_and_when_it_was_read() -> None:
    shipped = shipped_dates()
    assert len(shipped) > 80
    assert len({notice.id for notice in shipped}) == len(shipped)
    for notice in shipped:
        assert notice.vendor and notice.model and notice.source
        assert notice.url.startswith("https://")
        assert date.fromisoformat(notice.seen) <= date(2026, 12, 31)
        assert date(2005, 1, 1) < notice.day < date(2045, 1, 1)


def test_a_column_means_what_it_means_for_the_product() -> None:
    sold = Cycle("sn210", support_ends="2023-12-31", security_ends="2028-12-31")
    told = {(e.model, e.ending, e.day.isoformat()) for e in published_dates(product("sns-hardware", sold))}
    assert told == {("sn210", Ending.SALE, "2023-12-31"), ("sn210", Ending.SUPPORT, "2028-12-31")}
    board = Cycle("3", label="3 Model B", security_ends="2028-01-01")
    (made,) = published_dates(product("raspberry-pi", board), "2026-11-22")
    assert (made.model, made.ending, made.seen) == ("Raspberry Pi 3 Model B", Ending.SALE, "2026-11-22")


def test_the_makers_family_stands_before_a_name_once() -> None:
    cycles = (
        Cycle("se", label="SE (2nd generation)", sale_ends="2022-03-08"),
        Cycle("x", label="iPhone X", security_ends="2022-09-12"),
    )
    named = [(e.model, e.ending) for e in published_dates(product("iphone", *cycles))]
    assert named == [("iPhone SE (2nd generation)", Ending.SALE), ("iPhone X", Ending.SECURITY)]


def test_a_release_line_of_firmware_counts_for_every_version_in_it() -> None:
    line = Cycle("7.0", support_ends="2024-03-30", security_ends="2025-09-30")
    (end,) = published_dates(product("fortios", line))
    assert (end.vendor, end.model, end.version) == ("Fortinet", "FortiGate series", "7.0.x")
    assert (end.subject, end.ending, end.day.isoformat()) == (
        Subject.FIRMWARE, Ending.SUPPORT, "2025-09-30",
    )  # fmt: skip


def test_what_is_no_device_or_has_no_day_says_nothing() -> None:
    cycle = Cycle("1", security_ends="2022-01-01")
    assert list(published_dates(product("nginx", cycle))) == []
    undated = (
        Cycle("1", ended=True),
        Cycle("2", security_ends="soon"),
        Cycle("3", security_ends="2022-13-01"),
    )
    assert list(published_dates(product("iphone", *undated))) == []


def test_every_product_names_columns_that_there_are() -> None:
    for known in _products().values():
        assert known.columns and set(known.columns) <= set(Cycle.__struct_fields__)
        assert known.subject in (Subject.MODEL, Subject.FIRMWARE)
        assert ("{" in known.name) is (known.subject is Subject.MODEL)


@given(st.sampled_from(sorted(_products())), st.text(max_size=30), st.text(max_size=12))
def test_any_label_and_day_is_read_or_left_out(name: str, label: str, day: str) -> None:
    cycle = Cycle(label[:10], label=label, support_ends=day, security_ends=day, sale_ends=day)
    for end in published_dates(product(name, cycle)):
        assert end.model.strip()
