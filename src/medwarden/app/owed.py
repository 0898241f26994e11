"""Take up what a commit left to be done at a site, whoever it was that left it.

Uses a store that is open already, late imports included: what is owed leads to whoever can do it.
"""

from __future__ import annotations

import logging

from medwarden.kernel.errors import MalformedInput, ResourceError

_log = logging.getLogger(__name__)


def take_up(tenant: str, site: str) -> None:
    """Do what is owed to a site and its tenant; what fails stays owed.

    Books are compared at most every few minutes (:func:`medwarden.app.reconcile.follow`).
    """
    from medwarden.app.attributes import fill_owed
    from medwarden.app.reconcile import follow
    from medwarden.store.owed import Work, owed

    due = owed(tenant, site)
    if Work.LEARNT in due:
        _keep_in_line(tenant)
    if Work.ATTRIBUTES in due:
        fill_owed(tenant, site)
    if Work.BOOKS in due:
        follow(tenant, site)


def _keep_in_line(tenant: str) -> None:
    """Label by what is in force, and have devices judged anew that other labels judged.

    Files that cannot be read or written are named, and it stays owed: what was in use goes on.
    """
    from medwarden.app.learning import keep_in_line
    from medwarden.app.worker import renew

    try:
        keep_in_line(tenant)
    except (MalformedInput, ResourceError) as error:
        _log.warning("what people taught is not in use: %s", error)
        return
    renew()
