# Addresses and SYN layouts as text.

cdef extern from *:
    """
    static const char mw_hex[] = "0123456789abcdef";
    """
    const char *HEX "mw_hex"


cdef inline int put_decimal(char *out, uint32_t number) noexcept nogil:
    cdef char digits[10]
    cdef int n = 0
    cdef int i
    while True:
        digits[n] = <char>(48 + number % 10)
        n += 1
        number //= 10
        if number == 0:
            break
    for i in range(n):
        out[i] = digits[n - 1 - i]
    return n


cdef int put_mac(char *out, const uint8_t *mac) noexcept nogil:
    cdef int i
    for i in range(6):
        out[3 * i] = HEX[mac[i] >> 4]
        out[3 * i + 1] = HEX[mac[i] & 15]
        if i < 5:
            out[3 * i + 2] = 58
    return 17


cdef int put_ipv4(char *out, const uint8_t *ip) noexcept nogil:
    cdef int i
    cdef int n = 0
    for i in range(4):
        if i:
            out[n] = 46
            n += 1
        n += put_decimal(out + n, ip[i])
    return n


cdef int put_ipv6(char *out, const uint8_t *ip) noexcept nogil:
    """RFC 5952 without the dotted form of embedded IPv4, as Python's ipaddress writes it."""
    cdef uint32_t group[8]
    cdef int i, run, shift
    cdef int n = 0
    cdef int best = -1
    cdef int best_length = 1
    for i in range(8):
        group[i] = be16(ip + 2 * i)
    i = 0
    while i < 8:
        run = 0
        while i + run < 8 and group[i + run] == 0:
            run += 1
        if run > best_length:
            best = i
            best_length = run
        i += run + 1
    i = 0
    while i < 8:
        if i == best:
            out[n] = 58
            out[n + 1] = 58
            n += 2
            i += best_length
            continue
        if i and i != best + best_length:
            out[n] = 58
            n += 1
        elif i and best < 0:
            out[n] = 58
            n += 1
        shift = 12
        while shift and group[i] >> shift == 0:
            shift -= 4
        while shift >= 0:
            out[n] = HEX[(group[i] >> shift) & 15]
            n += 1
            shift -= 4
        i += 1
    return n


cdef int put_ip(char *out, uint8_t kind, uint64_t word0, uint64_t word1) noexcept nogil:
    """Write the address held in two words of a key; 0 characters for a frame that is not IP."""
    cdef uint64_t words[2]
    words[0] = word0
    words[1] = word1
    if kind == KIND_IP4:
        return put_ipv4(out, <const uint8_t *>words)
    if kind == KIND_IP6:
        return put_ipv6(out, <const uint8_t *>words)
    return 0


cdef int put_tunnel(char *out, uint32_t tunnel) noexcept nogil:
    """vxlan:VNI, geneve:VNI, erspan:ID, gre, ipip, 6in4, gtp."""
    cdef uint32_t kind = tunnel >> 24
    cdef const char *name
    cdef bint numbered = False
    cdef int n = 0
    if kind == TUNNEL_VXLAN:
        name = "vxlan:"
        numbered = True
    elif kind == TUNNEL_GENEVE:
        name = "geneve:"
        numbered = True
    elif kind == TUNNEL_ERSPAN:
        name = "erspan:"
        numbered = True
    elif kind == TUNNEL_GRE:
        name = "gre"
    elif kind == TUNNEL_IPIP:
        name = "ipip"
    elif kind == TUNNEL_6IN4:
        name = "6in4"
    elif kind == TUNNEL_GTP:
        name = "gtp"
    else:
        return 0
    while name[n]:
        out[n] = name[n]
        n += 1
    if numbered:
        n += put_decimal(out + n, tunnel & 0xFFFFFF)
    return n


cdef int put_syn(char *out, const Syn *syn) noexcept nogil:
    """ttl:window:mss:options; options in their order by letter: M maximum segment size, S selective
    acknowledgement permitted, T timestamps, N no operation, W and its shift, E end of list, others
    by number; a trailing + says that there were more."""
    cdef int n, i
    cdef uint8_t kind
    n = put_decimal(out, syn.ttl)
    out[n] = 58
    n += 1
    n += put_decimal(out + n, syn.window)
    out[n] = 58
    n += 1
    n += put_decimal(out + n, syn.mss)
    out[n] = 58
    n += 1
    for i in range(syn.count):
        kind = syn.kinds[i]
        if i:
            out[n] = 44
            n += 1
        if kind == 3:
            out[n] = 87
            n += 1
            n += put_decimal(out + n, syn.scale)
        elif kind == 0 or kind == 1 or kind == 2 or kind == 4 or kind == 8:
            out[n] = 69 if kind == 0 else 78 if kind == 1 else 77 if kind == 2 else 83 if kind == 4 else 84
            n += 1
        else:
            n += put_decimal(out + n, kind)
    if syn.more:
        out[n] = 43
        n += 1
    return n
