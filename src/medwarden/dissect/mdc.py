"""Codes of ISO/IEEE 11073-10101 for devices, as monitors, gateways and personal devices send them.

A context-free code is the partition times 65536 plus the code within it (11073-10101); devices are
in partition 1, device specialisations of 11073-20601 in partition 8 from 4096 on. Only codes found in
published profiles (IHE PCD, HL7 personal health device guide) stand here; others stay numbers.
"""

from __future__ import annotations

_DEVICES = {
    69641: "MDC_DEV_ANALY_SAT_O2_MDS",
    69642: "MDC_DEV_ANALY_SAT_O2_VMD",
    69837: "MDC_DEV_METER_PHYSIO_MULTI_PARAM_MDS",
    69965: "MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS",
    69985: "MDC_DEV_PUMP_INFUS_MDS",
    69986: "MDC_DEV_PUMP_INFUS_VMD",
    70001: "MDC_DEV_SYS_PT_VENT_MDS",
    70049: "MDC_DEV_PUMP_INFUS_LVP_MDS",
    70929: "MDC_DEV_HDIALY_MACHINE_MDS",
}
_SPECIALISATIONS = {
    4100: "PULS_OXIM",
    4102: "MIN_ECG",
    4103: "BP",
    4104: "TEMP",
    4109: "RESP_RATE",
    4111: "SCALE",
    4113: "GLUCOSE",
    4114: "COAG",
    4115: "INSULIN_PUMP",
    4116: "BCA",
    4117: "PEAK_FLOW",
    4118: "URINE",
    4120: "SABTE",
    4121: "CGM",
    4124: "PSM",
    4125: "SPIRO",
    4137: "HF_CARDIO",
    4138: "HF_STRENGTH",
    4167: "AI_ACTIVITY_HUB",
    4168: "AI_MED_MINDER",
}


def device_name(context_free: int) -> str | None:
    """Return the reference identifier of a context-free device code, or None for one not listed here."""
    return _DEVICES.get(context_free)


def device_type(code: str) -> str:
    """Return the reference identifier of a context-free code in decimal, or the code as it came."""
    return (device_name(int(code)) or code) if code.isascii() and code.isdigit() and len(code) < 10 else code


def specialisation(code: int) -> str:
    """Return ``MDC_DEV_SPEC_PROFILE_...`` for a code of 11073-20601 device specialisations, or the number."""
    name = _SPECIALISATIONS.get(code)
    return str(code) if name is None else f"MDC_DEV_SPEC_PROFILE_{name}"
