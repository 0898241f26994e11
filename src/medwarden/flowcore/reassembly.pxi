# TCP payload in order (RFC 9293 sequence arithmetic), out-of-order data held within bounds.
#
# Retransmissions and overlaps are trimmed: the bytes seen first stand. A hole is given up, and the
# next bytes marked with a gap, when the peer acknowledged past it (the capture lost it, not the
# network), when the direction holds more than its share, when all flows together do, or at the end.

cdef enum:
    MOST_CHUNKS = 64
    MOST_HELD = 131072


cdef inline int32_t seq_diff(uint32_t a, uint32_t b) noexcept nogil:
    return <int32_t>(a - b)


cdef void release(Core *c, Flow *f, int d) noexcept nogil:
    """Free what direction `d` holds."""
    cdef Chunk *chunk = f.held[d]
    cdef Chunk *after
    while chunk != NULL:
        after = chunk.next
        c.reassembly_held -= sizeof(Chunk) + chunk.cap
        free(chunk)
        chunk = after
    f.held[d] = NULL
    f.held_bytes[d] = 0
    f.chunks[d] = 0


cdef void accept(
    Core *c, Flow *f, int d, int64_t ts, uint32_t seq, const uint8_t *data, uint32_t cap, uint32_t length
) noexcept nogil:
    """Take bytes that begin at or before the next expected one."""
    cdef uint32_t known = <uint32_t>-seq_diff(seq, f.next_seq[d])
    if known >= length:
        return
    f.next_seq[d] = seq + length
    if cap > known:
        hand_stream(c, f, d, ts, data + known, cap - known)
    if cap < length:  # the capture cut the packet short
        f.state |= STATE_GAP0 << d


cdef void drain(Core *c, Flow *f, int d) noexcept nogil:
    """Take held chunks that have become the next ones."""
    cdef Chunk *chunk
    while f.want & (1 << d):
        chunk = f.held[d]
        if chunk == NULL or seq_diff(chunk.seq, f.next_seq[d]) > 0:
            return
        f.held[d] = chunk.next
        f.held_bytes[d] -= chunk.cap
        f.chunks[d] -= 1
        c.reassembly_held -= sizeof(Chunk) + chunk.cap
        accept(c, f, d, chunk.ts, chunk.seq, <const uint8_t *>(chunk + 1), chunk.cap, chunk.length)
        free(chunk)


cdef void skip_hole(Core *c, Flow *f, int d) noexcept nogil:
    """Give up the bytes before the first held chunk."""
    f.next_seq[d] = f.held[d].seq
    f.state |= STATE_GAP0 << d
    drain(c, f, d)


cdef void flush_streams(Core *c, Flow *f) noexcept nogil:
    """Hand off whatever a flow that ends still holds."""
    cdef int d
    for d in range(2):
        while f.held[d] != NULL:
            if f.want & (1 << d):
                skip_hole(c, f, d)
            else:
                release(c, f, d)


cdef void hold(Core *c, Flow *f, int d, const Packet *p, uint32_t seq) noexcept nogil:
    """Keep out-of-order bytes, sorted by sequence number."""
    cdef Chunk **link = &f.held[d]
    cdef Chunk *chunk
    while link[0] != NULL and seq_diff(link[0].seq, seq) <= 0:
        if link[0].seq == seq and link[0].length >= p.payload_len:
            return  # sent again
        link = &link[0].next
    chunk = <Chunk *>malloc(sizeof(Chunk) + p.payload_cap)
    if chunk == NULL:
        c.out_of_memory += 1
        return
    chunk.ts = p.ts
    chunk.seq = seq
    chunk.cap = p.payload_cap
    chunk.length = p.payload_len
    if p.payload_cap:
        memcpy(chunk + 1, p.payload, p.payload_cap)
    chunk.next = link[0]
    link[0] = chunk
    f.held_bytes[d] += p.payload_cap
    f.chunks[d] += 1
    c.reassembly_held += sizeof(Chunk) + p.payload_cap


cdef bint make_room(Core *c, Flow *f, int d, uint32_t seq, uint32_t cap) noexcept nogil:
    """Give up holes of this direction until `cap` bytes more may be held; False when none are left."""
    while (
        f.chunks[d] >= MOST_CHUNKS
        or f.held_bytes[d] + cap > MOST_HELD
        or c.reassembly_held + sizeof(Chunk) + cap > c.reassembly_limit
    ):
        if f.held[d] == NULL or seq_diff(seq, f.held[d].seq) <= 0:
            return False
        skip_hole(c, f, d)
        if not f.want & (1 << d):
            return False
    return True


cdef void stream_data(Core *c, Flow *f, int d, const Packet *p) noexcept nogil:
    """Take a TCP packet's payload in direction `d`, of which more is wanted."""
    cdef uint32_t seq = p.seq + (1 if p.tcp_flags & TCP_SYN else 0)
    if not f.state & (STATE_SEQ0 << d):
        f.state |= STATE_SEQ0 << d
        f.next_seq[d] = seq
    if seq_diff(seq, f.next_seq[d]) > 0:
        if make_room(c, f, d, seq, p.payload_cap):
            if seq_diff(seq, f.next_seq[d]) > 0:
                hold(c, f, d, p, seq)
                settle(c, f, d)
                return
        elif not f.want & (1 << d):
            return
        else:  # nothing before it can be given up: its own hole is
            c.reassembly_dropped += 1
            f.next_seq[d] = seq
            f.state |= STATE_GAP0 << d
    accept(c, f, d, p.ts, seq, p.payload, p.payload_cap, p.payload_len)
    if f.held[d] != NULL:
        drain(c, f, d)
        settle(c, f, d)


cdef void settle(Core *c, Flow *f, int d) noexcept nogil:
    """Give up holes of direction `d` that its receiver acknowledged past."""
    if not f.marks & (ACK0_KNOWN << d):
        return
    while f.want & (1 << d) and f.held[d] != NULL and seq_diff(f.acked[d], f.held[d].seq) >= 0:
        skip_hole(c, f, d)


cdef void stream_ack(Core *c, Flow *f, int d, uint32_t ack) noexcept nogil:
    """Note that the receiver of direction `d` acknowledged up to `ack`."""
    if f.marks & (ACK0_KNOWN << d) and seq_diff(ack, f.acked[d]) <= 0:
        return
    f.acked[d] = ack
    f.marks |= ACK0_KNOWN << d
    if f.held[d] != NULL:
        settle(c, f, d)
