"""Captures in, one self-contained report out. No server, no set-up, nothing stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

import medwarden
from medwarden.app.inputs import find_inputs
from medwarden.app.log_intake import source_tells
from medwarden.app.study import Study, study
from medwarden.assessment.analyse import analyse
from medwarden.assessment.report_html import render_html
from medwarden.assessment.report_json import to_report
from medwarden.inventory.export import to_contract
from medwarden.kernel.clock import Clock, wall_clock
from medwarden.kernel.errors import ResourceError
from medwarden.knowledge.end_of_support import support_ends
from medwarden.knowledge.taxonomy import class_of
from medwarden.model.accounting import InputReport
from medwarden.model.device import Device, DeviceClass
from medwarden.model.policy import Policy
from medwarden.policy.learn import learn_category
from medwarden.risk.assess import assess_device
from medwarden.risk.context import RiskContext
from medwarden.risk.score import without

Progress = Callable[[int, int, str], None]


class Assessed(msgspec.Struct, frozen=True):
    """Where the reports are and what they hold."""

    html: Path
    json: Path
    inputs: tuple[InputReport, ...]
    beside: tuple[Path, ...]
    devices: int
    findings: int


def assess_captures(
    named: Iterable[str | Path],
    out: Path,
    *,
    title: str = "",
    progress: Progress | None = None,
    clock: Clock = wall_clock,
) -> Assessed:
    """Assess captures and write ``report.html`` and ``report.json`` into ``out``.

    Raises ConfigurationError for a path that does not exist and ResourceError when ``out`` cannot be
    written; what is wrong with an input stands in its report. ``clock`` tells when the report is
    made, which is also when ends of support are judged: what an old capture showed is out of support today.
    """
    now_ns = clock()
    inputs = find_inputs(named)
    _writable(out)
    studied = study(inputs.files, progress=progress)
    devices = studied.devices
    context = RiskContext.build(devices, now_ns, support_ends=support_ends)
    outcomes = {device.id: assess_device(device, context) for device in devices}
    scores = [score for score, _ in outcomes.values()]
    findings = [finding for _, found in outcomes.values() for finding in found]
    assessment = analyse(
        devices,
        scores,
        findings,
        _policies(studied),
        studied.inputs,
        generated_ns=now_ns,
        without=without,
        product_version=medwarden.__version__,
        sources=source_tells(studied.inputs),
    )
    html, data = out / "report.html", out / "report.json"
    contract = [to_contract(device, outcomes[device.id][0]) for device in assessment.devices]
    _write(html, render_html(assessment, organisation=title).encode())
    _write(data, msgspec.json.format(msgspec.json.encode(to_report(assessment, contract)), indent=1) + b"\n")
    return Assessed(html, data, studied.inputs, inputs.beside, len(devices), len(findings))


def _policies(studied: Study) -> list[Policy]:
    """Propose an allow list for every category of medical, building and other unmanaged things."""
    by_id: dict[str, Device] = {device.id: device for device in studied.devices}
    wanted = sorted(
        {
            device.category
            for device in studied.devices
            if device.category
            and class_of(device.category) in (DeviceClass.IOMT, DeviceClass.IOT, DeviceClass.OT)
        }
    )
    learnt = [learn_category(category, by_id) for category in wanted]
    return [policy for policy in learnt if policy.rules]


def _writable(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(
            f"{out} cannot be made ({error.strerror}): name another folder with --out"
        ) from error


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise ResourceError(f"{path} cannot be written ({error.strerror})") from error
