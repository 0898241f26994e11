# Ended flows to one Arrow record batch of medwarden.model.tables.FLOW_SCHEMA.

cdef enum:
    TEXT_MOST = 160  # the longest text put_* writes


cdef enum Number:
    NUMBER_FLOW_ID
    NUMBER_START
    NUMBER_END
    NUMBER_PACKETS_OUT
    NUMBER_PACKETS_IN
    NUMBER_BYTES_OUT
    NUMBER_BYTES_IN
    NUMBER_PAYLOAD_OUT
    NUMBER_PAYLOAD_IN
    NUMBER_CLIENT_PORT
    NUMBER_SERVER_PORT
    NUMBER_VLAN
    NUMBER_PROTOCOL
    NUMBER_FLAGS_OUT
    NUMBER_FLAGS_IN
    NUMBER_TTL_OUT
    NUMBER_TTL_IN


cdef enum Text:
    TEXT_CLIENT_MAC
    TEXT_SERVER_MAC
    TEXT_CLIENT_IP
    TEXT_SERVER_IP
    TEXT_TUNNEL
    TEXT_SYN_OUT
    TEXT_SYN_IN
    TEXT_END_REASON


cdef int64_t flow_number(const Flow *f, Number what) noexcept nogil:
    cdef bint swapped = f.state & STATE_SWAPPED
    if what == NUMBER_FLOW_ID:
        return f.flow_id
    if what == NUMBER_START:
        return f.start_ns
    if what == NUMBER_END:
        return f.end_ns
    if what <= NUMBER_PACKETS_IN:
        return f.packets[what - NUMBER_PACKETS_OUT]
    if what <= NUMBER_BYTES_IN:
        return f.bytes[what - NUMBER_BYTES_OUT]
    if what <= NUMBER_PAYLOAD_IN:
        return f.payload[what - NUMBER_PAYLOAD_OUT]
    if what == NUMBER_CLIENT_PORT:
        return port_b(&f.key) if swapped else port_a(&f.key)
    if what == NUMBER_SERVER_PORT:
        return port_a(&f.key) if swapped else port_b(&f.key)
    if what == NUMBER_VLAN:
        return vlan_of(&f.key)
    if what == NUMBER_PROTOCOL:
        return -1 if kind_of(&f.key) == KIND_L2 else protocol_of(&f.key)
    if what <= NUMBER_FLAGS_IN:
        return f.tcp_flags[what - NUMBER_FLAGS_OUT]
    return f.ttl[what - NUMBER_TTL_OUT]


cdef int put_text(char *out, const Flow *f, Text what) noexcept nogil:
    """Write one text column of a flow and return its length, -1 for null."""
    cdef bint swapped = f.state & STATE_SWAPPED
    cdef bint a = (what == TEXT_CLIENT_IP) != swapped
    cdef const Syn *syn
    cdef const char *name
    cdef int n = 0
    if what == TEXT_CLIENT_MAC:
        return put_mac(out, f.macs[0]) if f.marks & HAS_CLIENT_MAC else -1
    if what == TEXT_SERVER_MAC:
        return put_mac(out, f.macs[1]) if f.marks & HAS_SERVER_MAC else -1
    if what == TEXT_CLIENT_IP or what == TEXT_SERVER_IP:
        if kind_of(&f.key) == KIND_L2:
            return -1
        return put_ip(out, kind_of(&f.key), f.key.a0 if a else f.key.b0, f.key.a1 if a else f.key.b1)
    if what == TEXT_TUNNEL:
        return put_tunnel(out, tunnel_of(&f.key)) if tunnel_of(&f.key) else -1
    if what == TEXT_SYN_OUT or what == TEXT_SYN_IN:
        syn = &f.syn[what - TEXT_SYN_OUT]
        return put_syn(out, syn) if syn.count != 0xFF else -1
    if f.reason == END_IDLE:
        name = "idle"
    elif f.reason == END_ACTIVE:
        name = "active"
    elif f.reason == END_FIN:
        name = "fin"
    elif f.reason == END_RST:
        name = "rst"
    elif f.reason == END_EVICTED:
        name = "evicted"
    else:
        name = "end"
    while name[n]:
        out[n] = name[n]
        n += 1
    return n


cdef object number_column(Core *c, Number what, object kind, int width, bint vlan):
    """Build one integer column; `vlan` makes the missing tag a null."""
    cdef size_t n = c.ended_count
    cdef size_t i
    cdef size_t nulls = 0
    cdef bytes data = PyBytes_FromStringAndSize(NULL, n * width)
    cdef bytes valid = None
    cdef char *out = PyBytes_AS_STRING(data)
    cdef uint8_t *bits = NULL
    cdef int64_t value
    if vlan:
        valid = bytes((n + 7) // 8)
        bits = <uint8_t *>PyBytes_AS_STRING(valid)
    with nogil:
        for i in range(n):
            value = flow_number(&c.ended[i], what)
            if bits != NULL:
                if value == NO_VLAN:
                    nulls += 1
                    value = 0
                else:
                    bits[i >> 3] |= <uint8_t>(1 << (i & 7))
            if width == 8:
                (<int64_t *>out)[i] = value
            elif width == 4:
                (<int32_t *>out)[i] = <int32_t>value
            else:
                (<int16_t *>out)[i] = <int16_t>value
    buffers = [pa.py_buffer(valid) if nulls else None, pa.py_buffer(data)]
    return pa.Array.from_buffers(kind, n, buffers, null_count=nulls)


cdef object text_column(Core *c, Text what):
    """Build one text column; raises MemoryError where there is none left."""
    cdef size_t n = c.ended_count
    cdef size_t i
    cdef size_t nulls = 0
    cdef size_t used = 0
    cdef size_t size = 0
    cdef int length
    cdef uint8_t *text = NULL
    cdef bint failed = False
    cdef bytes offsets = PyBytes_FromStringAndSize(NULL, (n + 1) * 4)
    cdef bytes valid = bytes((n + 7) // 8)
    cdef int32_t *at = <int32_t *>PyBytes_AS_STRING(offsets)
    cdef uint8_t *bits = <uint8_t *>PyBytes_AS_STRING(valid)
    with nogil:
        at[0] = 0
        for i in range(n):
            if used + TEXT_MOST > size and not grow(&text, &size, used + TEXT_MOST):
                failed = True
                break
            length = put_text(<char *>text + used, &c.ended[i], what)
            if length < 0:
                nulls += 1
            else:
                bits[i >> 3] |= <uint8_t>(1 << (i & 7))
                used += length
            at[i + 1] = <int32_t>used
    try:
        if failed:
            raise MemoryError("no memory left to write flow records")
        data = PyBytes_FromStringAndSize(<char *>text, used) if used else b""
    finally:
        free(text)
    buffers = [pa.py_buffer(valid) if nulls else None, pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.string(), n, buffers, null_count=nulls)


cdef object flow_batch(Core *c):
    """Return the ended flows as one record batch; they stay in `c.ended`."""
    int16 = pa.int16()
    int32 = pa.int32()
    int64 = pa.int64()
    return pa.RecordBatch.from_arrays(
        [
            number_column(c, NUMBER_FLOW_ID, int64, 8, False),
            number_column(c, NUMBER_START, int64, 8, False),
            number_column(c, NUMBER_END, int64, 8, False),
            text_column(c, TEXT_CLIENT_MAC),
            text_column(c, TEXT_SERVER_MAC),
            text_column(c, TEXT_CLIENT_IP),
            text_column(c, TEXT_SERVER_IP),
            number_column(c, NUMBER_CLIENT_PORT, int32, 4, False),
            number_column(c, NUMBER_SERVER_PORT, int32, 4, False),
            number_column(c, NUMBER_PROTOCOL, int16, 2, False),
            number_column(c, NUMBER_VLAN, int32, 4, True),
            text_column(c, TEXT_TUNNEL),
            number_column(c, NUMBER_PACKETS_OUT, int64, 8, False),
            number_column(c, NUMBER_PACKETS_IN, int64, 8, False),
            number_column(c, NUMBER_BYTES_OUT, int64, 8, False),
            number_column(c, NUMBER_BYTES_IN, int64, 8, False),
            number_column(c, NUMBER_PAYLOAD_OUT, int64, 8, False),
            number_column(c, NUMBER_PAYLOAD_IN, int64, 8, False),
            number_column(c, NUMBER_FLAGS_OUT, int16, 2, False),
            number_column(c, NUMBER_FLAGS_IN, int16, 2, False),
            number_column(c, NUMBER_TTL_OUT, int16, 2, False),
            number_column(c, NUMBER_TTL_IN, int16, 2, False),
            text_column(c, TEXT_SYN_OUT),
            text_column(c, TEXT_SYN_IN),
            text_column(c, TEXT_END_REASON),
        ],
        schema=FLOW_SCHEMA,
    )
