"""Recalls of devices as openFDA tells them (``device/recall``: the FDA's recall database, RES)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, ClassVar

import msgspec

from medwarden.feeds.download import Arrived, Desk
from medwarden.feeds.openfda import answers, day, downloads, is_answer
from medwarden.feeds.origin import provenance, text
from medwarden.feeds.recall_codes import read_codes
from medwarden.model.feed import FeedManifest, Item, Kind
from medwarden.model.recall import Recall
from medwarden.model.vulnerability import Provenance

_PAGE = "https://www.accessdata.fda.gov/scripts/cdrh/cfdocs/cfres/res.cfm?id="


class _Recalled(msgspec.Struct):
    product_res_number: str
    recalling_firm: str
    product_description: str = ""
    reason_for_recall: str = ""
    action: str = ""
    product_code: str = ""
    code_info: str = ""
    recall_status: str = ""
    cfres_id: str = ""
    event_date_initiated: str = ""
    event_date_created: str = ""
    event_date_posted: str = ""
    event_date_terminated: str = ""
    root_cause_description: str = ""


class FdaRecall:
    """Reads answers and downloads of ``device/recall``."""

    manifest: ClassVar[FeedManifest] = FeedManifest(
        id="fda_recall",
        title="Device recalls (openFDA recall)",
        publisher="FDA",
        licence="CC0-1.0",
        home="https://open.fda.gov/apis/device/recall/",
        brings="recalls with reason, action, product, lots and serial numbers",
        changes="every week",
        stale_after_h=240,
        kinds=(Kind.RECALL,),
    )

    @staticmethod
    def fetch(desk: Desk) -> Iterator[Arrived]:
        """Yield the files for download, later the recalls since."""
        return downloads(desk, "recall", "event_date_posted")

    @staticmethod
    def recognises(name: str, head: bytes) -> bool:
        """Tell an answer by the recall's number and its firm."""
        del name
        return is_answer(head, b'"product_res_number"')

    @staticmethod
    def read(stream: IO[bytes], origin: Provenance) -> Iterator[Item]:
        """Yield one recall per record."""

        def made(recalled: _Recalled) -> Recall:
            if not recalled.product_res_number.strip():
                raise ValueError("a recall without its number")
            codes = read_codes(recalled.code_info)
            updated = max(
                day(recalled.event_date_terminated),
                day(recalled.event_date_posted),
                day(recalled.event_date_created),
                day(recalled.event_date_initiated),
            )
            page = f"{_PAGE}{recalled.cfres_id}" if recalled.cfres_id else ""
            return Recall(
                id=recalled.product_res_number.strip(),
                title=text(recalled.product_description, 300),
                maker=text(recalled.recalling_firm, 300),
                product=text(recalled.product_description),
                reason=text(recalled.reason_for_recall),
                action=text(recalled.action),
                provenance=provenance(origin, updated, page),
                status=text(recalled.recall_status, 100),
                begun=day(recalled.event_date_initiated),
                ended=day(recalled.event_date_terminated),
                product_codes=(recalled.product_code,) if recalled.product_code else (),
                device_identifiers=tuple(codes.identifiers),
                models=tuple(codes.models),
                codes=text(recalled.code_info),
                lots=tuple(codes.lots),
                serials=tuple(codes.serials),
                serial_spans=tuple(codes.serial_spans),
                firmware=tuple(codes.firmware),
                url=page,
            )

        return answers(stream, origin, _Recalled, made)


FEED = FdaRecall
