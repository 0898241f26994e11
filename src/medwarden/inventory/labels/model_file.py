"""The layout of a model file: a header of JSON and numeric arrays, sealed by a digest. Nothing in it runs.

::

    8 octets   MEDWMDL1
    32 octets  SHA-256 of all that follows
    4 octets   length of the header, little-endian
    header     JSON: what the model is and which arrays follow
    body       zlib: the arrays one after another, little-endian

Reading bounds every length before anything is allocated.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from medwarden.kernel.errors import MalformedInput

MAGIC = b"MEDWMDL1"
LARGEST_FILE = 128 << 20
LARGEST_HEADER = 8 << 20
LARGEST_BODY = 256 << 20
_DIGEST = 32
_LENGTH = struct.Struct("<I")
_START = len(MAGIC) + _DIGEST + _LENGTH.size
_KINDS: dict[str, np.dtype[Any]] = {
    "i1": np.dtype("i1"),
    "u1": np.dtype("u1"),
    "i2": np.dtype("<i2"),
    "i4": np.dtype("<i4"),
    "u4": np.dtype("<u4"),
    "f4": np.dtype("<f4"),
}
_MOST_ARRAYS = 64
_MOST_AXES = 2

Arrays = dict[str, npt.NDArray[Any]]


class _Array(msgspec.Struct, frozen=True):
    name: str
    kind: str
    shape: tuple[int, ...]


class _Header(msgspec.Struct, frozen=True):
    arrays: tuple[_Array, ...]
    about: msgspec.Raw


def pack(about: bytes, arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Return the file of a model: ``about`` is JSON, ``arrays`` are of the kinds that the layout knows."""
    listed, body = [], []
    for name, array in arrays.items():
        kind = next(kind for kind, dtype in _KINDS.items() if dtype == array.dtype)
        listed.append(_Array(name, kind, array.shape))
        body.append(np.ascontiguousarray(array, _KINDS[kind]).tobytes())
    header = msgspec.json.encode(_Header(tuple(listed), msgspec.Raw(about)))
    rest = _LENGTH.pack(len(header)) + header + zlib.compress(b"".join(body), 6)
    return MAGIC + hashlib.sha256(rest).digest() + rest


def digest_of(data: bytes) -> str:
    """Return the digest that seals a file, in hexadecimal."""
    return data[len(MAGIC) : len(MAGIC) + _DIGEST].hex()


def unpack(data: bytes, source: str) -> tuple[bytes, Arrays]:
    """Return the JSON and the arrays of a model file.

    Raises MalformedInput naming ``source`` for bytes that are no such file, were changed, or ask for
    more memory than a model may take.
    """
    if data[: len(MAGIC)] != MAGIC:
        raise MalformedInput(source, "this is no model file of medwarden", 0)
    if len(data) > LARGEST_FILE:
        raise MalformedInput(source, "the model is larger than any model may be", LARGEST_FILE)
    if len(data) < _START:
        raise MalformedInput(source, "the model file ends early", len(data))
    sealed = data[len(MAGIC) : len(MAGIC) + _DIGEST]
    if hashlib.sha256(memoryview(data)[len(MAGIC) + _DIGEST :]).digest() != sealed:
        raise MalformedInput(source, "the model file was changed: its digest does not fit", len(MAGIC))
    (length,) = _LENGTH.unpack_from(data, _START - _LENGTH.size)
    if length > LARGEST_HEADER or _START + length > len(data):
        raise MalformedInput(source, "the header is longer than the file", _START - _LENGTH.size)
    try:
        header = msgspec.json.decode(data[_START : _START + length], type=_Header)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedInput(source, f"the header does not hold ({error})", _START) from error
    return bytes(header.about), _arrays(header.arrays, data[_START + length :], source, _START + length)


def _arrays(listed: tuple[_Array, ...], packed: bytes, source: str, at: int) -> Arrays:
    sizes = [_size(array, source) for array in listed]
    wanted = sum(sizes)
    if len(listed) > _MOST_ARRAYS or wanted > LARGEST_BODY:
        raise MalformedInput(source, "the model is larger than any model may be", at)
    unpacker = zlib.decompressobj()
    try:
        body = unpacker.decompress(packed, wanted + 1)
    except zlib.error as error:
        raise MalformedInput(source, f"the arrays do not unpack ({error})", at) from error
    if len(body) != wanted:
        raise MalformedInput(source, "the arrays are not as long as the header says", at)
    arrays: Arrays = {}
    place = 0
    for array, size in zip(listed, sizes, strict=True):
        kind = _KINDS[array.kind]
        arrays[array.name] = np.frombuffer(body, kind, size // kind.itemsize, place).reshape(array.shape)
        place += size
    return arrays


def _size(array: _Array, source: str) -> int:
    kind = _KINDS.get(array.kind)
    if kind is None or not 1 <= len(array.shape) <= _MOST_AXES:
        raise MalformedInput(source, f"array {array.name[:40]!r} is of no known kind", _START)
    size = kind.itemsize
    for extent in array.shape:
        if not 0 <= extent <= LARGEST_BODY:
            raise MalformedInput(source, f"array {array.name[:40]!r} has no possible size", _START)
        size *= extent
    return size
