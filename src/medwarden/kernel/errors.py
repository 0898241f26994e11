"""The error roots: every failure says whose fault it is and what to do.

Four roots, one per party at fault. A message is one sentence that a user can act on; a
traceback reaches a user only for :class:`InternalError`.
"""

from __future__ import annotations


class MedwardenError(Exception):
    """Base of everything medwarden raises on purpose."""


class MalformedInput(MedwardenError):
    """Bytes from outside do not follow their format: the peer's or the file's fault.

    ``source`` names the file, sensor or protocol, ``offset`` the byte (None where there is none)
    and ``reason`` says in a few words what was wrong there.
    """

    def __init__(self, source: str, reason: str, offset: int | None = None) -> None:
        self.source = source
        self.reason = reason
        self.offset = offset
        where = source if offset is None else f"{source}, byte {offset}"
        super().__init__(f"{where}: {reason}")


class RemoteServiceError(MedwardenError):
    """A system we depend on did not answer as published; trying again later may help."""


class ConfigurationError(MedwardenError):
    """The operator asked for something that cannot be, or a setting is wrong."""


class ResourceError(MedwardenError):
    """This machine lacks something: disk, permission, a free port, the lock of the data folder."""


class InternalError(MedwardenError):
    """A defect in medwarden itself."""
