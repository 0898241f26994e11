"""DICOM PDUs made by hand: what is told, what is refused, what hostile peers cannot do."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR

from medwarden.dissect.dicom import MAX_NAMED_CLASSES, Dicom
from medwarden.dissect.dicom_dimse import (
    MATCHES,
    PERFORMED_RESULT,
    PERFORMED_STEP,
    QUERY_KEYS,
    REPRESENTATIONS,
    STORED,
    WORKLIST_KEYS,
)
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import Segment, Transport

CT = "1.2.840.10008.5.1.4.1.1.2"
COMMIT = "1.2.840.10008.1.20.1"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
WANTED = (STORED, WORKLIST_KEYS, QUERY_KEYS, MATCHES, PERFORMED_STEP, PERFORMED_RESULT)


def item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(value)) + value


def context(identifier: int, abstract: str, *transfers: str) -> bytes:
    subs = item(0x30, abstract.encode()) + b"".join(item(0x40, t.encode()) for t in transfers)
    return item(0x20, bytes((identifier, 0, 0, 0)) + subs)


def answer(identifier: int, result: int = 0, transfer: str = IMPLICIT) -> bytes:
    return item(0x21, bytes((identifier, 0, result, 0)) + item(0x40, transfer.encode()))


def user_information(*subs: bytes) -> bytes:
    return item(0x50, item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3.4") + b"".join(subs))


def role(sop_class: str, scu: int, scp: int) -> bytes:
    return item(0x54, struct.pack(">H", len(sop_class)) + sop_class.encode() + bytes((scu, scp)))


def pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBI", kind, 0, len(body)) + body


def associate(kind: int, *items: bytes, calling: bytes = b"MODALITY", called: bytes = b"PACS") -> bytes:
    fixed = b"\0\1\0\0" + called.ljust(16) + calling.ljust(16) + bytes(32)
    return pdu(kind, fixed + item(0x10, b"1.2.840.10008.3.1.1.1") + b"".join(items))


def pdv(context_id: int, control: int, fragment: bytes) -> bytes:
    return struct.pack(">IBB", len(fragment) + 2, context_id, control) + fragment


def element(tag: int, value: bytes) -> bytes:
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value


def command(field: int, *more: bytes, sop_class: str = CT) -> bytes:
    return (
        element(0x00000002, sop_class.encode())
        + element(0x00000100, struct.pack("<H", field))
        + b"".join(more)
    )


def stream(*pieces: tuple[str, bytes], size: int = 1 << 20) -> list[Evidence]:
    dissector = Dicom()
    facts: list[Evidence] = []
    for side, data in pieces:
        is_client = side == "client"
        ips = ("192.0.2.10", "192.0.2.20") if is_client else ("192.0.2.20", "192.0.2.10")
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            segment = Segment(1, 1, Transport.TCP, None, None, *ips, 1, 104, None, is_client, piece)
            facts += dissector.feed(segment)
    return facts


def stated(facts: list[Evidence]) -> set[tuple[str, str, str]]:
    return {(f.field, f.value, "client" if f.ip == "192.0.2.10" else "server") for f in facts}


def values(facts: list[Evidence], field: str) -> list[str]:
    return [fact.value for fact in facts if fact.field == field]


REQUEST = associate(1, context(1, CT, IMPLICIT), user_information(item(0x55, b"MADE_BY_HAND")))
ACCEPT = associate(2, answer(1), user_information(), calling=b"reserved", called=b"reserved")


def test_titles_come_from_the_request_even_for_the_acceptor() -> None:
    facts = stated(stream(("client", REQUEST), ("server", ACCEPT)))
    assert ("dicom.ae_title", "PACS", "server") in facts
    assert not [fact for fact in facts if fact[1] == "reserved"]


def test_only_accepted_contexts_are_the_acceptors() -> None:
    request = associate(1, context(1, CT, IMPLICIT), context(3, COMMIT, IMPLICIT), user_information())
    accept = associate(2, answer(1, result=3), answer(3), user_information())
    facts = stated(stream(("client", request), ("server", accept)))
    roles = {(value, who) for field, value, who in facts if field == "dicom.role"}
    assert roles == {
        ("storage_scu", "client"),
        ("storage_commitment_scu", "client"),
        ("storage_commitment_scp", "server"),
    }


def test_role_selection_turns_the_roles_round() -> None:
    request = associate(1, context(1, COMMIT, IMPLICIT), user_information(role(COMMIT, 0, 1)))
    accept = associate(2, answer(1), user_information(role(COMMIT, 0, 1)))
    facts = stated(stream(("client", request), ("server", accept)))
    assert ("dicom.role", "storage_commitment_scp", "client") in facts
    assert ("dicom.role", "storage_commitment_scu", "server") in facts


def test_log_in_is_told_by_its_kind_alone() -> None:
    secret = item(0x58, b"\2\0\0\7drmabus\0\6hunter")
    facts = stream(("client", associate(1, context(1, CT, IMPLICIT), user_information(secret))))
    assert values(facts, "dicom.user_identity") == ["username_and_passcode"]
    assert not [fact for fact in facts if "mabus" in fact.value or "hunter" in fact.value]


def test_image_forwarded_for_a_move_does_not_name_the_archives_equipment() -> None:
    moved = command(1, element(0x00001030, b"VIEWER"))
    data = element(0x00080060, b"CT") + element(0x00080070, b"MAKER ") + element(0x00100010, b"Doe^J ")
    message = pdu(4, pdv(1, 3, moved) + pdv(1, 2, data))
    facts = stream(("client", REQUEST), ("server", ACCEPT), ("client", message))
    assert values(facts, "dicom.move_originator") == ["VIEWER"]
    assert values(facts, "dicom.patient_data") == ["yes"]
    assert not values(facts, "dicom.modality")
    assert not values(facts, "dicom.manufacturer")


def test_fragments_over_several_pdus_are_one_data_set() -> None:
    data = element(0x00080060, b"CT") + element(0x00080070, b"MAKER ")
    pieces = [pdu(4, pdv(1, 3, command(1)))]
    pieces += [pdu(4, pdv(1, 2 if at == len(data) - 1 else 0, data[at : at + 1])) for at in range(len(data))]
    facts = stream(("client", REQUEST), ("server", ACCEPT), ("client", b"".join(pieces)))
    assert values(facts, "dicom.manufacturer") == ["MAKER"]


def test_association_not_seen_is_still_read() -> None:
    data = element(0x00080060, b"CT") + element(0x00080070, b"MAKER ")
    facts = stream(("client", pdu(4, pdv(1, 3, command(1)) + pdv(1, 2, data))))
    assert values(facts, "dicom.manufacturer") == ["MAKER"]


def test_representations_are_those_of_the_dictionary() -> None:
    tags = {tag for wanted in WANTED for tag in wanted.tags}
    assert len(tags) > 15
    for tag in tags:
        assert REPRESENTATIONS.get(tag, b"LO").decode() == dictionary_VR(tag), f"{tag:08x}"


@pytest.mark.parametrize(
    "wrong",
    [
        b"\x08\x00\x70\x00SH\x06\x00A12345",
        b"\x08\x00\x70\x00PN\x06\x00Doe^J ",
        b"\x08\x00\x70\x00LO\x10\x00MAKER \x10\x00\x10\x00PN\x02\x00Do",
    ],
)
def test_value_that_is_not_what_it_seems_is_refused(wrong: bytes) -> None:
    request = associate(1, context(1, CT, EXPLICIT), user_information())
    stored = pdu(4, pdv(1, 3, command(1)) + pdv(1, 2, wrong))
    with pytest.raises(MalformedInput, match="no text of its kind"):
        stream(("client", request), ("server", associate(2, answer(1, 0, EXPLICIT))), ("client", stored))


def test_operator_is_not_told_without_a_tokeniser() -> None:
    data = element(0x00081070, b"Otto^Operator ")
    facts = stream(("client", REQUEST), ("client", pdu(4, pdv(1, 3, command(1)) + pdv(1, 2, data))))
    assert not values(facts, "dicom.operator")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (pdu(9, b""), "unknown PDU type"),
        (struct.pack(">BBI", 1, 0, 0xFFFFFFFF), "A-ASSOCIATE of"),
        (pdu(1, b"\0\1\0\0"), "shorter than its fixed"),
        (pdu(5, b"12345"), "must have 4 bytes"),
        (pdu(4, pdv(1, 3, b"")[:3] + b"\xff" * 3), "data value of"),
        (pdu(4, struct.pack(">IBB", 0xFFFFFFFF, 1, 3)), "data value of"),
        (pdu(4, struct.pack(">IBB", 0, 1, 3)), "data value of"),
        (associate(1, struct.pack(">BBH", 0x20, 0, 0xFFFF)), "longer than its PDU"),
        (associate(1, b"\x20"), "within its header"),
        (associate(1, item(0x20, b"\1")), "too short"),
        (pdu(1, bytes(68)), "protocol version"),
        (pdu(4, pdv(1, 3, element(0x00000100, b"\1\0")[:-1])), "ends within an element"),
    ],
)
def test_broken_pdus_are_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedInput, match=reason):
        stream(("client", data))


def test_ten_thousand_contexts_are_bounded() -> None:
    contexts = [context(at % 256, f"1.2.{at}", IMPLICIT) for at in range(4000)]
    facts = stream(("client", associate(1, *contexts)))
    assert len(values(facts, "dicom.sop_class")) == MAX_NAMED_CLASSES
    many = [context(1, "1.2", "1.2") for _ in range(10_000)]
    with pytest.raises(MalformedInput):
        stream(("client", associate(1, *many)))


def test_pixel_data_without_end_is_not_kept() -> None:
    dissector = Dicom()
    head = pdu(4, pdv(1, 3, command(1))) + struct.pack(">BBI", 4, 0, 0xFFFFFFFF)
    head += struct.pack(">IBB", 0xFFFFFFF0, 1, 0) + element(0x00280010, b"\0\2") + bytes(100)

    def feed(data: bytes) -> None:
        segment = Segment(1, 1, Transport.TCP, None, None, "192.0.2.1", "192.0.2.2", 1, 104, None, True, data)
        assert len(list(dissector.feed(segment))) <= 1

    feed(head)
    for _ in range(200):
        feed(bytes(65536))
        assert len(dissector.client.data) == 0


def explicit(tag: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def response(field: int, status: int, *more: bytes, sop_class: str = CT) -> bytes:
    return command(field | 0x8000, element(0x00000900, struct.pack("<H", status)), *more, sop_class=sop_class)


@pytest.mark.parametrize(
    ("field", "status", "words"),
    [
        (0x0001, 0xA700, "C-STORE: out of resources (0xA700)"),
        (0x0001, 0xA900, "C-STORE: data set does not match SOP class (0xA900)"),
        (0x0001, 0xC123, "C-STORE: unable to process (0xC123)"),
        (0x0001, 0xB000, "C-STORE: warning: elements coerced (0xB000)"),
        (0x0001, 0xB006, "C-STORE: warning: elements discarded (0xB006)"),
        (0x0021, 0xB000, "C-MOVE: warning: sub-operations failed (0xB000)"),
        (0x0021, 0xA801, "C-MOVE: move destination unknown (0xA801)"),
        (0x0020, 0xFE00, "C-FIND: cancelled (0xFE00)"),
        (0x0030, 0x0122, "C-ECHO: SOP class not supported (0x0122)"),
        (0x0110, 0x0112, "N-GET: no such SOP instance (0x0112)"),
        (0x0150, 0x0124, "N-DELETE: not authorized (0x0124)"),
        (0x0001, 0x1234, "C-STORE: failure (0x1234)"),
    ],
)
def test_statuses_are_told_in_words(field: int, status: int, words: str) -> None:
    facts = stream(("client", REQUEST), ("server", pdu(4, pdv(1, 3, response(field, status)))))
    assert values(facts, "dicom.status") == [words]


@pytest.mark.parametrize("status", [0x0000, 0xFF00, 0xFF01])
def test_success_and_pending_are_no_complaint(status: int) -> None:
    facts = stream(("client", REQUEST), ("server", pdu(4, pdv(1, 3, response(0x0020, status)))))
    assert not values(facts, "dicom.status")


def test_images_are_counted_by_their_answers_when_the_association_ends() -> None:
    head = element(0x00080060, b"CT")
    stored = pdu(4, pdv(1, 3, command(1)) + pdv(1, 2, head))
    answers = [response(1, status) for status in (0, 0xB000, 0xA700, 0)]
    end = pdu(5, bytes(4))
    facts = stream(
        ("client", REQUEST), ("server", ACCEPT), ("client", stored),
        *(("server", pdu(4, pdv(1, 3, answer_))) for answer_ in answers), ("client", end), ("server", end),
    )  # fmt: skip
    moment = "1970-01-01T00:00Z"
    sent = [(f.value, f.ip) for f in facts if f.field == "dicom.images_sent"]
    assert sent == [(f"{moment}/{moment} CT images=3 failed=1", "192.0.2.10")]


@pytest.mark.parametrize(("event", "told_as"), [(1, "committed"), (2, "failed")])
def test_report_of_a_storage_commitment(event: int, told_as: str) -> None:
    report = command(0x0100, element(0x00001002, struct.pack("<H", event)), sop_class=COMMIT)
    facts = stream(("client", REQUEST), ("server", pdu(4, pdv(1, 3, report))))
    assert [(f.value, f.ip) for f in facts if f.field == "dicom.storage_commitment"] == [
        (told_as, "192.0.2.20")
    ]


def test_refused_contexts_extended_negotiation_and_operations() -> None:
    user = (
        item(0x53, struct.pack(">HH", 0, 2)),
        item(0x56, struct.pack(">H", len(CT)) + CT.encode() + b"\1"),
        item(0x58, b"\1\0\0\5alice\0\0"),
    )
    request = associate(1, context(1, CT, IMPLICIT), context(3, COMMIT, IMPLICIT), user_information(*user))
    accept = associate(2, answer(1, 4), answer(3, 3), item(0x50, item(0x51, bytes(4))))
    facts = stream(("client", request), ("server", accept))
    assert values(facts, "dicom.async_operations") == ["invoked=any performed=2"]
    assert values(facts, "dicom.extended_negotiation") == ["CT Image Storage"]
    assert values(facts, "dicom.user_identity") == ["username"]
    assert "unlimited" in values(facts, "dicom.max_pdu")
    assert values(facts, "dicom.context_refused") == [
        "CT Image Storage: transfer syntaxes not supported",
        "Storage Commitment Push Model SOP Class: abstract syntax not supported",
    ]
    assert not [f for f in facts if f.field == "dicom.role" and f.ip == "192.0.2.20"]


def stored(*elements: bytes) -> bytes:
    return pdu(4, pdv(1, 3, command(1)) + pdv(1, 2, b"".join(elements)))


def test_images_of_two_machines_on_one_association_are_a_forwarders() -> None:
    first = stored(element(0x00080060, b"CT"), element(0x00080070, b"ACME"), element(0x00181000, b"A1"))
    second = stored(element(0x00080060, b"CT"), element(0x00080070, b"ACME"), element(0x00181000, b"B2"))
    facts = stream(("client", REQUEST), ("server", ACCEPT), ("client", first), ("client", second))
    assert "storage_forwarder" in values(facts, "dicom.role")
    assert values(facts, "dicom.device_serial_number") == ["A1"]
    assert values(facts, "dicom.source_device_serial_number") == ["B2"]
    again = stream(("client", REQUEST), ("server", ACCEPT), ("client", first), ("client", first))
    assert "storage_forwarder" not in values(again, "dicom.role")


@pytest.mark.parametrize(
    ("tag", "value", "field", "told_as"),
    [
        (0x00181030, b"Thorax Doe", "", ""),
        (0x00081030, b"CT Thorax W/O ", "dicom.study_description", "CT Thorax W/O"),
        (0x00081030, b"CT Thorax Doe ", "", ""),
        (0x0008103E, b"T2 TSE sag 3mm", "dicom.series_description", "T2 TSE sag 3mm"),
        (0x0008103E, b"1 9 6 1 chest ", "", ""),
        (0x00180015, b"CHEST ", "dicom.body_part", "CHEST"),
        (0x00180015, b"CHESTER", "", ""),
    ],
)
def test_descriptions_are_told_if_made_of_words_of_procedures(
    tag: int, value: bytes, field: str, told_as: str
) -> None:
    facts = stream(("client", REQUEST), ("server", ACCEPT), ("client", stored(element(tag, value))))
    told_fields = {f.field: f.value for f in facts if "descr" in f.field or "body" in f.field}
    assert told_fields == ({field: told_as} if field else {})


def test_several_values_in_one_pdu_and_an_interleaved_release() -> None:
    data = element(0x00080060, b"CT")
    whole = pdu(
        4, pdv(1, 3, command(1)) + pdv(1, 0, data[:3]) + pdv(1, 2, data[3:]) + pdv(1, 3, command(0x30))
    )
    facts = stream(("client", REQUEST), ("server", ACCEPT), ("client", whole), ("client", pdu(5, bytes(4))))
    assert values(facts, "dicom.command") == ["C-STORE", "C-ECHO"]
    assert values(facts, "dicom.modality") == ["CT"]


def test_ten_thousand_nested_sequences_are_refused_at_once() -> None:
    nest = (
        struct.pack("<HHI", 0x0008, 0x1140, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    ) * 10_000
    with pytest.raises(MalformedInput, match="nest deeper"):
        stream(("client", REQUEST), ("server", ACCEPT), ("client", stored(element(0x00080060, b"CT"), nest)))


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0xFFFFFFFE, 0x7FFFFFFF])
def test_element_of_four_gigabytes_keeps_nothing(length: int) -> None:
    dissector = Dicom()
    head = pdu(4, pdv(1, 3, command(1))) + struct.pack(">BBI", 4, 0, 0xFFFFFFFF)
    head += struct.pack(">IBB", 0xFFFFFFF0, 1, 0) + struct.pack("<HHI", 0x0008, 0x0070, length)

    def feed(data: bytes) -> None:
        segment = Segment(1, 1, Transport.TCP, None, None, "192.0.2.1", "192.0.2.2", 1, 104, None, True, data)
        list(dissector.feed(segment))
        assert len(dissector.client.data) == 0

    feed(head)
    try:
        for _ in range(100):
            feed(b"A" * 65536)
    except MalformedInput as error:
        assert str(error)  # an undefined length makes a sequence of it, and these bytes are none


def test_message_ends_where_nothing_more_of_it_is_wanted_however_it_is_cut() -> None:
    strange = command(1) + element(0x00090010, b"")  # beyond the command group: the rest does not matter
    message = pdu(4, pdv(1, 3, strange + bytes(100)))[:-100]
    whole = stated(stream(("client", REQUEST + message)))
    assert ("dicom.command", "C-STORE", "client") in whole
    assert whole == stated(stream(("client", REQUEST + message), size=1))


def test_deflated_image_that_inflates_beyond_the_bound_still_tells_its_head() -> None:
    plain = (
        explicit(0x00080060, b"CS", b"CT")
        + explicit(0x00080070, b"LO", b"MAKER ")
        + explicit(0x7FE00010, b"UN", b"")[:6]
        + b"\0\0"
        + struct.pack("<I", 4_000_000)
        + bytes(4_000_000)
    )
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = packer.compress(plain) + packer.flush()
    deflated = "1.2.840.10008.1.2.1.99"
    request = associate(1, context(1, CT, deflated), user_information())
    accept = associate(2, answer(1, 0, deflated), user_information())
    message = pdu(4, pdv(1, 3, command(1)) + pdv(1, 2, data))
    facts = stream(("client", request), ("server", accept), ("client", message))
    assert values(facts, "dicom.manufacturer") == ["MAKER"]


def test_nothing_is_read_after_a_gap() -> None:
    dissector = Dicom()
    gap = Segment(
        1, 1, Transport.TCP, None, None, "192.0.2.1", "192.0.2.2", 1, 104, None, True, b"\xff" * 50, 0, True
    )
    assert list(dissector.feed(gap)) == []


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (REQUEST, True),
        (REQUEST[:10], True),
        (ACCEPT, True),
        (pdu(4, pdv(1, 3, command(1))), True),
        (pdu(5, bytes(4)), True),
        (b"", False),
        (b"\1\0\0\0", False),
        (b"GET / HTTP/1.1\r\n", False),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(60), False),
        (b"\1\0\0\0\0\xcd\0\1\0\0" + b"\xff" * 64, False),
    ],
)
def test_recognition(payload: bytes, expected: bool) -> None:
    assert Dicom.recognises(payload, True) is expected


@settings(max_examples=150)
@given(
    st.lists(
        st.one_of(
            st.sampled_from([REQUEST, ACCEPT, pdu(4, pdv(1, 3, command(1))), pdu(5, bytes(4))]),
            st.binary(max_size=60),
            st.tuples(st.integers(0, 5), st.integers(0, 3), st.binary(max_size=80)).map(
                lambda t: pdu(4, pdv(*t))
            ),
        ),
        max_size=6,
    ),
    st.integers(1, 40),
)
def test_any_pdus_cut_anywhere_tell_the_same_or_break_alike(parts: list[bytes], size: int) -> None:
    def outcome(step: int) -> tuple[set[tuple[str, str, str]], bool]:
        try:
            return stated(stream(("client", b"".join(parts)), size=step)), False
        except MalformedInput:
            return set(), True

    assert outcome(size) == outcome(1 << 20)
