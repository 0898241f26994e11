"""Products under their UDI-DI as openFDA tells them (``device/udi``, from GUDID)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, ClassVar

import msgspec

from medwarden.feeds.download import Arrived, Desk
from medwarden.feeds.openfda import answers, day, downloads, is_answer
from medwarden.feeds.origin import provenance, text
from medwarden.model.feed import FeedManifest, Item, Kind, Listing
from medwarden.model.vulnerability import Provenance


class _Identifier(msgspec.Struct):
    id: str = ""
    type: str = ""


class _Code(msgspec.Struct):
    code: str = ""


class _Term(msgspec.Struct):
    name: str = ""


class _Listed(msgspec.Struct):
    identifiers: list[_Identifier]
    brand_name: str = ""
    version_or_model_number: str = ""
    catalog_number: str = ""
    company_name: str = ""
    device_description: str = ""
    commercial_distribution_status: str = ""
    publish_date: str = ""
    public_version_date: str = ""
    mri_safety: str = ""
    product_codes: list[_Code] = []
    gmdn_terms: list[_Term] = []


class FdaUdi:
    """Reads answers and downloads of ``device/udi``."""

    manifest: ClassVar[FeedManifest] = FeedManifest(
        id="fda_udi",
        title="Registered products (openFDA UDI)",
        publisher="FDA",
        licence="CC0-1.0",
        home="https://open.fda.gov/apis/device/udi/",
        brings="products by UDI-DI with company, model, product codes and GMDN terms",
        changes="every week",
        stale_after_h=24 * 60,
        kinds=(Kind.LISTING,),
    )

    on_request: ClassVar[bool] = True  # gigabytes, and of use to few

    @staticmethod
    def fetch(desk: Desk) -> Iterator[Arrived]:
        """Yield the files for download, later the products since."""
        return downloads(desk, "udi", "public_version_date")

    @staticmethod
    def recognises(name: str, head: bytes) -> bool:
        """Tell an answer by identifiers beside a brand."""
        del name
        return is_answer(head, b'"identifiers"', b'"brand_name"')

    @staticmethod
    def read(stream: IO[bytes], origin: Provenance) -> Iterator[Item]:
        """Yield one listing per product under its primary identifier."""

        def made(held: _Listed) -> Listing:
            primary = next((i.id for i in held.identifiers if i.type == "Primary" and i.id), "")
            if not primary:
                raise ValueError("a product without a primary identifier")
            return Listing(
                id=primary,
                brand=text(held.brand_name, 300),
                model=text(held.version_or_model_number, 300),
                company=text(held.company_name, 300),
                provenance=provenance(
                    origin,
                    day(held.public_version_date) or day(held.publish_date),
                    f"https://accessgudid.nlm.nih.gov/devices/{primary}",
                ),
                catalogue=text(held.catalog_number, 300),
                description=text(held.device_description, 2000),
                status=held.commercial_distribution_status,
                published=day(held.publish_date),
                other_identifiers=tuple(
                    dict.fromkeys(i.id for i in held.identifiers if i.id and i.id != primary)
                ),
                product_codes=tuple(dict.fromkeys(c.code for c in held.product_codes if c.code)),
                gmdn=tuple(dict.fromkeys(t.name for t in held.gmdn_terms if t.name)),
                mri_safety=held.mri_safety,
            )

        return answers(stream, origin, _Listed, made)


FEED = FdaUdi
