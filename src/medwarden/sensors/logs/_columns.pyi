from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

BLANK: int
SOUND: int
ODD: int
WORD: int
COUNT: int
REAL: int
MOMENT: int

Read = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.uint8], list[list[bytes] | None]]

def line_starts(block: bytes) -> npt.NDArray[np.int64]:
    """Return where each line of ``block`` begins; one that ends without a line feed is a line too."""

class Columns:
    """Which values of a line are wanted, and in which column each goes.

    ``paths`` are the keys that lead to each (in tabbed text only their number counts), ``forms`` what is
    made of it: ``WORD`` (its bytes, as a number that stands for them), ``COUNT`` (a whole number below
    10^18), ``REAL`` (a floating-point number) or ``MOMENT`` (epoch seconds, or milliseconds where that
    large, or an ISO 8601 time with an offset, to nanoseconds). ``needed`` tells which must be there,
    ``nullable`` which may be null instead of a number or a time.
    """

    def __init__(
        self,
        paths: Sequence[tuple[bytes, ...]],
        forms: Sequence[int],
        needed: Sequence[bool],
        nullable: Sequence[bool] | None = None,
    ) -> None: ...
    def of_json(self, block: bytes, starts: npt.NDArray[np.int64], head: bool = False) -> Read:
        """Read the lines that begin at ``starts``, each one JSON object.

        Returns the state of each line (``BLANK``, ``SOUND`` or ``ODD``), the values by column and line as
        64-bit words (numbers of values, whole numbers or floating-point numbers), which of them are there,
        and the different values of each ``WORD`` column as they stand in the text. With ``head`` a line is
        read only as far as needed to find all columns, and the rest of it may be anything.
        """

    def of_tabbed(
        self,
        block: bytes,
        starts: npt.NDArray[np.int64],
        places: Sequence[int] | npt.NDArray[np.int64],
        fields: int,
        unset: bytes,
    ) -> Read:
        """Read the lines that begin at ``starts``, each ``fields`` values with tabs between them.

        ``places`` tells for each field the column it goes to, -1 for none; ``unset`` is what stands for no
        value. Returns as :meth:`of_json`.
        """

class Fingerprint:
    """The digest of what a log held so far.

    Blocks of 1 KiB are condensed to 16 octets by NH (RFC 4418 section 5.2, with words of 64 bits), and those
    go into BLAKE2b with what is left. It finds out that a file is another by now, at the speed of memory;
    whoever writes the log could forge it, as he could the log.
    """

    def update(self, octets: bytes | memoryview) -> None:
        """Take the next octets, however they are cut."""

    def hexdigest(self) -> str:
        """Return the digest of all octets so far."""
