# The two-way flow table: a chained hash over a fixed pool, with one list per timeout in order of use.
#
# A flow moves to the end of its list at most once per second of packet time, so that a busy flow
# costs no list work; the order of the lists and the active timeout are therefore exact to about one
# second, the idle timeouts themselves are exact because every packet checks its own flow.

cdef enum:
    STEP_BACK_PACKETS = 1024
    STAMP_SHIFT = 30


cdef inline void tick(Core *c, int64_t ts) noexcept nogil:
    """Advance the packet clock.

    Late packets do not turn it back. Only when a thousand packets in a row are more than an hour
    behind has the clock itself been set back (another capture, a corrected sensor): it goes on
    from there, and every flow of before is over.
    """
    cdef int64_t step
    if unlikely(not c.started):
        c.started = True
        c.high_ns = ts
        c.first_ns = ts
        c.last_ns = ts
        return
    step = ts - c.high_ns
    if likely(step >= 0):
        c.mono += min(step, c.longest_ns)
        c.high_ns = ts
        c.behind = 0
    elif -step > HOUR_NS:
        c.behind += 1
        if c.behind >= STEP_BACK_PACKETS:
            c.behind = 0
            c.high_ns = ts
            c.mono += c.longest_ns
    else:
        c.behind = 0
    if ts > c.last_ns:
        c.last_ns = ts
    elif ts < c.first_ns:
        c.first_ns = ts


cdef inline bint same_key(const Key *a, const Key *b) noexcept nogil:
    return (
        (a.a0 ^ b.a0) | (a.a1 ^ b.a1) | (a.b0 ^ b.b0) | (a.b1 ^ b.b1) | (a.ends ^ b.ends) | (a.scope ^ b.scope)
    ) == 0


cdef inline uint32_t find(Core *c, const Packet *p) noexcept nogil:
    cdef uint32_t at = c.buckets[p.hash & c.mask]
    while at != NIL:
        if same_key(&c.flows[at].key, &p.key):
            return at
        at = c.flows[at].chain
    return NIL


cdef inline void list_remove(Core *c, uint32_t at) noexcept nogil:
    cdef Flow *f = &c.flows[at]
    cdef FlowList *l = &c.lists[f.which]
    if f.prev != NIL:
        c.flows[f.prev].next = f.next
    else:
        l.head = f.next
    if f.next != NIL:
        c.flows[f.next].prev = f.prev
    else:
        l.tail = f.prev


cdef inline void list_append(Core *c, uint32_t at, uint8_t which) noexcept nogil:
    cdef Flow *f = &c.flows[at]
    cdef FlowList *l = &c.lists[which]
    f.which = which
    f.prev = l.tail
    f.next = NIL
    if l.tail != NIL:
        c.flows[l.tail].next = at
    else:
        l.head = at
    l.tail = at
    f.stamp = <uint32_t>(c.mono >> STAMP_SHIFT)


cdef void emit(Core *c, Flow *f, uint8_t reason) noexcept nogil:
    """Copy a flow, or the piece of it that has passed, to where Python takes it."""
    cdef size_t bigger
    cdef void *moved
    if c.ended_count == c.ended_size:
        bigger = c.ended_size * 2 if c.ended_size else 1024
        moved = realloc(c.ended, bigger * sizeof(Flow))
        if moved == NULL:
            c.out_of_memory += 1
            return
        c.ended = <Flow *>moved
        c.ended_size = bigger
    f.reason = reason
    memcpy(&c.ended[c.ended_count], f, sizeof(Flow))
    c.ended_count += 1


cdef void end_flow(Core *c, uint32_t at, uint8_t reason) noexcept nogil:
    """Take a flow out of the table; a closed one ends for the reason it was closed."""
    cdef Flow *f = &c.flows[at]
    cdef uint32_t *link = &c.buckets[hash_key(&f.key, c.seed0, c.seed1) & c.mask]
    if f.state & STATE_CLOSED:
        reason = END_RST if f.state & STATE_RST else END_FIN
    if f.held[0] != NULL or f.held[1] != NULL:
        flush_streams(c, f)
    if f.packets[0] or f.packets[1]:
        emit(c, f, reason)
    while link[0] != at:
        link = &c.flows[link[0]].chain
    link[0] = f.chain
    list_remove(c, at)
    f.chain = c.spare
    c.spare = at
    c.active -= 1


cdef void expire(Core *c) noexcept nogil:
    """End what has been silent for longer than its timeout."""
    cdef int which
    cdef uint32_t at
    c.next_check = c.mono + SECOND_NS
    for which in range(LISTS):
        while True:
            at = c.lists[which].head
            if at == NIL:
                break
            if which == LIST_CLOSED:
                if c.mono - (<int64_t>c.flows[at].stamp << <int>STAMP_SHIFT) <= LINGER_NS:
                    break
            elif c.mono - c.flows[at].last_mono <= c.idle_ns[which]:
                break
            if c.flows[at].next != NIL:
                prefetch(&c.flows[c.flows[at].next])
                prefetch(<const uint8_t *>&c.flows[c.flows[at].next] + 128)
            end_flow(c, at, END_IDLE)


cdef void evict(Core *c) noexcept nogil:
    """Make room: a closed flow first, else the one that has been silent longest."""
    cdef uint32_t at = c.lists[LIST_CLOSED].head
    cdef uint32_t other = c.lists[LIST_DATAGRAM].head
    if at == NIL:
        at = c.lists[LIST_TCP].head
        if at == NIL or (other != NIL and c.flows[other].last_mono < c.flows[at].last_mono):
            at = other
    c.evicted += 1
    end_flow(c, at, END_EVICTED)


cdef inline bint sender_is_server(const Core *c, const Packet *p) noexcept nogil:
    """Tell who opened a conversation whose beginning may not have been seen."""
    if p.protocol == PROTO_TCP and p.tcp_flags & TCP_SYN and p.fragment == 0:
        return (p.tcp_flags & TCP_ACK) != 0
    if p.protocol == PROTO_UDP and p.src_port < 1024 and p.dst_port < 1024:  # DHCP, DHCPv6
        return (p.src_port == 67 and p.dst_port == 68) or (p.src_port == 547 and p.dst_port == 546)
    if p.protocol == PROTO_TCP or p.protocol == PROTO_UDP:
        return c.port_bits[p.src_port] != 0 and c.port_bits[p.dst_port] == 0
    return False


cdef void widen(Core *c) noexcept nogil:
    """Double the buckets; where there is no memory for it, the chains get longer instead."""
    cdef uint32_t size = (c.mask + 1) * 2
    cdef uint32_t *buckets
    cdef uint32_t at, slot
    cdef int which
    if size > <uint32_t>1 << 27:
        return
    buckets = <uint32_t *>malloc(size * sizeof(uint32_t))
    if buckets == NULL:
        return
    memset(buckets, 0xFF, size * sizeof(uint32_t))
    for which in range(LISTS):
        at = c.lists[which].head
        while at != NIL:
            slot = hash_key(&c.flows[at].key, c.seed0, c.seed1) & (size - 1)
            c.flows[at].chain = buckets[slot]
            buckets[slot] = at
            at = c.flows[at].next
    free(c.buckets)
    c.buckets = buckets
    c.mask = size - 1


cdef uint32_t create(Core *c, const Packet *p) noexcept nogil:
    cdef uint32_t at
    cdef Flow *f
    cdef bint server
    if c.active >= c.max_flows:
        evict(c)
    elif unlikely(c.active > c.mask):
        widen(c)
    if c.spare != NIL:
        at = c.spare
        c.spare = c.flows[at].chain
    else:
        at = c.top
        c.top += 1
    c.active += 1
    f = &c.flows[at]
    memset(f, 0, sizeof(Flow))
    f.key = p.key
    f.chain = c.buckets[p.hash & c.mask]
    c.buckets[p.hash & c.mask] = at
    f.flow_id = c.next_id
    f.opening = NIL
    c.by_id[<uint32_t>(f.flow_id // c.shares) & c.id_mask] = at
    c.next_id += c.shares
    f.last_mono = c.mono
    f.start_mono = c.mono
    f.start_ns = p.ts
    f.end_ns = p.ts
    f.syn[0].count = 0xFF
    f.syn[1].count = 0xFF
    server = sender_is_server(c, p)
    if p.from_b != server:  # the client is endpoint b
        f.state = STATE_SWAPPED
    if p.protocol == PROTO_TCP and server and p.tcp_flags & TCP_SYN:
        f.isn = p.ack - 1
    elif p.protocol == PROTO_TCP:
        f.isn = p.seq
    list_append(c, at, LIST_TCP if p.protocol == PROTO_TCP else LIST_DATAGRAM)
    grant(c, f)
    return at


cdef void note_first(Flow *f, int d, const Packet *p) noexcept nogil:
    """Keep what the first packet of a direction says: TTL and MAC addresses."""
    f.ttl[d] = p.ttl
    if d == 0:
        if p.src_mac != NULL:
            memcpy(f.macs[0], p.src_mac, 6)
            f.marks |= HAS_CLIENT_MAC
        if p.dst_mac != NULL and not f.marks & HAS_SERVER_MAC:
            memcpy(f.macs[1], p.dst_mac, 6)
            f.marks |= HAS_SERVER_MAC
    else:
        if p.src_mac != NULL:
            memcpy(f.macs[1], p.src_mac, 6)
            f.marks |= HAS_SERVER_MAC
        if p.dst_mac != NULL and not f.marks & HAS_CLIENT_MAC:
            memcpy(f.macs[0], p.dst_mac, 6)
            f.marks |= HAS_CLIENT_MAC


cdef void note_syn(Flow *f, int d, const Packet *p) noexcept nogil:
    """Keep how a SYN is laid out: it tells operating systems apart."""
    cdef Syn *syn = &f.syn[d]
    cdef uint32_t at = 0
    cdef uint32_t length
    cdef uint8_t kind
    memset(syn, 0, sizeof(Syn))
    syn.ttl = p.ttl
    syn.window = p.window
    while at < p.options_len:
        kind = p.options[at]
        length = 1
        if kind > 1:
            if at + 2 > p.options_len:
                break
            length = p.options[at + 1]
            if length < 2 or at + length > p.options_len:
                break
            if kind == 2 and length == 4:
                syn.mss = be16(p.options + at + 2)
            elif kind == 3 and length == 3:
                syn.scale = p.options[at + 2]
        if syn.count < SYN_OPTIONS:
            syn.kinds[syn.count] = kind
            syn.count += 1
        else:
            syn.more = 1
        at += length
        if kind == 0:
            break


cdef void end_piece(Core *c, Flow *f, int64_t ts) noexcept nogil:
    """Report a long flow so far and let it go on under the same id."""
    emit(c, f, END_ACTIVE)
    memset(f.packets, 0, sizeof(f.packets))
    memset(f.bytes, 0, sizeof(f.bytes))
    memset(f.payload, 0, sizeof(f.payload))
    memset(f.tcp_flags, 0, sizeof(f.tcp_flags))
    f.syn[0].count = 0xFF
    f.syn[1].count = 0xFF
    f.start_mono = c.mono
    f.start_ns = ts
    f.end_ns = ts
    if protocol_of(&f.key) != PROTO_TCP:  # what is said again and again is heard again
        grant(c, f)


cdef void refresh(Core *c, uint32_t at, Flow *f, int64_t ts) noexcept nogil:
    """Do what a flow needs once per second: move it in its list, end a piece that is long enough."""
    if c.mono - f.start_mono > c.active_ns:
        end_piece(c, f, ts)
    if f.which != LIST_CLOSED:
        list_remove(c, at)
        list_append(c, at, f.which)


cdef inline bint begins_anew(const Flow *f, int d, const Packet *p) noexcept nogil:
    """Tell whether a SYN opens another connection between the same ports."""
    if f.state & STATE_CLOSED:
        return True
    return d == 0 and p.seq != f.isn


cdef void tcp_control(Core *c, uint32_t at, Flow *f, int d, const Packet *p) noexcept nogil:
    """SYN, FIN and RST."""
    if p.tcp_flags & TCP_SYN:
        if f.syn[d].count == 0xFF:
            note_syn(f, d, p)
        if f.offset[d] == 0 and f.held[d] == NULL:
            f.state |= STATE_SEQ0 << d
            f.next_seq[d] = p.seq + 1
    if p.tcp_flags & TCP_FIN:
        f.fins |= 1 << d
    if p.tcp_flags & TCP_RST:
        f.state |= STATE_RST
    if not f.state & STATE_CLOSED and (p.tcp_flags & TCP_RST or f.fins == 3):
        f.state |= STATE_CLOSED
        list_remove(c, at)
        list_append(c, at, LIST_CLOSED)


cdef inline void move_clock(Core *c, int64_t ts) noexcept nogil:
    tick(c, ts)
    if unlikely(c.mono >= c.next_check):
        expire(c)


cdef inline void hand_payload(Core *c, Flow *f, int d, const Packet *p) noexcept nogil:
    if p.protocol == PROTO_TCP:
        if p.payload_len:
            stream_data(c, f, d, p)
    else:
        hand_datagram(c, f, d, p)


cdef void account(Core *c, Packet *p) noexcept nogil:
    """Count a sound packet to its flow and hand off what is wanted of it."""
    cdef uint32_t at
    cdef Flow *f
    cdef Fragments *s = NULL
    cdef bint whole = False
    cdef int d
    move_clock(c, p.ts)
    if unlikely(p.fragment):
        s = begin_fragment(c, p)
        whole = put_together(c, p, s)
        if c.shares > 1 and is_foreign(c, p):
            c.foreign += 1
            return
        c.parsed += 1
    at = find(c, p)
    if at != NIL:
        f = &c.flows[at]
        d = (p.from_b ^ f.state) & STATE_SWAPPED
        if unlikely(c.mono - f.last_mono > c.idle_ns[f.which]):
            end_flow(c, at, END_IDLE)
            at = NIL
        elif unlikely(p.tcp_flags & (TCP_SYN | TCP_ACK) == TCP_SYN) and begins_anew(f, d, p):
            end_flow(c, at, END_FINAL)
            at = NIL
    if at == NIL:
        at = create(c, p)
        f = &c.flows[at]
        d = (p.from_b ^ f.state) & STATE_SWAPPED
    if unlikely(f.stamp != <uint32_t>(c.mono >> STAMP_SHIFT)):
        refresh(c, at, f, p.ts)
    if unlikely(f.packets[d] == 0):
        note_first(f, d, p)
    f.packets[d] += 1
    f.bytes[d] += p.ip_len
    f.payload[d] += p.payload_len
    f.tcp_flags[d] |= p.tcp_flags
    f.last_mono = c.mono
    if likely(p.ts > f.end_ns):
        f.end_ns = p.ts
    elif p.ts < f.start_ns:
        f.start_ns = p.ts
    if unlikely(p.tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST)):
        tcp_control(c, at, f, d, p)
    if f.want:
        if unlikely(s != NULL):
            if whole and f.want & (1 << d):
                hand_assembled(c, f, d, p, s.total)
            return
        if f.want & (1 << d) and (p.payload_len or p.kind == KIND_L2):
            hand_payload(c, f, d, p)
        if p.tcp_flags & TCP_ACK and f.want & (2 >> d):
            stream_ack(c, f, 1 - d, p.ack)


cdef inline void take_packet(
    Core *c, int linktype, const uint8_t *d, uint32_t cap, uint32_t wire, int64_t ts, uint16_t vlan
) noexcept nogil:
    """Decode one packet; it is accounted for when its batch is full or settled."""
    cdef Packet *p
    cdef int reason, owner
    cdef bint ours = False
    if c.shares > 1 and linktype == DLT_EN10MB and ts >= 0:
        owner = plain_owner(c, d, cap, wire)
        if owner != NOT_PLAIN:
            if <uint32_t>owner != c.share:
                pass_by(c, ts)
                return
            ours = True
    p = &c.batch[c.batched]
    reason = decode(c, p, linktype, d, cap, wire, ts, vlan)
    if likely(reason == SOUND):
        if unlikely(p.fragment):  # its ports may stand in another one: whose it is, accounting finds out
            pass
        elif ours or c.shares == 1 or not is_foreign(c, p):
            c.parsed += 1
        else:
            pass_by(c, ts)
            return
        prefetch(&c.buckets[p.hash & c.mask])
        p.ticked = c.ticked
        c.batched += 1
        if c.batched == BATCH:
            account_batch(c)
    elif c.share:
        c.foreign += 1
    else:
        c.rejected += 1
        c.reasons[reason] += 1


cdef void account_batch(Core *c) noexcept nogil:
    """Account for the packets decoded so far, while their bytes are still there.

    Between decoding and accounting lie other packets' work, in which the memory of the flow arrives.
    """
    cdef uint32_t i, at
    cdef uint32_t ticked = 0
    for i in range(c.batched):
        at = c.buckets[c.batch[i].hash & c.mask]
        if at != NIL:
            prefetch(&c.flows[at])
            prefetch(<const uint8_t *>&c.flows[at] + 64)
            prefetch(<const uint8_t *>&c.flows[at] + 128)
    for i in range(c.batched):
        while ticked < c.batch[i].ticked:
            move_clock(c, c.ticks[ticked])
            ticked += 1
        account(c, &c.batch[i])
    while ticked < c.ticked:
        move_clock(c, c.ticks[ticked])
        ticked += 1
    c.batched = 0
    c.ticked = 0


cdef inline bint is_full(const Core *c) noexcept nogil:
    return c.arena_used >= c.arena_limit or c.ended_count >= c.ended_limit


cdef inline void go_on(Core *c) noexcept nogil:
    """Fed although full: whoever feeds wants to take later, so ask again at twice as much."""
    if unlikely(c.arena_used >= c.arena_limit):
        c.arena_limit = 2 * c.arena_used
    if unlikely(c.ended_count >= c.ended_limit):
        c.ended_limit = 2 * c.ended_count
