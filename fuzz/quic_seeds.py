"""Initial packets of QUIC under keys that fit, so that damage gets behind their seal."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tests.dissect.test_quic import V1, V2, client_hello, crypto, initial

from fuzz import fuzz_dissector

_MOST = 1000
"""Octets of the frames of one packet, so that its datagram stays within the usual 1,200."""

_OTHER_FRAMES = (
    b"\x02\x41\0\0\x40\x40\0",
    b"\x03\0\0\x01\0\x02\0\1\2\3",
    b"\x1c\0\0\0",
)  # ACK, ACK with ECN, CONNECTION_CLOSE


def mutate(data: bytes, pool: Sequence[bytes], chance: random.Random) -> bytes:
    """Return datagrams with damaged frames or hellos, sealed anew, at times with others of the pool."""
    if chance.random() < 0.25:
        return fuzz_dissector.mutate_conversation("quic", data, pool, chance)
    hello = client_hello(chance.choice((0, 0, 1, 300)))
    if chance.random() < 0.7:
        hello = fuzz_dissector.damaged(hello, hello, chance)
    elif chance.random() < 0.5:
        hello = fuzz_dissector.mutate(hello, [hello], chance)
    cuts = sorted(chance.randrange(len(hello) + 1) for _ in range(chance.choice((0, 0, 1, 3))))
    frames = [
        crypto(hello[start:end][:_MOST], start)
        for start, end in zip([0, *cuts], [*cuts, len(hello)], strict=True)
    ]
    if chance.random() < 0.4:
        chance.shuffle(frames)
    destination = chance.randbytes(chance.choice((0, 1, 8, 8, 8, 20)))
    version = chance.choice((V1, V1, V2))
    said = []
    for number in range(chance.choice((1, 1, 2))):
        plain = b"".join(frames[number::2] if number or chance.random() < 0.3 else frames)[:_MOST]
        if chance.random() < 0.3:
            plain = fuzz_dissector.mutate(plain, [plain, *_OTHER_FRAMES], chance)[:_MOST]
        said.append((1, initial(plain, version, number, destination)))
    if chance.random() < 0.1:
        said += fuzz_dissector.unpack(chance.choice(pool))[:2]
    return fuzz_dissector.pack(said)[: fuzz_dissector.MAX_INPUT]
