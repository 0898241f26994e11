"""Keep what was fuzzed: for each target and each state of its code, for how long and with what outcome.

``ledger.csv`` holds one row for each target, digest of its code (``sources.py``) and kind of build. A stint
adds to the row of its digest, so that a parser that changed begins again at nothing, and a finding stays in
the row until the code is another one. Several processes may add at the same time: each holds the lock of the
folder, reads what is there and puts a whole new file in place.
"""

from __future__ import annotations

import csv
import datetime
import fcntl
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

COLUMNS = ("target", "digest", "sanitizer", "seconds", "inputs", "outcomes", "findings", "last")


@dataclass(frozen=True)
class Row:
    """What was done to one state of one target's code; ``seconds`` are the processor's."""

    target: str
    digest: str
    sanitizer: bool
    seconds: float
    inputs: int
    outcomes: int
    findings: int
    last: datetime.date

    @property
    def key(self) -> tuple[str, str, bool]:
        """What there is one row of."""
        return self.target, self.digest, self.sanitizer

    @property
    def clean_s(self) -> float:
        """Return the seconds that count: none where anything was found."""
        return 0.0 if self.findings else self.seconds

    def plus(self, more: Row) -> Row:
        """Return this row with another stint of the same code added."""
        return replace(
            self,
            seconds=self.seconds + more.seconds,
            inputs=self.inputs + more.inputs,
            outcomes=max(self.outcomes, more.outcomes),
            findings=self.findings + more.findings,
            last=max(self.last, more.last),
        )


class Ledger:
    """The rows of a file; a file that is not there has none."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self) -> list[Row]:
        """Return all rows. Raises ValueError naming the line that is none."""
        if not self._path.exists():
            return []
        found = []
        with self._path.open(newline="") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise ValueError(
                    f"{self._path} has the columns {reader.fieldnames}, not {', '.join(COLUMNS)}"
                )
            for said in reader:
                try:
                    found.append(_row(said))
                except (KeyError, TypeError, ValueError) as error:
                    raise ValueError(f"{self._path}, line {reader.line_num}: {error}") from error
        return found

    def row(self, target: str, digest: str, sanitizer: bool = False) -> Row | None:
        """Return the row of one state of a target's code."""
        return next((row for row in self.rows() if row.key == (target, digest, sanitizer)), None)

    def add(self, stint: Row) -> Row:
        """Add a stint to the row of its code and return that row; nothing another process adds is lost."""
        with self._alone():
            rows = {row.key: row for row in self.rows()}
            held = rows.get(stint.key)
            rows[stint.key] = stint if held is None else held.plus(stint)
            self._write(rows.values())
        return rows[stint.key]

    def keep(self, keys: Iterable[tuple[str, str]]) -> int:
        """Drop the rows of other targets and digests than these; return how many were dropped."""
        wanted = set(keys)
        with self._alone():
            rows = self.rows()
            kept = [row for row in rows if row.key[:2] in wanted]
            self._write(kept)
        return len(rows) - len(kept)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _write(self, rows: Iterable[Row]) -> None:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(
            (
                *(row.target, row.digest, "yes" if row.sanitizer else "no", f"{row.seconds:.1f}"),
                *(row.inputs, row.outcomes, row.findings, row.last.isoformat()),
            )
            for row in sorted(rows, key=lambda row: row.key)
        )
        fresh = self._path.with_suffix(".new")
        fresh.write_text(text.getvalue())
        fresh.replace(self._path)


def _row(said: dict[str, str]) -> Row:
    if said["sanitizer"] not in ("yes", "no"):
        raise ValueError(f"sanitizer is {said['sanitizer']!r}, neither yes nor no")
    return Row(
        said["target"],
        said["digest"],
        said["sanitizer"] == "yes",
        float(said["seconds"]),
        int(said["inputs"]),
        int(said["outcomes"]),
        int(said["findings"]),
        datetime.date.fromisoformat(said["last"]),
    )
