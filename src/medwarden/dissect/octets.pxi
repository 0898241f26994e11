# Octets of the wire as text; medwarden.dissect.octets describes it.

cdef extern from "Python.h":
    object PyUnicode_New(Py_ssize_t length, Py_UCS4 largest)
    object PyUnicode_DecodeUTF8(const char *octets, Py_ssize_t length, const char *errors)
    object PyUnicode_DecodeLatin1(const char *octets, Py_ssize_t length, const char *errors)
    object PyUnicode_FromKindAndData(int kind, const void *data, Py_ssize_t length)
    int PyUnicode_1BYTE_KIND

cdef const char *HEXADECIMAL = b"0123456789abcdef"


cdef inline object ascii_text(const char *characters, Py_ssize_t length):
    return PyUnicode_FromKindAndData(PyUnicode_1BYTE_KIND, characters, length)


cdef object printable_text(const uint8_t *octets, Py_ssize_t length):
    """Return so many octets as ``printable`` does."""
    cdef Py_ssize_t at
    cdef bint plain = 0 < length <= MOST_CHARACTERS and octets[0] != 32 and octets[length - 1] != 32
    if plain:
        for at in range(length):
            if not 32 <= octets[at] < 127:
                plain = False
                break
    if plain:
        return ascii_text(<const char *>octets, length)
    length = min(length, 4 * MOST_CHARACTERS)
    try:
        return clean(PyUnicode_DecodeUTF8(<const char *>octets, length, NULL))
    except UnicodeDecodeError:
        return clean(PyUnicode_DecodeLatin1(<const char *>octets, length, NULL))


cpdef object printable(octets):
    """Return ``octets`` as clean text: UTF-8, else Latin-1, without NULs, controls and outer blanks."""
    cdef bytes whole = octets if type(octets) is bytes else bytes(octets)
    return printable_text(<const uint8_t *>PyBytes_AS_STRING(whole), PyBytes_GET_SIZE(whole))


cpdef object text_or_hex(octets):
    """Return ``octets`` as text where they are printable ASCII throughout, else as hexadecimal."""
    cdef bytes whole = octets if type(octets) is bytes else bytes(octets)
    cdef const uint8_t *begin = <const uint8_t *>PyBytes_AS_STRING(whole)
    cdef Py_ssize_t length = PyBytes_GET_SIZE(whole)
    cdef Py_ssize_t at
    cdef bint blank = True
    while length and begin[length - 1] == 0:
        length -= 1
    length = min(length, MOST_CHARACTERS)
    for at in range(length):
        if not 32 <= begin[at] < 127:
            return whole[: MOST_CHARACTERS // 2].hex()
        blank = blank and begin[at] == 32
    if blank:
        return whole[: MOST_CHARACTERS // 2].hex()
    text = ascii_text(<const char *>begin, length)
    return text.strip() if begin[0] == 32 or begin[length - 1] == 32 else text


cdef object mac_at(const uint8_t *octets):
    """Return the six octets of a MAC address as ``mac_text`` does."""
    cdef char text[17]
    cdef int at
    if octets[0] & 1 or not (octets[0] | octets[1] | octets[2] | octets[3] | octets[4] | octets[5]):
        return None
    for at in range(6):
        text[3 * at] = HEXADECIMAL[octets[at] >> 4]
        text[3 * at + 1] = HEXADECIMAL[octets[at] & 15]
        if at < 5:
            text[3 * at + 2] = c":"
    return ascii_text(text, 17)


cpdef object mac_text(octets):
    """Return a 6-octet unicast EUI-48 as lower-case text with colons, or None for anything else.

    All-zero, broadcast and multicast addresses name no interface (IEEE 802-2014, 8.2).
    """
    cdef bytes whole = octets if type(octets) is bytes else bytes(octets)
    return mac_at(<const uint8_t *>PyBytes_AS_STRING(whole)) if PyBytes_GET_SIZE(whole) == 6 else None


cdef inline int put_decimal(char *text, uint8_t number) noexcept:
    cdef int length = 0
    if number >= 100:
        text[0] = <char>(48 + number // 100)
        length = 1
    if number >= 10:
        text[length] = <char>(48 + number // 10 % 10)
        length += 1
    text[length] = <char>(48 + number % 10)
    return length + 1


cdef object ipv4_at(const uint8_t *octets):
    """Return the four octets of an IPv4 address as ``ipv4_text`` does."""
    cdef char text[16]
    cdef int length = 0
    cdef int at
    if octets[0] == 0 or octets[0] >= 224:
        return None
    for at in range(4):
        if at:
            text[length] = c"."
            length += 1
        length += put_decimal(text + length, octets[at])
    return ascii_text(text, length)


cpdef object ipv4_text(octets):
    """Return 4 octets as a dotted quad, or None for 0.0.0.0, multicast, broadcast and other lengths."""
    cdef bytes whole = octets if type(octets) is bytes else bytes(octets)
    return ipv4_at(<const uint8_t *>PyBytes_AS_STRING(whole)) if PyBytes_GET_SIZE(whole) == 4 else None


cdef object ipv6_at(const uint8_t *octets):
    """Return the sixteen octets of an IPv6 address as ``ipv6_text`` does: RFC 5952 section 4."""
    cdef char text[40]
    cdef uint32_t group[8]
    cdef int at, digit, length = 0
    cdef int begin = -1
    cdef int longest = 1  # a lone group of zeros is not shortened (4.2.2)
    cdef int run = 0
    cdef bint named = False
    if octets[0] == 0xFF:
        return None
    for at in range(8):
        group[at] = <uint32_t>octets[2 * at] << 8 | octets[2 * at + 1]
        named = named or group[at] != 0
        run = run + 1 if group[at] == 0 else 0
        if run > longest:
            longest, begin = run, at + 1 - run
    if not named:
        return None
    at = 0
    while at < 8:
        if at == begin:
            text[length] = c":"
            text[length + 1] = c":"
            length += 2
            at += longest
            continue
        if at and at != begin + longest or (at and begin < 0):
            text[length] = c":"
            length += 1
        digit = 12
        while digit and not group[at] >> digit:
            digit -= 4
        while digit >= 0:
            text[length] = HEXADECIMAL[group[at] >> digit & 15]
            length += 1
            digit -= 4
        at += 1
    return ascii_text(text, length)


cpdef object ipv6_text(octets):
    """Return 16 octets as RFC 5952 text, or None for the unspecified address, multicast and other lengths."""
    cdef bytes whole = octets if type(octets) is bytes else bytes(octets)
    return ipv6_at(<const uint8_t *>PyBytes_AS_STRING(whole)) if PyBytes_GET_SIZE(whole) == 16 else None


cpdef object ip_text(octets):
    """Return a 4- or 16-octet unicast address as text, or None."""
    cdef bytes whole = octets if type(octets) is bytes else bytes(octets)
    return ip_at(<const uint8_t *>PyBytes_AS_STRING(whole), PyBytes_GET_SIZE(whole))


cdef object ip_at(const uint8_t *octets, Py_ssize_t length):
    if length == 4:
        return ipv4_at(octets)
    return ipv6_at(octets) if length == 16 else None


cdef bint internal_at(const uint8_t *octets, Py_ssize_t length) noexcept:
    if length == 4:
        return (
            octets[0] == 10
            or (octets[0] == 172 and 16 <= octets[1] < 32)
            or (octets[0] == 192 and octets[1] == 168)
            or (octets[0] == 100 and 64 <= octets[1] < 128)
            or (octets[0] == 169 and octets[1] == 254)
        )
    if length == 16:
        return octets[0] & 0xFE == 0xFC or (octets[0] == 0xFE and octets[1] & 0xC0 == 0x80)
    return False


cpdef bint is_internal(octets) except -1:
    """Tell whether an address belongs to a private network.

    RFC 1918, shared address space (RFC 6598), link-local (RFC 3927, RFC 4291 2.5.6) and unique
    local addresses (RFC 4193). Loopback is nobody's address on a network and counts as neither.
    """
    cdef bytes whole = octets if type(octets) is bytes else bytes(octets)
    return internal_at(<const uint8_t *>PyBytes_AS_STRING(whole), PyBytes_GET_SIZE(whole))


cdef bint loopback_at(const uint8_t *octets, Py_ssize_t length) noexcept:
    cdef int at
    if length == 4:
        return octets[0] == 127
    if length != 16 or octets[15] != 1:
        return False
    for at in range(15):
        if octets[at]:
            return False
    return True


cpdef bint is_loopback(octets) except -1:
    """Tell whether an address is 127.0.0.0/8 or ::1."""
    cdef bytes whole = octets if type(octets) is bytes else bytes(octets)
    return loopback_at(<const uint8_t *>PyBytes_AS_STRING(whole), PyBytes_GET_SIZE(whole))
