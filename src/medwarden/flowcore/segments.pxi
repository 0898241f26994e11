# Hand-offs to Segment objects. The text of an address is made once and found again by its bytes.

cdef enum:
    NAME_SLOTS = 8192


cdef struct Name:
    uint64_t word0
    uint64_t word1
    uint8_t kind
    PyObject *text


cdef class Names:
    """A direct-mapped cache of address texts: bounded, and rebuilt where two addresses share a slot."""

    cdef Name *slots

    def __cinit__(self):
        self.slots = <Name *>calloc(NAME_SLOTS, sizeof(Name))
        if self.slots == NULL:
            raise MemoryError("no memory left for address texts")

    def __dealloc__(self):
        cdef int i
        if self.slots != NULL:
            for i in range(NAME_SLOTS):
                Py_XDECREF(self.slots[i].text)
            free(self.slots)

    cdef object text(self, uint8_t kind, uint64_t word0, uint64_t word1):
        """Return the text of an IP address (kind 4 or 6) or of a MAC address (kind 2, in word0)."""
        cdef uint64_t hashed = mum(word0 ^ 0x9E3779B97F4A7C15ULL, word1 ^ 0xC2B2AE3D27D4EB4FULL ^ kind)
        cdef Name *slot = &self.slots[hashed % NAME_SLOTS]
        cdef char out[48]
        cdef uint8_t mac[6]
        cdef int n, i
        cdef PyObject *old
        if slot.text != NULL and slot.word0 == word0 and slot.word1 == word1 and slot.kind == kind:
            return <object>slot.text
        if kind == KIND_L2:
            for i in range(6):
                mac[i] = <uint8_t>(word0 >> (40 - 8 * i))
            n = put_mac(out, mac)
        else:
            n = put_ip(out, kind, word0, word1)
        text = out[:n].decode("ascii")
        old = slot.text
        slot.word0 = word0
        slot.word1 = word1
        slot.kind = kind
        slot.text = <PyObject *>text
        Py_INCREF(text)
        Py_XDECREF(old)
        return text


cdef object make_segment(Names names, const Hand *hand, const uint8_t *data):
    cdef bint ip = hand.kind != KIND_L2
    return Segment(
        hand.ts,
        hand.flow_id,
        TRANSPORTS[hand.transport],
        names.text(KIND_L2, mac48(hand.src_mac), 0) if hand.has_macs & 1 else None,
        names.text(KIND_L2, mac48(hand.dst_mac), 0) if hand.has_macs & 2 else None,
        names.text(hand.kind, hand.src0, hand.src1 if hand.kind == KIND_IP6 else 0) if ip else None,
        names.text(hand.kind, hand.dst0, hand.dst1 if hand.kind == KIND_IP6 else 0) if ip else None,
        hand.src_port,
        hand.dst_port,
        None if hand.vlan == NO_VLAN else hand.vlan,
        hand.from_client != 0,
        PyBytes_FromStringAndSize(<const char *>data, hand.length),
        hand.offset,
        hand.gap != 0,
        hand.ethertype,
    )


cdef tuple TRANSPORTS = (Transport.TCP, Transport.UDP, Transport.ETHERNET)
