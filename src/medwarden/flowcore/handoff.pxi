# What leaves for the dissectors: hand-offs are copied into one arena that Python drains.

cdef bint grow(uint8_t **memory, size_t *size, size_t needed) noexcept nogil:
    cdef size_t bigger = size[0] if size[0] else 65536
    cdef void *moved
    while bigger < needed:
        bigger *= 2
    moved = realloc(memory[0], bigger)
    if moved == NULL:
        return False
    memory[0] = <uint8_t *>moved
    size[0] = bigger
    return True


cdef void push(Core *c, const Hand *hand, const uint8_t *data) noexcept nogil:
    cdef size_t needed = c.arena_used + sizeof(Hand) + ((<size_t>hand.length + 7) & ~<size_t>7)
    if unlikely(needed > c.arena_size) and not grow(&c.arena, &c.arena_size, needed):
        c.out_of_memory += 1
        return
    memcpy(c.arena + c.arena_used, hand, sizeof(Hand))
    if hand.length:
        memcpy(c.arena + c.arena_used + sizeof(Hand), data, hand.length)
    c.arena_used = needed
    c.hands += 1
    c.waiting += 1


cdef void address(const Core *c, const Flow *f, int d, Hand *hand) noexcept nogil:
    """Fill in who says it to whom in direction `d` (0: the client speaks)."""
    if (d ^ f.state) & STATE_SWAPPED:
        hand.src0 = f.key.b0
        hand.src1 = f.key.b1
        hand.dst0 = f.key.a0
        hand.dst1 = f.key.a1
        hand.src_port = port_b(&f.key)
        hand.dst_port = port_a(&f.key)
    else:
        hand.src0 = f.key.a0
        hand.src1 = f.key.a1
        hand.dst0 = f.key.b0
        hand.dst1 = f.key.b1
        hand.src_port = port_a(&f.key)
        hand.dst_port = port_b(&f.key)
    hand.flow_id = f.flow_id
    hand.slot = <uint32_t>(f - c.flows)
    hand.vlan = vlan_of(&f.key)
    hand.kind = kind_of(&f.key)
    hand.from_client = d == 0
    hand.gap = 0
    hand.offset = 0
    hand.ethertype = 0


cdef void hand_packet(
    Core *c, Flow *f, int d, const Packet *p, int transport, uint16_t ethertype, const uint8_t *data, uint32_t length
) noexcept nogil:
    """Hand off a datagram or frame whole, as far as it was captured."""
    cdef Hand hand
    address(c, f, d, &hand)
    hand.ts = p.ts
    hand.transport = <uint8_t>transport
    hand.ethertype = ethertype
    hand.length = length
    hand.has_macs = 0
    if p.src_mac != NULL:
        hand.has_macs |= 1
        memcpy(hand.src_mac, p.src_mac, 6)
    if p.dst_mac != NULL:
        hand.has_macs |= 2
        memcpy(hand.dst_mac, p.dst_mac, 6)
    push(c, &hand, data)
    if f.left[d] <= 1 or f.budget[d] <= length:
        f.left[d] = 0
        f.want &= ~(1 << d)
    else:
        f.left[d] -= 1
        if f.budget[d] != NIL:
            f.budget[d] -= length


cdef void hand_stream(
    Core *c, Flow *f, int d, int64_t ts, const uint8_t *data, uint32_t length
) noexcept nogil:
    """Hand off the next in-order bytes of a direction, cut to what is still wanted of it."""
    cdef Hand hand
    cdef bint opening, telling
    if not (f.marks & (STARTED0 << d)):
        opening = not f.marks & (STARTED0 | STARTED1)
        f.marks |= STARTED0 << d
        telling = match_start(c, f, data, length)
        if opening and opens_alike(c, f, d, data, length, telling):
            withdraw(c, f)
            return
    if length > f.budget[d]:
        length = f.budget[d]
    address(c, f, d, &hand)
    hand.ts = ts
    hand.transport = 0
    hand.offset = f.offset[d]
    hand.length = length
    hand.has_macs = 0
    if f.state & (STATE_GAP0 << d):
        hand.gap = 1
        c.gaps += 1
        f.state &= ~(STATE_GAP0 << d)
    if f.marks & (HAS_CLIENT_MAC << d):
        hand.has_macs |= 1
        memcpy(hand.src_mac, f.macs[d], 6)
    if f.marks & (HAS_SERVER_MAC >> d):
        hand.has_macs |= 2
        memcpy(hand.dst_mac, f.macs[1 - d], 6)
    push(c, &hand, data)
    f.offset[d] += length
    f.budget[d] -= length
    if f.left[d] != 0xFFFF:
        f.left[d] -= 1
    if f.budget[d] == 0 or f.left[d] == 0:
        f.want &= ~(1 << d)
        release(c, f, d)


cdef bint match_start(Core *c, Flow *f, const uint8_t *data, uint32_t length) noexcept nogil:
    """Ask for more of both directions when the first payload begins as a wanted protocol does.

    Tells whether a stream that opens so, or is of no port and start at all, may be known by its opening.
    """
    cdef uint8_t bits = c.port_bits[port_a(&f.key)] | c.port_bits[port_b(&f.key)]
    cdef uint32_t i
    cdef int d
    cdef Start *start
    if length == 0:
        return False
    for i in range(c.start_first[data[0]], c.start_first[<uint32_t>data[0] + 1]):
        start = &c.starts[i]
        if start.length <= length and memcmp(start.prefix, data, start.length) == 0:
            for d in range(2):
                # a direction that has had its share already has lost its place in the stream
                if f.want & (1 << d) and f.offset[d] < start.wanted:
                    f.budget[d] = start.wanted - f.offset[d]
                    f.left[d] = 0xFFFF
            return start.opening and (bits & 9) != 1
    return (bits & 9) != 1


cdef void grant(Core *c, Flow *f) noexcept nogil:
    """Decide by protocol and ports how much payload of a flow is handed off."""
    cdef uint16_t client, server
    cdef uint32_t packets = 0
    cdef uint32_t wanted = 0
    client = port_b(&f.key) if f.state & STATE_SWAPPED else port_a(&f.key)
    server = port_a(&f.key) if f.state & STATE_SWAPPED else port_b(&f.key)
    if kind_of(&f.key) == KIND_L2:
        if c.ethertypes[ethertype_of(&f.key) & 0xFFFF] or (ethertype_of(&f.key) >> 16 and c.ethertypes[0]):
            packets = c.datagram_packets
            wanted = NIL
    elif protocol_of(&f.key) == PROTO_TCP:
        wanted = c.port_bytes[server]
        if not wanted:
            wanted = c.port_bytes[client]
        if wanted:
            packets = 0xFFFF
        else:
            packets = c.payload_packets
            wanted = c.payload_bytes
    elif protocol_of(&f.key) == PROTO_UDP:
        if (c.port_bits[server] | c.port_bits[client]) & 2:
            packets = c.datagram_packets
            wanted = NIL
        else:
            packets = c.payload_packets
            wanted = c.payload_bytes
    elif protocol_of(&f.key) == 58 and c.ethertypes[ETHERTYPE_IPV6]:
        packets = c.datagram_packets
        wanted = NIL
    f.left[0] = <uint16_t>packets
    f.left[1] = <uint16_t>packets
    f.budget[0] = wanted
    f.budget[1] = wanted
    f.want = 3 if packets and wanted else 0
    f.marks &= ~PASSED_OVER


cdef void pass_over(Core *c, int64_t flow_id, bint unclaimed) noexcept nogil:
    """Hand off nothing more of a flow, nor what waits of it; a flow that has ended is let be.

    An `unclaimed` one is no dissector's, and neither will be those that open alike.
    """
    cdef uint32_t at = c.by_id[<uint32_t>(flow_id // c.shares) & c.id_mask]
    if at >= c.top or c.flows[at].flow_id != flow_id:
        return
    c.flows[at].marks |= PASSED_OVER
    withdraw(c, &c.flows[at])
    if unclaimed and c.flows[at].opening != NIL:
        c.said[c.flows[at].opening].times = OPENINGS


cdef void withdraw(Core *c, Flow *f) noexcept nogil:
    """Want no more of a flow."""
    cdef int d
    f.want = 0
    for d in range(2):
        if f.held[d] != NULL:
            release(c, f, d)


cdef bint opens_alike(Core *c, Flow *f, int d, const uint8_t *data, uint32_t length, bint telling) noexcept nogil:
    """Tell whether streams to the same service, from the same peer, opened with the same bytes before.

    In each ``repeat_ns`` as many as OPENINGS are handed off; only `telling` ones are counted.
    """
    cdef uint16_t service = port_a(&f.key) if f.state & STATE_SWAPPED else port_b(&f.key)
    cdef uint64_t h = mum(f.key.a0 ^ c.seed0, f.key.b0 ^ c.seed1) ^ mum(f.key.a1 ^ c.seed1, f.key.b1 ^ c.seed0)
    cdef Said *said
    h = mum(h ^ length ^ (<uint64_t>service << 32) ^ (<uint64_t>vlan_of(&f.key) << 48), f.key.scope ^ c.seed1)
    h = digest(h ^ (2 * (f.state & STATE_SWAPPED) + d), data, length)
    said = &c.said[h & (SAID_SLOTS - 1)]
    if said.digest != h or c.mono - said.mono >= c.repeat_ns:
        said.digest = h
        said.mono = c.mono
        said.times = 0
    f.opening = <uint32_t>(said - c.said)
    if said.times >= OPENINGS:
        c.repeated += 1
        return True
    said.times += telling
    return False


cdef bint is_repeated(Core *c, const Packet *p, uint16_t port, const uint8_t *data, uint32_t length) noexcept nogil:
    """Tell whether the same was said by the same to the same within ``repeat_ns``, and remember it.

    The table forgets where two fall into one place: a repetition is then handed off once too often.
    """
    cdef uint64_t h = mum(p.src0 ^ c.seed0, p.dst0 ^ c.seed1) ^ mum(p.src1 ^ c.seed1, p.dst1 ^ c.seed0)
    cdef Volatile *skipped
    cdef Said *said
    cdef uint32_t at = 0
    cdef int i
    if p.src_mac != NULL:
        h ^= mac48(p.src_mac)
    h = mum(h ^ length ^ (<uint64_t>port << 32) ^ (<uint64_t>p.vlan << 48), p.key.scope ^ c.seed1)
    if port and c.volatile_of[port]:
        skipped = &c.volatile_bytes[c.volatile_of[port] - 1]
        for i in range(2):
            if at < skipped.first[i] < length:
                h = digest(h, data + at, skipped.first[i] - at)
            if skipped.last[i] > at:
                at = skipped.last[i]
    if at < length:
        h = digest(h, data + at, length - at)
    said = &c.said[h & (SAID_SLOTS - 1)]
    if said.digest == h and c.mono - said.mono < c.repeat_ns:
        c.repeated += 1
        return True
    said.digest = h
    said.mono = c.mono
    return False


cdef void hand_datagram(Core *c, Flow *f, int d, const Packet *p) noexcept nogil:
    """Hand off what is not a stream: UDP payloads, frames, and ICMPv6 as the IPv6 packet it is in."""
    cdef uint16_t port = 0
    if p.kind == KIND_L2:
        if not is_repeated(c, p, 0, p.network, p.network_cap):
            hand_packet(c, f, d, p, 2, <uint16_t>p.ethertype, p.network, p.network_cap)
    elif p.protocol == PROTO_UDP:
        if c.port_bits[p.dst_port] & 2:
            port = p.dst_port
        elif c.port_bits[p.src_port] & 2:
            port = p.src_port
        if p.payload_cap and (port == 0 or not is_repeated(c, p, port, p.payload, p.payload_cap)):
            hand_packet(c, f, d, p, 1, 0, p.payload, p.payload_cap)
    elif p.protocol == 58 and p.fragment == 0:
        if not is_repeated(c, p, 0, p.network, p.network_cap):
            hand_packet(c, f, d, p, 2, ETHERTYPE_IPV6, p.network, p.network_cap)


cdef Hand *next_hand(Core *c) noexcept nogil:
    """Return the next hand-off of a flow that is not passed over, or NULL when none waits."""
    cdef Hand *hand
    cdef Flow *flow
    while c.arena_taken < c.arena_used:
        hand = <Hand *>(c.arena + c.arena_taken)
        c.arena_taken += sizeof(Hand) + ((<size_t>hand.length + 7) & ~<size_t>7)
        c.waiting -= 1
        flow = &c.flows[hand.slot]
        if not (flow.marks & PASSED_OVER and flow.flow_id == hand.flow_id):
            return hand
        c.passed_over += 1
    return NULL
