# DCE/RPC over TCP; medwarden.dissect.dcerpc describes it.

cdef enum:
    PDU_RESPONSE = 2
    PDU_BIND = 11
    PDU_BIND_ACK = 12
    PDU_ALTER = 14
    PDU_ALTER_ACK = 15
    PDU_AUTH3 = 16
    PDU_HEADER = 16
    LONGEST_PDU = 16384
    MOST_CONTEXTS = 32
    MOST_TOWERS = 64
    PDU_KINDS = 0xFF80D  # 0, 2, 3 and 11 to 19, as bits

cdef dict FLOOR_PORTS = {0x07: "tcp", 0x08: "udp", 0x1F: "http"}


cdef inline uint32_t ordered16(const uint8_t *octets, bint little) noexcept:
    return octets[0] | <uint32_t>octets[1] << 8 if little else be16(octets)


cdef inline uint32_t ordered32(const uint8_t *octets, bint little) noexcept:
    if little:
        return ordered16(octets, True) | ordered16(octets + 2, True) << 16
    return be32(octets)


cdef int within(Py_ssize_t at, Py_ssize_t length, Py_ssize_t size) except -1:
    """Raise IndexError unless so many octets at ``at``, which is not negative, lie in a message."""
    if at + length > size:
        raise IndexError("a field reaches beyond its message")
    return 0


cdef object interface_name(const uint8_t *octets, bint little):
    """Return the name or identifier of the sixteen octets of an interface."""
    cdef char text[36]
    cdef int at
    cdef int length = 0
    cdef uint8_t octet
    cdef int place
    for at in range(16):
        place = at
        if little and at < 8:  # of a GUID the first three numbers are in the sender's order (C706 appendix A)
            place = 3 - at if at < 4 else 9 - at if at < 6 else 13 - at
        octet = octets[place]
        if at == 4 or at == 6 or at == 8 or at == 10:
            text[length] = c"-"
            length += 1
        text[length] = HEXADECIMAL[octet >> 4]
        text[length + 1] = HEXADECIMAL[octet & 15]
        length += 2
    identifier = ascii_text(text, 36)
    return INTERFACES.get(identifier, identifier)


cdef class DcerpcReading(Connection):
    """What :class:`~medwarden.dissect.dcerpc.DcerpcDissector` does with every PDU."""

    cdef dict asked
    cdef list waiting

    def __init__(self):
        Connection.__init__(self)
        self.asked = {}
        self.waiting = []

    def token(self, bytes pdu, Py_ssize_t at):
        """Read a token of the log-in, which begins at ``at``."""
        raise NotImplementedError

    cdef bint passes(self, object segment) except -1:
        """Tell whether a segment is a whole call, as nine of ten are: these are not looked into."""
        cdef bytes payload = of(segment, PAYLOAD)
        cdef const uint8_t *octets = <const uint8_t *>PyBytes_AS_STRING(payload)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(payload)
        cdef Inbox inbox
        if size < PDU_HEADER or octets[0] != 5 or octets[1] or octets[2] or not octets[4] & 0x10:
            return False
        if <Py_ssize_t>ordered16(octets + 8, True) != size or says(of(segment, GAP)):
            return False
        inbox = self.client if says(of(segment, FROM_CLIENT)) else self.server
        if PyByteArray_GET_SIZE(inbox.data) or inbox.skip or inbox.deaf:
            return False
        inbox.offset += size
        return True

    def parse(self, Inbox inbox not None, bint from_client):
        """Read the fragments of one direction."""
        cdef const uint8_t *octets
        cdef uint32_t kind, flags, length, secured
        cdef bint little
        cdef bytes pdu
        while PyByteArray_GET_SIZE(inbox.data) >= PDU_HEADER and not inbox.deaf:
            octets = <const uint8_t *>PyByteArray_AS_STRING(inbox.data)
            kind, flags = octets[2], octets[3]
            if octets[0] != 5 or octets[1] > 1 or kind > 19 or not PDU_KINDS >> kind & 1:
                raise inbox.malformed("no connection-oriented PDU")
            little = octets[4] & 0x10
            length = ordered16(octets + 8, little)
            secured = ordered16(octets + 10, little)
            if length < PDU_HEADER:
                raise inbox.malformed("a fragment shorter than its header")
            if length > LONGEST_PDU or not (
                kind == PDU_RESPONSE or PDU_BIND <= kind <= PDU_BIND_ACK or PDU_ALTER <= kind <= PDU_AUTH3
            ):
                inbox.leave(length)
                continue
            pdu = inbox.take(length)
            if pdu is None:
                return
            if secured:
                # behind the security trailer (eight octets before it, [MS-RPCE] 2.2.2.11)
                if <Py_ssize_t>length - <Py_ssize_t>secured < PDU_HEADER + 8:
                    raise self.malformed("a security trailer reaches into the header")
                self.token(pdu, length - secured)
            if from_client:
                if kind == PDU_BIND or kind == PDU_ALTER:
                    self.bind(pdu, little)
            elif kind == PDU_BIND_ACK or kind == PDU_ALTER_ACK:
                self.bound(pdu, little)
            elif kind == PDU_RESPONSE and flags & 3 == 3 and not secured:
                self.mapped(pdu, little)

    cdef int bind(self, bytes pdu, bint little) except -1:
        cdef const uint8_t *octets = <const uint8_t *>PyBytes_AS_STRING(pdu)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(pdu)
        cdef Py_ssize_t at = 28
        cdef int number
        cdef uint32_t context
        self.waiting = []
        within(24, 1, size)
        for number in range(min(octets[24], MOST_CONTEXTS)):
            within(at, 3, size)
            context = ordered16(octets + at, little)
            within(at + 4, 16, size)
            name = interface_name(octets + at + 4, little)
            if context in self.asked or len(self.asked) < MOST_CONTEXTS:
                self.asked[context] = name
            self.waiting.append(name)
            self.say("dcerpc.uses", name)
            at += 24 + 20 * octets[at + 2]
        return 0

    cdef int bound(self, bytes pdu, bint little) except -1:
        """Match the results, which come in the order of the contexts asked for, with what was asked."""
        cdef const uint8_t *octets = <const uint8_t *>PyBytes_AS_STRING(pdu)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(pdu)
        cdef Py_ssize_t at, index
        within(24, 2, size)
        at = (26 + <Py_ssize_t>ordered16(octets + 24, little) + 3) // 4 * 4
        within(at, 1, size)
        for index in range(min(<Py_ssize_t>octets[at], <Py_ssize_t>len(self.waiting))):
            within(at + 4 + 24 * index, 2, size)
            if ordered16(octets + at + 4 + 24 * index, little) == 0:
                self.say("dcerpc.offers", self.waiting[index])
        return 0

    cdef int mapped(self, bytes pdu, bint little) except -1:
        """Read the towers of an ept_map answer (C706 appendix O), where 32-bit NDR was agreed on."""
        cdef const uint8_t *octets = <const uint8_t *>PyBytes_AS_STRING(pdu)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(pdu)
        cdef Py_ssize_t at
        cdef uint32_t count, most, actual, number, length
        within(20, 2, size)
        if self.asked.get(ordered16(octets + 20, little)) != "epmapper" or size < 24 + 40:
            return 0
        count, most = ordered32(octets + 44, little), ordered32(octets + 48, little)
        actual = ordered32(octets + 56, little)
        if not 0 < actual <= min(most, <uint32_t>MOST_TOWERS) or actual != count or ordered32(octets + 52, little):
            return 0
        at = 24 + 36 + 4 * <Py_ssize_t>actual
        for number in range(actual):
            within(at, 8, size)
            length = ordered32(octets + at + 4, little)
            if ordered32(octets + at, little) != length or at + 8 + <Py_ssize_t>length > size:
                return 0  # some other answer of the mapper
            self.tower(octets + at + 8, length)
            at += 8 + (<Py_ssize_t>length + 3) // 4 * 4
        return 0

    cdef int tower(self, const uint8_t *octets, Py_ssize_t size) except -1:
        """Read the interface and port of one tower (C706 appendix L): little endian, ports big endian."""
        cdef Py_ssize_t at = 2
        cdef Py_ssize_t left, right, protocol
        cdef uint32_t number, floors
        cdef object name = ""
        within(0, 2, size)
        floors = ordered16(octets, True)
        for number in range(min(floors, <uint32_t>8)):
            within(at, 2, size)
            left = ordered16(octets + at, True)
            protocol = at + 2
            at += 2 + left
            within(at, 2, size)  # behind the left side, which lies before
            right = ordered16(octets + at, True)
            if number == 0 and left >= 17 and octets[protocol] == 0x0D:
                name = interface_name(octets + protocol + 1, True)
            elif name and left and min(right, size - at - 2) == 2 and octets[protocol] in FLOOR_PORTS:
                port = be16(octets + at + 2)
                self.say("dcerpc.endpoint", f"{name} {FLOOR_PORTS[octets[protocol]]}/{port}")
            at += 2 + right
        return 0
