"""Training: from labelled examples to a model that knows how far it can be believed.

Probabilities and calibration come from cross-validation by groups, in each part of which a share of the
models is withheld altogether, so that they are fitted on strangers too. Retraining on a hospital's own
answers keeps the shipped model's calibration and its prototypes and fits only the scores anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from medwarden.inventory.labels.example import LEARNT, Example
from medwarden.inventory.labels.hierarchy import PATH_LEVELS
from medwarden.inventory.labels.linear import Doubles, quantise, solve_levels, targets_of
from medwarden.inventory.labels.model import FORMAT, About, Head, LabelModel
from medwarden.inventory.labels.model_file import Arrays
from medwarden.inventory.labels.rows import Row, choose_rows, rows_of, rows_of_model, signed_tokens
from medwarden.inventory.labels.rule_trust import keep_records
from medwarden.inventory.labels.validation import Validated, row_weights, validate
from medwarden.inventory.labels.vocabulary import Vocabulary, build_vocabulary, dense, numbers_of
from medwarden.kernel.errors import ConfigurationError

_MOST_COLUMNS = 32_000


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a training may be told otherwise; the defaults were chosen on validation data (docs/model.md).

    ``tokens`` and ``least`` bound the vocabulary, ``lengths`` weigh what is said, stack and behaviour,
    ``ridge`` is the regularisation, ``folds`` and ``strangers`` (share of models withheld) shape the
    cross-validation, ``examples`` and ``prototypes`` bound what is trained on and kept.
    """

    tokens: int = 8192
    least: int = 2
    lengths: tuple[float, float, float] = (1.0, 0.25, 0.25)
    ridge: float = 0.05
    folds: int = 4
    strangers: float = 0.1
    examples: int = 4000
    prototypes: int = 1600


def train(
    examples: Sequence[Example],
    *,
    seed: int,
    base: LabelModel | None = None,
    settings: Settings | None = None,
    card: Mapping[str, Any] | None = None,
) -> LabelModel:
    """Return a model trained on ``examples``; the same arguments give the same model.

    With ``base`` its prototypes and calibration are kept and the examples, a hospital's own, are added to
    what it was trained on; examples that were added to ``base`` before are left out, so that the whole
    of the answers is given each time. ``card`` is put into the model's data card. Raises
    ConfigurationError where there is nothing to learn from.
    """
    settings = settings or Settings()
    rng = np.random.default_rng(seed)
    if base is None:
        if not any(example.labels for example in examples):
            raise ConfigurationError("there is nothing to learn from: no example has a label")
        vocabulary = build_vocabulary(
            examples, most=settings.tokens, least=settings.least, lengths=settings.lengths
        )
        rows = choose_rows(rows_of(examples, vocabulary), settings.examples, rng)
        if not rows:
            raise ConfigurationError("there is nothing to learn from: no two examples share anything")
        rules, own_rules = keep_records(examples), {}
        validated = validate(rows, seed=seed, settings=settings, width=len(vocabulary))
        kept = choose_rows(rows, settings.prototypes, rng)
    else:
        vocabulary = extended(base.vocabulary, examples)
        shipped = [row for row in rows_of_model(base, vocabulary) if not row.local]
        own = rows_of(examples, vocabulary, local=True)
        rows = kept = [*shipped, *own]
        rules, own_rules = base.about.rules, keep_records(examples)
        validated = _as_before(base)
    labels = {level: sorted({row.labels[level] for row in rows if level in row.labels}) for level in LEARNT}
    data = {
        **({} if base is None else {"base": base.digest}),
        **(card or {}),
        "seed": seed,
        "settings": msgspec.json.decode(msgspec.json.encode(settings)),
        "examples": len(examples),
        "rows": len(rows),
        "tokens": len(vocabulary),
        "labels": {level: len(known) for level, known in labels.items()},
        "validation": validated.figures,
    }
    local = sum(row.local for row in kept)
    about = About(FORMAT, (), validated.joint_sharpness, vocabulary.lengths, rules, data, local, own_rules)
    if base is not None:
        about = msgspec.structs.replace(about, joint=base.about.joint)
    return _assembled(rows, kept, labels, vocabulary, validated, settings, about)


def _as_before(base: LabelModel) -> Validated:
    return Validated(
        {head.level: head.sharpness for head in base.about.heads},
        base.about.sharpness,
        {head.level: head.calibration for head in base.about.heads},
        dict(base.about.card.get("validation", {})),
    )


def extended(vocabulary: Vocabulary, examples: Sequence[Example]) -> Vocabulary:
    """Return a vocabulary with the tokens of examples added, which count as rare as any it has.

    Where that would be more than a model may have, those of most examples are taken.
    """
    known = set(vocabulary.numbers.tolist())
    fresh: dict[int, tuple[int, int]] = {}
    for example in examples:
        for number, (_, part) in numbers_of(example).items():
            if number not in known:
                fresh[number] = part, fresh.get(number, (part, 0))[1] + 1
    room = max(0, _MOST_COLUMNS - len(vocabulary))
    chosen = sorted(fresh, key=lambda number: (-fresh[number][1], number))[:room]
    rarest = float(vocabulary.rarity.max(initial=1.0))
    numbers = np.concatenate([vocabulary.numbers, np.array(chosen, np.uint32)])
    rarity = np.concatenate([vocabulary.rarity, np.full(len(chosen), rarest, np.float32)])
    parts = np.concatenate([vocabulary.part, np.array([fresh[n][0] for n in chosen], np.uint8)])
    order = np.argsort(numbers, kind="stable")
    return Vocabulary(numbers[order], rarity[order], parts[order], vocabulary.lengths)


def _assembled(
    rows: Sequence[Row],
    kept: Sequence[Row],
    labels: Mapping[str, list[str]],
    vocabulary: Vocabulary,
    validated: Validated,
    settings: Settings,
    about: About,
) -> LabelModel:
    matrix = dense([row.vector for row in rows], len(vocabulary))
    kernel = (matrix @ matrix.T).astype(np.float64)
    weights = row_weights(rows)
    wanted: dict[str, tuple[npt.NDArray[np.intp], Doubles]] = {}
    blocks, biases, heads = [], [], []
    for level in LEARNT:
        known = labels[level]
        if known:
            chosen = np.array([n for n, row in enumerate(rows) if level in row.labels], np.intp)
            given = [rows[n].labels[level] for n in chosen.tolist()]
            targets, means = targets_of(given, known, weights[chosen])
            wanted[level] = chosen, targets
            biases.append(means.astype(np.float32))
    duals = solve_levels(kernel, weights, settings.ridge, wanted)
    for level, (chosen, _) in wanted.items():
        known, dual = labels[level], duals[level]
        blocks.append((matrix[chosen].T.astype(np.float64) @ dual).T.astype(np.float32))
        heads.append(
            Head(
                level,
                tuple(known),
                validated.sharpness.get(level, 8.0),
                validated.calibrations.get(level, Head("", (), 0.0).calibration),
            )
        )
    whole, scale = quantise(np.vstack(blocks))
    start, signed = signed_tokens(kept)
    place = {level: {label: n for n, label in enumerate(known)} for level, known in labels.items()}
    paths = sorted(
        {tuple(place[level].get(row.labels.get(level, ""), -1) for level in PATH_LEVELS) for row in rows}
    )
    arrays: Arrays = {
        "numbers": vocabulary.numbers,
        "rarity": vocabulary.rarity,
        "part": vocabulary.part,
        "weights": np.ascontiguousarray(whole.T),
        "scale": scale,
        "bias": np.concatenate(biases),
        "paths": np.array(paths, np.int16).reshape(-1, len(PATH_LEVELS)),
        "start": start,
        "signed": signed,
        "known": np.array(
            [[place[level].get(row.labels.get(level, ""), -1) for level in LEARNT] for row in kept], np.int16
        ).reshape(-1, len(LEARNT)),
        "counted": np.array([row.weight for row in kept], np.float32),
    }
    return LabelModel(msgspec.structs.replace(about, heads=tuple(heads)), arrays)
