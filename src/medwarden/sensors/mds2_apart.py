"""Reading an MDS2 form in a process of its own, with bounds on memory and processor.

Forms come from outside by mail and upload. What their readers do on a crafted file is bounded here by the
operating system: the process that asked goes on whatever happens (setrlimit(2)).
"""

from __future__ import annotations

import resource
import subprocess
import sys

import msgspec

from medwarden.kernel.errors import MalformedInput, ResourceError
from medwarden.model.mds2 import Form
from medwarden.sensors.mds2_document import LARGEST, read_form
from medwarden.sensors.mds2_pdf import TOO_MUCH

MEMORY = 2 << 30
"""Bytes of address space that reading one form may take."""

SECONDS = 150
"""Seconds of the processor that reading one form may take."""

_PATIENCE = 600.0


class _Outcome(msgspec.Struct):
    form: Form | None = None
    reason: str = ""


def read_apart(document: bytes, source: str, *, seconds: int = SECONDS, memory: int = MEMORY) -> Form:
    """Return the form in a file that people call ``source``, read in a process of its own.

    Raises MalformedInput with a sentence for what is no form that is read, or takes more memory or time than
    a form needs; ResourceError where no process can be started.
    """
    if not document or len(document) > LARGEST:
        return read_form(document, source)  # says so without a process
    command = [sys.executable, "-m", __name__, str(seconds), str(memory)]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            command, input=document, capture_output=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise MalformedInput(source, TOO_MUCH) from error
    except OSError as error:
        raise ResourceError(f"no process to read {source} in can be started: {error.strerror}") from error
    if done.returncode != 0:
        raise MalformedInput(source, TOO_MUCH)
    try:
        outcome = msgspec.json.decode(done.stdout, type=_Outcome)
    except msgspec.DecodeError as error:
        raise MalformedInput(source, TOO_MUCH) from error
    if outcome.form is None:
        raise MalformedInput(source, outcome.reason)
    return outcome.form


def main(arguments: list[str]) -> int:
    """Read a form from the standard input within bounds and write what it comes to as JSON."""
    seconds, memory = (int(argument) for argument in arguments)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        outcome = _Outcome(read_form(sys.stdin.buffer.read(), "it"))
    except MalformedInput as error:
        outcome = _Outcome(reason=error.reason)
    except MemoryError:
        outcome = _Outcome(reason=TOO_MUCH)
    sys.stdout.buffer.write(msgspec.json.encode(outcome))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
