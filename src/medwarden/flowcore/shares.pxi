# Whose packet it is, where several processes read the same ones and each takes its share.
#
# TCP and UDP are dealt out by service where the process that plans said so, because the same service is said the
# same to again and again; everything else goes by its pair of addresses. A plain packet of another share is told
# by a few fields in fixed places and only moves the clock. What is not plain is decoded by all, so that every
# share comes to the same answer, and share 0 alone counts what is not sound.

cdef enum:
    NOT_PLAIN = -1
    BY_ADDRESS = 0x7F
    KNOWN_SERVICE = 0x80
    DEALT = 65536  # entries of TCP, and behind them those of UDP
    TICKS = 2048


cdef inline uint32_t owner_of_ends(
    const Core *c, uint8_t protocol, uint16_t src_port, uint16_t dst_port,
    uint64_t src0, uint64_t src1, uint64_t dst0, uint64_t dst1,
) noexcept nogil:
    """Return the share of a conversation: the same for both of its directions."""
    cdef const uint8_t *dealt
    cdef uint8_t src, dst
    cdef uint32_t owner
    cdef uint64_t ends
    if c.dealt != NULL and (protocol == PROTO_TCP or protocol == PROTO_UDP):
        dealt = c.dealt + (DEALT if protocol == PROTO_UDP else 0)
        src = dealt[src_port]
        dst = dealt[dst_port]
        if (src ^ dst) & KNOWN_SERVICE:
            src = src if src & KNOWN_SERVICE else dst
        elif dst_port < src_port:
            src = dst
        if src & 0x7F != BY_ADDRESS:
            return src & 0x7F
    ends = mum(src0 ^ c.seed0, src1 ^ c.seed1) + mum(dst0 ^ c.seed0, dst1 ^ c.seed1)
    ends = <uint32_t>mum(ends, 0x9E3779B97F4A7C15ULL)
    if not c.uneven:
        return <uint32_t>(ends * c.shares >> 32)
    owner = 0
    while ends >= c.parts[owner]:
        owner += 1
    return owner


cdef inline bint is_foreign(const Core *c, const Packet *p) noexcept nogil:
    """Tell whether a decoded packet is another share's."""
    return owner_of_ends(c, p.protocol, p.src_port, p.dst_port, p.src0, p.src1, p.dst0, p.dst1) != c.share


cdef inline int plain_owner(const Core *c, const uint8_t *d, uint32_t cap, uint32_t wire) noexcept nogil:
    """Return whose an Ethernet frame is without decoding it, or NOT_PLAIN.

    Plain is a frame, with one tag at most, of whole and sound IP, TCP and UDP headers without IPv4 options,
    extensions, fragments and tunnels: one that :func:`decode` finds sound.
    """
    cdef const uint8_t *t
    cdef uint32_t at = 14
    cdef uint32_t total, header
    cdef uint16_t ethertype, dst_port
    cdef uint64_t src0, dst0
    cdef uint64_t src1 = 0
    cdef uint64_t dst1 = 0
    cdef uint8_t protocol
    if unlikely(cap < 18 + 20):
        return NOT_PLAIN
    ethertype = be16(d + 12)
    if ethertype == ETHERTYPE_VLAN:
        ethertype = be16(d + 16)
        at = 18
    if wire < cap:
        wire = cap
    wire -= at
    cap -= at
    d += at
    if likely(ethertype == ETHERTYPE_IPV4):
        total = be16(d + 2)
        protocol = d[9]
        header = 20
        src0 = raw32(d + 12)
        dst0 = raw32(d + 16)
        if unlikely(d[0] != 0x45 or be16(d + 6) & 0x3FFF or src0 == 0):
            return NOT_PLAIN
    elif ethertype == ETHERTYPE_IPV6 and cap >= 40:
        total = <uint32_t>be16(d + 4) + 40
        protocol = d[6]
        header = 40
        src0 = raw64(d + 8)
        src1 = raw64(d + 16)
        dst0 = raw64(d + 24)
        dst1 = raw64(d + 32)
        if unlikely(d[0] >> 4 != 6):
            return NOT_PLAIN
    else:
        return NOT_PLAIN
    if unlikely(total > wire or total < header):
        return NOT_PLAIN
    cap = min(cap, total)
    t = d + header
    if likely(protocol == PROTO_TCP):
        if unlikely(cap < header + 20):
            return NOT_PLAIN
        at = (t[12] >> 4) * 4
        if unlikely(at < 20 or header + at > cap):
            return NOT_PLAIN
        return owner_of_ends(c, PROTO_TCP, be16(t), be16(t + 2), src0, src1, dst0, dst1)
    if protocol != PROTO_UDP or cap < header + 8:
        return NOT_PLAIN
    at = be16(t + 4)
    dst_port = be16(t + 2)
    if unlikely(
        at < 8 or header + at > total
        or dst_port == 4789 or dst_port == 8472 or dst_port == 6081 or dst_port == 2152
    ):
        return NOT_PLAIN
    return owner_of_ends(c, PROTO_UDP, be16(t), dst_port, src0, src1, dst0, dst1)


cdef inline void pass_by(Core *c, int64_t ts) noexcept nogil:
    """Let a packet of another share move the clock when those before it have been accounted for."""
    c.foreign += 1
    c.ticks[c.ticked] = ts
    c.ticked += 1
    if unlikely(c.ticked == TICKS):
        account_batch(c)


cdef inline uint16_t service_of(const Core *c, bint datagrams, uint16_t port, uint16_t other) noexcept nogil:
    """Return by which of its two ports a conversation is dealt out: the known one, else the lower."""
    cdef uint8_t bits = 6 if datagrams else 5
    cdef bint known = (c.port_bits[port] & bits) != 0
    if known != ((c.port_bits[other] & bits) != 0):
        return port if known else other
    return min(port, other)


cdef void deal(Core *c, uint8_t *dealt, object services):
    """Fill the table of whose each service is; one that nobody spoke of goes by its pairs of addresses."""
    cdef uint32_t port
    for port in range(65536):
        dealt[port] = BY_ADDRESS | (KNOWN_SERVICE if c.port_bits[port] & 5 else 0)
        dealt[DEALT + port] = BY_ADDRESS | (KNOWN_SERVICE if c.port_bits[port] & 6 else 0)
    for (protocol, number), share in services.items():
        if share is not None:
            port = <uint32_t>number + (DEALT if protocol == PROTO_UDP else 0)
            dealt[port] = <uint8_t>(dealt[port] & KNOWN_SERVICE) | <uint8_t>share


cdef void divide(Core *c, object parts):
    """Let the shares have these parts of the pairs of addresses; the last has what rounding leaves."""
    cdef int at
    before, whole = 0, sum(parts)
    for at, part in enumerate(parts):
        before += part
        c.parts[at] = (before << 32) // whole
    c.uneven = True
