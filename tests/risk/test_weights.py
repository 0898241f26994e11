"""Weights of a hospital's own: what differs is enough, and what does not hold is named by file and line."""

from __future__ import annotations

import pytest

from medwarden.kernel.errors import ConfigurationError
from medwarden.risk.weights import default_weights, own_rules, shipped_rules

NAME = "/home/risk-weights.yaml"


def test_what_differs_is_enough_and_names_the_version() -> None:
    rules = own_rules("note: no telnet here\npoints:\n  telnet_server: 30\nshape: {saturation: 60}\n", NAME)
    assert rules.weights.of("telnet_server") == 30
    assert rules.weights.of("smbv1") == default_weights().of("smbv1")
    assert rules.weights.shape.saturation == 60
    assert rules.weights.shape.base_impact == default_weights().shape.base_impact
    assert rules.version.startswith(f"{shipped_rules().version}+")
    assert own_rules("points: {telnet_server: 31}", NAME).version != rules.version
    assert own_rules("points: {telnet_server: 0}", NAME).weights.of("telnet_server") == 0
    assert own_rules("note: ''", NAME) == shipped_rules()


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("points:\n  telnet_server: 30\n  no_such: 3\n", 3, "no_such"),
        ("points:\n  telnet_server: many\n", 2, "telnet_server"),
        ("points:\n  telnet_server: -3\n", 2, "below 0"),
        ("points:\n  own_segment: 3\n", 2, "above 0"),
        ("points:\n  smbv1: 18\n  clinical_impact: 0.6\n", 3, "more than 1"),
        ("shape:\n  saturation: 0\n", 2, "saturation"),
        ("shape:\n  base_impact: 1.5\n", 2, "base_impact"),
        ("shape:\n  colour: 1\n", 2, "colour"),
        ("costs:\n  patch: 0\n", 2, "patch"),
        ("groups:\n  exponent: 99\n", 2, "exponent"),
        ("number: 7\n", 1, "number"),
        ("points: 3\n", 1, "points"),
        ("points:\n  smbv1: 1\n  smbv1: 2\n", 3, "second time"),
        ("points:\n  smbv1: [1\n", 3, "cannot be used"),
        ("points:\n  smbv1: " + "[" * 3000, 2, "nested deeper"),
    ],
)
def test_what_does_not_hold_is_named_by_file_and_line(text: str, line: int, word: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        own_rules(text, NAME)
    said = str(caught.value)
    assert said.startswith(f"{NAME}, line {line}"), said
    assert word in said


@pytest.mark.parametrize("text", ["", "- 1\n", "3", "x" * 300_000])
def test_what_is_no_file_of_weights_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"risk-weights\.yaml"):
        own_rules(text, NAME)
