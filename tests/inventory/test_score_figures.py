"""The figures of the replay bench: intervals, calibration, mistakes, open set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.inventory.score import Case, Truth
from medwarden.inventory.score_figures import (
    Sampling,
    case_rows,
    category_figures,
    confusions,
    joint_figures,
    level_figures,
    measure,
    open_set,
    to_contract,
)
from medwarden.model.device import Device, Verdict

NONE = Sampling(0)


def case(
    number: int,
    truth: dict[str, str],
    given: Mapping[str, tuple[str | None, float]] | None,
    capture: str = "a",
) -> Case:
    """Return a case of a device that was given these labels with these confidences (None: not found)."""
    labels = {"class": "", "category": "", "vendor": "", "model": "", **truth}
    mac = f"02:00:00:00:00:{number:02x}"
    device = None
    if given is not None:
        verdicts = tuple(Verdict(level, label, sure) for level, (label, sure) in given.items())
        device = Device(id=f"d-{number}", site="s", macs=(mac,), verdicts=verdicts)
    return Case(capture, Truth(capture, mac, labels), device)


def told(number: int, truth: str, given: str | None, sure: float = 0.9) -> Case:
    """Return a case of the level category."""
    return case(number, {"category": truth}, {"category": (given, sure)})


def test_all_three_levels_must_be_answered_and_right() -> None:
    truth = {"class": "IoMT", "category": "ct", "vendor": "Siemens"}
    whole = {"class": ("IoMT", 0.9), "category": ("ct", 0.9), "vendor": ("Siemens", 0.9)}
    cases = [
        case(1, truth, whole),
        case(2, truth, {**whole, "vendor": ("Philips", 0.9)}),
        case(3, truth, {**whole, "category": (None, 0.4)}),
        case(4, truth, None),
        case(5, {}, whole),
    ]
    found = joint_figures(cases, NONE)
    assert (found.n, found.answered, found.correct) == (4, 2, 1)
    assert (found.coverage, found.precision) == (0.5, 0.5)


def test_levels_a_row_leaves_blank_do_not_count_against_it() -> None:
    found = joint_figures([case(1, {"class": "IT"}, {"class": ("IT", 0.9)})], NONE)
    assert (found.n, found.correct, found.precision) == (1, 1, 1.0)


def test_the_calibration_curve_and_its_error() -> None:
    cases = [told(i, "ct", "ct" if i < 5 else "mri", 0.85) for i in range(10)]
    figures = level_figures("category", cases, NONE)
    (only,) = figures.bins
    assert (only.low, only.count, only.right) == (0.8, 10, 0.5)
    assert only.confidence == pytest.approx(0.85)
    assert figures.ece == pytest.approx(0.35)


def test_intervals_hold_the_figure_and_repeat_with_the_seed() -> None:
    cases = [told(i, "ct", "ct" if i % 4 else "mri") for i in range(40)]
    figures = level_figures("category", cases, Sampling(200, 7))
    low, high = figures.intervals["accuracy"]
    assert figures.accuracy is not None
    assert low < figures.accuracy < high
    assert figures == level_figures("category", cases, Sampling(200, 7))
    assert figures.intervals != level_figures("category", cases, Sampling(200, 8)).intervals


def test_devices_are_resampled_not_their_captures() -> None:
    one_device = [
        case(1, {"category": "ct"}, {"category": ("ct" if i % 2 else "mri", 0.9)}, f"c{i}") for i in range(20)
    ]
    low, high = level_figures("category", one_device, Sampling(50)).intervals["accuracy"]
    assert low == high == 0.5


def test_mistakes_are_counted_by_pair() -> None:
    cases = [told(1, "ct", "mri"), told(2, "ct", "mri"), told(3, "ct", "ct"), told(4, "mri", None)]
    (pair,) = confusions(cases)
    assert (pair.level, pair.truth, pair.given, pair.count) == ("category", "ct", "mri", 2)
    assert pair.devices[0] == "a 02:00:00:00:00:01"
    ct, mri = category_figures(cases)
    assert (ct.category, ct.n, ct.correct, ct.mistaken_for) == ("ct", 3, 1, "mri")
    assert (mri.n, mri.answered, mri.precision, mri.recall) == (1, 0, 0.0, 0.0)


def test_strangers_are_told_by_low_confidence() -> None:
    cases = [told(1, "unknown", "ct", 0.3), told(2, "ct", "ct", 0.9), told(3, "mri", "mri", 0.3)]
    found = open_set(cases, Sampling(20))
    assert (found.strange, found.known, found.auroc) == (1, 2, 0.75)
    at_half = next(r for r in found.refusals if r.confidence == 0.5)
    assert (at_half.answered, at_half.refused) == (0.5, 1.0)
    assert open_set(cases[1:], NONE).auroc is None


def test_the_report_holds_everything_and_the_contract_its_part() -> None:
    cases = [told(1, "ct", "ct"), told(2, "unknown", None, 0.1), case(3, {"category": "ct"}, None)]
    report = measure(cases, Sampling(10))
    assert (report.cases, report.found, report.devices) == (3, 2, 3)
    assert [f.level for f in report.levels] == ["class", "category", "vendor", "model"]
    assert report.levels[1].n == 2
    assert set(to_contract(report)) == {"levels", "time_to_identify", "open_set"}


def test_systems_are_measured_where_the_labels_have_them() -> None:
    general = case(1, {"os": "Debian"}, {"os": ("Linux", 0.9)})
    wrong = case(2, {"os": "Windows"}, {"os": ("Linux", 0.9)})
    found = {f.level: f for f in measure([general, wrong], NONE).levels}["os"]
    assert (found.n, found.answered, found.correct) == (2, 2, 1)


def test_rows_tell_every_device() -> None:
    right, absent = case_rows([told(1, "ct", "ct"), case(2, {"category": "ct"}, None)])
    assert right.right["category"] is True
    assert right.right["class"] is None
    assert (absent.found, absent.given["category"], absent.right["category"]) == (False, None, None)


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["a", "b", "c", None]), st.floats(0, 1)),
        max_size=30,
    )
)
def test_figures_stay_in_bounds(rows: Sequence[tuple[str, str | None, float]]) -> None:
    cases = [told(i, truth, given, sure) for i, (truth, given, sure) in enumerate(rows)]
    figures = level_figures("category", cases, Sampling(5))
    assert figures.n == len(rows)
    assert figures.correct <= figures.answered <= figures.n
    for value in (figures.coverage, figures.accuracy, figures.macro_f1, figures.ece):
        assert value is None or 0 <= value <= 1
    assert sum(b.count for b in figures.bins) == figures.answered
