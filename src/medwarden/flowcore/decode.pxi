# One packet's headers into a Packet: link layer, tags, tunnels, network, transport.
#
# Every function takes the bytes captured (`cap`) and the bytes there were on the wire (`wire`), reads
# nothing at or beyond `cap`, and returns a Reason. Headers must be whole; payload may be cut short.

cdef enum:
    DLT_NULL = 0
    DLT_EN10MB = 1
    DLT_PPP = 9
    DLT_RAW_BSD = 12
    DLT_RAW_OPENBSD = 14
    DLT_RAW = 101
    DLT_C_HDLC = 104
    DLT_LOOP = 108
    DLT_LINUX_SLL = 113
    DLT_IPV4 = 228
    DLT_IPV6 = 229
    DLT_LINUX_SLL2 = 276

cdef enum:
    ETHERTYPE_IPV4 = 0x0800
    ETHERTYPE_ARP = 0x0806
    ETHERTYPE_BRIDGED = 0x6558
    ETHERTYPE_VLAN = 0x8100
    ETHERTYPE_IPV6 = 0x86DD
    ETHERTYPE_MPLS = 0x8847
    ETHERTYPE_MPLS_MULTICAST = 0x8848
    ETHERTYPE_PPPOE = 0x8864
    ETHERTYPE_ERSPAN2 = 0x88BE
    ETHERTYPE_QINQ = 0x88A8
    ETHERTYPE_QINQ_OLD = 0x9100
    ETHERTYPE_ERSPAN3 = 0x22EB


cdef inline bint is_tag(uint16_t ethertype) noexcept nogil:
    return ethertype == ETHERTYPE_VLAN or ethertype == ETHERTYPE_QINQ or ethertype == ETHERTYPE_QINQ_OLD


cdef int decode_ethernet(Packet *p, const uint8_t *d, uint32_t cap, uint32_t wire, int depth) noexcept nogil:
    """IEEE 802.3 and Ethernet II; an LLC frame keeps its SNAP protocol as ethertype, or 0."""
    cdef uint16_t ethertype
    if unlikely(cap < 14):
        return TRUNCATED_ETHERNET
    p.dst_mac = d
    p.src_mac = d + 6
    ethertype = be16(d + 12)
    if likely(ethertype == ETHERTYPE_IPV4):
        p.ethertype = ethertype
        return decode_ipv4(p, d + 14, cap - 14, wire - 14, depth)
    return decode_ethertype(p, ethertype, d + 14, cap - 14, wire - 14, depth)


cdef int decode_ethertype(
    Packet *p, uint16_t ethertype, const uint8_t *d, uint32_t cap, uint32_t wire, int depth
) noexcept nogil:
    """Tags and shims up to the network layer; what is not IP becomes a frame between MAC addresses."""
    cdef uint32_t skip
    while True:
        if is_tag(ethertype):
            if cap < 4:
                return TRUNCATED_VLAN
            if p.vlan == NO_VLAN:
                p.vlan = be16(d) & 0x0FFF
            ethertype = be16(d + 2)
            skip = 4
        elif ethertype == ETHERTYPE_PPPOE:
            if cap < 8:
                return TRUNCATED_PPPOE
            ethertype = ppp_ethertype(be16(d + 6))
            skip = 8
            if ethertype == 0:
                ethertype = ETHERTYPE_PPPOE
                break
        elif ethertype == ETHERTYPE_MPLS or ethertype == ETHERTYPE_MPLS_MULTICAST:
            skip = 0
            while True:
                if cap < skip + 4:
                    return TRUNCATED_MPLS
                skip += 4
                if d[skip - 2] & 1:
                    break
            if cap < skip + 1:
                return TRUNCATED_MPLS
            # RFC 4928: the first nibble below the label stack tells IP from a pseudowire
            if d[skip] >> 4 == 4:
                ethertype = ETHERTYPE_IPV4
            elif d[skip] >> 4 == 6:
                ethertype = ETHERTYPE_IPV6
            else:
                break
        else:
            break
        d += skip
        cap -= skip
        wire -= skip
    p.ethertype = ethertype
    if ethertype == ETHERTYPE_IPV4:
        return decode_ipv4(p, d, cap, wire, depth)
    if ethertype == ETHERTYPE_IPV6:
        return decode_ipv6(p, d, cap, wire, depth)
    if ethertype < 1536:
        return decode_llc(p, ethertype, d, cap, wire, depth)
    if ethertype == ETHERTYPE_ARP and (cap < 8 or cap < <uint32_t>8 + 2 * (<uint32_t>d[4] + d[5])):
        return TRUNCATED_ARP
    return decode_frame(p, d, cap, wire)


cdef inline uint16_t ppp_ethertype(uint16_t protocol) noexcept nogil:
    if protocol == 0x0021:
        return ETHERTYPE_IPV4
    if protocol == 0x0057:
        return ETHERTYPE_IPV6
    return 0


cdef int decode_llc(
    Packet *p, uint16_t length, const uint8_t *d, uint32_t cap, uint32_t wire, int depth
) noexcept nogil:
    """IEEE 802.2 behind an 802.3 length field; SNAP is unwrapped."""
    cdef uint16_t protocol
    if cap < 3:
        return TRUNCATED_ETHERNET
    if length >= 3 and length < wire:  # the rest is padding
        wire = length
        cap = min(cap, wire)
    p.llc = 1
    p.ethertype = 0
    if d[0] != 0xAA or d[1] != 0xAA or d[2] != 3:
        return decode_frame(p, d, cap, wire)
    if cap < 8:
        return TRUNCATED_ETHERNET
    protocol = be16(d + 6)
    if d[3] == 0 and d[4] == 0 and d[5] == 0:  # RFC 1042: the protocol is an ethertype
        if protocol == ETHERTYPE_IPV4:
            p.ethertype = protocol
            return decode_ipv4(p, d + 8, cap - 8, wire - 8, depth)
        if protocol == ETHERTYPE_IPV6:
            p.ethertype = protocol
            return decode_ipv6(p, d + 8, cap - 8, wire - 8, depth)
    p.ethertype = protocol
    return decode_frame(p, d + 8, cap - 8, wire - 8)


cdef int decode_frame(Packet *p, const uint8_t *d, uint32_t cap, uint32_t wire) noexcept nogil:
    """A frame that is not IP: a conversation of two MAC addresses."""
    p.kind = KIND_L2
    p.protocol = PROTO_NONE
    p.network = d
    p.network_cap = cap
    p.payload = d
    p.payload_cap = cap
    p.payload_len = wire
    p.ip_len = wire
    p.src0 = mac48(p.src_mac) if p.src_mac != NULL else 0
    p.dst0 = mac48(p.dst_mac) if p.dst_mac != NULL else 0
    p.src1 = 0
    p.dst1 = 0
    p.src_port = 0
    p.dst_port = 0
    return SOUND


cdef int decode_ipv4(Packet *p, const uint8_t *d, uint32_t cap, uint32_t wire, int depth) noexcept nogil:
    """RFC 791. A total length of 0 is what segmentation offload leaves: the frame's length stands in."""
    cdef uint32_t header, total, field
    if unlikely(cap < 20):
        return TRUNCATED_IP
    header = (d[0] & 0x0F) * 4
    if unlikely(d[0] >> 4 != 4 or header < 20):
        return BAD_IP_HEADER
    total = be16(d + 2)
    if unlikely(total == 0):
        total = wire
    if unlikely(total < header or total > wire):
        return BAD_IP_LENGTH
    if unlikely(cap < header):
        return TRUNCATED_IP
    p.kind = KIND_IP4
    p.ttl = d[8]
    p.ip_len = total
    p.network = d
    p.network_cap = min(cap, total)
    p.src0 = raw32(d + 12)
    p.dst0 = raw32(d + 16)
    p.src1 = 0
    p.dst1 = 0
    if p.src0 == 0 and p.src_mac != NULL:
        # hosts that have no address yet are told apart by their MAC, or all of them were one flow
        p.src1 = mac48(p.src_mac) | (<uint64_t>1 << 63)
    field = be16(d + 6)
    if unlikely((field & 0x3FFF) != 0):
        p.fragment_offset = (field & 0x1FFF) * 8
        p.more_fragments = (field & 0x2000) != 0
        p.fragment = 2 if p.fragment_offset else 1
        p.fragment_id = be16(d + 4)
        if p.fragment_offset + total - header > 65535:
            return BAD_FRAGMENT
    return decode_transport(p, d[9], d + header, p.network_cap - header, total - header, depth)


cdef int decode_ipv6(Packet *p, const uint8_t *d, uint32_t cap, uint32_t wire, int depth) noexcept nogil:
    """RFC 8200 with hop-by-hop, routing, destination, fragment, authentication, mobility, HIP and
    shim6 headers, at most 16 of them."""
    cdef uint32_t total, at, length
    cdef uint16_t field
    cdef uint8_t protocol
    cdef int count
    if cap < 40:
        return TRUNCATED_IP
    if d[0] >> 4 != 6:
        return BAD_IP_HEADER
    total = <uint32_t>be16(d + 4) + 40
    if total == 40 and wire > 40 and d[6] != 59:
        total = wire  # jumbogram or segmentation offload
    if total > wire:
        return BAD_IP_LENGTH
    if cap > total:
        cap = total
    p.kind = KIND_IP6
    p.ttl = d[7]
    p.ip_len = total
    p.network = d
    p.network_cap = cap
    p.src0 = raw64(d + 8)
    p.src1 = raw64(d + 16)
    p.dst0 = raw64(d + 24)
    p.dst1 = raw64(d + 32)
    protocol = d[6]
    at = 40
    for count in range(16):
        if protocol == 0 or protocol == 43 or protocol == 60 or protocol == 135 or protocol == 139 or protocol == 140:
            if total < at + 8:
                return BAD_IPV6_EXTENSION
            if cap < at + 8:
                return TRUNCATED_IP
            length = (<uint32_t>d[at + 1] + 1) * 8
        elif protocol == 44:
            if total < at + 8:
                return BAD_IPV6_EXTENSION
            if cap < at + 8:
                return TRUNCATED_IP
            length = 8
            field = be16(d + at + 2)
            if field & 0xFFF9:  # an atomic fragment (RFC 6946) is a whole packet
                p.fragment_offset = field & 0xFFF8
                p.more_fragments = field & 1
                p.fragment = 2 if p.fragment_offset else 1
                p.fragment_id = be32(d + at + 4)
                if p.fragment_offset + total - at - 8 > 65535:
                    return BAD_FRAGMENT
        else:
            break
        if total < at + length:
            return BAD_IPV6_EXTENSION
        if cap < at + length:
            return TRUNCATED_IP
        protocol = d[at]
        at += length
        if p.fragment == 2:
            break
    return decode_transport(p, protocol, d + at, cap - at, total - at, depth)


cdef int decode_transport(
    Packet *p, uint8_t protocol, const uint8_t *d, uint32_t cap, uint32_t wire, int depth
) noexcept nogil:
    cdef uint32_t header, length
    p.protocol = protocol
    p.transport = d
    p.payload = d
    p.payload_cap = cap
    p.payload_len = wire
    p.src_port = 0
    p.dst_port = 0
    if unlikely(p.fragment == 2):
        return SOUND
    if likely(protocol == PROTO_TCP):
        if unlikely(cap < 20):
            return TRUNCATED_TCP
        header = (d[12] >> 4) * 4
        if unlikely(header < 20 or header > wire):
            return BAD_TCP_HEADER
        if unlikely(header > cap):
            return TRUNCATED_TCP
        p.src_port = be16(d)
        p.dst_port = be16(d + 2)
        p.seq = be32(d + 4)
        p.ack = be32(d + 8)
        p.tcp_flags = d[13]
        p.window = be16(d + 14)
        p.options = d + 20
        p.options_len = <uint8_t>(header - 20)
        p.payload = d + header
        p.payload_cap = cap - header
        p.payload_len = wire - header
        return SOUND
    if protocol == PROTO_UDP:
        if cap < 8:
            return TRUNCATED_UDP
        length = be16(d + 4)
        if length == 0:
            length = wire
        if length < 8 or (length > wire and p.fragment == 0):
            return BAD_UDP_LENGTH
        p.src_port = be16(d)
        p.dst_port = be16(d + 2)
        if p.fragment == 0:
            wire = length
            cap = min(cap, wire)
        p.payload = d + 8
        p.payload_cap = cap - 8
        p.payload_len = wire - 8
        if p.fragment == 0 and depth < MAX_TUNNELS:
            udp_tunnel(p, d + 8, cap - 8, wire - 8, depth)
        return SOUND
    if protocol == 1 or protocol == 58:
        if cap < 4:
            return TRUNCATED_ICMP
        p.payload = d + 4
        p.payload_cap = cap - 4
        p.payload_len = wire - 4
        return SOUND
    if protocol == 132 or protocol == 33:  # SCTP, DCCP: both begin with the ports
        if cap < 12:
            return TRUNCATED_SCTP
        p.src_port = be16(d)
        p.dst_port = be16(d + 2)
        p.payload = d + 12
        p.payload_cap = cap - 12
        p.payload_len = wire - 12
        return SOUND
    if p.fragment:
        return SOUND
    if protocol == 51 and cap >= 12:  # authentication header, RFC 4302
        length = (<uint32_t>d[1] + 2) * 4
        if length <= cap and d[0] != 51:
            return decode_transport(p, d[0], d + length, cap - length, wire - length, depth)
        return SOUND
    if depth < MAX_TUNNELS:
        if protocol == 47:
            gre_tunnel(p, d, cap, wire, depth)
        elif protocol == 4:
            enter_tunnel(p, TUNNEL_IPIP, 0, ETHERTYPE_IPV4, NO_VLAN, d, cap, wire, depth)
        elif protocol == 41:
            enter_tunnel(p, TUNNEL_6IN4, 0, ETHERTYPE_IPV6, NO_VLAN, d, cap, wire, depth)
    return SOUND


cdef void enter_tunnel(
    Packet *p, uint32_t kind, uint32_t tunnel_id, uint16_t ethertype, uint16_t vlan,
    const uint8_t *d, uint32_t cap, uint32_t wire, int depth,
) noexcept nogil:
    """Decode what a tunnel carries; where that is not sound, the packet stays the tunnel's own."""
    cdef Packet outer = p[0]
    cdef int reason
    p.tunnel = (kind << 24) | (tunnel_id & 0xFFFFFF)
    p.src_mac = NULL
    p.dst_mac = NULL
    p.vlan = NO_VLAN
    p.llc = 0
    p.ethertype = ethertype
    if ethertype == ETHERTYPE_BRIDGED:
        reason = decode_ethernet(p, d, cap, wire, depth + 1)
        if p.vlan == NO_VLAN:
            p.vlan = vlan
    else:
        reason = decode_ethertype(p, ethertype, d, cap, wire, depth + 1)
    if reason != SOUND:
        p[0] = outer


cdef void udp_tunnel(Packet *p, const uint8_t *d, uint32_t cap, uint32_t wire, int depth) noexcept nogil:
    """VXLAN (RFC 7348), Geneve (RFC 8926) and GTP-U (3GPP TS 29.281)."""
    cdef uint32_t skip
    cdef uint8_t extension
    if p.dst_port == 4789 or p.dst_port == 8472:
        if cap >= 22 and d[0] & 0x08 and d[7] == 0:
            enter_tunnel(p, TUNNEL_VXLAN, be32(d + 4) >> 8, ETHERTYPE_BRIDGED, NO_VLAN, d + 8, cap - 8, wire - 8, depth)
    elif p.dst_port == 6081:
        if cap >= 8 and d[0] >> 6 == 0:
            skip = 8 + (<uint32_t>d[0] & 0x3F) * 4
            if cap > skip:
                enter_tunnel(
                    p, TUNNEL_GENEVE, be32(d + 4) >> 8, be16(d + 2), NO_VLAN, d + skip, cap - skip, wire - skip, depth
                )
    elif p.dst_port == 2152:
        if cap >= 12 and d[0] >> 4 == 3 and d[1] == 0xFF:  # version 1, a T-PDU
            skip = 8
            if d[0] & 0x07:
                skip = 12
                extension = d[11] if d[0] & 0x04 else 0
                while extension:
                    if cap < skip + 4 or d[skip] == 0 or cap < skip + <uint32_t>d[skip] * 4:
                        return
                    skip += <uint32_t>d[skip] * 4
                    extension = d[skip - 1]
            if cap > skip:
                enter_tunnel(
                    p, TUNNEL_GTP, 0, ETHERTYPE_IPV6 if d[skip] >> 4 == 6 else ETHERTYPE_IPV4, NO_VLAN,
                    d + skip, cap - skip, wire - skip, depth,
                )


cdef void gre_tunnel(Packet *p, const uint8_t *d, uint32_t cap, uint32_t wire, int depth) noexcept nogil:
    """GRE (RFC 2784, 2890) and the ERSPAN types it carries (draft-foschiano-erspan-03)."""
    cdef uint32_t skip = 4
    cdef uint16_t flags, protocol, vlan
    if cap < 4:
        return
    flags = be16(d)
    protocol = be16(d + 2)
    if flags & 0x4007:  # source routing, or a version other than 0
        return
    skip += 4 * ((flags >> 15) + ((flags >> 13) & 1) + ((flags >> 12) & 1))
    if cap <= skip:
        return
    d += skip
    cap -= skip
    wire -= skip
    if protocol == ETHERTYPE_ERSPAN2:
        if not flags & 0x1000:  # type I has no header of its own
            enter_tunnel(p, TUNNEL_ERSPAN, 0, ETHERTYPE_BRIDGED, NO_VLAN, d, cap, wire, depth)
        elif cap >= 8 and d[0] >> 4 == 1:
            vlan = be16(d) & 0x0FFF
            enter_tunnel(
                p, TUNNEL_ERSPAN, be16(d + 2) & 0x03FF, ETHERTYPE_BRIDGED, vlan if vlan else NO_VLAN,
                d + 8, cap - 8, wire - 8, depth,
            )
    elif protocol == ETHERTYPE_ERSPAN3:
        if cap >= 12 and d[0] >> 4 == 2:
            skip = 20 if d[11] & 1 else 12
            if cap > skip:
                vlan = be16(d) & 0x0FFF
                enter_tunnel(
                    p, TUNNEL_ERSPAN, be16(d + 2) & 0x03FF,
                    ETHERTYPE_BRIDGED if not (d[10] >> 2) & 0x1F else (
                        ETHERTYPE_IPV6 if d[skip] >> 4 == 6 else ETHERTYPE_IPV4
                    ),
                    vlan if vlan else NO_VLAN, d + skip, cap - skip, wire - skip, depth,
                )
    else:
        enter_tunnel(p, TUNNEL_GRE, 0, protocol, NO_VLAN, d, cap, wire, depth)


cdef int decode_link(
    Packet *p, int linktype, const uint8_t *d, uint32_t cap, uint32_t wire
) noexcept nogil:
    """Begin at the link layer; numbers are those of the LINKTYPE_ registry of tcpdump.org."""
    cdef uint32_t family
    if linktype == DLT_LINUX_SLL:
        if cap < 16:
            return TRUNCATED_LINK
        if be16(d + 4) == 6:
            p.src_mac = d + 6
        return decode_ethertype(p, sll_ethertype(be16(d + 14)), d + 16, cap - 16, wire - 16, 0)
    if linktype == DLT_LINUX_SLL2:
        if cap < 20:
            return TRUNCATED_LINK
        if d[11] == 6:
            p.src_mac = d + 12
        return decode_ethertype(p, sll_ethertype(be16(d)), d + 20, cap - 20, wire - 20, 0)
    if (
        linktype == DLT_RAW or linktype == DLT_RAW_BSD or linktype == DLT_RAW_OPENBSD
        or linktype == DLT_IPV4 or linktype == DLT_IPV6
    ):
        if cap < 1:
            return TRUNCATED_LINK
        p.ethertype = ETHERTYPE_IPV6 if d[0] >> 4 == 6 else ETHERTYPE_IPV4
        return decode_ethertype(p, p.ethertype, d, cap, wire, 0)
    if linktype == DLT_NULL or linktype == DLT_LOOP:
        if cap < 4:
            return TRUNCATED_LINK
        family = be32(d)
        if family > 0xFFFF:  # DLT_NULL is in the order of the machine that wrote it
            family = le32(d)
        if family == 2:
            return decode_ethertype(p, ETHERTYPE_IPV4, d + 4, cap - 4, wire - 4, 0)
        if family == 10 or family == 23 or family == 24 or family == 28 or family == 30:
            return decode_ethertype(p, ETHERTYPE_IPV6, d + 4, cap - 4, wire - 4, 0)
        return decode_frame(p, d + 4, cap - 4, wire - 4)
    if linktype == DLT_PPP or linktype == DLT_C_HDLC:
        if cap < 4:
            return TRUNCATED_LINK
        if linktype == DLT_C_HDLC:
            return decode_ethertype(p, sll_ethertype(be16(d + 2)), d + 4, cap - 4, wire - 4, 0)
        family = 4 if d[0] == 0xFF and d[1] == 3 else 2
        p.ethertype = ppp_ethertype(be16(d + family - 2))
        if p.ethertype:
            return decode_ethertype(p, p.ethertype, d + family, cap - family, wire - family, 0)
        return decode_frame(p, d + family, cap - family, wire - family)
    return UNSUPPORTED_LINK_TYPE


cdef inline uint16_t sll_ethertype(uint16_t protocol) noexcept nogil:
    """Small protocol numbers of cooked captures are Linux's own; only 4 (802.2) means LLC follows."""
    return protocol if protocol >= 1536 or protocol == 4 else 0xFFFF


cdef inline void seal(Packet *p, uint64_t seed0, uint64_t seed1) noexcept nogil:
    """Put the endpoints in order, complete the key and hash it."""
    cdef uint64_t ends = (<uint64_t>p.vlan << 32) | (<uint64_t>p.protocol << 48) | (<uint64_t>p.kind << 56)
    cdef uint64_t scope = p.tunnel
    cdef bint swap = p.src0 > p.dst0 or (
        p.src0 == p.dst0 and (p.src1 > p.dst1 or (p.src1 == p.dst1 and p.src_port > p.dst_port))
    )
    if unlikely(p.kind == KIND_L2):
        scope |= (<uint64_t>p.ethertype << 32) | (<uint64_t>p.llc << 48)
    p.from_b = swap
    if swap:
        p.key.a0 = p.dst0
        p.key.a1 = p.dst1
        p.key.b0 = p.src0
        p.key.b1 = p.src1
        ends |= p.dst_port | (<uint64_t>p.src_port << 16)
    else:
        p.key.a0 = p.src0
        p.key.a1 = p.src1
        p.key.b0 = p.dst0
        p.key.b1 = p.dst1
        ends |= p.src_port | (<uint64_t>p.dst_port << 16)
    p.key.ends = ends
    p.key.scope = scope
    p.hash = hash_words(p.key.a0, p.key.a1, p.key.b0, p.key.b1, ends, scope, seed0, seed1)


cdef inline uint32_t hash_words(
    uint64_t a0, uint64_t a1, uint64_t b0, uint64_t b1, uint64_t ends, uint64_t scope, uint64_t seed0, uint64_t seed1
) noexcept nogil:
    """Seeded at random, so that nobody outside can choose packets that collide."""
    cdef uint64_t h = mum(a0 ^ seed0, b0 ^ ends ^ seed1) ^ mum(a1 ^ seed1, b1 ^ seed0)
    h = mum(h ^ ends, scope ^ seed0 ^ 0x9E3779B97F4A7C15ULL)
    return <uint32_t>(h ^ (h >> 32))


cdef inline uint32_t hash_key(const Key *key, uint64_t seed0, uint64_t seed1) noexcept nogil:
    return hash_words(key.a0, key.a1, key.b0, key.b1, key.ends, key.scope, seed0, seed1)


cdef inline int decode(
    Core *c, Packet *p, int linktype, const uint8_t *d, uint32_t cap, uint32_t wire, int64_t ts, uint16_t vlan
) noexcept nogil:
    """Fill `p` from one captured packet and return its Reason; `vlan` is a tag the kernel took out."""
    cdef int reason
    p.ts = ts
    p.src_mac = NULL
    p.dst_mac = NULL
    p.vlan = vlan
    p.tunnel = 0
    p.fragment = 0
    p.llc = 0
    p.tcp_flags = 0
    p.options_len = 0
    p.ethertype = 0
    p.ttl = 0
    p.seq = 0
    p.ack = 0
    if wire < cap:
        wire = cap
    if unlikely(ts < 0):
        reason = BAD_TIME
    elif likely(linktype == DLT_EN10MB):
        reason = decode_ethernet(p, d, cap, wire, 0)
    else:
        reason = decode_link(p, linktype, d, cap, wire)
    p.reason = <uint8_t>reason
    if likely(reason == SOUND):
        seal(p, c.seed0, c.seed1)
    return reason
