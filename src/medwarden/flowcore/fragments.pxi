# IP fragments put together for the dissectors (RFC 791, RFC 8200 section 4.5), within bounds.
#
# A slot per datagram, found by hash; a newer datagram takes the slot of an older one. Overlapping
# fragments end the attempt (RFC 5722), packets are counted to their flow all the same.


cdef void drop_pieces(Core *c, Fragments *s) noexcept nogil:
    cdef Piece *piece = s.pieces
    cdef Piece *after
    while piece != NULL:
        after = piece.next
        c.fragment_held -= sizeof(Piece) + piece.length
        free(piece)
        piece = after
    s.pieces = NULL
    s.held = 0


cdef void forget_fragments(Core *c, Fragments *s) noexcept nogil:
    """Give a slot up; what it held without coming to an end counts as dropped."""
    if s.pieces != NULL:
        c.fragments_dropped += 1
    drop_pieces(c, s)
    s.used = 0


cdef Fragments *find_fragments(Core *c, Packet *p) noexcept nogil:
    """Return the slot of this packet's datagram; ports are not part of its name."""
    cdef Key key
    cdef Fragments *s
    cdef uint16_t src = p.src_port
    cdef uint16_t dst = p.dst_port
    cdef uint32_t position
    p.src_port = 0
    p.dst_port = 0
    seal(p, c.seed0, c.seed1)
    key = p.key
    position = p.hash ^ (p.fragment_id * <uint32_t>2654435761)
    s = &c.fragments[(position ^ (position >> 16)) % FRAGMENT_SLOTS]
    p.src_port = src
    p.dst_port = dst
    if s.used and (
        s.id != p.fragment_id or s.from_b != p.from_b or memcmp(&s.key, &key, sizeof(Key)) != 0
        or c.mono - s.mono > FRAGMENT_LIFE_NS
    ):
        forget_fragments(c, s)
    if not s.used:
        memset(s, 0, sizeof(Fragments))
        s.used = 1
        s.key = key
        s.id = p.fragment_id
        s.from_b = p.from_b
        s.mono = c.mono
    return s


cdef Fragments *begin_fragment(Core *c, Packet *p) noexcept nogil:
    """Give a later fragment the ports of its first one, where that came before it."""
    cdef Fragments *s = find_fragments(c, p)
    c.fragments_seen += 1
    if p.fragment == 1:
        s.has_first = 1
        s.src_port = p.src_port
        s.dst_port = p.dst_port
    elif s.has_first:
        p.src_port = s.src_port
        p.dst_port = s.dst_port
    seal(p, c.seed0, c.seed1)
    return s


cdef bint keep_piece(Core *c, Fragments *s, uint32_t offset, const uint8_t *data, uint32_t length) noexcept nogil:
    """Hold one fragment in its place; False when it overlaps another or there is no room."""
    cdef Piece **link = &s.pieces
    cdef Piece *piece
    cdef uint32_t end = 0
    while link[0] != NULL and link[0].offset < offset:
        end = link[0].offset + link[0].length
        link = &link[0].next
    if end > offset or (link[0] != NULL and link[0].offset < offset + length):
        return False
    while c.fragment_held + sizeof(Piece) + length > c.fragment_limit:
        if not evict_fragments(c, s):
            return False
    piece = <Piece *>malloc(sizeof(Piece) + length)
    if piece == NULL:
        c.out_of_memory += 1
        return False
    piece.offset = offset
    piece.length = length
    memcpy(piece + 1, data, length)
    piece.next = link[0]
    link[0] = piece
    s.held += length
    c.fragment_held += sizeof(Piece) + length
    return True


cdef bint evict_fragments(Core *c, const Fragments *keep) noexcept nogil:
    """Free the pieces of some other datagram; False when there is none."""
    cdef int tried
    cdef Fragments *s
    for tried in range(FRAGMENT_SLOTS):
        s = &c.fragments[c.fragment_hand]
        c.fragment_hand = (c.fragment_hand + 1) % FRAGMENT_SLOTS
        if s != keep and s.used and s.pieces != NULL:
            forget_fragments(c, s)
            return True
    return False


cdef bint put_together(Core *c, const Packet *p, Fragments *s) noexcept nogil:
    """Hold the fragment; True when the datagram is whole, as ``s.total`` bytes in ``c.assembled``.

    Nobody is asked whether it is wanted: where several processes share the packets, each must come to know
    alike what a fragment belongs to.
    """
    cdef const uint8_t *data = p.payload
    cdef uint32_t cap = p.payload_cap
    cdef uint32_t length = p.payload_len
    cdef Piece *piece
    cdef uint32_t end = 0
    cdef uint32_t header = <uint32_t>(p.payload - p.transport)
    if p.fragment == 1:  # the transport header is part of the whole
        data = p.transport
        cap += header
        length += header
    if s.given_up:
        return False
    if (
        cap < length or length == 0
        or (p.more_fragments and length & 7)
        or (s.total and p.fragment_offset + length > s.total)
        or not keep_piece(c, s, p.fragment_offset, data, length)
    ):
        c.fragments_dropped += 1
        drop_pieces(c, s)
        s.given_up = 1
        return False
    if not p.more_fragments:
        s.total = p.fragment_offset + length
    if s.total == 0 or s.held != s.total or not s.has_first:
        return False
    piece = s.pieces
    while piece != NULL and piece.offset == end:
        memcpy(c.assembled + end, piece + 1, piece.length)
        end += piece.length
        piece = piece.next
    drop_pieces(c, s)
    s.given_up = 1
    if end != s.total:  # as many bytes as the whole, but not its bytes
        c.fragments_dropped += 1
        return False
    c.fragments_reassembled += 1
    return True


cdef void hand_assembled(Core *c, Flow *f, int d, Packet *p, uint32_t length) noexcept nogil:
    """Hand a datagram off that was put together; tunnels are not entered from here."""
    p.fragment = 0
    if decode_transport(p, p.protocol, c.assembled, length, length, MAX_TUNNELS) == SOUND:
        hand_payload(c, f, d, p)
