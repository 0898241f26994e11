"""Take people out of conversations in lines: FTP, SMTP, POP and IMAP-less mail, laboratory frames, XML.

RFC 959 (FTP), RFC 5321 (SMTP), LIS01-A2 and LIS02-A2 (ASTM frames and records). Of commands the verb stays,
of answers the number; of the header record of an analyser who it is.
"""

from __future__ import annotations

import re

from medwarden.dissect.sanitise_draft import Draft

_VERBS = frozenset(
    b"USER PASS ACCT CWD CDUP QUIT REIN PORT PASV EPRT EPSV TYPE STRU MODE RETR STOR STOU APPE ALLO REST "
    b"RNFR RNTO ABOR DELE RMD MKD PWD LIST NLST SITE SYST STAT HELP NOOP FEAT OPTS AUTH PBSZ PROT SIZE MDTM "
    b"MLSD MLST HELO EHLO MAIL RCPT DATA RSET VRFY EXPN STARTTLS".split()
)
_VERB = re.compile(rb"([A-Za-z]{3,8})(?=[ :]|\Z)")
_REPLY = re.compile(rb"[1-5]\d\d[ -]")
_GREETING = re.compile(rb"220[ -][ -~]{0,200}\Z")
_TYPE_OR_PORT = re.compile(
    rb"(TYPE [AIE]( [NTC])?|PASV|EPSV|SYST|FEAT|QUIT|NOOP|DATA|STARTTLS|AUTH TLS)\Z", re.IGNORECASE
)
_PARTY = re.compile(rb"[^|\r\n]{0,120}\Z")
_HEADER_KEPT = {
    2: re.compile(rb"[^A-Za-z0-9|]{1,4}\Z"),  # delimiters
    5: _PARTY,  # sender
    10: _PARTY,  # receiver
    12: re.compile(rb"[PTDQ]?\Z"),
    13: re.compile(rb"[A-Z0-9-]{0,12}\Z"),  # version
}
_MOST_HEADER_FIELDS = 14
_DELIMITERS = re.compile(rb"H\|[^A-Za-z0-9|\s]{3,4}\|")
_FRAME = re.compile(rb"\x02([0-7])([^\x02\x03\x17]*)([\x03\x17])([0-9A-Fa-f]{2})?(\r\n)?")


def is_lines(client: bytes, server: bytes, ports: frozenset[int]) -> bool:
    """Tell whether a connection is FTP or SMTP by its greeting and port."""
    del client
    return bool(ports & {21, 25, 587}) and server[:4] in (b"220 ", b"220-")


def clean_lines(client: Draft, server: Draft) -> None:
    """Write verbs, numbers of replies and the server's greeting into the drafts; mail and the rest go."""
    for draft, asks in ((client, True), (server, False)):
        data, at, first, mail = draft.data, 0, True, False
        while (end := data.find(b"\n", at)) >= 0:
            stop = end - 1 if data[end - 1 : end] == b"\r" and end > at else end
            draft.keep(stop, end + 1)
            line = data[at:stop]
            if mail:
                mail = line != b"."
                draft.counts["mail line"] += 1
            elif asks:
                _command(draft, at, stop, line)
                mail = line.upper() == b"DATA"
            else:
                _reply(draft, at, stop, line, first)
            first = False
            at = end + 1
        draft.counts["cut line"] += at < len(data)


def _command(draft: Draft, at: int, stop: int, line: bytes) -> None:
    verb = _VERB.match(line)
    if _TYPE_OR_PORT.match(line):
        draft.keep(at, stop)
        return
    known = verb is not None and verb[1].upper() in _VERBS
    kept = len(verb[1]) if verb is not None and known else 0
    draft.keep(at, min(at + kept + known, stop))
    kind = "credentials" if known and line[:4].upper() in (b"USER", b"PASS", b"ACCT") else "command argument"
    draft.fill(min(at + kept + known, stop), stop, kind)


def _reply(draft: Draft, at: int, stop: int, line: bytes, first: bool) -> None:
    if first and _GREETING.match(line):
        draft.keep(at, stop)
        return
    kept = 4 if _REPLY.match(line) else 0
    draft.keep(at, at + kept)
    draft.fill(at + kept, stop, "reply text")


def is_laboratory(payload: bytes) -> bool:
    """Tell whether a stream opens with the enquiry of a frame, or a header record."""
    return payload[:1] == b"\x05" or re.match(rb"(\x02[0-7])?H\|\\\^&", payload) is not None


def clean_laboratory(draft: Draft) -> None:
    """Write controls, record types and the analyser's header into the draft, with the right checksums."""
    data = draft.data
    for match in re.finditer(rb"[\x04\x05\x06\x15]", data):
        draft.keep(match.start(), match.end())
    for frame in _FRAME.finditer(data):
        draft.keep(frame.start(), frame.start() + 2)
        at = frame.start(2)
        for record in frame[2].split(b"\r"):
            _record(draft, at, at + len(record))
            if at + len(record) < frame.end(2):
                draft.keep(at + len(record), at + len(record) + 1)
            at += len(record) + 1
        draft.keep(frame.start(3), frame.end(3))
        if frame[4]:
            total = sum(draft.out[frame.start(1) : frame.end(3)]) & 0xFF
            draft.put(frame.start(4), b"%02X" % total)
        if frame[5]:
            draft.keep(frame.start(5), frame.end(5))


def _record(draft: Draft, start: int, end: int) -> None:
    """Keep the type and separators of a record; of a header record (H) also who sends and receives."""
    data = draft.data
    kind = data[start : start + 1]
    if end - start < 2 or kind not in b"HPORCLQMS" or data[start + 1 : start + 2] != b"|":
        return
    draft.keep(start, start + 2)
    at, number = start + 2, 1
    # More fields than a header record has are those of a record whose beginning was lost; what defines no
    # delimiters (LIS02 6.3.2) is a record of a patient whose type was damaged.
    header = _DELIMITERS.match(data, start) is not None and data.count(b"|", start, end) < _MOST_HEADER_FIELDS
    while at <= end:
        number += 1
        stop = data.find(b"|", at, end)
        stop = end if stop < 0 else stop
        looks = _HEADER_KEPT.get(number) if header else None
        if looks is not None and looks.match(data[at:stop]):
            draft.keep(at, stop)
        else:
            draft.fill(at, stop, "laboratory field")
        if stop < end:
            draft.keep(stop, stop + 1)
        at = stop + 1
