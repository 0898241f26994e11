"""Imaging: worklist, examinations with procedure steps, images to the archive, commitment, reading rooms."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from random import Random

from medwarden.simulation import calendar
from medwarden.simulation.device import Device
from medwarden.simulation.ends import MILLISECOND, MINUTE, SECOND
from medwarden.simulation.patients import Patient
from medwarden.simulation.scene import Scene
from medwarden.simulation.talk import Stream
from medwarden.simulation.voices import dicom, hl7
from medwarden.simulation.work.records import send_hl7

PORT = 104
_IMAGES = {
    "CT": (300, 1200),
    "MR": (200, 900),
    "CR": (2, 6),
    "DX": (2, 6),
    "US": (20, 80),
    "MG": (4, 8),
    "XA": (20, 120),
    "RF": (10, 60),
    "NM": (4, 20),
    "PT": (200, 600),
}
_PIXELS = {"CT": 524_288, "MR": 300_000, "CR": 10_000_000, "DX": 15_000_000, "US": 900_000, "MG": 30_000_000}
_STUDIES = {
    "CT": "CT Thorax",
    "MR": "MR Head",
    "CR": "Chest pa",
    "DX": "Chest 2 views",
    "US": "Abdomen",
    "MG": "Screening",
    "XA": "Coronary angiography",
    "RF": "Swallow",
    "NM": "Bone scan",
    "PT": "PET CT whole body",
}
_MEAN_S = {"CT": 1500, "MR": 2400, "CR": 1200, "DX": 1100, "US": 1800, "MG": 1500, "XA": 3600}


class Association:
    """An association over a connection of its own; the requester is ``near``."""

    def __init__(
        self,
        scene: Scene,
        me: Device,
        server: Device,
        at: int,
        rng: Random,
        contexts: list[dicom.Context],
        *,
        calling: str = "",
        called: str = "",
        port: int = PORT,
    ) -> None:
        self.stream = Stream(scene.ear, rng, me.end(at), server.end(at), port, at).connect()
        self.rng = rng
        self.numbers = {abstract: number for number, abstract, _ in contexts}
        calling, called = calling or me.ae_title, called or server.ae_title
        mine, theirs = me.model, server.model
        asked = dicom.associate_rq(
            called, calling, contexts, mine.fact("uid", "1.2.276.0.7230010.3.0.3.6.4"), mine.fact("iv")
        )
        taken = dicom.associate_ac(
            called, calling, contexts, theirs.fact("uid", "1.2.40.0.13.1.3"), theirs.fact("iv")
        )
        self.stream.say(True, asked, MILLISECOND)
        self.stream.say(False, taken, self.stream.path.rtt + 3 * MILLISECOND)
        self._message = 0

    def ask(
        self, abstract: str, said: bytes, data: bytes | None, answers: list[tuple[bytes, bytes | None]]
    ) -> None:
        """Send a command with its data set, and the answers to it."""
        number = self.numbers[abstract]
        self.stream.say(True, b"".join(dicom.message(number, said, data)), MILLISECOND)
        for reply, content in answers:
            self.stream.say(
                False, b"".join(dicom.message(number, reply, content)), self.stream.path.rtt + 2 * MILLISECOND
            )

    def number(self) -> int:
        """Return the next message identifier."""
        self._message += 1
        return self._message

    def release(self) -> int:
        """Release the association and close; returns when it ended."""
        self.stream.say(True, dicom.release_rq(), MILLISECOND)
        self.stream.say(False, dicom.release_rp(), self.stream.path.rtt)
        return self.stream.close()


def contexts(
    *abstracts: str, syntaxes: tuple[str, ...] = (dicom.EXPLICIT_LE, dicom.IMPLICIT_LE)
) -> list[dicom.Context]:
    """Return presentation contexts with odd numbers."""
    return [(2 * n + 1, abstract, syntaxes) for n, abstract in enumerate(abstracts)]


def study_uid(rng: Random, root: str) -> str:
    """Return a unique identifier under a root, at most 64 characters."""
    return f"{root}.{rng.randrange(10**8, 10**9)}.{rng.randrange(10**8, 10**9)}"[:64]


def _moment(at: int) -> tuple[str, str]:
    moment = datetime.fromtimestamp(at / 1e9, UTC)
    return moment.strftime("%Y%m%d"), moment.strftime("%H%M%S")


def worklist(scene: Scene, me: Device, at: int, rng: Random, modality: str, patients: list[Patient]) -> int:
    """Ask the information system who comes next (PS3.4 annex K); returns when it was answered."""
    server = scene.site.roles.get("ris")
    if server is None:
        return at
    talk = Association(scene, me, server, at, rng, contexts(dicom.MWL_FIND))
    date, time = _moment(at)
    step: dict[int, tuple[str, object]] = {
        0x00080060: ("CS", modality),
        0x00400001: ("AE", me.ae_title),
        0x00400002: ("DA", date),
        0x00400003: ("TM", ""),
    }
    query: dict[int, tuple[str, object]] = {
        0x00080050: ("SH", ""),
        0x00100010: ("PN", ""),
        0x00100020: ("LO", ""),
        0x00100030: ("DA", ""),
        0x00100040: ("CS", ""),
        0x0020000D: ("UI", ""),
        0x00321060: ("LO", ""),
        0x00400100: dicom.items(0x00400100, [step]),
    }
    number = talk.number()
    answers: list[tuple[bytes, bytes | None]] = []
    for patient in patients:
        found = query | {
            0x00080050: ("SH", f"ACC{rng.randrange(10**7):07d}"),
            0x00100010: ("PN", patient.name),
            0x00100020: ("LO", patient.identifier),
            0x00100030: ("DA", patient.born),
            0x00100040: ("CS", patient.sex),
            0x0020000D: ("UI", study_uid(rng, "1.2.276.0.7230010.3.1.2")),
            0x00321060: ("LO", _STUDIES.get(modality, modality)),
            0x00400100: dicom.items(0x00400100, [step | {0x00400003: ("TM", time)}]),
        }
        answers.append((dicom.find_rsp(number, dicom.MWL_FIND, True), dicom.data_set(found)))
    answers.append((dicom.find_rsp(number, dicom.MWL_FIND, False), None))
    talk.ask(dicom.MWL_FIND, dicom.find_rq(number, dicom.MWL_FIND), dicom.data_set(query), answers)
    return talk.release()


def _image(
    scene: Scene,
    me: Device,
    rng: Random,
    at: int,
    modality: str,
    patient: Patient,
    study: tuple[str, str, str],
    number: int,
) -> tuple[str, bytes]:
    """Return the instance identifier and data set of one image."""
    date, time = _moment(at)
    instance = f"{study[1]}.{number}"[:64]
    size = max(2048, int(_PIXELS.get(modality, 500_000) * scene.image_scale * 0.02)) & ~1
    rows = 64
    facts: dict[int, tuple[str, object]] = {
        0x00080016: ("UI", dicom.STORAGE.get(modality, dicom.STORAGE["SC"])),
        0x00080018: ("UI", instance),
        0x00080020: ("DA", date),
        0x00080030: ("TM", time),
        0x00080050: ("SH", study[2]),
        0x00080060: ("CS", modality),
        0x00080070: ("LO", me.model.fact("dm", me.model.vendor)),
        0x00080080: ("LO", f"{scene.site.naming.town.title()} Hospital"),
        0x00080090: ("PN", rng.choice(scene.site.staff)),
        0x00081010: ("SH", (me.name or me.ae_title)[:16]),
        0x00081030: ("LO", _STUDIES.get(modality, modality)),
        0x00081070: ("PN", scene.site.staff[calendar.shift(at) % len(scene.site.staff)]),
        0x00081090: ("LO", me.model.fact("dn", me.model.name)),
        0x00100010: ("PN", patient.name),
        0x00100020: ("LO", patient.identifier),
        0x00100030: ("DA", patient.born),
        0x00100040: ("CS", patient.sex),
        0x00181000: ("LO", me.serial),
        0x00181020: ("LO", me.firmware),
        0x0020000D: ("UI", study[0]),
        0x0020000E: ("UI", study[1]),
        0x00200013: ("IS", number),
        0x00280002: ("US", 1),
        0x00280010: ("US", rows),
        0x00280011: ("US", size // 2 // rows),
        0x00280100: ("US", 16),
        0x00280101: ("US", 12),
        0x00280102: ("US", 11),
        0x00280103: ("US", 0),
        0x00280004: ("CS", "MONOCHROME2"),
        0x7FE00010: ("OW", rng.randbytes(size // 2 // rows * 2 * rows)),
    }
    return instance, dicom.data_set(facts)


def store(
    scene: Scene,
    me: Device,
    server: Device,
    at: int,
    rng: Random,
    modality: str,
    patient: Patient,
    count: int,
    called: str = "",
    calling: str = "",
    sent: list[str] | None = None,
) -> int:
    """Send images of one study to an archive; returns when it ended."""
    klass = dicom.STORAGE.get(modality, dicom.STORAGE["SC"])
    root = me.model.fact("uid", "1.2.276.0.7230010.3")[:24].rstrip(".")
    study = (study_uid(rng, root), study_uid(rng, root), f"ACC{rng.randrange(10**7):07d}")
    talk = Association(
        scene, me, server, at, rng, contexts(klass, dicom.VERIFICATION), called=called, calling=calling
    )
    for number in range(1, count + 1):
        instance, data = _image(scene, me, rng, talk.stream.at, modality, patient, study, number)
        if sent is not None:
            sent.append(instance)
        ident = talk.number()
        talk.ask(
            klass,
            dicom.store_rq(ident, klass, instance),
            data,
            [(dicom.store_rsp(ident, klass, instance), None)],
        )
    return talk.release()


def commit(
    scene: Scene, me: Device, server: Device, at: int, rng: Random, klass: str, instances: list[str]
) -> int:
    """Ask the archive to answer for images (PS3.4 annex J) and hear that it does; returns when it ended."""
    talk = Association(scene, me, server, at, rng, contexts(dicom.COMMITMENT))
    named = [{0x00081150: ("UI", klass), 0x00081155: ("UI", one)} for one in instances]
    values: dict[int, tuple[str, object]] = {
        0x00081195: ("UI", study_uid(rng, "1.2.276.0.7230010.3.1.5")),
        0x00081199: dicom.items(0x00081199, named),
    }
    well_known, number = dicom.COMMITMENT_INSTANCE, talk.number()
    said = dicom.n_request("action", number, dicom.COMMITMENT, well_known, 1)
    reply = dicom.n_response("action", number, dicom.COMMITMENT, well_known, 1)
    talk.ask(dicom.COMMITMENT, said, dicom.data_set(values), [(reply, None)])
    return talk.release()


def procedure_step(
    scene: Scene,
    me: Device,
    at: int,
    rng: Random,
    patient: Patient,
    modality: str,
    instance: str,
    *,
    done: bool,
) -> int:
    """Tell the information system that an examination began or is complete (PS3.4 annex F)."""
    server = scene.site.roles.get("ris")
    if server is None:
        return at
    talk = Association(scene, me, server, at, rng, contexts(dicom.MPPS))
    date, time = _moment(at)
    values: dict[int, tuple[str, object]] = {0x00400252: ("CS", "COMPLETED" if done else "IN PROGRESS")}
    if done:
        values |= {0x00400250: ("DA", date), 0x00400251: ("TM", time)}
    else:
        values |= {
            0x00080060: ("CS", modality),
            0x00100010: ("PN", patient.name),
            0x00100020: ("LO", patient.identifier),
            0x00100030: ("DA", patient.born),
            0x00100040: ("CS", patient.sex),
            0x00400241: ("AE", me.ae_title),
            0x00400242: ("SH", (me.name or me.ae_title)[:16]),
            0x00400243: ("SH", me.stay(at).place.room),
            0x00400244: ("DA", date),
            0x00400245: ("TM", time),
            0x00400253: ("SH", f"PPS{rng.randrange(10**6)}"),
            0x00400254: ("LO", _STUDIES.get(modality, modality)),
        }
    kind, ident = ("set" if done else "create"), talk.number()
    said = dicom.n_request(kind, ident, dicom.MPPS, instance)
    talk.ask(
        dicom.MPPS,
        said,
        dicom.data_set(values),
        [(dicom.n_response(kind, ident, dicom.MPPS, instance), None)],
    )
    return talk.release()


def echo(
    scene: Scene, me: Device, server: Device, at: int, rng: Random, called: str = "", calling: str = ""
) -> int:
    """Check an association with C-ECHO; returns when it ended."""
    offered = contexts(dicom.VERIFICATION, syntaxes=(dicom.IMPLICIT_LE,))
    talk = Association(scene, me, server, at, rng, offered, called=called, calling=calling)
    ident = talk.number()
    talk.ask(dicom.VERIFICATION, dicom.echo_rq(ident), None, [(dicom.echo_rsp(ident), None)])
    return talk.release()


def modality(scene: Scene, me: Device) -> Iterator[int]:
    """Examine patients: ask the worklist, report the step, send images, all day long."""
    rng = scene.rng(me, "modality")
    kind = me.model.fact("mods", "SC")
    server = scene.site.roles.get("pacs")
    if server is None:
        return
    at = scene.first(me, rng, scene.start + int(rng.random() * 240 * SECOND), 240)
    yield at
    echo(scene, me, server, at, rng)
    mean = _MEAN_S.get(kind, 2700)
    curve = scene.day.imaging if kind != "CT" else scene.day.ward
    following = calendar.after(rng, at, mean, curve)
    polls = rng.choice((120, 240, 300))
    while at < scene.stop:
        if at >= following and me.present(at):
            at = yield from _examination(scene, me, server, at, rng, kind)
            following = calendar.after(rng, at, mean, curve)
        elif me.present(at):
            worklist(scene, me, at, rng, kind, rng.sample(scene.site.patients, rng.randrange(0, 3)))
        at = min(calendar.regular(rng, at, polls, 0.3), max(following, at + SECOND))
        yield at


def _examination(
    scene: Scene, me: Device, server: Device, at: int, rng: Random, kind: str
) -> Generator[int, None, int]:
    """One patient: order known, step created, images sent, step completed, commitment asked."""
    patient = rng.choice(scene.site.patients)
    began = at
    at = worklist(scene, me, at, rng, kind, [patient])
    instance = study_uid(rng, "1.2.276.0.7230010.3.1.4")
    at = procedure_step(scene, me, at + 20 * SECOND, rng, patient, kind, instance, done=False)
    at += int((2 + rng.random() * 10) * MINUTE)
    yield at
    low, high = _IMAGES.get(kind, (4, 30))
    count = max(1, round(rng.randrange(low, high) * scene.image_scale))
    sent: list[str] = []
    at = store(scene, me, server, at, rng, kind, patient, count, sent=sent)
    at = commit(scene, me, server, at + SECOND, rng, dicom.STORAGE.get(kind, dicom.STORAGE["SC"]), sent)
    at = procedure_step(scene, me, at + 5 * SECOND, rng, patient, kind, instance, done=True)
    scene.act(me, "examination", began, at, f"{kind}, {count} images")
    ris, engine = scene.site.roles.get("ris"), scene.site.roles.get("engine")
    if ris is not None and engine is not None:
        report = at + int(rng.expovariate(1 / 900) * SECOND)
        segments = [
            hl7.pid(patient.pid(), patient.account),
            f"OBR|1|||{kind}^{_STUDIES.get(kind, kind)}|||{hl7.stamp(began)}",
            "OBX|1|TX|REPORT||No acute finding.||||||F",
        ]
        send_hl7(
            scene,
            ris,
            engine,
            report,
            rng,
            "ORU^R01",
            (ris.model.fact("hl7", "RIS"), scene.site.naming.facility),
            segments,
        )
    return at


def reading(scene: Scene, me: Device) -> Iterator[int]:
    """Find studies in the archive and fetch them to a workstation (C-FIND, C-MOVE, C-STORE back)."""
    rng = scene.rng(me, "reading")
    server = scene.site.roles.get("pacs")
    at = calendar.after(rng, scene.start, 400, scene.day.imaging)
    yield at
    while at < scene.stop and server is not None:
        if me.present(at):
            find_and_move(scene, me, server, at, rng, rng.choice(scene.site.patients), me)
        at = calendar.after(rng, at, 500, scene.day.imaging)
        yield at


def find_and_move(
    scene: Scene,
    me: Device,
    server: Device,
    at: int,
    rng: Random,
    patient: Patient,
    target: Device,
    count: int = 2,
) -> int:
    """Query one patient's studies and move one to ``target``; returns when it ended."""
    talk = Association(scene, me, server, at, rng, contexts(dicom.STUDY_FIND, dicom.STUDY_MOVE))
    found = find(talk, rng, [patient])
    ident = talk.number()
    identifier = dicom.data_set({0x00080052: ("CS", "STUDY"), 0x0020000D: ("UI", found[0])})
    pending: list[tuple[bytes, bytes | None]] = [(dicom.move_rsp(ident, dicom.STUDY_MOVE, count, 0), None)]
    talk.ask(dicom.STUDY_MOVE, dicom.move_rq(ident, dicom.STUDY_MOVE, target.ae_title), identifier, pending)
    ended = store(scene, server, target, talk.stream.at + 20 * MILLISECOND, rng, "CT", patient, count)
    talk.stream.leap(ended)
    talk.stream.say(
        False,
        b"".join(
            dicom.message(talk.numbers[dicom.STUDY_MOVE], dicom.move_rsp(ident, dicom.STUDY_MOVE, 0, count))
        ),
    )
    return talk.release()


def find(talk: Association, rng: Random, patients: list[Patient]) -> list[str]:
    """Ask for studies; returns the identifiers found."""
    query: dict[int, tuple[str, object]] = {
        0x00080020: ("DA", ""),
        0x00080050: ("SH", ""),
        0x00080052: ("CS", "STUDY"),
        0x00080061: ("CS", ""),
        0x00100010: ("PN", patients[0].name if len(patients) == 1 else "*"),
        0x00100020: ("LO", ""),
        0x0020000D: ("UI", ""),
    }
    ident, found = talk.number(), []
    answers: list[tuple[bytes, bytes | None]] = []
    for patient in patients:
        found.append(study_uid(rng, "1.2.276.0.7230010.3.1.2"))
        match = query | {
            0x00080020: ("DA", "20260102"),
            0x00080050: ("SH", f"ACC{rng.randrange(10**7):07d}"),
            0x00080061: ("CS", "CT"),
            0x00100010: ("PN", patient.name),
            0x00100020: ("LO", patient.identifier),
            0x0020000D: ("UI", found[-1]),
        }
        answers.append((dicom.find_rsp(ident, dicom.STUDY_FIND, True), dicom.data_set(match)))
    answers.append((dicom.find_rsp(ident, dicom.STUDY_FIND, False), None))
    talk.ask(dicom.STUDY_FIND, dicom.find_rq(ident, dicom.STUDY_FIND), dicom.data_set(query), answers)
    return found


def forgotten(scene: Scene, me: Device) -> Iterator[int]:
    """Call an archive by a title it no longer has, again and again for years: it is always rejected."""
    rng = scene.rng(me, "forgotten")
    server = scene.site.roles.get("pacs")
    if server is None or rng.random() > 0.15:
        return
    at = scene.start + int(rng.random() * 600 * SECOND)
    yield at
    while at < scene.stop:
        if me.present(at):
            stream = Stream(scene.ear, rng, me.end(at), server.end(at), PORT, at).connect()
            asked = contexts(dicom.VERIFICATION)
            uid, version = me.model.fact("uid", "1.2.276.0.7230010.3.0.3.6.4"), me.model.fact("iv")
            stream.say(True, dicom.associate_rq("OLDPACS", me.ae_title, asked, uid, version), MILLISECOND)
            stream.say(False, dicom.associate_rj(), stream.path.rtt + MILLISECOND)
            stream.close(outward=False)
        at = calendar.regular(rng, at, 600)
        yield at
