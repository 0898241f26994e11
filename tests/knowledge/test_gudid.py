from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medwarden.kernel.errors import MalformedInput, MedwardenError, ResourceError
from medwarden.knowledge.gudid import Gudid, build, facts_of
from medwarden.knowledge.gudid_files import entries

DEVICE = (
    "PrimaryDI|publicDeviceRecordKey|brandName|versionModelNumber|catalogNumber|companyName|deviceDescription|"
    "MRISafetyStatus|deviceSterile|singleUse|deviceCommDistributionStatus|devicePublishDate\n"
    "04046963000011|k1|Infusomat Space|8713050U|8713050U|B. BRAUN MELSUNGEN AG|Volumetric pump|MR Unsafe|"
    "false|false|In Commercial Distribution|2016-09-24\n"
    "00884838000018|k2|IntelliVue|MX450|866062|PHILIPS MEDIZIN SYSTEME BOEBLINGEN GMBH|Patient monitor|"
    "MR Unsafe|false|false|In Commercial Distribution|2016-09-24\n"
    "00884838000025|k3|IntelliVue|MX750|866471|PHILIPS MEDIZIN SYSTEME BOEBLINGEN GMBH|Patient monitor|"
    "MR Unsafe|false|false|In Commercial Distribution|2019-09-24\n"
    "broken|line\n"
)
CODES = (
    "PrimaryDI|productCode|productCodeName\n04046963000011|FRN|Pump, infusion\n00884838000018|MHX|Monitor\n"
)
TERMS = (
    "PrimaryDI|gmdnPTName|gmdnPTDefinition\n04046963000011|General-purpose infusion pump, line-powered|long\n"
)
OTHERS = (
    "PrimaryDI|deviceId|deviceIdType|deviceIdIssuingAgency\n04046963000011|04046963000011|Primary|GS1\n"
    "04046963000011|14046963000018|Package|GS1\n"
)
CLASSES = (
    "REVIEW_PANEL|MEDICALSPECIALTY|PRODUCTCODE|DEVICENAME|DEVICECLASS|REGULATIONNUMBER|Implant_Flag|"
    "Life_Sustain_support_flag\nHO|HO|FRN|Pump, Infusion|2|880.5725|N|Y\n"
)


@pytest.fixture
def release(tmp_path: Path) -> Path:
    path = tmp_path / "AccessGUDID_Delimited_Full_Release.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (
            ("device.txt", DEVICE),
            ("productCodes.txt", CODES),
            ("gmdnTerms.txt", TERMS),
            ("identifiers.txt", OTHERS),
            ("README.txt", "nothing of interest\n"),
        ):
            archive.writestr(name, text)
    return path


def test_a_release_is_found_again_by_identifier(release: Path, tmp_path: Path) -> None:
    classes = tmp_path / "foiclass.txt"
    classes.write_bytes(CLASSES.encode() + "XX|XX|ABC|Größe|1||N|N\n".encode("latin-1"))
    built = build(tmp_path / "k" / "gudid.sqlite", [release, classes])
    assert (built.products, built.codes, built.skipped) == (3, 2, 1)
    assert built.problems == (
        "AccessGUDID_Delimited_Full_Release.zip/device.txt, line 5: 2 cells, where the heading has 12",
    )
    with Gudid(tmp_path / "k" / "gudid.sqlite") as gudid:
        assert gudid.size == 3
        for udi in ("(01)04046963000011(21)4711", "04046963000011", "(01)14046963000018"):
            hit = gudid.by_udi(udi)
            assert hit is not None and hit.score == 1.0
            product = hit.product
            assert (product.di, product.brand) == ("04046963000011", "Infusomat Space")
        (code,) = product.codes
        assert (code.code, code.device_class, code.regulation) == ("FRN", "2", "880.5725")
        assert (code.implant, code.life_support, product.sterile) == (False, True, False)
        assert "infusion_pump" in product.categories
        assert hit is not None
        facts = {fact.field: fact for fact in facts_of(hit)}
        assert facts["gudid.gmdn"].value == "General-purpose infusion pump, line-powered"
        assert facts["gudid.fda_class"].source.startswith("GUDID 04046963000011 (14046963000018 is another")
        assert gudid.by_udi("(01)00208851107347") is None
        with pytest.raises(MalformedInput):
            gudid.by_udi("hello")


def test_a_model_is_looked_up_with_reasons_and_never_at_another_maker(release: Path, tmp_path: Path) -> None:
    build(tmp_path / "gudid.sqlite", [release])
    with Gudid(tmp_path / "gudid.sqlite") as gudid:
        best, *rest = gudid.by_model("Philips", "IntelliVue MX450")
        assert best.product.model == "MX450" and best.score >= 0.9
        assert best.why[0].startswith("maker 'PHILIPS MEDIZIN") and "MX450" in best.why[1]
        assert all(hit.score < best.score for hit in rest)
        assert gudid.by_model("GE HealthCare", "MX450") == []
        assert gudid.by_model("Philips", "") == []
        assert gudid.by_model("B. Braun", "Infusomat Space")[0].product.di == "04046963000011"


def test_imported_again_products_are_replaced(release: Path, tmp_path: Path) -> None:
    build(tmp_path / "gudid.sqlite", [release])
    folder = tmp_path / "later"
    folder.mkdir()
    (folder / "device.txt").write_text(DEVICE.replace("Volumetric pump", "Changed"))
    build(tmp_path / "gudid.sqlite", [folder])
    with Gudid(tmp_path / "gudid.sqlite") as gudid:
        hit = gudid.by_udi("04046963000011")
        assert gudid.size == 3 and hit is not None and hit.product.description == "Changed"
        assert [c.code for c in hit.product.codes] == ["FRN"]


def test_a_file_that_breaks_changes_nothing(release: Path, tmp_path: Path) -> None:
    build(tmp_path / "gudid.sqlite", [release])
    broken = tmp_path / "broken.json"
    broken.write_text('{"results": [{"identifiers": [{"id": "1", "type": "Primary"}]}, {"identifiers"')
    with pytest.raises(MalformedInput, match="breaks off"):
        build(tmp_path / "gudid.sqlite", [broken])
    with Gudid(tmp_path / "gudid.sqlite") as gudid:
        assert gudid.size == 3
    other = tmp_path / "other.txt"
    other.write_text("a|b\n1|2\n")
    with pytest.raises(MalformedInput, match="no table of AccessGUDID"):
        build(tmp_path / "gudid.sqlite", [other])
    with pytest.raises(ResourceError, match="there is no GUDID index"):
        Gudid(tmp_path / "absent.sqlite")


def test_openfda_is_read_as_a_stream(tmp_path: Path) -> None:
    record = {
        "identifiers": [
            {"id": "00887517567062", "type": "Primary"},
            {"id": "10887517567069", "type": "Package"},
        ],
        "brand_name": "CoRoent", "version_or_model_number": "5163284", "company_name": "Nuvasive, Inc.",
        "sterilization": {"is_sterile": "false"},
        "product_codes": [{"code": "MAX", "name": "x", "openfda": {"device_class": "2"}}],
        "gmdn_terms": [{"name": "Cage", "code": "57805"}],
    }  # fmt: skip
    many = [record | {"identifiers": [{"id": str(n), "type": "Primary"}]} for n in range(2000)]
    path = tmp_path / "device-udi.json"
    path.write_text(json.dumps({"meta": {"x": 1}, "results": [record, *many, {"odd": 1}, 7]}, indent=1))
    built = build(tmp_path / "gudid.sqlite", [path])
    assert (built.products, built.skipped) == (2001, 2)
    with Gudid(tmp_path / "gudid.sqlite") as gudid:
        hit = gudid.by_udi("10887517567069")
        assert (
            hit is not None
            and hit.product.codes[0].device_class == "2"
            and hit.product.gmdn == (("Cage", "57805"),)
        )


def test_real_answers_and_the_real_classification(shared: Path, tmp_path: Path) -> None:
    folder = shared / "knowledge/regulatory"
    classes = tmp_path / "foiclass.txt"
    packed = (folder / "fda_classification/foiclass_2020-11.txt.zst").read_bytes()
    classes.write_bytes(zstandard.ZstdDecompressor().decompressobj().decompress(packed))
    answer = folder / "gudid/json_devices_lookup_by_device_identifier_code.json"
    built = build(tmp_path / "gudid.sqlite", [classes, answer])
    assert built.codes > 6000 and built.skipped < 5
    with Gudid(tmp_path / "gudid.sqlite") as gudid:
        hit = gudid.by_udi("08717648200274")
        assert hit is not None
        (code,) = hit.product.codes
        assert (code.code, code.device_class, code.implant, code.life_support) == ("NIQ", "3", True, True)
        assert hit.product.mri_safety == "MR Conditional" and hit.product.sterile is True


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.one_of(
    st.binary(max_size=300),
    st.text('{}[]":,|resultsidentifiers0123\n', max_size=200).map(str.encode),
    st.text("|\n\"abc", max_size=200).map(lambda t: DEVICE.partition("\n")[0].encode() + b"\n" + t.encode()),
))  # fmt: skip
def test_any_file_is_read_or_refused_by_name(tmp_path: Path, document: bytes) -> None:
    path = tmp_path / "any"
    path.write_bytes(document)
    try:
        for entry in entries(path):
            assert entry is not None
    except MedwardenError as error:
        assert "any" in str(error) or "table" in str(error)


@pytest.mark.parametrize(
    "line", ['"' + "x" * 200_000 + "|a", '"a\rb"\rc|d', "|no identifier", "9" * 61 + "|FRN"], ids=range(4)
)
def test_a_line_that_is_none_is_counted_and_the_next_is_read(line: str, tmp_path: Path) -> None:
    table = tmp_path / "codes.txt"
    table.write_bytes(f"PrimaryDI|productCode\n{line}\n04046963000011|FRN\n".encode())
    built = build(tmp_path / "index", [table])
    assert built.skipped == 1
    assert built.problems[0].startswith("codes.txt, line 2: ")


def test_a_product_without_a_primary_identifier_is_counted_and_the_next_is_read(tmp_path: Path) -> None:
    table = tmp_path / "answer.json"
    device = {"identifiers": {"identifier": [{"deviceIdType": "Package", "deviceId": "1"}]}}
    sound = {"identifiers": [{"id": "04046963000011", "type": "Primary"}]}
    table.write_text(
        json.dumps([{"gudid": {"device": device}}, {"identifiers": [{"id": "1", "type": "Package"}]}, sound])
    )
    built = build(tmp_path / "index", [table])
    assert (built.products, built.skipped) == (1, 2)


def test_text_that_cannot_be_stored_is_replaced_and_odd_records_are_counted(tmp_path: Path) -> None:
    table = tmp_path / "codes.json"
    table.write_text(
        '[1, {"product_code": "FRN", "device_name": "\\ud800 pump"}, {"product_code": ["x"]},'
        ' {"identifiers": [{"id": "", "type": "Primary"}]}]'
    )
    built = build(tmp_path / "index", [table])
    assert (built.codes, built.skipped) == (1, 3)


def test_an_archive_with_a_password_or_an_unknown_way_of_packing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "release.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("device.txt", DEVICE)
    packed = path.read_bytes()
    at, listed = packed.index(b"PK\x03\x04"), packed.index(b"PK\x01\x02")
    for local, central, value, words in (
        (6, 8, b"\x01\x00", "damaged archive"),
        (8, 10, b"\x63\x00", "not packed with deflate"),
    ):
        changed = bytearray(packed)
        changed[at + local : at + local + 2] = changed[listed + central : listed + central + 2] = value
        path.write_bytes(changed)
        with pytest.raises(MalformedInput, match=words):
            build(tmp_path / "index", [path])


def test_small_records_in_large_pieces_are_read_once_each(tmp_path: Path) -> None:
    table = tmp_path / "codes.json"
    table.write_text("[" + "7, " * 150_000 + '{"product_code": "FRN", "device_name": "Pump"}]')
    assert build(tmp_path / "index", [table]).skipped == 150_000
