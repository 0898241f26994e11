"""What is known of a product by its UDI-DI, or by maker and model: an index on this machine, made from files.

The index is one SQLite file. Companies, product codes and GMDN terms are kept once, so that four million
products take well under a gigabyte.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
from rapidfuzz import fuzz

from medwarden.kernel.errors import MalformedInput, ResourceError
from medwarden.knowledge.category_words import categories_of_product_code
from medwarden.knowledge.gudid_files import Alias, Code, Coded, Entry, Listing, Term, entries
from medwarden.knowledge.makers import short_name
from medwarden.knowledge.udi import parse_udi

FILE = "gudid.sqlite"
_AT_ONCE = 5000
_LONGEST = 300
_MOST_SKIPPED = 100
_MOST_CANDIDATES = 2000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS company (id INTEGER PRIMARY KEY, name TEXT UNIQUE, maker TEXT);
CREATE TABLE IF NOT EXISTS term (id INTEGER PRIMARY KEY, name TEXT UNIQUE, code TEXT);
CREATE TABLE IF NOT EXISTS code (code TEXT PRIMARY KEY, name TEXT, device_class TEXT, regulation TEXT,
    specialty TEXT, implant INTEGER, life_support INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS product (di TEXT PRIMARY KEY, brand TEXT, model TEXT, catalogue TEXT,
    company INTEGER, description TEXT, mri TEXT, sterile INTEGER, single_use INTEGER, status TEXT,
    published TEXT, model_key TEXT, brand_key TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS product_code (di TEXT, code TEXT, PRIMARY KEY (di, code)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS product_term (di TEXT, term INTEGER, PRIMARY KEY (di, term)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alias (other TEXT PRIMARY KEY, di TEXT) WITHOUT ROWID;
"""
_INDEXES = """
CREATE INDEX IF NOT EXISTS product_model ON product (model_key);
CREATE INDEX IF NOT EXISTS product_brand ON product (brand_key);
"""

_KEEP_FLAGS = """ ON CONFLICT (code) DO UPDATE SET name = excluded.name, device_class = excluded.device_class,
    regulation = excluded.regulation, specialty = excluded.specialty,
    implant = coalesce(excluded.implant, implant),
    life_support = coalesce(excluded.life_support, life_support)"""
# openFDA's records of products do not repeat the flags of the classification


class ProductCode(msgspec.Struct, frozen=True):
    """An FDA product code; ``device_class`` is 1 to 3, U, N, F or empty where the files do not say."""

    code: str
    name: str
    device_class: str = ""
    regulation: str = ""
    specialty: str = ""
    implant: bool | None = None
    life_support: bool | None = None


class Product(msgspec.Struct, frozen=True):
    """A product as its maker entered it. ``gmdn`` are pairs of term and code (empty where not published)."""

    di: str
    brand: str
    model: str
    catalogue: str
    company: str
    description: str
    mri_safety: str
    sterile: bool | None
    single_use: bool | None
    status: str
    published: str
    codes: tuple[ProductCode, ...]
    gmdn: tuple[tuple[str, str], ...]

    @property
    def categories(self) -> frozenset[str]:
        """Return the categories of the taxonomy that its product codes may belong to."""
        found: frozenset[str] = frozenset()
        for code in self.codes:
            found |= categories_of_product_code(code.code)
        return found


class Hit(msgspec.Struct, frozen=True):
    """A product that a look-up found, how well it fits (0 to 1), and why in words."""

    product: Product
    score: float
    why: tuple[str, ...]


class Built(msgspec.Struct, frozen=True):
    """What an import came to; ``skipped`` counts records left out, ``problems`` name the first of them."""

    products: int
    codes: int
    skipped: int
    problems: tuple[str, ...]


class Fact(msgspec.Struct, frozen=True):
    """One fact of a product for a device: field, value, and where it comes from."""

    field: str
    value: str
    source: str


def facts_of(hit: Hit) -> tuple[Fact, ...]:
    """Return what a product says as facts; each names the record and how it was found."""
    product = hit.product
    source = f"GUDID {product.di} ({'; '.join(hit.why)})"
    pairs = [
        ("udi_di", product.di),
        ("brand", product.brand),
        ("company", product.company),
        ("model", product.model),
        ("description", product.description),
        ("mri_safety", product.mri_safety),
        ("sterile", _word(product.sterile)),
        ("single_use", _word(product.single_use)),
        ("distribution", product.status),
    ]
    for code in product.codes:
        pairs += [
            ("product_code", code.code),
            ("product_code_name", code.name),
            ("fda_class", code.device_class),
            ("regulation", code.regulation),
            ("implant", _word(code.implant)),
            ("life_support", _word(code.life_support)),
        ]
    pairs += [("gmdn", name) for name, _ in product.gmdn]
    return tuple(Fact(f"gudid.{field}", value, source) for field, value in pairs if value)


def _word(truth: bool | None) -> str:
    return "" if truth is None else "yes" if truth else "no"


def _key(text: str) -> str:
    return re.sub(r"[^0-9a-z]", "", text.casefold())[:60]


def build(index: Path, files: Iterable[Path], progress: Callable[[int], None] | None = None) -> Built:
    """Take files into the index at ``index``, which is made where it is new. All of it or nothing.

    Known products are replaced. Raises MalformedInput for a file that is none of the published ones, and
    ResourceError where a disk or file fails.
    """
    return build_of(index, (entry for file in files for entry in entries(file)), progress)


def build_of(index: Path, found: Iterable[Entry], progress: Callable[[int], None] | None = None) -> Built:
    """Take entries into the index as :func:`build` does."""
    try:
        index.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(index)) as base:
            base.executescript("PRAGMA journal_mode=DELETE; PRAGMA cache_size=-65536;" + _SCHEMA)
            base.execute("BEGIN")
            try:
                built = _Builder(base, progress).take(found)
            except BaseException:
                base.rollback()
                raise
            base.commit()
            base.executescript(_INDEXES)
            return built
    except sqlite3.Error as error:
        raise ResourceError(f"{index}: {error}") from error
    except OSError as error:
        raise ResourceError(f"{index}: {error.strerror}") from error


class _Builder:
    """Writes entries in batches; memory holds one batch, and the companies and terms there are."""

    def __init__(self, base: sqlite3.Connection, progress: Callable[[int], None] | None) -> None:
        self._base = base
        self._progress = progress
        self._companies: dict[str, int] = dict(base.execute("SELECT name, id FROM company"))
        self._terms: dict[str, int] = dict(base.execute("SELECT name, id FROM term"))
        self._rows: dict[str, list[tuple[object, ...]]] = {}
        self._count = 0
        self._codes = 0
        self._skipped = 0
        self._problems: list[str] = []
        self._code_names: dict[str, str] = {}

    def take(self, found: Iterable[Entry]) -> Built:
        for entry in found:
            self._add(entry)
        for kind in list(self._rows):
            self._flush(kind)
        self._base.executemany(
            "INSERT OR IGNORE INTO code (code, name) VALUES (?, ?)", sorted(self._code_names.items())
        )
        return Built(self._count, self._codes, self._skipped, tuple(self._problems))

    def _add(self, entry: Entry) -> None:
        if isinstance(entry, Listing):
            self._count += 1
            if self._progress is not None and self._count % 20_000 == 0:
                self._progress(self._count)
            self._put("product", (
                entry.di, entry.brand[:_LONGEST], entry.model[:_LONGEST], entry.catalogue[:_LONGEST],
                self._company(entry.company[:_LONGEST]), entry.description[:_LONGEST], entry.mri_safety[:60],
                entry.sterile, entry.single_use, entry.status[:60], entry.published, _key(entry.model),
                _key(entry.brand),
            ))  # fmt: skip
        elif isinstance(entry, Coded):
            self._put("product_code", (entry.di, entry.code[:8]))
            if entry.name:
                self._code_names.setdefault(entry.code[:8], entry.name[:_LONGEST])
        elif isinstance(entry, Term):
            self._put("product_term", (entry.di, self._term(entry.name[:_LONGEST], entry.code[:12])))
        elif isinstance(entry, Alias):
            self._put("alias", (entry.other, entry.di))
        elif isinstance(entry, Code):
            self._codes += 1
            self._put("code", (
                entry.code[:8], entry.name[:_LONGEST], entry.device_class[:4], entry.regulation[:20],
                entry.specialty[:80], entry.implant, entry.life_support,
            ))  # fmt: skip
        else:
            self._skipped += 1
            if len(self._problems) < _MOST_SKIPPED:
                self._problems.append(f"{entry.where}: {entry.reason}")

    def _company(self, name: str) -> int:
        return self._once(self._companies, "company", name, short_name(name).casefold())

    def _term(self, name: str, code: str) -> int:
        return self._once(self._terms, "term", name, code)

    def _once(self, known: dict[str, int], table: str, name: str, beside: str) -> int:
        found = known.get(name)
        if found is None:
            found = known[name] = len(known) + 1
            self._put(table, (found, name, beside))
        return found

    def _put(self, table: str, row: tuple[object, ...]) -> None:
        rows = self._rows.setdefault(table, [])
        rows.append(row)
        if len(rows) >= _AT_ONCE:
            self._flush(table)

    def _flush(self, table: str) -> None:
        rows = self._rows[table]
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            more = _KEEP_FLAGS if table == "code" else ""
            how = "INSERT" if more else "INSERT OR REPLACE"
            self._base.executemany(f"{how} INTO {table} VALUES ({marks}){more}", rows)
            rows.clear()


class Gudid:
    """An index open for reading; close it, or use it as a context manager."""

    def __init__(self, index: Path) -> None:
        """Open the index. Raises ResourceError where there is none or it cannot be read."""
        if not index.is_file():
            raise ResourceError(
                f"{index}: there is no GUDID index: make it with `medwarden gudid import FILE`"
            )
        try:
            self._base = sqlite3.connect(f"file:{index}?mode=ro", uri=True, check_same_thread=False)
            self._base.execute("SELECT count(*) FROM company").fetchone()
        except sqlite3.Error as error:
            raise ResourceError(f"{index}: {error}") from error

    def __enter__(self) -> Gudid:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the index."""
        self._base.close()

    @property
    def size(self) -> int:
        """Return how many products there are."""
        return int(self._base.execute("SELECT count(*) FROM product").fetchone()[0])

    def by_udi(self, text: str) -> Hit | None:
        """Return the product of an UDI or a bare DI; None where it is not listed.

        Raises MalformedInput where ``text`` is no identifier and not listed as it stands either.
        """
        plain = text.strip()
        try:
            di = parse_udi(plain).di
        except MalformedInput:
            found = self._by_di(plain)
            if found is None:
                raise
            return found
        return self._by_di(di)

    def _by_di(self, di: str) -> Hit | None:
        product = self._product(di)
        if product is not None:
            return Hit(product, 1.0, (f"its device identifier is {di}",))
        row = self._base.execute("SELECT di FROM alias WHERE other = ?", (di,)).fetchone()
        product = None if row is None else self._product(row[0])
        if product is None:
            return None
        return Hit(product, 1.0, (f"{di} is another identifier of {product.di}",))

    def by_model(self, vendor: str, model: str, most: int = 5) -> list[Hit]:
        """Return products that a maker's model may be, the best fitting first; never one of another maker.

        The score is .4 for the maker, as its short name or by likeness of its words, and .6 for the model
        number, catalogue number or brand.
        """
        keys = {_key(model), *(_key(word) for word in model.split() if any(c.isdigit() for c in word))}
        wanted = sorted(key for key in keys if len(key) >= 3)
        if not wanted:
            return []
        marks = ", ".join("?" * len(wanted))
        rows = self._base.execute(
            "SELECT p.di, p.brand, p.model, p.catalogue, c.name, c.maker FROM product p"  # noqa: S608
            " JOIN company c ON c.id = p.company"
            f" WHERE p.model_key IN ({marks}) OR p.brand_key IN ({marks}) LIMIT {_MOST_CANDIDATES}",
            (*wanted, *wanted),
        )
        maker = short_name(vendor).casefold() if vendor else ""
        scored = []
        for di, brand, number, catalogue, company, known in rows:
            of_maker = (
                1.0 if maker and maker == known else fuzz.token_set_ratio(maker, company.casefold()) / 100
            )
            if maker and of_maker < 0.6:
                continue
            of_model, field, value = max(
                (fuzz.token_set_ratio(model.casefold(), v.casefold()) / 100, f, v)
                for f, v in (("model number", number), ("brand", brand), ("catalogue number", catalogue))
            )
            why = (
                f"maker {company!r} ({of_maker:.2f})" if maker else "no maker is known",
                f"{field} {value!r} ({of_model:.2f})",
            )
            scored.append((round(0.4 * (of_maker if maker else 0.0) + 0.6 * of_model, 4), di, why))
        scored.sort(key=lambda one: (-one[0], one[1]))
        hits = [(self._product(di), score, why) for score, di, why in scored[:most]]
        return [Hit(product, score, why) for product, score, why in hits if product is not None]

    def _product(self, di: str) -> Product | None:
        row = self._base.execute(
            "SELECT p.di, p.brand, p.model, p.catalogue, c.name, p.description, p.mri, p.sterile,"
            " p.single_use, p.status, p.published FROM product p LEFT JOIN company c"
            " ON c.id = p.company WHERE p.di = ?",
            (di,),
        ).fetchone()
        if row is None:
            return None
        terms = self._base.execute(
            "SELECT t.name, t.code FROM product_term x JOIN term t ON t.id = x.term"
            " WHERE x.di = ? ORDER BY 1",
            (di,),
        )
        texts = [text or "" for text in row]
        return Product(
            di=texts[0],
            brand=texts[1],
            model=texts[2],
            catalogue=texts[3],
            company=texts[4],
            description=texts[5],
            mri_safety=texts[6],
            sterile=_flag(row[7]),
            single_use=_flag(row[8]),
            status=texts[9],
            published=texts[10],
            codes=tuple(self._codes(di)),
            gmdn=tuple((name, code) for name, code in terms),
        )

    def _codes(self, di: str) -> Iterator[ProductCode]:
        rows = self._base.execute(
            "SELECT x.code, c.name, c.device_class, c.regulation, c.specialty, c.implant, c.life_support"
            " FROM product_code x LEFT JOIN code c ON c.code = x.code WHERE x.di = ? ORDER BY 1",
            (di,),
        )
        for code, name, device_class, regulation, specialty, implant, life in rows:
            yield ProductCode(
                code,
                name or "",
                device_class or "",
                regulation or "",
                specialty or "",
                _flag(implant),
                _flag(life),
            )


def _flag(stored: int | None) -> bool | None:
    return None if stored is None else bool(stored)
