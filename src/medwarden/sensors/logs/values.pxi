# Single values of JSON and of tabbed text: where they end, and what numbers and times come to.

cdef inline const char* _blank(const char* at) noexcept nogil:
    while at[0] == 32 or at[0] == 9:
        at += 1
    return at


cdef const char* _closing(const char* at) noexcept nogil:
    """Return the quote that ends a time, NULL where none comes soon."""
    cdef int place
    for place in range(_MOST_TIME):
        if at[place] == 34:
            return at + place
        if at[place] == 0:
            return NULL
    return NULL


cdef inline const char* _literal(const char* at, const char* word, int length) noexcept nogil:
    cdef int place
    for place in range(length):
        if at[place] != word[place]:
            return NULL
    return at + length


cdef const char* _string(const char* at, bint wanted) noexcept nogil:
    """Return where the closing quote of a string is, NULL where it has to be looked at.

    Of a wanted one only the extent is told; its text is judged by whoever reads it.
    """
    cdef uint8_t kind
    while True:
        kind = _CLASS[<uint8_t>at[0]]
        while kind == _ORDINARY:
            at += 1
            kind = _CLASS[<uint8_t>at[0]]
        if kind == _QUOTE:
            return at
        if kind == _BACKSLASH:
            if at[1] not in (34, 92, 47, 98, 102, 110, 114, 116) and not (wanted and at[1] == 117):
                return NULL
            at += 2
        elif kind == _HIGH and wanted:
            at += 1
        else:
            return NULL


cdef const char* _number(const char* at) noexcept nogil:
    """Return where a number ends (RFC 8259 section 6), NULL where it is none."""
    if at[0] == 45:
        at += 1
    if at[0] == 48:
        at += 1
    elif 49 <= at[0] <= 57:
        while 48 <= at[0] <= 57:
            at += 1
    else:
        return NULL
    if at[0] == 46:
        at += 1
        if not 48 <= at[0] <= 57:
            return NULL
        while 48 <= at[0] <= 57:
            at += 1
    if at[0] == 101 or at[0] == 69:
        at += 1
        if at[0] == 43 or at[0] == 45:
            at += 1
        if not 48 <= at[0] <= 57:
            return NULL
        while 48 <= at[0] <= 57:
            at += 1
    return at


cdef const char* _skip(const char* at, int depth) noexcept nogil:
    """Return where a value ends that nobody wants, NULL where it is odd."""
    cdef bint named
    cdef char closing
    if at[0] == 34:
        at = _string(at + 1, False)
        return at + 1 if at != NULL else NULL
    if at[0] == 116:
        return _literal(at, b"true", 4)
    if at[0] == 102:
        return _literal(at, b"false", 5)
    if at[0] == 110:
        return _literal(at, b"null", 4)
    if at[0] != 123 and at[0] != 91:
        return _number(at)
    if depth == _MOST_DEPTH:
        return NULL
    named = at[0] == 123
    closing = 125 if named else 93
    at = _blank(at + 1)
    if at[0] == closing:
        return at + 1
    while True:
        if named:
            if at[0] != 34:
                return NULL
            at = _string(at + 1, False)
            if at == NULL:
                return NULL
            at = _blank(at + 1)
            if at[0] != 58:
                return NULL
            at = _blank(at + 1)
        at = _skip(at, depth + 1)
        if at == NULL:
            return NULL
        at = _blank(at)
        if at[0] == closing:
            return at + 1
        if at[0] != 44:
            return NULL
        at = _blank(at + 1)


cdef bint _whole(const char* at, int64_t length, int64_t* into) noexcept nogil:
    cdef int64_t found = 0, place
    if length > 18:
        return False
    for place in range(length):
        if not 48 <= at[place] <= 57:
            return False
        found = found * 10 + (at[place] - 48)
    into[0] = found
    return True


cdef double _real(const char* at, const char* end) except? -1.0:
    """Return the nearest double of a number, as every reader of JSON rounds it; one too large is infinite."""
    cdef const char* begin = at
    cdef uint64_t digits = 0
    cdef int places = 0
    cdef bint negative = at[0] == 45, behind = False
    cdef char* stop = NULL
    cdef double found
    at += negative
    while at < end:
        if at[0] == 46:
            behind = True
        elif not 48 <= at[0] <= 57 or digits > <uint64_t>900719925474099:
            return PyOS_string_to_double(begin, &stop, NULL)
        else:
            digits = digits * 10 + (at[0] - 48)
            places += behind
        at += 1
    if places > 22:
        return PyOS_string_to_double(begin, &stop, NULL)
    found = <double>digits / _TENS[places]  # both exact, so that the quotient is rounded once
    return -found if negative else found


cdef bint _two(const char* at, int least, int most, int* into) noexcept nogil:
    if not (48 <= at[0] <= 57 and 48 <= at[1] <= 57):
        return False
    into[0] = (at[0] - 48) * 10 + (at[1] - 48)
    return least <= into[0] <= most


cdef bint _moment(const char* at, int64_t length, int64_t* into) noexcept nogil:
    """Read ``2026-11-22T10:00:00.251547+0000``: with no, three or six decimals, and Z or an offset."""
    cdef int century, year, month, day, hour, minute, second, away_hours = 0, away_minutes = 0
    cdef int64_t micros = 0, days, seconds
    cdef int place = 19, decimals = 0, sign = 0
    if length < 20:
        return False
    if not (_two(at, 19, 22, &century) and _two(at + 2, 0, 99, &year) and at[4] == 45 and at[7] == 45):
        return False
    if not (_two(at + 5, 1, 12, &month) and _two(at + 8, 1, 31, &day) and at[10] == 84):
        return False
    if not (_two(at + 11, 0, 23, &hour) and at[13] == 58 and _two(at + 14, 0, 59, &minute)):
        return False
    if not (at[16] == 58 and _two(at + 17, 0, 59, &second)):
        return False
    year += century * 100
    if day > _DAYS[month] + (month == 2 and (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))):
        return False
    if at[19] == 46:
        place = 20
        while place < length and 48 <= at[place] <= 57 and decimals < 7:
            micros = micros * 10 + (at[place] - 48)
            place += 1
            decimals += 1
        if decimals != 3 and decimals != 6:
            return False
        if decimals == 3:
            micros *= 1000
    if length == place + 1 and at[place] == 90:
        sign = 0
    elif length - place == 5 or (length - place == 6 and at[place + 3] == 58):
        if at[place] != 43 and at[place] != 45:
            return False
        sign = 1 if at[place] == 43 else -1
        if not (_two(at + place + 1, 0, 23, &away_hours) and _two(at + length - 2, 0, 59, &away_minutes)):
            return False
    else:
        return False
    # days of the civil calendar since 1970, the year beginning in March
    year -= month <= 2
    days = year // 400 * 146097 + year % 400 * 365 + year % 400 // 4 - year % 400 // 100
    days += (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1 - 719468
    seconds = days * 86400 + hour * 3600 + minute * 60 + second
    seconds -= sign * (away_hours * 3600 + away_minutes * 60)
    if seconds < 0 or seconds >= <int64_t>9223372036:
        return False
    into[0] = (seconds * 1000000 + micros) * 1000
    return True
