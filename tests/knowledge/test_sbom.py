from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from medwarden.kernel.errors import MalformedInput
from medwarden.knowledge.sbom import LARGEST, MOST_OBJECTS, Component, read_bill

NESTED = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.5",
    "metadata": {"timestamp": "2026-01-02T03:04:05Z", "component": {"name": "Pump", "version": "3.1"}},
    "components": [
        {
            "type": "operating-system", "bom-ref": "os", "name": "linux", "version": "5.10",
            "cpe": "cpe:2.3:o:linux:linux_kernel:5.10:*:*:*:*:*:*:*",
            "components": [
                {
                    "type": "library", "bom-ref": "ssl", "group": "org.openssl", "name": "openssl",
                    "version": "1.1.1k", "purl": "pkg:generic/openssl@1.1.1k",
                    "supplier": {"name": "OpenSSL"},
                    "licenses": [{"license": {"id": "OpenSSL"}}, {"expression": "MIT OR Apache-2.0"}],
                    "hashes": [{"alg": "SHA-256", "content": "ab" * 32}],
                }
            ],
        },
        {"type": "library", "version": "1"},
    ],
    "dependencies": [{"ref": "os", "dependsOn": ["ssl", 7]}, {"ref": "unknown", "dependsOn": ["os"]}],
}  # fmt: skip

TAGS = """SPDXVersion: SPDX-2.3
DocumentName: pump
Created: 2026-01-02T03:04:05Z
PackageName: openssl
SPDXID: SPDXRef-ssl
PackageVersion: 1.1.1k
PackageSupplier: Organization: OpenSSL (info@openssl.org)
PackageLicenseDeclared: OpenSSL
PackageLicenseConcluded: NOASSERTION
PackageChecksum: SHA1: 85ed0817af83a24ad8da68c2b5094de69833983c
PackageComment: <text>several
SPDXID: not a tag</text>
ExternalRef: PACKAGE-MANAGER purl pkg:generic/openssl@1.1.1k
ExternalRef: SECURITY cpe23Type cpe:2.3:a:openssl:openssl:1.1.1k:*:*:*:*:*:*:*
PackageName: app
SPDXID: SPDXRef-app
FileName: ./x.c
SPDXID: SPDXRef-file
Relationship: SPDXRef-app DEPENDS_ON SPDXRef-ssl
"""

GRAPH = {
    "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
    "@graph": [
        {"type": "CreationInfo", "@id": "_:c", "specVersion": "3.0.1", "created": "2026-01-02T03:04:05Z"},
        {"type": "SpdxDocument", "spdxId": "urn:doc", "name": "pump"},
        {"type": "Organization", "spdxId": "urn:org", "name": "OpenSSL"},
        {"type": "simplelicensing_LicenseExpression", "spdxId": "urn:lic",
         "simplelicensing_licenseExpression": "OpenSSL"},
        {"type": "software_Package", "spdxId": "urn:ssl", "name": "openssl",
         "software_packageVersion": "1.1.1k", "suppliedBy": "urn:org",
         "software_packageUrl": "pkg:generic/openssl@1.1.1k",
         "verifiedUsing": [{"type": "Hash", "algorithm": "sha256", "hashValue": "ab"}]},
        {"type": "software_Package", "spdxId": "urn:app", "name": "app"},
        {"type": "Relationship", "from": "urn:app", "relationshipType": "dependsOn", "to": ["urn:ssl"]},
        {"type": "Relationship", "from": "urn:ssl", "relationshipType": "hasDeclaredLicense",
         "to": ["urn:lic"]},
    ],
}  # fmt: skip


def test_a_cyclonedx_bill_is_read_whole() -> None:
    bill = read_bill(json.dumps(NESTED).encode(), "bom.json")
    assert (bill.format, bill.name, bill.version) == ("CycloneDX 1.5 JSON", "Pump", "3.1")
    assert (bill.said_at, bill.skipped) == ("2026-01-02T03:04:05Z", 1)
    system, ssl = bill.components
    assert (system.name, system.kind, system.depends) == ("linux", "operating-system", ("ssl",))
    assert system.cpe.startswith("cpe:2.3:o:linux")
    assert ssl == Component(
        "ssl", "org.openssl/openssl", "1.1.1k", "library", "OpenSSL", "pkg:generic/openssl@1.1.1k", "",
        ("OpenSSL", "MIT OR Apache-2.0"), {"SHA-256": "ab" * 32},
    )  # fmt: skip


def test_spdx_in_its_three_forms_says_the_same() -> None:
    tags = read_bill(TAGS.encode(), "bom.spdx")
    graph = read_bill(json.dumps(GRAPH).encode(), "bom.jsonld")
    assert (tags.format, tags.name, graph.format, graph.name) == (
        "SPDX-2.3 tag-value", "pump", "SPDX-3.0.1 JSON-LD", "pump",
    )  # fmt: skip
    for bill in (tags, graph):
        ssl, app = bill.components
        assert (ssl.name, ssl.version, ssl.supplier) == ("openssl", "1.1.1k", "OpenSSL")
        assert (ssl.purl, ssl.licences) == ("pkg:generic/openssl@1.1.1k", ("OpenSSL",))
        assert (app.name, app.depends) == ("app", (ssl.ref,))
    assert tags.components[0].hashes == {"SHA1": "85ed0817af83a24ad8da68c2b5094de69833983c"}
    assert tags.components[1].ref == "SPDXRef-app"


def examples(shared: Path) -> Iterator[tuple[str, bytes]]:
    packed = (shared / "knowledge/standards/cyclonedx_bom_examples.tar.zst").read_bytes()
    text = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
    with tarfile.open(fileobj=io.BytesIO(text)) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None and "/SBOM/" in f"/{member.name}" and member.name.endswith((".json", ".xml")):
                yield member.name, file.read()


def said(component: Component) -> tuple[object, ...]:
    """Return what a component says, whatever its place and reference are."""
    return component.name, component.version, component.purl, component.kind, len(component.depends)


def test_real_bills_say_the_same_as_json_and_as_xml(shared: Path) -> None:
    read = {name: read_bill(document, name) for name, document in examples(shared)}
    compared = 0
    for name, bill in read.items():
        other = read.get(name.removesuffix(".json") + ".xml") if name.endswith(".json") else None
        if other is None:
            continue
        compared += 1
        assert sorted(map(said, bill.components)) == sorted(map(said, other.components)), name
    assert compared >= 10


def test_real_bills_of_spdx_are_read_also_where_they_refer_in_circles(shared: Path) -> None:
    found = {
        path.name: read_bill(path.read_bytes(), path.name)
        for path in (shared / "knowledge/standards/spdx").glob("*.json")
    }
    assert len(found["openssl-3.0.7-18.el9_2.spdx.alias.json"].components) == 38
    assert sum(len(c.depends) for c in found["loop.json"].components) == 3


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><bom>&b;</bom>', "document type"),
        (b"<bom/>", "no CycloneDX"),
        (b'<bom xmlns="http://cyclonedx.org/schema/bom/1.4">', "not well-formed"),
        (b'<bom xmlns="http://cyclonedx.org/schema/bom/1.4">' + b"<a>" * 5000, "nest deeper"),
        (b'<?xml version="1.0" encoding="no-such"?><bom/>', "XML"),
        (b'{"bomFormat": "CycloneDX"', "no JSON"),
        (b'{"a":' * 100_000, "no JSON"),
        (b'{"some": "thing"}', "neither"),
        (b"SPDXVersion: SPDX-2.3\nPackageComment: <text>no end\n", "has no end"),
        (b"hello", "neither"),
        (b"", "neither"),
    ],
)
def test_hostile_and_broken_bills_are_one_named_error(document: bytes, reason: str) -> None:
    with pytest.raises(MalformedInput, match=reason):
        read_bill(document, "x")


def test_a_huge_or_deep_bill_is_refused() -> None:
    with pytest.raises(MalformedInput, match="larger than"):
        read_bill(b" " * (LARGEST + 1), "x")
    deep: dict[str, object] = {"name": "x"}
    for _ in range(100):
        deep = {"name": "x", "components": [deep]}
    with pytest.raises(MalformedInput, match="nest deeper"):
        read_bill(json.dumps({"bomFormat": "CycloneDX", "components": [deep]}).encode(), "x")


def test_references_that_repeat_are_told_apart() -> None:
    twice = {
        "bomFormat": "CycloneDX",
        "components": [{"name": "a", "bom-ref": "r"}, {"name": "b", "bom-ref": "r"}],
    }
    assert [c.ref for c in read_bill(json.dumps(twice).encode(), "x").components] == ["r", "r#2"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["components", "name", "licenses", "license", "dependencies", "dependsOn", "hashes", "packages",
             "externalRefs", "relationships", "metadata", "component", "spdxVersion", "@graph", "type", "ref"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(JSON, st.sampled_from(["bomFormat", "spdxVersion", "none"]))
def test_json_of_any_shape_is_a_bill_or_one_named_error(inner: object, mark: str) -> None:
    told = {**(inner if isinstance(inner, dict) else {"components": inner})}
    if mark != "none":
        told[mark] = {"bomFormat": "CycloneDX", "spdxVersion": "SPDX-2.3"}[mark]
    try:
        read_bill(json.dumps(told).encode(), "x")
    except MalformedInput as error:
        assert error.source == "x"


@given(st.one_of(st.binary(max_size=200), st.text("<>/ab: \nSPDXVersion", max_size=200).map(str.encode)))
def test_any_bytes_are_a_bill_or_one_named_error(document: bytes) -> None:
    for head in (b"", b"SPDXVersion: SPDX-2.3\n", b'<bom xmlns="http://cyclonedx.org/schema/bom/1.4">'):
        try:
            read_bill(head + document, "x")
        except MalformedInput as error:
            assert error.source == "x"


def test_many_components_of_one_reference_get_references_of_their_own() -> None:
    same = [{"name": "x", "bom-ref": "a"}] * 20_000
    bill = read_bill(json.dumps({"bomFormat": "CycloneDX", "components": same}).encode(), "x")
    assert len({component.ref for component in bill.components}) == 20_000
    assert [component.ref for component in bill.components[:3]] == ["a", "a#2", "a#3"]


def test_long_texts_are_cut_before_anything_is_looked_for_in_them() -> None:
    supplier = "Organization: " + "(" * 300_000 + " " * 300_000 + "@" * 300_000
    package = {"name": " " * 100_000 + "zlib", "versionInfo": "\x01" * 100_000, "supplier": supplier}
    bill = read_bill(json.dumps({"spdxVersion": "SPDX-2.3", "packages": [package]}).encode(), "x")
    (component,) = bill.components
    assert (component.name, component.version) == ("zlib", "")
    assert len(component.supplier) <= 255


def test_licences_that_are_related_without_end_are_bounded() -> None:
    related = {"type": "Relationship", "from": "p", "relationshipType": "hasDeclaredLicense"}
    graph = [{**related, "to": [f"l{n}"]} for n in range(5000)]
    graph += [{"type": "software_Package", "spdxId": "p", "name": f"z{n}"} for n in range(2000)]
    bill = read_bill(json.dumps({"@graph": graph}).encode(), "x")
    assert len(bill.components) == 2000
    assert {len(component.licences) for component in bill.components} == {50}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_a_bill_that_a_shell_wrote_is_read(encoding: str) -> None:
    mark = "\ufeff" if encoding == "utf-16-le" else ""
    for text in (json.dumps({"bomFormat": "CycloneDX", "components": [{"name": "x"}]}), TAGS):
        assert read_bill((mark + text).encode(encoding), "x").components


def test_lines_end_where_files_end_them_and_nowhere_else() -> None:
    bill = read_bill(
        TAGS.replace("1.1.1k\nPackageSupplier", "1\x0b1\u20281k\r\nPackageSupplier").encode(), "x"
    )
    assert bill.components[0].version == "1 1 1k"
    assert bill.components[0].supplier == "OpenSSL"


TOOLS = b"""<?xml version="1.0"?><bom xmlns="http://cyclonedx.org/schema/bom/1.6"><metadata>
<tools><components><component type="application"><name>syft</name>
<version>1.4</version></component></components></tools>
<component type="device" bom-ref="p"><name>Pump</name><version>3.1</version></component></metadata>
<components><component type="library" bom-ref="a"><supplier>
<name>Maker</name><contact><name>A Person</name></contact>
</supplier><name>zlib</name><version>1.2.11</version><hashes><hash alg="SHA-256">aa</hash></hashes>
<licenses><license><id>Zlib</id></license></licenses>
<externalReferences><reference type="distribution"><url>x</url>
<hashes><hash alg="SHA-256">bb</hash></hashes></reference></externalReferences>
<evidence><licenses><license><id>GPL-3.0-only</id></license></licenses></evidence>
<pedigree><ancestors><component type="library"><name>old-zlib</name></component></ancestors></pedigree>
</component></components>
<annotations><annotation><annotator><component type="application"><name>scanner</name></component></annotator>
</annotation></annotations>
<formulation><formula><components><component type="platform">
<name>build-machine</name></component></components>
</formula></formulation></bom>"""


def test_what_made_a_bill_and_what_it_refers_to_is_not_in_the_product() -> None:
    bill = read_bill(TOOLS, "bom.xml")
    assert [c.name for c in bill.components] == ["zlib"], "no tool, ancestor, annotator or build machine"
    (zlib,) = bill.components
    assert (zlib.supplier, zlib.hashes, zlib.licences) == ("Maker", {"SHA-256": "aa"}, ("Zlib",))
    assert (bill.name, bill.version, bill.skipped) == ("Pump", "3.1", 0)


@pytest.mark.parametrize("wrapper", ["sbom", "predicate"])
def test_a_bill_inside_another_document_is_read(wrapper: str) -> None:
    """GitHub exports ``{"sbom": ...}``; attestations carry the bill as predicate of an in-toto statement."""
    plain = read_bill(json.dumps(NESTED).encode(), "bom.json")
    carried = {"_type": "https://in-toto.io/Statement/v1", wrapper: NESTED}
    assert read_bill(json.dumps(carried).encode(), "bom.json") == plain
    with pytest.raises(MalformedInput, match="neither"):
        read_bill(json.dumps({wrapper: {"packages": []}}).encode(), "bom.json")
    with pytest.raises(MalformedInput, match="neither"):
        read_bill(json.dumps({wrapper: {wrapper: NESTED}}).encode(), "bom.json")


def test_a_tag_value_bill_in_the_code_page_of_windows_keeps_its_names() -> None:
    text = TAGS.replace(
        "PackageSupplier: Organization: OpenSSL", "PackageSupplier: Organization: M\u00fcller"
    )
    assert "M\u00fcller" in text
    (told, *_) = read_bill(text.encode("cp1252"), "bom.spdx").components
    assert told.supplier.startswith("M\u00fcller")


def test_a_file_of_empty_objects_does_not_fill_the_memory() -> None:
    document = b'{"bomFormat":"CycloneDX","components":[' + b"{}," * MOST_OBJECTS + b"{}]}"
    with pytest.raises(MalformedInput, match="objects"):
        read_bill(document, "bom.json")
