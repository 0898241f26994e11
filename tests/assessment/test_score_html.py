"""The page of the replay bench."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import msgspec

from medwarden.assessment.score_charts import calibration, identified_over_time, whiskers
from medwarden.assessment.score_html import render_score
from medwarden.model.accounting import InputReport
from medwarden.model.score import (
    Bin,
    CategoryFigures,
    Confusion,
    JointFigures,
    LevelFigures,
    OpenSet,
    Refusal,
    ScoreReport,
    SourceFigures,
    Times,
    Worth,
)

LEVEL = LevelFigures(
    "category", 4, 3, 2, 0.75, 2 / 3, 0.5, 0.1, {"accuracy": (0.4, 0.9)}, (Bin(0.8, 0.9, 3, 0.85, 2 / 3),)
)
JOINT = JointFigures(4, 3, 2, 0.75, 2 / 3, {"precision": (0.4, 0.9)})
REPORT = ScoreReport(
    cases=4,
    found=3,
    devices=4,
    levels=(LEVEL,),
    joint=JOINT,
    times=Times(3, 0.5, 30.0, ((0.0, 0.25), (60.0, 0.75))),
    open_set=OpenSet(1, 3, 0.9, (0.8, 1.0), (Refusal(0.6, 0.9, 1.0),)),
    confusions=(Confusion("category", "<script>alert(1)</script>", "ct", 1, ("a 02:00",)),),
    categories=(CategoryFigures("ct", 3, 2, 2, 2 / 3, 1.0, 0.8, None),),
    sources=(SourceFigures("zeek", 1, 4, 3, JOINT, LEVEL),),
    worth=(Worth("dhcp", "DHCP requests", 3, JOINT, (LEVEL,)),),
    samples=10,
    seed=4,
)


class _Balance(HTMLParser):
    """Holds which elements are open, and complains about a close that does not fit."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def test_the_page_is_whole_and_self_contained() -> None:
    page = render_score(REPORT, [InputReport("a.pcap")], title="Bench of today")
    balance = _Balance()
    balance.feed(page)
    assert balance.open == balance.wrong == []
    assert "Bench of today" in page
    assert not re.search(r'(?:src|href)="(?!#)', page)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "prefers-color-scheme: dark" in page
    assert page.count('role="img"') >= 4


def test_links_of_the_contents_lead_somewhere() -> None:
    for report in (REPORT, msgspec.structs.replace(REPORT, worth=(), open_set=OpenSet(0, 3, None))):
        page = render_score(report, [])
        for target in re.findall(r'href="#([^"]+)"', page):
            assert f'id="{target}"' in page


def test_nothing_measured_is_a_page_as_well() -> None:
    nothing = LevelFigures("category", 0, 0, 0, None, None, None, None)
    empty = ScoreReport(
        0,
        0,
        0,
        (nothing,),
        JointFigures(0, 0, 0, None, None),
        Times(0, None, None),
        OpenSet(0, 0, None),
        (),
        (),
    )
    assert "No category was judged." in render_score(empty, [])


def test_charts_say_their_numbers_in_words() -> None:
    assert "3 answers with 85% confidence, right in 67%" in calibration("c", "Calibration", LEVEL.bins)
    assert "75.0% after 60 s" in identified_over_time("t", "Time", REPORT.times.curve)
    assert "A not measured" in whiskers("w", "Figures", [("A", None, None)])
