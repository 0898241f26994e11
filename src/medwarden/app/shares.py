"""One capture file read by several processes, each its share of the conversations.

Every process reads the whole file and takes its share of the services, or of the address pairs where a
service is for all (see share_plan). The parent plans while they start, and puts their batches together, round
by round and in the order of the shares, so that the same file comes out as the same batches again; a process
may run ahead of the others by some batches. One that was killed is started anew, and what it had brought
before is let pass.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pyarrow as pa

from medwarden.app.intake import Sink, take_in
from medwarden.app.share_plan import Plan, plan_shares
from medwarden.flowcore import FactSum, fact_columns
from medwarden.kernel.errors import ResourceError
from medwarden.model.accounting import InputReport, PacketCount
from medwarden.model.batch import Batch

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

_BATCH, _END = b"B", b"E"
_RESTARTS = 3
_PATIENCE_S = 0.2
_AHEAD = 3  # batches of a process that may wait for those of the others
_PR_SET_PDEATHSIG = 1
_FORM = re.compile(r" in (\d+) shares(?: by deal (\d+))?\Z")
DEAL = 2
"""Which way of dealing a file out this is; another one would make other batches of the same file."""

_BY_ADDRESSES = 0  # before there was a deal: every conversation by its pair of addresses

_TEXTS = ("mac", "ip", "field", "value", "source")


def pack(batch: Batch) -> bytearray:
    """Return a batch as bytes for another process of this installation."""
    columns = fact_columns(batch.facts)
    for name in _TEXTS:
        columns[name] = columns[name].dictionary_encode()
    tables = (batch.flows, pa.table(columns))
    size = pa.MockOutputStream()
    _write(tables, size)
    room = bytearray(size.size())  # told beforehand, so that nothing is moved as it grows
    with pa.FixedSizeBufferWriter(pa.py_buffer(room)) as sink:
        _write(tables, sink)
    return room


def _write(tables: Sequence[pa.Table], sink: pa.NativeFile) -> None:
    for table in tables:
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)


def unpack(packed: Sequence[bytes | bytearray]) -> Batch:
    """Return batches of several processes as one: flows in their order, equal facts summed up."""
    facts = FactSum()
    flows = []
    for one in packed:
        source = pa.BufferReader(one)
        flows.append(pa.ipc.open_stream(source).read_all())
        facts.add_columns(pa.ipc.open_stream(source).read_all())
    return Batch(pa.concat_tables(flows), facts.take())


class Dealt(NamedTuple):
    """How many processes read a file together, and by which deal."""

    processes: int
    deal: int = DEAL


def form_of_shares(form: str, processes: int) -> str:
    """Return how the format of a file is entered that ``processes`` read together."""
    return form if processes == 1 else f"{form} in {processes} shares by deal {DEAL}"


def shares_of_form(form: str) -> Dealt:
    """Return how an input was begun: it must go on so, or its batches would differ."""
    found = _FORM.search(form)
    return Dealt(int(found[1]), int(found[2] or _BY_ADDRESSES)) if found else Dealt(1)


def end_with_parent(parent: int) -> None:
    """Let the kernel end this process when the one that started it ends, however it ends."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def take_in_shares(path: Path, token_key: bytes, sink: Sink, processes: int, deal: int = DEAL) -> InputReport:
    """Read a capture in ``processes`` processes and give its batches to ``sink``, as ``take_in`` does.

    Raises ResourceError when processes are killed again and again, and for a ``deal`` of another version.
    """
    if deal not in (DEAL, _BY_ADDRESSES):
        raise ResourceError(
            f"{path}: another version has begun to read it in a way that this one does not know; "
            "finish it with that version"
        )
    shares = [_Share(path, token_key, (at, processes)) for at in range(processes)]
    receivers: list[_Receiver] = []
    try:
        for share in shares:
            share.start()
        plan = plan_shares(path, token_key, processes) if deal == DEAL else None
        for share in shares:
            share.deal(plan)
            receivers.append(_Receiver(share))
        running = list(receivers)
        while running:
            brought = [(receiver, receiver.take()) for receiver in running]
            batches = [packed for _, packed in brought if packed is not None]
            running = [receiver for receiver, packed in brought if packed is not None]
            if batches:
                sink(unpack(batches))
    finally:
        for share in shares:
            share.give_up()
        for receiver in receivers:
            receiver.stop()
        for share in shares:
            share.stop()
    return _together([share.report for share in shares])


class _Share:
    """One process and what came of it so far."""

    def __init__(self, path: Path, token_key: bytes, which: tuple[int, int]) -> None:
        self.report = InputReport(str(path))
        self._path = path
        self._token_key = token_key
        self._which = which
        self._brought = 0
        self._restarts = 0
        self._plan: Plan | None = None
        self._given_up = False
        self._process: SpawnProcess | None = None
        self._source: Connection | None = None

    def start(self) -> None:
        """Start the process; it waits to be told what is its share."""
        context = get_context("spawn")
        self._source, target = context.Pipe()
        self._process = context.Process(
            target=_read_share,
            args=(target, os.getpid(), str(self._path), self._token_key, self._which),
            daemon=True,
        )
        self._process.start()
        target.close()

    def deal(self, plan: Plan | None) -> None:
        """Tell the process who takes what."""
        assert self._source is not None
        self._plan = plan
        with suppress(BrokenPipeError):  # it was killed: seen where its batches are waited for
            self._source.send(plan)

    def next(self) -> bytes | None:
        """Return the next batch, or None at the end; a process that was killed is started anew."""
        while True:
            try:
                return self._receive()
            except (EOFError, ConnectionResetError):  # the latter where it never heard what is its share
                if self._given_up:
                    return None
                self._start_anew()

    def give_up(self) -> None:
        """Let whoever waits for a batch wait no longer; may be called from another thread."""
        self._given_up = True
        if self._process is not None:
            self._process.kill()

    def stop(self) -> None:
        """End the process if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._source is not None:
            self._source.close()

    def _receive(self) -> bytes | None:
        assert self._source is not None
        kind, message = self._source.recv_bytes(), self._source.recv_bytes()
        if kind == _END:
            self.report = msgspec.json.decode(message, type=InputReport)
            return None
        self._brought += 1
        return message

    def _start_anew(self) -> None:
        self.stop()
        assert self._process is not None
        code = self._process.exitcode
        self._restarts += 1
        if self._restarts > _RESTARTS:
            raise ResourceError(
                f"{self._path}: a process that read it ended {self._restarts} times (last with {code}); "
                "what was acknowledged is stored, and the same command goes on from there"
            )
        before, self._brought = self._brought, 0
        self.start()
        self.deal(self._plan)
        for _ in range(before):
            self._receive()


class _Receiver:
    """Receives the batches of a share in a thread of its own, so that its process may run ahead."""

    def __init__(self, share: _Share) -> None:
        self.share = share
        self._over = False
        self._room = threading.Semaphore(_AHEAD)
        self._waiting: SimpleQueue[bytes | BaseException | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._receive, name="share of a capture", daemon=True)
        self._thread.start()

    def take(self) -> bytes | None:
        """Return the next batch, or None at the end; raises what receiving it came to."""
        packed = self._waiting.get()
        self._room.release()
        if isinstance(packed, BaseException):
            raise packed
        return packed

    def stop(self) -> None:
        """End the thread and the process."""
        self._over = True
        self._room.release()
        while self._thread.is_alive():
            self.share.give_up()  # once more where it was just started anew
            self._thread.join(_PATIENCE_S)
        self.share.stop()

    def _receive(self) -> None:
        packed: bytes | None = b""
        while packed is not None:
            self._room.acquire()
            if self._over:
                return
            try:
                packed = self.share.next()
            except BaseException as error:  # noqa: BLE001 - raised where batches are taken
                self._waiting.put(error)
                return
            self._waiting.put(packed)


def _read_share(target: Connection, parent: int, path: str, token_key: bytes, which: tuple[int, int]) -> None:
    end_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to deal with

    def bring(kind: bytes, message: bytes | bytearray) -> None:
        target.send_bytes(kind)
        target.send_bytes(message)

    try:
        report = take_in(
            Path(path),
            token_key,
            lambda batch: bring(_BATCH, pack(batch)),
            share=which,
            plan=target.recv(),
        )
        bring(_END, msgspec.json.encode(report))
    except (BrokenPipeError, ConnectionResetError, EOFError):
        return  # the parent has ended or wants no more


def _together(reports: Sequence[InputReport]) -> InputReport:
    """Return the accounting of all shares: each read everything and parsed its own."""
    report = reports[0]
    report.packets = PacketCount(
        read=report.packets.read,
        parsed=sum(one.packets.parsed for one in reports),
        rejected=report.packets.rejected,
        dropped=report.packets.dropped,
    )
    malformed: Counter[str] = Counter()
    for one in reports:
        malformed.update(one.malformed)
        report.error = report.error or one.error
    report.malformed = dict(malformed)
    return report
