"""Hold docs/capabilities.csv against the tests that really ran, and make the README's table from it.

Usage: ``python tests/capabilities.py RESULTS.json`` checks; ``--readme`` rewrites the table in the
README. A capability that works or partly works names the tests that show it; a named test that does
not exist, did not run or did not pass is an error.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "docs" / "capabilities.csv"
README = ROOT / "README.md"
BEGIN, END = "<!-- capabilities -->", "<!-- /capabilities -->"
STATES = ("works", "partly", "not yet")


def rows() -> list[dict[str, str]]:
    """Return the rows: id, capability, state, tests (blank separated), note."""
    with LIST.open(newline="") as file:
        return list(csv.DictReader(file))


def problems(outcomes: dict[str, str]) -> list[str]:
    """Return a sentence for each row that claims what no test shows."""
    found = []
    ids = [row["id"] for row in rows()]
    if len(set(ids)) != len(ids):
        found.append("an id stands twice")
    for row in rows():
        tests = row["tests"].split()
        if row["state"] not in STATES:
            found.append(f"{row['id']}: state {row['state']!r} is none of {', '.join(STATES)}")
        elif row["state"] != "not yet" and not tests:
            found.append(f"{row['id']}: {row['state']}, but no test is named")
        elif row["state"] == "partly" and not row["note"]:
            found.append(f"{row['id']}: partly, but the note does not say what is missing")
        for test in tests:
            ran = [o for name, o in outcomes.items() if name == test or name.startswith(f"{test}[")]
            if not ran:
                found.append(f"{row['id']}: {test} did not run")
            elif "passed" not in ran or "failed" in ran:
                found.append(f"{row['id']}: {test} did not pass ({', '.join(sorted(set(ran)))})")
    if README.read_text() != with_table(README.read_text()):
        found.append("the README's table is old: python tests/capabilities.py --readme")
    return found


def with_table(text: str) -> str:
    """Return ``text`` with the table between the two markers made anew."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    lines = ["", "| id | capability | state | note |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {r['id']} | {r['capability']} | {r['state']} | {r['note']} |"
        for r in rows()
        if r["state"] != "not yet"
    ]
    open_count = sum(r["state"] == "not yet" for r in rows())
    lines += [
        "",
        f"{open_count} further capabilities are not yet there; `docs/capabilities.csv` lists all.",
        "",
    ]
    return f"{head}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{tail}"


def main(arguments: list[str]) -> int:
    """Return 0 when every claim holds."""
    if arguments == ["--readme"]:
        README.write_text(with_table(README.read_text()))
        return 0
    outcomes: dict[str, str] = json.loads(Path(arguments[0]).read_text())
    found = problems(outcomes)
    sys.stdout.write("".join(f"{line}\n" for line in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
