"""The weights of the rules: read once from ``weights.yaml``, checked, and named by a version."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources

import msgspec
import yaml

from medwarden.kernel.errors import ConfigurationError


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How raw points become a score; see :mod:`medwarden.risk.score`.

    ``saturation`` is in raw points; ``base_impact`` and ``control_limit`` are shares between 0 and 1.
    """

    saturation: float
    base_impact: float
    control_limit: float


class Weights(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of ``weights.yaml``: rules number, shape, and points by factor id."""

    number: int
    shape: Shape
    points: dict[str, float]

    def of(self, factor: str) -> float:
        """Return the points of ``factor`` at full strength. Raises ConfigurationError for an unknown id."""
        try:
            return self.points[factor]
        except KeyError:
            raise ConfigurationError(f"weights.yaml has no line for the risk factor {factor}") from None


def parse_weights(text: str) -> Weights:
    """Return the weights that ``text`` (YAML) states.

    Raises ConfigurationError where the text is no YAML, lacks a part, or a share lies outside 0 to 1.
    """
    try:
        weights = msgspec.convert(yaml.safe_load(text), Weights)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"weights.yaml cannot be used: {error}") from error
    shape = weights.shape
    if shape.saturation <= 0:
        raise ConfigurationError("weights.yaml: shape.saturation must be above 0")
    for name, share in (("base_impact", shape.base_impact), ("control_limit", shape.control_limit)):
        if not 0 <= share <= 1:
            raise ConfigurationError(f"weights.yaml: shape.{name} must lie between 0 and 1")
    return weights


@cache
def default_weights() -> Weights:
    """Return the weights shipped with the program."""
    return parse_weights(_text("weights.yaml"))


@cache
def rules_version() -> str:
    """Return the version of the rules: their number and a hash over the weights and the factor files."""
    digest = hashlib.blake2b(_text("weights.yaml").encode(), digest_size=5)
    factors = resources.files(__package__).joinpath("factors")
    for name in sorted(entry.name for entry in factors.iterdir() if entry.name.endswith(".py")):
        digest.update(name.encode())
        digest.update(factors.joinpath(name).read_bytes())
    return f"{default_weights().number}-{digest.hexdigest()}"


def _text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
