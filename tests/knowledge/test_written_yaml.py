from __future__ import annotations

import datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from medwarden.kernel.errors import ConfigurationError
from medwarden.knowledge.written_yaml import LARGEST, read_yaml


def test_what_people_write_is_read() -> None:
    text = "a: [1, yes, x]\nb: {c: 2026-03-04, d: {c: 2}}\n- : 3\n"
    with pytest.raises(ConfigurationError, match=r"own\.yaml, line 3"):
        read_yaml(text, "own.yaml")
    assert read_yaml(text.replace("- : 3\n", ""), "own.yaml") == {
        "a": [1, True, "x"],
        "b": {"c": datetime.date(2026, 3, 4), "d": {"c": 2}},
    }
    assert read_yaml("", "x") is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &a [x]\nb: [*a, *a]\n", "line 2: aliases"),
        ("a: 1\nb: {c: 1, c: 2}\n", "line 2: 'c' stands there twice"),
        ("? [a]\n: 1\n", "line 1: a list or mapping cannot be a key"),
        ("a: !!python/object/apply:os.system [x]\n", "line 1: tags such as"),
        ("a: !!binary x\n", "line 1: tags such as"),
        ("[" * 100_000, "line 1: nested deeper than 20"),
        ("- " * 100_000, "line 1: nested deeper than 20"),
        ("a: 2026-02-30\n", "not YAML (day is out of range"),
        ("a: " + "9" * 5000, "not YAML (Exceeds the limit"),
        ("a: [1\n", "line 2"),
        ("a: \x00\n", "not YAML"),
        ("a: b\n" * (LARGEST // 4), "larger than 1024 KiB"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_what_no_person_means_is_refused_with_its_line(text: str, reason: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        read_yaml(text, "own.yaml")
    assert reason in str(told.value)
    assert str(told.value).startswith("own.yaml")
    assert len(str(told.value)) < 300


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_a_writer_of_yaml_writes_comes_back(value: object) -> None:
    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            return data is data

    assert read_yaml(yaml.dump(value, Dumper=Plain), "x") == value


@given(st.text(alphabet="ab: -[]{},?&*!|>'\"\n\t#%@`0.~\x85", max_size=60))
def test_any_text_is_values_or_one_error(text: str) -> None:
    try:
        read = read_yaml(text, "x")
    except ConfigurationError as error:
        assert str(error).startswith("x")
    else:
        assert read is None or isinstance(read, str | int | float | bool | list | dict | datetime.date)
