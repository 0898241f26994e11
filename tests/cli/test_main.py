"""The command as a whole: help, wrong usage, and errors as sentences."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from tests.cli.conftest import Say

from medwarden.cli import main
from medwarden.kernel.errors import ConfigurationError, InternalError, ResourceError

COMMANDS = [[name] for name in main._COMMANDS]
COMMANDS += [["policy", name] for name in ("learn", "list", "export")]
COMMANDS += [["user", name] for name in ("add", "list", "role", "password", "disable")]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_names_every_option(say: Say, words: list[str]) -> None:
    said = say(*words, "--help")
    assert said.status == 0
    assert said.out.startswith("Usage: medwarden")
    command: click.Command = main.cli
    for word in words:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None
        command = found
    for parameter in command.params:
        for option in parameter.opts:
            if option.startswith("--"):
                assert re.search(rf"(?m)^\s+(?:-\w, )?{option}\b", said.out), option
    assert command.help is not None


def test_the_overview_of_commands_names_all_and_loads_none() -> None:
    script = (
        "import sys; from medwarden.cli.main import run; status = run(['--help']);"
        "heavy = {'django', 'duckdb', 'pyarrow', 'pyiceberg'} & set(sys.modules);"
        "print(heavy, file=sys.stderr);"
        "sys.exit(status or len(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in main._COMMANDS:
        assert re.search(rf"(?m)^  {name} ", done.stdout), name


def test_unknown_commands_and_options_are_wrong_usage(say: Say) -> None:
    for words in (
        ["frobnicate"],
        ["devices", "--frobnicate"],
        ["up", "--port", "70000"],
        ["user", "add", "x"],
    ):
        said = say(*words)
        assert said.status == 2
        assert "Error: " in said.err


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (ConfigurationError("name another"), 2, "medwarden: name another\n"),
        (ResourceError("the disk\nis \x1b[1mfull"), 1, "medwarden: the disk\\nis \\x1b[1mfull\n"),
        (KeyboardInterrupt(), 130, "medwarden: interrupted\n"),
        (InternalError("broken"), 1, "medwarden: broken\n"),
    ],
)
def test_errors_are_one_printable_line(
    say: Say, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, says: str
) -> None:
    def fail(*_arguments: object, **_named: object) -> None:
        raise error

    monkeypatch.setattr(main.cli, "main", fail)
    said = say("devices")
    assert (said.status, said.err) == (status, says)


def test_a_defect_is_named_and_shows_its_trace_where_asked_for(
    say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("a\nslip")

    monkeypatch.setattr(main.cli, "main", fail)
    monkeypatch.delenv("MEDWARDEN_DEBUG", raising=False)
    said = say("devices")
    assert said.status == main.DEFECT_STATUS
    assert said.err.startswith("medwarden: this is a defect in medwarden (RuntimeError: a\\nslip)")
    assert said.err.count("\n") == 1
    monkeypatch.setenv("MEDWARDEN_DEBUG", "1")
    assert "Traceback" in say("devices").err


def test_a_reader_that_goes_away_is_no_error(ward: Path) -> None:
    """Close the pipe before anything is printed, be it much or little."""
    for words in (["devices", "--json"], ["devices", "--json", "00:01:e3:44:02:21"]):
        process = subprocess.Popen(
            [sys.executable, "-m", "medwarden", *words, "--home", str(ward)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        process.stdout.close()
        _, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, b"")
