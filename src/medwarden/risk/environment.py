"""CVSS scores for where a device stands: base metrics as published, environmental metrics from what is known.

What is set, and from what (CVSS 3.1 section 4, 4.0 section 3, 2.0 section 2.3; FIRST):

- requirements: confidentiality by the patient data the device carries, integrity and availability by how
  much care depends on its kind;
- modified attack vector (3.x, 4.0): only where an enforced policy limits who may reach the device. That
  nobody was seen to reach it says nothing;
- safety (4.0): devices on which a life may depend, where integrity or availability would be lost for good.

Exploitation is no part of it: it counts as a factor of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec
from cvss import CVSS2, CVSS3, CVSS4
from cvss.exceptions import CVSSError

from medwarden.model.device import Device
from medwarden.model.vulnerability import Cvss
from medwarden.risk.context import RiskContext
from medwarden.risk.present import policy_of

LIFE = 5
_LIKELY_PHI = {"high": "H", "medium": "M", "low": "M", "none": "L"}
_NEED = {1: "L", 2: "M", 3: "M", 4: "H", 5: "H"}
_WORDS = {"L": "low", "M": "medium", "H": "high"}
_VECTOR_WORDS = {"A": "reached from its own segment only", "L": "reached by nobody over the network"}


class Environment(msgspec.Struct, frozen=True):
    """Environmental metrics of a device; X is not defined. ``life``: a life may depend on it."""

    confidentiality: str = "X"
    integrity: str = "X"
    availability: str = "X"
    vector: str = "X"
    life: bool = False

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return in words what was set."""
        said = []
        if self.vector != "X":
            said.append(_VECTOR_WORDS[self.vector])
        if self.confidentiality != "X":
            said.append(f"{_WORDS[self.confidentiality]} need of secrecy")
        if self.availability != "X":
            said.append(f"{_WORDS[self.availability]} need that it works and tells the truth")
        return tuple(said)


class Rescored(msgspec.Struct, frozen=True):
    """A CVSS score as published (``base``) and for an environment (``adjusted``), with the whole vector."""

    version: str
    base: float
    adjusted: float
    vector: str


def environment_of(device: Device, context: RiskContext) -> Environment:
    """Return the environmental metrics that are known of ``device``."""
    facts = context.facts(device)
    secrecy = "X"
    if device.phi:
        secrecy = "H"
    elif facts is not None and device.phi is None:
        secrecy = _LIKELY_PHI.get(facts.phi, "X")
    need = _NEED.get(facts.criticality, "X") if facts is not None else "X"
    policy = policy_of(device, context)
    vector = {"none": "L", "segment": "A"}.get(policy.reach, "X") if policy is not None else "X"
    life = facts is not None and facts.criticality >= LIFE
    return Environment(secrecy, need, need, vector, life)


def rescored(vectors: Sequence[Cvss], environment: Environment) -> Rescored | None:
    """Return the newest of ``vectors`` that can be read, scored for ``environment``; None for none."""
    for one in sorted(vectors, key=lambda v: v.version, reverse=True):
        found = _rescored(one.vector, environment)
        if found is not None:
            return found
    return None


@lru_cache(maxsize=200_000)
def _rescored(vector: str, environment: Environment) -> Rescored | None:
    try:
        if vector.startswith("CVSS:4"):
            return _four(vector, environment)
        if vector.startswith("CVSS:3"):
            return _three(vector, environment)
        return _two(vector.strip("()"), environment)
    except (CVSSError, ArithmeticError):
        return None  # a publisher's vector that breaks its own rules: the next one, or the bare score


def _need(environment: Environment) -> list[str]:
    pairs = (
        ("CR", environment.confidentiality),
        ("IR", environment.integrity),
        ("AR", environment.availability),
    )
    return [f"{name}:{value}" for name, value in pairs if value != "X"]


def _nearer(base: str, allowed: str) -> bool:
    """Tell whether ``allowed`` is closer to the device than the vector ``base`` needs to be."""
    order = "NALP"
    return allowed in order and order.index(allowed) > order.index(base)


def _bare(vector: str, names: frozenset[str]) -> str:
    """Return a vector without environmental metrics, which are the publisher's own."""
    return "/".join(part for part in vector.split("/") if part.partition(":")[0] not in names)


_ENVIRONMENTAL = frozenset(
    {"CR", "IR", "AR", "MAV", "MAC", "MAT", "MPR", "MUI", "MS", "MC", "MI", "MA", "MVC", "MVI", "MVA",
     "MSC", "MSI", "MSA", "CDP", "TD"}
)  # fmt: skip


def _three(vector: str, environment: Environment) -> Rescored:
    bare = _bare(vector, _ENVIRONMENTAL)
    base = CVSS3(bare)
    more = _need(environment)
    if environment.vector != "X" and _nearer(base.metrics["AV"], environment.vector):
        more.append(f"MAV:{environment.vector}")
    whole = "/".join([bare, *more])
    scores = CVSS3(whole).scores()
    return Rescored(bare[5:8], float(base.base_score), float(scores[2]), whole)


def _four(vector: str, environment: Environment) -> Rescored:
    bare = _bare(vector, _ENVIRONMENTAL)
    base = CVSS4(bare)
    more = _need(environment)
    if environment.vector != "X" and _nearer(base.metrics["AV"], environment.vector):
        more.append(f"MAV:{environment.vector}")
    if environment.life:
        more += [f"MS{side}:S" for side in "IA" if base.metrics[f"V{side}"] == "H"]
    whole = "/".join([bare, *more])
    return Rescored(bare[5:8], float(base.base_score), float(CVSS4(whole).base_score), whole)


def _two(vector: str, environment: Environment) -> Rescored:
    bare = _bare(vector, _ENVIRONMENTAL)
    base = CVSS2(bare)
    more = _need(environment)
    whole = "/".join([bare, *more])
    adjusted = CVSS2(whole).environmental_score if more else base.base_score
    return Rescored("2.0", float(base.base_score), float(adjusted), whole)
