"""What a failure or a leak would mean: clinical criticality and patient data."""

from __future__ import annotations

from typing import ClassVar

from medwarden.model.device import Device
from medwarden.risk.context import RiskContext
from medwarden.risk.factor import Advice, Group, Hit, RiskFactor
from medwarden.risk.facts import affirmed, from_ledger

CONSEQUENCE = {
    1: "a nuisance",
    2: "delay in care",
    3: "care has to be rearranged",
    4: "harm to patients is possible",
    5: "a life may depend on it",
}
PATIENT_DATA_FIELDS = (
    "dicom.patient_data",
    "hl7.patient_data",
    "sdc.patient_data",
    "astm.patient_data",
    "poct1a.patient_data",
    "intellivue.patient_data",
    "draeger_infinity.patient_data",
)
LIKELY = {"high": 0.6, "medium": 0.3}
"""Share of the patient-data factor for a category that usually holds patient data, none having been seen."""


class ClinicalImpact:
    """How much patients depend on devices of the category."""

    id: ClassVar[str] = "clinical_impact"
    title: ClassVar[str] = "Clinical importance"
    group: ClassVar[Group] = Group.IMPACT
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply to identified categories by criticality: 2 gives a quarter of the points, 5 all."""
        facts = context.facts(device)
        if facts is None or facts.criticality < 2 or (device.category or "unknown").startswith("unknown"):
            return None
        level = min(facts.criticality, 5)
        return Hit(
            f"{facts.name}, criticality {level} of 5: if it fails or is tampered with, {CONSEQUENCE[level]}.",
            strength=(level - 1) / 4,
        )


class PatientData:
    """The device carries or is likely to hold patient data."""

    id: ClassVar[str] = "patient_data"
    title: ClassVar[str] = "Patient data"
    group: ClassVar[Group] = Group.IMPACT
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where patient data was seen, or where the category usually holds it."""
        entries = affirmed(device, *PATIENT_DATA_FIELDS)
        if device.phi or entries:
            return Hit("It was seen to carry patient data.", from_ledger(entries))
        facts = context.facts(device)
        if facts is None or device.phi is False or facts.phi not in LIKELY:
            return None
        return Hit(
            f"{facts.name} usually holds patient data; none was seen in the observed traffic.",
            strength=LIKELY[facts.phi],
        )


FACTORS: tuple[RiskFactor, ...] = (ClinicalImpact(), PatientData())
