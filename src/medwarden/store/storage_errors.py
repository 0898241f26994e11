"""Turn what the disk refuses into one sentence that says what to do."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import OperationalError as DjangoOperationalError
from sqlalchemy.exc import OperationalError as AlchemyOperationalError

from medwarden.kernel.errors import ResourceError

_DISK = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EIO,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
        errno.EMFILE,
        errno.ENFILE,
    }
)


@contextmanager
def storage_errors(folder: Path) -> Iterator[None]:
    """Raise ResourceError where the disk is full, fails, or a database stays locked.

    A wrong statement or a broken file passes through as it is: that is not the machine's fault.
    """
    try:
        yield
    except (sqlite3.OperationalError, DjangoOperationalError, AlchemyOperationalError) as error:
        raise ResourceError(_sentence(folder, str(getattr(error, "orig", None) or error))) from error
    except OSError as error:
        if error.errno not in _DISK:
            raise
        raise ResourceError(_sentence(folder, error.strerror or str(error))) from error


def _sentence(folder: Path, reason: str) -> str:
    return (
        f"{folder} could not be written ({reason}): free space or repair the disk, then start again; "
        "nothing that was acknowledged is lost"
    )
