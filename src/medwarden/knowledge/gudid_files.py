"""Files of device identification: AccessGUDID's release, openFDA's UDI and classification data, FDA's codes.

AccessGUDID publishes its full release as a zip of tables with ``|`` between the cells and a heading each
(``device.txt``, ``productCodes.txt``, ``gmdnTerms.txt``, ``identifiers.txt``); openFDA publishes JSON with
the records under ``results``; the FDA's product classification (``foiclass.txt``) is a table of the same
form. All are read as streams: memory does not grow with the file.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import msgspec

from medwarden.kernel.errors import MalformedInput, ResourceError
from medwarden.knowledge.zip_archive import DAMAGE, damaged, open_archive

LONGEST_RECORD = 4 << 20
"""Characters that one record of JSON may have."""

MOST_UNPACKED = 64 << 30
_LONGEST_IDENTIFIER = 60
_PIECE = 1 << 18


class Listing(msgspec.Struct, frozen=True, gc=False):
    """One record of a product, as far as it is kept. None: the file does not say."""

    di: str
    brand: str = ""
    model: str = ""
    catalogue: str = ""
    company: str = ""
    description: str = ""
    mri_safety: str = ""
    sterile: bool | None = None
    single_use: bool | None = None
    status: str = ""
    published: str = ""


class Coded(msgspec.Struct, frozen=True, gc=False):
    """A product code of a product; ``name`` where the file has it."""

    di: str
    code: str
    name: str = ""


class Term(msgspec.Struct, frozen=True, gc=False):
    """A GMDN term of a product."""

    di: str
    name: str
    code: str = ""


class Alias(msgspec.Struct, frozen=True, gc=False):
    """Another identifier (a package, a unit of use, a previous one) of a product."""

    other: str
    di: str


class Code(msgspec.Struct, frozen=True, gc=False):
    """A product code as the FDA classifies it."""

    code: str
    name: str
    device_class: str = ""
    regulation: str = ""
    specialty: str = ""
    implant: bool | None = None
    life_support: bool | None = None


class Skipped(msgspec.Struct, frozen=True, gc=False):
    """A record that could not be used: where, and why."""

    where: str
    reason: str


Entry = Listing | Coded | Term | Alias | Code | Skipped

_BETWEEN = re.compile(r"[ \t\r\n,]*")
_KINDS = {
    "device": {"primarydi", "brandname", "versionmodelnumber"},
    "codes": {"primarydi", "productcode"},
    "terms": {"primarydi", "gmdnptname"},
    "identifiers": {"primarydi", "deviceid", "deviceidtype"},
    "classification": {"productcode", "devicename", "deviceclass"},
}


def entries(path: Path) -> Iterator[Entry]:
    """Yield everything usable of a file: a zip, a table or JSON. What is no such file raises MalformedInput.

    Raises ResourceError where it cannot be read.
    """
    found = False
    try:
        for name, stream in _streams(path):
            for entry in _of_stream(stream, name):
                found = found or not isinstance(entry, Skipped)
                yield entry
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror or error}") from error
    except DAMAGE as error:
        raise damaged(str(path), error) from error
    if not found:
        raise MalformedInput(str(path), "no table of AccessGUDID, no openFDA JSON and no FDA classification")


def _streams(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    if path.is_dir():
        for part in sorted(path.iterdir()):
            if part.suffix.lower() in (".txt", ".json", ".zip"):
                yield from _streams(part)
        return
    if zipfile.is_zipfile(path):
        with open_archive(path, str(path)) as archive:
            members = [m for m in archive.infolist() if m.filename.lower().endswith((".txt", ".json"))]
            if sum(m.file_size for m in members) > MOST_UNPACKED:
                raise MalformedInput(str(path), f"unpacks to more than {MOST_UNPACKED >> 30} GiB")
            for member in sorted(members, key=lambda m: m.filename):
                with archive.open(member) as stream:
                    yield f"{path.name}/{member.filename}", stream
        return
    with path.open("rb") as stream:
        yield path.name, stream


def _of_stream(stream: IO[bytes], name: str) -> Iterator[Entry]:
    first = stream.read(_PIECE)
    pieces = _pieces(first, stream)
    if first.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        yield from _json(pieces, name)
    else:
        yield from _table(pieces, name)


def _pieces(first: bytes, stream: IO[bytes]) -> Iterator[bytes]:
    piece = first
    while piece:
        yield piece
        piece = stream.read(_PIECE)


def _lines(pieces: Iterator[bytes]) -> Iterator[str]:
    """Yield lines of UTF-8, single bytes that are none read as Latin-1 (the FDA's older tables)."""
    codecs.register_error("medwarden-latin", _as_latin)
    decoder = codecs.getincrementaldecoder("utf-8")("medwarden-latin")
    rest = ""
    for piece in pieces:
        lines = (rest + decoder.decode(piece)).split("\n")
        rest = lines.pop()
        if len(rest) > LONGEST_RECORD:
            raise MalformedInput("table", "a line longer than any record")
        yield from lines
    if rest:
        yield rest


def _as_latin(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


def _table(pieces: Iterator[bytes], name: str) -> Iterator[Entry]:
    lines = (line.rstrip("\r").replace("\0", "") for line in _lines(pieces))
    heading = next(lines, "").lstrip("\ufeff").split("|")
    at = {cell.strip().strip('"').replace("_", "").casefold(): n for n, cell in enumerate(heading)}
    kind = next((k for k, needed in _KINDS.items() if needed <= set(at)), None)
    if kind is None:
        return
    for number, line in enumerate(lines, 2):
        cells = line.split("|")
        if '"' in line:  # quoted cells may hold the bar
            try:
                cells = next(csv.reader([line], delimiter="|"), [])
            except csv.Error as error:
                yield Skipped(f"{name}, line {number}", f"no row of a table ({error})")
                continue
        if len(cells) != len(heading):
            if line.strip():
                yield Skipped(
                    f"{name}, line {number}", f"{len(cells)} cells, where the heading has {len(heading)}"
                )
            continue
        if "primarydi" in at and not 0 < len(cells[at["primarydi"]].strip()) <= _LONGEST_IDENTIFIER:
            yield Skipped(f"{name}, line {number}", "no device identifier")
            continue
        entry = _READERS[kind]({field: cells[column].strip() for field, column in at.items()})
        if entry is not None:
            yield entry


def _truth(text: object) -> bool | None:
    return {"true": True, "y": True, "yes": True, "false": False, "n": False, "no": False}.get(
        str(text).casefold()
    )


def _device(row: Mapping[str, str]) -> Listing | None:
    if not row["primarydi"]:
        return None
    return Listing(
        di=row["primarydi"],
        brand=row["brandname"],
        model=row["versionmodelnumber"],
        catalogue=row.get("catalognumber", ""),
        company=row.get("companyname", ""),
        description=row.get("devicedescription", ""),
        mri_safety=row.get("mrisafetystatus", ""),
        sterile=_truth(row.get("devicesterile", "")),
        single_use=_truth(row.get("singleuse", "")),
        status=row.get("devicecommdistributionstatus", ""),
        published=row.get("devicepublishdate", "")[:10],
    )


def _coded(row: Mapping[str, str]) -> Coded | None:
    code = row["productcode"]
    return (
        Coded(row["primarydi"], code, row.get("productcodename", "")) if code and row["primarydi"] else None
    )


def _term(row: Mapping[str, str]) -> Term | None:
    name = row["gmdnptname"]
    return Term(row["primarydi"], name, row.get("gmdncode", "")) if name and row["primarydi"] else None


def _alias(row: Mapping[str, str]) -> Alias | None:
    other = row["deviceid"]
    return (
        Alias(other, row["primarydi"]) if other and row["primarydi"] and other != row["primarydi"] else None
    )


def _code(row: Mapping[str, str]) -> Code | None:
    if not row["productcode"]:
        return None
    return Code(
        code=row["productcode"],
        name=row["devicename"],
        device_class=row["deviceclass"],
        regulation=row.get("regulationnumber", ""),
        specialty=row.get("medicalspecialty", ""),
        implant=_truth(row.get("implantflag", "")),
        life_support=_truth(row.get("lifesustainsupportflag", "")),
    )


_READERS = {
    "device": _device,
    "codes": _coded,
    "terms": _term,
    "identifiers": _alias,
    "classification": _code,
}


def _json(pieces: Iterator[bytes], name: str) -> Iterator[Entry]:
    for number, record in enumerate(_records(pieces, name), 1):
        if not isinstance(record, dict):
            yield Skipped(f"{name}, record {number}", "no object")
            continue
        try:
            if "gudid" in record:
                yield from _of_accessgudid(record)
            elif "identifiers" in record:
                yield from _of_openfda(record)
            elif "product_code" in record:
                yield _of_classification(record)
            else:
                yield Skipped(f"{name}, record {number}", "neither device nor product code")
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            yield Skipped(f"{name}, record {number}", f"not as published ({type(error).__name__})")


def _records(pieces: Iterator[bytes], name: str) -> Iterator[object]:
    """Yield the objects of a JSON array, those of ``results`` of an object, or the one object."""
    decoder = json.JSONDecoder()
    decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
    text = decode(next(pieces, b""))
    start = text.find('"results"')
    if text.lstrip().startswith("["):
        text = text.lstrip()[1:]
    elif start >= 0 and "[" in text[start:]:
        text = text[text.index("[", start) + 1 :]
    else:
        for piece in pieces:
            text += decode(piece)
            if len(text) > LONGEST_RECORD:
                raise MalformedInput(name, "one object larger than any record, and no results")
        yield _loaded(decoder, text, name)
        return
    at = 0
    while True:
        at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing, too
        if text.startswith("]", at):
            return
        try:
            record, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            piece = next(pieces, b"")
            if not piece or len(text) - at > LONGEST_RECORD or isinstance(error, RecursionError):
                raise MalformedInput(name, "JSON that breaks off or is none") from error
            text, at = text[at:] + decode(piece), 0
            continue
        yield record


def _loaded(decoder: json.JSONDecoder, text: str, name: str) -> object:
    try:
        return decoder.decode(text)
    except (ValueError, RecursionError) as error:
        raise MalformedInput(name, "JSON that breaks off or is none") from error


def _primary(identifiers: Sequence[dict[str, object]], kind: str) -> dict[str, object]:
    found = next((identifier for identifier in identifiers if identifier.get(kind) == "Primary"), None)
    if found is None:
        raise ValueError("no primary identifier")
    return found


def _of_openfda(record: dict[str, object]) -> Iterator[Entry]:
    identifiers = _objects(record, "identifiers")
    primary = _primary(identifiers, "type")
    di = _identifier(primary, "id")
    sterile = record.get("sterilization")
    yield Listing(
        di=di,
        brand=_text(record, "brand_name"),
        model=_text(record, "version_or_model_number"),
        catalogue=_text(record, "catalog_number"),
        company=_text(record, "company_name"),
        description=_text(record, "device_description"),
        mri_safety=_text(record, "mri_safety"),
        sterile=_truth(sterile.get("is_sterile")) if isinstance(sterile, dict) else None,
        single_use=_truth(record.get("is_single_use", "")),
        status=_text(record, "commercial_distribution_status"),
        published=_text(record, "publish_date")[:10],
    )
    for code in _objects(record, "product_codes"):
        yield Coded(di, _text(code, "code"), _text(code, "name"))
        fda = code.get("openfda")
        if isinstance(fda, dict):
            yield Code(
                code=_text(code, "code"),
                name=_text(fda, "device_name"),
                device_class=_text(fda, "device_class"),
                regulation=_text(fda, "regulation_number"),
                specialty=_text(fda, "medical_specialty_description"),
            )
    for term in _objects(record, "gmdn_terms"):
        yield Term(di, _text(term, "name"), _text(term, "code"))
    for identifier in identifiers:
        if identifier is not primary and identifier.get("id"):
            yield Alias(_text(identifier, "id"), di)


def _of_accessgudid(record: dict[str, object]) -> Iterator[Entry]:
    """Read an answer of AccessGUDID's look-up service (version 3)."""
    device = _object(_object(record, "gudid"), "device")
    identifiers = _objects(_object(device, "identifiers"), "identifier")
    primary = _primary(identifiers, "deviceIdType")
    di = _identifier(primary, "deviceId")
    sterile = device.get("sterilization")
    yield Listing(
        di=di,
        brand=_text(device, "brandName"),
        model=_text(device, "versionModelNumber"),
        catalogue=_text(device, "catalogNumber"),
        company=_text(device, "companyName"),
        description=_text(device, "deviceDescription"),
        mri_safety=_text(device, "MRISafetyStatus"),
        sterile=_truth(sterile.get("deviceSterile")) if isinstance(sterile, dict) else None,
        single_use=_truth(device.get("singleUse", "")),
        status=_text(device, "deviceCommDistributionStatus"),
        published=_text(device, "devicePublishDate")[:10],
    )
    for code in _objects(device.get("productCodes") or {}, "fdaProductCode"):
        yield Coded(di, _text(code, "productCode"), _text(code, "productCodeName"))
    for term in _objects(device.get("gmdnTerms") or {}, "gmdn"):
        yield Term(di, _text(term, "gmdnPTName"), _text(term, "gmdnCode"))
    for identifier in identifiers:
        if identifier is not primary and identifier.get("deviceId"):
            yield Alias(_text(identifier, "deviceId"), di)
    for code in _objects(record, "productCodes"):
        yield Code(
            code=_text(code, "productCode"),
            name=_text(code, "deviceName"),
            device_class=_text(code, "deviceClass"),
            regulation=_text(code, "regulationNumber"),
            specialty=_text(code, "medicalSpecialty"),
            implant=_truth(code.get("implantFlag", "")),
            life_support=_truth(code.get("lifeSustainSupportFlag", "")),
        )


def _of_classification(record: dict[str, object]) -> Code:
    return Code(
        code=_text(record, "product_code"),
        name=_text(record, "device_name"),
        device_class=_text(record, "device_class"),
        regulation=_text(record, "regulation_number"),
        specialty=_text(record, "medical_specialty_description"),
        implant=_truth(record.get("implant_flag", "")),
        life_support=_truth(record.get("life_sustain_support_flag", "")),
    )


def _text(record: Mapping[str, object], key: str) -> str:
    value = record.get(key)
    if value is None:
        return ""
    if not isinstance(value, str | int | float):
        raise TypeError(key)
    return str(value).encode("utf-8", "replace").decode().strip()  # half a surrogate pair cannot be stored


def _identifier(record: Mapping[str, object], key: str) -> str:
    text = _text(record, key)
    if not 0 < len(text) <= _LONGEST_IDENTIFIER:
        raise ValueError(key)
    return text


def _object(record: object, key: str) -> dict[str, object]:
    value = record.get(key) if isinstance(record, dict) else None
    if not isinstance(value, dict):
        raise TypeError(key)
    return value


def _objects(record: object, key: str) -> list[dict[str, object]]:
    value = record.get(key) if isinstance(record, dict) else None
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
