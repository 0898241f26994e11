"""Do not read again what equal payloads of equal conversations came to before.

Many devices of a kind say the same, and each says it again and again. Where a dissector states that what it
says follows ``from_payloads`` alone, and not from addresses, ports or times, a conversation that went like
another so far and goes on with the same payload comes to the same facts. :class:`RecallingObserver` finds out
what a payload comes to and writes it down as a :class:`~medwarden.flowcore.Step`;
:class:`~medwarden.flowcore.Router` follows known steps without asking. A conversation that leaves them is
read again from its beginning, so that its dissector stands where it would have stood.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence

from medwarden.dissect._core import Recalling
from medwarden.dissect.observer import CoreInterest, checked, interest_of, let_come, log
from medwarden.dissect.phi import Tokeniser
from medwarden.model.segment import Dissector


class RecallingObserver(Recalling):
    """An observer that says of each payload what it came to, for the next that is equal.

    A stream is followed when its first segment decides whose it is; anything else is only observed. Takes and
    does all that :class:`~medwarden.dissect.observer.Observer` does.
    """

    def __init__(
        self,
        token_key: bytes,
        members: Sequence[type[Dissector]] | None = None,
        max_flows: int = 200_000,
        pass_over: Callable[[int, bool], None] = let_come,
    ) -> None:
        self._members = checked(members)
        super().__init__(Counter(), Tokeniser(token_key), self._members, max_flows, pass_over, log)

    @property
    def core_interest(self) -> CoreInterest:
        """Return what all manifests together ask of the flow core."""
        return interest_of(self._members)

    @property
    def stream_ports(self) -> Collection[int]:
        """TCP ports that make a difference."""
        return self.ports(True)

    @property
    def datagram_ports(self) -> Collection[int]:
        """UDP ports that make a difference."""
        return self.ports(False)
