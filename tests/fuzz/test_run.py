"""Which targets there are, what is due, and whose turn it is."""

from __future__ import annotations

import datetime
import random
import sys
from pathlib import Path
from types import ModuleType

import pytest
from fuzz.engine import SOURCE, Stint, Target
from fuzz.ledger import Ledger, Row
from fuzz.run import FAMILIES, Run, chosen, family, next_due, standings, status
from fuzz.sources import Code, Sources

from fuzz import run
from medwarden.dissect.registry import dissectors
from medwarden.sensors.logs.registry import parsers

DAY = datetime.date(2026, 11, 20)


def target(name: str, *roots: str) -> Target:
    return Target(name, roots, lambda data, chance: None, lambda: [b""], lambda data, pool, chance: data)


def code(name: str, native: int = 0) -> Code:
    return Code(tuple(Path(f"{name}{number}.pxi") for number in range(native)), f"now-{name}")


def row(name: str, digest: str, seconds: float, findings: int = 0, sanitizer: bool = False) -> Row:
    return Row(name, digest, sanitizer, seconds, 1000, 10, findings, DAY)


TARGETS = [target(name) for name in ("arp", "dns", "ftp", "ssh")]
CODES = {name: code(name, 5 if name == "dns" else 0) for name in ("arp", "dns", "ftp", "ssh")}


def test_every_parser_has_a_target_of_its_own_name_with_seeds_and_code() -> None:
    every = chosen(FAMILIES)
    names = [target.name for target in every]
    assert len(names) == len(set(names))
    assert {d.manifest.name for d in dissectors()} <= set(names)
    assert {f"log-{p.manifest.name}" for p in parsers()} <= set(names)
    assert {"capture", "columns", "sanitise", "model", "doc-plan"} <= set(names)
    sources = Sources(SOURCE)
    assert [one.name for one in every if not sources.code(one.roots).files] == []
    assert [one.name for one in every if not one.seeds()] == []


def understood(came: object, name: str) -> bool:
    """Tell whether an outcome is no refusal: of documents that is words, else there is nothing told."""
    if name == "documents":
        return not isinstance(came, str)
    return isinstance(came, tuple) and any(came[:2] if name == "logs" else came[:1])


def known_by_modules() -> dict[tuple[str, str], object]:
    """Return the modules, classes and functions that modules of ours and of Python's own know by name."""
    ours = [m for m in sys.modules if m.partition(".")[0] in ("medwarden", "secrets", "socket", "time", "os")]
    return {
        (module, name): value
        for module in ours
        for name, value in vars(sys.modules[module]).items()
        if isinstance(value, ModuleType) or callable(value)
    }


@pytest.mark.parametrize("name", ["dissectors", "logs", "documents"])
def test_some_seed_of_every_target_is_understood(name: str) -> None:
    """Seeds that are all refused lead nowhere: what lies behind the first check is never tried.

    What a target puts in the place of something else is gone again with it: other tests run here, too.
    """
    targets, refused = family(name), []
    before = known_by_modules()
    for one in targets:
        outcomes = [one.check(data, random.Random(1)) for data in one.seeds()]
        if not any(understood(came, name) for came in outcomes):
            refused.append(one.name)
    assert refused == []
    after = known_by_modules()
    assert [what for what, value in before.items() if after.get(what) is not value] == []


def test_families_and_names_are_chosen_in_the_order_named_and_once() -> None:
    assert [one.name for one in chosen(["sanitise", "dicom", "capture", "dicom"])] == [
        "sanitise", "dicom", "capture"
    ]  # fmt: skip
    with pytest.raises(KeyError):
        chosen(["nobody"])


def test_least_is_due_first_and_native_before_the_rest() -> None:
    rows = [row("arp", "now-arp", 61.0), row("ftp", "now-ftp", 600.0)]
    every = standings(TARGETS, CODES, rows)
    turn = next_due(every, 600, set())
    assert turn is not None
    assert turn.target.name == "dns"
    turn = next_due(every, 600, {"dns", "ssh"})
    assert turn is not None
    assert turn.target.name == "arp"
    assert next_due(every, 600, {"dns", "ssh", "arp"}) is None


def test_what_changed_comes_before_what_was_never_run() -> None:
    turn = next_due(standings(TARGETS, CODES, [row("ssh", "before", 600.0)]), 600, set())
    assert turn is not None
    assert (turn.target.name, turn.changed, turn.clean_s) == ("ssh", True, 0.0)


def test_a_finding_takes_a_target_out_until_its_code_is_another() -> None:
    rows = [row(name, f"now-{name}", 600.0) for name in ("arp", "ftp", "ssh")]
    rows.append(row("dns", "now-dns", 500.0, findings=1, sanitizer=True))
    every = standings(TARGETS, CODES, rows)
    assert next_due(every, 600, set()) is None
    assert [one.target.name for one in every if one.findings] == ["dns"]
    assert "FINDING" in status(every, 600)


def test_the_status_tells_what_is_due() -> None:
    rows = [row("arp", "now-arp", 600.0), row("dns", "now-dns", 200.0), row("ftp", "before", 900.0)]
    rows.append(row("dns", "now-dns", 60.0, sanitizer=True))
    words = status(standings(TARGETS, CODES, rows), 600).splitlines()
    assert words[2].split() == ["dns", "now-dns", "200", "1000", "10", "60", "2026-11-20"]
    assert words[3].split() == ["ftp", "now-ftp", "0", "0", "0", "0", "never"]
    assert words[-1] == "1 of 4 targets have 600 s clean; 3 are due and need 1600 s of the processor"


def test_a_run_of_what_is_due_goes_on_until_nothing_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: list[tuple[str, float]] = []

    def apart(target: Target, seconds: float, seed: int) -> Stint:
        del seed
        given.append((target.name, seconds))
        return Stint(seconds, 100, 5)

    monkeypatch.setattr(run, "apart", apart)
    ledger = Ledger(tmp_path / "ledger.csv")
    targets = [target(name, "medwarden.inventory.plan") for name in ("one", "two")]
    once = Run(targets, ledger, 1)
    assert once.due(100, run.BEGAN + 1e6) is False
    assert sorted(given) == [("one", 40.0), ("one", 60.0), ("two", 40.0), ("two", 60.0)]
    assert [(row.target, row.clean_s) for row in ledger.rows()] == [("one", 100.0), ("two", 100.0)]
    assert "two: 100 inputs in 40 s" in capsys.readouterr().out


def test_code_that_is_not_what_runs_is_not_entered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "BEGAN", 0.0)
    ledger = Ledger(tmp_path / "ledger.csv")
    once = Run([target("one", "medwarden.inventory.plan")], ledger, 1)
    once.each(1.0)
    assert ledger.rows() == []
    assert "one: passed over, its code has changed" in capsys.readouterr().out


def test_a_run_of_what_is_due_wants_to_start_anew_when_code_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = Run([target("one", "medwarden.inventory.plan")], Ledger(tmp_path / "ledger.csv"), 1)
    monkeypatch.setattr(run, "BEGAN", 0.0)
    assert once.due(600, 1e12) is True
