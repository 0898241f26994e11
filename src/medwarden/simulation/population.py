"""Who is on the network: how many devices of which category, after the published mixes of hospitals.

Shares: 14 % medical, 50 % information technology, 36 % other things; of the medical ones 46 % infusion
pumps, 19 % imaging, 17 % patient monitors; of other things 33 % cameras and 24 % printers. Half of all
devices are unmanaged; 83 % of imaging runs a system without support.
"""

# ruff: noqa: E501 - tables are read by columns
from __future__ import annotations

from collections.abc import Mapping
from random import Random

from medwarden.knowledge.taxonomy import class_of
from medwarden.model.device import DeviceClass

MEDICAL, IT, OTHER = 0.14, 0.50, 0.36
PUMPS, IMAGING, MONITORS = 0.46, 0.19, 0.17
CAMERAS, PRINTERS = 0.33, 0.24
UNSUPPORTED_IMAGING = 0.83
UNMANAGED = 0.50

PUMP_KINDS: Mapping[str, int] = {"infusion_pump": 66, "syringe_pump": 24, "pca_pump": 7, "enteral_pump": 3}
IMAGING_KINDS: Mapping[str, int] = {
    "ultrasound": 30, "xray_fixed": 14, "xray_mobile": 8, "ct": 9, "mri": 7, "c_arm": 6, "angiography": 5, "cr_reader": 4,
    "mammography": 4, "fluoroscopy": 3, "nuclear_spect": 2, "pet": 1, "bone_density": 2, "dental_xray": 2,
    "ophthalmic_imaging": 3, "endoscopy_tower": 5, "intravascular": 1, "digital_pathology": 1, "linac": 2,
    "ultrasound_handheld": 1,
}  # fmt: skip
MONITOR_KINDS: Mapping[str, int] = {"patient_monitor": 86, "telemetry": 14}
CARE_KINDS: Mapping[str, int] = {
    "vitals_monitor": 14, "cgm_poc_glucose": 12, "nurse_call": 9, "smart_bed": 9, "clinical_comm_badge": 9, "medical_cart": 10,
    "ventilator": 6, "anesthesia_machine": 5, "dispensing_cabinet": 6, "ecg_cart": 5, "device_gateway": 4,
    "serial_server": 5, "dialysis": 4, "blood_gas": 4, "rtls": 4, "defibrillator": 3, "dicom_workstation": 5,
    "patient_entertainment": 5, "pulse_oximeter": 2, "fetal_monitor": 2, "incubator": 2, "chem_analyzer": 2,
    "hematology": 2, "coagulation": 1, "urinalysis": 1, "microbiology": 1, "molecular_pcr": 1, "sequencer": 1,
    "lab_automation": 1, "poc_device": 2, "crrt": 1, "heart_lung": 1, "iabp": 1, "surgical_robot": 1,
    "surgical_navigation": 1, "eeg": 1, "holter": 1, "stress_test": 1, "hemodynamics": 1, "ep_recording": 1,
    "spirometer": 1, "contrast_injector": 2, "rt_planning": 1, "dicom_printer": 1, "dicom_router": 1, "or_video": 2,
    "blood_bank_fridge": 2, "histology": 1, "steriliser": 1, "endoscope_reprocessor": 1, "alarm_management": 1,
    "telehealth_cart": 1, "iv_compounder": 1, "home_ventilator": 1, "cpap": 1, "vna": 1, "smart_scale": 1,
}  # fmt: skip
IT_KINDS: Mapping[str, int] = {
    "workstation": 420, "laptop": 150, "thin_client": 90, "smartphone": 150, "tablet": 40, "rugged_handheld": 40, "server": 45,
    "hypervisor": 6, "storage": 4, "network_switch": 30, "wifi_ap": 30, "router_firewall": 3,
}  # fmt: skip
OTHER_KINDS: Mapping[str, int] = {
    "label_printer": 40, "voip_phone": 200, "badge_reader": 30, "digital_signage": 24, "nvr": 5, "video_conf": 6, "intercom": 8,
    "streaming": 6, "smart_speaker": 3, "game_console": 2, "env_sensor": 26, "sbc": 4, "barcode_scanner": 12,
    "time_clock": 8, "kiosk": 8, "smart_lighting": 4, "iot_gateway": 3, "smart_plug": 4, "bms_controller": 18, "hvac": 12,
    "plc": 6, "ups": 14, "elevator": 5, "power_meter": 6, "fire_panel": 3, "med_gas": 5, "pneumatic_tube": 3,
    "agv_robot": 2, "parking": 2,
}  # fmt: skip
CORE_MEDICAL = ("pacs", "infusion_server", "central_station", "mwl_ris", "lis")
"""In the order in which a small hospital has them: pumps and monitors are only networked for their servers."""
CORE_IT = (
    "domain_controller",
    "domain_controller",
    "ehr_server",
    "interface_engine",
    "server",
    "network_switch",
)


def apportion(total: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Divide ``total`` by shares with the largest remainders; the counts add up exactly."""
    whole = sum(shares.values())
    exact = {name: total * share / whole for name, share in shares.items()}
    counts = {name: int(value) for name, value in exact.items()}
    missing = total - sum(counts.values())
    for name in sorted(exact, key=lambda n: (counts[n] - exact[n], n))[:missing]:
        counts[name] += 1
    return counts


def group_of(category: str) -> str:
    """Return medical, it or other: the three groups that the mixes divide."""
    device_class = class_of(category)
    if device_class is DeviceClass.IOMT:
        return "medical"
    return "it" if device_class in (DeviceClass.IT, DeviceClass.NET) else "other"


def _add(counts: dict[str, int], total: int, shares: Mapping[str, float]) -> None:
    for name, count in apportion(total, shares).items():
        if count:
            counts[name] = counts.get(name, 0) + count


def _spread(counts: dict[str, int], total: int, kinds: Mapping[str, int], rng: Random) -> None:
    """Add ``total`` devices of kinds: a few are drawn, so that small hospitals differ; many are divided."""
    if total >= len(kinds):
        _add(counts, total, kinds)
        return
    names, weights = list(kinds), list(kinds.values())
    for name in rng.choices(names, weights, k=max(0, total)):
        counts[name] = counts.get(name, 0) + 1


def census(total: int, rng: Random) -> dict[str, int]:
    """Return how many devices of each category a hospital of ``total`` devices has.

    The shares of the three groups and of pumps, imaging and monitors are exact to one device. Systems that no
    hospital lacks (archive, worklist, laboratory system, controllers, engine) are part of their group.
    """
    groups = apportion(total, {"medical": MEDICAL, "it": IT, "other": OTHER})
    counts: dict[str, int] = {}
    medical = groups["medical"]
    parts = apportion(
        medical,
        {"pump": PUMPS, "imaging": IMAGING, "monitor": MONITORS, "rest": 1 - PUMPS - IMAGING - MONITORS},
    )
    _spread(counts, parts["pump"], PUMP_KINDS, rng)
    _spread(counts, parts["imaging"], IMAGING_KINDS, rng)
    _spread(counts, parts["monitor"], MONITOR_KINDS, rng)
    rest = parts["rest"]
    for core in CORE_MEDICAL[:rest]:
        counts[core] = counts.get(core, 0) + 1
    _spread(counts, rest - len(CORE_MEDICAL[:rest]), CARE_KINDS, rng)
    left = groups["it"]
    for core in CORE_IT[:left]:
        counts[core] = counts.get(core, 0) + 1
    _spread(counts, left - len(CORE_IT[:left]), IT_KINDS, rng)
    other = apportion(
        groups["other"], {"camera": CAMERAS, "printer": PRINTERS, "rest": 1 - CAMERAS - PRINTERS}
    )
    counts["ip_camera"] = other["camera"]
    counts["printer"] = other["printer"]
    _spread(counts, other["rest"], OTHER_KINDS, rng)
    return {name: count for name, count in counts.items() if count}
