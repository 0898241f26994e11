# One block of an AF_PACKET TPACKET_V3 receive ring (Linux Documentation/networking/packet_mmap.rst).

cdef extern from *:
    """
    /* The kernel and this process hand a block to each other through one word. */
    static inline uint32_t mw_acquire(const uint8_t *p) {
        return __atomic_load_n((const uint32_t *)p, __ATOMIC_ACQUIRE);
    }
    static inline void mw_release(uint8_t *p, uint32_t v) {
        __atomic_store_n((uint32_t *)p, v, __ATOMIC_RELEASE);
    }
    """
    uint32_t load_acquire "mw_acquire"(const uint8_t *p) noexcept nogil
    void store_release "mw_release"(uint8_t *p, uint32_t v) noexcept nogil


cdef enum:
    TP_STATUS_USER = 1
    BLOCK_STATUS = 8  # offset of the word
    BLOCK_SEQUENCE = 24
    TP_STATUS_VLAN_VALID = 0x10
    BLOCK_HEADER = 48  # struct tpacket_block_desc
    PACKET_HEADER = 48  # struct tpacket3_hdr


cdef int64_t walk_block(Core *c, int linktype, const uint8_t *block, size_t size) noexcept nogil:
    """Account for every packet of a block the kernel has handed over.

    Returns the number of packets, or -1 when an offset leads out of the block. Fields are in host
    order: the kernel wrote them on this machine.
    """
    cdef uint32_t count, first, next_offset, snaplen, length, status, at, i
    cdef uint16_t mac, tci
    cdef uint16_t vlan
    cdef int64_t ts
    if size < BLOCK_HEADER:
        return -1
    count = raw32(block + 12)
    first = raw32(block + 16)
    at = first
    for i in range(count):
        if at > size or size - at < PACKET_HEADER:
            return -1
        next_offset = raw32(block + at)
        ts = <int64_t>raw32(block + at + 4) * 1000000000 + raw32(block + at + 8)
        snaplen = raw32(block + at + 12)
        length = raw32(block + at + 16)
        status = raw32(block + at + 20)
        mac = <uint16_t>(raw32(block + at + 24) & 0xFFFF)
        if <size_t>at + mac + snaplen > size:
            return -1
        vlan = NO_VLAN
        if status & TP_STATUS_VLAN_VALID:
            tci = <uint16_t>raw32(block + at + 32)
            vlan = tci & 0x0FFF
        take_packet(c, linktype, block + at + mac, snaplen, length, ts, vlan)
        if next_offset == 0 and i + 1 < count:
            return -1
        at += next_offset
    return count
