"""Replay bench: captures against labels, so that a claim about identification can be checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from medwarden.app.inputs import find_inputs
from medwarden.app.study import study
from medwarden.inventory.score import Case, Truth, matches_capture, read_labels, score
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.model.accounting import InputReport

Progress = Callable[[int, int, str], None]


class Scored(msgspec.Struct, frozen=True):
    """The figures of the contract, and what became of every input."""

    figures: dict[str, object]
    inputs: tuple[InputReport, ...]
    beside: tuple[Path, ...]


def score_captures(named: Iterable[str | Path], labels: Path, *, progress: Progress | None = None) -> Scored:
    """Identify the devices of captures and hold the answers against labels.

    The unit is a row of the labels: a device, as all inputs that match the row's capture show it
    together. Inputs of different rows do not help each other. Raises ConfigurationError for labels that
    are malformed or match no input.
    """
    truths = _labels(labels)
    inputs = find_inputs(named)
    groups = {
        capture: tuple(path for path in inputs.files if matches_capture(capture, str(path.absolute())))
        for capture in dict.fromkeys(truth.capture for truth in truths)
    }
    groups = {capture: paths for capture, paths in groups.items() if paths}
    if not groups:
        raise ConfigurationError(
            f"no row of {labels} names one of the {len(inputs.files)} inputs in `capture`"
        )
    reports: dict[str, InputReport] = {}
    cases: list[Case] = []
    for number, (capture, paths) in enumerate(groups.items()):
        if progress is not None:
            progress(number, len(groups), capture)
        studied = study(paths)
        reports |= {report.path: report for report in studied.inputs}
        by_mac = {mac: device for device in studied.devices for mac in device.macs}
        cases += [Case(capture, t, by_mac.get(t.mac)) for t in truths if t.capture == capture]
    return Scored(score(cases), tuple(reports.values()), inputs.beside)


def _labels(path: Path) -> list[Truth]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}, byte {error.start}: not UTF-8 text") from error
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror}") from error
    return read_labels(text, str(path))
