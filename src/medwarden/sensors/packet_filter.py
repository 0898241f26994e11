"""Classic BPF for one device: a program that lets the packets of its addresses through, and no other.

The instruction set is that of the Linux kernel (Documentation/networking/filter.rst), first described by
McCanne and Jacobson (USENIX Winter 1993). The program finds MAC addresses in the Ethernet head and IP
addresses behind at most one VLAN tag; ARP is the device's where one of its addresses is sender or target.
"""

from __future__ import annotations

import ctypes
import ipaddress
import struct
from collections.abc import Iterable

import msgspec

from medwarden.kernel.errors import ConfigurationError

_LD_W, _LD_H, _JEQ, _RET = 0x20, 0x28, 0x15, 0x06
_IPV4, _IPV6, _ARP, _VLAN, _QINQ = 0x0800, 0x86DD, 0x0806, 0x8100, 0x88A8
_SNAP = 0x40000
MOST_ADDRESSES = 64
MOST_INSTRUCTIONS = 4096  # BPF_MAXINSNS


class Instruction(msgspec.Struct, frozen=True):
    """One instruction: operation, offsets to jump by when true and false, operand."""

    code: int
    jump_true: int
    jump_false: int
    operand: int


class _Program:
    """Puts tests one after the other: each either accepts, or goes on with the next."""

    def __init__(self) -> None:
        self._made: list[tuple[int, str, str, int]] = []
        self._labels: dict[str, int] = {}
        self._count = 0

    def fresh(self) -> str:
        self._count += 1
        return f"l{self._count}"

    def label(self, name: str) -> None:
        self._labels[name] = len(self._made)

    def load(self, code: int, offset: int) -> None:
        self._made.append((code, "", "", offset))

    def equals(self, value: int, then: str, otherwise: str) -> None:
        self._made.append((_JEQ, then, otherwise, value))

    def returns(self, count: int) -> None:
        self._made.append((_RET, "", "", count))

    def assembled(self) -> list[Instruction]:
        """Turn labels into offsets; a jump that is too far for eight bits goes over a longer way."""
        out = []
        for at, (code, then, otherwise, operand) in enumerate(self._made):
            true = self._labels[then] - at - 1 if then else 0
            false = self._labels[otherwise] - at - 1 if otherwise else 0
            if not (0 <= true < 256 and 0 <= false < 256):
                raise ConfigurationError("too many addresses for one filter: capture fewer at a time")
            out.append(Instruction(code, true, false, operand))
        return out


def device_filter(macs: Iterable[str], ips: Iterable[str]) -> list[Instruction]:
    """Return the program for packets from or to any of the addresses.

    Raises ConfigurationError for no address, too many, or what is none.
    """
    hardware = [_mac(mac) for mac in dict.fromkeys(macs)]
    try:
        parsed = [ipaddress.ip_address(ip) for ip in dict.fromkeys(ips)]
    except ValueError as error:
        raise ConfigurationError(f"{error}: a filter needs addresses") from None
    if not hardware and not parsed:
        raise ConfigurationError("the device has no address to filter by")
    if len(hardware) + len(parsed) > MOST_ADDRESSES:
        raise ConfigurationError(f"more than {MOST_ADDRESSES} addresses: choose some of them")
    program = _Program()
    for mac in hardware:
        for offset in (0, 6):
            _test(program, [(_LD_W, offset, int.from_bytes(mac[:4], "big")),
                            (_LD_H, offset + 4, int.from_bytes(mac[4:], "big"))])  # fmt: skip
    for address in parsed:
        for shift, tags in ((0, ()), (4, (_VLAN, _QINQ))):
            for tag in tags or (None,):
                _ip(program, address, shift, tag)
    program.returns(0)
    return program.assembled()


def _ip(
    program: _Program,
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
    shift: int,
    tag: int | None,
) -> None:
    outer = [] if tag is None else [(_LD_H, 12, tag)]
    words = struct.unpack(f">{len(address.packed) // 4}I", address.packed)
    if address.version == 4:
        for kind, places in ((_IPV4, (26, 30)), (_ARP, (28, 38))):
            for place in places:
                _test(program, [*outer, (_LD_H, 12 + shift, kind), (_LD_W, place + shift, words[0])])
        return
    for place in (22, 38):
        tests = [(_LD_W, place + shift + 4 * number, word) for number, word in enumerate(words)]
        _test(program, [*outer, (_LD_H, 12 + shift, _IPV6), *tests])


def _test(program: _Program, wanted: Iterable[tuple[int, int, int]]) -> None:
    """Accept where everything holds, else go on behind.

    A load beyond the packet's end ends the program with a refusal (filter.rst). That costs nothing: the
    type of the packet is tested before anything is loaded that only a packet of that type has.
    """
    behind = program.fresh()
    for code, offset, value in wanted:
        program.load(code, offset)
        step = program.fresh()
        program.equals(value, step, behind)
        program.label(step)
    program.returns(_SNAP)
    program.label(behind)


def _mac(text: str) -> bytes:
    digits = text.replace(":", "").replace("-", "").replace(".", "")
    try:
        mac = bytes.fromhex(digits)
    except ValueError:
        mac = b""
    if len(mac) != 6:
        raise ConfigurationError(f"{text[:40]!r} is no MAC address")
    return mac


def packed_filter(program: list[Instruction]) -> tuple[bytes, object]:
    """Return a ``sock_fprog`` for SO_ATTACH_FILTER and what must be kept alive while it is set."""
    raw = b"".join(struct.pack("=HBBI", i.code, i.jump_true, i.jump_false, i.operand) for i in program)
    buffer = ctypes.create_string_buffer(raw, len(raw))
    return struct.pack("@HP", len(program), ctypes.addressof(buffer)), buffer


def accepts(program: list[Instruction], packet: bytes) -> bool:
    """Run the program over a packet as the kernel does; for tests and for what was captured otherwise."""
    accumulator, at = 0, 0
    while True:
        step = program[at]
        at += 1
        if step.code == _RET:
            return step.operand > 0
        if step.code == _JEQ:
            at += step.jump_true if accumulator == step.operand else step.jump_false
            continue
        size = 4 if step.code == _LD_W else 2
        if step.operand + size > len(packet):
            return False
        accumulator = int.from_bytes(packet[step.operand : step.operand + size], "big")
