# The different values of one column, found by their bytes.

cdef struct Entry:
    uint64_t hash
    const char* at
    int64_t length
    int64_t code  # one more than it is, 0 for an empty place


cdef class _Distinct:
    """The different values of one column, by their bytes."""

    cdef Entry* entries
    cdef int64_t size, count

    def __cinit__(self):
        self.size, self.count = 256, 0
        self.entries = <Entry*>calloc(self.size, sizeof(Entry))
        if self.entries == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.entries)

    cdef int64_t code(self, const char* at, int64_t length) except -2:
        """Return the number of a value, -1 where too many others stand in its way."""
        cdef uint64_t hash = _hash(at, length)
        cdef uint64_t place = hash & <uint64_t>(self.size - 1)
        cdef int probes
        cdef Entry* entry
        for probes in range(_MOST_PROBES):
            entry = &self.entries[place]
            if entry.code == 0:
                self.count += 1
                entry.hash, entry.at, entry.length, entry.code = hash, at, length, self.count
                if self.count * 2 > self.size:
                    self._grow()
                return self.count - 1
            if entry.hash == hash and entry.length == length and memcmp(entry.at, at, length) == 0:
                return entry.code - 1
            place = (place + 1) & <uint64_t>(self.size - 1)
        return -1

    cdef int _grow(self) except -1:
        cdef int64_t size = self.size * 4, at
        cdef uint64_t place
        cdef Entry* entries = <Entry*>calloc(size, sizeof(Entry))
        if entries == NULL:
            raise MemoryError
        for at in range(self.size):
            if self.entries[at].code:
                place = self.entries[at].hash & <uint64_t>(size - 1)
                while entries[place].code:
                    place = (place + 1) & <uint64_t>(size - 1)
                entries[place] = self.entries[at]
        free(self.entries)
        self.entries, self.size = entries, size
        return 0

    cdef list values(self):
        cdef list found = [None] * self.count
        cdef int64_t at
        for at in range(self.size):
            if self.entries[at].code:
                found[self.entries[at].code - 1] = PyBytes_FromStringAndSize(
                    self.entries[at].at, self.entries[at].length
                )
        return found


cdef inline uint64_t _hash(const char* at, int64_t length) noexcept nogil:
    cdef uint64_t found = <uint64_t>length * <uint64_t>0x9E3779B97F4A7C15
    cdef uint64_t part
    while length >= 8:
        memcpy(&part, at, 8)
        found = (found ^ part) * <uint64_t>0xD6E8FEB86659FD93
        found ^= found >> 32
        at += 8
        length -= 8
    part = 0
    memcpy(&part, at, length)
    found = (found ^ part) * <uint64_t>0xD6E8FEB86659FD93
    return found ^ (found >> 29)
