"""KEV, EPSS, NVD, CVE 5 and CSAF: what their files say comes out, what is broken is named."""

from __future__ import annotations

import json

import pytest
from tests.feeds import making
from tests.feeds.reading import about, records, rejections

from medwarden.feeds.registry import recognise
from medwarden.model.vulnerability import (
    Advisory,
    Exploitation,
    ProductClaim,
    ProductStatus,
    VersionSpan,
    Vulnerability,
)


def test_kev_brings_days_and_ransomware() -> None:
    data = making.kev("CVE-2026-10001", "CVE-2026-10002")
    first, second = records("kev", data, Exploitation)
    assert (first.kev_added, first.kev_due, first.ransomware) == ("2026-01-01", "2026-01-22", True)
    assert second.ransomware is False
    assert about("kev", data).expected == 2
    assert about("kev", data).updated.startswith("2026-01-02")


@pytest.mark.parametrize("quote", ["", '"'])
def test_kev_comes_as_a_table_too(quote: str) -> None:
    heading = (
        "cveID,vendorProject,product,vulnerabilityName,dateAdded,shortDescription,requiredAction,dueDate,"
        "knownRansomwareCampaignUse,notes,cwes"
    )
    lines = [
        ",".join(f"{quote}{cell}{quote}" for cell in heading.split(",")),
        'CVE-2026-10001,Acme,Pump,Pump flaw,2026-01-01,"Two\nlines",Patch,2026-01-22,Known,,CWE-1',
        "CVE-2026-10002,Acme,Pump,Pump flaw,2026-01-09,x,Patch,2026-01-30,Unknown,,",
        "no id,Acme,Pump,Pump flaw,2026-01-10,x,Patch,2026-01-30,Unknown,,",
        "CVE-2026-10003,Acme",
    ]
    data = ("\r\n".join(lines) + "\r\n").encode()
    first, second = records("kev", data, Exploitation)
    assert (first.kev_added, first.kev_due, first.ransomware) == ("2026-01-01", "2026-01-22", True)
    assert second.ransomware is False
    assert about("kev", data).updated == "2026-01-09"
    assert rejections("kev", data) == [
        "file, line 5: 'no id' is no CVE id",
        "file, line 6: 2 cells, where the heading has 11",
    ]


def test_kev_names_an_entry_that_is_none_and_keeps_the_others() -> None:
    data = making.kev("CVE-2026-10001", "no id", "CVE-2026-10003")
    assert [r.id for r in records("kev", data, Exploitation)] == ["CVE-2026-10001", "CVE-2026-10003"]
    (sentence,) = rejections("kev", data)
    assert sentence.startswith("file, byte ") and "'no id' is no CVE id" in sentence


def test_epss_reads_model_day_and_scores() -> None:
    data = making.epss(CVE_2026_10001=("0.91", "0.999"), CVE_2026_10002=("7e-05", "0.004"))
    first, second = records("epss", data, Exploitation)
    assert (first.epss, first.epss_percentile, first.epss_day) == (0.91, 0.999, "2026-01-02")
    assert second.epss == 7e-05
    assert about("epss", data).version == "v2026.01.01"


@pytest.mark.parametrize(
    "line", ["CVE-2026-1,0.1,0.1", "CVE-2026-10001,1.5,0.1", "CVE-2026-10001,nan,0.1", "CVE-2026-10001,0.1"]
)
def test_epss_names_a_line_that_cannot_be(line: str) -> None:
    data = making.epss(CVE_2026_10009=("0.1", "0.1")) + line.encode() + b"\n"
    assert len(records("epss", data, Exploitation)) == 1
    assert rejections("epss", data)[0].startswith("file, line 4: ")


def test_a_schema_of_advisories_is_no_advisory_and_one_that_names_its_schema_is() -> None:
    address = "https://docs.oasis-open.org/csaf/csaf/v2.1/schema/"
    parts: dict[str, object] = {"properties": {"document": {"properties": {"csaf_version": {}}}}}
    schema = {"$schema": f"{address}meta.json", "$id": f"{address}csaf.json", **parts}
    assert recognise("csaf.json", json.dumps(schema).encode()) is None
    document = {"$schema": f"{address}csaf.json", **json.loads(making.csaf())}
    assert records("csaf", json.dumps(document).encode(), Advisory)


def test_nvd_reads_ranges_single_versions_and_platforms() -> None:
    matches: list[dict[str, object]] = [
        {
            "vulnerable": True,
            "criteria": "cpe:2.3:o:acme:pump_os:*:*:*:*:*:*:*:*",
            "versionStartIncluding": "1.0",
            "versionEndExcluding": "2.1",
        },
        {"vulnerable": True, "criteria": "cpe:2.3:o:acme:pump_os:3.0:*:*:*:*:*:*:*"},
        {"vulnerable": True, "criteria": "cpe:2.3:o:acme:pump_os:3.1:sp1:*:*:*:*:*:*"},
    ]
    cve = making.nvd_cve("CVE-2026-10001", *matches)
    hardware = {"vulnerable": False, "criteria": "cpe:2.3:h:acme:pump:-:*:*:*:*:*:*:*"}
    cve["configurations"] = [
        {
            "operator": "AND",
            "nodes": [{"operator": "OR", "cpeMatch": matches}, {"operator": "OR", "cpeMatch": [hardware]}],
        }
    ]
    (found,) = records("nvd", making.nvd(cve), Vulnerability)
    (claim,) = found.claims
    assert (claim.vendor, claim.product, claim.part) == ("acme", "pump os", "o")
    assert claim.spans == (
        VersionSpan(low="1.0", high="2.1"),
        VersionSpan(exact="3.0"),
        VersionSpan(exact="3.1 sp1"),
    )
    assert claim.platforms == (hardware["criteria"],)
    assert found.description == "A flaw."
    assert found.cwes == ("CWE-798",)
    assert [(s.version, s.score) for s in found.scores] == [("3.1", 9.8)]
    assert found.references == ("https://example.org/a",)


def test_nvd_names_the_byte_of_a_record_that_is_changed_and_keeps_the_others() -> None:
    good, bad = making.nvd_cve("CVE-2026-10001"), making.nvd_cve("CVE-2026-10002")
    bad["configurations"] = {"nodes": "elsewhere"}
    data = making.nvd(good, bad)
    assert [v.id for v in records("nvd", data, Vulnerability)] == ["CVE-2026-10001"]
    (sentence,) = rejections("nvd", data)
    assert f"byte {data.index(b'{', data.index(b'}}, {') + 3)}" in sentence
    assert "$.cve.configurations" in sentence


@pytest.mark.parametrize(
    ("affected", "expected"),
    [
        (
            {
                "vendor": "Acme",
                "product": "Pump",
                "defaultStatus": "unaffected",
                "versions": [
                    {"version": "0", "lessThan": "2.1", "status": "affected", "versionType": "semver"}
                ],
            },
            [(ProductStatus.AFFECTED, "", (VersionSpan(high="2.1"),))],
        ),
        (
            {
                "vendor": "Acme",
                "product": "Pump",
                "versions": [
                    {"version": "1.0", "lessThanOrEqual": "1.9", "status": "affected"},
                    {"version": "2.0", "status": "unaffected"},
                ],
            },
            [
                (ProductStatus.AFFECTED, "", (VersionSpan(low="1.0", high="1.9", high_included=True),)),
                (ProductStatus.NOT_AFFECTED, "", (VersionSpan(exact="2.0"),)),
            ],
        ),
        (
            {
                "vendor": "Acme",
                "product": "Pump",
                "versions": [{"version": "2.3.6 and below", "status": "affected"}],
            },
            [(ProductStatus.AFFECTED, "2.3.6 and below", ())],
        ),
        (
            {
                "vendor": "Acme",
                "product": "Pump",
                "defaultStatus": "affected",
                "versions": [{"version": "3.0", "lessThan": "*", "status": "unaffected"}],
            },
            [
                (ProductStatus.NOT_AFFECTED, "", (VersionSpan(low="3.0"),)),
                (ProductStatus.AFFECTED, "", (VersionSpan(),)),
            ],
        ),
        (
            {
                "vendor": "Acme",
                "product": "Pump",
                "versions": [
                    {
                        "version": "1.0",
                        "lessThan": "2.0",
                        "status": "affected",
                        "changes": [{"at": "1.5", "status": "unaffected"}],
                    }
                ],
            },
            [
                (ProductStatus.AFFECTED, "", (VersionSpan(low="1.0", high="1.5"),)),
                (ProductStatus.NOT_AFFECTED, "", (VersionSpan(low="1.5", high="2.0"),)),
            ],
        ),
        ({"vendor": "Acme", "product": "Pump"}, [(ProductStatus.AFFECTED, "unspecified", ())]),
        (
            {"vendor": "Acme", "product": "Pump", "defaultStatus": "unaffected"},
            [(ProductStatus.NOT_AFFECTED, "", (VersionSpan(),))],
        ),
        (
            {
                "vendor": "Acme",
                "product": "Pump",
                "versions": [
                    {"version": "0f3a", "lessThan": "1b2c", "status": "affected", "versionType": "git"}
                ],
            },
            [(ProductStatus.AFFECTED, "commits only", ())],
        ),
    ],
)
def test_cve5_reads_affected_versions(
    affected: dict[str, object], expected: list[tuple[object, ...]]
) -> None:
    (found,) = records("cve5", making.cve5("CVE-2026-10001", [affected]), Vulnerability)
    assert [(c.status, c.version, c.spans) for c in found.claims] == expected


def test_cve5_brings_cisas_word_on_its_use() -> None:
    (use,) = records("cve5", making.cve5("CVE-2026-10001", []), Exploitation)
    assert (use.activity, use.automatable, use.impact) == ("poc", True, "total")


def test_csaf_reads_products_statuses_scores_and_remedies() -> None:
    (advisory,) = records("csaf", making.csaf(), Advisory)
    assert (advisory.id, advisory.publisher, advisory.url) == (
        "ACME-2026-001",
        "Acme",
        "https://acme.example/a",
    )
    (flaw,) = advisory.vulnerabilities
    affected, fixed = flaw.claims
    assert (affected.status, affected.vendor, affected.product) == (ProductStatus.AFFECTED, "Acme ", "Pump")
    assert affected.spans == (VersionSpan(high="2.1"),)
    assert (fixed.status, fixed.spans) == (ProductStatus.FIXED, (VersionSpan(exact="2.1"),))
    assert flaw.remedies[0].products == ("P1",) == (affected.product_id,)
    assert flaw.remedies[0].fixes is True
    assert flaw.scores[0].score == 7.5


def test_csaf_reads_relationships_groups_and_helpers() -> None:
    helper = {
        "model_numbers": ["M-1"],
        "serial_numbers": ["S*"],
        "cpe": "cpe:2.3:h:acme:monitor:-:*:*:*:*:*:*:*",
    }
    tree: dict[str, object] = {
        "full_product_names": [
            {"name": "Acme Monitor", "product_id": "M", "product_identification_helper": helper}
        ],
        "relationships": [
            {
                "category": "installed_on",
                "product_reference": "P1",
                "relates_to_product_reference": "M",
                "full_product_name": {"name": "Pump software on Monitor", "product_id": "R"},
            }
        ],
        "product_groups": [{"group_id": "G", "product_ids": ["R", "M"]}],
    }
    data = making.csaf(
        tree=tree,
        status={"known_affected": ["R"], "known_not_affected": ["M"]},
        remediations=[{"category": "no_fix_planned", "details": "None.", "group_ids": ["G"]}],
    )
    (flaw,) = records("csaf", data, Advisory)[0].vulnerabilities
    on, monitor = flaw.claims
    assert (on.product, on.version, on.platforms) == ("Pump", "vers:generic/<2.1", ("Acme Monitor",))
    assert on.model_numbers == ("M-1",)
    assert (monitor.part, monitor.serial_numbers) == ("h", ("S*",))
    assert flaw.remedies[0].products == ("R", "M")
    assert flaw.remedies[0].fixes is False


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": {"known_affected": ["P9"]}}, "'P9', which the document does not list"),
        ({"status": {"sometimes": ["P1"]}}, "a product status 'sometimes'"),
        ({"id": " "}, "a document without an id"),
    ],
)
def test_csaf_rejects_what_contradicts_itself(change: dict[str, object], words: str) -> None:
    (sentence,) = rejections("csaf", making.csaf(**change))  # type: ignore[arg-type]  # a case per argument
    assert words in sentence


def test_claims_hold_text_as_published() -> None:
    branches: list[dict[str, object]] = [
        {
            "category": "vendor",
            "name": "Phillips",
            "branches": [
                {
                    "category": "product_name",
                    "name": "Vue",
                    "branches": [
                        {
                            "category": "product_version_range",
                            "name": "<= 12.2.x.x",
                            "product": {"name": "Vue: 12.2.x.x and prior", "product_id": "P1"},
                        }
                    ],
                }
            ],
        }
    ]
    (advisory,) = records("csaf", making.csaf(branches=branches, status={"known_affected": ["P1"]}), Advisory)
    assert advisory.vulnerabilities[0].claims == (
        ProductClaim(
            status=ProductStatus.AFFECTED,
            vendor="Phillips",
            product="Vue",
            version="<= 12.2.x.x",
            product_id="P1",
            name="Vue: 12.2.x.x and prior",
        ),
    )


@pytest.mark.parametrize("feed", ["cve5", "csaf"])
def test_a_document_of_another_version_is_rejected_with_its_version(feed: str) -> None:
    data = making.cve5("CVE-2026-10001", []) if feed == "cve5" else making.csaf()
    record = json.loads(data)
    if feed == "cve5":
        record["dataVersion"] = "6.0"
    else:
        record["document"]["csaf_version"] = "3.0"
    (sentence,) = rejections(feed, json.dumps(record).encode())
    assert "'6.0'" in sentence or "'3.0'" in sentence
