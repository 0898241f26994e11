"""What a device's DICOM conversations make it: modality, archive, workstation, RIS, printer or router.

The role in the conversation outranks the images: an archive that forwards images of five makers is
none of the scanners. So makers, models and modalities in data sets count only for a device that does
not also offer to keep or find images, and that speaks of one maker and one kind of image.
"""

from __future__ import annotations

from collections.abc import Iterator

from medwarden.knowledge.dicom import (
    dicom_knowledge,
    kind_of_modalities,
    maker_of_uid,
    modality_of_storage,
    program_of,
)
from medwarden.knowledge.fingerprints.rules import TRUST
from medwarden.knowledge.makers import known_maker, short_name
from medwarden.knowledge.oui import maker_of
from medwarden.model.device import Ballot, Device
from medwarden.model.evidence import LedgerEntry

_IN_MEDICINE = {
    "Siemens": "Siemens Healthineers",
    "Canon": "Canon Medical",
    "Toshiba": "Canon Medical",
    "GE": "GE HealthCare",
}
"""Makers whose medical company has a name of its own."""

_FEW_STORAGE_CLASSES = 6

_OF_SEVERAL_KINDS = frozenset({"XA", "RF", "DX"})
"""Modalities of more than one kind of machine: a mobile C-arm says XA too, a mobile X-ray unit DX."""


_OF_THE_IMAGE = frozenset(
    f"dicom.{name}"
    for name in (
        *(
            "modality",
            "manufacturer",
            "model_name",
            "station_name",
            "device_serial_number",
            "software_versions",
        ),
        *("secondary_capture_manufacturer", "secondary_capture_model", "performed_location"),
    )
)
"""Fields of data sets: they describe who made the image, not necessarily who sends it."""


class _Imaging:
    """The DICOM facts of one device."""

    def __init__(self, device: Device) -> None:
        self._values: dict[str, list[str]] = {}
        for entry in device.ledger:
            if entry.field.startswith("dicom."):
                self._values.setdefault(entry.field[6:], []).append(entry.value)
        self.roles = frozenset(self._values.get("role", ()))
        self.modalities = frozenset(value.upper() for value in self._values.get("modality", ()))
        self.makers = sorted({medical_name(value) for value in self._values.get("manufacturer", ())})
        self.models = sorted(
            {m for m in self._values.get("model_name", ()) if m.lower() not in dicom_knowledge().consoles}
        )
        self.storage = [name for name in self._values.get("sop_class", ()) if "Storage" in name]
        self.finds = bool(self.roles & {"query_scp", "move_scp", "get_scp"})
        self.keeps = "storage_scp" in self.roles
        self.asks = bool(self.roles & {"query_scu", "move_scu", "get_scu"})
        self.sends = "storage_scu" in self.roles
        self.works = bool(self.roles & {"worklist_scu", "mpps_scu"})

    def values(self, name: str) -> list[str]:
        return self._values.get(name, [])

    def spoken(self) -> bool:
        return bool(self._values.keys() - {"called_ae_title"})

    def mixed(self) -> bool:
        """Tell whether the images are of several makers, kinds or machines, as only a forwarder has them.

        Of machines: more serial numbers than kinds of images (a PET/CT may have one for each of its two).
        """
        telling = self.modalities & dicom_knowledge().modalities.keys()
        return (
            "storage_forwarder" in self.roles
            or len(self.makers) > 1
            or (len(telling) > 1 and kind_of_modalities(self.modalities) is None)
            or len(set(self.values("device_serial_number"))) > max(1, len(telling))
        )

    def source(self) -> bool:
        """Tell whether the data sets describe this very device."""
        if self.finds or self.mixed():
            return False
        return not self.keeps or self.works


def medical_name(maker: str) -> str:
    """Return the vendor of a medical device of that maker: Siemens makes them as Siemens Healthineers."""
    name = short_name(maker)
    return _IN_MEDICINE.get(name, name)


def own_ledger(device: Device) -> tuple[LedgerEntry, ...]:
    """Return the ledger without what the images of others say, for a device that keeps or forwards images."""
    if _Imaging(device).source():
        return device.ledger
    return tuple(entry for entry in device.ledger if entry.field not in _OF_THE_IMAGE)


def imaging_ballots(device: Device) -> Iterator[Ballot]:
    """Yield the votes that follow from DICOM (PS3.4 service classes, PS3.7 annex D, PS3.3 C.7.5)."""
    imaging = _Imaging(device)
    if not imaging.spoken():
        return
    yield _vote(
        "class", "IoMT", "strong", "dicom-speaker", "dicom.role", next(iter(sorted(imaging.roles)), "")
    )
    yield from _roles(imaging)
    yield from _implementation(imaging)
    if imaging.source():
        yield from _equipment(imaging, _console(device))
    elif imaging.mixed() and not imaging.finds:
        kind = "pacs" if imaging.keeps else "dicom_router"
        shown = (
            ", ".join(sorted(imaging.modalities)) if len(imaging.makers) < 2 else ", ".join(imaging.makers)
        )
        yield _vote("category", kind, "strong", "dicom-mixed-images", "dicom.modality", shown)


def _roles(imaging: _Imaging) -> Iterator[Ballot]:
    roles = imaging.roles
    if "worklist_scp" in roles:
        yield _vote("category", "mwl_ris", "strong", "dicom-worklist-provider", "dicom.role", "worklist_scp")
    if "print_scp" in roles:
        yield _vote("category", "dicom_printer", "strong", "dicom-print-provider", "dicom.role", "print_scp")
    if imaging.finds:
        trust = "declared" if imaging.keeps else "strong"
        role = next(r for r in ("query_scp", "move_scp", "get_scp") if r in roles)
        yield _vote("category", "pacs", trust, "dicom-archive", "dicom.role", role)
    elif imaging.keeps and imaging.asks and not imaging.works:
        yield _vote("category", "dicom_workstation", "likely", "dicom-reader", "dicom.role", "query_scu")
    elif imaging.keeps and not imaging.works:
        yield _vote("category", "pacs", "likely", "dicom-store", "dicom.role", "storage_scp")
    elif imaging.asks and not imaging.sends and not imaging.works:
        yield _vote("category", "dicom_workstation", "strong", "dicom-reader", "dicom.role", "query_scu")
    if imaging.sends and not imaging.finds and not imaging.keeps and not imaging.modalities:
        proposed = frozenset(m for m in map(modality_of_storage, imaging.storage) if m is not None)
        kind = kind_of_modalities(proposed)
        if kind is not None and len(imaging.storage) <= _FEW_STORAGE_CLASSES:
            yield _vote(
                "category", kind, "likely", "dicom-storage-class", "dicom.sop_class", imaging.storage[0]
            )


def _implementation(imaging: _Imaging) -> Iterator[Ballot]:
    for uid in imaging.values("implementation_class_uid"):
        maker = maker_of_uid(uid)
        if maker is not None:
            yield _vote("vendor", maker, "strong", "dicom-uid-root", "dicom.implementation_class_uid", uid)
    for name in imaging.values("implementation_version_name"):
        program = program_of(name)
        if program is None:
            continue
        field = "dicom.implementation_version_name"
        yield _vote("category", program.category, "strong", "dicom-program", field, name)
        if program.vendor is not None:
            yield _vote("vendor", program.vendor, "strong", "dicom-program", field, name)


def _console(device: Device) -> bool:
    """Tell whether a device has the network card of a maker of desk computers, as the console of a room has.

    Mobile units are built around embedded boards and have radio adapters.
    """
    makers = [known_maker(m.registered) for m in map(maker_of, device.macs) if m is not None]
    return any(maker is not None and maker.hosts for maker in makers)


def _equipment(imaging: _Imaging, console: bool) -> Iterator[Ballot]:
    kind = kind_of_modalities(imaging.modalities)
    if kind is not None:
        shown = ", ".join(sorted(imaging.modalities))
        trust = "declared"
        if imaging.modalities <= _OF_SEVERAL_KINDS:
            trust = "hint" if console else "faint"
        yield _vote("category", kind, trust, "dicom-modality", "dicom.modality", shown)
    for maker in imaging.makers:
        yield _vote("vendor", maker, "declared", "dicom-manufacturer", "dicom.manufacturer", maker)
    if len(imaging.models) == 1:
        yield _vote(
            "model", imaging.models[0], "declared", "dicom-model", "dicom.model_name", imaging.models[0]
        )
    for level, name in (("serial", "device_serial_number"), ("firmware", "software_versions")):
        values = sorted(set(imaging.values(name)))
        if len(values) == 1:
            yield _vote(level, values[0], "declared", f"dicom-{level}", f"dicom.{name}", values[0])


def _vote(level: str, label: str, trust: str, rule: str, field: str, value: str) -> Ballot:
    return Ballot(level, label, TRUST[trust], rule, field, value)
