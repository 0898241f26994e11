"""What stands in the cells of an MDS2 form: answers, notes, days, ports and operating systems, from text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from medwarden.model.mds2 import Answer, DeclaredPort, DeclaredSystem, Stance

_YES = frozenset({"yes", "y", "ja", "oui", "si", "sí", "sim", "true", "tak", "kyllä"})
_NO = frozenset({"no", "n", "nein", "non", "nee", "nej", "não", "nao", "false", "nie", "ei"})
_NONE = frozenset(
    {"n/a", "na", "n.a.", "n.a", "n/a.", "not applicable", "none applicable", "n. a.", "entfällt", "-n/a-"}
)
_PLACEHOLDER = re.compile(
    r"[_\-.\s\u2013\u2014]*|yes\s*[,/]\s*no\s*[,/]\s*(?:n/?a)?[\s,/]*(?:or\s+)?(?:see\s+note)?s?|"
    r"(?:please\s+)?(?:select|choose)(?:\s+(?:an?\s+)?(?:one|item|answer))?\.*|tbd|tba|\?+",
    re.IGNORECASE,
)
_SEE = re.compile(
    r"(?:please\s+)?(?:(?:see|refer\s+to|cf\.?)\s+(?:the\s+)?)?(?:foot)?(?:notes?|comments?|remarks?)"
    r"(?:\s+(?:section|below|column))?[\s#:]*(?P<numbers>\d{1,3}(?:\s*(?:,|and|&|-)\s*\d{1,3})*)?\.?",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"\s*([^\s,;:.\-\u2013\u2014(*]+(?:/[a-z])?)\s*(?:[,;:.*(\u2013\u2014-]+|\bbut\b)\s*(.*)", re.DOTALL
)
_LEAD_WORD = re.compile(
    r"\s*(yes|no|n/a)\s+((?:see\s+)?notes?.*|with\s.*|if\s.*|only\s.*|optional.*)", re.IGNORECASE | re.DOTALL
)
_LONGEST_NOTE = 4000
MARKS = frozenset({"x", "✓", "✔", "☒", "☑", "■", "●", "•", "1", "yes", "on", "true"})
"""What people put in a column that is headed Yes, No or N/A."""


@lru_cache(maxsize=8192)
def stance_of(written: str) -> tuple[Stance, str]:
    """Return what a cell under the heading of answers comes to, and the remark that stands in it.

    Text that is no answer is :attr:`Stance.UNREADABLE` with all of it as the remark.
    """
    text = " ".join(written.split())
    if not text or _PLACEHOLDER.fullmatch(text):
        return Stance.EMPTY, ""
    plain = text.casefold().strip(" .!*\"'")
    known = _word(plain)
    if known is not None:
        return known, ""
    if _SEE.fullmatch(text):
        return Stance.NOTE, text
    lead = _LEAD.fullmatch(text) or _LEAD_WORD.fullmatch(text)
    if plain.startswith(("n/a", "not applicable")):
        length = 3 if plain.startswith("n/a") else len("not applicable")
        if not plain[length : length + 1].isalnum():
            return Stance.NOT_APPLICABLE, text[length:].strip(" ,;:.-()\u2013")
    if lead is not None:
        first, rest = lead.groups()
        known = _word(first.casefold())
        other = _word(rest.casefold().strip(" ."))
        if known is not None and other in (None, known) and len(first) > 1:
            return known, rest.rstrip(" )") if rest.count(")") > rest.count("(") else rest
    return Stance.UNREADABLE, text


def _word(plain: str) -> Stance | None:
    if plain in _YES:
        return Stance.YES
    if plain in _NO:
        return Stance.NO
    return Stance.NOT_APPLICABLE if plain in _NONE else None


def is_answer(written: str) -> bool:
    """Tell whether a cell holds an answer by itself: yes, no, not applicable, or see a note."""
    return len(written) < 400 and stance_of(written)[0] not in (Stance.EMPTY, Stance.UNREADABLE)


_NUMBERED = re.compile(
    r"(?:foot)?notes?\s*[#.]?\s*(\d{1,3})\b\s*[:.)\-\u2013]*\s*(.*)", re.IGNORECASE | re.DOTALL
)
_REFERRED = re.compile(r"(?:foot)?notes?\s*[#.]?\s*(\d{1,3}(?:\s*(?:,|and|&)\s*\d{1,3})*)", re.IGNORECASE)
_BARE = re.compile(r"\d{1,3}(?:\.0)?(?:\s*(?:,|and|&)\s*\d{1,3})*")


def numbered_note(text: str) -> tuple[int, str] | None:
    """Return number and words of ``Note 3: ...``; the words may be empty."""
    found = _NUMBERED.fullmatch(" ".join(text.split()))
    return (int(found.group(1)), found.group(2).strip()) if found else None


def referred(text: str) -> tuple[int, ...]:
    """Return the numbers of the notes that a cell names: ``Note 3``, ``see notes 1 and 2``, ``4``."""
    text = text.strip()
    if _BARE.fullmatch(text):
        return tuple(int(float(number)) for number in re.findall(r"\d+(?:\.0)?", text))
    return tuple(
        int(number) for found in _REFERRED.finditer(text) for number in re.findall(r"\d+", found.group(1))
    )


def with_notes(remarks: Iterable[str], notes: dict[int, str]) -> str:
    """Return remarks with the words of the notes that they name in place of the bare reference."""
    kept: list[str] = []
    for remark in remarks:
        text = " ".join(remark.split())
        if not text:
            continue
        words = [notes[number] for number in referred(text) if number in notes]
        bare = _SEE.fullmatch(text) is not None or _BARE.fullmatch(text) is not None
        if not (bare and words):
            kept.append(text)
        kept.extend(words)
    return " ".join(dict.fromkeys(kept))[:_LONGEST_NOTE]


_ISO_DAY = re.compile(r"\b((?:19|20)\d\d)[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMED_DAY = re.compile(
    r"\b(?:(\d{1,2})(?:st|nd|rd|th)?[\s.\-]+)?([A-Za-z]{3,9})\.?[\s\-]+(?:(\d{1,2})(?:st|nd|rd|th)?,?\s+)?"
    r"((?:19|20)\d\d)\b"
)
_SLASHED = re.compile(r"\b(\d{1,2})([/.\-])(\d{1,2})\2((?:19|20)\d\d)\b")
_YEAR = re.compile(r"\b((?:19|20)\d\d)(?:[-/](\d{1,2}))?\b")


def day_of(text: str) -> str:
    """Return a day as ISO 8601, a month or year where no more is said, a blank where nothing can be read.

    ``03/04/2021`` is taken as month first, as makers in the United States write; ``25/04/2021`` cannot be.
    """
    found = _ISO_DAY.search(text)
    if found is not None:
        return _iso(int(found.group(1)), int(found.group(2)), int(found.group(3)))
    found = _NAMED_DAY.search(text)
    if found is not None and found.group(2)[:3].casefold() in _MONTHS:
        month = _MONTHS.index(found.group(2)[:3].casefold()) + 1
        day = found.group(1) or found.group(3)
        year = int(found.group(4))
        return _iso(year, month, int(day)) if day else f"{year:04}-{month:02}"
    found = _SLASHED.search(text)
    if found is not None:
        one, other, year = int(found.group(1)), int(found.group(3)), int(found.group(4))
        dotted = found.group(2) == "."
        month, day_number = (other, one) if dotted or one > 12 else (one, other)
        return _iso(year, month, day_number)
    found = _YEAR.search(text)
    if found is not None:
        month = int(found.group(2) or 0)
        return f"{found.group(1)}-{month:02}" if 1 <= month <= 12 else found.group(1)
    return ""


def _iso(year: int, month: int, day: int) -> str:
    return f"{year:04}-{month:02}-{day:02}" if 1 <= month <= 12 and 1 <= day <= 31 else f"{year:04}"


_NUMBER = r"\d{1,5}(?![.\d]*\d)(?:\s*(?:-|\u2013|to)\s*\d{1,5}(?![.\d]*\d))?"
_LISTED = rf"{_NUMBER}(?:\s*(?:,|and|&)\s*{_NUMBER})*"
_TRANSPORT = r"(?P<{0}>tcp\s*(?:/|,|and|&|\+)\s*udp|udp\s*(?:/|,|and|&|\+)\s*tcp|tcp|udp)"
_PORTS = (
    re.compile(
        rf"\b{_TRANSPORT.format('t')}\s*(?:/|:|-)?\s*(?:ports?)?\s*(?:number|no\.?|#|:)?\s*(?P<n>{_LISTED})",
        re.IGNORECASE,
    ),
    re.compile(rf"(?<![\w.])(?P<n>{_LISTED})\s*(?:/|\(|-|\s)\s*{_TRANSPORT.format('t')}\b", re.IGNORECASE),
    re.compile(
        rf"\bports?\s*(?:number|no\.?|#|:|=)?\s*(?P<n>{_LISTED})(?:\s*[(/]?\s*{_TRANSPORT.format('t')})?",
        re.IGNORECASE,
    ),
)
_RANGE = re.compile(r"(\d{1,5})(?:\s*(?:-|\u2013|to)\s*(\d{1,5}))?")
_MOST_PORTS = 500


def ports_in(text: str, where: str) -> Iterator[DeclaredPort]:
    """Yield the ports that words name: ``TCP 104``, ``2762/tcp``, ``ports 5000-5010 (UDP)``.

    A number without the word port or a transport beside it is none.
    """
    taken: list[tuple[int, int]] = []
    for pattern in _PORTS:
        for found in pattern.finditer(text):
            begin, end = found.span("n")
            if any(begin < other_end and other < end for other, other_end in taken):
                continue
            taken.append((begin, end))
            said = (found.group("t") or "").casefold()
            transports = ("tcp", "udp") if "tcp" in said and "udp" in said else (said,)
            for first, last in _RANGE.findall(found.group("n")):
                port, port_to = int(first), int(last) if last else None
                if 0 < port < 65536 and (port_to is None or port < port_to < 65536):
                    for transport in transports:
                        yield DeclaredPort(transport, port, port_to, _around(text, begin, end), where)


def _around(text: str, begin: int, end: int) -> str:
    return " ".join(text[max(0, begin - 40) : end + 40].split())[:120]


def distinct_ports(ports: Iterable[DeclaredPort]) -> tuple[DeclaredPort, ...]:
    """Return ports without repetitions, in their order; of very many the first."""
    kept: dict[tuple[str, int, int | None], DeclaredPort] = {}
    for port in ports:
        kept.setdefault((port.transport, port.port, port.port_to), port)
        if len(kept) >= _MOST_PORTS:
            break
    return tuple(kept[key] for key in sorted(kept, key=lambda k: (k[1], k[0], k[2] or 0)))


def ports_of_table(rows: Sequence[tuple[str, Sequence[str]]]) -> Iterator[DeclaredPort]:
    """Yield the ports of a table with a column headed Port; ``rows`` are places and cells."""
    column: int | None = None
    kinds: list[int] = []
    for where, cells in rows:
        heading = [" ".join(cell.casefold().split()).strip(" :#") for cell in cells]
        headed = next((i for i, cell in enumerate(heading) if _PORT_HEADING.fullmatch(cell)), None)
        if headed is not None:
            column = headed
            kinds = [i for i, cell in enumerate(heading) if _KIND_HEADING.search(cell) and i != headed]
            continue
        if column is None or column >= len(cells):
            continue
        numbers = cells[column].strip().removesuffix(".0")
        if not re.fullmatch(_LISTED, numbers):
            yield from ports_in(numbers, where)
            continue
        said = " ".join(heading[i] for i in kinds if i < len(heading))
        transports = [kind for kind in ("tcp", "udp") if kind in said] or [""]
        words = " ".join(cell.strip() for cell in cells if cell.strip())[:120]
        for first, last in _RANGE.findall(numbers):
            if 0 < int(first) < 65536:
                for transport in transports:
                    yield DeclaredPort(transport, int(first), int(last) if last else None, words, where)


_PORT_HEADING = re.compile(
    r"(?:tcp/ip |network |server |listening )?ports?(?: ?(?:number|no\.?|nr\.?|#|\(s\)|range)s?)?"
)
_KIND_HEADING = re.compile(r"protocol|transport|tcp|udp|type")

_VERSION = r"(?P<v>\d+(?:\.\d+)*)"
_WINDOWS = (
    r"windows\s+(?P<v>server\s+20\d\d(?:\s*r2)?|xp|vista|2000|nt|ce(?:\s*[\d.]+)?|95|98|7|8\.1|8|1[01]|"
    r"embedded(?:\s+\w+)?)?"
)
_LINUX = (
    r"\b(?:red\s*hat|rhel|centos|ubuntu|debian|suse|sles|yocto|linux|fedora|busybox)\b"
    rf"(?:[\s\w]{{0,24}}?{_VERSION})?"
)
_OTHER_SYSTEMS = {
    "android": "android", "ios": r"ios|ipados", "macos": r"mac\s*os|os\s*x", "vxworks": r"vx\s*works",
    "qnx": r"qnx(?:\s+neutrino)?", "solaris": "solaris|sunos", "threadx": "threadx",
    "freertos": r"free\s*rtos", "integrity": r"green\s*hills", "nucleus": "nucleus", "esxi": "esxi",
}  # fmt: skip
_SYSTEMS = tuple(
    (family, re.compile(pattern, re.IGNORECASE))
    for family, pattern in (
        ("windows", _WINDOWS),
        ("linux", _LINUX),
        *((name, rf"\b(?:{words})\b(?:\s+{_VERSION})?") for name, words in _OTHER_SYSTEMS.items()),
    )
)


def systems_in(text: str, question: str) -> tuple[DeclaredSystem, ...]:
    """Return the operating systems that words name, each with its version where one is said."""
    found: dict[tuple[str, str], DeclaredSystem] = {}
    for family, pattern in _SYSTEMS:
        for match in pattern.finditer(text):
            version = " ".join((match.groupdict().get("v") or "").casefold().split())
            found.setdefault(
                (family, version), DeclaredSystem(family, version, match.group(0).strip()[:120], question)
            )
    return tuple(found.values())


def text_answer(question: str, written: str, note: str, where: str) -> Answer:
    """Return the answer to a question that is answered in words."""
    text = " ".join(written.split())
    placeholder = not text or _PLACEHOLDER.fullmatch(text) is not None
    stance, words = stance_of(text)
    if placeholder and note:
        return Answer(question, Stance.TEXT, note[:_LONGEST_NOTE], "", where)
    if stance is Stance.NOTE and note:
        return Answer(question, Stance.NOTE, words, note, where)
    return Answer(question, Stance.EMPTY if placeholder else Stance.TEXT, text[:_LONGEST_NOTE], note, where)
