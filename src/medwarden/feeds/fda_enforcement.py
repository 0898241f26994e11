"""Enforcement reports of devices as openFDA tells them (``device/enforcement``), which carry the class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, ClassVar

import msgspec

from medwarden.feeds.download import Arrived, Desk
from medwarden.feeds.openfda import answers, day, downloads, is_answer
from medwarden.feeds.origin import provenance, text
from medwarden.feeds.recall_codes import read_codes
from medwarden.model.feed import FeedManifest, Item, Kind
from medwarden.model.recall import Recall, RecallClass
from medwarden.model.vulnerability import Provenance

_CLASSES = {"Class I": RecallClass.I, "Class II": RecallClass.II, "Class III": RecallClass.III}


class _Enforced(msgspec.Struct):
    recalling_firm: str
    recall_number: str = ""
    event_id: str = ""
    product_type: str = "Devices"
    classification: str = ""
    product_description: str = ""
    reason_for_recall: str = ""
    code_info: str = ""
    more_code_info: str = ""
    status: str = ""
    voluntary_mandated: str = ""
    recall_initiation_date: str = ""
    termination_date: str = ""
    report_date: str = ""


class FdaEnforcement:
    """Reads answers and downloads of ``device/enforcement``."""

    manifest: ClassVar[FeedManifest] = FeedManifest(
        id="fda_enforcement",
        title="Enforcement reports of devices (openFDA enforcement)",
        publisher="FDA",
        licence="CC0-1.0",
        home="https://open.fda.gov/apis/device/enforcement/",
        brings="recalls with their class (I, II, III) and status",
        changes="every week",
        stale_after_h=240,
        kinds=(Kind.RECALL,),
    )

    @staticmethod
    def fetch(desk: Desk) -> Iterator[Arrived]:
        """Yield the files for download, later the reports since."""
        return downloads(desk, "enforcement", "report_date")

    @staticmethod
    def recognises(name: str, head: bytes) -> bool:
        """Tell an answer by the fields that only enforcement reports have."""
        del name
        return is_answer(head, b'"recall_initiation_date"', b'"voluntary_mandated"')

    @staticmethod
    def read(stream: IO[bytes], origin: Provenance) -> Iterator[Item]:
        """Yield one recall per report on a device; those on drugs and food are passed over."""

        def made(report: _Enforced) -> Recall | None:
            if report.product_type != "Devices":
                return None
            number = report.recall_number.strip() or (report.event_id and f"event {report.event_id}")
            if not number:
                raise ValueError("a report without number and event")
            codes = read_codes(f"{report.code_info}\n{report.more_code_info}")
            return Recall(
                id=number,
                title=text(report.product_description, 300),
                maker=text(report.recalling_firm, 300),
                product=text(report.product_description),
                reason=text(report.reason_for_recall),
                action=text(report.voluntary_mandated, 200),
                provenance=provenance(
                    origin,
                    max(day(report.report_date), day(report.termination_date)),
                    FdaEnforcement.manifest.home,
                ),
                recall_class=_CLASSES.get(report.classification, RecallClass.UNCLASSIFIED),
                status=text(report.status, 100),
                begun=day(report.recall_initiation_date),
                ended=day(report.termination_date),
                device_identifiers=tuple(codes.identifiers),
                models=tuple(codes.models),
                codes=text(f"{report.code_info}\n{report.more_code_info}"),
                lots=tuple(codes.lots),
                serials=tuple(codes.serials),
                serial_spans=tuple(codes.serial_spans),
                firmware=tuple(codes.firmware),
            )

        return answers(stream, origin, _Enforced, made)


FEED = FdaEnforcement
