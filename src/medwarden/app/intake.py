"""One capture file to batches of flows and facts, with its exact accounting."""

from __future__ import annotations

import gc
import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from medwarden.app.packet_stage import PacketStage
from medwarden.app.share_plan import Plan
from medwarden.flowcore import FlowCore
from medwarden.inventory.flood import SAID_IN_A_FLOOD
from medwarden.kernel.errors import ResourceError
from medwarden.kernel.printable import printable
from medwarden.model.accounting import InputReport
from medwarden.model.batch import Batch
from medwarden.model.inventory_delta import InventoryDelta
from medwarden.sensors.capture_file import read_capture, sniff
from medwarden.sensors.log_files import advice_on, head_of

Sink = Callable[[Batch], None]
_PIECE = 1 << 20
_log = logging.getLogger(__name__)
_COLLECTION = (100_000, 50, 20)


@contextmanager
def seldom_collecting() -> Iterator[None]:
    """Let the collector of cyclic garbage run seldom while packets are read.

    Facts and flows are held by the hundred thousand and are no garbage: looking through them again and
    again costs one part in seven. What dissectors leave behind in cycles is bounded by the threshold.
    """
    before = gc.get_threshold()
    gc.set_threshold(*_COLLECTION)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def take_in(
    path: Path,
    token_key: bytes,
    sink: Sink,
    on_progress: Callable[[int], None] | None = None,
    *,
    share: tuple[int, int] = (0, 1),
    plan: Plan | None = None,
) -> InputReport:
    """Read a capture and give its batches to ``sink``; the last batch ends all flows.

    ``on_progress`` is told the number of packets parsed so far. With a ``share`` (which, of how many) the
    packets of others are read, but neither parsed nor counted as such; ``plan`` says who takes what, None
    that all goes by pairs of addresses. What is wrong with the file stands in the report's ``error``;
    what was readable has gone to ``sink``.
    """
    stage = PacketStage(token_key, share=share)
    if plan is not None:
        stage.core.deal(plan.services, plan.parts)

    def on_batch(core: FlowCore) -> None:
        stage.drain(core)
        if stage.due():
            sink(stage.take())
        if on_progress is not None:
            on_progress(core.parsed)

    with seldom_collecting():
        report = read_capture(path, stage.core, on_batch=on_batch)
        sink(stage.take(final=True))
    report.malformed = dict(stage.observer.malformed)
    if report.error is not None and not report.format and sniff(path) is None:
        advice = advice_on(head_of(path))
        report.error += f"; {advice}" if advice else ""
    report.path = printable(report.path)
    report.error = None if report.error is None else printable(report.error)
    return report


def warn_of_flood(delta: InventoryDelta) -> None:
    """Say in the log that made-up interfaces flooded the network and were left out of the inventory."""
    if facts := delta.ignored.get(SAID_IN_A_FLOOD):
        _log.warning(
            "a flood of interfaces that were heard only once: %d facts of them were left out of the "
            "inventory; look for a tool that makes up MAC addresses, or a faulty bridge",
            facts,
        )


def content_id(path: Path) -> str:
    """Return the id of a file's content, by which a second replay is recognised.

    Raises ResourceError where the file cannot be read.
    """
    digest = hashlib.blake2b(digest_size=20)
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror}") from error
    return f"file:{digest.hexdigest()}"
