"""Recalls and makers' notices about medical devices, and what they say of models, lots and serials.

Fields follow the recall and enforcement reports of the FDA (openFDA ``device/recall`` and
``device/enforcement``) and field safety notices of makers; UDI-DI as in 21 CFR 830.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from medwarden.model.vulnerability import Provenance, VersionSpan


class RecallClass(StrEnum):
    """How bad the consequence may be (21 CFR 7.3 (m)); a notice without a class is ``unclassified``."""

    I = "I"  # noqa: E741 (the authority's own name of the class)
    II = "II"
    III = "III"
    UNCLASSIFIED = "unclassified"


class Recall(msgspec.Struct, frozen=True):
    """One recall or notice: who calls back what and why, and how a device is told to be among it.

    ``codes`` is the publisher's free text on lots and serials; ``lots``, ``serials`` (single ones),
    ``serial_spans`` and ``firmware`` are what a reader made of it. Empty ones say nothing, they do not
    exclude.
    """

    id: str
    title: str
    maker: str
    product: str
    reason: str
    action: str
    provenance: Provenance
    recall_class: RecallClass = RecallClass.UNCLASSIFIED
    status: str = ""
    begun: str = ""
    ended: str = ""
    product_codes: tuple[str, ...] = ()
    device_identifiers: tuple[str, ...] = ()  # UDI-DI
    models: tuple[str, ...] = ()
    codes: str = ""
    lots: tuple[str, ...] = ()
    serials: tuple[str, ...] = ()
    serial_spans: tuple[VersionSpan, ...] = ()
    firmware: tuple[VersionSpan, ...] = ()
    url: str = ""
