"""Which device does what: activities by category, system and what its model can say."""

from __future__ import annotations

from collections.abc import Iterator

from medwarden.knowledge.taxonomy import class_of
from medwarden.model.device import DeviceClass
from medwarden.simulation.addressing import PLANT, SERVER_KINDS
from medwarden.simulation.device import Device
from medwarden.simulation.hospital import Site
from medwarden.simulation.population import PUMP_KINDS
from medwarden.simulation.scene import Activity
from medwarden.simulation.work import (
    administration,
    basics,
    bedside,
    imaging,
    laboratory,
    office,
    plant,
    records,
    sdc,
    things,
)

_BY_CATEGORY: dict[str, tuple[Activity, ...]] = {
    **dict.fromkeys(PUMP_KINDS, (bedside.pump,)),
    "vitals_monitor": (bedside.hl7_from_device,),
    "pulse_oximeter": (bedside.hl7_from_device,),
    "device_gateway": (bedside.speaks_for_others,),
    "cgm_poc_glucose": (bedside.poct,),
    "poc_device": (bedside.poct,),
    "ehr_server": (records.admissions,),
    "dicom_workstation": (imaging.reading, office.desk),
    "workstation": (office.desk,),
    "laptop": (office.desk,),
    "medical_cart": (office.desk,),
    "kiosk": (office.desk,),
    "dispensing_cabinet": (office.desk,),
    "thin_client": (office.thin,),
    "smartphone": (office.people_phone,),
    "tablet": (office.people_phone,),
    "rugged_handheld": (office.people_phone,),
    "barcode_scanner": (office.people_phone,),
    "printer": (things.printer,),
    "label_printer": (things.printer,),
    "ip_camera": (things.camera,),
    "voip_phone": (things.phone, things.lldp),
    "network_switch": (things.lldp,),
    "wifi_ap": (things.lldp,),
}

_BY_FACT: tuple[tuple[str, Activity], ...] = (
    ("iv_model", bedside.intellivue),
    ("unity", bedside.unity),
    ("infinity", bedside.infinity),
    ("astm", laboratory.analyser),
    ("descr", things.snmp_polled),
    ("title", things.web_page),
    ("bacnet", plant.bacnet),
    ("modbus", plant.modbus),
    ("mqtt", plant.mqtt),
    ("s7", plant.s7),
    ("sdc", sdc.provider),
    ("onvif", sdc.onvif),
    ("cloud", bedside.maker_cloud),
    ("agent", things.agent),
)
_MEDIA = frozenset({"digital_signage", "streaming", "smart_speaker", "iot_gateway"})
_SERVICED = frozenset(
    {"GE HealthCare", "Siemens Healthineers", "Philips", "Canon Medical", "Roche", "Sysmex", "BD", "Hologic"}
)


def activities_of(site: Site, device: Device) -> Iterator[Activity]:
    """Yield what a device does."""
    facts, category = device.model.facts, device.category
    yield basics.presence
    if category not in PLANT or device.system.id not in ("rtos", "lwip"):
        yield basics.clock
    if category in SERVER_KINDS:
        yield basics.neighbours_of_servers
    if device.system.id == "macos":
        yield office.apple_names
    if device.system.chatter.startswith("windows"):
        yield office.windows_chatter
        if device.system.joins and device.managed:
            yield office.domain_member
            yield office.updates
    yield from _BY_CATEGORY.get(category, ())
    for fact, activity in _BY_FACT:
        if fact in facts and not (
            activity is things.agent and category in ("smartphone", "tablet", "rugged_handheld")
        ):
            yield activity
    if facts.get("mods") and category != "dicom_workstation":
        yield imaging.modality
        yield imaging.forgotten
    if category == "patient_monitor" and "iv_model" not in facts:
        yield bedside.monitor_link
        if "hl7eq" in facts:
            yield bedside.hl7_from_device
    if "hl7eq" in facts and category in ("blood_gas", "microbiology", "molecular_pcr"):
        yield bedside.hl7_from_device
    if "finds" in facts:
        yield bedside.alaris_discovery
    if category in ("network_switch", "router_firewall", "wifi_ap", "hypervisor"):
        yield administration.log_lines
    if category in ("server", "domain_controller") and device.system.build:
        yield administration.remote_desktop
    if category == "server":
        yield administration.vulnerability_scan
    if "sip" in facts and category != "voip_phone":
        yield things.phone
    if category in _MEDIA:
        yield things.upnp
    if device.system.ssh and category in (
        "network_switch",
        "server",
        "storage",
        "hypervisor",
        "router_firewall",
        "wifi_ap",
        "sbc",
    ):
        yield things.management
    if (
        device.model.vendor in _SERVICED
        and class_of(category) is DeviceClass.IOMT
        and not device.wireless
        and category not in SERVER_KINDS
    ):
        yield bedside.phones_home
    del site
