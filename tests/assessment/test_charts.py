"""Charts: areas and numbers are what they claim."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.assessment.charts import bar, curve, histogram, squarified, treemap, waterfall


@given(st.lists(st.integers(1, 500), max_size=25).map(lambda v: sorted(v, reverse=True)))
def test_areas_are_in_proportion_fill_the_frame_and_do_not_overlap(values: list[int]) -> None:
    cells = squarified(values, 640, 300)
    assert len(cells) == len(values)
    for value, (x, y, w, h) in zip(values, cells, strict=True):
        assert w * h == pytest.approx(value * 640 * 300 / sum(values), rel=1e-6)
        assert x >= -1e-6
        assert x + w <= 640 + 1e-6
        assert y >= -1e-6
        assert y + h <= 300 + 1e-6
    for (ax, ay, aw, ah), (bx, by, bw, bh) in combinations(cells, 2):
        wide = min(ax + aw, bx + bw) - max(ax, bx)
        high = min(ay + ah, by + bh) - max(ay, by)
        assert wide <= 1e-6 or high <= 1e-6


def _svg(markup: str) -> ET.Element:
    return ET.fromstring(markup)


def test_every_chart_tells_its_title_and_numbers() -> None:
    charts = (
        histogram("h", "Scores", [0] * 19 + [3]),
        curve("c", "Seen", [(10, 1), (20, 2)], 0, 30, ("start", "end")),
        treemap("t", "Kinds", [("CT <scanner>", 3, "medical"), ("PC", 1, "it"), ("none", 0, "it")]),
    )
    for markup in charts:
        svg = _svg(markup)
        ids = {e.get("id") for e in svg.iter()}
        assert svg.get("role") == "img"
        assert set((svg.get("aria-labelledby") or "").split()) <= ids
        assert svg.findtext("title")
        assert svg.findtext("desc")
    assert "95 to 99: 3" in (_svg(charts[0]).findtext("desc") or "")
    assert _svg(charts[2]).findtext("desc") == "CT <scanner>: 3, PC: 1"


def test_empty_charts_are_still_charts() -> None:
    assert _svg(histogram("h", "Scores", [0] * 20)).findtext("desc") == "No device has a score."
    assert _svg(treemap("t", "Kinds", [])).findtext("desc") == "No device."
    assert "0 devices" in (_svg(curve("c", "Seen", [], 0, 0, ("a", "b"))).findtext("desc") or "")


def test_a_bar_is_as_long_as_its_share_and_no_longer_than_its_track() -> None:
    assert 'width="37.5"' in bar(0.375, "x")
    assert re.findall(r'width="([0-9.]+)"', bar(7, "x")) == ["100", "100"]
    assert re.findall(r'width="([0-9.]+)"', bar(-1, "x")) == ["100", "0"]


def test_the_parts_of_a_score_end_where_the_score_ends() -> None:
    svg = _svg(waterfall([("exposure", 30), ("impact", 20), ("control", -10)], "40 points"))
    control = next(e for e in svg.iter() if e.get("class") == "part-control")
    assert float(control.get("x", "")) == 40
    assert float(control.get("width", "")) == 10
