"""Loading of the data files that are packaged with medwarden."""

from __future__ import annotations

from importlib import resources
from typing import TypeVar

import msgspec
import yaml

from medwarden.kernel.errors import InternalError

T = TypeVar("T")

_Loader: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_yaml(name: str, kind: type[T]) -> T:
    """Return the packaged file ``name`` as ``kind``; raises InternalError naming what does not fit."""
    text = (resources.files("medwarden.knowledge") / name).read_text(encoding="utf-8")
    try:
        return msgspec.convert(yaml.load(text, _Loader), kind)  # noqa: S506 - both loaders are the safe one
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise InternalError(f"the packaged file {name} is not as it should be: {error}") from error
