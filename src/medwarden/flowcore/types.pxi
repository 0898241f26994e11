# The structs that the parts of the core share, and the few primitives every part uses.

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset

cdef extern from "stdlib.h" nogil:
    int posix_memalign(void **memory, size_t alignment, size_t size)

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    static inline uint16_t mw_be16(const uint8_t *p) { return (uint16_t)((p[0] << 8) | p[1]); }
    static inline uint32_t mw_be32(const uint8_t *p) {
        return ((uint32_t)p[0] << 24) | ((uint32_t)p[1] << 16) | ((uint32_t)p[2] << 8) | p[3];
    }
    static inline uint32_t mw_le32(const uint8_t *p) {
        return ((uint32_t)p[3] << 24) | ((uint32_t)p[2] << 16) | ((uint32_t)p[1] << 8) | p[0];
    }
    static inline uint16_t mw_le16(const uint8_t *p) { return (uint16_t)((p[1] << 8) | p[0]); }
    static inline uint32_t mw_raw32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return v; }
    static inline uint64_t mw_raw64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return v; }
    static inline uint64_t mw_mac(const uint8_t *p) {
        return ((uint64_t)mw_be16(p) << 32) | mw_be32(p + 2);
    }
    static inline uint64_t mw_mum(uint64_t a, uint64_t b) {
        unsigned __int128 product = (unsigned __int128)a * b;
        return (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    /* Two chains, for a product takes as long as four loads. `h` must come of a seed: so does the key, and nobody
       can choose bytes that make a factor zero. */
    static inline uint64_t mw_digest(uint64_t h, const uint8_t *p, uint32_t length) {
        const uint64_t key = mw_mum(h ^ 0x9E3779B97F4A7C15u, 0xC2B2AE3D27D4EB4Fu);
        uint64_t first = 0, last = 0;
        if (length >= 32) {
            const uint64_t other = ~key;
            uint64_t g = h ^ 0xD6E8FEB86659FD93u;
            do {
                h = mw_mum(mw_raw64(p) ^ key, mw_raw64(p + 8) ^ h);
                g = mw_mum(mw_raw64(p + 16) ^ other, mw_raw64(p + 24) ^ g);
                p += 32;
                length -= 32;
            } while (length >= 32);
            h = mw_mum(h ^ key, g ^ 0x9E3779B97F4A7C15u);
        }
        if (length >= 16) {
            h = mw_mum(mw_raw64(p) ^ key, mw_raw64(p + 8) ^ h);
            p += 16;
            length -= 16;
        }
        if (length >= 8) {
            first = mw_raw64(p);
            last = mw_raw64(p + length - 8);
        } else {
            memcpy(&first, p, length);
        }
        return mw_mum(first ^ key, last ^ h ^ length);
    }
    static inline void mw_prefetch(const void *p) { __builtin_prefetch(p, 1, 3); }
    #define mw_likely(x) __builtin_expect(!!(x), 1)
    #define mw_unlikely(x) __builtin_expect(!!(x), 0)
    """
    uint16_t be16 "mw_be16"(const uint8_t *p) noexcept nogil
    uint32_t be32 "mw_be32"(const uint8_t *p) noexcept nogil
    uint16_t le16 "mw_le16"(const uint8_t *p) noexcept nogil
    uint32_t le32 "mw_le32"(const uint8_t *p) noexcept nogil
    uint32_t raw32 "mw_raw32"(const uint8_t *p) noexcept nogil
    uint64_t raw64 "mw_raw64"(const uint8_t *p) noexcept nogil
    uint64_t mac48 "mw_mac"(const uint8_t *p) noexcept nogil
    uint64_t mum "mw_mum"(uint64_t a, uint64_t b) noexcept nogil
    uint64_t digest "mw_digest"(uint64_t h, const uint8_t *data, uint32_t length) noexcept nogil
    void prefetch "mw_prefetch"(const void *p) noexcept nogil
    bint likely "mw_likely"(bint x) noexcept nogil
    bint unlikely "mw_unlikely"(bint x) noexcept nogil
    int64_t SECOND_NS "INT64_C(1000000000)"
    int64_t HOUR_NS "INT64_C(3600000000000)"
    int64_t LINGER_NS "INT64_C(5000000000)"  # of a closed connection
    int64_t FRAGMENT_LIFE_NS "INT64_C(30000000000)"


cdef enum:
    NO_VLAN = 0xFFFF
    KIND_L2 = 2
    KIND_IP4 = 4
    KIND_IP6 = 6
    PROTO_TCP = 6
    PROTO_UDP = 17
    PROTO_NONE = 0
    MAX_TUNNELS = 4
    MAX_PACKET = 262144  # libpcap's MAXIMUM_SNAPLEN
    SYN_OPTIONS = 28  # so many that a Flow is five cache lines
    NIL = 0xFFFFFFFF
    BATCH = 16
    ENDED_BOUND = 8192

cdef enum:
    TCP_FIN = 0x01
    TCP_SYN = 0x02
    TCP_RST = 0x04
    TCP_ACK = 0x10

cdef enum Tunnel:
    TUNNEL_NONE = 0
    TUNNEL_VXLAN
    TUNNEL_GRE
    TUNNEL_ERSPAN
    TUNNEL_IPIP
    TUNNEL_6IN4
    TUNNEL_GTP
    TUNNEL_GENEVE

cdef enum EndReason:
    END_IDLE = 0
    END_ACTIVE
    END_FIN
    END_RST
    END_EVICTED
    END_FINAL

cdef tuple END_NAMES = ("idle", "active", "fin", "rst", "evicted", "end")

cdef enum Reason:
    SOUND = 0
    TRUNCATED_ETHERNET
    TRUNCATED_VLAN
    TRUNCATED_LINK
    UNSUPPORTED_LINK_TYPE
    TRUNCATED_PPPOE
    TRUNCATED_MPLS
    TRUNCATED_ARP
    TRUNCATED_IP
    BAD_IP_HEADER
    BAD_IP_LENGTH
    BAD_IPV6_EXTENSION
    BAD_FRAGMENT
    TRUNCATED_TCP
    BAD_TCP_HEADER
    TRUNCATED_UDP
    BAD_UDP_LENGTH
    TRUNCATED_ICMP
    TRUNCATED_SCTP
    BAD_TIME
    REASON_COUNT

cdef tuple REASON_NAMES = (
    "sound", "truncated_ethernet", "truncated_vlan", "truncated_link", "unsupported_link_type",
    "truncated_pppoe", "truncated_mpls", "truncated_arp", "truncated_ip", "bad_ip_header", "bad_ip_length",
    "bad_ipv6_extension", "bad_fragment", "truncated_tcp", "bad_tcp_header", "truncated_udp",
    "bad_udp_length", "truncated_icmp", "truncated_sctp", "bad_time",
)


# Both directions of a conversation have the same key: the lower of the two endpoints is a.
# Addresses are in network order as loaded; IPv4 fills a0 and b0 only, a MAC address likewise.
# Whole words, because a word put together in a register and compared at once is what is fast.
cdef struct Key:
    uint64_t a0
    uint64_t a1
    uint64_t b0
    uint64_t b1
    uint64_t ends  # port of a, port of b, VLAN: 16 bits each; protocol, kind: 8 bits each
    uint64_t scope  # tunnel (Tunnel kind << 24 | 24-bit id), above it the ethertype of a non-IP frame


cdef inline uint16_t port_a(const Key *key) noexcept nogil:
    return <uint16_t>key.ends


cdef inline uint16_t port_b(const Key *key) noexcept nogil:
    return <uint16_t>(key.ends >> 16)


cdef inline uint16_t vlan_of(const Key *key) noexcept nogil:
    return <uint16_t>(key.ends >> 32)


cdef inline uint8_t protocol_of(const Key *key) noexcept nogil:
    return <uint8_t>(key.ends >> 48)


cdef inline uint8_t kind_of(const Key *key) noexcept nogil:
    return <uint8_t>(key.ends >> 56)


cdef inline uint32_t tunnel_of(const Key *key) noexcept nogil:
    return <uint32_t>key.scope


cdef inline uint32_t ethertype_of(const Key *key) noexcept nogil:
    return <uint32_t>(key.scope >> 32)


cdef struct Packet:
    uint64_t src0
    uint64_t src1
    uint64_t dst0
    uint64_t dst1
    Key key
    int64_t ts
    const uint8_t *src_mac  # NULL where the link carries none
    const uint8_t *dst_mac
    const uint8_t *options  # of a TCP header
    const uint8_t *payload
    const uint8_t *transport  # where the transport header begins
    const uint8_t *network  # what follows the link header
    uint32_t network_cap
    uint32_t payload_cap  # captured bytes
    uint32_t payload_len  # bytes on the wire
    uint32_t ip_len
    uint32_t seq
    uint32_t ack
    uint32_t hash
    uint32_t fragment_id
    uint32_t fragment_offset
    uint32_t tunnel
    uint32_t ticked  # packets of other shares that came before it since the batch began
    uint16_t window
    uint16_t src_port
    uint16_t dst_port
    uint16_t vlan
    uint16_t ethertype
    uint8_t options_len
    uint8_t tcp_flags
    uint8_t ttl
    uint8_t protocol
    uint8_t kind
    uint8_t from_b  # 1 when the sender is endpoint b of the key
    uint8_t fragment  # 0 whole, 1 first, 2 later
    uint8_t more_fragments
    uint8_t llc
    uint8_t reason


cdef struct Syn:
    uint16_t window
    uint16_t mss
    uint8_t ttl
    uint8_t scale
    uint8_t count  # options kept; 0xFF: no SYN was seen
    uint8_t more  # options there were beyond SYN_OPTIONS
    uint8_t kinds[SYN_OPTIONS]


cdef struct Chunk:
    Chunk *next
    int64_t ts
    uint32_t seq
    uint32_t cap
    uint32_t length


cdef enum:
    STATE_SWAPPED = 1  # the client is endpoint b
    STATE_CLOSED = 2
    STATE_RST = 4
    STATE_SEQ0 = 8  # next_seq[0] is known
    STATE_SEQ1 = 16
    STATE_DATAGRAMS = 32
    STATE_GAP0 = 64
    STATE_GAP1 = 128

cdef enum:
    HAS_CLIENT_MAC = 1
    HAS_SERVER_MAC = 2
    ACK0_KNOWN = 8
    ACK1_KNOWN = 16
    PASSED_OVER = 4  # the dissectors want no more of the flow
    STARTED0 = 32  # the first payload of the direction was compared with the stream starts
    STARTED1 = 64


# The first 128 bytes (two cache lines) are all that a packet of an established flow touches.
cdef struct Flow:
    Key key
    uint32_t chain
    uint32_t stamp  # second of the packet clock at which the flow last moved in its list
    uint8_t tcp_flags[2]
    uint8_t state
    uint8_t want  # bit d: payload of direction d is still wanted
    uint8_t which  # the list it is in
    uint8_t marks
    uint8_t ttl[2]
    int64_t last_mono
    int64_t end_ns
    uint64_t packets[2]
    uint64_t bytes[2]
    uint64_t payload[2]
    # beyond here: creation, hand-off, expiry
    int64_t start_ns
    int64_t start_mono
    int64_t flow_id
    uint32_t prev
    uint32_t next
    uint32_t budget[2]
    uint32_t next_seq[2]
    uint32_t offset[2]
    uint16_t left[2]
    uint16_t chunks[2]
    Chunk *held[2]
    uint32_t held_bytes[2]
    uint32_t acked[2]
    uint32_t isn
    uint32_t opening  # place of the first payload among what was said; NIL: none
    uint8_t macs[2][6]  # of the client, of the server
    Syn syn[2]
    uint8_t reason
    uint8_t fins  # bit d: direction d sent FIN


cdef struct FlowList:
    uint32_t head
    uint32_t tail


cdef struct Hand:
    int64_t ts
    int64_t flow_id
    uint64_t src0
    uint64_t src1
    uint64_t dst0
    uint64_t dst1
    uint64_t offset
    uint32_t length
    uint32_t slot  # of the flow in the table
    uint16_t src_port
    uint16_t dst_port
    uint16_t vlan
    uint16_t ethertype
    uint8_t kind
    uint8_t transport  # 0 tcp, 1 udp, 2 ethernet
    uint8_t from_client
    uint8_t gap
    uint8_t has_macs  # bit 0 source, bit 1 destination
    uint8_t src_mac[6]
    uint8_t dst_mac[6]


cdef struct Said:
    uint64_t digest
    int64_t mono  # when it was handed off, or first handed off
    uint32_t times


cdef struct Volatile:
    uint16_t first[2]  # byte ranges of a datagram that differ between repetitions
    uint16_t last[2]


cdef struct Start:
    uint32_t length
    bint opening  # it tells whether the stream repeats another
    uint32_t wanted
    uint8_t prefix[32]


cdef struct Piece:
    Piece *next
    uint32_t offset
    uint32_t length


cdef struct Fragments:
    Key key
    int64_t mono
    Piece *pieces
    uint32_t id
    uint32_t total  # length of the whole, 0 while unknown
    uint32_t held
    uint16_t src_port
    uint16_t dst_port
    uint8_t used
    uint8_t from_b
    uint8_t has_first
    uint8_t given_up


cdef enum:
    FRAGMENT_SLOTS = 1024
    SAID_SLOTS = 131072
    MOST_SHARES = 64
    OPENINGS = 2  # streams that open alike and are handed off all the same
    LISTS = 3
    LIST_DATAGRAM = 0
    LIST_TCP = 1
    LIST_CLOSED = 2


cdef struct Core:
    # clock
    int64_t high_ns  # newest packet time accepted by the clock
    int64_t mono  # nanoseconds of packet time gone by; never goes back
    int64_t next_check
    int64_t longest_ns  # more than any timeout
    uint32_t behind  # consecutive packets far behind high_ns
    bint started
    int64_t first_ns
    int64_t last_ns
    # table
    uint64_t seed0
    uint64_t seed1
    uint32_t *buckets
    uint32_t mask
    Flow *flows
    uint32_t max_flows
    uint32_t top
    uint32_t spare
    uint32_t active
    FlowList lists[LISTS]
    int64_t idle_ns[LISTS]
    int64_t active_ns
    int64_t next_id  # those of other shares lie between
    uint32_t share  # this one of
    uint32_t shares  # so many processes that read the same packets
    bint uneven  # of what goes by address the shares have their parts, else all as much
    uint32_t *by_id  # slot of a flow by the low bits of its id; a later flow may have taken the place
    uint32_t id_mask
    # ended flows waiting to be taken
    Flow *ended
    size_t ended_count
    size_t ended_size
    size_t ended_limit
    # hand-offs waiting to be taken
    uint8_t *arena
    size_t arena_used
    size_t arena_taken  # up to here Python has it
    size_t arena_size
    size_t arena_limit
    size_t arena_bound  # as configured
    uint64_t hands
    uint64_t waiting
    uint64_t passed_over
    uint64_t repeated
    Said *said
    int64_t repeat_ns
    Volatile *volatile_bytes  # by datagram port
    uint16_t *volatile_of  # port -> 1 + index into volatile_bytes, 0: none
    # what to hand off
    uint32_t *port_bytes  # by TCP server port
    uint8_t *port_bits  # bit 0: stream port, bit 1: datagram port, bit 2: below 1024, bit 3: opening tells
    uint8_t *ethertypes  # 65536 flags
    Start *starts
    uint32_t start_first[257]  # starts sorted by first byte
    uint32_t payload_packets
    uint32_t payload_bytes
    uint32_t datagram_packets
    # bounded memory of reassembly
    uint64_t reassembly_limit
    uint64_t reassembly_held
    uint64_t fragment_limit
    uint64_t fragment_held
    Fragments *fragments
    uint32_t fragment_hand
    uint8_t *assembled
    Packet *batch  # decoded, not yet accounted for
    uint32_t batched
    uint8_t *dealt  # whose a service is, by port: TCP, then UDP; NULL: all goes by address
    int64_t *ticks  # times of packets of other shares, not yet gone by
    uint32_t ticked
    # counters
    uint64_t parsed
    uint64_t rejected
    uint64_t foreign  # packets of other shares
    uint64_t reasons[REASON_COUNT]
    uint64_t evicted
    uint64_t reassembly_dropped
    uint64_t gaps
    uint64_t fragments_seen
    uint64_t fragments_reassembled
    uint64_t fragments_dropped
    uint64_t out_of_memory
    uint64_t parts[MOST_SHARES]  # where the part of each share ends, of 2^32
