"""``medwarden score``: the replay bench, for a buyer who wants to check a claim on his own traffic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

import medwarden
from medwarden.cli.output import (
    json_option,
    plain,
    print_json,
    print_table,
    progress_of_inputs,
    report_inputs,
)

if TYPE_CHECKING:
    from medwarden.model.score import Interval, ScoreReport

_FILE = click.Path(dir_okay=False, path_type=Path)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--labels",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TSV with the columns capture, mac, class, category, vendor, model; os and firmware may follow.",
)
@click.option(
    "--without",
    default="",
    help="Evidence to switch off, commas between: groups as --ablate lists them, protocols or fields.",
)
@click.option("--ablate", is_flag=True, help="Switch off every group of evidence in turn.")
@click.option(
    "--sources",
    default="",
    help="Read only these kinds of input, commas between: packets, zeek, suricata_eve, isc_dhcp ...",
)
@click.option("--html", "page", type=_FILE, help="Write the figures as one self-contained page with charts.")
@click.option("--cases", type=_FILE, help="Write every device with its answers as CSV.")
@click.option(
    "--samples",
    default=400,
    show_default=True,
    type=click.IntRange(0, 10_000),
    help="Resamples of the devices for the intervals; 0 for none.",
)
@click.option("--seed", default=4, show_default=True, help="Seed of the resamples.")
@click.option("--title", default="", help="Heading of the page.")
@click.option("--details", is_flag=True, help="With --json, print everything that was measured.")
@json_option
def score(
    paths: tuple[Path, ...],
    labels: Path,
    without: str,
    ablate: bool,
    sources: str,
    page: Path | None,
    cases: Path | None,
    samples: int,
    seed: int,
    title: str,
    details: bool,
    as_json: bool,
) -> int:
    """Measure identification against labels: coverage, accuracy and calibration per level."""
    from medwarden.app.score import Wish, score_captures, write_cases, write_page
    from medwarden.inventory.score_figures import Sampling

    wish = Wish(
        without=_listed(without), sources=_listed(sources), ablate=ablate, sampling=Sampling(samples, seed)
    )
    with progress_of_inputs("scoring") as progress:
        outcome = score_captures(paths, labels, wish, progress=progress)
    for name in outcome.unheard:
        click.echo(f"medwarden: no device said anything that {name!r} switches off", err=True)
    if page is not None:
        write_page(outcome, page, title=title, made=f"Made by medwarden {medwarden.__version__}.")
    if cases is not None:
        write_cases(outcome.rows(), cases)
    if as_json:
        print_json(outcome.figures | ({"details": plain(outcome.report)} if details else {}))
    else:
        _print(outcome.report)
    return report_inputs(outcome.inputs, outcome.beside)


def _print(report: ScoreReport) -> None:
    names = ("n", "answered", "correct", "coverage", "accuracy", "95 %", "macro_f1", "ece")
    rows = [
        [
            f.level, f.n, f.answered, f.correct, _figure(f.coverage), _figure(f.accuracy),
            _interval(f.intervals.get("accuracy")), _figure(f.macro_f1), _figure(f.ece),
        ]
        for f in report.levels
    ]  # fmt: skip
    joint = report.joint
    rows.append(
        [
            "class+category+vendor", joint.n, joint.answered, joint.correct, _figure(joint.coverage),
            _figure(joint.precision), _interval(joint.intervals.get("precision")), "-", "-",
        ]
    )  # fmt: skip
    without = f"Without {', '.join(report.without)}" if report.without else ""
    print_table(without, ["level", *names], rows, right=names)
    times = report.times
    click.echo(f"time to identify: p50 {_figure(times.p50)} s, p95 {_figure(times.p95)} s")
    click.echo(f"open set: AUROC {_figure(report.open_set.auroc)}")
    if len(report.sources) > 1:
        _print_sources(report)
    if report.worth:
        columns = ("without", "devices with it", "answered", "precision", "fewer right")
        print_table(
            "What each group of evidence is worth (class+category+vendor)",
            (*columns, "what it is"),
            [
                (
                    w.group, w.reached, _figure(w.joint.coverage), _figure(w.joint.precision),
                    joint.correct - w.joint.correct, w.title,
                )
                for w in report.worth
            ],
            right=columns[1:],
        )  # fmt: skip
    if report.confusions:
        mistakes = [(c.level, c.truth, c.given, c.count, c.devices[0]) for c in report.confusions[:10]]
        print_table("Most frequent mistakes", ("level", "is", "was called", "times", "such as"), mistakes)


def _print_sources(report: ScoreReport) -> None:
    columns = ("inputs", "found", "answered", "precision", "category", "right")
    print_table(
        "Each source alone (class+category+vendor, then category)",
        ("source", *columns),
        [
            (
                s.source, s.inputs, _figure(s.found / s.n if s.n else None), _figure(s.joint.coverage),
                _figure(s.joint.precision), _figure(s.category.coverage), _figure(s.category.accuracy),
            )
            for s in report.sources
        ],
        right=columns,
    )  # fmt: skip


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _interval(bounds: Interval | None) -> str:
    return "-" if bounds is None else f"{bounds[0]:.3f}-{bounds[1]:.3f}"
