"""Makers' disclosure forms made up for tests, in both layouts, as spreadsheets and PDF. Words are our own."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence

import openpyxl
import pypdf
from openpyxl.utils import get_column_letter
from pypdf.generic import DictionaryObject, NameObject

from medwarden.knowledge.mds2 import questions, sections
from medwarden.model.mds2 import Edition

Cells = list[object]

ABOUT: dict[str, str] = {
    "DOC-1": "Nordlicht Medizintechnik GmbH",
    "DOC-2": "Syringe pump",
    "DOC-3": "Perfusor Aurora 200",
    "DOC-4": "MDS2-4711",
    "DOC-5": "Erika Beispiel, +49 555 0100",
    "DOC-6": "Sends its state to the pump server of the ward",
    "DOC-7": "2024-05-17",
}
HEAD_2013 = ("Manufacturer", "Document ID", "Document Release Date", "Device Model", "Software Revision")


def usual(edition: Edition, said: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an answer to every question: No, but for what ``said`` says; a blank leaves it out."""
    answers = {key: "No" for key, q in questions(edition).items() if not q.heading and not q.free}
    if edition is Edition.HN1_2019:
        answers |= ABOUT
    else:
        answers["14-1"] = "See Note"
    return answers | dict(said or {})


def rows_2019(
    said: Mapping[str, str] | None = None,
    *,
    notes: Mapping[str, str] | None = None,
    printed: Mapping[str, str] | None = None,
) -> list[Cells]:
    """Return the rows of a form of 2019: id, question, answer, note, and references to other standards.

    ``printed`` gives the ids that are printed in place of others.
    """
    answers, notes, printed = usual(Edition.HN1_2019, said), notes or {}, printed or {}
    rows: list[Cells] = [["A made-up statement, ANSI/NEMA HN 1-2019"], []]
    for section in sections(Edition.HN1_2019):
        rows.append([None, section.title])
        rows.append(["Question ID", "Question", "Answer", "See note", "IEC TR 80001", "NIST", "ISO 27002"])
        rows += [
            [
                printed.get(q.id, q.id), f"{q.words}?", answers[q.id], notes.get(q.id),
                "5.1, ALOF", "AC-12", "none",
            ]
            for q in section.questions
            if q.id in answers
        ]  # fmt: skip
        rows.append([])
    return rows


def rows_2013(
    said: Mapping[str, str] | None = None,
    *,
    notes: Mapping[str, str] | None = None,
    head: Sequence[str] = (
        "Nordlicht Medizintechnik GmbH",
        "MDS2-99",
        "17-May-2016",
        "Perfusor Aurora 100",
        "2.1",
    ),
) -> list[Cells]:
    """Return the rows of a form of 2013: labels above values, then number, question, answer, note number."""
    answers, notes = usual(Edition.HN1_2013, said), notes or {}
    rows: list[Cells] = [["A made-up statement, HIMSS/NEMA HN 1-2013"]]
    for label, value in zip(HEAD_2013, head, strict=True):
        rows += [[label, None, None], [value]]
    rows.append(["Representative Contact Information", "Erika Beispiel"])
    for section in sections(Edition.HN1_2013):
        rows.append([section.title, None, "Yes, No, N/A, or See Note", "Note #"])
        for question in section.questions:
            if question.heading:
                rows.append([question.id, f"{question.words}:"])
            elif question.id in answers:
                rows.append([question.id, f"{question.words}?", answers[question.id], notes.get(question.id)])
    rows.append(["Note 1", "Windows 7 Embedded SP1, VxWorks 6.9"])
    rows.append(["Note 2: DICOM on port 104/tcp, service on TCP 2762"])
    return rows


def xlsx(sheets: Mapping[str, Iterable[Cells]], merged: Mapping[str, Sequence[str]] | None = None) -> bytes:
    """Return a workbook; ``merged`` are ranges of each sheet. Text that begins with = is a formula."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
        for area in (merged or {}).get(name, ()):
            sheet.merge_cells(area)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def with_values(document: bytes, values: Mapping[str, str]) -> bytes:
    """Return a workbook whose formulas carry results, as a spreadsheet program stores them."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(document)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            data = old.read(member)
            if member.filename.startswith("xl/worksheets/"):
                for place, value in values.items():
                    pattern = rf'<c r="{place}"[^>]*><f>(.*?)</f><v ?/?>(</v>)?</c>'.encode()
                    cell = rf'<c r="{place}" t="str"><f>\1</f><v>{value}</v></c>'.encode()
                    data, done = re.subn(pattern, cell, data)
                    assert done == 1, place
            new.writestr(member, data)
    return out.getvalue()


def moved(document: bytes, place: str, to: str) -> bytes:
    """Return a workbook one of whose cells says that it stands elsewhere."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(document)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            data = old.read(member).replace(f'r="{place}"'.encode(), f'r="{to}"'.encode())
            new.writestr(member, data)
    return out.getvalue()


def with_member(document: bytes, name: str, content: bytes, *, stored: bool = False) -> bytes:
    """Return an archive with one more member."""
    out = io.BytesIO(document)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


def letters(column: int) -> str:
    """Return the letters of a column from 1."""
    return str(get_column_letter(column))


# --- XLS: a compound file (MS-CFB) with one stream, the records of BIFF8 (MS-XLS)


def xls(rows: Sequence[Cells], *, locked: bool = False) -> bytes:
    """Return a workbook of one sheet in the form of Excel 97 to 2003."""
    name = b"Form"
    opening = _record(0x809, struct.pack("<HHHHII", 0x600, 5, 0, 0, 0, 6))
    if locked:
        opening += _record(0x2F, b"\x01\x00" + bytes(52))
    sheet = _record(0x809, struct.pack("<HHHHII", 0x600, 0x10, 0, 0, 0, 6))
    width = max(len(row) for row in rows)
    sheet += _record(0x200, struct.pack("<IIHHH", 0, len(rows), 0, width, 0))
    for line, row in enumerate(rows):
        for column, value in enumerate(row):
            if value is not None:
                text = str(value).encode("utf-16-le")
                sheet += _record(0x204, struct.pack("<HHHHB", line, column, 0, len(text) // 2, 1) + text)
    sheet += _record(0x0A, b"")
    bound = 4 + 8 + len(name)
    begin = len(opening) + bound + 4
    book = (
        opening + _record(0x85, struct.pack("<IBBBB", begin, 0, 0, len(name), 0) + name) + _record(0x0A, b"")
    )
    return _compound({"Workbook": book + sheet})


def encrypted_package() -> bytes:
    """Return what an XLSX with a password is: a compound file that holds an encrypted one (MS-OFFCRYPTO)."""
    return _compound({"EncryptionInfo": bytes(4096), "EncryptedPackage": bytes(8192)})


def _record(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def _compound(streams: Mapping[str, bytes]) -> bytes:
    """Return a compound file; every stream is made long enough to need no small sectors."""
    free, end, fat_mark = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
    body, chains, entries = b"", [], []
    for name, stream in streams.items():
        data = stream + bytes(max(0, 4096 - len(stream)))
        data += bytes(-len(data) % 512)
        first = len(body) // 512
        chains += [*range(first + 1, first + len(data) // 512), end]
        entries.append(_entry(name, 2, first, len(data)))
        body += data
    directory = _entry("Root Entry", 5, end, 0, child=1)
    for number, entry in enumerate(entries, 1):
        right = number + 1 if number < len(entries) else free
        directory += entry[:72] + struct.pack("<I", right) + entry[76:]
    directory += bytes(-len(directory) % 512)
    begin = len(body) // 512
    length = len(directory) // 512
    chains += [*range(begin + 1, begin + length), end]
    body += directory
    sectors = -(-(len(chains) + 1) // 127)
    first_fat = len(chains)
    chains += [fat_mark] * sectors
    chains += [free] * (-len(chains) % 128)
    table = struct.pack(f"<{len(chains)}I", *chains)
    header = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6)
    header += bytes(6) + struct.pack("<IIIIIIIII", 0, len(table) // 512, begin, 0, 4096, end, 0, end, 0)
    places = [first_fat + i for i in range(len(table) // 512)]
    return header + struct.pack("<109I", *places, *([free] * (109 - len(places)))) + body + table


def _entry(name: str, kind: int, first: int, size: int, child: int = 0xFFFFFFFF) -> bytes:
    text = name.encode("utf-16-le") + b"\x00\x00"
    return (
        text.ljust(64, b"\x00")
        + struct.pack("<HBBIII", len(text), kind, 1, 0xFFFFFFFF, 0xFFFFFFFF, child)
        + bytes(36)
        + struct.pack("<IQ", first, size)
    )


# --- PDF (ISO 32000-1)

Mark = tuple[float, float, str]
"""Text at a place, in points from the lower left."""

Field = tuple[str, str, float, float]
"""A field: name, value, place."""


def lines_of(rows: Sequence[Cells], xs: Sequence[float] = (40, 110, 430, 490)) -> list[list[Mark]]:
    """Return the pages of a flat form: 40 rows a page, long questions broken into two lines."""
    pages: list[list[Mark]] = []
    for number, row in enumerate(rows):
        if number % 34 == 0:
            pages.append([])
        y = 800 - (number % 34) * 22
        for column, value in enumerate(row[: len(xs)]):
            text = "" if value is None else str(value)
            if column == 1 and len(text) > 60:
                cut = text.rfind(" ", 0, 60)
                pages[-1] += [(xs[1], y, text[:cut]), (xs[1], y - 9, text[cut + 1 :])]
            elif text:
                pages[-1].append((xs[column], y, text))
    return pages


def pdf(
    pages: Sequence[Sequence[Mark]],
    fields: Mapping[int, Sequence[Field]] | None = None,
    *,
    xfa: str = "",
    picture: bool = False,
    padding: int = 0,
) -> bytes:
    """Return a PDF of text and fields; ``picture`` puts an image on pages, ``padding`` makes it large."""
    objects: list[bytes] = [b"", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    image = 0
    if picture or padding:
        size = max(64 * 64, padding)
        data = zlib.compress(bytes(64 * 64)) if not padding else _noise(size)
        kind = b"/Filter /FlateDecode " if not padding else b""
        objects.append(
            b"<< /Type /XObject /Subtype /Image /Width 64 /Height %d /ColorSpace /DeviceGray "
            b"/BitsPerComponent 8 %s/Length %d >>\nstream\n%s\nendstream"
            % (size // 64, kind, len(data), data)
        )
        image = len(objects)
    kids, widgets = [], []
    for number, marks in enumerate(pages):
        drawn = b"q 500 0 0 700 40 40 cm /Im0 Do Q\n" if picture else b""
        content = drawn + b"".join(
            b"BT /F1 8 Tf %.1f %.1f Td (%s) Tj ET\n" % (x, y, _escaped(text)) for x, y, text in marks
        )
        content = zlib.compress(content)
        objects.append(
            b"<< /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (len(content), content)
        )
        stream = len(objects)
        here = []
        for name, value, x, y in (fields or {}).get(number, ()):
            kind = b"/FT /Btn /V /%s /AS /%s" % (value[1:].encode(), value[1:].encode())
            if not value.startswith("/"):
                kind = b"/FT /Tx /V (%s)" % _escaped(value)
            objects.append(
                b"<< /Type /Annot /Subtype /Widget /T (%s) %s /Rect [%.1f %.1f %.1f %.1f] >>"
                % (_escaped(name), kind, x, y - 2, x + 40, y + 10)
            )
            here.append(len(objects))
        widgets += here
        resources = b"/Font << /F1 3 0 R >>"
        if image:
            resources += b" /XObject << /Im0 %d 0 R >>" % image
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << %s >> /Contents %d 0 R "
            b"/Annots [%s] >>" % (resources, stream, b" ".join(b"%d 0 R" % i for i in here))
        )
        kids.append(len(objects))
    form = b""
    if widgets or xfa:
        inside = b"/Fields [%s]" % b" ".join(b"%d 0 R" % i for i in widgets)
        if xfa:
            data = xfa.encode()
            objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(data), data))
            inside += b" /XFA [(datasets) %d 0 R]" % len(objects)
        form = b" /AcroForm << %s >>" % inside
    objects[0] = b"<< /Type /Catalog /Pages 2 0 R%s >>" % form
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (
        len(kids),
        b" ".join(b"%d 0 R" % i for i in kids),
    )
    return _file(objects)


def _file(objects: Sequence[bytes]) -> bytes:
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


def _escaped(text: str) -> bytes:
    plain = text.encode("cp1252", "replace")
    return plain.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def _noise(size: int) -> bytes:
    return (bytes(range(256)) * (size // 256 + 1))[:size]


def locked_pdf(document: bytes, password: str, *, owner_only: bool = False) -> bytes:
    """Return a PDF that needs a password to be read, or (``owner_only``) only to be changed."""
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(document))
    writer.encrypt("" if owner_only else password, owner_password=password, algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def many_pages(count: int) -> bytes:
    """Return a PDF of many empty pages."""
    writer = pypdf.PdfWriter()
    for _ in range(count):
        page = writer.add_blank_page(595, 842)
        page[NameObject("/Resources")] = DictionaryObject()
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()
