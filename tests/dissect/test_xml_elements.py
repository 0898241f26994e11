from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect import xml_elements as module
from medwarden.dissect.xml_elements import xml_elements
from medwarden.kernel.errors import MalformedInput


def test_elements_come_in_document_order_with_path_namespace_and_prefixes_in_scope() -> None:
    document = b'<a xmlns="urn:x" xmlns:p="urn:p"><p:b xmlns:q="urn:q"> q:T </p:b><c/></a>'
    found = xml_elements(document, "test")
    assert [(e.path, e.namespace, e.text) for e in found] == [
        (("a",), "urn:x", ""),
        (("a", "b"), "urn:p", "q:T"),
        (("a", "c"), "urn:x", ""),
    ]
    assert found[1].prefixes == {"": "urn:x", "p": "urn:p", "q": "urn:q"}
    assert "q" not in found[2].prefixes


@pytest.mark.parametrize(
    "document",
    [
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<!DOCTYPE a SYSTEM "http://192.0.2.1/x.dtd"><a/>',
        b"<a>&b;</a>",
        b"<a><b></a>",
        b"",
        b"<a/><b/>",
        b"<a>" * (module.MAX_DEPTH + 1) + b"</a>" * (module.MAX_DEPTH + 1),
        b"<a>" + b"<b/>" * module.MAX_ELEMENTS + b"</a>",
        b"<a>" + b" " * module.MAX_BYTES + b"</a>",
        b"<a " + b" ".join(b'xmlns:n%d="u"' % n for n in range(100)) + b"/>",
    ],
    ids=["entity", "external", "undefined", "unclosed", "empty", "two", "deep", "many", "long", "namespaces"],
)
def test_what_could_expand_or_exhaust_is_refused(document: bytes) -> None:
    with pytest.raises(MalformedInput):
        xml_elements(document, "test")


def test_latin_1_and_utf_16_are_read_and_other_encodings_never_reach_pythons_codecs() -> None:
    latin = '<?xml version="1.0" encoding="ISO-8859-1"?><a>Gerät</a>'.encode("latin-1")
    assert xml_elements(latin, "test")[0].text == "Gerät"
    assert xml_elements("<a>Gerät</a>".encode("utf-16"), "test")[0].text == "Gerät"
    assert xml_elements(b'<?xml version="1.0" encoding="rot13"?><a>nop</a>', "test")[0].text == "nop"


def test_text_is_cut_to_its_bound() -> None:
    assert len(xml_elements(b"<a>" + b"x" * 20000 + b"</a>", "test")[0].text) == module.MAX_TEXT


@given(st.binary(max_size=200), st.integers(0, 60), st.integers(0, 60))
def test_any_bytes_give_elements_or_malformed_input(noise: bytes, start: int, end: int) -> None:
    sound = b'<?xml version="1.0"?><a xmlns="urn:x"><b>text</b><c d="e"/></a>'
    for document in (noise, sound[:start] + noise + sound[end:]):
        try:
            assert xml_elements(document, "test")
        except MalformedInput as error:
            assert error.source == "test"
