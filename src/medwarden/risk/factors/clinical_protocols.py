"""DICOM and HL7 v2 in clear text, with and without patient data."""

from __future__ import annotations

from typing import ClassVar

from medwarden.model.device import Conversation, Device
from medwarden.model.finding import Severity
from medwarden.risk.context import RiskContext
from medwarden.risk.factor import Advice, Group, Hit, RiskFactor
from medwarden.risk.facts import affirmed, from_ledger, from_talk, named, offers, said, talk

DICOM_PORTS = (104, 11112)
_SNIFFING = ("T1040", "T0842")
_FORGERY = ("T1557", "T0830")


def _dicom(device: Device) -> tuple[Conversation, ...]:
    return tuple(talk(device, "dicom", port=104))


def _hl7(device: Device) -> tuple[Conversation, ...]:
    return tuple(talk(device, "hl7", "hl7v2", "mllp", port=2575))


def _partners(conversations: tuple[Conversation, ...], context: RiskContext) -> str:
    if not conversations:
        return "peers outside the observed traffic"
    return named(context.peer(c) for c in conversations)


class CleartextDicomPatientData:
    """Images or worklists with patient data that anybody on the path can read."""

    id: ClassVar[str] = "cleartext_dicom_phi"
    title: ClassVar[str] = "Patient data in clear-text DICOM"
    group: ClassVar[Group] = Group.PROTOCOL
    supersedes: ClassVar[tuple[str, ...]] = ("cleartext_dicom",)
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.HIGH,
        title="Patient data in clear-text DICOM",
        fix="Switch on the secure transport connection profile (DICOM PS3.15 annex B, TLS, usually "
        "port 2762) "
        "on both ends; ask the maker for the setting and a service appointment.",
        meanwhile="put a TLS gateway (for example stunnel) in front of the device and of the "
        "archive, keep both "
        "in an imaging VLAN, and allow only the AE titles and addresses of the learnt policy.",
        mitre=_SNIFFING,
    )

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where the device was heard to send patient data in a DICOM stream without TLS."""
        entries = affirmed(device, "dicom.patient_data")
        if not entries:
            return None
        conversations = _dicom(device)
        return Hit(
            "DICOM objects with patient data were sent in clear; partners: "
            f"{_partners(conversations, context)}.",
            from_ledger(entries) + from_talk(conversations, context),
        )


class CleartextDicom:
    """DICOM associations without TLS."""

    id: ClassVar[str] = "cleartext_dicom"
    title: ClassVar[str] = "Clear-text DICOM"
    group: ClassVar[Group] = Group.PROTOCOL
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.MEDIUM,
        title="DICOM without encryption",
        fix="Switch on TLS for DICOM (PS3.15 annex B) and check the calling AE title and address on "
        "the server.",
        meanwhile="keep the device in an imaging VLAN and allow only the peers of the learnt policy.",
        mitre=_SNIFFING + _FORGERY,
    )

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where an association was read in clear."""
        entries = said(device, "dicom.ae_title", "dicom.called_ae_title")
        conversations = _dicom(device)
        services = offers(device, "dicom", ports=DICOM_PORTS)
        if not entries and not conversations and not services:
            return None
        return Hit(
            f"DICOM is spoken without TLS; partners: {_partners(conversations, context)}. AE titles can be "
            "read and imitated.",
            from_ledger(entries) + from_talk(conversations, context),
        )


class CleartextHl7PatientData:
    """HL7 v2 messages with patient data in clear."""

    id: ClassVar[str] = "cleartext_hl7_phi"
    title: ClassVar[str] = "Patient data in clear-text HL7"
    group: ClassVar[Group] = Group.PROTOCOL
    supersedes: ClassVar[tuple[str, ...]] = ("cleartext_hl7",)
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.HIGH,
        title="Patient data in clear-text HL7",
        fix="Carry MLLP over TLS (HL7 v2 transport specification, MLLP over TLS) on the interface engine and "
        "on the sending system, with certificates on both ends.",
        meanwhile="wrap the connection with a TLS gateway on each side, and let only the interface "
        "engine reach "
        "the HL7 port.",
        mitre=(*_SNIFFING, "T1565.002"),
    )

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where the device was heard to send patient data in HL7 v2 without TLS."""
        entries = affirmed(device, "hl7.patient_data")
        if not entries:
            return None
        conversations = _hl7(device)
        return Hit(
            "HL7 messages with patient data were sent in clear; partners: "
            f"{_partners(conversations, context)}. "
            "They can be read and altered on the way.",
            from_ledger(entries) + from_talk(conversations, context),
        )


class CleartextHl7:
    """HL7 v2 without TLS."""

    id: ClassVar[str] = "cleartext_hl7"
    title: ClassVar[str] = "Clear-text HL7"
    group: ClassVar[Group] = Group.PROTOCOL
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.MEDIUM,
        title="HL7 without encryption",
        fix="Carry MLLP over TLS between this system and the interface engine.",
        meanwhile="let only the interface engine reach the HL7 port.",
        mitre=_SNIFFING + _FORGERY,
    )

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where a message header was read in clear."""
        entries = said(device, "hl7.sending_application", "hl7.receiving_application", "hl7.message_type")
        conversations = _hl7(device)
        if not entries and not conversations:
            return None
        return Hit(
            f"HL7 v2 is spoken without TLS; partners: {_partners(conversations, context)}.",
            from_ledger(entries) + from_talk(conversations, context),
        )


class CleartextSdcPatientData:
    """Service-oriented device connectivity with patient data in clear."""

    id: ClassVar[str] = "cleartext_sdc_phi"
    title: ClassVar[str] = "Patient data in clear-text SDC"
    group: ClassVar[Group] = Group.PROTOCOL
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.HIGH,
        title="Patient data in clear-text SDC",
        fix="Switch on TLS with mutual authentication for SDC (ISO/IEEE 11073-20701 requires it) "
        "and give each "
        "participant a certificate of the hospital.",
        meanwhile="keep the participants of the bedside in one segment that nothing else is plugged in to.",
        mitre=_SNIFFING,
    )

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where the device was heard to send a patient's data in SDC messages without TLS."""
        entries = affirmed(device, "sdc.patient_data")
        if not entries:
            return None
        conversations = talk(device, "sdc")
        return Hit(
            "SDC messages with patient data were sent in clear; partners: "
            f"{_partners(conversations, context)}.",
            from_ledger(entries) + from_talk(conversations, context),
        )


FACTORS: tuple[RiskFactor, ...] = (
    CleartextSdcPatientData(),
    CleartextDicomPatientData(),
    CleartextDicom(),
    CleartextHl7PatientData(),
    CleartextHl7(),
)
