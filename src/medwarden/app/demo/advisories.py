"""Published vulnerabilities for the demonstration, as the documents their publishers would send.

``advisories.yaml`` beside this file holds the facts in short; what is made of them are CSAF 2.0 advisories
(OASIS, Common Security Advisory Framework 2.0) and a catalogue of exploited vulnerabilities in the form of
CISA's, so that the demonstration takes the way of every hospital's knowledge.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import yaml

_FACTS = Path(__file__).parent / "advisories.yaml"
_PUBLISHER = "medwarden's demonstration"
_DAY = "T00:00:00Z"


class _Flaw(msgspec.Struct, forbid_unknown_fields=True):
    cve: str
    cwe: str
    score: float
    cvss: str
    note: str


class _Advisory(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    title: str
    released: str
    vendor: str
    products: dict[str, str]
    remedy: tuple[str, str]
    vulnerabilities: list[_Flaw]


class _Exploited(msgspec.Struct, forbid_unknown_fields=True):
    cve: str
    vendor: str
    product: str
    added: str
    due: str
    ransomware: str
    note: str


class _Facts(msgspec.Struct, forbid_unknown_fields=True):
    advisories: list[_Advisory]
    exploited: list[_Exploited]


def write_advisories(folder: Path) -> None:
    """Write the documents into ``folder``, one file each. Raises OSError where the disk refuses."""
    said = yaml.load(_FACTS.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 - text only
    facts = msgspec.convert(said, _Facts, strict=False)
    for advisory in facts.advisories:
        path = folder / f"{advisory.id.lower()}.json"
        path.write_text(json.dumps(_document(advisory)), encoding="utf-8")
    (folder / "known_exploited_vulnerabilities.json").write_text(
        json.dumps(_catalogue(facts.exploited)), encoding="utf-8"
    )


def _document(advisory: _Advisory) -> dict[str, object]:
    ids = {name: f"P{number}" for number, name in enumerate(advisory.products, 1)}
    return {
        "document": {
            "category": "csaf_security_advisory",
            "csaf_version": "2.0",
            "lang": "en",
            "title": advisory.title,
            "publisher": {
                "category": "other",
                "name": _PUBLISHER,
                "namespace": "https://medwarden.invalid/demonstration",
            },
            "tracking": {
                "id": advisory.id,
                "status": "final",
                "version": "1",
                "initial_release_date": advisory.released + _DAY,
                "current_release_date": advisory.released + _DAY,
                "revision_history": [
                    {"date": advisory.released + _DAY, "number": "1", "summary": "Facts as first published"}
                ],
            },
        },
        "product_tree": {
            "branches": [
                {
                    "category": "vendor",
                    "name": advisory.vendor,
                    "branches": [
                        _product(advisory.vendor, name, version, ids[name])
                        for name, version in advisory.products.items()
                    ],
                }
            ]
        },
        "vulnerabilities": [
            _vulnerability(flaw, advisory, list(ids.values())) for flaw in advisory.vulnerabilities
        ],
    }


def _product(vendor: str, name: str, version: str, id: str) -> dict[str, object]:
    whole = {"name": f"{vendor} {name}: {version}", "product_id": id}
    leaf = {"category": "product_version_range", "name": version, "product": whole}
    return {"category": "product_name", "name": name, "branches": [leaf]}


def _vulnerability(flaw: _Flaw, advisory: _Advisory, products: list[str]) -> dict[str, object]:
    category, details = advisory.remedy
    cvss = {
        "version": flaw.cvss.split("/")[0].removeprefix("CVSS:"),
        "vectorString": flaw.cvss,
        "baseScore": flaw.score,
        "baseSeverity": _severity(flaw.score),
    }
    return {
        "cve": flaw.cve,
        "cwe": {"id": flaw.cwe, "name": flaw.cwe},
        "notes": [{"category": "summary", "text": flaw.note}],
        "product_status": {"known_affected": products},
        "remediations": [{"category": category, "details": details, "product_ids": products}],
        "scores": [{"products": products, "cvss_v3": cvss}],
    }


def _severity(score: float) -> str:
    """Return the rating of a base score (CVSS v3.1 specification, section 5)."""
    ratings = ((9.0, "CRITICAL"), (7.0, "HIGH"), (4.0, "MEDIUM"))
    return next((words for least, words in ratings if score >= least), "LOW")


def _catalogue(exploited: list[_Exploited]) -> dict[str, object]:
    return {
        "title": "Exploited vulnerabilities of the demonstration",
        "catalogVersion": max(each.added for each in exploited).replace("-", "."),
        "dateReleased": max(each.added for each in exploited) + _DAY,
        "count": len(exploited),
        "vulnerabilities": [
            {
                "cveID": each.cve,
                "vendorProject": each.vendor,
                "product": each.product,
                "vulnerabilityName": each.note,
                "dateAdded": each.added,
                "shortDescription": each.note,
                "requiredAction": "Install the maker's update.",
                "dueDate": each.due,
                "knownRansomwareCampaignUse": each.ransomware,
                "notes": "",
                "cwes": [],
            }
            for each in exploited
        ],
    }
