"""Response schemas made from the model's own structs, so that OpenAPI never says anything else."""

from __future__ import annotations

import types
from enum import Enum
from functools import cache
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from ninja import Schema
from pydantic import create_model

T = TypeVar("T")


@cache
def schema_of(struct: type[msgspec.Struct]) -> type[Schema]:
    """Return the schema of a msgspec struct, nested ones included."""
    hints = get_type_hints(struct)
    fields: dict[str, Any] = {name: (_plain(hints[name]), ...) for name in struct.__struct_fields__}
    return create_model(struct.__name__, __base__=Schema, __doc__=struct.__doc__, **fields)


def _plain(kind: object) -> object:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return schema_of(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return Literal[tuple(member.value for member in kind)]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        return list[_plain(arguments[0])]  # type: ignore[misc]  # made at run time from the struct
    if origin is list:
        return list[_plain(arguments[0])]  # type: ignore[misc]
    if origin is dict:
        return dict[str, _plain(arguments[1])]  # type: ignore[misc]
    if origin in (Union, types.UnionType):
        return Union[tuple(_plain(one) for one in arguments)]  # noqa: UP007 (made at run time)
    return kind


class PageOf(Schema, Generic[T]):
    """One page of a list; ``total`` counts all rows."""

    items: list[T]
    total: int
    page: int
    per: int


def list_of(struct: type[msgspec.Struct]) -> Any:  # noqa: ANN401 (a type made at run time)
    """Return the type of a list of such structs."""
    return list[schema_of(struct)]  # type: ignore[misc]  # made at run time from the struct


def page_schema(struct: type[msgspec.Struct]) -> Any:  # noqa: ANN401 (a type made at run time)
    """Return the schema of a page of such structs."""
    return PageOf[schema_of(struct)]  # type: ignore[misc]  # made at run time from the struct


def plain(value: object) -> Any:  # noqa: ANN401 (JSON of any shape; the response schema says which)
    """Return structs as what JSON knows."""
    return msgspec.to_builtins(value)


def page_of(page: object, number: int, per: int) -> dict[str, Any]:
    """Return a page of the store in the shape of :class:`PageOf`."""
    found: dict[str, Any] = msgspec.to_builtins(page)
    return {"items": found["items"], "total": found["total"], "page": number, "per": per}


class Problem(Schema):
    """Why a request was not answered."""

    detail: str
