"""The FDA's product classification: ``foiclass.txt`` (bars between cells, Latin-1) or openFDA's answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, ClassVar

import msgspec

from medwarden.feeds.lines import lines, told_by_its_start
from medwarden.feeds.openfda import answers, is_answer
from medwarden.feeds.origin import provenance, rejected, text
from medwarden.kernel.errors import MalformedInput
from medwarden.model.feed import Entry, FeedManifest, Item, Kind, ProductCode
from medwarden.model.vulnerability import Provenance

_NEEDED = ("PRODUCTCODE", "DEVICENAME", "DEVICECLASS")
_FLAGS = {"Y": True, "N": False}


class _Classified(msgspec.Struct):
    product_code: str
    device_name: str
    device_class: str = ""
    regulation_number: str = ""
    medical_specialty_description: str = ""
    implant_flag: str = ""
    life_sustain_support_flag: str = ""


class FdaClassification:
    """Reads the table and answers of ``device/classification``."""

    manifest: ClassVar[FeedManifest] = FeedManifest(
        id="fda_classification",
        title="Product classification",
        publisher="FDA",
        licence="public domain (US government)",
        home="https://www.fda.gov/medical-devices/classify-your-medical-device/download-product-code-classification-files",
        brings="product codes with class, regulation, and whether they implant or sustain life",
        changes="every week",
        stale_after_h=24 * 60,
        kinds=(Kind.PRODUCT_CODE,),
    )

    addresses: ClassVar[tuple[str, ...]] = ("https://www.accessdata.fda.gov/premarket/ftparea/foiclass.zip",)

    @staticmethod
    def recognises(name: str, head: bytes) -> bool:
        """Tell the table by its heading, an answer by its fields."""
        del name
        first = head.partition(b"\n")[0].upper()
        table = b"PRODUCTCODE|" in first and b"DEVICECLASS|" in first
        return table or is_answer(head, b'"life_sustain_support_flag"', b'"gmp_exempt_flag"')

    @staticmethod
    def read(stream: IO[bytes], origin: Provenance) -> Iterator[Item]:
        """Yield one product code per row or record."""
        buffered, start = told_by_its_start(stream)
        if start == b"{":
            return answers(buffered, origin, _Classified, lambda held: _code(held, origin))
        return _rows(buffered, origin)


def _rows(stream: IO[bytes], origin: Provenance) -> Iterator[Item]:
    heading: list[str] = []
    for number, _, line in lines(stream, origin.reference):
        cells = [cell.strip().strip('"') for cell in line.split("|")]
        if not heading:
            heading = [cell.upper() for cell in cells]
            if not set(_NEEDED) <= set(heading):
                raise MalformedInput(origin.reference, f"its heading lacks one of {', '.join(_NEEDED)}")
            continue
        if not line.strip():
            continue
        if len(cells) != len(heading):
            yield rejected(
                origin, f"line {number}", f"{len(cells)} cells, where the heading has {len(heading)}"
            )
            continue
        row = dict(zip(heading, cells, strict=True))
        held = _Classified(
            product_code=row["PRODUCTCODE"],
            device_name=row["DEVICENAME"],
            device_class=row["DEVICECLASS"],
            regulation_number=row.get("REGULATIONNUMBER", ""),
            medical_specialty_description=row.get("MEDICALSPECIALTY", ""),
            implant_flag=row.get("IMPLANT_FLAG", ""),
            life_sustain_support_flag=row.get("LIFE_SUSTAIN_SUPPORT_FLAG", ""),
        )
        try:
            yield Entry((_code(held, origin),))
        except ValueError as error:
            yield rejected(origin, f"line {number}", error)


def _code(held: _Classified, origin: Provenance) -> ProductCode:
    if len(held.product_code) != 3 or not held.product_code.isalpha():
        raise ValueError(f"{held.product_code[:20]!r} is no product code")
    return ProductCode(
        id=held.product_code,
        name=text(held.device_name, 300),
        device_class=held.device_class,
        provenance=provenance(origin, reference=FdaClassification.manifest.home),
        regulation=held.regulation_number,
        panel=held.medical_specialty_description,
        implant=_FLAGS.get(held.implant_flag.upper()),
        life_support=_FLAGS.get(held.life_sustain_support_flag.upper()),
    )


FEED = FdaClassification
