"""Fuzz what people and peers hand us as a whole: plans, labels, rules, settings, answers to our questions.

    .venv/bin/python fuzz/fuzz_documents.py plan --seconds 60
    .venv/bin/python fuzz/fuzz_documents.py --all --seconds 10
    .venv/bin/python fuzz/fuzz_documents.py plan --replay fuzz/crashes/doc-plan-0123456789abcdef.bin
    .venv/bin/python fuzz/fuzz_documents.py --all --make-corpus

Any bytes in; an answer, or one of our own errors with a sentence, out. Streams that are cut into messages
(syslog, IPFIX) and answers to probers must come to the same however they arrive.
"""

# ruff: noqa: S311, T201 - a command that prints and whose chance guards no secret

from __future__ import annotations

import argparse
import datetime
import hashlib
import io
import random
import secrets
import shutil
import signal
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

import fuzz_dissector  # noqa: E402
import fuzz_log  # noqa: E402
import msgspec  # noqa: E402
from equipment_seeds import EQUIPMENT_SEEDS, workbook  # noqa: E402
from mds2_seeds import MDS2_SEEDS, MDS2_TARGETS  # noqa: E402
from tests.feeds.upstream import seeds_of  # noqa: E402
from vex_seeds import VEX_SEEDS  # noqa: E402

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
from medwarden.sensors import snmp_poll  # noqa: E402
from medwarden.sensors.active.exchange import Ended, Limits, Outcome, Piece  # noqa: E402
from medwarden.sensors.active.prober import ProbeSetting, SnmpUser  # noqa: E402
from medwarden.sensors.active.registry import probers  # noqa: E402
from medwarden.sensors.active.snmp_user import read_message  # noqa: E402
from medwarden.sensors.equipment_list import read_list  # noqa: E402
from medwarden.sensors.ipfix_framing import IpfixFraming  # noqa: E402
from medwarden.sensors.scans.registry import readers  # noqa: E402
from medwarden.sensors.syslog_framing import SyslogFraming  # noqa: E402
from medwarden.store.knowledge_blocks import bucket_of, payload_of  # noqa: E402

CORPUS = ROOT / "fuzz" / "corpus"
CRASHES = ROOT / "fuzz" / "crashes"
CASES = ROOT / "tests" / "dissect" / "cases"
HANG_SECONDS = 3.0  # of the processor's time
MAX_POOL = 1024
MOST_SENTENCE = 2_000
MOST_CELL = 4_000
_FOLDER = Path(tempfile.mkdtemp(prefix="medwarden-fuzz-"))
_SETTING = ProbeSetting(community="public")


class Finding(Exception):
    """The reader did what none may do."""


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


def _plan(data: bytes) -> object:
    rows, problems = read_plan(places._text(data))
    Plan(rows).subnet_of("192.0.2.1")
    for problem in problems:
        if not problem.reason or not problem.reason.isprintable():
            raise Finding(f"line {problem.line} has the reason {problem.reason!r}")
    return min(len(rows), 9), frozenset(p.reason[:12] for p in problems)


def _labels(data: bytes) -> object:
    return min(len(read_labels(data.decode("utf-8", "replace"), "fuzz.tsv")), 9)


def _rules(data: bytes) -> object:
    rules, problems = check_rules(data.decode("utf-8", "replace"), "fuzz.yaml")
    if not rules and not problems and data.strip() and not data.lstrip().startswith((b"[", b"#", b"-")):
        raise Finding("no rule and no word about it")
    return len(rules), frozenset(problem.partition(": ")[2][:16] for problem in problems)


def _weights(data: bytes) -> object:
    return len(parse_weights(data.decode("utf-8", "replace")).points)


def _poll_plan(data: bytes) -> object:
    return len(snmp_poll.read_plan(_written(data), {"SECRET": "from-the-environment"}).devices)


def _secrets(data: bytes) -> object:
    return repr(read_secrets(_written(data)))


def _ranges(data: bytes) -> object:
    return min(len(read_ranges(data.decode("utf-8", "replace"))), 9)


def _snmp_message(data: bytes) -> object:
    return read_message(data).flags, read_message(data, plain=True).flags


def _cut(make: Callable[[], SyslogFraming] | Callable[[], IpfixFraming], data: bytes) -> object:
    came = []
    for size in (len(data) or 1, 1, 7):
        framing = make()
        messages = [m for at in range(0, len(data), size) for m in framing.push(data[at : at + size])]
        messages += framing.finish()
        came.append((messages, framing.faults))
    if came[0] != came[1] or came[0] != came[2]:
        raise Finding(f"cut differently it comes to something else: {came}")
    return min(len(came[0][0]), 5), frozenset(came[0][1])


def _answers(name: str) -> Callable[[bytes], object]:
    prober = probers()[name]
    stream = prober.manifest.transport.value == "tcp"
    settings = [_SETTING]
    if name == "snmp_get":
        settings.append(
            ProbeSetting(snmp_user=SnmpUser("reader", "sha256", "password-1", "aes", "password-2"))
        )

    def run(data: bytes) -> object:
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


def _equipment(data: bytes) -> object:
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


def _udi(data: bytes) -> object:
    said = parse_udi(data.decode("utf-8", "replace"))
    for day in (said.manufactured, said.expires):
        if day is not None:
            datetime.date.fromisoformat(day)
    if not said.di.isascii() or not said.di.isalnum():
        raise Finding(f"the device identifier is {said.di!r}")
    return said.agency, bool(said.lot), bool(said.serial), bool(said.expires)


def _gudid(data: bytes) -> object:
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


def _gudid_zip(data: bytes) -> object:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, part in enumerate(data.split(b"\n\n\n")):
            archive.writestr(f"part{number}.txt", part)
    return _gudid(packed.getvalue())


def _bill(data: bytes) -> object:
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


def _vex(data: bytes) -> object:
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


def _work_rules(data: bytes) -> object:
    rules = parse_work_rules(data.decode("utf-8", "replace"), "work.yaml", shipped_work())
    return rules.due_days == shipped_work().due_days, rules.priority == shipped_work().priority


def _attributes(data: bytes) -> object:
    file = read_attributes(data.decode("utf-8", "replace"), "fuzz.yaml")
    specs = {spec.name: spec for spec in file.attributes}
    words = []
    for check_one in (
        *(lambda spec=spec: check_spec(spec) for spec in file.attributes),
        *(lambda rule=r: check_rule(rule, specs[rule.attribute]) for r in file.rules if r.attribute in specs),
    ):
        try:
            check_one()
        except MedwardenError as error:
            words.append(str(error)[-20:])
    return len(specs), len(file.rules), tuple(words[:3])


def _reconciliation(data: bytes) -> object:
    rules = rules_with(data.decode("utf-8", "replace"), "fuzz.yaml")
    return rules.silent_days, tuple(rules.winners.values())[:6]


def _answer_table(data: bytes) -> object:
    rows, problems, empty = read_answers(data, "fuzz.csv")
    if any(not row.labels or not row.target for row in rows):
        raise Finding("a line answers nothing, or about nothing")
    return min(len(rows), 5), len(problems) > 0, empty > 0, frozenset(k for row in rows for k in row.labels)


def _feed(feed: type[Feed]) -> Callable[[bytes], object]:
    """Read any bytes through a feed, recognised or not: records that can be kept, or words on why not."""

    def run(data: bytes) -> object:
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


def _scan(kind: type[ScanReader]) -> Callable[[bytes], object]:
    """Read any bytes as a scanner's report: hosts within its form, the same however it is cut."""

    def read(data: bytes, size: int) -> object:
        reader = kind("file")
        for at in range(0, len(data), size):
            reader.feed(data[at : at + size])
        return reader.finish()

    def run(data: bytes) -> object:
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


def _container(data: bytes) -> object:
    bounds = Bounds(most_member=1 << 20, most_bytes=4 << 20, most_members=50)
    return tuple((m.name[:20], len(m.stream.read())) for m in members(_written(data), "file", bounds))


def targets() -> dict[str, Callable[[bytes], object]]:
    """Return every reader by its name."""
    found: dict[str, Callable[[bytes], object]] = {
        "plan": _plan,
        "labels": _labels,
        "rules": _rules,
        "weights": _weights,
        "poll_plan": _poll_plan,
        "secrets": _secrets,
        "vlan_ranges": _ranges,
        "equipment_list": _equipment,
        "equipment_sheet": lambda data: _equipment(workbook(data)),
        "udi": _udi,
        "gudid": _gudid,
        "gudid_zip": _gudid_zip,
        "sbom": _bill,
        "attributes": _attributes,
        "vex": _vex,
        "work_rules": _work_rules,
        "reconciliation": _reconciliation,
        "answer_table": _answer_table,
        "snmp_message": _snmp_message,
        "syslog_stream": lambda data: _cut(SyslogFraming, data),
        "ipfix_stream": lambda data: _cut(IpfixFraming, data),
        "feed_container": _container,
        **MDS2_TARGETS,
    }
    found |= {f"scan_{kind.manifest.name}": _scan(kind) for kind in readers()}
    found |= {f"feed_{feed.manifest.id}": _feed(feed) for feed in feeds()}
    return found | {f"answers_{name}": _answers(name) for name in probers()}


def check(read: Callable[[bytes], object], data: bytes) -> object:
    """Return what came of one input; raises Finding or whatever escaped."""
    try:
        return read(data)
    except InternalError:
        raise
    except MedwardenError as error:
        words = str(error)
        if not words.strip() or len(words) > MOST_SENTENCE:
            raise Finding(f"an error without a sentence: {words[:200]!r}") from error
        return words[:48]


def _hung(signum: int, frame: FrameType | None) -> None:
    del signum, frame
    raise Finding(f"one input took more than {HANG_SECONDS} s")


def guarded(name: str, data: bytes) -> object:
    """Run :func:`check` against the clock; a finding is written down with its input and raised again."""
    signal.setitimer(signal.ITIMER_PROF, HANG_SECONDS)
    try:
        return check(targets()[name], data)
    except Exception as error:
        signal.setitimer(signal.ITIMER_PROF, 0)
        CRASHES.mkdir(exist_ok=True)
        path = CRASHES / f"doc-{name}-{hashlib.blake2b(data, digest_size=8).hexdigest()}.bin"
        path.write_bytes(data)
        print(f"FINDING in {name}, input kept as {path}")
        traceback.print_exception(error)
        raise
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def loop(name: str, seconds: float, seed: int) -> None:
    """Mutate for ``seconds``."""
    chance = random.Random(f"{name}{seed}")
    pool = [path.read_bytes() for path in sorted((CORPUS / f"doc-{name}").glob("*"))] or [b""]
    known: set[object] = set()
    check(targets()[name], pool[0])  # libraries are loaded on first use, which is no hang
    end, tried = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        data = pool[tried] if tried < len(pool) else _changed(chance.choice(pool), pool, chance)
        came = guarded(name, data)
        tried += 1
        if came not in known and len(pool) < MAX_POOL:
            known.add(came)
            pool.append(data)
    print(f"{name}: {tried} inputs in {seconds:.0f} s, {len(known)} outcomes, no finding")


def _changed(data: bytes, pool: list[bytes], chance: random.Random) -> bytes:
    if chance.random() < 0.5:
        return fuzz_log.mutate(data, pool, chance)
    return fuzz_dissector.mutate(data, pool, chance)


def make_corpus(name: str) -> int:
    """Write seeds of one reader; return how many."""
    folder = CORPUS / f"doc-{name}"
    seeds = {**_SEEDS.get(name, {}), **EQUIPMENT_SEEDS.get(name, {}), **VEX_SEEDS.get(name, {})}
    seeds |= MDS2_SEEDS.get(name, {})
    if name == "weights":
        default_weights()
        seeds["shipped"] = (ROOT / "src/medwarden/risk/weights.yaml").read_bytes()
    if name == "rules":
        rules = ROOT / "src/medwarden/knowledge/fingerprints"
        shipped = sorted(rules.glob("*.yaml"), key=lambda path: path.stat().st_size)[:4]
        seeds |= {path.stem: path.read_bytes()[:4000] for path in shipped}
    if name.startswith("feed_"):
        seeds = seeds_of(name.removeprefix("feed_"))
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
        "two": b"capture\tmac\tcategory\tvendor\tmodel\tos\tfirmware\n"
        b"a.pcap\t02:00:00:00:00:01\tCT scanner\tACME\tSlicer 64\t\t\n",
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


def main() -> int:
    """Read the command line and fuzz; 0 without a finding, 1 with one, 2 for a name that is none."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", nargs="?")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--replay", type=Path)
    parser.add_argument("--make-corpus", action="store_true")
    given = parser.parse_args()
    names = [name for name in targets() if given.all or name == given.name]
    if not names:
        print(f"There is no reader {given.name!r}; there are: {', '.join(targets())}", file=sys.stderr)
        return 2
    vars(secrets)["randbelow"] = lambda bound: 7 % bound  # numbers of requests, which answers must repeat
    signal.signal(signal.SIGPROF, _hung)
    status = 0
    for name in names:
        try:
            if given.make_corpus:
                print(f"{name}: {make_corpus(name)} seeds")
            elif given.replay is not None:
                print(guarded(name, given.replay.read_bytes()))
            else:
                loop(name, given.seconds, given.seed)
        except Exception:  # noqa: BLE001 - printed and kept by guarded(); the exit status says so
            status = 1
    shutil.rmtree(_FOLDER)
    return status


if __name__ == "__main__":
    sys.exit(main())
