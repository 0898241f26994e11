"""The sentence of a verdict: what the source names, what the device is, what follows and why."""

from __future__ import annotations

from medwarden.model.vulnerability import Aspect, MatchState, ProductClaim, ProductStatus
from medwarden.risk.matching.names import plain, shown
from medwarden.risk.matching.profile import Profile


def vendor_words(profile: Profile, claim: ProductClaim, agrees: bool | None) -> str:
    """Return how the makers of a device and of a claim compared."""
    if agrees is None:
        return "the device's maker is not known"
    if plain(profile.vendor) == plain(claim.vendor):
        return "the same maker"
    if profile.vendor_in_model:
        return f"the device's name begins with {profile.vendor}"
    return f"{profile.vendor} and {claim.vendor.strip()} are one maker or one house"


def sentence(
    claim: ProductClaim,
    profile: Profile,
    source: str,
    state: MatchState,
    aspects: tuple[Aspect, ...],
    version: Aspect,
    unsure: str,
) -> str:
    """Return the sentence of a verdict: what the source names, what the device is, and what follows."""
    product = aspects[1]
    status = {
        ProductStatus.NOT_AFFECTED: "as not affected",
        ProductStatus.FIXED: "as fixed",
        ProductStatus.UNDER_INVESTIGATION: "as under investigation",
    }.get(claim.status, "as affected")
    named, maker = shown(product.claim_value), shown(claim.vendor)
    if not plain(named).startswith(plain(maker)):
        named = f"{maker} {named}".strip()
    wanted = shown(version.claim_value)
    start = f"{source} names {named}, {wanted}, {status}"
    doubts = [
        f"it only counts for '{shown(_as_written(a.claim_value, claim))}', and {a.why}"
        if a.name == "platform" and a.agrees is None
        else a.why
        for a in aspects
        if a.agrees is None
    ]
    if unsure:
        doubts.append(f"the inventory is not sure of the {unsure}")
    own = version.device_value
    article = "an" if profile.label[:1].lower() in "aeiou" else "a"
    device = f"the device is {article} {profile.label}" + (
        f" with version {own}" if own and version.evidence_field in ("firmware", "os_version") else ""
    )
    match state:
        case MatchState.CONFIRMED:
            tail = f"; {device}: it is affected."
        case MatchState.POTENTIAL:
            why = "; ".join(doubts) or "the source is still looking into it"
            tail = f"; {device}: it may be affected, because {why}."
        case MatchState.FIXED:
            tail = f"; {device}: " + (
                "so it is fixed."
                if claim.status is ProductStatus.FIXED
                else f"{version.why}, so it is fixed."
            )
        case _:
            against = next((a for a in aspects if a.agrees is False), version)
            tail = f"; {device}: {against.why}, so it is not affected."
    return start + tail


def _as_written(conditions: str, claim: ProductClaim) -> str:
    """Return conditions in the letters in which the source writes them."""
    said = f"{claim.product} {claim.version}"
    found = ((said.lower().find(each), each) for each in conditions.split("; "))
    return "; ".join(said[at : at + len(each)] if at >= 0 else each for at, each in found)
