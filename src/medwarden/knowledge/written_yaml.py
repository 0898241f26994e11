"""YAML that people write for a hospital: bounded before it is built; every fault a sentence with its line.

Aliases are refused, for a few of them stand for more than any memory holds; so are tags, two values for one
key (of which YAML's readers keep the last without a word), and nesting deeper than any such file has.
"""

from __future__ import annotations

import yaml

from medwarden.kernel.errors import ConfigurationError

LARGEST = 1 << 20
"""Characters a file may have."""

DEEPEST = 20
"""Levels of lists and mappings within each other."""
LOADER: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe reader, the fast one where there is one: the other takes seconds for a few thousand levels."""


class _Level:
    """A list or mapping whose end has not come; ``keys`` of a mapping, and whether a key comes next."""

    def __init__(self, mapping: bool) -> None:
        self.mapping = mapping
        self.keys: set[str] = set()
        self.key_next = mapping


def read_yaml(text: str, name: str) -> object:
    """Return what the YAML of a file ``name`` says as plain values.

    Raises ConfigurationError with file and line where it is no YAML, or more than a person writes.
    """
    if len(text) > LARGEST:
        raise ConfigurationError(f"{name}: larger than {LARGEST >> 10} KiB, which no such file is")
    try:
        _check(text, name)
        return yaml.load(text, LOADER)  # noqa: S506 - both loaders are the safe one
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = "" if mark is None else f", line {mark.line + 1}"
        raise ConfigurationError(f"{name}{line}: {error.problem or 'not YAML'}") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date or number that there is not
        raise ConfigurationError(f"{name}: not YAML ({str(error).splitlines()[0][:200]})") from error


def check_depth(text: str, name: str) -> None:
    """Refuse nesting that readers in Python take seconds for; what else is wrong they say themselves.

    Raises ConfigurationError with file and line.
    """
    depth = 0
    try:
        for event in yaml.parse(text, LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                line = "" if event.start_mark is None else f", line {event.start_mark.line + 1}"
                raise ConfigurationError(f"{name}{line}: nested deeper than {DEEPEST}")
    except yaml.YAMLError:
        return


def _check(text: str, name: str) -> None:
    """Go through the events of a file, which cost no more than its length."""
    levels: list[_Level] = []
    for event in yaml.parse(text, LOADER):
        mark = event.start_mark
        where = name if mark is None else f"{name}, line {mark.line + 1}"
        if isinstance(event, yaml.AliasEvent):
            raise ConfigurationError(f"{where}: aliases are not used here; write it out")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise ConfigurationError(f"{where}: tags such as {str(tag)[:40]} are not used here")
        if isinstance(event, yaml.CollectionEndEvent):
            levels.pop()
        elif isinstance(event, yaml.NodeEvent):
            _key(levels, event, where)
            if isinstance(event, yaml.CollectionStartEvent):
                levels.append(_Level(isinstance(event, yaml.MappingStartEvent)))
                if len(levels) > DEEPEST:
                    raise ConfigurationError(f"{where}: nested deeper than {DEEPEST}")


def _key(levels: list[_Level], event: yaml.NodeEvent, where: str) -> None:
    """Note the key that a node is, or the value that stands between two."""
    if not levels or not levels[-1].mapping:
        return
    level = levels[-1]
    if level.key_next and not isinstance(event, yaml.ScalarEvent):
        raise ConfigurationError(f"{where}: a list or mapping cannot be a key")
    if level.key_next and isinstance(event, yaml.ScalarEvent):
        if event.value in level.keys:
            raise ConfigurationError(f"{where}: {event.value[:60]!r} stands there twice")
        level.keys.add(event.value)
    level.key_next = not level.key_next
