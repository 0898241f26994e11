"""The feeds beside the core: what their files say comes out, what is broken is named."""

from __future__ import annotations

import json

import pytest
from tests.feeds import making
from tests.feeds.reading import about, items, records, rejections

from medwarden.feeds.recall_codes import read_codes
from medwarden.feeds.registry import check_manifests, feed_named, feeds
from medwarden.feeds.remedies import fixes
from medwarden.feeds.versions import spans_of
from medwarden.kernel.errors import ConfigurationError, InternalError, MalformedInput
from medwarden.model.feed import Assignment, Cycle, LifeCycle, Listing, ProductCode, Technique, Weakness
from medwarden.model.recall import Recall, RecallClass
from medwarden.model.vulnerability import Exploitation, VersionSpan, Vulnerability


def test_exploits_are_named_by_their_vulnerabilities() -> None:
    data = making.exploitdb(("50001", "CVE-2026-10001;OSVDB-1"), ("50002", ""), ("x", "CVE-2026-10003"))
    (exploit,) = records("exploitdb", data, Exploitation)
    assert (exploit.id, exploit.exploits) == ("CVE-2026-10001", ("EDB-50001",))
    assert rejections("exploitdb", data) == ["file, line 4: 'x' is no number of an exploit"]


def test_modules_are_named_by_their_vulnerabilities() -> None:
    data = making.metasploit(pump=["CVE-2026-10001", "URL-https://example.org"], none=[])
    assert [(e.id, e.exploits) for e in records("metasploit", data, Exploitation)] == [
        ("CVE-2026-10001", ("MSF:exploit/pump",))
    ]
    assert len(items("metasploit", data)) == 2


def test_an_entry_says_which_module_it_is_a_copy_of_and_where_it_was_first_seen() -> None:
    data = (
        b"id,file,description,date_published,author,type,platform,port,date_added,date_updated,verified,"
        b"codes,tags,aliases,screenshot_url,application_url,source_url\n"
        b"50003,exploits/x.rb,flaw,2026-01-01,Metasploit,remote,hardware,,2026-01-01,2026-01-02,1,"
        b"CVE-2026-10001;CVE-2026-10002,Metasploit Framework (MSF),,,,https://example.org/flaw\n"
    )
    found = records("exploitdb", data, Exploitation)
    assert [e.id for e in found] == ["CVE-2026-10001", "CVE-2026-10002"]
    assert found[0].stands_for == (("MSF:", "EDB-50003"), ("EDB-50003", "URL:https://example.org/flaw"))


def test_a_module_says_which_entries_and_pages_it_was_made_of() -> None:
    references = [
        "CVE-2026-10001",
        "EDB-50001",
        "EDB-x",
        "URL-https://example.org/a",
        "OSVDB-5",
        "URL-ftp://x",
    ]
    (module,) = records("metasploit", making.metasploit(pump=references), Exploitation)
    assert module.stands_for == (
        ("MSF:exploit/pump", "EDB-50001"),
        ("MSF:exploit/pump", "URL:https://example.org/a"),
    )


def test_references_marked_as_exploits_are_told_of_records() -> None:
    cve = making.nvd_cve("CVE-2026-10001")
    cve["references"] = [
        {"url": "https://example.org/poc", "tags": ["Exploit", "Third Party Advisory"]},
        {"url": "https://example.org/fix", "tags": ["Patch"]},
        {"url": "https://example.org/poc", "tags": ["Exploit"]},
    ]
    (use,) = records("nvd", making.nvd(cve, making.nvd_cve("CVE-2026-10002")), Exploitation)
    assert (use.id, use.exploits) == ("CVE-2026-10001", ("URL:https://example.org/poc",))
    links = [{"url": "https://example.org/a"}, {"url": "https://example.org/b", "tags": ["exploit"]}]
    (said,) = records("cve5", making.cve5("CVE-2026-10001", [], references=links), Exploitation)
    assert (said.exploits, said.activity) == (("URL:https://example.org/b",), "poc")


def test_techniques_come_with_domain_and_tactic() -> None:
    (technique,) = records("attack", making.attack("T0855"), Technique)
    assert (technique.id, technique.domains, technique.tactics) == ("T0855", ("ics-attack",), ("impact",))
    assert rejections("attack", making.attack("x"))[0].endswith("no id of ATT&CK")


def test_weaknesses_come_with_name_and_parents() -> None:
    (weakness,) = records("cwe", making.cwe("79"), Weakness)
    assert (weakness.id, weakness.name, weakness.description) == ("CWE-79", "Flaw & 79", "Flaw 79.")
    assert weakness.parents == ("CWE-1",)
    assert about("cwe", making.cwe("79")).version == "4.15"
    assert len(rejections("cwe", making.cwe("79", "x"))) == 1


@pytest.mark.parametrize(
    "data",
    [
        making.cwe("79")[:-20],
        making.cwe("79").replace(b"<Weakness_Catalog", b'<!DOCTYPE x [<!ENTITY a "b">]><Weakness_Catalog', 1),
    ],
    ids=["cut", "document type"],
)
def test_a_catalogue_that_cannot_be_trusted_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedInput):
        items("cwe", data)


def test_address_blocks_come_without_the_addresses_of_organisations() -> None:
    data = making.oui(
        ("MA-L", "00AABB", "Acme, Inc."), ("MA-M", "00AABB", "x"), ("MA-S", "00AABBCC1", "Pump GmbH")
    )
    found = records("oui", data, Assignment)
    assert [(a.id, a.organisation, a.registry) for a in found] == [
        ("00AABB", "Acme, Inc.", "MA-L"),
        ("00AABBCC1", "Pump GmbH", "MA-S"),
    ]
    assert "Road" not in repr(found)
    assert rejections("oui", data) == ["file, line 3: no block '00AABB' of 'MA-M'"]


@pytest.mark.parametrize("data", [making.eol_page(), making.eol_answer("acme-os")], ids=["page", "answer"])
def test_life_cycles_come_from_pages_and_from_the_api(data: bytes) -> None:
    (product,) = records("end_of_life", data, LifeCycle)
    assert (product.id, product.category, product.identifiers) == ("acme-os", "os", ("cpe:2.3:o:acme:os",))
    ten, eleven = product.cycles
    assert (ten.name, ten.released, ten.security_ends, ten.latest) == (
        "10",
        "2020-01-01",
        "2024-01-01",
        "10.4",
    )
    assert (eleven.security_ends, eleven.ended) == (None, False)


def test_a_page_keeps_support_and_paid_support_apart() -> None:
    (product,) = records("end_of_life", making.eol_page(), LifeCycle)
    assert product.cycles[0] == Cycle(
        "10", "Acme OS 10", "2020-01-01", "2022-01-01", "2024-01-01", "2026-01-01", None, "10.4"
    )


def test_a_page_with_aliases_or_without_releases_is_rejected() -> None:
    bomb = making.eol_page().replace(b"title: Acme OS", b"title: &a Acme\nother: *a")
    assert "aliases" in rejections("end_of_life", bomb)[0]
    assert (
        "front matter"
        in rejections("end_of_life", making.eol_page().replace(b"title: Acme OS", b"name: x"))[0]
    )


def test_product_codes_come_from_the_table_and_from_answers() -> None:
    table = making.foiclass("FRN|Pump, Infusion, Elektrogerät|2|N|Y", "AN|AN|XXX|too few", "toolong|x|2|N|N")
    (code,) = records("fda_classification", table, ProductCode)
    assert (code.id, code.device_class, code.implant, code.life_support) == ("FRN", "2", False, True)
    assert code.name == "Pump, Infusion, Elektrogerät"
    assert len(rejections("fda_classification", table)) == 2
    answer = making.openfda(
        {
            "product_code": "FRN",
            "device_name": "Pump, Infusion",
            "device_class": "2",
            "regulation_number": "880.5725",
            "life_sustain_support_flag": "Y",
            "implant_flag": "N",
            "gmp_exempt_flag": "N",
        }
    )
    (code,) = records("fda_classification", answer, ProductCode)
    assert (code.regulation, code.life_support) == ("880.5725", True)


def test_recalls_and_reports_come_with_class_codes_and_days() -> None:
    (recall,) = records("fda_recall", making.openfda(making.recall()), Recall)
    assert (recall.id, recall.maker, recall.begun, recall.lots) == (
        "Z-0001-2026",
        "Acme Medical",
        "2026-01-01",
        ("A1234", "B2345"),
    )
    (report,) = records("fda_enforcement", making.openfda(making.enforcement()), Recall)
    assert (report.recall_class, report.begun) == (RecallClass.I, "2026-01-01")
    assert report.serial_spans == (VersionSpan(low="1000", high="2000", high_included=True),)
    drug = making.enforcement() | {"product_type": "Drugs"}
    assert records("fda_enforcement", making.openfda(drug), Recall) == []


def test_products_come_under_their_primary_identifier() -> None:
    data = making.openfda(making.listing(), {"identifiers": [], "brand_name": "x"})
    (product,) = records("fda_udi", data, Listing)
    assert (product.id, product.model, product.product_codes) == ("00812345678901", "P1", ("FRN",))
    assert product.other_identifiers == ("10812345678908",)
    assert len(rejections("fda_udi", data)) == 1


@pytest.mark.parametrize(
    ("text", "field", "expected"),
    [
        ("Lot/Batch Numbers: 13F18C0374, 13F18H0580", "lots", ["13F18C0374", "13F18H0580"]),
        ("Serial numbers: AB100, AB101 and AB102.", "serials", ["AB100", "AB101", "AB102"]),
        ("UDI-DI: 00812345678901; all lots", "identifiers", ["00812345678901"]),
        ("Model Number: P-100, P-200; Lot Number: 77123", "models", ["P-100", "P-200"]),
        ("Software version 1.2.3, 1.3", "firmware", [VersionSpan(exact="1.2.3"), VersionSpan(exact="1.3")]),
        ("All units distributed before May 2018", "lots", []),
        ("Lots: see the attached list", "lots", []),
    ],
)
def test_codes_are_read_where_their_heading_says_what_they_are(
    text: str, field: str, expected: list[object]
) -> None:
    assert getattr(read_codes(text), field) == expected


def test_packages_come_with_ranges_and_purl() -> None:
    data = json.dumps(
        {
            "id": "GHSA-aaaa-bbbb-cccc",
            "modified": "2026-01-02T00:00:00Z",
            "aliases": ["CVE-2026-10001"],
            "affected": [
                {
                    "package": {"ecosystem": "Maven", "name": "org.acme:pump"},
                    "ranges": [
                        {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "7.17"}]},
                        {"type": "SEMVER", "events": [{"introduced": "8.0"}, {"last_affected": "8.3"}]},
                    ],
                }
            ],
        }
    ).encode()
    (flaw,) = records("osv", data, Vulnerability)
    assert flaw.id == "CVE-2026-10001"
    (claim,) = flaw.claims
    assert claim.purl == "pkg:maven/org.acme/pump"
    assert claim.spans == (
        VersionSpan(high="7.17"),
        VersionSpan(low="8.0", high="8.3", high_included=True),
    )


def test_corrections_of_nvd_come_as_claims() -> None:
    match = {
        "vulnerable": True,
        "criteria": "cpe:2.3:a:acme:pump:*:*:*:*:*:*:*:*",
        "versionEndExcluding": "2",
    }
    data = json.dumps(
        {
            "_annotation": {"cve_id": "CVE-2026-10001", "reason": "added"},
            "cve": {"configurations": [{"nodes": [{"cpeMatch": [match]}]}]},
        }
    ).encode()
    (flaw,) = records("nvd_overrides", data, Vulnerability)
    assert flaw.claims[0].spans == (VersionSpan(high="2"),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vers:all/*", (VersionSpan(),)),
        ("vers:generic/>=1.0|<2.0", (VersionSpan(low="1.0", high="2.0"),)),
        ("vers:generic/1.0|2.0", (VersionSpan(exact="1.0"), VersionSpan(exact="2.0"))),
        ("vers:generic/<1.0|>=2.0|<2.5", (VersionSpan(high="1.0"), VersionSpan(low="2.0", high="2.5"))),
        (">=v1.0.0|<v3.0.4", (VersionSpan(low="v1.0.0", high="v3.0.4"),)),
        ("<= 3.4", (VersionSpan(high="3.4", high_included=True),)),
        ("1.10 | 1.11", (VersionSpan(exact="1.10"), VersionSpan(exact="1.11"))),
        ("> 2", (VersionSpan(low="2", low_included=False),)),
        ("<= 12.2.x.x", ()),
        ("2.3.6 and below", ()),
        ("vers:generic/!=1.0", ()),
        ("<May 2018", ()),
        ("", ()),
    ],
)
def test_only_plain_versions_become_spans(text: str, expected: tuple[VersionSpan, ...]) -> None:
    assert spans_of(text) == expected


@pytest.mark.parametrize(
    ("category", "words", "expected"),
    [
        ("vendor_fix", "Acme released version 2.1, which corrects the flaw.", True),
        ("vendor_fix", "There is no fix for this device.", False),
        ("vendor_fix", "The device is end of life; upgrade to the successor.", None),
        ("vendor_fix", "Contact Acme.", None),
        ("mitigation", "Update the firewall.", None),
        ("none_available", "Update.", False),
    ],
)
def test_a_fix_is_told_by_its_words(category: str, words: str, expected: bool | None) -> None:
    assert fixes(category, words) is expected


def test_an_unknown_feed_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ConfigurationError, match="kev"):
        feed_named("nothing")


def test_every_manifest_says_all_and_ids_are_taken_once() -> None:
    assert len(feeds()) >= 17
    with pytest.raises(InternalError, match="two feeds share"):
        check_manifests([feed_named("kev"), type("Other", (), {"manifest": feed_named("kev").manifest})])
