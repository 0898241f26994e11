"""Fuzz one dissector by name: any bytes in, facts or one MalformedInput out, quickly, however they are cut.

    .venv/bin/python fuzz/fuzz_dissector.py dicom --seconds 60
    .venv/bin/python fuzz/fuzz_dissector.py --all --seconds 5
    .venv/bin/python fuzz/fuzz_dissector.py dicom --replay fuzz/crashes/dicom-0123456789abcdef.bin
    .venv/bin/python fuzz/fuzz_dissector.py --all --make-corpus     (seeds anew from tests/dissect/cases)

Seeds are the files of ``fuzz/corpus/<name>/``. With atheris installed (``--atheris``) coverage guides the
mutation; without, the loop of ``engine.py`` keeps every input that leads to a new outcome.

An input is a conversation: for each segment one octet (bit 0: from the client, bits 1-2: transport, TCP, UDP
or Ethernet among those of the manifest) and two octets of length, then the payload.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Hashable, Iterator, Sequence
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from fuzz.engine import CORPUS, Finding, Target, command, committed  # noqa: E402
from fuzz.words import word  # noqa: E402

from medwarden.dissect.phi import Tokeniser  # noqa: E402
from medwarden.dissect.registry import dissectors  # noqa: E402
from medwarden.kernel.errors import MalformedInput  # noqa: E402
from medwarden.model.evidence import MAX_VALUE  # noqa: E402
from medwarden.model.segment import Dissector, Segment, Transport  # noqa: E402

CASES = ROOT / "tests" / "dissect" / "cases"
MAX_INPUT = 8192
WHOLE = 1 << 20
PIECES = (*(0,) * 12, 1, 2, 3, 7)
"""How a stream is cut: mostly in a few places anywhere, which is as good as in many and takes less time."""
MOST_PIECES = 512
TOKENISER = Tokeniser(b"only for the fuzzer.............")

LENGTHS = {"eapol": (2, 2, 4), "ike": (24, 4, 0), "radius": (2, 2, 0), "log-ipfix": (2, 2, 0)}
"""Where a message says its length: offset, octets, and how many octets it does not count."""

Conversation = list[tuple[int, bytes]]
Outcome = tuple[frozenset[tuple[str, str]], str]


def unpack(data: bytes) -> Conversation:
    """Read a conversation; any bytes are one."""
    conversation: Conversation = []
    at = 0
    while at + 3 <= len(data) and len(conversation) < 64:
        length = int.from_bytes(data[at + 1 : at + 3], "big")
        conversation.append((data[at], data[at + 3 : at + 3 + length]))
        at += 3 + length
    return conversation


def pack(conversation: Conversation) -> bytes:
    """Write a conversation; payloads beyond 65,535 octets are cut."""
    return b"".join(
        bytes((flags,)) + len(payload[:65535]).to_bytes(2, "big") + payload[:65535]
        for flags, payload in conversation
    )


def carried_by(member: type[Dissector], flags: int) -> Transport:
    """Return what carries a payload with these flags."""
    transports = member.manifest.transports
    return transports[(flags >> 1) % len(transports)]


def pieces(payload: bytes, piece: int, chance: random.Random) -> Iterator[bytes]:
    """Yield a payload in pieces of ``piece`` octets, or in a few of any size where that is 0."""
    if piece:
        ends: Sequence[int] = range(piece, len(payload), piece)
    else:
        ends = sorted(chance.randrange(len(payload)) for _ in range(chance.choice((1, 2, 4, 8))))
    start = 0
    for end in (*ends, len(payload)):
        if end > start:
            yield payload[start:end]
            start = end


def segments(
    member: type[Dissector], conversation: Conversation, piece: int, chance: random.Random
) -> Iterator[Segment]:
    """Yield the segments of a conversation, TCP payloads in :func:`pieces`."""
    manifest = member.manifest
    port = (manifest.ports or (9,))[0]
    ethertype = (manifest.ethertypes or (0,))[0]
    offsets = [0, 0]
    for flags, payload in conversation:
        if not payload:
            continue
        from_client = bool(flags & 1)
        transport = carried_by(member, flags)
        ends = ("02:00:00:00:00:10", "02:00:00:00:00:20", "192.0.2.10", "192.0.2.20")
        ports = (50000, port)
        if not from_client:
            ends, ports = (ends[1], ends[0], ends[3], ends[2]), (port, 50000)
        ethernet = transport is Transport.ETHERNET
        if ethernet:
            ports = (0, 0)
        for part in pieces(payload, piece, chance) if transport is Transport.TCP else (payload,):
            yield Segment(
                1, 1, transport, *ends, *ports, None, from_client, part,
                offsets[from_client], False, ethertype if ethernet else 0,
            )  # fmt: skip
            offsets[from_client] += len(part)


def run(member: type[Dissector], conversation: Conversation, piece: int, chance: random.Random) -> Outcome:
    """Feed a conversation and return what came out; raises Finding for what may not."""
    dissector = member()
    if hasattr(dissector, "tokeniser"):
        dissector.tokeniser = TOKENISER
    told: set[tuple[str, str]] = set()
    try:
        for segment in segments(member, conversation, piece, chance):
            for fact in dissector.feed(segment):
                if fact.field not in member.manifest.fields:
                    raise Finding(f"{fact.field} is not in the manifest")
                if not fact.value or len(fact.value) > MAX_VALUE or not fact.value.isprintable():
                    raise Finding(f"{fact.field} has the value {fact.value!r}")
                told.add((fact.field, fact.value))
            if getattr(dissector, "done", False):
                break
    except MalformedInput as error:
        return frozenset(told), error.reason
    return frozenset(told), ""


def check(member: type[Dissector], data: bytes, chance: random.Random) -> Outcome:
    """Hold one input to all rules; raises Finding or whatever escaped the dissector."""
    conversation = unpack(data)
    for flags, payload in conversation:
        if member.recognises(payload, bool(flags & 1)) not in (True, False):
            raise Finding("recognises() answered neither yes nor no")
    whole = run(member, conversation, WHOLE, chance)
    stream = sum(
        len(payload) for flags, payload in conversation if carried_by(member, flags) is Transport.TCP
    )
    if stream:
        piece = chance.choice(PIECES)
        cut = run(member, conversation, piece and max(piece, stream // MOST_PIECES), chance)
        if bool(whole[1]) is not bool(cut[1]) or (not whole[1] and whole[0] != cut[0]):
            raise Finding(f"cut differently it tells something else: {whole} and {cut}")
    return whole


def signature(member: type[Dissector], data: bytes, chance: random.Random) -> Hashable:
    """Return what makes an input new: the fields it tells, and why it ended."""
    told, reason = check(member, data, chance)
    return frozenset(field for field, _ in told), reason


def mutate(data: bytes, pool: Sequence[bytes], chance: random.Random, most: int = MAX_INPUT) -> bytes:
    """Return a changed copy of at most ``most`` bytes: flips, numbers, words, copies, cuts, other inputs."""
    result = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        at = chance.randrange(len(result) + 1)
        match chance.randrange(8):
            case 0 if result:
                result[min(at, len(result) - 1)] ^= 1 << chance.randrange(8)
            case 1 if result:
                result[min(at, len(result) - 1)] = chance.randrange(256)
            case 2:
                size = chance.choice((1, 2, 4))
                number = chance.choice((0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF))
                result[at : at + size] = (number & (1 << 8 * size) - 1).to_bytes(
                    size, chance.choice(("big", "little"))
                )
            case 3:
                del result[at : at + chance.choice((1, 2, 8, 64))]
            case 4:
                result[at:at] = chance.randbytes(chance.choice((1, 2, 8, 32)))
            case 5:
                other = chance.choice(pool)
                start = chance.randrange(len(other) + 1)
                result[at:at] = other[start : start + chance.choice((4, 16, 64, 256))]
            case 6:
                result[at:at] = word(chance)
            case _:
                size = chance.choice((1, 4, 32, 128))
                result[at:at] = result[at : at + size] * chance.choice((1, 2, 8))
    return bytes(result[:most])


def damaged(payload: bytes, other: bytes, chance: random.Random) -> bytes:
    """Return a payload with changes that leave what follows in its place: flips, octets, numbers, words."""
    result = bytearray(payload)
    for _ in range(chance.choice((1, 1, 1, 2, 4)) if result else 0):
        at = chance.randrange(len(result))
        match chance.randrange(5):
            case 0:
                result[at] ^= 1 << chance.randrange(8)
            case 1:
                result[at] = chance.randrange(256)
            case 2:
                size = min(chance.choice((1, 2, 4)), len(result) - at)
                number = chance.choice((0, 1, 2, 4, 0x7F, 0x80, 0xFF, 0xFFFF, 0xFFFFFFFF, len(result)))
                result[at : at + size] = (number & (1 << 8 * size) - 1).to_bytes(size, "big")
            case 3 if other:
                start = chance.randrange(len(other))
                piece = other[start : start + chance.choice((1, 2, 4, 16))][: len(result) - at]
                result[at : at + len(piece)] = piece
            case _:
                piece = word(chance)[: len(result) - at]
                result[at : at + len(piece)] = piece
    return bytes(result)


def mended(name: str, payload: bytes) -> bytes:
    """Return a message that says how long it is, where its protocol has it at one place."""
    if name not in LENGTHS:
        return payload
    at, size, beside = LENGTHS[name]
    length = len(payload) - beside
    if len(payload) < at + size or not 0 <= length < 1 << 8 * size:
        return payload
    return payload[:at] + length.to_bytes(size, "big") + payload[at + size :]


def mutate_conversation(name: str, data: bytes, pool: Sequence[bytes], chance: random.Random) -> bytes:
    """Return a changed conversation: mostly within one payload, so that all others stay whole.

    A length that a message says of itself is mended mostly; payloads are doubled, dropped and exchanged.
    """
    conversation = unpack(data)
    if not conversation or chance.random() < 0.25:
        return mutate(data, pool, chance)
    at = chance.randrange(len(conversation))
    flags, payload = conversation[at]
    others = unpack(chance.choice(pool)) or conversation
    other = chance.choice(others)
    match chance.randrange(10):
        case 0:
            conversation.insert(at, other)
        case 1:
            conversation.insert(at, (flags, payload))
        case 2 if len(conversation) > 1:
            del conversation[at]
        case 3 | 4 | 5:
            payload = mutate(payload, [other[1]], chance)
            if chance.random() < 0.8:
                payload = mended(name, payload)
            conversation[at] = flags, payload
        case _:
            conversation[at] = flags, damaged(payload, other[1], chance)
    return pack(conversation)[:MAX_INPUT]


def make_corpus(member: type[Dissector]) -> int:
    """Write the cases of a dissector as seeds; returns how many."""
    name = member.manifest.name
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for path in sorted((CASES / name).glob("*.json")):
        conversation: Conversation = []
        for entry in json.loads(path.read_text())["segments"]:
            kind = "hex" if "hex" in entry else "text"
            parts = [entry[kind]] if isinstance(entry[kind], str) else entry[kind]
            payload = bytes.fromhex("".join(parts)) if kind == "hex" else "".join(parts).encode("latin-1")
            transport = member.manifest.transports.index(Transport(entry.get("transport", "tcp")))
            conversation.append((transport << 1 | entry.get("from_client", True), payload))
        (folder / f"{path.stem}.bin").write_bytes(pack(conversation))
        count += 1
    return count


def targets() -> dict[str, Target]:
    """Return a target for every dissector, by the name of its manifest."""
    from fuzz import quic_seeds  # it needs what is defined here

    found = {}
    for member in dissectors():
        name = member.manifest.name
        change = quic_seeds.mutate if name == "quic" else partial(mutate_conversation, name)
        found[name] = Target(
            name,
            (member.__module__,),
            partial(signature, member),
            partial(committed, name),
            change,
            partial(make_corpus, member),
        )
    return found


if __name__ == "__main__":
    sys.exit(command(targets(), __doc__ or ""))
