"""Look-up of fingerprints."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from medwarden.knowledge.fingerprints.index import Index, index
from medwarden.knowledge.fingerprints.rules import Fingerprint, compile_regex


def _rule(**changes: object) -> Fingerprint:
    whole = {
        "id": "probe",
        "when": {"field": "http.title", "has": "probe"},
        "says": {"vendor": "Probe"},
        "trust": "strong",
        "source": "invented",
        "matches": ["probe"],
        **changes,
    }
    return msgspec.convert(whole, Fingerprint)


def _labels(rule: Fingerprint, *entries: tuple[str, str]) -> list[tuple[tuple[str, str], ...]]:
    return [match.labels for match in Index((rule,)).match(entries)]


def test_operators() -> None:
    for operator, right, wrong in (
        ({"is": "Probe X"}, "probe x", "probe xy"),
        ({"starts": "Probe"}, "PROBE 1", "a probe"),
        ({"has": "Probe"}, "a probe", "prob"),
        ({"regex": "^pro.e$"}, "PROBE", "probes"),
    ):
        rule = _rule(when={"field": "http.title", **operator})
        assert _labels(rule, ("http.title", right))
        assert not _labels(rule, ("http.title", wrong))
        assert not _labels(rule, ("http.server", right))


def test_groups_fill_labels() -> None:
    rule = _rule(
        when={"field": "http.title", "regex": "probe (\\w*)"}, says={"vendor": "Probe", "model": "P-{1}"}
    )
    assert _labels(rule, ("http.title", "probe 7")) == [(("vendor", "Probe"), ("model", "P-7"))]
    assert _labels(rule, ("http.title", "probe ")) == [(("vendor", "Probe"),)]


def test_every_asks_for_all_tests() -> None:
    rule = _rule(
        when=[{"field": "oui.vendor", "is": "Probe"}, {"field": "flow.serves", "is": "tcp/7"}], every=True
    )
    assert _labels(rule, ("oui.vendor", "Probe"), ("flow.serves", "tcp/7"))
    assert not _labels(rule, ("oui.vendor", "Probe"), ("oui.vendor", "Probe"))


def test_two_values_of_one_rule_give_two_labels() -> None:
    rule = _rule(when={"field": "http.title", "regex": "probe (\\d)"}, says={"model": "{1}"})
    assert len(_labels(rule, ("http.title", "probe 1"), ("http.title", "probe 2"))) == 2
    assert len(_labels(rule, ("http.title", "probe 1"), ("http.title", "the probe 1"))) == 1


@given(
    st.sampled_from(["dhcp.host_name", "http.user_agent", "snmp.sys_descr", "ssh.identification"]),
    st.text(max_size=60),
)
def test_the_shortcut_finds_what_trying_all_finds(field: str, value: str) -> None:
    rules = index().rules
    slow = set()
    for number, rule in enumerate(rules):
        for place, test in enumerate(rule.tests):
            lowered = value.lower()
            matched = (
                (test.equals is not None and lowered == test.equals.lower())
                or (test.starts is not None and lowered.startswith(test.starts.lower()))
                or (test.has is not None and test.has.lower() in lowered)
                or (test.regex is not None and compile_regex(test.regex).search(value) is not None)
            )
            if matched and field in test.fields:
                slow.add((number, place))
    assert {(hit.rule, hit.test) for hit in index().hits(field, value)} == slow
