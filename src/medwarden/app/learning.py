"""What a data folder learns from its technicians' answers: a file of rules, a local model, versions of both.

Rules lie in ``fingerprints/from-answers.yaml``, the model in ``models/local.mwm`` with its versions beside
it as ``local-N.mwm``, so that taking an answer back brings back the very model of before. Which version is
in force is stored with the answer, in one transaction; the files follow it, and whoever comes next lets them
where a process was killed between. A folder that several customers share learns nothing: what one of them
said must not show at another.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from medwarden.app.what_if import judged_beside
from medwarden.inventory.answer_rules import RULE, rule_for, to_document
from medwarden.inventory.ballots import ballot_key
from medwarden.inventory.labels.in_use import model_in_use, shipped_model, use_model
from medwarden.inventory.labels.model import LabelModel
from medwarden.inventory.labels.training import train
from medwarden.kernel.errors import ResourceError
from medwarden.knowledge.fingerprints.rules import Fingerprint, own_rules, use_own
from medwarden.model.device import Device
from medwarden.model.statement import Authority

if TYPE_CHECKING:
    from medwarden.store.answers import LearntVersion
    from medwarden.store.changes import Change

RULES_FILE = "from-answers.yaml"
SEED = 1
_HEADING = """\
# Written by medwarden from the answers of people; it is written anew with every answer.
# `medwarden answers list` shows them, `medwarden answers undo NUMBER` takes one back.
"""
_MOST_OF_ONE = 200
_TESTED = 200
_ASKED = ("category", "vendor", "model")


class Earlier(msgspec.Struct, frozen=True):
    """How answers are met by what was learnt from other devices.

    ``n`` labels of answered devices were asked for, ``answered`` of them were given by what was learnt
    without these devices, ``right`` of these as the person said.
    """

    n: int
    answered: int
    right: int


class Taught(msgspec.Struct, frozen=True):
    """An answer with the devices it was given for, which carry what was said of them."""

    number: int
    labels: dict[str, str]
    devices: Sequence[Device]


_trying = RLock()


@contextmanager
def tried(
    rules: Sequence[Fingerprint], gone: Sequence[str] = (), model: LabelModel | None = None
) -> Iterator[None]:
    """Judge with ``rules`` beside those in use, without those called ``gone``, while this lasts.

    ``model`` takes the place of the model in use. One at a time: what is tried holds for the process.
    """
    with _trying:
        standing, labelling = own_rules(), model_in_use()
        replaced = {*gone, *(rule.id for rule in rules)}
        try:
            use_own((*(rule for rule in standing if rule.id not in replaced), *rules))
            if model is not None:
                use_model(model)
            yield
        finally:
            use_own(standing)
            if model is not None:
                use_model(None if labelling is shipped_model() else labelling)


def may_learn() -> bool:
    """Tell whether the open folder may pass answers on: it belongs to one customer alone."""
    from medwarden.store.models import Tenant

    return Tenant.objects.count() <= 1


def labels_by(own: LabelModel | None) -> LabelModel | None:
    """Return the model that labels where a folder's own is ``own``: without one the shipped one."""
    return own or shipped_model()


def retrain(answered: Sequence[Taught]) -> tuple[LabelModel | None, float]:
    """Return the shipped model with answered devices added, and how many seconds that took.

    None where nothing was answered or this build has no model to add to. Of one answer at most 200
    devices are learnt from: further ones of a kind teach nothing new.
    """
    from medwarden.app.train import confirmed

    base = shipped_model()
    examples = [confirmed(device) for told in answered for device in told.devices[:_MOST_OF_ONE]]
    if base is None or not examples:
        return None, 0.0
    begun = time.monotonic()
    model = train(examples, seed=SEED, base=base, card={"answers": [told.number for told in answered]})
    return model, round(time.monotonic() - begun, 3)


def held_out(answered: Sequence[Taught]) -> Earlier:
    """Return how answers are met when half of the devices of each are left out, and then the other half.

    What is judged was never learnt from, neither by rule nor by model, and nobody is told by it; an answer
    about one device is met only by what others taught. The latest 200 devices are asked about.
    """
    n = given = right = 0
    for half in (0, 1):
        kept = [msgspec.structs.replace(told, devices=told.devices[half::2]) for told in answered]
        asked = [
            (told.labels, device) for told in reversed(answered) for device in told.devices[1 - half :: 2]
        ][: _TESTED // 2]
        rules = [rule_for(told.number, told.labels, told.devices) for told in kept if told.devices]
        model, _ = retrain([told for told in kept if told.devices])
        gone = [rule.id for rule in own_rules() if rule.id.startswith(RULE)]
        with tried([rule for rule in rules if rule is not None], gone, labels_by(model)):
            left = (device for told in kept for device in told.devices)
            found = judged_beside([_unspoken(device) for _, device in asked], left)
            for (labels, _), judged in zip(asked, found, strict=True):
                for level in _ASKED:
                    if level not in labels:
                        continue
                    n += 1
                    verdict = judged.verdict(level)
                    if verdict is not None and verdict.label is not None:
                        given += 1
                        right += ballot_key(level, verdict.label) == ballot_key(level, labels[level])
    return Earlier(n, given, right)


def _unspoken(device: Device) -> Device:
    said = tuple(s for s in device.statements if s.authority is not Authority.PERSON)
    return msgspec.structs.replace(device, statements=said)


def put_to_use(
    change: Change,
    home: Path,
    *,
    answer: int,
    rules: Sequence[Fingerprint],
    model: LabelModel | None,
    figures: dict[str, Any],
) -> LearntVersion:
    """Store rules and model as the version in force; :func:`keep_in_line` labels by them once that stands.

    Raises ResourceError where the disk fails.
    """
    from medwarden.app.models import FOLDER, write_model
    from medwarden.store.answers import learnt, record_learnt
    from medwarden.store.owed import Work, owe

    before = learnt(change.tenant)
    name = "" if model is None else f"local-{1 if before is None else before.number + 1}.mwm"
    if model is not None:
        write_model(home / FOLDER / name, model)
    owe(change, Work.LEARNT)
    return record_learnt(
        change,
        answer=answer,
        rules=to_document(rules),
        file=name,
        digest="" if model is None else model.digest,
        figures=figures,
    )


def former_model(version: LearntVersion) -> LabelModel | None:
    """Return the model of a version, None where it is the shipped one alone.

    Raises ResourceError where its file is gone or does not hold any more.
    """
    from medwarden.app.models import FOLDER, read_model
    from medwarden.store.chain import folder_of_database

    home = folder_of_database()
    if home is None or not version.file:
        return None
    path = home / FOLDER / version.file
    model = read_model(path)
    if model.digest != version.digest:
        raise ResourceError(f"{path}: not the model that was made then")
    return model


def bring_back(
    change: Change, home: Path, version: LearntVersion, rules: Sequence[Fingerprint]
) -> LearntVersion:
    """Put the rules and model of an earlier version to use again, as a new version of the chain.

    Raises ResourceError where its file is gone or does not hold any more.
    """
    return put_to_use(
        change,
        home,
        answer=version.answer,
        rules=rules,
        model=former_model(version),
        figures=version.figures | {"restored": version.number},
    )


def keep_in_line(tenant: str) -> None:
    """Bring rules and model of the open folder in line with the version in force, and label by them.

    Devices that were labelled otherwise are judged anew by whoever comes next. Raises ResourceError where the
    version's file is gone, does not hold any more, or the disk fails: then it stays owed.
    """
    from medwarden.app.models import forget_model, keep_model
    from medwarden.store.answers import learnt
    from medwarden.store.chain import folder_of_database
    from medwarden.store.owed import Work, owed

    home = folder_of_database()
    while True:
        due, version = owed(tenant).get(Work.LEARNT), learnt(tenant)
        if home is None or version is None:
            return
        model = former_model(version)
        if model is not None:
            keep_model(home, model)
        else:
            forget_model(home)
        write_rules(home, version.rules)
        if due is not None:
            due.done()
        now = learnt(tenant)
        if now is None or now.number == version.number:
            return  # else somebody answered meanwhile, and may have written before this did


def write_rules(home: Path, rules: Sequence[Mapping[str, object]]) -> None:
    """Write the rules that follow from answers, or take the file away where there are none, and use them."""
    from medwarden.app.fingerprints import FOLDER, load_own

    path = home / FOLDER / RULES_FILE
    try:
        if rules:
            path.parent.mkdir(exist_ok=True)
            plain = [dict(rule) for rule in rules]
            text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110)
            draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.new")
            draft.write_text(_HEADING + text, encoding="utf-8")
            draft.replace(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror}") from error
    load_own(home)
