from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.model.vulnerability import VersionSpan
from medwarden.risk.matching.version_order import (
    SCHEMES,
    begins,
    compare,
    compare_packages,
    device_version,
)
from medwarden.risk.matching.version_places import Place, place
from medwarden.risk.matching.versions import _ATOM, Certainty, read_versions, span_words

READINGS = [
    ("vers:all/*", Certainty.EXACT, []),
    ("<= 2.3.6", Certainty.EXACT, ["up to 2.3.6"]),
    ("2.3.6 and  below", Certainty.READ, ["up to 2.3.6"]),
    ("prior to Version 8.2.2", Certainty.READ, ["below 8.2.2"]),
    ("versions 4.01 through 4.34", Certainty.EXACT, ["4.01 to 4.34"]),
    ("2.X", Certainty.EXACT, ["2.X"]),
    ("1.1.7.333 | 2.1.1.3069", Certainty.EXACT, ["1.1.7.333", "2.1.1.3069"]),
    (">= 4.01 | <= 4.34", Certainty.EXACT, ["4.01 to 4.34"]),
    ("<= U61 |<= L81", Certainty.EXACT, ["up to U61", "up to L81"]),
    ("HD 16 | HD23", Certainty.EXACT, ["HD 16", "HD23"]),
    ("B.02 | C.02 | C.03", Certainty.EXACT, ["B.02", "C.02", "C.03"]),
    ("A.01 <= C.0x | 4.0", Certainty.EXACT, ["A.01 to C.0x", "4.0"]),
    ("<= N", Certainty.EXACT, ["up to N"]),
    ("* (end-of-life 2011)", Certainty.EXACT, []),
    ("SV20.1 | SV23.0", Certainty.EXACT, ["SV20.1", "SV23.0"]),
    ("1.3.1 Build 13", Certainty.EXACT, ["1.3.1 Build 13"]),
    ("< 1.8.4 Service Pack 01", Certainty.EXACT, ["below 1.8.4 Service Pack 01"]),
    ("(Release 1.3.2 1.4.0 1.5)", Certainty.READ, ["1.3.2", "1.4.0", "1.5"]),
    (">= 2018-1 | <= 2021-1", Certainty.EXACT, ["2018-1 to 2021-1"]),
    (">=v1.0.0|<v3.0.4", Certainty.EXACT, ["v1.0.0 to below v3.0.4"]),
    ("V4.4, V4.5, and V5.1", Certainty.EXACT, ["V4.4", "V4.5", "V5.1"]),
    (
        "All versions between V3.0 (including) and V3.0.2 (excluding)",
        Certainty.READ,
        ["V3.0 to below V3.0.2"],
    ),
    ("vers:all/<V7.0.3", Certainty.EXACT, ["below v7.0.3"]),
    ("< 19.0.1 | < 18.0.1", Certainty.EXACT, ["below 18.0.1", "19 to below 19.0.1"]),
]


@pytest.mark.parametrize(("text", "certainty", "words"), READINGS)
def test_published_texts_are_read(text: str, certainty: Certainty, words: list[str]) -> None:
    reading = read_versions(text)
    assert [span_words(span) for span in reading.spans] == words
    assert reading.certainty is certainty
    assert reading.everything is (not words)


@pytest.mark.parametrize(
    "text",
    ["< august 28", "distributed  < april 1, 2018", "<May 2018", "653 MCE 3.x", "not a version at all <"],
)
def test_what_cannot_be_read_says_so_and_names_every_version_neither(text: str) -> None:
    reading = read_versions(text)
    assert reading.certainty is Certainty.UNREADABLE
    assert not reading.everything
    assert reading.conditions


def test_conditions_and_models_beside_versions_are_kept() -> None:
    assert read_versions("<=11.2 on Windows 8.1 with IIS 7.5").conditions == ("on windows 8.1 with iis 7.5",)
    assert read_versions("v6.x (with Wireless Battery Modules v9)").conditions == (
        "with wireless battery modules v9",
    )
    assert read_versions("CS2  Avance | Amingo").models == ("CS2 Avance", "Amingo")
    assert read_versions("Accu-Chek Inform II").models == ("Accu-Chek Inform II",)


@pytest.mark.parametrize(
    ("version", "text", "where"),
    [
        ("2.3.6", "<= 2.3.6", Place.IN),
        ("2.3.7", "<= 2.3.6", Place.ABOVE),
        ("2.3.6.1", "<= 2.3.6", Place.UNKNOWN),
        ("2.3.10", "< 2.3.9", Place.ABOVE),
        ("8.2.2", "< 8.2.2", Place.ABOVE),
        ("8.2.1", "< 8.2.2", Place.IN),
        ("B.06.17", "< B.06.18", Place.IN),
        ("B.02.15", "B.02", Place.UNKNOWN),
        ("C.03.11", "A.01 <= C.0x | 4.0", Place.IN),
        ("C.11", "A.01 <= C.0x", Place.ABOVE),
        ("U60", "<= U61 |<= L81", Place.IN),
        ("L82", "<= U61 |<= L81", Place.ABOVE),
        ("U62", "<= U61 |<= L81", Place.ABOVE),
        ("012U000061", "<= U61 |<= L81", Place.UNKNOWN),
        ("1.0", "1.1 | 1.6", Place.OUT),
        ("2.5", "<= 2.0", Place.ABOVE),
        ("2.0.1", "<= 2.0", Place.UNKNOWN),
        ("2.9.9", "2.X", Place.IN),
        ("3.0", "2.X", Place.OUT),
        ("4.00", ">= 4.01 | <= 4.34", Place.BELOW),
        ("4.35", ">= 4.01 | <= 4.34", Place.ABOVE),
        ("1.3.1", "1.3.1 Build 13", Place.UNKNOWN),
        ("1.3.1.13", "1.3.1 Build 13", Place.OUT),
        ("1.8.4", "< 1.8.4 Service Pack 01", Place.UNKNOWN),
        ("1.8.3", "< 1.8.4 Service Pack 01", Place.IN),
        ("N.01", "<= N", Place.IN),
        ("P.01", "<= N", Place.ABOVE),
        ("18.5", "< 19.0.1 | < 18.0.1", Place.OUT),
        ("19.0.0", "< 19.0.1 | < 18.0.1", Place.IN),
        ("unknown", "<= 2.3.6", Place.UNKNOWN),
        ("U61", "<= 2.3.6", Place.UNKNOWN),
        ("anything", "*", Place.IN),
    ],
)
def test_where_a_version_stands(version: str, text: str, where: Place) -> None:
    assert place(version, read_versions(text).spans) is where


DEVICE_TEXTS = st.one_of(
    st.from_regex(r"\A[A-Z]?\.?[0-9]{1,3}(\.[0-9]{1,3}){0,3}[A-Z]?\Z"),
    st.from_regex(r"\A[UL][0-9]{1,2}\Z"),
    st.from_regex(r"\A[0-9]\.[0-9] (Build|SP|beta) [0-9]{1,2}\Z"),
)
PACKAGES = {
    "semver": st.from_regex(r"\A[0-9]\.[0-9]\.[0-9](-(alpha|rc)\.[0-9])?\Z"),
    "maven": st.from_regex(r"\A[0-9]\.[0-9](-(SNAPSHOT|rc[0-9]))?\Z"),
    "rpm": st.from_regex(r"\A[0-9]:[0-9]\.[0-9]-[0-9]\Z"),
    "deb": st.from_regex(r"\A[0-9]\.[0-9]~?[a-z]?-[0-9]\Z"),
    "pypi": st.from_regex(r"\A[0-9]\.[0-9](rc[0-9])?\Z"),
    "generic": DEVICE_TEXTS,
}


@given(st.lists(DEVICE_TEXTS, min_size=3, max_size=3))
def test_device_versions_are_in_a_total_order(texts: list[str]) -> None:
    a, b, c = sorted((v for v in map(device_version, texts) if v is not None), key=lambda v: v.key)
    assert a.key <= b.key <= c.key
    assert compare(a, a) == 0
    first, second = compare(a, c), compare(c, a)
    assert (first is None) is (second is None)
    assert first is None or second is None or first == -second


@pytest.mark.parametrize("scheme", sorted(PACKAGES))
@given(data=st.data())
def test_each_scheme_orders_its_versions(scheme: str, data: st.DataObject) -> None:
    a, b, c = (data.draw(PACKAGES[scheme]) for _ in range(3))
    assert compare_packages(scheme, a, a) == 0
    forward, back = compare_packages(scheme, a, b), compare_packages(scheme, b, a)
    assert forward == (None if back is None else -back)
    further = compare_packages(scheme, b, c)
    if forward is not None and further is not None and forward <= 0 and further <= 0:
        assert compare_packages(scheme, a, c) in (-1, 0)


@given(DEVICE_TEXTS, st.booleans(), st.booleans())
def test_the_ends_of_a_range_belong_to_it_as_it_says(version: str, low: bool, high: bool) -> None:
    assert place(version, (VersionSpan(exact=version),)) is Place.IN
    assert place(version, (VersionSpan(high=version, high_included=high),)) is (
        Place.IN if high else Place.ABOVE
    )
    assert place(version, (VersionSpan(low=version, low_included=low),)) is (Place.IN if low else Place.BELOW)


@given(st.text(max_size=80))
def test_no_text_is_too_strange(text: str) -> None:
    reading = read_versions(text)
    assert place(text, reading.spans) in Place
    assert reading.certainty in Certainty


def test_no_scheme_is_confused_by_what_is_no_version() -> None:
    for scheme in SCHEMES:
        assert compare_packages(scheme, "", "\x00") in (None, 0, -1, 1)
    shorter, longer = device_version("2.3"), device_version("2.3.1")
    assert shorter is not None
    assert longer is not None
    assert begins(longer, shorter)


PUMPED = {
    "words with a point": "rel. " * 400 + "!",
    "words": "all versions " * 400 + "!",
    "versions run together": "1" + "p1" * 1000 + "!",
    "service packs run together": "1" + "sp1" * 600 + "!",
    "patches": "1" + " patch 1" * 300 + "!",
    "releases": "1" + " rc" * 600 + "!",
    "letters and points": "a1" + ".1" * 1000 + "!",
    "a version of many words": ">= " + "rev. 1" * 400 + "!",
    "parts": "1.2.3 " * 400 + "!",
}


@pytest.mark.parametrize("text", PUMPED.values(), ids=PUMPED)
def test_a_text_that_can_be_taken_apart_in_many_ways_is_looked_at_once(text: str) -> None:
    """Each was tried in as many ways as there are subsets of its parts: no machine would come to the end."""
    assert _ATOM.match(text) is None
    assert not read_versions(text).spans


def test_blanks_and_brackets_in_a_row_are_read_once() -> None:
    assert _ATOM.match("1" + "(r1" * 600 + "!") is None
    assert _ATOM.match("<=" + " " * 5000 + "all" + "  " * 5000 + "!") is None
    found = _ATOM.match("<= versions :  rev. 10.0sp  1 (beta)")
    assert found is not None and found.group("version") == "10.0sp  1 (beta)"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.0sp 1", "1.0sp 1"),
        ("7.2update. 3", "7.2update. 3"),
        ("version .5", ".5"),
        ("rel. : 5", "5"),
        ("ver.: 5", "5"),
        ("rev a", "a"),
        ("ab.c1", "ab.c1"),
        ("2.0 mr build 5", "2.0 mr build 5"),
        ("2.0 rc", "2.0 rc"),
    ],
)
def test_a_version_keeps_what_belongs_to_it(text: str, version: str) -> None:
    found = _ATOM.match(text)
    assert found is not None and found.group("version") == version


@pytest.mark.parametrize("text", ["2.0 mr 1", "1..2 x", "rel. : . b", "versions", "a b"])
def test_what_is_no_version_is_none(text: str) -> None:
    assert _ATOM.match(text) is None
