# What differs between TLS hellos that mean the same (RFC 8446 section 4.1, RFC 5246 section 7.4, RFC 8701).

cdef extern from *:
    """
    static const uint8_t mw_retry[32] = {
        0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91,
        0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C
    };
    """
    const uint8_t *RETRY "mw_retry"

cdef enum:
    CLIENT_HELLO = 1
    SERVER_HELLO = 2
    SERVER_KEY_EXCHANGE = 12
    EXT_PRE_SHARED_KEY = 41
    EXT_SESSION_TICKET = 35
    EXT_KEY_SHARE = 51
    EXT_ENCRYPTED_HELLO = 65037


cdef inline void blank(uint8_t *out, uint32_t first, uint32_t length) noexcept nogil:
    memset(out + first, 0, length)


cdef inline void plain_grease(uint8_t *out, uint32_t at, uint32_t length) noexcept nogil:
    """Make every reserved value (0x?A?A, both bytes equal) the same one."""
    cdef uint32_t i
    for i in range(at, at + (length & ~<uint32_t>1), 2):
        if out[i] == out[i + 1] and out[i] & 0x0F == 0x0A:
            out[i] = 0x0A
            out[i + 1] = 0x0A


cdef bint blank_hello(uint8_t *out, const uint8_t *data, uint32_t length) noexcept nogil:
    """Copy a payload that opens with a whole hello, with its random numbers, keys and tickets blanked.

    Returns False for anything else. A HelloRetryRequest keeps the random by which it is known.
    """
    cdef uint32_t record, body, at, end, size
    cdef uint16_t kind
    cdef bint client
    if length < 44 + 5 or data[0] != 22 or data[1] != 3 or (data[5] != CLIENT_HELLO and data[5] != SERVER_HELLO):
        return False
    client = data[5] == CLIENT_HELLO
    record = 5 + be16(data + 3)
    body = 9 + (<uint32_t>data[6] << 16 | be16(data + 7))
    if record > length or body > record:
        return False
    at = 43
    if at + 1 + data[at] + 2 > body:
        return False
    memcpy(out, data, length)
    if client or memcmp(data + 11, RETRY, 32):
        blank(out, 11, 32)
    blank(out, at + 1, data[at])
    at += 1 + data[at]
    if client:
        size = be16(data + at)
        if at + 2 + size + 1 > body:
            return False
        plain_grease(out, at + 2, size)
        at += 2 + size
        if at + 1 + data[at] > body:
            return False
        at += 1 + data[at]
    else:
        at += 3
    if at + 2 <= body:
        end = at + 2 + be16(data + at)
        at += 2
        if end > body:
            return False
        while at + 4 <= end:
            kind = be16(data + at)
            size = be16(data + at + 2)
            if at + 4 + size > end:
                return False
            plain_grease(out, at, 2)
            if (
                kind == EXT_PRE_SHARED_KEY or kind == EXT_SESSION_TICKET or kind == EXT_KEY_SHARE
                or kind == EXT_ENCRYPTED_HELLO
            ):
                blank(out, at + 4, size)
            elif client and kind == 10:
                plain_grease(out, at + 6, size - 2 if size > 2 else 0)
            elif client and kind == 43:
                plain_grease(out, at + 5, size - 1 if size > 1 else 0)
            at += 4 + size
    if not client:
        blank_key_exchange(out, data, length, body, record)
    return True


cdef void blank_key_exchange(
    uint8_t *out, const uint8_t *data, uint32_t length, uint32_t at, uint32_t end
) noexcept nogil:
    """Blank the key of a server behind its hello, where whole messages lead up to it."""
    cdef uint32_t size
    while True:
        if at == end:
            if at + 9 > length or data[at] != 22:
                return
            end = at + 5 + be16(data + at + 3)
            at += 5
        if at + 4 > end or at + 4 > length:
            return
        size = <uint32_t>data[at + 1] << 16 | be16(data + at + 2)
        if at + 4 + size > end:
            return
        if data[at] == SERVER_KEY_EXCHANGE:
            if at + 4 < length:
                blank(out, at + 4, min(size, length - at - 4))
            return
        at += 4 + size
        if at > length:
            return
