# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, embedsignature=False
"""Lines of a log to columns in one pass, for lines of the plain form that programs write.

Nothing is decided here about what a line means: a line that is in any way unusual is only marked as odd, and
whoever asked takes it to the full parser. Every string that is read ends in a NUL that no value may contain,
so that nothing is read beyond its end.
"""

from __future__ import annotations

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.math cimport isfinite, rint
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memchr, memcmp, memcpy

import hashlib

import numpy as np

cdef extern from "Python.h":
    double PyOS_string_to_double(const char* text, char** end, PyObject* overflow) except? -1.0

ctypedef const char* Text

cdef enum:
    _BLANK_LINE = 0
    _SOUND_LINE = 1
    _ODD_LINE = 2
    _WORD = 0
    _COUNT = 1
    _REAL = 2
    _MOMENT = 3
    _MOST_TIME = 40
    _MOST_COLUMNS = 64
    _MOST_NODES = 128
    _MOST_DEPTH = 32
    _MOST_ORDINALS = 128
    _MOST_PROBES = 128
    _MOST_KEY = 48
    _SHORT_LINE = 128
    _ORDINARY = 0
    _QUOTE = 1
    _BACKSLASH = 2
    _STOP = 3
    _HIGH = 4

BLANK, SOUND, ODD = _BLANK_LINE, _SOUND_LINE, _ODD_LINE
WORD, COUNT, REAL, MOMENT = _WORD, _COUNT, _REAL, _MOMENT

cdef uint8_t[256] _CLASS
cdef double[23] _TENS
cdef int[13] _DAYS

cdef void _prepare():
    cdef int octet
    for octet in range(256):
        _CLASS[octet] = _STOP if octet < 32 else _HIGH if octet >= 128 else _ORDINARY
    _CLASS[34], _CLASS[92] = _QUOTE, _BACKSLASH
    for octet in range(23):
        _TENS[octet] = float(10 ** octet)
    for octet, days in enumerate((0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)):
        _DAYS[octet] = days

_prepare()


cdef struct Node:
    int parent
    int column  # -1: an object that is looked into
    int length
    const char* key


cdef struct Known:
    int parent
    int child
    int length
    char[_MOST_KEY] key


include "distinct.pxi"
include "values.pxi"
include "fingerprint.pxi"


def line_starts(bytes block) -> object:
    """Return where each line of ``block`` begins; one that ends without a line feed is a line too."""
    cdef const char* begin = PyBytes_AS_STRING(block)
    cdef const char* end = begin + PyBytes_GET_SIZE(block)
    cdef const char* at = begin
    cdef int64_t room = (end - begin) // _SHORT_LINE + 16, count = 0
    starts = np.empty(room, np.int64)
    cdef int64_t[::1] into = starts
    while at != NULL and at < end:
        if count == room:
            room *= 4
            starts = np.concatenate((starts, np.empty(room - count, np.int64)))
            into = starts
        into[count] = at - begin
        count += 1
        at = <const char*>memchr(at, 10, end - at)
        if at != NULL:
            at += 1
    return starts[:count].copy()


cdef class Columns:
    """Which values of a line are wanted, and in which column each goes.

    ``paths`` are the keys that lead to each (in tabbed text only their number counts), ``forms`` what is
    made of it: ``WORD`` (its bytes, as a number that stands for them), ``COUNT`` (a whole number below
    10^18), ``REAL`` (a floating-point number) or ``MOMENT`` (epoch seconds, or milliseconds where that
    large, or an ISO 8601 time with an offset, to nanoseconds). ``needed`` tells which must be there,
    ``nullable`` which may be null instead of a number or a time.
    """

    cdef Node[_MOST_NODES] nodes
    cdef Known[_MOST_ORDINALS] known
    cdef int[_MOST_COLUMNS] forms
    cdef int[_MOST_COLUMNS] needed
    cdef int[_MOST_COLUMNS] nullable
    cdef int count, tree, ordinal, left
    cdef bint head
    cdef object keys
    # of the line that is read
    cdef uint64_t seen, groups
    cdef Text[_MOST_COLUMNS] at
    cdef int64_t[_MOST_COLUMNS] value

    def __init__(self, paths, forms, needed, nullable=None):
        if len(paths) > _MOST_COLUMNS:
            raise ValueError("too many columns")
        self.count, self.tree, self.keys = len(paths), 1, []
        self.nodes[0] = Node(-1, -1, 0, NULL)
        cdef int column, place
        for column, path in enumerate(paths):
            self.forms[column], self.needed[column] = forms[column], bool(needed[column])
            self.nullable[column] = not needed[column] and (nullable is None or bool(nullable[column]))
            place = 0
            for depth, key in enumerate(path):
                place = self._node(place, key, column if depth == len(path) - 1 else -1)
        for place in range(_MOST_ORDINALS):
            self.known[place].parent = -1

    cdef int _node(self, int parent, bytes key, int column) except -1:
        cdef int place
        for place in range(1, self.tree):
            if self.nodes[place].parent == parent and self.nodes[place].key[: self.nodes[place].length] == key:
                return place
        if self.tree == _MOST_NODES:
            raise ValueError("too many keys")
        self.keys.append(key)  # keeps the bytes alive
        self.nodes[self.tree] = Node(parent, column, len(key), PyBytes_AS_STRING(key))
        self.tree += 1
        return self.tree - 1

    def of_json(self, bytes block, const int64_t[::1] starts, bint head=False):
        """Read the lines that begin at ``starts``, each one JSON object.

        Returns the state of each line (``BLANK``, ``SOUND`` or ``ODD``), the values by column and line as
        64-bit words (numbers of values, whole numbers or floating-point numbers), which of them are there,
        and the different values of each ``WORD`` column as they stand in the text. With ``head`` a line is
        read only as far as needed to find all columns, and the rest of it may be anything.
        """
        return self._read(block, starts, head, None, 0, b"")

    def of_tabbed(self, bytes block, const int64_t[::1] starts, places, int fields, bytes unset):
        """Read the lines that begin at ``starts``, each ``fields`` values with tabs between them.

        ``places`` tells for each field the column it goes to, -1 for none; ``unset`` is what stands for no
        value. Returns as :meth:`of_json`.
        """
        return self._read(block, starts, False, np.ascontiguousarray(places, np.int64), fields, unset)

    cdef tuple _read(self, bytes block, const int64_t[::1] starts, bint head, places, int fields, bytes unset):
        cdef int64_t lines = starts.shape[0], line, code
        cdef int column, state
        cdef const char* begin = PyBytes_AS_STRING(block)
        cdef const char* end = begin + PyBytes_GET_SIZE(block)
        states = np.zeros(lines, np.uint8)
        values = np.zeros((self.count, lines), np.int64)
        present = np.zeros((self.count, lines), np.uint8)
        cdef uint8_t[::1] states_of = states
        cdef int64_t[:, ::1] values_of = values
        cdef uint8_t[:, ::1] present_of = present
        cdef const int64_t[::1] places_of
        cdef list tables = [_Distinct() if self.forms[column] == _WORD else None for column in range(self.count)]
        cdef _Distinct table
        self.head = head
        if places is not None:
            places_of = places
        for line in range(lines):
            self.seen = self.groups = 0
            if places is None:
                state = self._json_line(begin + starts[line], end)
            else:
                state = self._tabbed_line(begin + starts[line], end, places_of, fields, unset)
            if state == _SOUND_LINE:
                for column in range(self.count):
                    if self.seen >> column & 1 == 0:
                        if self.needed[column]:
                            state = _ODD_LINE
                        continue
                    if self.forms[column] != _WORD:
                        continue
                    table = <_Distinct>tables[column]
                    code = table.code(self.at[column], self.value[column])
                    if code < 0:
                        state = _ODD_LINE
                        break
                    self.value[column] = code
            states_of[line] = state
            if state == _SOUND_LINE:
                for column in range(self.count):
                    if self.seen >> column & 1:
                        values_of[column, line] = self.value[column]
                        present_of[column, line] = 1
        found = [None if t is None else (<_Distinct>t).values() for t in tables]
        return states, values, present, found

    # -- JSON

    cdef int _json_line(self, const char* at, const char* end) except -1:
        cdef const char* blank = at
        if at[0] != 123:
            while blank[0] == 32 or blank[0] == 9 or blank[0] == 13:
                blank += 1
            return _BLANK_LINE if blank[0] == 10 or blank == end else _ODD_LINE
        self.ordinal, self.left = 0, self.count
        at = self._object(at + 1, 0)
        if at == NULL:
            return _ODD_LINE
        if self.head and self.left == 0:
            return _SOUND_LINE
        while at[0] == 32 or at[0] == 9 or at[0] == 13:
            at += 1
        return _SOUND_LINE if at[0] == 10 or at == end else _ODD_LINE

    cdef const char* _object(self, const char* at, int node) except? NULL:
        """Read an object behind its brace and return where it ends, NULL where it is odd."""
        cdef const char* key
        cdef int child, left = self.left
        at = _blank(at)
        if at[0] == 125:
            return at + 1 if node == 0 else NULL
        while True:
            if at[0] != 34:
                return NULL
            at += 1
            key = at
            while _CLASS[<uint8_t>at[0]] == _ORDINARY:
                at += 1
            if at[0] != 34:
                return NULL
            child = self._child(node, key, at - key)
            at = _blank(at + 1)
            if at[0] != 58:
                return NULL
            at = _blank(at + 1)
            if child == 0:
                at = _skip(at, 0)
            elif self.nodes[child].column >= 0:
                at = self._wanted(at, self.nodes[child].column)
                if self.head and self.left == 0:
                    return at
            elif at[0] == 123 and self.groups >> child % 64 & 1 == 0 and child < 64:
                self.groups |= <uint64_t>1 << child
                at = self._object(at + 1, child)
            else:
                return NULL
            if at == NULL:
                return NULL
            at = _blank(at)
            if at[0] == 125:
                return at + 1 if node == 0 or self.left < left else NULL  # that it is there can be all it says
            if at[0] != 44:
                return NULL
            at = _blank(at + 1)

    cdef int _child(self, int node, const char* key, int64_t length) noexcept:
        """Return which wanted key of an object this is, 0 for none; lines mostly repeat the order of keys."""
        cdef Known* known = NULL
        cdef int child
        if self.ordinal < _MOST_ORDINALS:
            known = &self.known[self.ordinal]
            self.ordinal += 1
            if known.parent == node and known.length == length and memcmp(known.key, key, length) == 0:
                return known.child
        for child in range(1, self.tree):
            if (
                self.nodes[child].parent == node
                and self.nodes[child].length == length
                and memcmp(self.nodes[child].key, key, length) == 0
            ):
                break
        else:
            child = 0
        if known != NULL and length <= _MOST_KEY:
            known.parent, known.child, known.length = node, child, <int>length
            memcpy(known.key, key, length)
        return child

    cdef const char* _wanted(self, const char* at, int column) except? NULL:
        cdef const char* begin = at
        cdef const char* end
        if self.seen >> column & 1:
            return NULL  # twice in one object
        self.left -= 1
        if self.forms[column] == _WORD:
            if at[0] == 34:
                end = _string(at + 1, True)
                end = end + 1 if end != NULL else NULL
            else:
                end = _skip(at, 0)
            if end != NULL:
                self.seen |= <uint64_t>1 << column
                self.at[column], self.value[column] = at, end - at
            return end
        if at[0] == 110:
            return _literal(at, b"null", 4) if self.nullable[column] else NULL
        if self.forms[column] == _MOMENT and at[0] == 34:
            end = _closing(at + 1)
            if end == NULL or not _moment(at + 1, end - at - 1, &self.value[column]):
                return NULL
            self.seen |= <uint64_t>1 << column
            return end + 1
        end = _number(at)
        if end == NULL or not self._numeral(begin, end, column):
            return NULL
        return end

    cdef bint _numeral(self, const char* at, const char* end, int column) except -1:
        """Keep a number for a column; tell whether it is one that the column takes."""
        cdef double real
        if self.forms[column] == _COUNT:
            if not _whole(at, end - at, &self.value[column]):
                return False
        else:
            real = _real(at, end)
            if not isfinite(real):
                return False
            if self.forms[column] == _MOMENT:
                real = real * (1e3 if real >= 1e11 else 1e6)
                if not 0 <= real < 9223372036e6:
                    return False
                self.value[column] = <int64_t>rint(real) * 1000
            else:
                memcpy(&self.value[column], &real, 8)
        self.seen |= <uint64_t>1 << column
        return True

    # -- text with tabs

    cdef int _tabbed_line(
        self, const char* at, const char* end, const int64_t[::1] places, int fields, bytes unset
    ) except -1:
        cdef const char* stop = <const char*>memchr(at, 10, end - at)
        cdef const char* begin = at
        cdef const char* none = PyBytes_AS_STRING(unset)
        cdef int64_t length = PyBytes_GET_SIZE(unset)
        cdef int field = 0
        if stop == NULL:
            stop = end
        if stop > at and (stop - 1)[0] == 13:
            stop -= 1
        if stop == at:
            return _BLANK_LINE
        while True:
            while at < stop and at[0] != 9:
                if <uint8_t>at[0] >= 128 and (field >= fields or places[field] < 0):
                    return _ODD_LINE
                at += 1
            if field >= fields:
                return _ODD_LINE
            if places[field] >= 0 and not self._cell(begin, at, <int>places[field], none, length):
                return _ODD_LINE
            field += 1
            if at == stop:
                return _SOUND_LINE if field == fields else _ODD_LINE
            at += 1
            begin = at

    cdef bint _cell(self, const char* at, const char* end, int column, const char* none, int64_t length) except -1:
        if self.seen >> column & 1:
            return False
        if self.forms[column] == _WORD:
            self.seen |= <uint64_t>1 << column
            self.at[column], self.value[column] = at, end - at
            return True
        if end - at == length and memcmp(at, none, length) == 0:
            return not self.needed[column]
        if self.forms[column] == _MOMENT and end - at > 10 and at[4] == 45:
            if not _moment(at, end - at, &self.value[column]):
                return False
            self.seen |= <uint64_t>1 << column
            return True
        return _number(at) == end and self._numeral(at, end, column)
