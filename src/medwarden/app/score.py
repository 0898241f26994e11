"""Replay bench: captures and logs against labels, so that a claim about identification can be checked."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from medwarden.app.inputs import find_inputs
from medwarden.app.study import study
from medwarden.assessment.score_html import render_score
from medwarden.inventory.evidence_groups import GROUPS, Without
from medwarden.inventory.labelling import identify
from medwarden.inventory.score import Case, Truth, matches_capture, read_labels
from medwarden.inventory.score_figures import (
    JOINT,
    Sampling,
    case_rows,
    joint_figures,
    level_figures,
    measure,
    to_contract,
)
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.kernel.printable import neutral_text
from medwarden.model.accounting import InputReport
from medwarden.model.score import CaseRow, ScoreReport, SourceFigures, Worth
from medwarden.sensors.capture_file import sniff
from medwarden.sensors.log_files import form_of

Progress = Callable[[int, int, str], None]

PACKETS = "packets"
"""Kind of input of capture files; logs are of the kind that their parser is named."""

_FIGURES_OF_WORTH = ("class", "category", "vendor", "model")


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What to measure beside the figures of the contract.

    ``without`` names groups of evidence to switch off, ``sources`` the only kinds of input to read (empty:
    all), ``ablate`` asks for every group in turn, ``by_source`` for every kind of input by itself.
    """

    without: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    ablate: bool = False
    by_source: bool = True
    sampling: Sampling = Sampling()


_EVERYTHING = Wish()


class Scored(msgspec.Struct, frozen=True):
    """The figures, and what became of every input. ``unheard`` are groups switched off that nobody used."""

    figures: dict[str, object]
    inputs: tuple[InputReport, ...]
    beside: tuple[Path, ...]
    report: ScoreReport
    cases: tuple[Case, ...]
    unheard: tuple[str, ...] = ()

    def rows(self) -> list[CaseRow]:
        """Return every case with what was asked and answered."""
        return case_rows(self.cases)


def score_captures(
    named: Iterable[str | Path],
    labels: Path,
    wish: Wish = _EVERYTHING,
    *,
    progress: Progress | None = None,
) -> Scored:
    """Identify the devices of captures and hold the answers against labels.

    The unit is a row of the labels: a device, as all inputs that match the row's capture show it
    together. Inputs of different rows do not help each other. Raises ConfigurationError for labels that
    are malformed or match no input, and for names that ``wish`` cannot mean.
    """
    without = Without(wish.without)
    truths = _labels(labels)
    inputs = find_inputs(named)
    kinds = {path: kind_of(path) for path in inputs.files}
    unknown = sorted(set(wish.sources) - set(kinds.values()))
    if unknown:
        raise ConfigurationError(
            f"no input is of the kind {', '.join(unknown)}; "
            f"there are: {', '.join(sorted(set(kinds.values())))}"
        )
    groups = {
        capture: tuple(
            path
            for path in inputs.files
            if matches_capture(capture, str(path.absolute()))
            and (not wish.sources or kinds[path] in wish.sources)
        )
        for capture in dict.fromkeys(truth.capture for truth in truths)
    }
    groups = {capture: paths for capture, paths in groups.items() if paths}
    if not groups:
        raise ConfigurationError(
            f"no row of {labels} names one of the {len(inputs.files)} inputs in `capture`"
        )
    reports: dict[str, InputReport] = {}
    cases = _cases(groups, truths, reports, progress)
    judged = [_without(case, without) for case in cases]
    report = msgspec.structs.replace(
        measure(judged, wish.sampling),
        without=without.names,
        sources=_by_source(groups, kinds, truths, judged, wish) if wish.by_source else (),
        worth=worth_of_groups(judged, wish.sampling) if wish.ablate else (),
    )
    unheard = tuple(
        name
        for name in without.names
        if not any(c.device and Without([name]).reaches(c.device) for c in cases)
    )
    return Scored(to_contract(report), tuple(reports.values()), inputs.beside, report, tuple(judged), unheard)


def kind_of(path: Path) -> str:
    """Return the kind of an input: ``packets`` or the name of the log's form, else ``none``."""
    if sniff(path) is not None:
        return PACKETS
    form = form_of(path)
    return "none" if form is None else form.manifest.name


def _cases(
    groups: dict[str, tuple[Path, ...]],
    truths: Sequence[Truth],
    reports: dict[str, InputReport] | None,
    progress: Progress | None = None,
) -> list[Case]:
    cases: list[Case] = []
    for number, (capture, paths) in enumerate(groups.items()):
        if progress is not None:
            progress(number, len(groups), capture)
        studied = study(paths)
        if reports is not None:
            reports |= {report.path: report for report in studied.inputs}
        by_mac = {mac: device for device in studied.devices for mac in device.macs}
        cases += [
            Case(capture, t, by_mac.get(t.mac), studied.company) for t in truths if t.capture == capture
        ]
    return cases


def _without(case: Case, without: Without) -> Case:
    if case.device is None or not without.names or not without.reaches(case.device):
        return case
    return msgspec.structs.replace(case, device=identify(without.strip(case.device), company=case.company))


def _by_source(
    groups: dict[str, tuple[Path, ...]],
    kinds: dict[Path, str],
    truths: Sequence[Truth],
    whole: Sequence[Case],
    wish: Wish,
) -> tuple[SourceFigures, ...]:
    """Return figures of each kind of input by itself; all together come last where there are several.

    Inputs are read once more for it, because devices are told apart by what a source shows of them.
    """
    there = sorted({kinds[path] for paths in groups.values() for path in paths})
    files = sum(map(len, groups.values()))
    if len(there) == 1:
        return (source_figures(there[0], files, whole, wish.sampling),)
    without = Without(wish.without)
    found = []
    for kind in there:
        own = {c: tuple(p for p in paths if kinds[p] == kind) for c, paths in groups.items()}
        read = _cases({c: paths for c, paths in own.items() if paths}, truths, None)
        missed = [Case(t.capture, t, None) for t in truths if t.capture in own and not own[t.capture]]
        cases = [*(_without(case, without) for case in read), *missed]
        found.append(source_figures(kind, sum(map(len, own.values())), cases, wish.sampling))
    found.append(source_figures("all together", files, whole, wish.sampling))
    return tuple(found)


def source_figures(source: str, inputs: int, cases: Sequence[Case], sampling: Sampling) -> SourceFigures:
    """Return what a kind of input comes to."""
    return SourceFigures(
        source=source,
        inputs=inputs,
        n=len(cases),
        found=sum(case.device is not None for case in cases),
        joint=joint_figures(cases, sampling),
        category=level_figures("category", cases, sampling),
    )


def worth_of_groups(
    cases: Sequence[Case], sampling: Sampling, names: Iterable[str] = tuple(GROUPS)
) -> tuple[Worth, ...]:
    """Return the figures with each group of evidence switched off in turn, the most valuable first.

    Only devices that said something in a group are judged anew, and groups nobody used are left out.
    """
    plain = Sampling(0, sampling.seed)
    found = []
    for name in names:
        without = Without([name])
        reached = sum(case.device is not None and without.reaches(case.device) for case in cases)
        if not reached:
            continue
        stripped = [_without(case, without) for case in cases]
        levels = tuple(level_figures(level, stripped, plain) for level in _FIGURES_OF_WORTH)
        found.append(Worth(name, GROUPS[name].title, reached, joint_figures(stripped, plain), levels))
    return tuple(sorted(found, key=lambda w: (w.joint.correct, w.group)))


def write_cases(rows: Sequence[CaseRow], path: Path) -> None:
    """Write every case as a line of CSV with a header. Raises ResourceError like :func:`write_page`."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    levels = tuple(rows[0].truth) if rows else JOINT
    heads = [f"{level}{part}" for level in levels for part in ("", "_answer", "_confidence", "_right")]
    table.writerow(["capture", "mac", "found", "seconds_to_category", *heads])
    for row in rows:
        cells: list[object] = [
            row.capture,
            row.mac,
            _said(row.found),
            "" if row.seconds is None else f"{row.seconds:.3f}",
        ]
        for level in levels:
            cells += [
                neutral_text(row.truth.get(level, "")),
                neutral_text(row.given.get(level) or ""),
                f"{row.confidence.get(level, 0.0):.4f}",
                _said(row.right.get(level)),
            ]
        table.writerow(cells)
    _write(path, text.getvalue())


def _said(flag: bool | None) -> str:
    return "" if flag is None else "yes" if flag else "no"


def write_page(scored: Scored, path: Path, *, title: str = "", made: str = "") -> None:
    """Write the figures as one self-contained page. Raises ResourceError where it cannot be written."""
    _write(path, render_score(scored.report, scored.inputs, title=title, made=made))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror}") from error


def _labels(path: Path) -> list[Truth]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}, byte {error.start}: not UTF-8 text") from error
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror}") from error
    return read_labels(text, str(path))
