# Segments, which are looked at several times per payload, and the text of facts.

include "fields.pxi"

cdef extern from *:
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    const uint8_t *PyUnicode_1BYTE_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)

cdef Py_ssize_t TS = field_at(Segment, "ts_ns")
cdef Py_ssize_t FLOW_ID = field_at(Segment, "flow_id")
cdef Py_ssize_t TRANSPORT = field_at(Segment, "transport")
cdef Py_ssize_t SRC_MAC = field_at(Segment, "src_mac")
cdef Py_ssize_t DST_MAC = field_at(Segment, "dst_mac")
cdef Py_ssize_t SRC_IP = field_at(Segment, "src_ip")
cdef Py_ssize_t DST_IP = field_at(Segment, "dst_ip")
cdef Py_ssize_t SRC_PORT = field_at(Segment, "src_port")
cdef Py_ssize_t DST_PORT = field_at(Segment, "dst_port")
cdef Py_ssize_t VLAN = field_at(Segment, "vlan")
cdef Py_ssize_t FROM_CLIENT = field_at(Segment, "from_client")
cdef Py_ssize_t PAYLOAD = field_at(Segment, "payload")
cdef Py_ssize_t STREAM_OFFSET = field_at(Segment, "stream_offset")
cdef Py_ssize_t GAP = field_at(Segment, "gap")
cdef Py_ssize_t ETHERTYPE = field_at(Segment, "ethertype")


cdef int check_segment(object segment) except -1:
    if type(segment) is not Segment:
        raise TypeError(f"a segment is wanted, not {type(segment).__name__}")
    return 0


cdef inline bint says(object truth):
    """Tell whether a field that holds a Boolean is true."""
    return truth is True or (truth is not False and bool(truth))


cdef bint is_clean(object value) except -1:
    """Tell whether ``clean`` would return a text that is not empty as it is."""
    cdef Py_ssize_t length, at
    cdef const uint8_t *octets
    if not isinstance(value, str):
        raise TypeError(f"the value of a fact is text, not {type(value).__name__}")
    length = PyUnicode_GET_LENGTH(value)
    if length > MOST_CHARACTERS:
        return False
    if not PyUnicode_IS_COMPACT_ASCII(value):
        return value.isprintable() and value[0] != " " and value[length - 1] != " "
    octets = PyUnicode_1BYTE_DATA(value)
    for at in range(length):
        if not 32 <= octets[at] < 127:
            return False
    return octets[0] != 32 and octets[length - 1] != 32


cdef Py_ssize_t MOST_CHARACTERS = MAX_VALUE
