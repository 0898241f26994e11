"""Packaged data files."""

from __future__ import annotations

import msgspec
import pytest

from medwarden.kernel.errors import InternalError
from medwarden.knowledge.packaged import load_yaml


class _Other(msgspec.Struct, forbid_unknown_fields=True):
    makers: int


def test_a_file_of_another_shape_is_named() -> None:
    with pytest.raises(InternalError, match=r"makers\.yaml"):
        load_yaml("makers.yaml", _Other)
