"""The clock of the simulation: activities in order of time, frames in order of time, bounded memory.

Time is cut into slices. In each, activities that are due go on; what they say later than the slice waits for
its own. The devices of a site are divided into shards by their number, the same for every machine, so that
shards may run in processes of their own and still give the same frames.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterator

import msgspec

from medwarden.simulation.assignments import activities_of
from medwarden.simulation.ends import SECOND, Session, Talk
from medwarden.simulation.hospital import Hospital, Site
from medwarden.simulation.scene import Scene

SLICE = 60 * SECOND
_MANY = 1200


class Slice(msgspec.Struct):
    """What one shard of a site said in a slice: frames in order of time, flows that ended, actions."""

    site: int
    until: int
    times: array[int]
    sizes: array[int]
    octets: bytes
    sessions: list[Session]
    actions: list[tuple[str, str, int, int, str]]


class Shard:
    """Some devices of one site; it is their ear and calls them up when they are due."""

    def __init__(
        self,
        hospital: Hospital,
        site: Site,
        number: int,
        shards: int,
        *,
        sessions: bool,
        image_scale: float,
        incidents: bool = True,
    ) -> None:
        self.sessions = sessions
        self.site = site
        self._frames: list[tuple[int, bytes]] = []
        self._ended: list[Session] = []
        self._open: dict[int, Talk] = {}
        self._until = hospital.start
        self._stop = hospital.stop
        self.scene = Scene(hospital, site, self, image_scale)
        self._due: list[tuple[int, int, Iterator[int]]] = []
        order = 0
        for device in site.devices:
            if device.number % shards != number:
                continue
            for activity in activities_of(site, device):
                self._call(activity(self.scene, device), order)
                order += 1
        if incidents and number == 0:
            for play in site.plays:
                self._call(play(self.scene), order)
                order += 1

    def frame(self, at: int, octets: bytes) -> None:
        """Take a frame; part of :class:`~medwarden.simulation.ends.Ear`."""
        self._frames.append((at, octets))

    def session(self, session: Session) -> None:
        """Take the sum of a flow; part of :class:`~medwarden.simulation.ends.Ear`."""
        self._ended.append(session)

    def opened(self, talk: Talk) -> None:
        """Take note of a conversation; part of :class:`~medwarden.simulation.ends.Ear`."""
        self._open[id(talk)] = talk

    def closed(self, talk: Talk) -> None:
        """Forget a conversation; part of :class:`~medwarden.simulation.ends.Ear`."""
        del self._open[id(talk)]

    def _call(self, activity: Iterator[int], order: int) -> None:
        wake = next(activity, None)
        if wake is not None and wake < self._stop:
            heapq.heappush(self._due, (wake, order, activity))

    def advance(self) -> Slice | None:
        """Live through the next slice and return what was said in it; None when the time is over."""
        if self._until >= self._stop:
            return None
        until = min(self._until + SLICE, self._stop)
        due = self._due
        while due and due[0][0] < until:
            _, order, activity = heapq.heappop(due)
            self._call(activity, order)
        if until >= self._stop:
            for talk in list(self._open.values()):
                talk.end()
        frames = self._frames
        frames.sort(key=_moment)
        self._until = until
        cut = _cut(frames, until)
        said, self._frames = frames[:cut], frames[cut:]
        sessions, self._ended = self._ended, []
        actions, self.scene.actions = self.scene.actions, []
        return Slice(
            self.site.number,
            until,
            array("q", [at for at, _ in said]),
            array("I", [len(octets) for _, octets in said]),
            b"".join([octets for _, octets in said]),
            sessions,
            actions,
        )


def _moment(frame: tuple[int, bytes]) -> int:
    return frame[0]


def _cut(frames: list[tuple[int, bytes]], until: int) -> int:
    low, high = 0, len(frames)
    while low < high:
        middle = (low + high) // 2
        if frames[middle][0] < until:
            low = middle + 1
        else:
            high = middle
    return low


def shards_of(site: Site) -> int:
    """Return into how many shards a site is divided: a matter of its size alone."""
    return 1 if len(site.devices) < _MANY else 4


def run_shard(
    hospital: Hospital, site: Site, number: int, *, sessions: bool = False, image_scale: float = 0.02
) -> Iterator[Slice]:
    """Yield the slices of one shard."""
    shard = Shard(hospital, site, number, shards_of(site), sessions=sessions, image_scale=image_scale)
    while (piece := shard.advance()) is not None:
        yield piece


def in_order(pieces: list[Slice]) -> Iterator[tuple[int, memoryview]]:
    """Yield the frames of the same slice of several shards in order of time."""
    if len(pieces) == 1:
        yield from _frames(pieces[0])
        return
    yield from heapq.merge(*map(_frames, pieces), key=lambda frame: frame[0])


def _frames(piece: Slice) -> Iterator[tuple[int, memoryview]]:
    view, at = memoryview(piece.octets), 0
    for moment, size in zip(piece.times, piece.sizes, strict=True):
        yield moment, view[at : at + size]
        at += size
