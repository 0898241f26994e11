"""Captures and logs to devices in memory: what ``assess`` and ``score`` stand on. Nothing is stored."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from medwarden.app.carried_exports import Watching, take_in_exports
from medwarden.app.intake import take_in, warn_of_flood
from medwarden.app.log_intake import setting_of, take_in_log
from medwarden.inventory.book import Book
from medwarden.inventory.company import Company
from medwarden.inventory.identity import Resolver
from medwarden.inventory.joined import joined_devices
from medwarden.inventory.labelling import identify
from medwarden.model.accounting import InputReport
from medwarden.model.batch import Batch
from medwarden.model.device import Device
from medwarden.sensors.capture_file import sniff
from medwarden.sensors.log_files import form_of

SENSOR = "capture"

Progress = Callable[[int, int, str], None]
"""Told how many inputs are done, of how many, and which one is being read."""


class Study(msgspec.Struct, frozen=True):
    """The devices that a set of captures shows, identified, and what became of each input.

    ``company`` is who of the devices uses which service, as they were told by it.
    """

    devices: tuple[Device, ...]
    inputs: tuple[InputReport, ...]
    company: Company


def study(files: Iterable[Path], *, site: str = "default", progress: Progress | None = None) -> Study:
    """Read captures and logs in their order and return what they show together.

    The token key is made for this run and forgotten: nothing of it can be linked to another.
    """
    paths = list(files)
    resolver, book = Resolver(site), Book(site)
    token_key = secrets.token_bytes(32)

    def sink(batch: Batch) -> None:
        resolver.counted_evidence(((f.evidence, f.last_ns, f.count) for f in batch.facts), SENSOR)
        resolver.flows(batch.flows)
        delta = resolver.delta()
        warn_of_flood(delta)
        book.apply(delta)

    reports: list[InputReport] = []
    for number, path in enumerate(paths):
        if progress is not None:
            progress(number, len(paths), str(path))
        form = None if sniff(path) is not None else form_of(path)
        if form is None:
            watching = Watching(sink)
            reports.append(take_in(path, token_key, watching))
            inside = take_in_exports(path, setting_of(token_key), sink) if watching.found else None
            reports += [inside] if inside is not None else []
        else:
            reports.append(take_in_log(path, form, setting_of(token_key), lambda batch, _: sink(batch)))
    found = joined_devices(book, identify)
    return Study(found.devices, tuple(reports), found.company)
