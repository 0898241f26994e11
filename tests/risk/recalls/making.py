"""Recalls, notices and devices for tests, made by hand."""

from __future__ import annotations

from medwarden.model.recall import Recall, RecallClass
from medwarden.model.vulnerability import Provenance
from medwarden.risk.recalls.facts import DeviceFacts, Said
from medwarden.risk.recalls.notice import Notice, of_recalls


def recall(
    number: str = "Z-0001-2026",
    *,
    codes: str = "",
    product: str = "Alaris PC Unit, Model 8015, infusion pump",
    maker: str = "CareFusion 303, Inc.",
    feed: str = "fda_recall",
    recall_class: RecallClass = RecallClass.UNCLASSIFIED,
    status: str = "Open, Classified",
    begun: str = "2026-01-01",
    ended: str = "",
    identifiers: tuple[str, ...] = (),
) -> Recall:
    """Return a recall as a feed brings it."""
    return Recall(
        id=number,
        title=product,
        maker=maker,
        product=product,
        reason="It may stop.",
        action="Stop using it.",
        provenance=Provenance(feed, "made up"),
        recall_class=recall_class,
        status=status,
        begun=begun,
        ended=ended,
        device_identifiers=identifiers,
        codes=codes,
        product_codes=("FRN",) if feed == "fda_recall" else (),
    )


def notice(number: str = "Z-0001-2026", codes: str = "", **more: object) -> Notice:
    """Return the notice that comes of one recall."""
    return of_recalls([recall(number, codes=codes, **more)])  # type: ignore[arg-type]  # as recall() has them


def pump(
    device: str = "d1",
    *,
    model: str = "Alaris 8015",
    serial: str = "",
    lot: str = "",
    firmware: str = "",
    udi: str = "",
    made: str = "",
    bought: str = "",
    vendor: str = "BD",
    model_sure: bool = True,
) -> DeviceFacts:
    """Return a device as recalls look at it."""

    def said(value: str, field: str) -> tuple[Said, ...]:
        return (Said(value, field),) if value else ()

    return DeviceFacts(
        device,
        "Pump 1",
        vendor,
        model_sure=model_sure,
        models=said(model, "model"),
        identifiers=said(udi, "book:CMMS"),
        lots=said(lot, "book:CMMS"),
        serials=said(serial, "serial"),
        firmware=said(firmware, "firmware"),
        made=said(made, "udi"),
        bought=said(bought, "book:CMMS"),
    )
