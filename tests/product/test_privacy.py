"""No patient leaves the wire: not a byte of one in anything that is stored, shown, logged or exported.

The patients stand in DICOM, DICOMweb, HL7, FHIR, web pages, logs, prints, mails, analysers' messages and what
``carriers`` lists. Looked for is every form of a token that ``readings`` sees through, and its plain hash:
ten digits are found again from one. Who writes something new (a sanitised capture, a further export) adds a
function to ``EXPORTS``.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.flowcore import packets as made
from tests.product.carriers import carriers
from tests.product.conftest import Command, Outcome
from tests.product.patients import MARK, Patient, hospital, invented
from tests.product.readings import hidden, readings

CARRIED = 150
"""Patients of whom the further carriers speak, too."""

LATER = made.START + 3_600 * made.SECOND
_DIGITS = re.compile(rb"(?<![0-9])[0-9]{8,10}(?![0-9])")
# The mark alone stands in page tokens and packed files by chance; with five letters more it does not.
_MARKED = re.compile(MARK.encode() + rb"[aeiounlrst]{5}", re.IGNORECASE)
_PLAIN_HASHES = ("md5", "sha1", "sha256", "blake2b")
_HASHES = re.compile(rb"(?<![0-9a-fA-F])(?:[0-9a-fA-F]{128}|[0-9a-fA-F]{64}|[0-9a-fA-F]{40}|[0-9a-fA-F]{32})")

CONSOLE = """
import sys
from pathlib import Path
from medwarden.store.open import open_store

with open_store(Path(sys.argv[1]), writer=True) as store:
    from django.test import Client
    from medwarden.model.role import Role
    from medwarden.store.accounts import create_user
    from medwarden.store.changes import Change
    from medwarden.store.models import Device, Finding

    with Change("test", "test") as change:
        user = create_user(change, "reader", "correct-horse-battery", Role.ANALYST)
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    pages = ["/", "/devices/", "/findings/", "/map/", "/sensors/", "/policies/"]
    pages += ["/sensors/sight/", "/places/"]
    pages += [f"/operations/{page}/" for page in ("names", "batteries", "protected", "query")]
    pages += [f"/{what}/export.{kind}" for what in ("devices", "findings") for kind in ("csv", "json")]
    pages += [f"/devices/{pk}/" for pk in Device.objects.values_list("pk", flat=True)]
    pages += [f"/findings/{pk}/" for pk in Finding.objects.values_list("pk", flat=True)]
    for page in pages:
        answer = client.get(page, secure=True)
        assert answer.status_code == 200, (page, answer.status_code)
        sys.stdout.buffer.write(answer.getvalue() + b"\\n")
"""


Export = Callable[[Command, Path, Path], Iterable[tuple[str, bytes]]]


def sanitised(run: Command, capture: Path, folder: Path) -> Iterable[tuple[str, bytes]]:
    """Yield the capture as the sanitiser lets it out."""
    out = folder / "sanitised.pcap"
    run("sanitise", str(capture), str(out))
    yield "sanitised capture", out.read_bytes()


EXPORTS: tuple[Export, ...] = (sanitised,)
"""What else leaves the product: run with the capture and an empty folder, each yields (name, content)."""


def console_pages(home: Path) -> bytes:
    """Return all that the console shows and lets download, one after the other."""
    done = subprocess.run([sys.executable, "-c", CONSOLE, str(home)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def stored(home: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file of a data folder as it is, and databases and Parquet files once more unpacked."""
    for path in sorted(p for p in home.rglob("*") if p.is_file()):
        yield str(path), path.read_bytes()
        if path.name.endswith(".sqlite3"):
            yield f"{path} (rows)", b"\n".join(rows_of(path))
        elif path.suffix == ".parquet":
            yield f"{path} (rows)", repr(pq.read_table(path).to_pydict()).encode()


def rows_of(database: Path) -> Iterator[bytes]:
    """Yield every row of every table."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        tables = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
        for (table,) in tables:
            for row in connection.execute(f'select * from "{table}"'):
                yield repr(row).encode()
    finally:
        connection.close()


def said(*outcomes: Outcome) -> Iterator[tuple[str, bytes]]:
    """Yield what commands printed."""
    for outcome in outcomes:
        yield " ".join(outcome.args[3:]), (outcome.stdout + outcome.stderr).encode()


def leaks_in_any_form(texts: Iterable[tuple[str, bytes]], patients: Sequence[Patient]) -> list[str]:
    """Return the same of every reading of the texts, and hashes of what identifies a patient."""
    tokens = {t.encode() for p in patients for t in (*p.words, *p.numbers)}
    tokens |= {t.lower() for t in tokens} | {t.upper() for t in tokens}
    hashes = {hashlib.new(kind, t).hexdigest().encode() for kind in _PLAIN_HASHES for t in tokens}
    found = []
    for name, text in texts:
        found += leaks(((f"{name} {how}".strip(), reading) for how, reading in readings(text)), patients)
        runs = {match.group().lower() for match in _HASHES.finditer(text)}
        found += [f"{name}: {run.decode()} is the hash of a patient's" for run in runs & hashes]
    return found


def leaks(texts: Iterable[tuple[str, bytes]], patients: Iterable[Patient]) -> list[str]:
    """Return where something of a patient stands, with what stands around it."""
    numbers = {number.encode() for patient in patients for number in patient.numbers}
    found = []
    for name, text in texts:
        places = [match.start() for match in _MARKED.finditer(text)]
        places += [match.start() for match in _DIGITS.finditer(text) if match.group() in numbers]
        found += [f"{name}: {text[max(0, at - 60) : at + 40]!r}" for at in places[:5]]
    return found


def carried(patients: Sequence[Patient], loss: float) -> bytes:
    """Return the packets of a capture, without its head, of all that further carries names."""
    chance = random.Random(13)
    frames = [frame for frame in carriers(patients, 30_000) if chance.random() >= loss]
    return made.pcap((LATER + number * 1_000_000, frame) for number, frame in enumerate(frames))[24:]


def test_the_search_would_find_a_patient() -> None:
    """Show that the search finds every kind of token, so that finding none means that there is none."""
    patients = invented(3)
    for patient in patients:
        for token in (*patient.words, *patient.numbers):
            assert leaks([("x", f'{{"value":"{token}"}}'.encode())], patients)
            assert leaks([("x", token.upper().encode())], patients)
    assert not leaks([("x", b"1790000000000000000 ordinary words")], patients)
    assert len(leaks([("x", hospital(patients))], patients)) == 5


def test_the_search_would_find_a_patient_in_every_form() -> None:
    (patient,) = invented(1)
    for token in (*patient.words, *patient.numbers):
        for form, text in hidden(token.encode()).items():
            assert leaks_in_any_form([("x", text)], [patient]), f"{token} {form}"
        for kind in ("md5", "sha1", "sha256", "blake2b"):
            digest = hashlib.new(kind, token.encode()).hexdigest()
            assert leaks_in_any_form([("x", f"id={digest};".encode())], [patient]), f"{token} {kind}"
    assert not leaks_in_any_form([("x", b"%41bc AAAA== 78 9c \x1f\x8b\x08 ordinary words")], [patient])


@pytest.mark.parametrize(("count", "loss"), [(1_000, 0.0), (150, 0.15)], ids=["whole", "with-gaps"])
def test_patients_leave_no_trace(run: Command, home: Path, tmp_path: Path, count: int, loss: float) -> None:
    patients = invented(count)
    capture, out = tmp_path / "hospital.pcap", tmp_path / "out"
    capture.write_bytes(hospital(patients, loss=loss) + carried(patients[:CARRIED], loss))
    replayed = run("replay", capture, "--json")
    assert replayed.returncode == 0, replayed.stderr
    assessed = run("assess", capture, "--out", out)
    assert assessed.returncode == 0, assessed.stderr
    exported = []
    for number, export in enumerate(EXPORTS):
        folder = tmp_path / f"export{number}"
        folder.mkdir()
        exported += list(export(run, capture, folder))
    assert leaks([("the capture", capture.read_bytes())], patients)
    capture.unlink()
    shown = [run("devices", "--json"), run("findings", "--json")]
    report = (out / "report.json").read_bytes()
    # What is told of the machines shows that the traffic was understood and not only passed over.
    for told in (
        *(b"CT_ZENTRAL", b"OFFIS_DCMTK_367", b"MONITORS", b"ehr01", b"nginx"),
        *(b"MON-17", b"HAPI FHIR Server", b"Monitor 7", b"WEBMAKER", b"qido_server"),
        *(b"Gluco 1", b"ACME Phone 1.2", b"pump-7"),
    ):
        assert told in report
    pages = console_pages(home)
    assert b"CT_ZENTRAL" in pages
    texts = [
        *stored(home),
        *((str(path), path.read_bytes()) for path in out.iterdir()),
        *said(replayed, assessed, *shown),
        *exported,
        ("the console", pages),
    ]
    assert len(texts) > 15
    assert leaks_in_any_form(texts, patients) == []


def test_patients_of_real_captures_leave_no_trace(
    run: Command, home: Path, tmp_path: Path, shared: Path
) -> None:
    """Let tshark name the patients of recorded DICOM and HL7 traffic, and search for them."""
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed")
    folder = shared / "captures" / "made"
    captures = sorted(folder.glob("*dicom*.pcap")) + sorted(folder.glob("*hl7*.pcap"))
    if not captures:
        pytest.skip(f"no DICOM or HL7 captures in {folder}")
    names = {name for capture in captures for name in named_by(tshark, capture)}
    assert names, "tshark finds no patient in captures that were made with some"
    out = tmp_path / "out"
    outcomes = [run("replay", *captures), run("assess", *captures, "--out", out), run("devices", "--json")]
    assert [o.returncode for o in outcomes] == [0, 0, 0], [o.stderr for o in outcomes]
    texts = [*stored(home), *((str(p), p.read_bytes()) for p in out.iterdir()), *said(*outcomes)]
    wanted = re.compile(b"|".join(re.escape(name.encode()) for name in sorted(names)), re.IGNORECASE)
    found = [f"{name}: {m.group()!r}" for name, text in texts for m in wanted.finditer(text)]
    assert found == []


def named_by(tshark: str, capture: Path) -> set[str]:
    """Return names and ids of patients that tshark finds in a capture."""
    done = subprocess.run(
        [tshark, "-n", "-r", str(capture), "-Y", "dicom || hl7", "-V"],
        capture_output=True,
        check=True,
        timeout=120,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    text = done.stdout.decode(errors="replace")
    found = set(re.findall(r"Patient(?:'s)? Name\s+\(?([^\r\n)]+?)\)?\s*$", text, re.MULTILINE))
    found |= set(re.findall(r"\(0010,0010\)[^\r\n]*?\s([A-Za-z]+\^[^\r\n]*?)\s*$", text, re.MULTILINE))
    for fields in (m.split("|") for m in re.findall(r"PID\|[^\r\n\\]*", text)):
        found |= {fields[at].split("^")[0] for at in (3, 5) if len(fields) > at}
    words = {word for name in found for word in re.split(r"[\^\s]", name)}
    return {word for word in words if len(word) > 3}
