"""A model file is numbers and JSON under a seal; any other bytes are one named error."""

from __future__ import annotations

import hashlib
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.inventory.labels.model import LabelModel
from medwarden.inventory.labels.model_file import MAGIC, Arrays, pack, unpack
from medwarden.kernel.errors import MalformedInput


def sealed(header: bytes, body: bytes) -> bytes:
    """Return a file with a seal that fits, whatever is in it."""
    rest = struct.pack("<I", len(header)) + header + zlib.compress(body)
    return MAGIC + hashlib.sha256(rest).digest() + rest


def test_arrays_come_back() -> None:
    arrays: Arrays = {"a": np.arange(6, dtype=np.int16).reshape(2, 3), "b": np.array([1.5], np.float32)}
    about, found = unpack(pack(b'{"x":1}', arrays), "m")
    assert about == b'{"x":1}'
    assert {name: array.tolist() for name, array in found.items()} == {
        "a": [[0, 1, 2], [3, 4, 5]],
        "b": [1.5],
    }


@pytest.mark.parametrize(
    ("header", "body", "reason"),
    [
        (b'{"arrays":[],"about":{}', b"", "header does not hold"),
        (b'{"arrays":[{"name":"a","kind":"O","shape":[1]}],"about":{}}', b"12345678", "no known kind"),
        (b'{"arrays":[{"name":"a","kind":"i1","shape":[-4]}],"about":{}}', b"", "no possible size"),
        (b'{"arrays":[{"name":"a","kind":"i1","shape":[4]}],"about":{}}', b"12345", "as long as"),
        (
            b'{"arrays":[{"name":"a","kind":"f4","shape":[200000000,9]}],"about":{}}',
            b"",
            "larger than any",
        ),
        (b'{"arrays":[{"name":"a","kind":"i1","shape":[1,1,1]}],"about":{}}', b"1", "no known kind"),
    ],
)
def test_a_hostile_file_is_refused_before_it_takes_memory(header: bytes, body: bytes, reason: str) -> None:
    with pytest.raises(MalformedInput, match=reason):
        unpack(sealed(header, body), "m")


def test_an_unpacking_bomb_is_refused() -> None:
    header = b'{"arrays":[{"name":"a","kind":"i1","shape":[4]}],"about":{}}'
    with pytest.raises(MalformedInput, match="as long as"):
        unpack(sealed(header, bytes(50_000_000)), "m")


def test_a_changed_octet_is_noticed(model: LabelModel) -> None:
    data = bytearray(model.to_bytes())
    data[-5] ^= 1
    with pytest.raises(MalformedInput, match="was changed"):
        LabelModel.from_bytes(bytes(data), "local.mwm")


@given(st.binary(max_size=300))
def test_any_octets_are_a_named_error(data: bytes) -> None:
    with pytest.raises(MalformedInput, match=r"\Ax"):
        LabelModel.from_bytes(data, "x")
    with pytest.raises(MalformedInput, match=r"\Ax"):
        LabelModel.from_bytes(MAGIC + data, "x")


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_octets_under_a_seal_are_a_named_error(header: bytes, body: bytes) -> None:
    with pytest.raises(MalformedInput):
        LabelModel.from_bytes(sealed(header, body), "x")
