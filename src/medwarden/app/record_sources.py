"""Everything that brings records rather than packets to one process: listeners, pollers, followed logs.

Import this module only once a store is open: it stands on the store's tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from medwarden.app.ingest import Ingest
from medwarden.app.listeners import Listener, ListenerSpec, open_listeners
from medwarden.app.log_follow import Follower
from medwarden.app.log_intake import setting_of
from medwarden.app.storekeeper import Storekeeper
from medwarden.model.accounting import InputReport
from medwarden.store.open import Store


class RecordSources:
    """The listeners and the follower of a process, which end together.

    All share the resolver of ``beside``, the ingest of an interface of the same process, or of the first
    of them. Raises as :func:`~medwarden.app.listeners.open_listeners` does.
    """

    def __init__(
        self,
        store: Store,
        keeper: Storekeeper,
        specs: Sequence[ListenerSpec],
        follow: Sequence[Path],
        *,
        site: str | None = None,
        time_zone: str = "UTC",
        beside: Ingest | None = None,
    ) -> None:
        self._listeners: list[Listener] = open_listeners(store, keeper, specs, site, beside=beside)
        self._follower: Follower | None = None
        self._folder: Ingest | None = None
        if follow:
            first = beside or next((listener.ingest for listener in self._listeners), None)
            sensor = "logs" if site is None else f"logs@{site}"
            self._folder = Ingest(store, sensor, kind="logs", site=site, name="followed logs", beside=first)
            setting = msgspec.structs.replace(setting_of(self._folder.token_key), time_zone=time_zone)
            self._follower = Follower(follow, self._folder, setting, bring=keeper.bring)

    @property
    def names(self) -> list[str]:
        """Return what is listened to, with the ports that were given out."""
        return [
            listener.spec.text
            if listener.address is None
            else f"{listener.spec.kind}://{listener.address[0]}:{listener.address[1]}"
            for listener in self._listeners
        ]

    def start(self) -> None:
        """Begin to take records in."""
        for listener in self._listeners:
            listener.start()
        if self._follower is not None:
            self._follower.start()

    def finish(self) -> list[InputReport]:
        """Take what has arrived, store it and return the account of each listener.

        Raises what ended a thread, once all have ended.
        """
        errors: list[BaseException] = []
        reports = []
        for listener in self._listeners:
            try:
                reports.append(listener.finish())
            except BaseException as error:  # noqa: BLE001 - raised below, when the others have ended too
                errors.append(error)
        if self._follower is not None:
            try:
                self._follower.stop()
            except BaseException as error:  # noqa: BLE001 - raised below
                errors.append(error)
        if errors:
            raise errors[0]
        return reports
