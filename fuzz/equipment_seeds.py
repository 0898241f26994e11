"""Seeds of what hospitals and makers hand us about equipment: lists, identifiers, registers, bills, rules."""

from __future__ import annotations

import io
import json
import zipfile

_TYPES = (
    b'<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    b'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    b'<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    b'spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/'
    b'vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>'
)
_RELATIONS = (
    b'<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
    b'relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
    b'relationships/%s" Target="%s"/></Relationships>'
)
_BOOK = (
    b'<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    b'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>'
    b'<sheet name="A" sheetId="1" r:id="rId1"/></sheets></workbook>'
)


def workbook(sheet: bytes) -> bytes:
    """Return a spreadsheet (ECMA-376) whose one sheet is ``sheet``."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", _TYPES)
        archive.writestr("_rels/.rels", _RELATIONS % (b"officeDocument", b"xl/workbook.xml"))
        archive.writestr("xl/workbook.xml", _BOOK)
        archive.writestr("xl/_rels/workbook.xml.rels", _RELATIONS % (b"worksheet", b"worksheets/sheet1.xml"))
        archive.writestr("xl/worksheets/sheet1.xml", sheet)
    return packed.getvalue()


def _sheet(*rows: str) -> bytes:
    return (
        '<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        f'<dimension ref="A1:C3"/><sheetData>{"".join(rows)}</sheetData></worksheet>'
    ).encode()


def _cells(row: int, *texts: str) -> str:
    cells = "".join(
        f'<c r="{chr(65 + at)}{row}" t="inlineStr"><is><t>{text}</t></is></c>'
        for at, text in enumerate(texts)
    )
    return f'<row r="{row}">{cells}</row>'


_LISTS = {
    "english": b"Asset Tag,Serial Number,MAC Address,Manufacturer,Model,Next PM,Cost,Status\r\n"
    b"A-1,S1,00:09:fb:00:00:01,Philips,MX450,2026-03-04,\"$1,234.50\",In use\r\n"
    b"A-1,S1,0009.fb00.0001,,,04/03/2026,12,Retired\r\n",
    "german": "Inventarnummer;Fabriknr;Gerätebezeichnung;Wartung fällig;Nächste STK;Raum;IP-Adresse\n"
    "17;ÄÖ-1;Infusionspumpe;x;4.3.26;2.17;10.0.0.7, 10.0.0.8\n".encode("cp1252"),
    "servicenow": b"sys_id\tasset_tag\tmodel_id.display_name\tinstall_status\tassigned_to\n"
    b"9d3\tP1\tAlaris 8015\tinstalled\tJane\n",
    "utf16": "Asset No|Serial|Hostname\nA1|\u202eS9\u2028|ct-1\n".encode("utf-16"),
    "formulas": b'Asset Tag,Serial,Model\n=cmd|\' /C calc\'!A0,+1,"@SUM(A1)"\n"open,quote\n-2,\0,x\n',
    "nothing_first": b"\n\nour list,,\nTag,Serial\nT1,S1\nT1,S1,S2\nT2\n",
    "workbook": workbook(_sheet(_cells(1, "Asset Tag", "Serial", "Model"), _cells(2, "A1", "S1", "MX450"))),
}  # fmt: skip
_CELL_KINDS = _sheet(
    _cells(1, "Asset Tag", "Serial", "Next PM"),
    '<row r="2"><c r="A2"><v>17</v></c><c r="B2" t="b"><v>1</v></c><c r="C2" s="1"><v>46000.5</v></c></row>',
    '<row r="3"><c r="A3" t="e"><v>#REF!</v></c><c r="B3" t="str"><f>A2&amp;1</f><v>S3</v></c></row>',
)
_IDENTIFIERS = {
    "gs1": b"(01)04046963000011(11)160924(17)260924(10)A1(21)S-1",
    "scanned": b"]C1010404696300001117260924" + b"10A1\x1d21S-1",
    "gtin": b"4046963000011",
    "hibcc": b"+A99912345/$$52001510X33",
    "serial": b"+A123BJC5D6E71/$+SN7/16D20160924G",
    "iccbba": b"=/A9999XYZ100T0944=,000025=A99971312345600=>014032=}013032&,1000000000000XYZ123",
}
_DEVICES = (
    b"PrimaryDI|brandName|versionModelNumber|companyName|deviceSterile|devicePublishDate\r\n"
    b'04046963000011|"Info|mat"|8713050U|B. BRAUN|false|2016-09-24\r\n00884838000018|IntelliVue|MX450|PHILIPS'
    b" MEDIZIN|true|\r\nbroken|line\r\n"
)
_CODES = b"PrimaryDI|productCode|productCodeName\n04046963000011|FRN|Pump, infusion\n"
_TERMS = b"PrimaryDI|gmdnPTName|gmdnPTDefinition\n04046963000011|General-purpose infusion pump|long\n"
_OTHERS = b"PrimaryDI|deviceId|deviceIdType\n04046963000011|14046963000018|Package\n"
_CLASSES = (
    b"MEDICALSPECIALTY|PRODUCTCODE|DEVICENAME|DEVICECLASS|REGULATIONNUMBER|Implant_Flag\n"
    b"HO|FRN|Pump, Gr\xf6sse|2|880.5725|N\n"
)
_OPENFDA = json.dumps(
    {
        "meta": {"last_updated": "2026-01-02"},
        "results": [
            {
                "identifiers": [
                    {"id": "00884838000018", "type": "Primary"},
                    {"id": "10884838000015", "type": "Package"},
                ],
                "brand_name": "IntelliVue",
                "version_or_model_number": "MX450",
                "company_name": "PHILIPS",
                "product_codes": [{"code": "MHX", "openfda": {"device_class": "2"}}],
                "gmdn_terms": [{"name": "Patient monitor", "code": "36872"}],
                "sterilization": {"is_sterile": "false"},
            },
            {"product_code": "FRN", "device_name": "Pump", "implant_flag": "N"},
            7,
        ],
    }
).encode()
_LOOKED_UP = json.dumps(
    {
        "gudid": {
            "device": {
                "identifiers": {"identifier": [{"deviceId": "04046963000011", "deviceIdType": "Primary"}]},
                "brandName": "Infusomat",
                "productCodes": {"fdaProductCode": [{"productCode": "FRN"}]},
                "gmdnTerms": {"gmdn": [{"gmdnPTName": "Pump"}]},
            }
        },
        "productCodes": [{"productCode": "FRN", "deviceName": "Pump", "deviceClass": "2"}],
    }
).encode()
_BILLS = {
    "cyclonedx_json": json.dumps(
        {
            "bomFormat": "CycloneDX",
            "specVersion": "1.5",
            "metadata": {"timestamp": "2026-01-02T03:04:05Z", "component": {"name": "Pump", "version": "3"}},
            "components": [
                {
                    "bom-ref": "os", "type": "operating-system", "name": "linux", "version": "5.10",
                    "cpe": "cpe:2.3:o:linux:linux_kernel:5.10:*:*:*:*:*:*:*",
                    "components": [{"name": "ssl", "purl": "pkg:generic/openssl@1", "licenses": [
                        {"license": {"id": "MIT"}}, {"expression": "MIT OR X"}]}],
                    "hashes": [{"alg": "SHA-1", "content": "ab"}],
                },
                {"type": "library"},
            ],
            "dependencies": [{"ref": "os", "dependsOn": ["ssl", 7]}],
        }
    ).encode(),
    "cyclonedx_xml": b'<?xml version="1.0"?><bom xmlns="http://cyclonedx.org/schema/bom/1.4"><metadata>'
    b'<timestamp>2026-01-02</timestamp><component type="device"><name>Pump</name></component></metadata>'
    b'<components><component type="library" bom-ref="a"><supplier><name>ACME</name></supplier>'
    b"<group>g</group>"
    b"<name>zlib</name><version>1.2</version><hashes><hash alg=\"MD5\">00</hash></hashes><licenses><license>"
    b"<id>MIT</id></license></licenses><purl>pkg:generic/zlib@1.2</purl></component></components>"
    b'<dependencies><dependency ref="a"><dependency ref="b"/></dependency></dependencies></bom>',
    "entities": b'<!DOCTYPE bom [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    b'<bom xmlns="http://cyclonedx.org/schema/bom/1.4">&b;</bom>',
    "spdx_json": json.dumps(
        {
            "spdxVersion": "SPDX-2.3",
            "name": "pump",
            "creationInfo": {"created": "2026-01-02T03:04:05Z"},
            "packages": [
                {
                    "SPDXID": "SPDXRef-1", "name": "zlib", "versionInfo": "1.2",
                    "supplier": "Organization: ACME (x@example.org)", "licenseDeclared": "Zlib",
                    "externalRefs": [{"referenceType": "purl", "referenceLocator": "pkg:generic/zlib@1.2"}],
                    "checksums": [{"algorithm": "SHA1", "checksumValue": "00"}],
                }
            ],
            "relationships": [
                {"spdxElementId": "SPDXRef-1", "relationshipType": "DEPENDS_ON", "relatedSpdxElement": "x"}
            ],
        }
    ).encode(),
    "spdx_tags": b"SPDXVersion: SPDX-2.3\nDocumentName: pump\nPackageName: zlib\nSPDXID: SPDXRef-1\n"
    b"PackageVersion: 1.2\nPackageSupplier: Organization: ACME (x@example.org)\nPackageComment: <text>a\n"
    b"b</text>\nExternalRef: SECURITY cpe23Type cpe:2.3:a:zlib:zlib:1.2:*:*:*:*:*:*:*\n"
    b"PackageChecksum: SHA1: 0\n"
    b"FileName: ./x\nRelationship: SPDXRef-1 CONTAINS SPDXRef-2\n",
    "spdx_graph": json.dumps(
        {
            "@graph": [
                {"type": "CreationInfo", "specVersion": "3.0.1", "created": "2026-01-02T03:04:05Z"},
                {"type": "Organization", "spdxId": "o", "name": "ACME"},
                {
                    "type": "software_Package", "spdxId": "p", "name": "zlib", "suppliedBy": "o",
                    "software_packageVersion": "1.2", "software_packageUrl": "pkg:generic/zlib@1.2",
                    "verifiedUsing": [{"algorithm": "sha1", "hashValue": "00"}],
                },
                {"type": "simplelicensing_LicenseExpression", "spdxId": "l",
                 "simplelicensing_licenseExpression": "Zlib"},
                {"type": "Relationship", "from": "p", "relationshipType": "hasDeclaredLicense", "to": ["l"]},
                {"type": "Relationship", "from": "p", "relationshipType": "dependsOn", "to": ["q"]},
            ]
        }
    ).encode(),
    "utf16": '{"bomFormat": "CycloneDX", "components": [{"name": "zlib"}]}'.encode("utf-16"),
}  # fmt: skip
_ATTRIBUTES = {
    "both": b"attributes:\n  - {name: clinical_owner, title: Owner, kind: choice, choices: [ICU, OR]}\n"
    b"  - {name: next_test, kind: date, editors: [admin]}\n  - {name: beds, kind: number}\nrules:\n"
    b"  - name: pumps\n    attribute: clinical_owner\n    value: ICU\n    when: {category: infusion_pump, "
    b'subnet: [10.0.0.0/8], book: {department: "ICU*"}, evidence: {dicom.ae_title: [CT*]}, class: IoMT}\n'
    b"  - {name: b, attribute: beds, value: 4}\n  - {name: d, attribute: next_test, value: 2026-03-04}\n",
    "aliases": b"a: &a [x, x]\nb: &b [*a, *a]\n"
    b"rules:\n  - {name: n, attribute: a, value: v, when: {name: *b}}\n",
    "itself": b"attributes: &a\n  - *a\n",
    "odd": b"attributes:\n  - {name: a, title: 2026-02-30}\n  - ? [a]\n    : !!binary x\n",
}
_RULES = {
    "all": b"winners: {department: book, serial: network, os: declared, room: nobody}\nsilent_days: 14\n"
    b"heard_days: 3\naccept: {probability: 0.95, lead: 3}\nfindings: {not_in_books: true}\n",
    "twice": b"silent_days: 1\nsilent_days: 2\nwinners: {department: book, department: network}\n",
}
_ANSWERS = {
    "comma": b"target,devices,what they share,class,category,vendor,model,reason\r\n"
    b"u-0123,4,\"'=x, y\",IoMT,infusion_pump,B. Braun,Space,plate read\r\n"
    b"10.0.0.1 10.0.0.2,,,,,,'-1,\r\n,,,,,x,,\r\n",
    "semicolon": "\ufefftarget;vendor;model\nd-1;Dräger;\n".encode(),
    "twice": b"target\tvendor\tvendor\nd-1\ta\tb\tc\n",
}  # fmt: skip

EQUIPMENT_SEEDS: dict[str, dict[str, bytes]] = {
    "equipment_list": _LISTS,
    "equipment_sheet": {
        "plain": _sheet(_cells(1, "Asset Tag", "Serial", "Model"), _cells(2, "A1", "S1", "MX450")),
        "kinds": _CELL_KINDS,
    },
    "udi": _IDENTIFIERS,
    "gudid": {
        "devices": _DEVICES,
        "codes": _CODES,
        "classes": _CLASSES,
        "openfda": _OPENFDA,
        "looked_up": _LOOKED_UP,
        "surrogate": b'[{"product_code": "FRN", "device_name": "\\ud800"}]',
    },
    "gudid_zip": {"release": b"\n\n\n".join((_DEVICES, _CODES, _TERMS, _OTHERS, _CLASSES, _OPENFDA))},
    "sbom": _BILLS,
    "attributes": _ATTRIBUTES,
    "reconciliation": _RULES,
    "answer_table": _ANSWERS,
}
"""Seeds by the reader that they are for."""
