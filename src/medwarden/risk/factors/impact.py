"""What a failure or a leak would mean: clinical criticality and patient data."""

from __future__ import annotations

from typing import ClassVar

from medwarden.model.device import Device
from medwarden.model.finding import FindingEvidence
from medwarden.risk.context import RiskContext
from medwarden.risk.factor import Advice, Group, Hit, RiskFactor
from medwarden.risk.facts import affirmed, from_ledger, named
from medwarden.risk.mds2_difference import quoted

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
A_DAY_NS = 86_400 * 1_000_000_000
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


DECLARED = (("phi_kept", "keeps", 0.9), ("phi_on_network", "sends", 0.8), ("phi_handled", "handles", 0.6))
"""Claims of a maker's form that a device has patient data, in words, and how strongly each counts."""


class PatientData:
    """The device carries or is likely to hold patient data."""

    id: ClassVar[str] = "patient_data"
    title: ClassVar[str] = "Patient data"
    group: ClassVar[Group] = Group.IMPACT
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where patient data was seen, where the maker declares it, or where the category holds it."""
        entries = affirmed(device, *PATIENT_DATA_FIELDS)
        if device.phi or entries:
            return Hit("It was seen to carry patient data.", from_ledger(entries))
        declared = _declared_patient_data(device, context)
        if declared is not None:
            return declared
        facts = context.facts(device)
        if facts is None or device.phi is False or facts.phi not in LIKELY:
            return None
        return Hit(
            f"{facts.name} usually holds patient data; none was seen in the observed traffic.",
            strength=LIKELY[facts.phi],
        )


def _declared_patient_data(device: Device, context: RiskContext) -> Hit | None:
    """Return what the maker's form says of patient data, None where it leaves that open."""
    form = context.disclosures.get(device.id)
    if form is None:
        return None
    for claim, says, strength in DECLARED:
        if form.says(claim) is True:
            _, words, evidence = quoted(form, claim)
            return Hit(
                f"It {says} patient data, by its maker's form ({words}); none was seen.", evidence, strength
            )
    return None


class FdaClass:
    """How a regulator ranks what a failure of devices of its kind would do."""

    id: ClassVar[str] = "fda_class"
    title: ClassVar[str] = "FDA device class"
    group: ClassVar[Group] = Group.IMPACT
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply by the highest class (21 CFR 860) of the product codes of its category: III all, II half."""
        if device.category is None:
            return None
        known = context.fda(device.category)
        if known is None or (known.device_class < 2 and not known.life_support):
            return None
        full = known.device_class >= 3 or known.life_support
        name = "I" * known.device_class
        supports = ", life supporting" if known.life_support else ""
        return Hit(
            f"Devices of its kind are class {name}{supports} by the FDA "
            f"({'product code' if len(known.codes) == 1 else 'product codes'} {named(known.codes)}).",
            strength=1.0 if full else 0.5,
        )


class InUse:
    """Somebody is treated with it."""

    id: ClassVar[str] = "in_use"
    title: ClassVar[str] = "In use on patients"
    group: ClassVar[Group] = Group.IMPACT
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where it was heard at work on a patient within a day before the assessment."""
        work = context.record(device).at_work
        if work is None or context.now_ns - work.last_ns > A_DAY_NS:
            return None
        return Hit(
            "It was at work on a patient within the last day.",
            (FindingEvidence("at work", work.reason[:300], work.last_ns, work.last_ns),),
        )


FACTORS: tuple[RiskFactor, ...] = (ClinicalImpact(), PatientData(), FdaClass(), InUse())
