"""The weights of the rules: shipped in ``weights.yaml``, adjustable by a hospital, named by a version."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib import resources

import msgspec
import yaml

from medwarden.kernel.errors import ConfigurationError
from medwarden.knowledge.written_yaml import check_depth

SHIPPED = "weights.yaml"
_LARGEST = 200_000


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How raw points become a score; see :mod:`medwarden.risk.score`.

    ``saturation`` is in raw points; ``base_impact`` and ``control_limit`` are shares between 0 and 1.
    """

    saturation: float
    base_impact: float
    control_limit: float
    seen_days: int = 365


class GroupShape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How scores of devices become that of a group; see :mod:`medwarden.risk.levels`."""

    worst_share: float = 0.34
    exponent: float = 4.0


class Weights(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of ``weights.yaml``: rules number, shapes, costs by action, points by factor id."""

    number: int
    shape: Shape
    points: dict[str, float]
    groups: GroupShape = GroupShape()
    costs: dict[str, float] = {}
    note: str = ""

    def of(self, factor: str) -> float:
        """Return the points of ``factor`` at full strength. Raises ConfigurationError for an unknown id."""
        try:
            return self.points[factor]
        except KeyError:
            raise ConfigurationError(f"weights.yaml has no line for the risk factor {factor}") from None


class Rules(msgspec.Struct, frozen=True):
    """Weights in force, the version that names them, and a hospital's own words ('' where it has none)."""

    weights: Weights
    version: str
    own: str = ""


def parse_weights(text: str, name: str = SHIPPED) -> Weights:
    """Return the weights that ``text`` (YAML) states; ``name`` is the file that complaints speak of.

    Raises ConfigurationError with file and line where the text is no YAML, lacks a part, or a number lies
    outside its bounds.
    """
    marks = _Marks(text, name)
    weights = _converted(marks.content, marks)
    _check(weights, marks)
    return weights


def adjusted(shipped: Weights, text: str, name: str) -> Weights:
    """Return ``shipped`` with what a hospital's own file says otherwise.

    Raises ConfigurationError with file and line for what is no YAML, unknown, or out of bounds.
    """
    marks = _Marks(text, name)
    merged: dict[str, object] = msgspec.to_builtins(shipped)
    for key, value in marks.content.items():
        if key not in ("shape", "groups", "costs", "points", "note"):
            raise marks.wrong((key,), f"there is no part called {key!r}: shape, groups, costs, points, note")
        held = merged[key]
        if not isinstance(held, dict):
            merged[key] = value
            continue
        if not isinstance(value, dict):
            raise marks.wrong((key,), f"{key} needs lines of its own, each with a name and a number")
        for name_of, number in value.items():
            if name_of not in held:
                raise marks.wrong((key, name_of), f"{key} has no line {name_of!r}")
            held[name_of] = number
    weights = _converted(merged, marks)
    _check(weights, marks)
    for factor, points in weights.points.items():
        if points and (points < 0) != (shipped.points[factor] < 0):
            side = "must not be above 0: it is a control" if points > 0 else "must not be below 0"
            raise marks.wrong(("points", factor), f"{factor} {side}")
    _check_impact(shipped, weights, marks)
    return weights


class _Marks:
    """A YAML text with the lines its parts stand in."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        if len(text) > _LARGEST:
            raise ConfigurationError(f"{name} is larger than weights can be")
        try:
            check_depth(text, name)
            node = yaml.compose(text, yaml.SafeLoader)
            content = yaml.safe_load(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f", line {mark.line + 1}" if mark is not None else ""
            problem = getattr(error, "problem", None) or "it is no YAML"
            raise ConfigurationError(f"{name}{line} cannot be used: {problem}") from error
        except ValueError as error:  # a date or number that there is not
            raise ConfigurationError(f"{name} cannot be used: {str(error)[:200]}") from error
        if not isinstance(content, dict) or not isinstance(node, yaml.MappingNode):
            raise ConfigurationError(f"{name} cannot be used: it has no parts with names")
        self.content: dict[str, object] = content
        self._lines: dict[tuple[str, ...], int] = {}
        for path, number in _lines(node, ()):
            if path in self._lines:
                raise ConfigurationError(f"{name}, line {number}: {path[-1]} stands there a second time")
            self._lines[path] = number

    def wrong(self, path: tuple[str, ...], what: str) -> ConfigurationError:
        """Return the complaint ``what`` about the part at ``path``."""
        while path and path not in self._lines:
            path = path[:-1]
        line = f", line {self._lines[path]}" if path else ""
        return ConfigurationError(f"{self.name}{line}: {what}")


def _lines(node: yaml.MappingNode, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    for key, value in node.value:
        path = (*above, str(key.value))
        yield path, key.start_mark.line + 1
        if isinstance(value, yaml.MappingNode):
            yield from _lines(value, path)


def _converted(content: object, marks: _Marks) -> Weights:
    try:
        return msgspec.convert(content, Weights)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        path = tuple(where.rstrip("`").replace("[...]", "").split(".")) if where else ()
        if path == ("points",):  # msgspec does not say which key of a map
            points = content["points"] if isinstance(content, dict) else None
            held = points.items() if isinstance(points, dict) else ()
            bad = [k for k, v in held if isinstance(v, bool) or not isinstance(v, int | float)]
            path = ("points", str(bad[0])) if bad else path
        named = ".".join(path)[:80] or "it"
        raise marks.wrong(path, f"{named} cannot be used: {what[:200]}") from error


def _check(weights: Weights, marks: _Marks) -> None:
    shape, groups = weights.shape, weights.groups
    if not 0 < shape.saturation < 10_000:
        raise marks.wrong(("shape", "saturation"), "shape.saturation must be above 0 and below 10,000")
    for part, name, share in (
        ("shape", "base_impact", shape.base_impact),
        ("shape", "control_limit", shape.control_limit),
        ("groups", "worst_share", groups.worst_share),
    ):
        if not 0 <= share <= 1:
            raise marks.wrong((part, name), f"{part}.{name} must lie between 0 and 1")
    if not 1 <= groups.exponent <= 16:
        raise marks.wrong(("groups", "exponent"), "groups.exponent must lie between 1 and 16")
    if not 1 <= shape.seen_days <= 3650:
        raise marks.wrong(("shape", "seen_days"), "shape.seen_days must lie between 1 and 3,650")
    for action, cost in weights.costs.items():
        if not 0 < cost < 1_000_000:
            raise marks.wrong(("costs", action), f"costs.{action} must be above 0")
    for factor, points in weights.points.items():
        if not -1000 <= points <= 1000:
            raise marks.wrong(("points", factor), f"points.{factor} must lie between -1,000 and 1,000")


def _check_impact(shipped: Weights, weights: Weights, marks: _Marks) -> None:
    """Keep base and impact factors within 1: these are the factors with points below 1 as shipped."""
    bearing = [factor for factor, points in shipped.points.items() if 0 < points < 1]
    total = weights.shape.base_impact + sum(weights.points[factor] for factor in bearing)
    if total > 1 + 1e-9:
        changed = [f for f in bearing if weights.points[f] != shipped.points[f]]
        path = ("points", changed[0]) if changed else ("shape", "base_impact")
        raise marks.wrong(path, f"base_impact and {', '.join(bearing)} add up to {total:.2f}, more than 1")


@cache
def default_weights() -> Weights:
    """Return the weights shipped with the program."""
    return parse_weights(_text(SHIPPED))


@cache
def rules_version() -> str:
    """Return the version of the rules as shipped: their number, and a hash over weights and factor files."""
    digest = hashlib.blake2b(_text(SHIPPED).encode(), digest_size=5)
    factors = resources.files(__package__).joinpath("factors")
    for name in sorted(entry.name for entry in factors.iterdir() if entry.name.endswith(".py")):
        digest.update(name.encode())
        digest.update(factors.joinpath(name).read_bytes())
    return f"{default_weights().number}-{digest.hexdigest()}"


@cache
def shipped_rules() -> Rules:
    """Return the rules as shipped."""
    return Rules(default_weights(), rules_version())


def own_rules(text: str, name: str) -> Rules:
    """Return the rules with a hospital's own weights; see :func:`adjusted` for what is raised."""
    weights = adjusted(default_weights(), text, name)
    if weights == default_weights():
        return shipped_rules()
    digest = hashlib.blake2b(msgspec.json.encode(weights, order="sorted"), digest_size=4).hexdigest()
    return Rules(weights, f"{rules_version()}+{digest}", text)


def shipped_text() -> str:
    """Return the file of weights as shipped, with its explanations."""
    return _text(SHIPPED)


def _text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
