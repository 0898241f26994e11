# Capture files, record by record: pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng).
#
# Only whole records are consumed, so that a file fed byte by byte gives what it gives in one piece.

cdef extern from *:
    """
    /* Nanoseconds of a pcapng timestamp, or -1 where they do not fit: resolution is a power of ten
       (exponent) or, with the top bit of if_tsresol set, of two. */
    static inline int64_t mw_pcapng_ns(uint64_t ticks, uint8_t resolution, int64_t offset) {
        unsigned __int128 ns;
        __int128 sum;
        unsigned exponent = resolution & 0x7F;
        if (resolution & 0x80) {
            if (exponent > 63) return -1;
            ns = ((unsigned __int128)ticks * 1000000000u) >> exponent;
        } else {
            ns = ticks;
            if (exponent > 28) return -1;
            for (; exponent < 9; exponent++) ns *= 10;
            for (; exponent > 9; exponent--) ns /= 10;
        }
        sum = (__int128)ns + (__int128)offset * 1000000000;
        if (sum < 0 || sum > INT64_MAX) return -1;
        return (int64_t)sum;
    }
    static inline uint32_t mw_u32(const uint8_t *p, int swapped) {
        uint32_t v; memcpy(&v, p, 4); return swapped ? __builtin_bswap32(v) : v;
    }
    static inline uint16_t mw_u16(const uint8_t *p, int swapped) {
        uint16_t v; memcpy(&v, p, 2); return swapped ? __builtin_bswap16(v) : v;
    }
    static inline uint64_t mw_u64(const uint8_t *p, int swapped) {
        uint64_t v; memcpy(&v, p, 8); return swapped ? __builtin_bswap64(v) : v;
    }
    """
    int64_t pcapng_ns "mw_pcapng_ns"(uint64_t ticks, uint8_t resolution, int64_t offset) noexcept nogil
    uint32_t u32 "mw_u32"(const uint8_t *p, bint swapped) noexcept nogil
    uint16_t u16 "mw_u16"(const uint8_t *p, bint swapped) noexcept nogil
    uint64_t u64 "mw_u64"(const uint8_t *p, bint swapped) noexcept nogil


cdef enum:
    MAGIC_MICRO = 0xA1B2C3D4
    MAGIC_NANO = 0xA1B23C4D
    MAGIC_MODIFIED = 0xA1B2CD34  # Kuznetzov's patched tcpdump: eight more bytes per record
    BLOCK_SECTION = 0x0A0D0D0A
    BLOCK_INTERFACE = 1
    BLOCK_PACKET = 2
    BLOCK_SIMPLE = 3
    BLOCK_STATISTICS = 5
    BLOCK_ENHANCED = 6
    BYTE_ORDER = 0x1A2B3C4D
    BYTE_ORDER_SWAPPED = 0x4D3C2B1A
    MAX_BLOCK = 16777216
    MAX_INTERFACES = 65536

cdef enum Damage:
    WHOLE = 0
    DAMAGE_MAGIC
    DAMAGE_VERSION
    DAMAGE_RECORD_LENGTH
    DAMAGE_ZEROES
    DAMAGE_BLOCK_LENGTH
    DAMAGE_BLOCK_TRAILER
    DAMAGE_BYTE_ORDER
    DAMAGE_INTERFACE
    DAMAGE_INTERFACES
    DAMAGE_PACKET_LENGTH
    DAMAGE_BLOCK_SHORT
    DAMAGE_MEMORY

cdef tuple DAMAGE_WORDS = (
    "",
    "neither a pcap nor a pcapng file: it begins with 0x{0:08x}",
    "pcap version {0}, of which only 2 is known",
    "a packet record claims {0} bytes, more than any packet has",
    "zeroes where a packet record should be; the file was cut, or never written, from here",
    "a block claims {0} bytes, which cannot be",
    "a block that ends with another length ({0}) than it begins with",
    "a section whose byte order mark is 0x{0:08x}",
    "a packet of interface {0}, which the section did not describe",
    "more than {0} interfaces in one section",
    "a packet of {0} bytes in a block that is too short for it",
    "a block of {0} bytes, too short for its kind",
    "no memory left to describe interface {0}",
)

cdef enum Format:
    FORMAT_UNKNOWN = 0
    FORMAT_PCAP
    FORMAT_PCAPNG


cdef struct Interface:
    int linktype
    uint32_t snaplen
    int64_t offset
    uint64_t dropped
    uint8_t resolution


cdef struct Reader:
    Format format
    bint swapped
    bint nano
    uint32_t record_header
    int linktype
    uint64_t packets
    uint64_t dropped
    int64_t position  # of the next record, from the start of the file
    int64_t bad_time_at  # of the first record with an impossible time, else -1
    Damage damage
    uint64_t detail
    Interface *interfaces
    uint32_t interface_count
    uint32_t interface_size
    int64_t previous_ns
    int64_t first_ns  # -1 before the first packet
    int64_t last_ns


cdef inline int64_t fail(Reader *r, Damage damage, uint64_t detail) noexcept nogil:
    r.damage = damage
    r.detail = detail
    return -1


cdef inline void take_record(
    Core *c, Reader *r, int linktype, const uint8_t *d, uint32_t cap, uint32_t wire, int64_t ts
) noexcept nogil:
    r.packets += 1
    if unlikely(ts < 0):
        if r.bad_time_at < 0:
            r.bad_time_at = r.position
    else:
        r.previous_ns = ts
        if ts > r.last_ns:
            r.last_ns = ts
        if ts < r.first_ns or r.first_ns < 0:
            r.first_ns = ts
    take_packet(c, linktype, d, cap, wire, ts, NO_VLAN)


cdef int64_t begin_file(Reader *r, const uint8_t *d, size_t size) noexcept nogil:
    """Recognise the format; returns the bytes consumed, 0 when more are needed, -1 on damage."""
    cdef uint32_t magic
    cdef uint16_t major
    if size < 4:
        return 0
    magic = raw32(d)
    if magic == BLOCK_SECTION:  # reads the same in both byte orders
        r.format = FORMAT_PCAPNG
        return 0
    r.swapped = False
    if magic != MAGIC_MICRO and magic != MAGIC_NANO and magic != MAGIC_MODIFIED:
        r.swapped = True
        magic = u32(d, True)
        if magic != MAGIC_MICRO and magic != MAGIC_NANO and magic != MAGIC_MODIFIED:
            return fail(r, DAMAGE_MAGIC, be32(d))
    if size < 24:
        return 0
    major = u16(d + 4, r.swapped)
    if major != 2:
        return fail(r, DAMAGE_VERSION, major)
    r.nano = magic == MAGIC_NANO
    r.record_header = 24 if magic == MAGIC_MODIFIED else 16
    r.linktype = u32(d + 20, r.swapped) & 0xFFFF
    r.format = FORMAT_PCAP
    return 24


cdef int64_t pcap_records(Core *c, Reader *r, const uint8_t *d, size_t size) noexcept nogil:
    """Take whole records until the bytes end or the arena is full; returns the bytes consumed."""
    cdef size_t at = 0
    cdef uint32_t cap, fraction, seconds
    cdef int64_t ts
    while size - at >= r.record_header and not is_full(c):
        cap = u32(d + at + 8, r.swapped)
        if unlikely(cap > MAX_PACKET):
            fail(r, DAMAGE_RECORD_LENGTH, cap)
            break
        if size - at - r.record_header < cap:
            break
        seconds = u32(d + at, r.swapped)
        fraction = u32(d + at + 4, r.swapped)
        if unlikely(cap == 0 and seconds == 0 and fraction == 0 and u32(d + at + 12, r.swapped) == 0):
            fail(r, DAMAGE_ZEROES, 0)
            break
        if r.nano:
            ts = <int64_t>seconds * SECOND_NS + fraction if fraction < 1000000000 else -1
        else:
            ts = <int64_t>seconds * SECOND_NS + <int64_t>fraction * 1000 if fraction < 1000000 else -1
        take_record(
            c, r, r.linktype, d + at + r.record_header, cap, u32(d + at + 12, r.swapped), ts
        )
        r.position += r.record_header + cap
        at += r.record_header + cap
    return at


cdef int64_t pcapng_blocks(Core *c, Reader *r, const uint8_t *d, size_t size) noexcept nogil:
    """Take whole blocks until the bytes end or the arena is full; returns the bytes consumed."""
    cdef size_t at = 0
    cdef uint32_t kind, length
    while size - at >= 12 and not is_full(c):
        kind = u32(d + at, r.swapped)
        if kind == BLOCK_SECTION:
            if not begin_section(r, d + at):
                break
        length = u32(d + at + 4, r.swapped)
        if length < 12 or length & 3 or length > MAX_BLOCK:
            fail(r, DAMAGE_BLOCK_LENGTH, length)
            break
        if size - at < length:
            break
        if u32(d + at + length - 4, r.swapped) != length:
            fail(r, DAMAGE_BLOCK_TRAILER, u32(d + at + length - 4, r.swapped))
            break
        if not take_block(c, r, kind, d + at, length):
            break
        r.position += length
        at += length
    return at


cdef bint begin_section(Reader *r, const uint8_t *d) noexcept nogil:
    cdef uint32_t mark = raw32(d + 8)
    cdef uint32_t i
    if mark != BYTE_ORDER and mark != BYTE_ORDER_SWAPPED:
        fail(r, DAMAGE_BYTE_ORDER, be32(d + 8))
        return False
    r.swapped = mark != BYTE_ORDER
    for i in range(r.interface_count):
        r.dropped += r.interfaces[i].dropped
    r.interface_count = 0
    return True


cdef bint take_block(Core *c, Reader *r, uint32_t kind, const uint8_t *d, uint32_t length) noexcept nogil:
    """Take one whole block; False on damage. Kinds that say nothing about packets are passed over."""
    cdef uint32_t which, cap, wire
    cdef Interface *i
    if kind == BLOCK_ENHANCED or kind == BLOCK_PACKET:
        if length < 32:
            fail(r, DAMAGE_BLOCK_SHORT, length)
            return False
        which = u32(d + 8, r.swapped) if kind == BLOCK_ENHANCED else u16(d + 8, r.swapped)
        if which >= r.interface_count:
            fail(r, DAMAGE_INTERFACE, which)
            return False
        cap = u32(d + 20, r.swapped)
        if cap > length - 32 or cap > MAX_PACKET:
            fail(r, DAMAGE_PACKET_LENGTH, cap)
            return False
        i = &r.interfaces[which]
        take_record(
            c, r, i.linktype, d + 28, cap, u32(d + 24, r.swapped),
            pcapng_ns(
                (<uint64_t>u32(d + 12, r.swapped) << 32) | u32(d + 16, r.swapped), i.resolution, i.offset
            ),
        )
    elif kind == BLOCK_SIMPLE:
        if r.interface_count == 0:
            fail(r, DAMAGE_INTERFACE, 0)
            return False
        if length < 16:
            fail(r, DAMAGE_BLOCK_SHORT, length)
            return False
        wire = u32(d + 8, r.swapped)
        cap = min(wire, length - <uint32_t>16)
        if r.interfaces[0].snaplen:
            cap = min(cap, r.interfaces[0].snaplen)
        # a simple packet has no time: it came after the one before it
        take_record(c, r, r.interfaces[0].linktype, d + 12, min(cap, <uint32_t>MAX_PACKET), wire, r.previous_ns)
    elif kind == BLOCK_INTERFACE:
        return take_interface(r, d, length)
    elif kind == BLOCK_STATISTICS and length >= 24:
        which = u32(d + 8, r.swapped)
        if which < r.interface_count:
            take_statistics(r, &r.interfaces[which], d + 20, length - 24)
    return True


cdef bint take_interface(Reader *r, const uint8_t *d, uint32_t length) noexcept nogil:
    cdef Interface *i
    cdef void *moved
    cdef uint32_t at, option, size
    if length < 20:
        fail(r, DAMAGE_BLOCK_SHORT, length)
        return False
    if r.interface_count >= MAX_INTERFACES:
        fail(r, DAMAGE_INTERFACES, MAX_INTERFACES)
        return False
    if r.interface_count == r.interface_size:
        size = r.interface_size * 2 if r.interface_size else 8
        moved = realloc(r.interfaces, size * sizeof(Interface))
        if moved == NULL:
            fail(r, DAMAGE_MEMORY, r.interface_count)
            return False
        r.interfaces = <Interface *>moved
        r.interface_size = size
    i = &r.interfaces[r.interface_count]
    memset(i, 0, sizeof(Interface))
    i.linktype = u16(d + 8, r.swapped)
    i.snaplen = u32(d + 12, r.swapped)
    i.resolution = 6
    at = 16
    while at + 4 <= length - 4:
        option = u16(d + at, r.swapped)
        size = u16(d + at + 2, r.swapped)
        if option == 0 or at + 4 + size > length - 4:
            break
        if option == 9 and size >= 1:
            i.resolution = d[at + 4]
        elif option == 14 and size == 8:
            i.offset = <int64_t>u64(d + at + 4, r.swapped)
        at += 4 + ((size + 3) & ~<uint32_t>3)
    r.interface_count += 1
    return True


cdef void take_statistics(Reader *r, Interface *i, const uint8_t *d, uint32_t length) noexcept nogil:
    cdef uint32_t at = 0
    cdef uint32_t option, size
    while at + 4 <= length:
        option = u16(d + at, r.swapped)
        size = u16(d + at + 2, r.swapped)
        if option == 0 or at + 4 + size > length:
            return
        if option == 5 and size == 8:  # isb_ifdrop, a running total
            i.dropped = u64(d + at + 4, r.swapped)
        at += 4 + ((size + 3) & ~<uint32_t>3)


cdef int64_t read_records(Core *c, Reader *r, const uint8_t *d, size_t size) noexcept nogil:
    """Consume what can be; damage met is left in `r`, after everything before it was taken."""
    cdef int64_t begun = 0
    if r.format == FORMAT_UNKNOWN:
        begun = begin_file(r, d, size)
        if begun < 0:
            return 0
        r.position += begun
        if r.format == FORMAT_UNKNOWN:
            return 0
    if r.format == FORMAT_PCAP:
        return begun + pcap_records(c, r, d + begun, size - begun)
    return pcapng_blocks(c, r, d, size)
