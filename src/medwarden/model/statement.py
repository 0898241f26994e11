"""What somebody who knows says of a device: a technician's answer, or a row of the hospital's books."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Authority(StrEnum):
    """Who speaks: a person who looked at the device, or a list that somebody keeps."""

    PERSON = "person"
    BOOK = "book"


class Statement(msgspec.Struct, frozen=True):
    """One label that somebody gave a device at one level.

    ``by`` is the account that answered, or the name of the book; ``reference`` points to where it
    stands (the answer's number, the book's row); ``at_ns`` is when it was said, in nanoseconds since
    the epoch. A statement that was withdrawn is not handed on.
    """

    authority: Authority
    level: str  # a level of the verdicts: class, category, vendor, model, os, os_version, firmware, serial
    label: str
    by: str
    at_ns: int
    reference: str = ""
