"""What a maker discloses of a device (MDS2), as far as it makes trouble more or less likely.

What a form says is a maker's word, not something that was seen: it counts less than what was seen, and not at
all where what was heard contradicts it.
"""

from __future__ import annotations

from typing import ClassVar

from medwarden.model.device import Device
from medwarden.model.finding import Severity
from medwarden.model.mds2 import Disclosure
from medwarden.risk.context import RiskContext
from medwarden.risk.factor import Advice, Group, Hit, RiskFactor
from medwarden.risk.facts import quantity
from medwarden.risk.mds2 import differences_of
from medwarden.risk.mds2_difference import quoted

_SHARE = {
    Severity.CRITICAL: 1.0, Severity.HIGH: 1.0, Severity.MEDIUM: 0.6, Severity.LOW: 0.3, Severity.INFO: 0.1,
}  # fmt: skip


def _form(device: Device, context: RiskContext) -> Disclosure | None:
    return context.disclosures.get(device.id)


def _contradicted(device: Device, context: RiskContext) -> frozenset[str]:
    """Return the claims that what was heard does not bear out."""
    return frozenset(name for each in differences_of(device, context) for name in each.claims)


class DisclosureContradicted:
    """What was heard differs from what the maker says: nobody knows how the device is really set up."""

    id: ClassVar[str] = "mds2_contradicted"
    title: ClassVar[str] = "Not as its maker declares"
    group: ClassVar[Group] = Group.LIFECYCLE
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply by the gravest difference, a little more for every further one."""
        found = differences_of(device, context)
        if not found:
            return None
        strength = min(1.0, _SHARE[found[0].severity] + 0.1 * (len(found) - 1))
        more = f" and {quantity(len(found) - 1, 'further difference')}" if len(found) > 1 else ""
        return Hit(
            f"{found[0].title}{more}.", tuple(e for each in found for e in each.evidence)[:8], strength
        )


class DisclosedUnpatched:
    """By its maker's word nobody may bring the software up to date, or the maker does not repair it."""

    id: ClassVar[str] = "mds2_unpatched"
    title: ClassVar[str] = "Security updates hard to come by"
    group: ClassVar[Group] = Group.LIFECYCLE
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where updates are needed but the hospital may not install them; less where service does."""
        form = _form(device, context)
        if form is None or form.says("updates_needed") is False or form.says("owner_patches") is not False:
            return None
        if form.says("automatic_updates") is True or form.says("remote_patching") is True:
            return None
        by_service = form.says("vendor_patches_only") is True
        _, words, evidence = quoted(form, "owner_patches", "vendor_patches_only")
        who = "Only the maker's service may install" if by_service else "The hospital may not install"
        return Hit(
            f"{who} security updates, by the maker's form ({words}).", evidence, 0.6 if by_service else 1.0
        )


class DisclosedAccounts:
    """By its maker's word passwords cannot be changed, or users share accounts."""

    id: ClassVar[str] = "mds2_accounts"
    title: ClassVar[str] = "Fixed passwords or shared accounts"
    group: ClassVar[Group] = Group.CREDENTIALS
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply fully where passwords are fixed, less where nobody has to log in or accounts are shared."""
        form = _form(device, context)
        if form is None:
            return None
        if form.says("passwords_changeable") is False:
            name, why, strength = "passwords_changeable", "Not all of its passwords can be changed", 1.0
        elif form.says("login_required") is False:
            name, why, strength = "login_required", "It can be used without logging in", 0.6
        elif form.says("shared_accounts") is True:
            name, why, strength = "shared_accounts", "Its users share accounts", 0.4
        elif form.says("unique_accounts") is False:
            name, why, strength = "unique_accounts", "Its users have no accounts of their own", 0.4
        else:
            return None
        _, words, evidence = quoted(form, name)
        return Hit(f"{why}, by the maker's form ({words}).", evidence, strength)


class DisclosedUnprotectedData:
    """By its maker's word it keeps patient data and cannot encrypt them."""

    id: ClassVar[str] = "mds2_unencrypted_data"
    title: ClassVar[str] = "Patient data kept unencrypted"
    group: ClassVar[Group] = Group.DATA
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where patient data are kept and stored data cannot be encrypted."""
        form = _form(device, context)
        if form is None or form.says("phi_kept") is not True or form.says("encrypted_at_rest") is not False:
            return None
        _, words, evidence = quoted(form, "phi_kept", "encrypted_at_rest")
        return Hit(f"It keeps patient data and cannot encrypt them, by the maker's form ({words}).", evidence)


class DisclosedNoMalwareControl:
    """By its maker's word nothing on the device stands against malware."""

    id: ClassVar[str] = "mds2_no_malware_control"
    title: ClassVar[str] = "Nothing against malware"
    group: ClassVar[Group] = Group.LIFECYCLE
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where anti-malware software, a list of programs and stand-ins are all denied."""
        form = _form(device, context)
        if form is None or form.says("anti_malware_supported") is not False:
            return None
        others = ("anti_malware", "application_control", "malware_compensated", "kiosk_mode")
        if any(form.says(name) is True for name in others):
            return None
        _, words, evidence = quoted(form, "anti_malware_supported", "application_control")
        return Hit(f"Nothing on it stands against malware, by the maker's form ({words}).", evidence)


class DisclosedRemoteService:
    """By its maker's word the device is serviced from afar, and nobody here has to start it."""

    id: ClassVar[str] = "mds2_remote_service"
    title: ClassVar[str] = "Service from afar"
    group: ClassVar[Group] = Group.EXPOSURE
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply fully where the hospital need not start a session, by half where that is left open."""
        form = _form(device, context)
        if form is None or form.says("remote_service") is not True:
            return None
        started = form.says("remote_service_by_owner")
        if started is True:
            return None
        _, words, evidence = quoted(form, "remote_service", "remote_service_by_owner")
        return Hit(
            f"It is serviced from afar without somebody here starting it, by the maker's form ({words}).",
            evidence,
            1.0 if started is False else 0.5,
        )


class _DeclaredControl:
    """A control that the maker declares and nothing that was heard contradicts."""

    id: ClassVar[str]
    title: ClassVar[str]
    group: ClassVar[Group] = Group.CONTROL
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None
    claim: ClassVar[str]
    why: ClassVar[str]

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where the form says yes, and what was heard does not say no to its other claims."""
        form = _form(device, context)
        if form is None or form.says(self.claim) is not True or _contradicted(device, context):
            return None
        _, words, evidence = quoted(form, self.claim)
        return Hit(f"{self.why}, by the maker's form ({words}).", evidence)


class DeclaredApplicationControl(_DeclaredControl):
    """Only listed programs run."""

    id: ClassVar[str] = "mds2_application_control"
    title: ClassVar[str] = "Only listed programs run"
    claim: ClassVar[str] = "application_control"
    why: ClassVar[str] = "Only listed programs run on it"


class DeclaredFirewall(_DeclaredControl):
    """A firewall of its own."""

    id: ClassVar[str] = "mds2_host_firewall"
    title: ClassVar[str] = "A firewall of its own"
    claim: ClassVar[str] = "host_firewall"
    why: ClassVar[str] = "It has a firewall of its own"


FACTORS: tuple[RiskFactor, ...] = (
    DisclosureContradicted(),
    DisclosedUnpatched(),
    DisclosedAccounts(),
    DisclosedUnprotectedData(),
    DisclosedNoMalwareControl(),
    DisclosedRemoteService(),
    DeclaredApplicationControl(),
    DeclaredFirewall(),
)
