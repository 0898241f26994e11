"""Fuzz what people and peers hand us as a whole: plans, labels, rules, settings, answers to our questions.

    .venv/bin/python fuzz/fuzz_documents.py plan --seconds 60
    .venv/bin/python fuzz/fuzz_documents.py --all --seconds 10
    .venv/bin/python fuzz/fuzz_documents.py plan --replay fuzz/crashes/doc-plan-0123456789abcdef.bin
    .venv/bin/python fuzz/fuzz_documents.py --all --make-corpus

Any bytes in; an answer, or one of our own errors with a sentence, out. Streams that are cut into messages
(syslog, IPFIX) and answers to probers must come to the same however they arrive.
"""

from __future__ import annotations

import atexit
import datetime
import io
import random
import re
import secrets
import shutil
import socket
import sys
import tempfile
import zipfile
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from types import ModuleType, SimpleNamespace

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

import msgspec  # noqa: E402
from fuzz.engine import CORPUS, Finding, Target, command, committed  # noqa: E402
from fuzz.equipment_seeds import EQUIPMENT_SEEDS, workbook  # noqa: E402
from fuzz.mds2_seeds import MDS2_SEEDS, MDS2_TARGETS  # noqa: E402
from fuzz.scanner_seeds import SCANNER_TARGETS, scanner_seeds  # noqa: E402
from fuzz.support_seeds import SUPPORT_MODULES, SUPPORT_SEEDS, SUPPORT_TARGETS  # noqa: E402
from fuzz.vex_seeds import VEX_SEEDS  # noqa: E402
from tests.feeds.upstream import seeds_of  # noqa: E402

from fuzz import fuzz_dissector, fuzz_log  # noqa: E402
from medwarden.app import places  # noqa: E402
from medwarden.app.answer_tables import read_answers  # noqa: E402
from medwarden.app.query import read_secrets  # noqa: E402
from medwarden.app.segments import read_ranges  # noqa: E402
from medwarden.app.vex import claim_of  # noqa: E402
from medwarden.feeds.containers import Bounds, members  # noqa: E402
from medwarden.feeds.registry import feeds  # noqa: E402
from medwarden.inventory.custom_attributes import check_rule, check_spec, read_attributes  # noqa: E402
from medwarden.inventory.plan import Plan, read_plan  # noqa: E402
from medwarden.inventory.reconcile import reconcile  # noqa: E402
from medwarden.inventory.reconcile_sides import row_side  # noqa: E402
from medwarden.inventory.score import read_labels  # noqa: E402
from medwarden.kernel.errors import InternalError, MedwardenError  # noqa: E402
from medwarden.knowledge.fingerprints.local import check_rules  # noqa: E402
from medwarden.knowledge.gudid import Gudid, build  # noqa: E402
from medwarden.knowledge.gudid_files import Skipped, entries  # noqa: E402
from medwarden.knowledge.reconciliation import rules_with  # noqa: E402
from medwarden.knowledge.sbom import MOST_COMPONENTS, read_bill  # noqa: E402
from medwarden.knowledge.udi import parse_udi  # noqa: E402
from medwarden.model.book import DATES, FIELDS  # noqa: E402
from medwarden.model.feed import About, Entry, Feed, Rejected  # noqa: E402
from medwarden.model.scan import ScanReader  # noqa: E402
from medwarden.model.vulnerability import ProductClaim, Provenance, Vulnerability  # noqa: E402
from medwarden.risk.matching.engine import Engine  # noqa: E402
from medwarden.risk.matching.profile import Profile  # noqa: E402
from medwarden.risk.weights import default_weights, parse_weights  # noqa: E402
from medwarden.risk.work.rules import parse_rules as parse_work_rules  # noqa: E402
from medwarden.risk.work.rules import shipped_rules as shipped_work  # noqa: E402
from medwarden.risk.work.vex.reading import read_vex  # noqa: E402
from medwarden.sensors import snmp_poll, snmp_session  # noqa: E402
from medwarden.sensors.active.exchange import Ended, Limits, Outcome, Piece  # noqa: E402
from medwarden.sensors.active.prober import ProbeSetting, SnmpUser  # noqa: E402
from medwarden.sensors.active.registry import probers  # noqa: E402
from medwarden.sensors.active.snmp_user import read_message  # noqa: E402
from medwarden.sensors.equipment_list import read_list  # noqa: E402
from medwarden.sensors.ipfix_framing import IpfixFraming  # noqa: E402
from medwarden.sensors.scans.registry import readers  # noqa: E402
from medwarden.sensors.syslog_framing import SyslogFraming  # noqa: E402
from medwarden.store.knowledge_blocks import bucket_of, payload_of  # noqa: E402

MOST_SENTENCE = 2_000
MOST_CELL = 4_000
_MEMORY = Path("/dev/shm")  # noqa: S108 - files of one's own folder in it, gone with the process
_FOLDER = Path(tempfile.mkdtemp(prefix="medwarden-fuzz-", dir=_MEMORY if _MEMORY.is_dir() else None))
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)
_SETTING = ProbeSetting(community="public")
_TOLD = re.compile(r"'[^']*'?|\"[^\"]*\"?|\d+")
"""What an error repeats of the input: another input is no other outcome."""


class Heard:
    """Stands for an exchange with a device: what it answers are the payloads of a conversation."""

    host = "192.0.2.20"
    local = ("192.0.2.10", 50_000)
    limits = Limits()

    def __init__(self, answers: list[bytes], stream: bool) -> None:
        self._answers = answers
        self._stream = stream
        self.pieces: list[Piece] = []
        self.received = 0

    def say(self, data: bytes) -> None:
        """Note what we ask."""
        if len(data) > 65_535 or len(self.pieces) > 500:
            raise Finding("the prober asks without end")
        self.pieces.append(Piece(1, True, data))

    def hear(self, complete: Callable[[bytes], bool], within_s: float | None = None) -> bytes:
        """Answer with the next payloads, as :meth:`Exchange.hear` does."""
        del within_s
        heard = b""
        while self._answers:
            piece = self._answers.pop(0)
            self.received += len(piece)
            self.pieces.append(Piece(1, False, piece))
            heard = heard + piece if self._stream else piece
            if complete(heard):
                return heard
        raise Ended(Outcome.SILENT, "no answer in time")


def _written(data: bytes) -> Path:
    path = _FOLDER / "input"
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def _plan(data: bytes) -> Hashable:
    rows, problems = read_plan(places._text(data))
    Plan(rows).subnet_of("192.0.2.1")
    for problem in problems:
        if not problem.reason or not problem.reason.isprintable():
            raise Finding(f"line {problem.line} has the reason {problem.reason!r}")
    return min(len(rows), 9), frozenset(p.reason[:12] for p in problems)


def _labels(data: bytes) -> Hashable:
    return min(len(read_labels(data.decode("utf-8", "replace"), "fuzz.tsv")), 9)


def _rules(data: bytes) -> Hashable:
    rules, problems = check_rules(data.decode("utf-8", "replace"), "fuzz.yaml")
    if not rules and not problems and data.strip() and not data.lstrip().startswith((b"[", b"#", b"-")):
        raise Finding("no rule and no word about it")
    return len(rules), frozenset(problem.partition(": ")[2][:16] for problem in problems)


def _weights(data: bytes) -> Hashable:
    return len(parse_weights(data.decode("utf-8", "replace")).points)


class _Unconnected(socket.socket):
    """A socket that reaches nobody and asks nobody for a name."""

    def connect(self, address: object) -> None:
        """Refuse what is no address."""
        host = address[0] if isinstance(address, tuple) else ""
        try:
            ip_address(host)
        except ValueError as error:
            raise OSError("no address") from error


def _address_alone(host: str, port: int, family: int, kind: int) -> object:
    """Look up what is an address or no name at all; of names nobody is asked."""
    return socket.getaddrinfo(host, port, family, kind, flags=socket.AI_NUMERICHOST)


@contextmanager
def _instead(module: ModuleType, name: str, value: object) -> Iterator[None]:
    """Let a module hold something else by a name; afterwards others of this process find what was there."""
    before = vars(module)[name]
    vars(module)[name] = value
    try:
        yield
    finally:
        vars(module)[name] = before


def _poll_plan(data: bytes) -> Hashable:
    words = {**vars(socket), "socket": _Unconnected, "getaddrinfo": _address_alone}
    with _instead(snmp_session, "socket", SimpleNamespace(**words)):
        return len(snmp_poll.read_plan(_written(data), {"SECRET": "from-the-environment"}).devices)


def _secrets(data: bytes) -> Hashable:
    return (repr(read_secrets(_written(data))),)


def _ranges(data: bytes) -> Hashable:
    return min(len(read_ranges(data.decode("utf-8", "replace"))), 9)


def _snmp_message(data: bytes) -> Hashable:
    return read_message(data).flags, read_message(data, plain=True).flags


def _cut(make: Callable[[], SyslogFraming] | Callable[[], IpfixFraming], data: bytes) -> Hashable:
    came = []
    for size in (len(data) or 1, 1, 7):
        framing = make()
        messages = [m for at in range(0, len(data), size) for m in framing.push(data[at : at + size])]
        messages += framing.finish()
        came.append((messages, framing.faults))
    if came[0] != came[1] or came[0] != came[2]:
        raise Finding(f"cut differently it comes to something else: {came}")
    return min(len(came[0][0]), 5), frozenset(came[0][1])


def _answers(name: str) -> Callable[[bytes], Hashable]:
    prober = probers()[name]
    stream = prober.manifest.transport.value == "tcp"
    settings = [_SETTING]
    if name == "snmp_get":
        settings.append(
            ProbeSetting(snmp_user=SnmpUser("reader", "sha256", "password-1", "aes", "password-2"))
        )

    def run(data: bytes) -> Hashable:
        # Answers must repeat the numbers of requests.
        with _instead(secrets, "randbelow", lambda bound: 7 % bound):
            return conversed(data)

    def conversed(data: bytes) -> Hashable:
        words = []
        for setting in settings:
            line = Heard([payload for _, payload in fuzz_dissector.unpack(data)], stream)
            try:
                prober.converse(line, setting)  # type: ignore[arg-type]  # all of an exchange it may touch
                words.append(f"answered {len(line.pieces)}")
            except Ended as ended:
                words.append(str(ended)[:24])
            except MedwardenError as error:
                words.append(str(error)[:40])
        return tuple(words)

    return run


def _equipment(data: bytes) -> Hashable:
    read = read_list(data, "fuzz")
    keys = [record.key for record in read.records]
    if len(set(keys)) != len(keys):
        raise Finding("two rows have one key")
    for record in read.records:
        for field, value in record.said.items():
            if field not in FIELDS or not value or len(value) > MOST_CELL or not value.isprintable():
                raise Finding(f"line {record.line} says {field} = {value[:80]!r}")
            if field in DATES:
                datetime.date.fromisoformat(value)
    for problem in read.problems:
        if problem.line < 1 or not problem.reason or not problem.reason.isprintable():
            raise Finding(f"line {problem.line} has the reason {problem.reason!r}")
    sides = [row_side(record) for record in read.records[:20]]
    reconcile(sides, [msgspec.structs.replace(side, key=f"d{n}") for n, side in enumerate(sides)])
    return (
        min(len(read.records), 5),
        tuple(field for _, field in read.columns),
        frozenset(problem.reason[:14] for problem in read.problems),
    )


def _udi(data: bytes) -> Hashable:
    said = parse_udi(data.decode("utf-8", "replace"))
    for day in (said.manufactured, said.expires):
        if day is not None:
            datetime.date.fromisoformat(day)
    if not said.di.isascii() or not said.di.isalnum():
        raise Finding(f"the device identifier is {said.di!r}")
    return said.agency, bool(said.lot), bool(said.serial), bool(said.expires)


def _gudid(data: bytes) -> Hashable:
    path = _written(data)
    found = list(entries(path))
    for entry in found:
        if isinstance(entry, Skipped) and not entry.reason.isprintable():
            raise Finding(f"{entry.where} has the reason {entry.reason!r}")
    if len(data) % 4 == 0:
        index = _FOLDER / "index"
        index.unlink(missing_ok=True)
        built = build(index, [path])
        with Gudid(index) as gudid:
            if gudid.size > built.products:
                raise Finding("more products than were taken in")
            gudid.by_model("Philips", "MX450")
    return frozenset((type(entry).__name__, getattr(entry, "reason", "")[:12]) for entry in found)


def _gudid_zip(data: bytes) -> Hashable:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, part in enumerate(data.split(b"\n\n\n")):
            archive.writestr(f"part{number}.txt", part)
    return _gudid(packed.getvalue())


def _bill(data: bytes) -> Hashable:
    bill = read_bill(data, "fuzz")
    references = {component.ref for component in bill.components}
    if len(references) != len(bill.components) or len(references) > MOST_COMPONENTS:
        raise Finding("two components have one reference")
    for component in bill.components:
        for text in (component.name, component.version, component.supplier, component.purl, component.cpe):
            if not text.isprintable():
                raise Finding(f"{component.ref} says {text[:80]!r}")
    wealth = sum(bool(c.purl) + bool(c.cpe) + bool(c.licences) + bool(c.depends) for c in bill.components)
    return bill.format[:14], min(len(bill.components), 6), min(wealth, 8), bool(bill.skipped)


def _vex(data: bytes) -> Hashable:
    """Read a document; what comes of it can be matched, and its products are printable."""
    reading = read_vex(data, "vex.json")
    engine = Engine()
    for number, said in enumerate(reading.statements[:50]):
        claim = msgspec.convert(claim_of(said), ProductClaim)
        record = Vulnerability(str(number), "", "", Provenance("fuzz", "vex"), claims=(claim,))
        engine.add_vulnerability(record)
        for text in (said.product.name, said.product.vendor, said.product.product, said.product.version):
            if not text.isprintable():
                raise Finding(f"{said.place} says {text[:80]!r}")
    engine.judge(Profile(vendor="Philips", model="IntelliVue MX450", firmware="M.03"))
    says = tuple(sorted({said.says.value for said in reading.statements}))
    return reading.form, says, min(len(reading.statements), 6), min(len(reading.problems), 3)


def _work_rules(data: bytes) -> Hashable:
    rules = parse_work_rules(data.decode("utf-8", "replace"), "work.yaml", shipped_work())
    return rules.due_days == shipped_work().due_days, rules.priority == shipped_work().priority


def _attributes(data: bytes) -> Hashable:
    file = read_attributes(data.decode("utf-8", "replace"), "fuzz.yaml")
    specs = {spec.name: spec for spec in file.attributes}
    words = []
    for check_one in (
        *(partial(check_spec, spec) for spec in file.attributes),
        *(partial(check_rule, r, specs[r.attribute]) for r in file.rules if r.attribute in specs),
    ):
        try:
            check_one()
        except MedwardenError as error:
            words.append(str(error)[-20:])
    return len(specs), len(file.rules), tuple(words[:3])


def _reconciliation(data: bytes) -> Hashable:
    rules = rules_with(data.decode("utf-8", "replace"), "fuzz.yaml")
    return rules.silent_days, tuple(rules.winners.values())[:6]


def _answer_table(data: bytes) -> Hashable:
    rows, problems, empty = read_answers(data, "fuzz.csv")
    if any(not row.labels or not row.target for row in rows):
        raise Finding("a line answers nothing, or about nothing")
    return min(len(rows), 5), len(problems) > 0, empty > 0, frozenset(k for row in rows for k in row.labels)


def _feed(feed: type[Feed]) -> Callable[[bytes], Hashable]:
    """Read any bytes through a feed, recognised or not: records that can be kept, or words on why not."""

    def run(data: bytes) -> Hashable:
        feed.recognises("file", data[:65536])
        came: list[str] = []
        for item in feed.read(io.BytesIO(data), Provenance(feed.manifest.id, "file")):
            if isinstance(item, Rejected):
                if not item.reason or not item.reason.isprintable() or len(item.reason) > 300:
                    raise Finding(f"rejected for {item.reason!r}")
                came.append(item.reason[:12])
            elif isinstance(item, Entry):
                for record in item.records:
                    bucket_of(record.id)
                    payload_of(record)
                came.append(f"{len(item.records)}")
            elif isinstance(item, About):
                came.append("about")
        return frozenset(came)

    return run


def _scan(kind: type[ScanReader]) -> Callable[[bytes], Hashable]:
    """Read any bytes as a scanner's report: hosts within its form, the same however it is cut."""

    def read(data: bytes, size: int) -> Hashable:
        reader = kind("file")
        for at in range(0, len(data), size):
            reader.feed(data[at : at + size])
        return reader.finish()

    def run(data: bytes) -> Hashable:
        kind.recognises(data[:65536])
        report = kind("file")
        report.feed(data)
        whole = report.finish()
        if read(data, 61) != whole:
            raise Finding("cut otherwise it says something else")
        for host in whole.hosts:
            if any(s.check not in whole.checks or not 0 <= s.port <= 65535 for s in host.sightings):
                raise Finding("a sighting of no check or no port")
        return (
            min(len(whole.hosts), 5),
            min(sum(len(host.sightings) for host in whole.hosts), 9),
            min(whole.rejected, 3),
            frozenset(s.outcome for host in whole.hosts for s in host.sightings),
        )

    return run


def _container(data: bytes) -> Hashable:
    bounds = Bounds(most_member=1 << 20, most_bytes=4 << 20, most_members=50)
    return tuple((m.name[:20], len(m.stream.read())) for m in members(_written(data), "file", bounds))


def documents() -> dict[str, tuple[Callable[[bytes], Hashable], tuple[str, ...]]]:
    """Return every reader by its name, with the modules its code begins in."""
    equipment = ("medwarden.sensors.equipment_list", "medwarden.inventory.reconcile")
    gudid = ("medwarden.knowledge.gudid", "medwarden.knowledge.gudid_files")
    mds2 = ("medwarden.sensors.mds2_document", "medwarden.knowledge.mds2_layout", "medwarden.knowledge.mds2")
    found: dict[str, tuple[Callable[[bytes], Hashable], tuple[str, ...]]] = {
        "plan": (_plan, ("medwarden.inventory.plan", "medwarden.app.places")),
        "labels": (_labels, ("medwarden.inventory.score",)),
        "rules": (_rules, ("medwarden.knowledge.fingerprints.local",)),
        "weights": (_weights, ("medwarden.risk.weights",)),
        "poll_plan": (_poll_plan, ("medwarden.sensors.snmp_poll",)),
        "secrets": (_secrets, ("medwarden.app.query",)),
        "vlan_ranges": (_ranges, ("medwarden.app.segments",)),
        "equipment_list": (_equipment, equipment),
        "equipment_sheet": (lambda data: _equipment(workbook(data)), equipment),
        "udi": (_udi, ("medwarden.knowledge.udi",)),
        "gudid": (_gudid, gudid),
        "gudid_zip": (_gudid_zip, gudid),
        "sbom": (_bill, ("medwarden.knowledge.sbom",)),
        "attributes": (_attributes, ("medwarden.inventory.custom_attributes",)),
        "vex": (
            _vex,
            ("medwarden.risk.work.vex.reading", "medwarden.app.vex", "medwarden.risk.matching.engine"),
        ),
        "work_rules": (_work_rules, ("medwarden.risk.work.rules",)),
        "reconciliation": (_reconciliation, ("medwarden.knowledge.reconciliation",)),
        "answer_table": (_answer_table, ("medwarden.app.answer_tables",)),
        "snmp_message": (_snmp_message, ("medwarden.sensors.active.snmp_user",)),
        "syslog_stream": (lambda data: _cut(SyslogFraming, data), ("medwarden.sensors.syslog_framing",)),
        "ipfix_stream": (lambda data: _cut(IpfixFraming, data), ("medwarden.sensors.ipfix_framing",)),
        "feed_container": (_container, ("medwarden.feeds.containers",)),
    }
    found |= {name: (read, mds2) for name, read in MDS2_TARGETS.items()}
    found |= {name: (read, SUPPORT_MODULES) for name, read in SUPPORT_TARGETS.items()}
    found |= SCANNER_TARGETS
    found |= {f"scan_{kind.manifest.name}": (_scan(kind), (kind.__module__,)) for kind in readers()}
    found |= {f"feed_{feed.manifest.id}": (_feed(feed), (feed.__module__,)) for feed in feeds()}
    return found | {
        f"answers_{name}": (_answers(name), (type(prober).__module__,)) for name, prober in probers().items()
    }


def check(read: Callable[[bytes], Hashable], data: bytes, chance: random.Random) -> Hashable:
    """Return what came of one input; raises Finding or whatever escaped."""
    del chance
    try:
        return read(data)
    except InternalError:
        raise
    except MedwardenError as error:
        words = str(error)
        if not words.strip() or len(words) > MOST_SENTENCE:
            raise Finding(f"an error without a sentence: {words[:200]!r}") from error
        return _TOLD.sub("#", words)[:48]


def _changed(data: bytes, pool: Sequence[bytes], chance: random.Random) -> bytes:
    if chance.random() < 0.5:
        return fuzz_log.mutate(data, pool, chance)
    return fuzz_dissector.mutate(data, pool, chance)


def make_corpus(name: str) -> int:
    """Write seeds of one reader; return how many."""
    folder = CORPUS / f"doc-{name}"
    seeds = {**_SEEDS.get(name, {}), **EQUIPMENT_SEEDS.get(name, {}), **VEX_SEEDS.get(name, {})}
    seeds |= MDS2_SEEDS.get(name, {}) | SUPPORT_SEEDS.get(name, {})
    if name == "weights":
        default_weights()
        seeds["shipped"] = (ROOT / "src/medwarden/risk/weights.yaml").read_bytes()
    if name == "rules":
        for path in sorted((ROOT / "src/medwarden/knowledge/fingerprints").rglob("*.yaml")):
            lines = [line for line in path.read_bytes().splitlines(keepends=True) if line.startswith(b"- {")]
            seeds[f"{path.parent.name}-{path.stem}"] = b"".join(lines[:3])
    if name.startswith("feed_"):
        seeds = seeds_of(name.removeprefix("feed_"))
    if name in SCANNER_TARGETS:
        seeds = scanner_seeds(name)
    if name.startswith("scan_"):
        cases = ROOT / "tests" / "sensors" / "scans" / "cases" / name.removeprefix("scan_")
        seeds = {
            path.stem: path.read_bytes() for path in cases.iterdir() if not path.name.endswith(".case.json")
        }
    if name.startswith("answers_"):
        dissector = probers()[name.removeprefix("answers_")].manifest.dissector
        for path in sorted((CORPUS / dissector).glob("*.bin")):
            said = [
                (flags, payload)
                for flags, payload in fuzz_dissector.unpack(path.read_bytes())
                if not flags & 1
            ]
            seeds[path.stem] = fuzz_dissector.pack(said)
    folder.mkdir(parents=True, exist_ok=True)
    for stem, data in seeds.items():
        (folder / f"{stem}.bin").write_bytes(data)
    return len(seeds)


_SEEDS: dict[str, dict[str, bytes]] = {
    "plan": {
        "german": "Gebäude;Etage;Raum;Switch;Port;VLAN\nA;2;2.17;sw-a2;Gi1/0/4;30\n".encode("cp1252"),
        "english": b'building,floor,room,mac,subnet\nB,1,"1,04",02:00:00:00:00:01,10.2.0.0/16\n',
        "kinds": b"building\troom\tkind\tkey\nC\t1\tstation\tCT1\nC\t2\tcircuit\t00040001\n",
        "utf16": "building,room,ap\nA,1,ap-7\n".encode("utf-16"),
    },
    "labels": {
        "two": b"capture\tmac\tclass\tcategory\tvendor\tmodel\n"
        b"set/Cam\tB0:C5:54:00:00:01\tIoT\tip_camera\tD-Link\t\n"
        b"a.pcap\t02:00:00:00:00:01\tIoMT\tct_scanner\tACME\tSlicer 64\n",
    },
    "poll_plan": {
        "both": b'interval_s = 60\n[[device]]\naddress = "192.0.2.1"\ncommunity = "public"\n[[device]]\n'
        b'address = "192.0.2.2"\nuser = "reader"\nauth = "sha256"\nauth_password_env = "SECRET"\n'
        b'privacy = "aes"\nprivacy_password = "password-2"\n',
    },
    "secrets": {
        "both": b'community = "public"\n[snmp_user]\nname = "reader"\nauth = "sha"\n'
        b'auth_password = "password-1"\n',
    },
    "vlan_ranges": {"two": b"100-199,300"},
    "snmp_message": {
        "version_3": bytes.fromhex(
            "3066020103300d020107020205dc040101020103041f301d040b80000009030200000000200201010201020404"
            "75736572040004003031040b80000009030200000000200400a2200201070201000201003015301306082b0601"
            "02010105000407636f72652d7377"
        )
    },
    "syslog_stream": {
        "counted": b"11 <13>Jan  2 a<13>Jan  2 b\n5 <1>xx7 ",
        "lines": b"<13>Jan  2 03:04:05 h p: one\n\n<13>two\r\n",
    },
    "ipfix_stream": {"one": bytes.fromhex("000a00146550000000000001000000010002000400")},
}


def targets() -> dict[str, Target]:
    """Return a target for every reader, by its name."""
    found = {}
    for name, (read, roots) in documents().items():
        seeds = partial(committed, f"doc-{name}")
        changed = (
            partial(fuzz_dissector.mutate_conversation, name) if name.startswith("answers_") else _changed
        )
        found[name] = Target(
            f"doc-{name}", roots, partial(check, read), seeds, changed, partial(make_corpus, name)
        )
    return found


if __name__ == "__main__":
    sys.exit(command(targets(), __doc__ or ""))
