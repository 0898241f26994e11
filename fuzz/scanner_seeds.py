"""Interfaces of scanners: any bytes as their answers, what must hold of a pull, and seeds from the cases.

An input is the answers one after the other, each after a line that says which status it has; a status that is
missing is 200. The connector must bring a file, or end with one of our own errors, within a bounded number of
requests; what it remembers are words.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Hashable
from pathlib import Path
from xml.parsers import expat

from fuzz.engine import Finding
from tests.connectors.scanners.contract import Contract, body_of, posted

from medwarden.app.vex_signature import check_with
from medwarden.connectors.scanners.desk import Asked, Credentials, Desk, ScannerConnector
from medwarden.connectors.scanners.registry import connector_named, connectors
from medwarden.kernel.errors import MedwardenError
from medwarden.transport.http import DownloadFailed, Fetched, HttpSession, Limits, shown
from medwarden.transport.kept import Kept
from medwarden.transport.xml_stream import _Answer

_CASES = Path(__file__).resolve().parents[1] / "tests" / "connectors" / "scanners" / "cases"
_NEXT = re.compile(rb"\n--([0-9]{3})--\n")
_MOST_ASKED = 400


class _Session(HttpSession):
    """Answers each request with the next piece of the input; the last one is given for ever."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        parts = _NEXT.split(b"\n--200--\n" + data)[1:]
        self._answers = [(int(parts[n]), parts[n + 1]) for n in range(0, len(parts), 2)]
        self.asked = 0

    def next_answer(self) -> tuple[int, bytes]:
        self.asked += 1
        if self.asked > _MOST_ASKED:
            raise Finding("the connector asks without end")
        return self._answers[min(self.asked, len(self._answers)) - 1]

    def fetch(self, url: str, target: Path, **_: object) -> Fetched:
        """Write the next answer down."""
        status, answer = self.next_answer()
        if not url.isprintable() or not url.startswith("https://scanner.example/") or "//" in url[10:]:
            raise Finding(f"it asks {url[:120]!r}")
        if status != 200:
            raise DownloadFailed(f"{shown(url)}: answered {status}", status)
        target.write_bytes(answer)
        return Fetched(url, fresh=True)


class _Recording(HttpSession):
    """Answers as the contract server of a case does, and keeps what it answered."""

    def __init__(self, case: Path) -> None:
        super().__init__()
        self._contract = Contract(case)
        self.given: list[tuple[int, bytes]] = []
        self.ended = False

    def fetch(self, url: str, target: Path, *, body: bytes | None = None, **_: object) -> Fetched:
        """Write down what the contract says to a request."""
        ask = f"{'GET' if body is None else 'POST'} {url.removeprefix('https://scanner.example')}"
        right = self._contract.answer_to(ask, posted(body or b""))
        self.given.append((404 if right is None else 200, right or b""))
        if right is None:
            raise DownloadFailed(f"{shown(url)}: answered 404", 404)
        target.write_bytes(right)
        return Fetched(url, fresh=True)


class _Stream:
    """The same over one connection: an answer is what its reader takes for a whole element."""

    def __init__(self, session: _Session) -> None:
        self._session = session

    def ask(self, command: bytes, target: Path, limits: Limits) -> None:
        del command, limits
        status, answer = self._session.next_answer()
        if status != 200:
            raise DownloadFailed("the connection ended", status)
        target.write_bytes(answer)

    def close(self) -> None:
        """Do nothing."""


def _asked(connector: type[ScannerConnector]) -> Callable[[bytes], Hashable]:
    def run(data: bytes) -> Hashable:
        folder = Path(tempfile.mkdtemp(prefix="medwarden-fuzz-scanner-"))
        waited = [0.0]

        def sleep(seconds: float) -> None:
            waited[0] += seconds

        session = _Session(data)
        try:
            asked = Asked("fuzz", "https://scanner.example", Credentials("account", "s3cr3t-of-the-fuzzer"))
            desk = Desk(
                asked, session, folder, Kept(folder / "kept"), {}, now_s=1_780_000_000.0, sleep=sleep,
                open_stream=lambda _address: _Stream(session),
            )  # fmt: skip
            came, size = 0, 0
            try:
                for brought in connector.pull(desk):
                    came += 1
                    size += brought.path.stat().st_size
                    if len(brought.name) > 10_000:
                        raise Finding("a report without end of name")
            except MedwardenError as error:
                if "s3cr3t" in str(error):
                    raise Finding("the error tells the secret") from error
                raise
            if size > 4 * len(data) * max(came, 1) + 10_000:
                raise Finding(f"{len(data)} bytes became {size}")
            return came, session.asked, len(desk.state), len(desk.failures)
        finally:
            session.close()
            shutil.rmtree(folder, ignore_errors=True)

    return run


def _framed(data: bytes) -> Hashable:
    """Find where an answer of GMP ends, whole and byte by byte: at the same byte or not at all."""

    def ending(size: int) -> tuple[int, str]:
        answer = _Answer()
        for at in range(0, len(data), size):
            try:
                answer.feed(data[at : at + size])
            except expat.ExpatError:
                return -1, "broken"
            if answer.whole:
                return at, answer.refused
        return -2, answer.refused

    whole, bytewise = ending(len(data) or 1), ending(1)
    good = [at >= 0 and not refused for at, refused in (whole, bytewise)]
    if good[0] != good[1]:  # what is broken may be seen earlier or later
        raise Finding(f"an answer that ends {whole} and byte by byte {bytewise}")
    return whole[1], bytewise[0] >= 0


def _companion(data: bytes) -> Hashable:
    """Hold a document against any bytes as what came with it."""
    home = Path(tempfile.gettempdir()) / "medwarden-fuzz-no-home"
    cut = data.find(b"\0")
    pieces = [data] if cut < 0 else [data[:cut], data[cut + 1 :]]
    found = check_with(home, b"{}", "fuzz.json", [(f"{n}.asc", piece) for n, piece in enumerate(pieces)])
    if found.publishers or not found.sentence.isprintable():
        raise Finding(f"it says {found.sentence!r}")
    return found.sentence[:24], len(pieces)


SCANNER_TARGETS: dict[str, tuple[Callable[[bytes], Hashable], tuple[str, ...]]] = {
    f"scanner_{connector.manifest.name}": (_asked(connector), (connector.__module__,))
    for connector in connectors()
} | {
    "gmp_stream": (_framed, ("medwarden.transport.xml_stream",)),
    "vex_companion": (_companion, ("medwarden.app.vex_signature", "medwarden.feeds.beside")),
}


def scanner_seeds(name: str) -> dict[str, bytes]:
    """Return seeds of a target, made from the cases."""
    if name == "gmp_stream":
        return {"tasks": (_CASES / "gmp" / "tasks.xml").read_bytes()}
    if name == "vex_companion":
        digest = b"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a  fuzz.json\n"
        signature = b"-----BEGIN PGP SIGNATURE-----\n\nwsB=\n-----END PGP SIGNATURE-----\n"
        key = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nxjM=\n-----END PGP PUBLIC KEY BLOCK-----\n"
        return {"digest": digest, "signed": signature + b"\0" + key}
    interface = name.removeprefix("scanner_")
    cases = sorted((_CASES / interface).glob("*.case.json"))
    return {path.name.partition(".")[0]: _answered(interface, path) for path in cases}


def _answered(interface: str, case: Path) -> bytes:
    """Return the answers that a pull from the contract server of a case meets, in their order."""
    if interface == "gmp":
        routes = json.loads(case.read_text())["routes"]
        return b"\n--200--\n".join(body_of(case, answer) for route in routes for answer in route["answers"])
    session = _Recording(case)
    folder = Path(tempfile.mkdtemp(prefix="medwarden-fuzz-seed-"))
    try:
        asked = Asked("fuzz", "https://scanner.example", Credentials("account", "s3cr3t-of-the-fuzzer"))
        desk = Desk(
            asked, session, folder, Kept(folder / "kept"), {}, now_s=1_780_000_000.0, sleep=lambda _: None
        )
        for brought in connector_named(interface).pull(desk):
            brought.path.unlink()
    except MedwardenError:  # a case of a refusal ends so, and its answers are a seed as well
        session.ended = True
    finally:
        session.close()
        shutil.rmtree(folder, ignore_errors=True)
    first, *rest = session.given
    return first[1] + b"".join(b"\n--%d--\n%b" % answer for answer in rest)
