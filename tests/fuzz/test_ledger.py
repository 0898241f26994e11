"""The ledger of fuzzing: what adds up, what begins again, and what never counts as clean."""

from __future__ import annotations

import datetime
import os
from dataclasses import replace
from pathlib import Path

import pytest
from fuzz.ledger import COLUMNS, Ledger, Row
from fuzz.run import FAMILIES, chosen
from fuzz.sources import Sources

ROOT = Path(__file__).resolve().parents[2]
DAY = datetime.date(2026, 11, 20)
STINT = Row("dicom", "0123456789abcdef", False, 60.0, 5000, 200, 0, DAY)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.csv")


def test_a_file_that_is_not_there_has_no_rows(ledger: Ledger) -> None:
    assert ledger.rows() == []
    assert ledger.row("dicom", "0123456789abcdef") is None


def test_stints_of_the_same_code_add_up(ledger: Ledger) -> None:
    ledger.add(STINT)
    total = ledger.add(replace(STINT, seconds=30.5, inputs=10, outcomes=190, last=DAY.replace(day=22)))
    assert total == Row("dicom", "0123456789abcdef", False, 90.5, 5010, 200, 0, DAY.replace(day=22))
    assert ledger.rows() == [total]


def test_changed_code_begins_again_at_nothing(ledger: Ledger) -> None:
    ledger.add(STINT)
    assert ledger.row("dicom", "fedcba9876543210") is None
    assert ledger.add(replace(STINT, digest="fedcba9876543210", seconds=1.0)).clean_s == 1.0
    assert len(ledger.rows()) == 2


def test_what_has_a_finding_is_not_clean_however_long_it_runs_afterwards(ledger: Ledger) -> None:
    ledger.add(STINT)
    ledger.add(replace(STINT, seconds=3.0, findings=1))
    row = ledger.add(replace(STINT, seconds=900.0))
    assert (row.seconds, row.clean_s, row.findings) == (963.0, 0.0, 1)


def test_the_checked_build_has_a_row_of_its_own(ledger: Ledger) -> None:
    ledger.add(STINT)
    ledger.add(replace(STINT, sanitizer=True, seconds=5.0))
    plain, checked = ledger.row("dicom", STINT.digest), ledger.row("dicom", STINT.digest, sanitizer=True)
    assert plain is not None
    assert checked is not None
    assert (plain.seconds, checked.seconds) == (60.0, 5.0)


def test_rows_of_code_that_is_gone_are_dropped_on_demand(ledger: Ledger) -> None:
    ledger.add(STINT)
    ledger.add(replace(STINT, digest="fedcba9876543210"))
    ledger.add(replace(STINT, target="hl7v2"))
    assert ledger.keep([("dicom", STINT.digest)]) == 2
    assert ledger.rows() == [STINT]


def test_the_committed_ledger_is_one_and_its_findings_have_been_mended() -> None:
    rows = Ledger(ROOT / "fuzz" / "ledger.csv").rows()
    assert rows
    assert len({row.key for row in rows}) == len(rows)
    assert all(len(row.digest) == 16 and row.seconds > 0 for row in rows)
    sources = Sources(ROOT / "src")
    found = {(row.target, row.digest) for row in rows if row.findings}
    unmended = [one.name for one in chosen(FAMILIES) if (one.name, sources.code(one.roots).digest) in found]
    assert unmended == []


def test_processes_that_add_at_the_same_time_lose_nothing(ledger: Ledger) -> None:
    children = []
    for number in range(4):
        child = os.fork()
        if child == 0:
            for _ in range(10):
                ledger.add(STINT)
                ledger.add(replace(STINT, target=f"log-{number}"))
            os._exit(0)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
    assert {row.target: row.seconds for row in ledger.rows()} == {
        "dicom": 2400.0, **{f"log-{number}": 600.0 for number in range(4)}
    }  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "dicom,0123456789abcdef,maybe,1,1,1,0,2026-11-20",
        "dicom,0123456789abcdef,no,long,1,1,0,2026-11-20",
        "dicom,0123456789abcdef,no,1,1,1,0,today",
        "dicom,0123456789abcdef,no,1",
    ],
)
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "ledger.csv"
    path.write_text(f"{','.join(COLUMNS)}\n{line}\n")
    with pytest.raises(ValueError, match=r"ledger\.csv, line 2"):
        Ledger(path).rows()


def test_another_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.csv"
    path.write_text("target,seconds\ndicom,600\n")
    with pytest.raises(ValueError, match="has the columns"):
        Ledger(path).rows()
