"""Tables, JSON lines and the account of inputs."""

from __future__ import annotations

import json

import pytest

from medwarden.cli.output import print_json, print_table, progress_of_inputs, report_inputs
from medwarden.model.accounting import InputReport, PacketCount


def test_tables_hold_everything_and_steer_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("", ("name", "risk"), [("a\x1b[31m\nb", 7), (None, "[bold]x[/bold]")], right=("risk",))
    out = capsys.readouterr().out
    assert "a\\x1b[31m\\nb" in out
    assert "[bold]x[/bold]" in out
    assert "None" not in out


def test_json_is_one_line_a_value(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "a\nb\x1b", "ö": [1, None]})
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "\x1b" not in out
    assert json.loads(out) == {"name": "a\nb\x1b", "ö": [1, None]}


def test_the_account_names_errors_and_sums_up(capsys: pytest.CaptureFixture[str]) -> None:
    sound = InputReport("a", packets=PacketCount(10, 8, 1, 1), already=True)
    broken = InputReport("b", packets=PacketCount(5, 5), error="b, byte 7: cut")
    assert report_inputs([sound], ()) == 0
    assert report_inputs([sound, broken], ()) == 1
    err = capsys.readouterr().err.splitlines()
    assert (
        err[0] == "1 inputs: 10 packets read = 8 parsed + 1 rejected + 1 dropped; 1 inputs were already known"
    )
    assert err[1] == "medwarden: b, byte 7: cut"
    assert "15 packets read = 13 parsed + 1 rejected + 1 dropped" in err[2]
    assert "1 with an error" in err[2]


def test_progress_is_silent_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_of_inputs("reading") as show:
        show(0, 2, "a")
        show(1, 2, "b" * 500)
    assert capsys.readouterr() == ("", "")
