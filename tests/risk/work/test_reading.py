from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from medwarden.kernel.errors import MalformedInput
from medwarden.risk.work.vex.reading import product_by_address, read_vex
from medwarden.risk.work.vex.statement import Reading, VexStatus


def openvex(**changes: object) -> dict[str, object]:
    statement = {
        "vulnerability": {"name": "CVE-2020-0001", "aliases": ["GHSA-aaaa-bbbb-cccc"]},
        "products": [
            {"@id": "https://philips.com/mx450", "identifiers": {"purl": "pkg:generic/philips/mx450@M.03"}},
            "cpe:2.3:h:b_braun:infusomat_space:2.0:*:*:*:*:*:*:*",
        ],
        "status": "not_affected",
        "justification": "component_not_present",
        **changes,
    }
    return {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://philips.com/vex/1",
        "author": "Philips",
        "timestamp": "2026-01-01T00:00:00Z",
        "version": 3,
        "statements": [statement],
    }


def csaf() -> dict[str, object]:
    product = {
        "name": "Philips MX450 M.03",
        "product_id": "P1",
        "product_identification_helper": {"cpe": "cpe:2.3:h:philips:mx450:m.03:*:*:*:*:*:*:*"},
    }
    version = {"category": "product_version", "name": "M.03", "product": product}
    return {
        "document": {
            "category": "csaf_vex",
            "csaf_version": "2.0",
            "publisher": {"category": "vendor", "name": "Philips", "namespace": "https://philips.com"},
            "tracking": {"id": "PHI-1", "version": "2", "current_release_date": "2026-01-01T00:00:00Z"},
        },
        "product_tree": {
            "branches": [
                {
                    "category": "vendor",
                    "name": "Philips",
                    "branches": [{"category": "product_name", "name": "MX450", "branches": [version]}],
                }
            ],
            "product_groups": [{"group_id": "G1", "product_ids": ["P1"]}],
        },
        "vulnerabilities": [
            {
                "cve": "CVE-2020-0001",
                "product_status": {"known_not_affected": ["P1"], "recommended": ["P1"]},
                "flags": [{"label": "vulnerable_code_not_present", "group_ids": ["G1"]}],
                "threats": [{"category": "impact", "details": "no such code", "product_ids": ["P1"]}],
            },
            {"cve": "CVE-2020-0002", "product_status": {"fixed": ["P1"]}},
        ],
    }


def cyclonedx() -> dict[str, object]:
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": "urn:uuid:1",
        "version": 1,
        "metadata": {
            "supplier": {"name": "Philips"},
            "component": {
                "name": "MX450",
                "version": "M.03",
                "bom-ref": "it",
                "supplier": {"name": "Philips"},
            },
        },
        "vulnerabilities": [
            {
                "id": "CVE-2020-0001",
                "analysis": {
                    "state": "not_affected",
                    "justification": "code_not_reachable",
                    "detail": "no way",
                },
                "affects": [
                    {"ref": "it"},
                    {
                        "ref": "urn:cdx:0/1#pkg:generic/philips/x3@1",
                        "versions": [{"version": "2"}, {"version": "3", "status": "affected"}],
                    },
                ],
            }
        ],
    }


def read(document: object) -> Reading:
    return read_vex(json.dumps(document).encode(), "it.json")


def test_openvex_says_one_thing_of_each_product() -> None:
    found = read(openvex())
    assert (found.form, found.author, found.version) == ("openvex", "Philips", "3")
    one, other = found.statements
    assert one.names == ("CVE-2020-0001", "GHSA-AAAA-BBBB-CCCC")
    assert (one.product.vendor, one.product.product, one.product.version) == ("philips", "mx450", "M.03")
    assert (other.product.vendor, other.product.product, other.product.version) == (
        "b braun", "infusomat space", "2.0",
    )  # fmt: skip
    assert (one.says, one.justification) == (VexStatus.NOT_AFFECTED, "component_not_present")
    assert one.place == "statements[0].products[0]"


def test_csaf_takes_names_from_branches_and_grounds_from_flags_and_threats() -> None:
    found = read(csaf())
    assert (found.form, found.document, found.by_vendor) == ("csaf", "PHI-1", True)
    one, other = found.statements
    assert (one.product.vendor, one.product.product, one.product.version) == ("Philips", "MX450", "M.03")
    assert (one.justification, one.text) == ("vulnerable_code_not_present", "no such code")
    assert (other.names, other.says) == (("CVE-2020-0002",), VexStatus.FIXED)
    coordinator = csaf()
    coordinator["document"]["publisher"]["category"] = "coordinator"  # type: ignore[index]
    assert read(coordinator).by_vendor is False


def test_cyclonedx_words_become_those_of_vex_and_versions_told_apart_are_left_out() -> None:
    found = read(cyclonedx())
    assert [(s.product.product, s.product.version) for s in found.statements] == [
        ("MX450", "M.03"),
        ("x3", "2"),
    ]
    assert found.statements[0].justification == "vulnerable_code_not_in_execute_path"
    assert found.author == "Philips"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"status": "safe"}, "statements[0].status"),
        ({"justification": "because"}, "statements[0].justification"),
        ({"justification": None}, "statements[0]"),
        ({"vulnerability": {}}, "statements[0].vulnerability"),
        ({"vulnerability": 7}, "statements[0].vulnerability"),
        ({"products": []}, "statements[0].products"),
        ({"products": [{}]}, "statements[0].products[0]"),
        ({"products": "pkg:x/y"}, "statements[0].products"),
    ],
)
def test_a_statement_that_cannot_be_read_is_named_and_the_others_count(
    change: dict[str, object], place: str
) -> None:
    document = openvex()
    document["statements"] = [*openvex(**change)["statements"], *document["statements"]]  # type: ignore[misc]
    found = read(document)
    assert [problem.place for problem in found.problems] == [place]
    assert {s.place.partition("].")[0] for s in found.statements} == {"statements[1"}


def strange(make: Callable[[dict[str, object]], object]) -> bytes:
    document = csaf()
    make(document)
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "holds no object"),
        (b"{}", "neither OpenVEX"),
        (json.dumps({**openvex(), "author": ""}).encode(), "author: an empty text"),
        (json.dumps({**openvex(), "statements": 3}).encode(), "statements: no list"),
        (json.dumps({**openvex(), "statements": []}).encode(), "makes no statement"),
        (strange(lambda d: d["document"].pop("tracking")), "document.tracking.id"),  # type: ignore[attr-defined]
        (strange(lambda d: d["document"].update(csaf_version="1.2")), "only CSAF 2"),  # type: ignore[attr-defined]
        (strange(lambda d: d.update(product_tree={})), "the product 'P1' is not listed"),
        (json.dumps({**cyclonedx(), "vulnerabilities": [{"id": "CVE-2020-1"}]}).encode(), "analysis.state"),
    ],
)
def test_what_is_no_such_document_is_refused_with_file_and_place(document: bytes, said: str) -> None:
    with pytest.raises(MalformedInput, match=r"it\.json") as caught:
        read_vex(document, "it.json")
    assert said in str(caught.value)


def test_a_product_id_given_twice_is_refused() -> None:
    document = csaf()
    tree = document["product_tree"]
    tree["full_product_names"] = [{"name": "again", "product_id": "P1"}]  # type: ignore[index]
    with pytest.raises(MalformedInput, match="given twice"):
        read(document)


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("cpe:/h:philips:mx450:m.03", ("philips", "mx450", "m.03")),
        ("pkg:rpm/redhat/openssl@1.0.2?arch=x86", ("redhat", "openssl", "1.0.2")),
        ("pkg:not a purl", ("", "", "")),
        ("https://example.org/product", ("", "", "")),
        ("cpe:2.3:a:b\\:c:d*:1", ("b:c", "d*", "1")),
    ],
)
def test_what_an_address_names(address: str, named: tuple[str, str, str]) -> None:
    found = product_by_address(address)
    assert (found.vendor, found.product, found.version) == named
    assert found.name == address


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=12) | st.just("CVE-2020-0001"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["status", "products", "vulnerability", "affects", "analysis", "ref", "branches"]),
        inner,
        max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@given(st.sampled_from([openvex, csaf, cyclonedx]), st.lists(st.integers(0, 60), max_size=6), JSON)
def test_any_part_may_be_anything(
    make: Callable[[], dict[str, object]], path: list[int], value: object
) -> None:
    document: Any = make()
    here: Any = document
    for step in path:
        if not isinstance(here, dict | list) or not here:
            break
        key = sorted(here)[step % len(here)] if isinstance(here, dict) else step % len(here)
        if not isinstance(here[key], dict | list) or step % 7 == 0:
            here[key] = value
            break
        here = here[key]
    try:
        found = read(document)
    except MalformedInput as error:
        assert str(error).startswith("it.json: ")
    else:
        assert found.statements
        assert all(s.names and s.product.name is not None for s in found.statements)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_document_or_an_error_of_ours(document: bytes) -> None:
    with pytest.raises(MalformedInput):
        read_vex(document, "it.json")


def test_published_advisories_are_read_as_statements(shared: Path) -> None:
    """Advisories of the same form say the same things; none of the real ones is lost."""
    read_ones, statements = 0, 0
    for path in sorted((shared / "knowledge" / "vuln" / "csaf_icsma").rglob("*.json"))[:40]:
        found = read_vex(path.read_bytes(), path.name)
        assert not found.problems, (path.name, found.problems[:2])
        assert found.by_vendor is False, "an authority is no maker"
        read_ones, statements = read_ones + 1, statements + len(found.statements)
    assert read_ones == 40
    assert statements > 100


def test_examples_of_cyclonedx_are_read_or_say_why_not(shared: Path) -> None:
    archive = shared / "knowledge" / "standards" / "cyclonedx_bom_examples.tar.zst"
    says: dict[str, int] = {}
    with zstandard.open(archive, "rb") as packed, tarfile.open(fileobj=packed, mode="r|") as examples:
        for entry in examples:
            held = examples.extractfile(entry) if "VEX/" in entry.name and "vex" in entry.name else None
            if held is None or not entry.name.endswith(".json"):
                continue
            try:
                found = read_vex(held.read(), entry.name)
            except MalformedInput as error:
                assert entry.name in str(error)
                continue
            for statement in found.statements:
                says[statement.says.value] = says.get(statement.says.value, 0) + 1
    assert set(says) == {"not_affected", "affected", "fixed", "under_investigation"}
    assert sum(says.values()) > 20
