"""What else in a hospital carries names: pages, print jobs, shares, look-ups, calls, messages of devices."""

from __future__ import annotations

import base64
import gzip
import struct
import zlib
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from tests.product.patients import Patient, Talk, datagram


def _checked(block: bytes) -> bytes:
    """Return a TAP block with its checksum (TAP 1.8 section 4.6)."""
    total = sum(block)
    return block + bytes(0x30 + (total >> shift & 15) for shift in (8, 4, 0)) + b"\r"


def pages(p: Patient, port: int) -> Iterator[bytes]:
    """Yield pages sent over TAP, SNPP and WCTP."""
    tap = Talk(51, 61, 5_051, port)
    tap.say(True, b"\r")
    tap.say(False, b"ID=")
    tap.say(True, b"\x1bPG1\r")
    tap.say(False, b"\r\x06\r\x1b[p\r")
    tap.say(True, _checked(f"\x02{p.visit}\r{p.family} {p.given} room 7, born {p.birth_date}\r\x03".encode()))
    tap.say(False, b"\x06\r")
    yield from tap.end()
    snpp = Talk(52, 62, 444, port)
    snpp.say(False, b"220 pager SNPP gateway ready\r\n")
    snpp.say(True, f"PAGE {p.patient_id}\r\nMESS {p.family} {p.street}\r\nSEND\r\n".encode())
    snpp.say(False, b"250 ok\r\n250 ok\r\n250 sent\r\n")
    yield from snpp.end()
    wctp = Talk(53, 63, 80, port)
    body = (
        '<?xml version="1.0"?><!DOCTYPE wctp-Operation SYSTEM "http://dtd.wctp.org/wctp-dtd-v1r1.dtd">'
        '<wctp-Operation wctpVersion="1.0"><wctp-SubmitRequest><wctp-SubmitHeader>'
        f'<wctp-Originator senderID="{p.family}@ward"/><wctp-Recipient recipientID="{p.visit}"/>'
        f"</wctp-SubmitHeader><wctp-Payload><wctp-Alphanumeric>{p.family} {p.given} {p.street}"
        "</wctp-Alphanumeric></wctp-Payload></wctp-SubmitRequest></wctp-Operation>"
    ).encode()
    head = f"POST /wctp?who={p.family} HTTP/1.1\r\nHost: pages\r\nContent-Type: text/xml\r\n"
    wctp.say(True, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    wctp.say(False, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    yield from wctp.end()


def prints(p: Patient, port: int) -> Iterator[bytes]:
    """Yield print jobs over LPD and IPP with the patient in titles, users and file names."""
    lpd = Talk(54, 64, 515, port)
    control = f"Hward7\nP{p.family}\nJ{p.family} {p.given} {p.visit}\nC{p.patient_id}\nldfA1ward7\n"
    control += f"N{p.family}.pdf\n"
    lpd.say(True, b"\x02letters\n")
    lpd.say(False, b"\0")
    lpd.say(True, f"\x02{len(control)} cfA001ward7\n".encode() + control.encode() + b"\0")
    lpd.say(False, b"\0\0")
    yield from lpd.end()
    ipp = Talk(55, 65, 631, port)

    def attribute(tag: int, name: str, value: str) -> bytes:
        return (
            struct.pack(">BH", tag, len(name))
            + name.encode()
            + struct.pack(">H", len(value))
            + value.encode()
        )

    job = b"\x02\0\0\x02\0\0\0\1\1" + attribute(0x47, "attributes-charset", "utf-8")
    job += attribute(0x42, "requesting-user-name", p.given)
    job += attribute(0x42, "job-name", f"{p.family} {p.accession}")
    job += attribute(0x42, "document-name", f"{p.family}.pdf") + b"\3" + p.street.encode()
    head = f"POST /ipp/print/{p.family} HTTP/1.1\r\nHost: printer\r\nContent-Type: application/ipp\r\n"
    ipp.say(True, f"{head}Content-Length: {len(job)}\r\n\r\n".encode() + job)
    answer = b"\x02\0\0\0\0\0\0\1\2" + attribute(0x42, "job-name", p.family) + b"\3"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/ipp\r\nContent-Length: {len(answer)}\r\n\r\n"
    ipp.say(False, head.encode() + answer)
    yield from ipp.end()


def files(p: Patient, port: int) -> Iterator[bytes]:
    """Yield file names over SMB 2 and TFTP, and a search in a directory."""
    smb = Talk(56, 66, 445, port)

    def message(command: int, body: bytes) -> bytes:
        head = b"\xfeSMB" + struct.pack("<HHIHHIIQIIQ16x", 64, 0, 0, command, 1, 0, 0, command, 0, 1, 7)
        return struct.pack(">I", len(head) + len(body)) + head + body

    def named(text: str) -> bytes:
        return text.encode("utf-16-le")

    share = named(rf"\\files\{p.family}$")
    smb.say(True, message(0, struct.pack("<HHHHI16sQHH", 36, 2, 1, 0, 0, b"g" * 16, 0, 0x0202, 0x0210)))
    smb.say(True, message(3, struct.pack("<HHHH", 9, 0, 72, len(share)) + share))
    name = named(rf"scans\{p.family}_{p.given}_{p.accession}.pdf")
    create = struct.pack("<HBBIQQIIIIIHHII", 57, 0, 0, 2, 0, 0, 1, 0, 7, 1, 0, 120, len(name), 0, 0)
    smb.say(True, message(5, create + name))
    yield from smb.end()
    yield datagram(57, 67, 69, b"\0\1" + f"{p.family}.xml".encode() + b"\0octet\0")
    filtered = f"(&(sn={p.family})(employeeNumber={p.patient_id}))".encode()
    ldap = Talk(58, 68, 389, port)
    request = b"\x02\x01\x01\x63" + bytes((len(filtered) + 2,)) + b"\x04" + bytes((len(filtered),)) + filtered
    ldap.say(True, b"\x30" + bytes((len(request),)) + request)
    yield from ldap.end()


def calls(p: Patient, port: int) -> Iterator[bytes]:
    """Yield a call, a log-in at a desktop, a topic of a broker, a resource of a sensor, and a stream."""
    sip = (
        f'INVITE sip:{p.visit}@pbx SIP/2.0\r\nFrom: "{p.given} {p.family}" <sip:{p.patient_id}@pbx>;tag=1\r\n'
        f"To: <sip:{p.family}@pbx>\r\nCall-ID: {p.accession}@x\r\nCSeq: 1 INVITE\r\n"
        f'User-Agent: ACME Phone 1.2\r\nContact: "{p.family}" <sip:{p.family}@10.20.0.59>\r\n'
        f"Subject: {p.street}\r\nContent-Length: 0\r\n\r\n"
    )
    yield datagram(59, 69, 5_060, sip.encode())
    mqtt = Talk(70, 80, 1_883, port)
    topic = f"ward/{p.family}/{p.patient_id}/spo2".encode()
    connect = b"\0\4MQTT\4\2\0\x3c\0\x06pump-7"
    publish = struct.pack(">H", len(topic)) + topic + p.street.encode()
    mqtt.say(True, b"\x10" + bytes((len(connect),)) + connect + b"\x30" + bytes((len(publish),)) + publish)
    yield from mqtt.end()
    path = p.family.encode()
    yield datagram(71, 81, 5_683, b"\x40\x01\0\1" + bytes((0xB0 | len(path),)) + path)
    rtsp = Talk(72, 82, 554, port)
    rtsp.say(
        True, f"DESCRIBE rtsp://cam/{p.family}/1 RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: VLC 3\r\n\r\n".encode()
    )
    yield from rtsp.end()


def point_of_care(p: Patient, port: int) -> Iterator[bytes]:
    """Yield a result of a point-of-care device (POCT1-A2 observations)."""
    talk = Talk(73, 83, 3_001, port)
    talk.say(
        True,
        b'<HEL.R01><HDR><HDR.message_type V="HEL.R01"/><HDR.control_id V="1"/>'
        b'<HDR.version_id V="POCT1"/></HDR><DEV><DEV.device_id V="00-00-11-22-33-44"/>'
        b'<DEV.vendor_id V="ACME"/><DEV.model_id V="Gluco 1"/></DEV>'
        b"</HEL.R01>",
    )
    talk.say(
        True,
        (
            '<OBS.R01><HDR><HDR.control_id V="2"/></HDR><SVC><PT>'
            f'<PT.patient_id V="{p.patient_id}"/><PT.name V="{p.family}"><GIV V="{p.given}"/></PT.name>'
            f'<PT.birth_date V="{p.birth_date}"/><OBS><OBS.observation_id V="GLU"/></OBS>'
            "</PT></SVC></OBS.R01>"
        ).encode(),
    )
    yield from talk.end()


def packed(p: Patient, port: int) -> Iterator[bytes]:
    """Yield web traffic that says the same in other forms: packed, escaped, encoded."""
    talk = Talk(74, 84, 80, port)
    text = f"<html><head><title>{p.family}, {p.given} {p.patient_id}</title></head></html>".encode()
    deflated = zlib.compress(text)
    family = "".join(f"%{ord(c):02X}" for c in p.family)
    login = base64.b64encode(f"{p.family}:{p.patient_id}".encode()).decode()
    for body, form in ((gzip.compress(text), "gzip"), (deflated, "deflate"), (text, "identity")):
        talk.say(
            True,
            f"GET /{family}/x?q={quote(p.given)}%20{p.visit} HTTP/1.1\r\n"
            f"Host: ehr.example\r\nAuthorization: Basic {login}\r\n\r\n".encode(),
        )
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: {form}\r\n"
        talk.say(False, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    wide = f"<html><title>{p.family}</title></html>".encode("utf-16")
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-16\r\nContent-Length: {len(wide)}\r\n\r\n"
    )
    talk.say(True, b"GET /wide HTTP/1.1\r\nHost: ehr.example\r\n\r\n")
    talk.say(False, head.encode() + wide)
    yield from talk.end()
    escaped = "".join(rf"\X{ord(c):02X}\\" for c in p.family).replace("\\\\", "\\")
    hl7 = Talk(75, 85, 2_575, port)
    document = base64.b64encode(f"{p.family} {p.given} {p.patient_id} {p.street}".encode()).decode()
    hl7.say(
        True,
        (
            "\x0bMSH|^~\\&|MONITORS|ICU|EHR|HOSPITAL|2026||ORU^R01|1|P|2.5.1\r"
            f"PID|1||{p.patient_id}||{escaped}^{p.given}\rOBX|1|ED|DOC||^TEXT^PLAIN^Base64^{document}||||||F\r"
            f"ZPI|{p.family}|{p.visit}\r\x1c\r"
        ).encode(),
    )
    hl7.say(False, b"\x0bMSH|^~\\&|EHR|HOSPITAL|MONITORS|ICU|2026||ACK|1|P|2.5.1\rMSA|AA|1\r\x1c\r")
    yield from hl7.end()


def carriers(patients: Iterable[Patient], source: int) -> Iterator[bytes]:
    """Yield everything above about each patient."""
    for number, p in enumerate(patients):
        port = source + number % 5_000
        for of in (pages, prints, files, calls, point_of_care, packed):
            yield from of(p, port)
