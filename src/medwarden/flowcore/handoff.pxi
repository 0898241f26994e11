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


cdef void address(const Flow *f, int d, Hand *hand) noexcept nogil:
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
    address(f, d, &hand)
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
    if not (f.marks & (STARTED0 << d)):
        f.marks |= STARTED0 << d
        match_start(c, f, data, length)
    if length > f.budget[d]:
        length = f.budget[d]
    address(f, d, &hand)
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


cdef void match_start(Core *c, Flow *f, const uint8_t *data, uint32_t length) noexcept nogil:
    """Ask for more of both directions when the first payload begins as a wanted protocol does."""
    cdef uint32_t i
    cdef int d
    cdef Start *start
    if length == 0:
        return
    for i in range(c.start_first[data[0]], c.start_first[<uint32_t>data[0] + 1]):
        start = &c.starts[i]
        if start.length <= length and memcmp(start.prefix, data, start.length) == 0:
            for d in range(2):
                # a direction that has had its share already has lost its place in the stream
                if f.want & (1 << d) and f.offset[d] < start.wanted:
                    f.budget[d] = start.wanted - f.offset[d]
                    f.left[d] = 0xFFFF
            return


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


cdef void hand_datagram(Core *c, Flow *f, int d, const Packet *p) noexcept nogil:
    """Hand off what is not a stream: UDP payloads, frames, and ICMPv6 as the IPv6 packet it is in."""
    if p.kind == KIND_L2:
        hand_packet(c, f, d, p, 2, <uint16_t>p.ethertype, p.network, p.network_cap)
    elif p.protocol == PROTO_UDP:
        if p.payload_cap:
            hand_packet(c, f, d, p, 1, 0, p.payload, p.payload_cap)
    elif p.protocol == 58 and p.fragment == 0:
        hand_packet(c, f, d, p, 2, ETHERTYPE_IPV6, p.network, p.network_cap)
