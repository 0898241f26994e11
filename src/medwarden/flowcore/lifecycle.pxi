# Making a core from its settings, and giving its memory back.

cdef void free_core(Core *c) noexcept:
    cdef uint32_t i
    cdef int d, slot
    if c == NULL:
        return
    if c.flows != NULL:
        for i in range(c.top):  # a flow that ended holds nothing any more
            for d in range(2):
                if c.flows[i].held[d] != NULL:
                    release(c, &c.flows[i], d)
    if c.fragments != NULL:
        for slot in range(FRAGMENT_SLOTS):
            drop_pieces(c, &c.fragments[slot])
    free(c.buckets)
    free(c.by_id)
    free(c.said)
    free(c.volatile_bytes)
    free(c.volatile_of)
    free(c.flows)
    free(c.ended)
    free(c.arena)
    free(c.port_bytes)
    free(c.port_bits)
    free(c.ethertypes)
    free(c.starts)
    free(c.fragments)
    free(c.assembled)
    free(c.batch)
    free(c.dealt)
    free(c.ticks)
    free(c)


cdef extern from "sys/mman.h" nogil:
    int madvise(void *memory, size_t size, int advice)
    int MADV_HUGEPAGE


cdef enum:
    HUGE_PAGE = 2097152


cdef void *in_huge_pages(size_t size) noexcept:
    """Return memory for what is looked up all over, so that few entries of the page tables cover it, or NULL."""
    cdef void *memory = NULL
    if posix_memalign(&memory, HUGE_PAGE, size) != 0:
        return NULL
    madvise(memory, size & ~<size_t>(HUGE_PAGE - 1), MADV_HUGEPAGE)  # only faster: a kernel without goes on as well
    return memory


cdef Core *new_core(object config) except NULL:
    """Allocate a core; the flow pool is reserved whole and touched only as flows come."""
    cdef Core *c = <Core *>calloc(1, sizeof(Core))
    cdef uint32_t buckets = 4096  # more as flows come
    cdef int i
    if c == NULL:
        raise MemoryError("no memory left for a flow core")
    c.max_flows = config.max_flows
    c.share, c.shares = config.share
    c.next_id = c.share
    c.mask = buckets - 1
    c.id_mask = (1 << (2 * c.max_flows - 1).bit_length()) - 1
    c.by_id = <uint32_t *>calloc(<size_t>c.id_mask + 1, sizeof(uint32_t))
    c.said = <Said *>in_huge_pages(SAID_SLOTS * sizeof(Said))
    c.flows = <Flow *>in_huge_pages(<size_t>c.max_flows * sizeof(Flow))
    c.volatile_bytes = <Volatile *>calloc(len(config.datagram_volatile) + 1, sizeof(Volatile))
    c.volatile_of = <uint16_t *>calloc(65536, sizeof(uint16_t))
    c.buckets = <uint32_t *>malloc(buckets * sizeof(uint32_t))
    c.port_bytes = <uint32_t *>calloc(65536, sizeof(uint32_t))
    c.port_bits = <uint8_t *>calloc(65536, 1)
    c.ethertypes = <uint8_t *>calloc(65536, 1)
    c.fragments = <Fragments *>calloc(FRAGMENT_SLOTS, sizeof(Fragments))
    c.assembled = <uint8_t *>malloc(65536)
    c.batch = <Packet *>calloc(BATCH, sizeof(Packet))
    c.ticks = <int64_t *>calloc(TICKS, sizeof(int64_t))
    c.starts = <Start *>calloc(len(config.stream_starts) + 1, sizeof(Start))
    if (
        c.by_id == NULL or c.said == NULL or c.volatile_bytes == NULL or c.volatile_of == NULL
        or c.buckets == NULL or c.port_bytes == NULL or c.port_bits == NULL or c.ethertypes == NULL
        or c.fragments == NULL or c.assembled == NULL or c.batch == NULL or c.ticks == NULL
        or c.starts == NULL or c.flows == NULL
    ):
        free_core(c)
        raise MemoryError(f"no memory left for a flow core of {config.max_flows} flows")
    memset(c.said, 0, SAID_SLOTS * sizeof(Said))
    memset(c.buckets, 0xFF, buckets * sizeof(uint32_t))
    for i in range(LISTS):
        c.lists[i].head = NIL
        c.lists[i].tail = NIL
    c.spare = NIL
    seeds = config.seed or os.urandom(16)
    c.seed0 = int.from_bytes(seeds[:8], "little") | 1
    c.seed1 = int.from_bytes(seeds[8:], "little") | 1
    set_bounds(c, config)
    set_wanted(c, config)
    return c


cdef void set_bounds(Core *c, object config):
    c.idle_ns[LIST_DATAGRAM] = int(config.idle_timeout_s * 1e9)
    c.idle_ns[LIST_TCP] = int(config.tcp_idle_timeout_s * 1e9)
    c.idle_ns[LIST_CLOSED] = LINGER_NS
    c.active_ns = int(config.active_timeout_s * 1e9)
    c.longest_ns = max(c.idle_ns[LIST_DATAGRAM], c.idle_ns[LIST_TCP], c.active_ns, LINGER_NS) + 2 * SECOND_NS
    c.reassembly_limit = config.reassembly_bytes
    c.fragment_limit = config.fragment_bytes
    c.arena_bound = config.handoff_bytes
    c.arena_limit = c.arena_bound
    c.ended_limit = ENDED_BOUND
    c.payload_packets = config.payload_packets
    c.payload_bytes = config.payload_bytes
    c.datagram_packets = config.datagram_packets
    c.repeat_ns = int(config.repeat_s * 1e9)


cdef void set_wanted(Core *c, object config):
    cdef uint32_t at = 0
    cdef Start *start
    for port in range(1, 1024):
        c.port_bits[<int>port] = 4
    for port, wanted in config.stream_ports.items():
        c.port_bytes[<int>port] = wanted
        c.port_bits[<int>port] |= 1
    for port in config.opening_ports:
        c.port_bits[<int>port] |= 8
    for port in config.datagram_ports:
        c.port_bits[<int>port] |= 2
    for index, (port, ranges) in enumerate(config.datagram_volatile.items()):
        c.volatile_of[<int>port] = index + 1
        for which, (first, last) in enumerate(ranges):
            c.volatile_bytes[<int>index].first[<int>which] = first
            c.volatile_bytes[<int>index].last[<int>which] = last
    for ethertype in config.ethertypes:
        c.ethertypes[<int>ethertype] = 1
    # by first byte, the longest first, so that the most particular start is the one that counts
    ordered = sorted(config.stream_starts, key=lambda one: (one[0][0], -len(one[0]), one[0]))
    for first in range(256):
        c.start_first[<int>first] = at
        while at < <uint32_t>len(ordered) and ordered[at][0][0] == first:
            prefix, wanted = ordered[at]
            start = &c.starts[at]
            start.length = len(prefix)
            start.wanted = wanted
            start.opening = prefix in config.opening_starts
            memcpy(start.prefix, PyBytes_AS_STRING(<bytes>prefix), start.length)
            at += 1
    c.start_first[256] = at
