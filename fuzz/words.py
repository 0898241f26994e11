"""What formats, and those who read them, stumble over."""

from __future__ import annotations

import random

WORDS = (
    *(b'"', b"{", b"}", b"[", b"]", b",", b":", b"=", b"|", b"^", b"/", b"\t", b"\n", b"\r", b"\r\n", b"\0"),
    *(b"-", b"-1", b"null", b"1e999", b"NaN", b"-Infinity", b"0x1f", b"1_0", b"+0", b"9" * 20, b"\xff"),
    *("\u00b2".encode(), "\u0663".encode(), "\u2028".encode(), "\x85".encode(), "\u0130".encode()),
    *(b"9999-12-31", b"2001-99-99", b"0000-00-00", b"23:59:60", b"24:00", b"+99:99", b"1969-12-31T23:59Z"),
    *(b"&a *a", b"!!python/name:x", b"<!DOCTYPE", b"<![CDATA[", b"&#0;", b"::", b"../", b"=?utf-8?q?"),
    *(b"#fields\t", b"\\ud800", b"\xed\xa0\x80"),
)  # fmt: skip
"""Signs, numbers that are none or too large, digits and line ends that are so for some, no days."""
LONG_WORDS = (
    *(b"9" * 400, b"0." + b"9" * 400, b"9" * 5000, b"[" * 3000, b'{"a":' * 1500, b"(" * 99, b"<a>" * 900),
    *(b"- " * 1500, b"a" * 5000, b"\n" * 3000, b"=\r\n" * 900),
)
"""Numbers beyond what Python reads, and what nests or goes on without end."""


def word(chance: random.Random) -> bytes:
    """Return one of them, seldom a long one."""
    return chance.choice(LONG_WORDS if chance.random() < 0.05 else WORDS)
