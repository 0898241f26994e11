"""Patient data of FHIR, DICOMweb, laboratory and bedside protocols in clear, and log-ins of theirs."""

from __future__ import annotations

from typing import ClassVar

from medwarden.model.device import Conversation, Device
from medwarden.model.finding import Severity
from medwarden.risk.context import RiskContext
from medwarden.risk.factor import Advice, Group, Hit, RiskFactor
from medwarden.risk.facts import affirmed, from_ledger, from_talk, named, said, talk

_WEB = ("fhir", "dicomweb")
_SIDE = ("astm", "poct1a", "intellivue", "draeger_infinity")
_LOGINS = ("astm.password", "espax.password", "tap.password", "snpp.login")
_SNIFFING = ("T1040", "T0842")


def _partners(calls: tuple[Conversation, ...], context: RiskContext) -> str:
    return named(context.peer(call) for call in calls) if calls else "outside the observed traffic"


class CleartextWebRecords:
    """Patient records over HTTP without TLS: FHIR REST and DICOMweb."""

    id: ClassVar[str] = "cleartext_web_phi"
    title: ClassVar[str] = "Patient data in clear-text FHIR or DICOMweb"
    group: ClassVar[Group] = Group.PROTOCOL
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.HIGH,
        title="Patient data in clear-text FHIR or DICOMweb",
        fix="Serve the interface over HTTPS only, with TLS 1.2 or later, and switch the plain port off.",
        meanwhile="let only the systems of the learnt policy reach the plain port, through a TLS proxy "
        "where the client can use one.",
        mitre=_SNIFFING,
    )

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where patient data was read in FHIR (HL7 FHIR, http) or DICOMweb (PS3.18) without TLS."""
        entries = affirmed(device, *(f"{name}.patient_data" for name in _WEB))
        if not entries:
            return None
        calls = talk(device, *_WEB)
        return Hit(
            f"Patient records crossed the network over plain HTTP; partners: {_partners(calls, context)}.",
            from_ledger(entries) + from_talk(calls, context),
        )


class CleartextBedsideRecords:
    """Results and vital signs with patient data in protocols that know no encryption."""

    id: ClassVar[str] = "cleartext_bedside_phi"
    title: ClassVar[str] = "Patient data in clear laboratory or bedside protocols"
    group: ClassVar[Group] = Group.PROTOCOL
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.MEDIUM,
        title="Patient data in clear laboratory or bedside protocols",
        fix="Most of these protocols have no encryption: keep device and receiver in a segment of their own, "
        "or carry them through a gateway that encrypts towards the rest of the network.",
        meanwhile="allow only the receiver of the learnt policy to reach the device.",
        mitre=_SNIFFING,
    )

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where patient data was read in LIS1-A/LIS2-A, POCT1-A or a monitor's own protocol."""
        entries = affirmed(device, *(f"{name}.patient_data" for name in _SIDE))
        if not entries:
            return None
        calls = talk(device, *_SIDE)
        return Hit(
            "Results or vital signs with patient data were sent in clear; partners: "
            f"{_partners(calls, context)}.",
            from_ledger(entries) + from_talk(calls, context),
        )


class ClinicalLogin:
    """A password of a laboratory, nurse call or paging interface in clear."""

    id: ClassVar[str] = "clinical_login"
    title: ClassVar[str] = "Laboratory or paging log-in in clear"
    group: ClassVar[Group] = Group.CREDENTIALS
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.LOW,
        title="Laboratory or paging password in clear",
        fix="Use a password that opens nothing else, and let only the systems concerned reach the interface.",
        meanwhile="change it where the same one is used elsewhere.",
        mitre=("T1040", "T1552"),
    )

    def judge(self, device: Device, _context: RiskContext) -> Hit | None:
        """Apply where ASTM, ESPA-X, TAP or SNPP carried a password in clear."""
        entries = said(device, *_LOGINS)
        if not entries:
            return None
        return Hit(
            "A password of a laboratory, nurse call or paging interface was readable.", from_ledger(entries)
        )


FACTORS: tuple[RiskFactor, ...] = (CleartextWebRecords(), CleartextBedsideRecords(), ClinicalLogin())
