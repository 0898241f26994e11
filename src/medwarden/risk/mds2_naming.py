"""Which series of forms is of which devices: by the names of maker and model, and by what people said.

Names are compared as those of advisories are (:mod:`medwarden.risk.matching`): aliases, misprints, lists of
models. Only a name that is the same attaches a form; one that may be it is proposed to a person.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from medwarden.risk.matching.likeness import Closeness, closeness
from medwarden.risk.matching.names import Aliases, Makers, packaged_aliases, plain
from medwarden.risk.matching.products import product_name


class Series(msgspec.Struct, frozen=True):
    """Forms of one maker and model; ``released`` and ``imported_ns`` are of the one that counts."""

    id: str
    vendor: str
    model: str
    released: str = ""
    imported_ns: int = 0


class Word(msgspec.Struct, frozen=True):
    """A person's word on a series: it belongs, or does not, to a device or to a maker's model."""

    series: str
    device: str
    vendor: str
    model: str
    belongs: bool


class Fit(msgspec.Struct, frozen=True):
    """A series that is, or may be, of a device, and why in words."""

    series: str
    closeness: Closeness
    why: str


class Naming:
    """Finds the series of a device among all there are."""

    def __init__(
        self, series: Sequence[Series], words: Iterable[Word] = (), own: Aliases | None = None
    ) -> None:
        self._makers = Makers(packaged_aliases() if own is None else packaged_aliases().added(own))
        self._series = {each.id: each for each in series}
        self._of_device: dict[str, list[Word]] = {}
        self._of_model: dict[tuple[str, str], list[Word]] = {}
        for word in words:
            if word.device:
                self._of_device.setdefault(word.device, []).append(word)
            else:
                self._of_model.setdefault((plain(word.vendor), plain(word.model)), []).append(word)
        self._by_name: dict[tuple[str, str], tuple[Fit, ...]] = {}

    def of(self, device: str, vendor: str | None, model: str | None) -> Fit | None:
        """Return the series that counts for a device; None where there is none.

        A person's word on the device stands before one on its model, and that before the names. Of several
        the one with the newest form counts.
        """
        by_device = self._of_device.get(device, ())
        fits = {fit.series: fit for fit in self.by_name(vendor, model) if fit.closeness is Closeness.SAME}
        for word in self._of_model.get((plain(vendor or ""), plain(model or "")), ()):
            if word.belongs and word.series in self._series:
                fits[word.series] = Fit(word.series, Closeness.SAME, "attached to its model by hand")
            elif not word.belongs:
                fits.pop(word.series, None)
        for word in by_device:
            if not word.belongs:
                fits.pop(word.series, None)
        own = [word.series for word in by_device if word.belongs and word.series in self._series]
        if own:
            fits = {each: Fit(each, Closeness.SAME, "attached to it by hand") for each in own}
        return max(fits.values(), key=lambda fit: self._age(fit.series), default=None)

    def proposed(self, vendor: str | None, model: str | None) -> tuple[Fit, ...]:
        """Return the series that may be of a model but whose names do not say so."""
        return tuple(fit for fit in self.by_name(vendor, model) if fit.closeness is Closeness.MAYBE)

    def by_name(self, vendor: str | None, model: str | None) -> tuple[Fit, ...]:
        """Return the series whose maker and model are, or may be, those of a device."""
        if not vendor or not model:
            return ()
        key = (vendor, model)
        found = self._by_name.get(key)
        if found is None:
            found = self._by_name[key] = tuple(self._fits(vendor, model))
        return found

    def _fits(self, vendor: str, model: str) -> Iterable[Fit]:
        keys = self._makers.keys(vendor)
        without = tuple(sorted(w for w in re.findall(r"[a-z]+", plain(vendor)) if len(w) > 1))
        device = product_name(model, without)
        for series in self._series.values():
            if not self._makers.agree(keys, self._makers.keys(series.vendor)):
                continue
            best = max(
                (
                    closeness(claim, owned)
                    for text in models_of(series.model)
                    for claim in product_name(text, without).names
                    for owned in device.names
                ),
                key=lambda likeness: likeness.closeness,
                default=None,
            )
            if best is not None and best.closeness is not Closeness.OTHER:
                yield Fit(series.id, best.closeness, f"its maker agrees, and its model: {best.why}")

    def _age(self, series: str) -> tuple[str, int]:
        each = self._series[series]
        return each.released, each.imported_ns


def models_of(text: str) -> tuple[str, ...]:
    """Return the models that the header of a form lists; makers write one form for several.

    What stands between commas counts as a whole and in its parts: ``MX400, MX450`` and ``Aurora, Borealis``.
    """
    whole = [part.strip() for part in re.split(r"[;\n\r\u2022]", text) if part.strip()]
    parts = [each.strip() for part in whole for each in re.split(r",\s+(?=[A-Z])", part) if each.strip()]
    return tuple(dict.fromkeys((*whole, *parts)))


def maker_key(vendor: str, own: Aliases | None = None) -> str:
    """Return the key under which forms of a maker are kept together, whatever its spelling."""
    makers = Makers(packaged_aliases() if own is None else packaged_aliases().added(own))
    return "|".join(sorted(makers.keys(vendor))) or plain(vendor)
