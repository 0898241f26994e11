# Whether a log is still the one that was read: a digest that keeps up with reading it.

cdef extern from *:
    """
    typedef unsigned __int128 medwarden_u128;
    """
    ctypedef unsigned long long medwarden_u128

cdef enum:
    _WORDS = 128  # of a block
    _BLOCK = 1024  # its octets

cdef uint64_t[_WORDS] _KEYS


cdef void _prepare_keys():
    octets = hashlib.blake2b(b"medwarden: blocks of a log").digest()
    cdef int word
    for word in range(_WORDS):
        octets = hashlib.blake2b(octets).digest()
        _KEYS[word] = int.from_bytes(octets[:8], "little")

_prepare_keys()


cdef class Fingerprint:
    """The digest of what a log held so far.

    Blocks of 1 KiB are condensed to 16 octets by NH (RFC 4418 section 5.2, with words of 64 bits), and those
    go into BLAKE2b with what is left. It finds out that a file is another by now, at the speed of memory;
    whoever writes the log could forge it, as he could the log.
    """

    cdef object sum
    cdef uint8_t[_BLOCK] rest
    cdef int held
    cdef uint64_t length

    def __init__(self):
        self.sum = hashlib.blake2b(digest_size=20)

    def update(self, const uint8_t[::1] octets):
        """Take the next octets, however they are cut."""
        cdef int64_t left = octets.shape[0], room, at = 0, place = 0
        if left == 0:
            return
        self.length += left
        condensed = bytearray((self.held + left) // _BLOCK * 16)
        cdef uint8_t[::1] into = condensed
        while left:
            if self.held == 0 and left >= _BLOCK:
                _condense(&octets[at], &into[place])
                room = _BLOCK
                place += 16
            else:
                room = min(left, _BLOCK - self.held)
                memcpy(&self.rest[self.held], &octets[at], room)
                self.held += <int>room
                if self.held == _BLOCK:
                    _condense(&self.rest[0], &into[place])
                    place += 16
                    self.held = 0
            at += room
            left -= room
        self.sum.update(condensed)

    def hexdigest(self):
        """Return the digest of all octets so far."""
        found = self.sum.copy()
        found.update(PyBytes_FromStringAndSize(<const char*>&self.rest[0], self.held))
        found.update(int(self.length).to_bytes(8, "little"))
        return "nh" + found.hexdigest()


cdef void _condense(const uint8_t* octets, uint8_t* into) noexcept nogil:
    cdef medwarden_u128 sum = 0
    cdef uint64_t[2] pair
    cdef int word
    for word in range(0, _WORDS, 2):
        memcpy(pair, octets + word * 8, 16)
        sum += <medwarden_u128>(pair[0] + _KEYS[word]) * (pair[1] + _KEYS[word + 1])
    memcpy(into, &sum, 16)
