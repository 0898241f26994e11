"""Expressions that are held against text of any length take one pass over it, whatever stands there."""

from __future__ import annotations

import re

import pytest

from medwarden.sensors.logs import cisco_asa, eve_facts, kea_dhcp, key_values
from medwarden.sensors.mds2_sheet import _ATTRIBUTE, _CELL
from medwarden.sensors.scans.gathering import _FIXED, _INSTALLED
from medwarden.sensors.scans.nessus import _DPKG, _PROGRAM, _RPM

LONG = 200_000
"""Letters: what was tried anew at each of them took hours."""

TEXTS = {
    "programs of blanks": (_PROGRAM, " " * LONG),
    "programs of lines": (_PROGRAM, "\n" * LONG),
    "packages of lines": (_DPKG, "ii" + "\n" * LONG),
    "packages of RPM": (_RPM, "\n" * LONG),
    "installed": (_INSTALLED, "\n" * LONG),
    "installed, then lines": (_INSTALLED, "\nversion" + "\n" * LONG),
    "fixed": (_FIXED, "\n" * LONG),
    "denied from": (cisco_asa._DENY, "Deny tcp src " + "a:" * LONG),
    "denied to": (cisco_asa._DENY, "Deny tcp src a:1 dst " + "b:1" * LONG),
    "built": (cisco_asa._BUILT, "Built inbound TCP connection 1 for " + "a:" * LONG),
    "pairs": (key_values._PAIR, "a" * LONG),
    "builds": (eve_facts._BUILD, "1" * LONG),
    "messages of Kea": (kea_dhcp._LOG, "INFO" + " " * LONG),
    "torn down": (cisco_asa._TORN, "Teardown TCP connection 1 for a:1/1 to " + "b:" * LONG),
}


@pytest.mark.parametrize(("expression", "text"), TEXTS.values(), ids=TEXTS)
def test_no_text_is_gone_over_again_and_again(expression: re.Pattern[str], text: str) -> None:
    assert expression.search(text) is None


@pytest.mark.parametrize("text", [b"a" * LONG, b"a:" * LONG, b'a="' + b"x" * LONG, b"a" + b" " * LONG])
def test_no_attribute_is_gone_over_again_and_again(text: bytes) -> None:
    assert _ATTRIBUTE.findall(text) == []


@pytest.mark.parametrize("text", [b"<c r='A1' " * LONG, b"<c " + b"r='A1' " * LONG, b"<c r" + b" " * LONG])
def test_no_cell_is_gone_over_again_and_again(text: bytes) -> None:
    assert _CELL.findall(text) == []
