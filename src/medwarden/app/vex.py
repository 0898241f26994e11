"""VEX: the hospital's verdicts as documents, and documents of others as statements on verdicts.

A statement never hides a confirmed vulnerability in silence: it counts by itself only where its author is
the maker of the device, otherwise it waits for a person. Either way the verdict says whose word it is, and
the word ends after the days of the rules.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medwarden.app.knowledge_settings import SyncSettings, publishers_by_key, read_settings
from medwarden.app.publisher_keys import bind_known, proves
from medwarden.app.vulnerabilities import own_aliases
from medwarden.app.vulnerability_findings import tell
from medwarden.app.work import own_rules
from medwarden.feeds.versions import spans_of
from medwarden.feeds.vouching import LONGEST_PUBLISHER, is_among
from medwarden.kernel.clock import Clock, wall_clock
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.vulnerability import MatchState, ProductClaim, ProductStatus, Provenance, Vulnerability
from medwarden.risk.matching.engine import Engine
from medwarden.risk.matching.names import Makers, packaged_aliases
from medwarden.risk.work.vex.reading import read_vex, text
from medwarden.risk.work.vex.statement import JUSTIFICATIONS, Problem, Statement, VexStatus

if TYPE_CHECKING:
    from medwarden.risk.matching.profile import Profile
    from medwarden.store.models import VexStatement
    from medwarden.store.vex import Weighed

_HERE = Provenance("vex", "imported statement")
_CLAIMED = {
    VexStatus.NOT_AFFECTED: ProductStatus.NOT_AFFECTED,
    VexStatus.FIXED: ProductStatus.FIXED,
    VexStatus.AFFECTED: ProductStatus.AFFECTED,
    VexStatus.UNDER_INVESTIGATION: ProductStatus.UNDER_INVESTIGATION,
}
_OWN_PRODUCT = re.compile(r"(?:^|/)(vp-[0-9a-hjkmnp-tv-z]{13})$")
"""The id of a profile at the end of an address: a product of a document that was made here."""
_CONCERNING = (MatchState.CONFIRMED.value, MatchState.POTENTIAL.value)


class TakenIn(msgspec.Struct, frozen=True):
    """What a document came to: its id, whose word it is, and how many statements ended how.

    ``checked`` says whether a signature of its publisher held, empty where nobody looked for one; ``signer``
    is whom the key with ``fingerprint`` names that signed it.
    """

    id: str
    author: str
    form: str
    statements: int
    states: dict[str, int]
    problems: tuple[Problem, ...]
    checked: str = ""
    fingerprint: str = ""
    signer: str = ""


class Checked(msgspec.Struct, frozen=True):
    """What was found of a document's digest and signature, in a sentence, and who signed it.

    ``publishers`` are those whose word the key proves: whether the document is of one of them is seen when it
    is read.
    """

    sentence: str = ""
    fingerprint: str = ""
    signer: str = ""
    publishers: tuple[str, ...] = ()

    def said_of(self, author: str) -> str:
        """Return the sentence for a document of an author."""
        if is_among(author, self.publishers):
            return "the signature of its publisher holds"
        if self.publishers:
            return f"{self.sentence}, not for {author}: who signs for one does not speak for another"
        return self.sentence


_UNCHECKED = Checked()


def take_in(
    home: Path,
    tenant: str,
    document: bytes,
    source: str,
    *,
    actor: str,
    author: str = "",
    reason: str = "",
    checked: Checked = _UNCHECKED,
) -> TakenIn:
    """Take a VEX document in (OpenVEX, CSAF or CycloneDX) on an open store.

    ``author`` says whose word it is where the document does not, ``checked`` what was found of its signature
    (kept with it and in the audit). Raises MalformedInput where it is no such document, ConfigurationError
    where nobody is named or the file was imported already.
    """
    from medwarden.store.changes import Change
    from medwarden.store.vex import documents, keep_document

    reading = read_vex(document, source)
    whose = reading.author or text(author, "author", longest=LONGEST_PUBLISHER)
    if not whose:
        raise ConfigurationError("the document names no author: say whose word it is")
    bind_known(home)
    found = checked.said_of(whose)
    claims = [claim_of(statement) for statement in reading.statements]
    digest = hashlib.sha256(document).hexdigest()
    name = source.rpartition("/")[2]
    why = reason or f"VEX document {name[:80]}" + (f" ({found})" if found else "")
    with Change(actor, why, tenant=tenant) as change:
        row = keep_document(
            change, reading, author=whose, source=name, digest=digest, claims=claims,
            checked=found, fingerprint=checked.fingerprint, signer=checked.signer,
        )  # fmt: skip
    weigh(home, tenant)
    states = next(d.statements for d in documents(tenant) if d.id == row.pk)
    return TakenIn(
        row.pk, whose, reading.form, len(reading.statements), states, reading.problems, found,
        checked.fingerprint, checked.signer,
    )  # fmt: skip


def claim_of(statement: Statement) -> dict[str, object]:
    """Return the product of a statement as matching takes it, as plain values."""
    product = statement.product
    cpe = product.cpe if product.cpe.startswith("cpe:2.3:") else ""
    part = cpe.split(":")[2] if cpe else ""
    claim = ProductClaim(
        status=_CLAIMED[statement.says],
        vendor=product.vendor,
        product=product.product,
        version=product.version,
        spans=spans_of(product.version) if product.version else (),
        part=part if part in ("h", "o", "a") else "",
        cpe=cpe,
        purl=product.purl,
        name=product.name,
    )
    found: dict[str, object] = msgspec.to_builtins(claim)
    return found


def weigh(home: Path, tenant: str, clock: Clock = wall_clock) -> int:
    """Compare all statements that count or wait with today's devices; return how many moved.

    A maker's statement counts for devices that came later too, and so does one that a person accepted.
    """
    from medwarden.store.changes import Change
    from medwarden.store.vex import (
        COUNTING,
        devices_by_profile,
        let_count,
        live_statements,
        open_pairs,
        record_weighed,
        withdraw,
        words_in_force,
    )
    from medwarden.store.vulnerabilities import profiles_in_use

    bind_known(home)
    rows = live_statements(tenant)
    if not rows:
        return 0
    verdicts = open_pairs(tenant, {name for row in rows for name in row.names})
    profiles = profiles_in_use(tenant)
    weighed = _weighed(home, rows, verdicts, profiles, words_in_force(tenant, clock()))
    days = own_rules(home).vex_days
    settings = read_settings(home)
    unproven = [
        row
        for row in rows
        if row.state == "counts" and weighed[row.pk].state == "waiting" and _forged(row, settings)
    ]
    with Change("rule:vex", "VEX statements weighed", "vex 1", tenant=tenant, clock=clock) as change:
        moved = record_weighed(change, weighed, devices_by_profile(tenant))
        counting = [row for row in live_statements(tenant) if row.state in COUNTING and row.effect]
        changed = withdraw(change, unproven)
        for row in counting:
            who = row.decided_by or f"vex:{row.document.author}"
            changed |= let_count(change, [row], days=days, actor=who)
    _tell(tenant, changed)
    return len(moved)


def _weighed(
    home: Path,
    rows: Sequence[VexStatement],
    verdicts: Mapping[str, Mapping[str, str]],
    profiles: Mapping[str, Profile],
    words: Mapping[tuple[str, str], str],
) -> dict[int, Weighed]:
    from medwarden.store.vex import Weighed, source_of

    makers = Makers(packaged_aliases().added(own_aliases(home)))
    wanted = [row for row in rows if row.says != VexStatus.UNDER_INVESTIGATION.value]
    meant = _meant(home, wanted, profiles)
    settings = read_settings(home)
    found: dict[int, Weighed] = {}
    for row in rows:
        if row.says == VexStatus.UNDER_INVESTIGATION.value:
            found[row.pk] = Weighed("noted")
            continue
        here = meant.get(row.pk, set())
        if not here:
            found[row.pk] = Weighed("unmatched")
            continue
        said = {
            profile: state
            for name in row.names
            for profile, state in verdicts.get(name, {}).items()
            if profile in here and words.get((profile, name), source_of(row)) == source_of(row)
        }
        found[row.pk] = _one(row, here, said, makers, profiles, settings)
    return found


def _one(
    row: VexStatement,
    here: set[str],
    said: Mapping[str, str],
    makers: Makers,
    profiles: Mapping[str, Profile],
    settings: SyncSettings,
) -> Weighed:
    from medwarden.store.vex import Weighed

    concerned = {profile for profile, state in said.items() if state in _CONCERNING}
    if row.says == VexStatus.AFFECTED.value:
        against = here - concerned
        return Weighed("conflict", tuple(sorted(against))) if against else Weighed("agrees")
    if not concerned:
        return Weighed("agrees")
    author = makers.keys(row.document.author)
    unproven = _forged(row, settings) or (row.state != "counts" and _bare(row, settings, makers))
    own = {
        profile
        for profile in concerned
        if row.document.by_vendor
        and not unproven
        and author
        and profiles[profile].vendor
        and makers.agree(author, makers.keys(profiles[profile].vendor))
    }
    if own == concerned:
        return Weighed("counts", tuple(sorted(concerned)))
    return Weighed("waiting", tuple(sorted(concerned)))


def _forged(row: VexStatement, settings: SyncSettings) -> bool:
    """Tell whether a document is signed with a key that does not prove its author's word.

    Nobody compared that key, or it was compared with somebody else's: anybody can make such a one.
    """
    document = row.document
    return bool(document.fingerprint) and not proves(settings, document.fingerprint, document.author)


def _bare(row: VexStatement, settings: SyncSettings, makers: Makers) -> bool:
    """Tell whether a document is not signed though a key of its author is known here.

    Who cannot sign in a maker's name would leave the signature away. What counted before the key was known
    stays.
    """
    author = makers.keys(row.document.author)
    return not row.document.fingerprint and any(
        makers.agree(author, makers.keys(publisher))
        for bound in publishers_by_key(settings).values()
        for publisher in bound
    )


def _meant(home: Path, rows: Sequence[VexStatement], profiles: Mapping[str, Profile]) -> dict[int, set[str]]:
    """Return the profiles that each statement speaks of, by the same matching as advisories."""
    engine = Engine(own_aliases(home))
    found: dict[int, set[str]] = {}
    says = {}
    for row in rows:
        own = _OWN_PRODUCT.search(row.product)
        if own is not None and own.group(1) in profiles:
            found.setdefault(row.pk, set()).add(own.group(1))
            continue
        claim = msgspec.convert(row.claim, ProductClaim)
        if claim.product or claim.purl:
            says[str(row.pk)] = row.says
            engine.add_vulnerability(Vulnerability(str(row.pk), "", "", _HERE, claims=(claim,)))
    if not says:
        return found
    for key, profile in profiles.items():
        for match in engine.judge(profile):
            if _fits(match.state, says[match.vulnerability]):
                found.setdefault(int(match.vulnerability), set()).add(key)
    return found


def _fits(state: MatchState, says: str) -> bool:
    """Tell whether a product is certainly the one a statement is about; doubt is not enough."""
    if says == VexStatus.AFFECTED.value:
        return state is MatchState.CONFIRMED
    return state is (MatchState.FIXED if says == VexStatus.FIXED.value else MatchState.NOT_AFFECTED)


def _tell(tenant: str, profiles: set[str]) -> None:
    from medwarden.store.queries.vulnerabilities import members_of

    for site, devices in members_of(profiles).items():
        tell(tenant, site, devices)


# ---------------------------------------------------------------- decisions


def decide(home: Path, tenant: str, ids: Sequence[int], *, accept: bool, actor: str, reason: str) -> int:
    """Accept or refuse statements that wait; return for how many devices a verdict changed."""
    from medwarden.store.changes import Change
    from medwarden.store.vex import decide as settle
    from medwarden.store.vex import devices_by_profile, statements_named

    days = own_rules(home).vex_days
    with Change(actor, reason.strip(), tenant=tenant) as change:
        changed = settle(change, statements_named(tenant, ids), accept=accept, days=days)
    _tell(tenant, changed)
    members = devices_by_profile(tenant)
    return sum(members.get(profile, 0) for profile in changed)


def reopen(tenant: str, id: int, *, actor: str, reason: str) -> None:
    """Take a person's decision on a statement back: it waits again."""
    from medwarden.store.changes import Change
    from medwarden.store.vex import reopen_statement, statements_named

    with Change(actor, reason.strip() or "taken back", tenant=tenant) as change:
        changed = reopen_statement(change, statements_named(tenant, [id])[0])
    _tell(tenant, changed)


def take_back(tenant: str, name: str, *, actor: str, reason: str) -> int:
    """Take an imported document back; return for how many kinds of devices a verdict changed."""
    from medwarden.store.changes import Change
    from medwarden.store.vex import document_named
    from medwarden.store.vex import take_back as withdraw

    with Change(actor, reason.strip() or "taken back", tenant=tenant) as change:
        changed = withdraw(change, document_named(tenant, name))
    _tell(tenant, changed)
    return len(changed)


def justified(word: str) -> str:
    """Return a justification of VEX. Raises ConfigurationError for any other word."""
    if word and word not in JUSTIFICATIONS:
        raise ConfigurationError(
            f"{word[:40]!r} is no justification: use {', '.join(sorted(JUSTIFICATIONS))}"
        )
    return word
