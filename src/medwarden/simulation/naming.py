"""How a hospital calls its devices: host names, AE titles and domain, drawn anew with every seed."""

# ruff: noqa: E501 - tables are read by columns
from __future__ import annotations

from random import Random

import msgspec

_TOWNS = ("ahornfeld", "birkenau", "clearwater", "distelberg", "eastbrook", "falkenried", "greenhollow", "harborview", "innthal", "kestrelridge", "lindenhof", "mapleford", "northgate", "oakmere", "riverbend")  # fmt: skip
_SHORT = {
    "workstation": "ws", "laptop": "nb", "thin_client": "tc", "server": "srv", "domain_controller": "dc", "pacs": "pacs",
    "infusion_pump": "pump", "syringe_pump": "syr", "patient_monitor": "mon", "printer": "prt", "label_printer": "lbl",
    "ip_camera": "cam", "voip_phone": "tel", "ct": "ct", "mri": "mr", "ultrasound": "us", "xray_fixed": "dx",
    "medical_cart": "cow", "network_switch": "sw", "wifi_ap": "ap", "lis": "lis", "mwl_ris": "ris", "ehr_server": "ehr",
    "interface_engine": "engine", "storage": "nas", "hypervisor": "esx", "device_gateway": "gw",
    "dicom_workstation": "read", "infusion_server": "inf", "vna": "vna", "bms_controller": "bms",
}  # fmt: skip
_TITLE = {"mri": "MR", "xray_fixed": "DX", "xray_mobile": "DXM", "ultrasound": "US", "ultrasound_handheld": "USH", "mammography": "MG", "angiography": "XA", "c_arm": "CARM", "fluoroscopy": "RF", "nuclear_spect": "NM", "cr_reader": "CR", "pet": "PT", "mwl_ris": "RIS", "dicom_workstation": "WS", "ophthalmic_imaging": "OPT", "bone_density": "BMD", "endoscopy_tower": "ES"}  # fmt: skip


class Naming(msgspec.Struct, frozen=True):
    """The habits of one hospital; ``scheme`` and ``titles`` number the schemes below.

    ``codes`` draws letters that stand for a kind of device in schemes of a hospital nobody trained on.
    """

    town: str
    domain: str
    group: str
    facility: str
    scheme: int
    titles: int
    codes: str = ""

    def host(self, rng: Random, category: str, building: str, floor: int, number: int) -> str:
        """Return a host name that administrators would give."""
        short = _SHORT.get(category, category.replace("_", "")[:4])
        if self.scheme == 0:
            return f"{self.group[:3].lower()}-{short}-{number:04d}"
        if self.scheme == 1:
            return f"{short}{building[-1].lower()}{floor}{number:03d}".upper()
        if self.scheme == 2:
            return f"{self.group[:2].upper()}{short.upper()}{number:05d}"
        if self.scheme == 4:
            return f"{self.facility[:2]}{rng.randrange(10**6):06d}"
        if self.scheme == 5:
            return f"{building[-1].lower()}{floor}-{rng.randrange(1, 60):02d}-{rng.randrange(100)}"
        if self.scheme == 6:
            return f"{self._code(category)}{number:04d}"
        return f"{short}-{building[-1].lower()}{floor}-{rng.randrange(16**4):04x}"

    def ae_title(self, category: str, model: str, number: int) -> str:
        """Return an AE title of at most 16 characters."""
        short = _TITLE.get(category, _SHORT.get(category, category.replace("_", "")[:4]).upper())
        if self.titles == 0:
            title = f"{short}{number:02d}"
        elif self.titles == 1:
            title = f"{self.facility}_{short}_{number}"
        elif self.titles == 4:
            title = f"{self._code(category)}_{number:03d}".upper()
        elif self.titles == 5:
            title = f"AE{self.facility}{number:04d}"
        elif self.titles == 2:
            title = f"{short}-{model.replace(' ', '')[:8]}{number}".upper()
        else:
            title = f"{short}{number}_{self.town[:6]}".upper()
        return title[:16]

    def _code(self, category: str) -> str:
        """Return the two letters that stand for a kind of device in this hospital alone."""
        rng = Random(f"{self.codes}/{category}")  # noqa: S311 - a simulation must be repeatable
        return "".join(rng.choice("bcdfghjklmnpqrstvwxz") for _ in range(2))


def naming(seed: int, site: int, *, strange: bool = False) -> Naming:
    """Return the habits of a site; all sites of a hospital share the domain.

    Those of a ``strange`` hospital are schemes that no other hospital has.
    """
    rng = Random(f"{seed}/naming")  # noqa: S311 - a simulation must be repeatable
    town = rng.choice(_TOWNS)
    ending = rng.choice((".local", "-health.example", ".hospital.example", ".internal"))
    scheme, titles = rng.randrange(4), rng.randrange(4)
    if strange:
        scheme, titles = 4 + rng.randrange(3), 4 + rng.randrange(2)
    return Naming(
        town,
        f"{town}{ending}",
        town[:12].upper(),
        f"{town[:3].upper()}{site + 1}",
        scheme,
        titles,
        f"{seed}/codes" if strange else "",
    )
