# Ended flows to one Arrow record batch of medwarden.model.tables.FLOW_SCHEMA.

cdef enum:
    TEXT_MOST = 160  # the longest text put_* writes


cdef enum Text:
    TEXT_CLIENT_MAC
    TEXT_SERVER_MAC
    TEXT_CLIENT_IP
    TEXT_SERVER_IP
    TEXT_TUNNEL
    TEXT_SYN_OUT
    TEXT_SYN_IN
    TEXT_END_REASON


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


# Columns are filled side by side, in stretches of flows that stay in the cache meanwhile.
cdef enum:
    STRETCH = 256
    WIDE_COLUMNS = 9
    PORT_COLUMNS = 3  # with the VLAN
    NARROW_COLUMNS = 5
    TEXT_COLUMNS = 8


cdef struct TextColumn:
    uint8_t *text
    size_t used
    size_t size
    size_t nulls
    int32_t *offsets
    uint8_t *valid


cdef struct Columns:
    int64_t *wide[WIDE_COLUMNS]
    int32_t *port[PORT_COLUMNS]
    int16_t *narrow[NARROW_COLUMNS]
    uint8_t *tagged
    size_t untagged
    TextColumn text[TEXT_COLUMNS]


cdef inline void set_valid(uint8_t *bits, size_t i) noexcept nogil:
    bits[i >> 3] |= <uint8_t>(1 << (i & 7))


cdef void fill_numbers(Columns *columns, const Flow *f, size_t i) noexcept nogil:
    cdef bint swapped = f.state & STATE_SWAPPED
    cdef uint16_t vlan = vlan_of(&f.key)
    columns.wide[0][i] = f.flow_id
    columns.wide[1][i] = f.start_ns
    columns.wide[2][i] = f.end_ns
    columns.wide[3][i] = f.packets[0]
    columns.wide[4][i] = f.packets[1]
    columns.wide[5][i] = f.bytes[0]
    columns.wide[6][i] = f.bytes[1]
    columns.wide[7][i] = f.payload[0]
    columns.wide[8][i] = f.payload[1]
    columns.port[0][i] = port_b(&f.key) if swapped else port_a(&f.key)
    columns.port[1][i] = port_a(&f.key) if swapped else port_b(&f.key)
    if vlan == NO_VLAN:
        columns.port[2][i] = 0
        columns.untagged += 1
    else:
        columns.port[2][i] = vlan
        set_valid(columns.tagged, i)
    columns.narrow[0][i] = -1 if kind_of(&f.key) == KIND_L2 else protocol_of(&f.key)
    columns.narrow[1][i] = f.tcp_flags[0]
    columns.narrow[2][i] = f.tcp_flags[1]
    columns.narrow[3][i] = f.ttl[0]
    columns.narrow[4][i] = f.ttl[1]


cdef bint fill_text(TextColumn *column, const Flow *flows, size_t first, size_t last, Text what) noexcept nogil:
    """Write flows `first` to `last` of one text column; False where there is no memory left."""
    cdef size_t i
    cdef int length
    if column.used + (last - first) * TEXT_MOST > column.size:
        if not grow(&column.text, &column.size, column.used + (last - first) * TEXT_MOST):
            return False
    for i in range(first, last):
        length = put_text(<char *>column.text + column.used, &flows[i], what)
        if length < 0:
            column.nulls += 1
        else:
            set_valid(column.valid, i)
            column.used += length
        column.offsets[i + 1] = <int32_t>column.used
    return True


cdef bint fill_columns(const Core *c, Columns *columns) noexcept nogil:
    cdef size_t first = 0
    cdef size_t last, i
    cdef int what
    while first < c.ended_count:
        last = min(first + <size_t>STRETCH, c.ended_count)
        for i in range(first, last):
            fill_numbers(columns, &c.ended[i], i)
        for what in range(TEXT_COLUMNS):
            if not fill_text(&columns.text[what], c.ended, first, last, <Text>what):
                return False
        first = last
    return True


cdef char *room(list kept, size_t size) except NULL:
    """Return memory for a column, zeroed, that lives as long as it is in `kept`."""
    memory = bytearray(size)
    kept.append(memory)
    return PyByteArray_AS_STRING(memory)


cdef object flow_batch(Core *c):
    """Return the ended flows as one record batch; they stay in `c.ended`.

    Raises MemoryError where there is none left for the texts.
    """
    cdef Columns columns
    cdef size_t n = c.ended_count
    cdef int i
    cdef bint enough
    wide, port, narrow, offsets, valid, tagged = [], [], [], [], [], []
    memset(&columns, 0, sizeof(Columns))
    for i in range(WIDE_COLUMNS):
        columns.wide[i] = <int64_t *>room(wide, n * 8)
    for i in range(PORT_COLUMNS):
        columns.port[i] = <int32_t *>room(port, n * 4)
    for i in range(NARROW_COLUMNS):
        columns.narrow[i] = <int16_t *>room(narrow, n * 2)
    for i in range(TEXT_COLUMNS):
        columns.text[i].offsets = <int32_t *>room(offsets, (n + 1) * 4)
        columns.text[i].valid = <uint8_t *>room(valid, (n + 7) // 8)
    columns.tagged = <uint8_t *>room(tagged, (n + 7) // 8)
    with nogil:
        enough = fill_columns(c, &columns)
    try:
        if not enough:
            raise MemoryError("no memory left to write flow records")
        texts = []
        for i in range(TEXT_COLUMNS):
            data = PyBytes_FromStringAndSize(<char *>columns.text[i].text, columns.text[i].used)
            mask = pa.py_buffer(valid[i]) if columns.text[i].nulls else None
            buffers = [mask, pa.py_buffer(offsets[i]), pa.py_buffer(data)]
            texts.append(pa.Array.from_buffers(pa.string(), n, buffers, null_count=columns.text[i].nulls))
    finally:
        for i in range(TEXT_COLUMNS):
            free(columns.text[i].text)
    mask = pa.py_buffer(tagged[0]) if columns.untagged else None
    wide = [pa.Array.from_buffers(pa.int64(), n, [None, pa.py_buffer(one)]) for one in wide]
    vlan = pa.Array.from_buffers(pa.int32(), n, [mask, pa.py_buffer(port[2])], null_count=columns.untagged)
    port = [pa.Array.from_buffers(pa.int32(), n, [None, pa.py_buffer(one)]) for one in port[:2]]
    narrow = [pa.Array.from_buffers(pa.int16(), n, [None, pa.py_buffer(one)]) for one in narrow]
    arrays = (
        wide[:3] + texts[:4] + port + narrow[:1] + [vlan] + texts[4:5] + wide[3:] + narrow[1:] + texts[5:]
    )
    return pa.RecordBatch.from_arrays(arrays, schema=FLOW_SCHEMA)
