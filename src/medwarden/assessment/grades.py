"""A letter per area, each from one share that can be checked by hand.

The same scale everywhere: A from 95 %, B from 85 %, C from 70 %, D from 50 %, F below. An area with too
few subjects gets no letter. An inbound connection from the internet makes the internet area F.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from medwarden.assessment.result import DataPath, Grade, InternetUse, Inventory, Segmentation
from medwarden.assessment.words import is_medical, percent, quantity
from medwarden.model.device import Device
from medwarden.model.finding import Finding, Severity
from medwarden.model.risk import RiskScore

SCALE = ((0.95, "A"), (0.85, "B"), (0.70, "C"), (0.50, "D"))
SCALE_WORDS = "A from 95 %, B from 85 %, C from 70 %, D from 50 %, F below"
FEW = 3
CLINICAL = frozenset({"dicom", "hl7", "hl7v2", "mllp", "sdc", "dicom-tls", "hl7-tls"})
LIFECYCLE = "unsupported_os"
OTHER_AREAS = frozenset(
    {"mixed_subnet", "unsupported_os", "inbound_internet", "internet_cleartext", "many_internet_peers",
     "cleartext_dicom_phi", "cleartext_hl7_phi", "cleartext_web_phi", "cleartext_bedside_phi",
     "unknown_identity"}
)  # fmt: skip
"""Findings that another area judges."""


def letter(share: float) -> str:
    """Return the letter of a share between 0 and 1."""
    return next((name for least, name in SCALE if share >= least), "F")


def grades_of(
    devices: Sequence[Device],
    scores: Mapping[str, RiskScore],
    findings: Iterable[Finding],
    inventory: Inventory,
    segmentation: Segmentation,
    paths: Sequence[DataPath],
    internet: Sequence[InternetUse],
) -> tuple[Grade, ...]:
    """Return the six grades in the order of the report."""
    weak = {
        f.device for f in findings if f.severity.rank >= Severity.MEDIUM.rank and f.type not in OTHER_AREAS
    }
    return (
        _identification(inventory),
        _patient_data(devices, paths),
        _segmentation(segmentation),
        _grade(
            "Protocols and log-ins",
            len(devices) - sum(1 for d in devices if d.id in weak),
            len(devices),
            "{good} of {all} devices show no weak protocol or readable log-in ({share}).",
            "Share of devices without an open finding of medium or higher severity on protocols, passwords, "
            "certificates or remote access.",
        ),
        _lifecycle(devices, scores),
        _internet(devices, internet),
    )


def _grade(area: str, good: int, total: int, measured: str, criterion: str) -> Grade:
    if total < FEW:
        few = f"Too little to judge: {quantity(total, 'device')} of this kind, {FEW} are needed."
        return Grade(area, None, None, few, f"{criterion} {SCALE_WORDS}.")
    share = good / total
    return Grade(
        area,
        letter(share),
        share,
        measured.format(good=f"{good:,}", all=f"{total:,}", share=percent(share)),
        f"{criterion} {SCALE_WORDS}.",
    )


def _identification(inventory: Inventory) -> Grade:
    return _grade(
        "Inventory",
        inventory.identified,
        inventory.total,
        "{good} of {all} devices are identified by class, category and maker ({share}).",
        "Share of devices with an answer for class, category and maker.",
    )


def _patient_data(devices: Sequence[Device], paths: Sequence[DataPath]) -> Grade:
    clinical = {
        d.id for d in devices if any(c.application in CLINICAL and c.established for c in d.conversations)
    }
    clinical |= {p.sender.id for p in paths}
    open_ = {p.sender.id for p in paths}
    return _grade(
        "Patient data in transit",
        len(clinical - open_),
        len(clinical),
        "{good} of {all} devices that speak DICOM, HL7 or SDC were not seen to send patient data in "
        "clear ({share}).",
        "Share of devices speaking DICOM, HL7 or SDC that were not seen to send patient data "
        "without encryption.",
    )


def _segmentation(segmentation: Segmentation) -> Grade:
    return _grade(
        "Segmentation",
        segmentation.medical_placed - segmentation.medical_mixed,
        segmentation.medical_placed,
        "{good} of {all} medical devices are in a segment without office IT or other IoT devices ({share}).",
        "Share of medical devices, of those whose segment is known, that share it with no IT or "
        "other IoT device.",
    )


def _lifecycle(devices: Sequence[Device], scores: Mapping[str, RiskScore]) -> Grade:
    known = [d for d in devices if d.os is not None and d.id in scores]
    old = sum(1 for d in known if any(f.id == LIFECYCLE for f in scores[d.id].factors))
    return _grade(
        "Supported systems",
        len(known) - old,
        len(known),
        "{good} of {all} devices with a known operating system get security updates or have no "
        "known end ({share}).",
        "Share of devices with a known operating system whose support is not known to have ended.",
    )


def _internet(devices: Sequence[Device], internet: Sequence[InternetUse]) -> Grade:
    medical = [d for d in devices if is_medical(d)]
    inbound = {u.device.id for u in internet if u.inbound}
    clear = {u.device.id for u in internet if u.clear}
    grade = _grade(
        "Internet exposure",
        len(medical) - sum(1 for d in medical if d.id in inbound | clear),
        len(medical),
        "{good} of {all} medical devices neither are reached from the internet nor send clear text "
        "to it ({share}).",
        "Share of medical devices without inbound or clear-text internet traffic; F as soon as any device is "
        "reached from the internet.",
    )
    if not inbound:
        return grade
    reached = f"{quantity(len(inbound), 'device')} answered connections from the internet."
    return Grade(grade.area, "F", grade.share, reached, grade.criterion)
