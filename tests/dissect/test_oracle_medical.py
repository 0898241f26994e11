"""tshark as oracle for DICOM and HL7: every field that both know, over all captures that speak them.

The differences, and why they are right:

- Titles: tshark shows those of an A-ASSOCIATE-AC too, which are not to be tested (PS3.8 table 9-17); we tell
  the called title of the acceptor only, from the request.
- What is accepted: tshark names abstract syntaxes of requests only, so ours are compared for the requestor.
- Elements of the equipment: tshark shows those of every data set; we tell them as ``dicom.source_*`` where
  the sender is not the maker, so both of ours together are compared.
- Modality, institution, station and department: tshark shows those within queries, their answers and
  sequences, we tell of queries only the worklist's; so ours must be among tshark's.
- HL7: tshark splits at ``|`` and ``^`` alone; captures with other separators would differ (there are none).
"""

from __future__ import annotations

import csv
import re
import subprocess
from collections import defaultdict
from pathlib import Path
from xml.etree.ElementTree import Element, iterparse

import pytest
from tests.dissect.test_application_captures import CAPTURES, needs_captures, needs_tshark, observed
from tests.product.patients import hospital, invented

from medwarden.dissect.dicom_uids import SOP_CLASSES, TRANSFER_SYNTAXES
from medwarden.model.evidence import clean

Facts = dict[str, set[tuple[str, str]]]  # field -> (who, value)

_ELEMENT = re.compile(r"\(([0-9a-f]{4},[0-9a-f]{4})\)\s+\d+ .*?\[(\w\w)\] (.*)\Z", re.DOTALL)
_COMMAND = re.compile(r"\(0000,0100\)\s+\d+ Command Field\s+([CN]-[A-Z-]+)-RQ")
_DESTINATION = re.compile(r"\(0000,0600\)\s+\d+ Move Destination\s+(.*)\Z")
_UID = re.compile(r"([0-9]+(?:\.[0-9]+)+)\)?\s*\Z")
_EQUIPMENT = {
    "0008,0070": "manufacturer",
    "0008,1090": "model_name",
    "0018,1000": "device_serial_number",
    "0018,1020": "software_versions",
}
_ELSEWHERE_TOO = {"0008,0060": "modality", "0008,0080": "institution_name", "0008,1010": "station_name"}
_RQ, _AC = "0x01", "0x02"


def names() -> list[str]:
    """Return the captures of the manifest in which tshark hears DICOM or HL7."""
    manifest = CAPTURES / "MANIFEST.tsv"
    if not manifest.is_file():
        return []
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        spoken = {
            row["path"] for row in rows if re.search(r"\b(?:dicom|hl7)", row["protocols(tshark)"] or "")
        }
    return sorted(name for name in spoken if (CAPTURES / name).is_file())


def packets(capture: Path) -> list[Element]:
    """Return the packets of DICOM and HL7 as tshark dissects them."""
    command = ["tshark", "-n", "-r", str(capture), "-Y", "dicom || hl7", "-T", "pdml"]
    command += ["-d", "tcp.port==6661,hl7"]  # by its heuristics tshark misses the first message there
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        return [element for _, element in iterparse(process.stdout) if element.tag == "packet"]


def shown(element: Element, name: str) -> list[str]:
    return [field.get("show", "") for field in element.iter("field") if field.get("name") == name]


def oracle(capture: Path) -> Facts:
    """Return what tshark reads, under the names of our fields."""
    found: Facts = defaultdict(set)
    for packet in packets(capture):
        source, target = (
            (shown(packet, f"ip.{side}") or shown(packet, f"ipv6.{side}"))[0] for side in ("src", "dst")
        )
        for protocol in packet.iter("proto"):
            if protocol.get("name") == "dicom":
                _dicom(protocol, source, target, found)
            elif protocol.get("name") == "hl7":
                _hl7(protocol, source, target, found)
    return {
        field: {(who, clean(value)) for who, value in facts if clean(value)} for field, facts in found.items()
    }


def _dicom(protocol: Element, source: str, target: str, found: Facts) -> None:
    kind = (shown(protocol, "dicom.pdu.type") or [""])[0]
    if kind == _RQ:
        found["dicom.ae_title"] |= {(source, v) for v in shown(protocol, "dicom.assoc.ae.calling")}
        found["dicom.called_ae_title"] |= {(target, v) for v in shown(protocol, "dicom.assoc.ae.called")}
        for name, field, table in (
            ("dicom.pctx.abss.syntax", "dicom.sop_class", SOP_CLASSES),
            ("dicom.pctx.xfer.syntax", "dicom.transfer_syntax", TRANSFER_SYNTAXES),
        ):
            for value in shown(protocol, name):
                uid = _UID.search(value)
                assert uid is not None, value
                found[field].add((source, table.get(uid[1], uid[1])))
    if kind in (_RQ, _AC):
        for name, field in (
            ("dicom.userinfo.uid", "dicom.implementation_class_uid"),
            ("dicom.userinfo.version", "dicom.implementation_version_name"),
            ("dicom.max_pdu_len", "dicom.max_pdu"),
        ):
            found[field] |= {(source, value) for value in shown(protocol, name)}
    for part in protocol.iter("field"):
        text = part.get("show", "")
        if command := _COMMAND.match(text):
            found["dicom.command"].add((source, command[1]))
        elif destination := _DESTINATION.match(text):
            found["dicom.move_destination"].add((source, destination[1]))
        elif (element := _ELEMENT.match(text)) and element[3] != "<Empty>":
            fact = _EQUIPMENT.get(element[1]) or _ELSEWHERE_TOO.get(element[1])
            if fact is not None:
                found[f"dicom.{fact}"].add((source, element[3]))


def _hl7(protocol: Element, source: str, target: str, found: Facts) -> None:
    kind = ""
    for segment in shown(protocol, "hl7.segment"):
        fields = [*segment.rstrip("\r").split("|"), *[""] * 20]
        first = [field.partition("^")[0] for field in fields]
        if fields[0] == "MSH":
            kind = first[8]
            found["hl7.sending_application"].add((source, first[2]))
            found["hl7.sending_facility"].add((source, first[3]))
            found["hl7.receiving_application"].add((target, first[4]))
            found["hl7.receiving_facility"].add((target, first[5]))
            found["hl7.message_type"].add((source, "^".join(fields[8].split("^")[:2])))
            found["hl7.processing_id"].add((source, first[10]))
            found["hl7.version"].add((source, first[11]))
        elif fields[0] == "MSA":
            found["hl7.ack_code"].add((source, first[1]))
        elif fields[0] == "PV1" and kind in ("ORU", "OUL", "ORA"):
            found["hl7.location"].add((source, first[3]))
        elif fields[0] == "OBX":
            found["hl7.source_id"].add((source, first[18]))
        elif fields[0] == "PRT":
            found["hl7.source_id"].add((source, first[10]))


def ours(name: str) -> Facts:
    facts, malformed = observed(name)
    assert not malformed.keys() & {"dicom", "hl7"}
    found: Facts = defaultdict(set)
    for fact in facts:
        assert fact.ip is not None
        field = fact.field.replace("dicom.source_", "dicom.")
        found[field].add((fact.ip, fact.value))
    return found


def compare(name: str) -> int:
    """Compare one capture field by field; return how many facts agreed."""
    told, read = ours(name), oracle(CAPTURES / name)
    askers = {who for who, _ in told["dicom.sop_class"] & read.get("dicom.sop_class", set())}
    accepted = {who for who, _ in read.get("dicom.called_ae_title", set())}
    agreed = 0
    for field, known in sorted(read.items()):
        mine = told[field]
        if field == "dicom.ae_title":
            # An acceptor's title is the one it was called by in the request and accepted.
            mine -= {(who, v) for who, v in told["dicom.called_ae_title"] if who in accepted} - known
        elif field in ("dicom.sop_class", "dicom.transfer_syntax"):
            mine = {(who, value) for who, value in mine if (who, value) in known or who in askers - accepted}
            known = {(who, value) for who, value in known if who in askers}
            if len(known) > 48:  # we name 48 classes and 16 syntaxes of one association
                known &= mine
        elif field.removeprefix("dicom.") in _ELSEWHERE_TOO.values():
            assert mine <= known, f"{name}: {field}: tshark does not read {mine - known}"
            known = mine
        assert mine == known, f"{name}: {field}: only ours {mine - known}, only tshark's {known - mine}"
        agreed += len(known)
    return agreed


@needs_captures
@needs_tshark
@pytest.mark.parametrize("name", names())
def test_tshark_reads_the_same(name: str) -> None:
    observed_fields = {fact.field.partition(".")[0] for fact in observed(name)[0]}
    if name.startswith("made/"):
        assert observed_fields & {"dicom", "hl7"}
        assert compare(name) > 10
    else:
        compare(name)


@needs_tshark
def test_tshark_reads_the_same_of_an_invented_hospital(tmp_path: Path) -> None:
    capture = tmp_path / "hospital.pcap"
    capture.write_bytes(hospital(invented(3)))
    assert compare(str(capture)) > 25
