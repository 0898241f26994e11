from __future__ import annotations

import base64
import random
import struct
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.flowcore import packets as made
from tests.product.patients import Patient, Talk, dicom, hl7, http, invented

from medwarden.dissect.sanitise import Sanitiser
from medwarden.dissect.sanitise_draft import Draft
from medwarden.dissect.sanitise_packet import Kind, find, fix_checksums
from medwarden.dissect.sanitise_xml import clean_xml

HL7 = (
    b"\x0bMSH|^~\\&|MON|ICU|EHR|HOSP|2026||ORU^R01^ORU_R01|C7|P|2.5.1\r"
    b"PID|1||ZQX1234567^^^H^MR||Zqxfamily^Zqxgiven||19440101|F\r"
    b"OBX|1|ST|ZQXTEST^Zqxfamily||Zqxgiven is well||||||F|||||||MON7^ACME\r\x1c\r"
)
SECRETS = (b"ZQX", b"Zqx", b"19440101", b"C7")


def cleaned(frames: list[bytes], **options: bool) -> list[bytes]:
    sanitiser = Sanitiser(**options)
    for frame in frames:
        sanitiser.learn(frame, 1)
    sanitiser.prepare()
    out = [sanitiser.clean(frame, 1) for frame in frames]
    assert [len(f) for f in out] == [len(f) for f in frames]
    report = sanitiser.close()
    assert report.packets == len(frames)
    assert 0 <= report.kept_bytes <= report.payload_bytes
    return out


def stream(frames: list[bytes], port: int) -> bytes:
    """Return what the side at ``port`` was sent, as the frames say in order of sequence."""
    parts: dict[int, bytes] = {}
    for frame in frames:
        found = find(frame, 1)
        if found.kind is Kind.TCP and found.target_port == port and found.end > found.start:
            parts[found.sequence] = frame[found.start : found.end]
    return b"".join(parts[at] for at in sorted(parts))


def connection(data: bytes, port: int, cuts: list[int], isn: int = 100) -> list[bytes]:
    edges = [0, *sorted({c for c in cuts if 0 < c < len(data)}), len(data)]
    frames = [
        made.tcp_frame(flags=made.SYN, seq=isn, dst=port),
        made.tcp_frame(flags=made.SYN | made.ACK, seq=7, ack=isn + 1, dst=port, back=True),
    ]
    for start, stop in pairwise(edges):
        frames.append(made.tcp_frame(data[start:stop], seq=isn + 1 + start, ack=8, dst=port))
    return frames


def test_hl7_keeps_applications_and_equipment_and_nobody() -> None:
    said = stream(cleaned(connection(HL7, 2575, [])), 2575)
    assert said.startswith(b"\x0bMSH|^~\\&|MON|ICU|EHR|HOSP|2026||ORU^R01^ORU_R01|XX|P|2.5.1\rPID|1||XXX")
    assert b"|MON7^ACME\r\x1c\r" in said
    assert b"OBX|1|ST|XXX" in said
    for secret in SECRETS:
        assert secret not in said


@settings(max_examples=60)
@given(
    st.lists(st.integers(1, len(HL7) - 1), max_size=12),
    st.randoms(use_true_random=False),
    st.lists(st.tuples(st.integers(0, len(HL7) - 2), st.integers(1, 80)), max_size=6),
)
def test_segments_reordered_repeated_and_overlapping_say_the_same(
    cuts: list[int], chance: random.Random, again: list[tuple[int, int]]
) -> None:
    whole = stream(cleaned(connection(HL7, 2575, [])), 2575)
    frames = connection(HL7, 2575, cuts)
    opening, rest = frames[:2], frames[2:]
    rest += [made.tcp_frame(HL7[a : a + n], seq=101 + a, ack=8, dst=2575) for a, n in again]
    chance.shuffle(rest)
    for frame in cleaned(opening + rest)[2:]:
        found = find(frame, 1)
        at = found.sequence - 101
        assert frame[found.start : found.end] == whole[at : at + found.end - found.start]


@given(st.lists(st.integers(1, len(HL7) - 1), min_size=3, max_size=12), st.integers(0, 30))
def test_nothing_after_a_gap_or_of_a_connection_without_beginning_stays(cuts: list[int], lost: int) -> None:
    frames = connection(HL7, 2575, cuts)
    lost = 2 + lost % (len(frames) - 2)
    missing = find(frames[lost], 1).sequence
    for frame in cleaned(frames[:lost] + frames[lost + 1 :]):
        found = find(frame, 1)
        payload = frame[found.start : found.end]
        assert not any(secret in payload for secret in SECRETS)
        if payload and found.sequence > missing:
            assert set(payload) == {0x58}
    for frame in cleaned(frames[2:]):
        found = find(frame, 1)
        assert set(frame[found.start : found.end]) <= {0x58}


def test_another_text_in_a_repetition_cannot_speak() -> None:
    frames = connection(HL7, 2575, [])
    other = HL7.replace(b"MON|", b"Zqx|")
    frames.append(made.tcp_frame(other, seq=101, ack=8, dst=2575))
    assert b"Zqx" not in b"".join(cleaned(frames))


def test_a_port_that_is_used_again_is_another_connection() -> None:
    first = connection(HL7, 2575, [])
    second = connection(HL7.replace(b"MON|", b"VENT|"), 2575, [50], isn=9_000)
    out = cleaned(first + second)
    assert b"|MON|" in out[2]
    assert b"|VENT|" in out[5]


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_patients_of_dicom_hl7_and_http_are_gone_in_any_encoding(loss: float) -> None:
    patients = invented(12)
    frames = [*dicom(patients, 40_000), *hl7(patients, 41_000), *http(patients, 42_000)]
    chance = random.Random(3)
    out = b"".join(cleaned([f for f in frames if chance.random() >= loss]))
    for patient in patients:
        for token in (*patient.words, *patient.numbers):
            for form in forms(token):
                assert form not in out, (patient, token, form)
    if not loss:
        for told in (b"CT_ZENTRAL", b"OFFIS_DCMTK_367", b"MONITORS", b"nginx", b"Mozilla/5.0"):
            assert told in out


def forms(token: str) -> list[bytes]:
    plain = [token.encode(e) for e in ("utf-8", "latin-1", "utf-16-le", "utf-16-be")]
    packed = [base64.b64encode(token.encode()[at : at + 6])[:8] for at in (0, 3) if len(token) >= at + 6]
    return [*plain, token.upper().encode(), token.lower().encode(), *packed]


def body(patient: Patient) -> bytes:
    return (
        b'{"resourceType":"Patient","name":[{"family":"%s"}],"photo":"%s"}'
        % (patient.family.encode(), base64.b64encode(patient.given.encode()))
    )  # fmt: skip


@pytest.mark.parametrize("chunked", [True, False])
def test_bodies_queries_and_credentials_of_web_requests_go(chunked: bool) -> None:
    (patient,) = invented(1)
    text = body(patient)
    talk = Talk(1, 2, 8080, 40_000)
    frame = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(text)
    sent = b"%x\r\n%s\r\n0\r\n\r\n" % (len(text), text) if chunked else text
    login = base64.b64encode(f"{patient.family}:{patient.given}".encode())
    talk.say(
        True,
        b"PUT /fhir/Patient/%s?name=%s HTTP/1.1\r\nHost: ehr\r\nAuthorization: Basic %s\r\n"
        b"Content-Type: application/fhir+json\r\n%s\r\n\r\n%s"
        % (patient.patient_id.encode(), patient.family.encode(), login, frame, sent),
    )
    talk.say(
        False, b"HTTP/1.1 201 Created\r\nServer: hapi\r\nLocation: /x/%s\r\nContent-Length: 0\r\n\r\n" % login
    )
    talk.say(True, b"GET /metadata HTTP/1.1\r\nHost: ehr\r\n\r\n")
    out = b"".join(cleaned(talk.end()))
    for token in (*patient.words, *patient.numbers):
        assert not any(form in out for form in forms(token))
    assert login not in out
    for told in (b"PUT /fhir/", b"Authorization: Basic XXX", b"Server: hapi", b"GET /metadata HTTP/1.1"):
        assert told in out


def test_files_mail_and_laboratory() -> None:
    file = Talk(1, 2, 21, 40_000)
    file.say(False, b"220 ACME FTP 1.2\r\n")
    file.say(True, b"USER zqxnurse\r\nPASS zqxsecret\r\nSYST\r\nSTOR Zqxfamily.pdf\r\n")
    file.say(False, b"331 zqxnurse welcome\r\n230 in\r\n215 UNIX Type: L8\r\n")
    analyser = Talk(3, 4, 4_000, 40_001)
    analyser.say(True, b"\x05\x021H|\\^&|||ACME^Analyser^1.0|||||||P|1394-97\r\x03E1\r\n")
    analyser.say(True, b"\x022P|1|ZQX123|||Zqxfamily^Zqxgiven\r\x0300\r\n\x04")
    out = b"".join(cleaned(file.end() + analyser.end()))
    assert b"zqx" not in out.lower()
    for told in (b"220 ACME FTP 1.2", b"USER XXXXXXXX\r\nPASS XXXXXXXXX\r\nSYST\r\nSTOR XXX", b"331 XXX"):
        assert told in out
    assert b"ACME^Analyser^1.0" in out
    frame = out[out.index(b"\x022P") + 1 :]
    checked = frame[: frame.index(b"\x03") + 1]
    assert frame[len(checked) : len(checked) + 2] == b"%02X" % (sum(checked) & 0xFF)


@pytest.mark.parametrize(
    ("port", "sent", "told"),
    [
        (2575, b"PRT|1|AD||EQUIP||||||MON7^ACME", b"MON7^ACME"),
        # A byte that became a separator moves an organisation, or an observer, to where equipment is named.
        (2575, b"PRT|2|AD||EQU|P|||||ZQX123^Zqxfamily|PUMP-3^Space", b""),
        (2575, b"OBX|1|ST|MDC||7|||||F|||||||ZQX123^Zqxfamily|", b""),
        (2575, b"OBX|1|ST|MDC||7||||||F|||||||MON7^ACME", b"MON7^ACME"),
    ],
)
def test_equipment_is_believed_where_its_segment_is_whole(port: int, sent: bytes, told: bytes) -> None:
    message = b"\x0bMSH|^~\\&|MON|ICU|EHR|HOSP|2026||ORU^R01^ORU_R01|1|P|2.5.1\r" + sent + b"\r\x1c\r"
    said = stream(cleaned(connection(message, port, [])), port)
    assert told in said
    assert b"zqx" not in said.lower()
    assert (b"MON7" in said) is bool(told)


def test_a_patient_whose_record_type_was_damaged_is_no_sender() -> None:
    header, patient = b"H|\\^&|||ACME^Analyser^1.0|||||||P|1394-97\r", b"H|1|ZQX1|ZQX2|Zqxmother|19440101|F\r"
    frames = b"\x05\x021" + header + patient + b"\x0300\r\n\x04"
    said = stream(cleaned(connection(frames, 4_000, [])), 4_000)
    assert b"ACME^Analyser^1.0" in said
    assert b"zqx" not in said.lower()


def test_unknown_payload_is_blanked_unless_somebody_answers_for_it() -> None:
    talk = Talk(1, 2, 9_100, 40_000)
    talk.say(True, b"Zqxfamily prints")
    frames = [*talk.end(), made.udp_frame(b"Zqxfamily by datagram", dst=5_000)]
    assert b"Zqx" not in b"".join(cleaned(frames))
    assert b"".join(cleaned(frames, keep_unknown=True)).count(b"Zqxfamily") == 2
    known = connection(HL7, 2575, [])
    assert b"Zqx" not in b"".join(cleaned(known, keep_unknown=True))


def test_communities_and_syslog_go() -> None:
    oid = b"\x06\x08\x2b\x06\x01\x02\x01\x01\x04\x00"  # sysContact
    binding = b"\x30\x13" + oid + b"\x04\x07Zqxname"
    bindings = b"\x30" + bytes((len(binding),)) + binding
    pdu = b"\x02\x01\x07\x02\x01\x00\x02\x01\x00" + bindings
    body = b"\x02\x01\x01\x04\x06secret\xa2" + bytes((len(pdu),)) + pdu
    message = b"\x30" + bytes((len(body),)) + body
    log = b"<134>Jan  2 03:04:05 ehr admitted Zqxname"
    snmp, syslog = cleaned([made.udp_frame(message, dst=161), made.udp_frame(log, dst=514)])
    assert b"secret" not in snmp
    assert b"Zqx" not in snmp
    assert oid in snmp
    assert snmp.endswith(b"\x04\x07XXXXXXX")
    assert syslog.endswith(b"<134>" + b"X" * (len(log) - 5))


def test_what_is_around_a_packet_says_nothing() -> None:
    framed = made.udp_frame(b"hello", dst=5_000)
    padded, cut = cleaned([framed + b"Zqx leak from memory", framed[:-2]])
    assert padded.endswith(bytes(20))
    assert len(cut) == len(framed) - 2
    first = made.ethernet(made.ipv4(made.udp(b"Zqx piece", length=900), 17, fragment=0x2000))
    later = made.ethernet(made.ipv4(b"Zqx other piece", 17, fragment=40))
    assert b"Zqx" not in b"".join(cleaned([first, later]))
    syn = made.tcp_frame(b"Zqx in a SYN", flags=made.SYN, seq=1)
    assert b"Zqx" not in b"".join(cleaned([syn]))


def test_tunnels_vlans_and_ipv6_are_followed() -> None:
    inner = connection(HL7, 2575, [40])
    vxlan = [made.udp_frame(b"\x08\0\0\0\0\0\x07\0" + frame, dst=4789) for frame in inner]
    gre = [made.ethernet(made.ipv4(b"\0\0\x65\x58" + frame, 47)) for frame in inner]
    tagged = [frame[:12] + struct.pack("!HH", 0x8100, 7) + frame[12:] for frame in inner]
    six = []
    for frame in inner:
        found = find(frame, 1)
        segment = frame[found.tcp_at :]
        six.append(made.ethernet(made.ipv6(segment, 6), 0x86DD))
    for frames in (vxlan, gre, tagged, six):
        out = b"".join(cleaned(frames))
        assert b"MON|ICU" in out
        assert not any(secret in out for secret in SECRETS)


def test_checksums_are_those_of_the_standard() -> None:
    # RFC 1071, section 3: the words 0001 f203 f4f5 f6f7 sum to ddf2.
    header = bytearray.fromhex("45000073000040004011 0000 c0a80001c0a800c7")
    found = find(bytes(header) + bytes(0x73 - 20), 101)
    out = header + bytearray(0x73 - 20)
    fix_checksums(out, found.layers)
    assert out[10:12] == b"\xb8\x61"


@given(st.binary(max_size=400), st.sampled_from([1, 101, 113, 276, 0, 105, 228]))
def test_any_bytes_are_a_packet_of_the_same_length(data: bytes, linktype: int) -> None:
    sanitiser = Sanitiser()
    sanitiser.learn(data, linktype)
    sanitiser.prepare()
    assert len(sanitiser.clean(data, linktype)) == len(data)


@given(st.sampled_from([2575, 104, 80, 21, 443, 22, 445, 4_000]), st.binary(max_size=300), st.data())
def test_any_bytes_in_any_protocol_leave_a_stream_of_the_same_length(
    port: int, data: bytes, draw: st.DataObject
) -> None:
    starts = [
        HL7[:60],
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01",
        b"SSH-2.0-x\r\n",
        b"\x05",
        b"220 x\r\n",
        b"\0\0\0\x80\xfeSMB",
    ]
    whole = draw.draw(st.sampled_from(starts)) + data
    out = cleaned(connection(whole, port, [20, 90]))
    assert len(stream(out, port)) == len(whole)


@pytest.mark.parametrize(
    "piece", [b"1", b"<B", b"<!--", b"<!-->", b"<![CDATA[", b"<B\"<B'", b"<?", b"<a>", b"</", b"<a b='"]
)
def test_xml_whose_tags_do_not_end_is_taken_out_in_time_that_grows_with_it(piece: bytes) -> None:
    hidden = b"<PatientName>MUSTERMANN^ERIKA</PatientName>"
    data = b'<?xml version="1.0"?><Envelope><B' + piece * (60_000 // len(piece)) + hidden
    draft = Draft(data, Counter())
    clean_xml(draft, 0, len(data))
    cleaned = bytes(draft.out)
    assert len(cleaned) == len(data)
    assert b"MUSTERMANN" not in cleaned
