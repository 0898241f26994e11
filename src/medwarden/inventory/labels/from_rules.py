"""The examples of fingerprints as examples to learn from: published facts that no simulation has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from medwarden.inventory.labels.example import LEARNT, Example, canonical
from medwarden.inventory.labels.tokens import normalise
from medwarden.knowledge.fingerprints.index import Index
from medwarden.knowledge.fingerprints.rules import Fingerprint

WEIGHT = 0.5
"""How much such an example counts beside a whole device: it is one piece of evidence of one."""


def examples_of_rules(rules: Iterable[Fingerprint]) -> Iterator[Example]:
    """Yield each example that a rule matches with the labels that the rule gives it.

    What a rule says with more doubt than "likely" is not taken for truth. All examples of one rule
    belong together.
    """
    for rule in rules:
        if rule.trust in ("hint", "faint"):
            continue
        index = Index((rule,))
        for example in rule.matches:
            pairs = rule.example(example)
            said = {level: label for match in index.match(pairs) for level, label in match.labels}
            labels = canonical({level: said.get(level) for level in LEARNT})
            entries = tuple(sorted({(field, normalise(field, value)) for field, value in pairs}))
            if labels and not any(field.startswith("flow.") for field, _ in entries):
                yield Example(entries, (), labels, f"rule {rule.id}", WEIGHT, whole=False)
