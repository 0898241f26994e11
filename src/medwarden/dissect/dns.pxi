# DNS messages and what they say; medwarden.dissect.dns_message and medwarden.dissect.dns describe it.

cdef enum:
    MOST_RECORDS = 512
    LONGEST_NAME = 255
    MOST_JUMPS = 64
    DNS_HEADER = 12
    MOST_LABELS = 128  # of at least two octets each in a name of 255
    MOST_QUESTIONS = 4
    MOST_ANSWERS = 32
    LONGEST_DNS_REMEMBERED = 512
    SUFFIXES = 512
    TYPE_A = 1
    TYPE_PTR = 12
    TYPE_HINFO = 13
    TYPE_TXT = 16
    TYPE_AAAA = 28
    TYPE_SRV = 33
    OPCODE_QUERY = 0
    OPCODE_NOTIFY = 4
    OPCODE_UPDATE = 5
    RCODE_NO_ERROR = 0
    RCODE_NAME_ERROR = 3

MAX_RECORDS, MAX_NAME, MAX_JUMPS = MOST_RECORDS, LONGEST_NAME, MOST_JUMPS
cdef str DNS = "dns"


cdef inline uint32_t be16(const uint8_t *octets) noexcept:
    return <uint32_t>octets[0] << 8 | octets[1]


cdef inline uint32_t be32(const uint8_t *octets) noexcept:
    return <uint32_t>octets[0] << 24 | <uint32_t>octets[1] << 16 | <uint32_t>octets[2] << 8 | octets[3]


@cython.final
cdef class Header:
    """The fixed part: ``response``, ``opcode`` and ``rcode`` are taken out of ``flags``."""

    cdef readonly uint32_t id
    cdef readonly uint32_t flags
    cdef readonly uint32_t questions
    cdef readonly uint32_t answers
    cdef readonly uint32_t authorities
    cdef readonly uint32_t additionals

    @property
    def response(self):
        """Tell whether this is an answer."""
        return self.flags & 0x8000 != 0

    @property
    def opcode(self):
        """Return the kind of query."""
        return self.flags >> 11 & 15

    @property
    def rcode(self):
        """Return the response code."""
        return self.flags & 15


@cython.final
@cython.freelist(64)
cdef class Question:
    """What is asked for; ``qclass`` includes the unicast-response bit of mDNS (RFC 6762 5.4)."""

    cdef readonly tuple name
    cdef readonly uint32_t qtype
    cdef readonly uint32_t qclass


@cython.final
@cython.freelist(64)
cdef class Record:
    """A resource record; its data lie at ``start`` up to ``end`` of the message."""

    cdef readonly tuple name
    cdef readonly uint32_t rtype
    cdef readonly uint32_t rclass
    cdef readonly uint32_t ttl
    cdef readonly Py_ssize_t start
    cdef readonly Py_ssize_t end


@cython.final
cdef class DnsMessage:
    """Read one message from front to back: :attr:`header`, then :meth:`questions`, then :meth:`records`.

    Every method raises MalformedInput, in the name of ``source``, where the message breaks RFC 1035.
    """

    cdef readonly bytes octets
    cdef readonly Header header
    cdef const uint8_t *data_of
    cdef Py_ssize_t size
    cdef str source
    cdef Py_ssize_t offset
    cdef dict suffixes

    def __init__(self, bytes octets not None, str source not None):
        cdef Header header
        self.octets = octets
        self.data_of = <const uint8_t *>PyBytes_AS_STRING(octets)
        self.size = PyBytes_GET_SIZE(octets)
        if self.size < DNS_HEADER:
            raise MalformedInput(source, "DNS message is shorter than its header", self.size)
        header = Header.__new__(Header)
        header.id = be16(self.data_of)
        header.flags = be16(self.data_of + 2)
        header.questions = be16(self.data_of + 4)
        header.answers = be16(self.data_of + 6)
        header.authorities = be16(self.data_of + 8)
        header.additionals = be16(self.data_of + 10)
        self.header = header
        self.source = source
        self.offset = DNS_HEADER
        self.suffixes = {}

    cdef object broken(self, str reason, Py_ssize_t offset):
        return MalformedInput(self.source, reason, offset)

    cpdef list questions(self):
        """Return the question section; call once, first."""
        cdef list found = []
        cdef Question question
        cdef Py_ssize_t offset = 0
        cdef uint32_t number
        for number in range(min(self.header.questions, <uint32_t>MOST_RECORDS)):
            name = self.name_from(self.offset, &offset)
            if offset + 4 > self.size:
                raise self.broken("DNS question is cut short", offset)
            question = Question.__new__(Question)
            question.name = name
            question.qtype = be16(self.data_of + offset)
            question.qclass = be16(self.data_of + offset + 2)
            found.append(question)
            self.offset = offset + 4
        return found

    cdef list take_records(self, uint32_t count):
        cdef list found = []
        cdef Record record
        cdef Py_ssize_t offset = 0
        cdef Py_ssize_t start, length
        cdef uint32_t number
        for number in range(min(count, <uint32_t>MOST_RECORDS)):
            name = self.name_from(self.offset, &offset)
            if offset + 10 > self.size:
                raise self.broken("DNS record is cut short", offset)
            length = be16(self.data_of + offset + 8)
            start = offset + 10
            if start + length > self.size:
                raise self.broken("DNS record data overrun the message", offset)
            record = Record.__new__(Record)
            record.name = name
            record.rtype = be16(self.data_of + offset)
            record.rclass = be16(self.data_of + offset + 2)
            record.ttl = be32(self.data_of + offset + 4)
            record.start = start
            record.end = start + length
            found.append(record)
            self.offset = start + length
        return found

    def records(self, count):
        """Return the next ``count`` records; call once per section, in their order."""
        return self.take_records(<uint32_t>max(0, min(count, MOST_RECORDS)))

    def data(self, Record record not None):
        """Return the data of ``record`` as they stand in the message."""
        return self.octets[record.start : record.end]

    cdef tuple target_of(self, Record record, Py_ssize_t skip):
        cdef Py_ssize_t offset = 0
        name = self.name_from(record.start + skip, &offset)
        if offset > record.end:
            raise self.broken("DNS name overruns its record", record.start)
        return name

    def target(self, Record record not None, Py_ssize_t skip=0):
        """Return the name that the data of a PTR, CNAME, NS or (``skip`` 6) SRV record hold."""
        return self.target_of(record, skip)

    def name_at(self, Py_ssize_t offset):
        """Return the name at ``offset`` and the offset behind it (RFC 1035 4.1.4)."""
        cdef Py_ssize_t behind = 0
        if offset < 0:
            raise self.broken("DNS name is cut short", offset)
        name = self.name_from(offset, &behind)
        return name, behind

    cdef tuple name_from(self, Py_ssize_t offset, Py_ssize_t *behind_it):
        """Read the name at ``offset``, which is not negative; every octet read lies before ``size``."""
        cdef const uint8_t *octets = self.data_of
        cdef Py_ssize_t size = self.size
        cdef Py_ssize_t starts[MOST_LABELS]
        cdef int labels = 0
        cdef int jumps = 0
        cdef int at
        cdef Py_ssize_t behind = -1
        cdef Py_ssize_t floor = offset
        cdef Py_ssize_t length = 0
        cdef Py_ssize_t pointer, end
        cdef uint8_t octet
        cdef PyObject *known
        cdef tuple suffix = ()
        cdef tuple name
        cdef list said
        if offset + 1 < size and octets[offset] >= 192:  # as most records begin: a name read before
            known = PyDict_GetItem(self.suffixes, <Py_ssize_t>((octets[offset] & 63) << 8 | octets[offset + 1]))
            if known != NULL:
                behind_it[0] = offset + 2
                return <tuple>known
        said = []
        while True:
            if offset >= size:
                raise self.broken("DNS name is cut short", offset)
            octet = octets[offset]
            if octet == 0:
                offset += 1
                break
            if octet < 64:
                length += octet + 1
                end = offset + 1 + octet
                if end > size or length > LONGEST_NAME:
                    raise self.broken("DNS name is cut short or over 255 octets", offset)
                starts[labels] = offset  # below MOST_LABELS: each label takes two octets of 255
                labels += 1
                said.append(PyBytes_FromStringAndSize(<const char *>octets + offset + 1, octet))
                offset = end
                continue
            if octet < 192 or offset + 1 >= size:
                raise self.broken("DNS label type is unknown or cut short", offset)
            pointer = (octet & 63) << 8 | octets[offset + 1]
            if behind < 0:
                behind = offset + 2
            jumps += 1
            if not DNS_HEADER <= pointer < floor or jumps > MOST_JUMPS:
                raise self.broken("DNS compression pointers lead nowhere", offset)
            known = PyDict_GetItem(self.suffixes, pointer)
            if known != NULL:
                suffix = <tuple>known
                break
            floor = offset = pointer
        if behind < 0:
            behind = offset
        if suffix:
            for label in suffix:
                length += PyBytes_GET_SIZE(label) + 1
            if length > LONGEST_NAME:
                raise self.broken("DNS name is over 255 octets", offset)
            said.extend(suffix)
        name = tuple(said)
        for at in range(labels):
            self.suffixes[starts[at]] = name[at:] if at else name
        behind_it[0] = behind
        return name


cdef list strings_at(const uint8_t *octets, Py_ssize_t length, Py_ssize_t most):
    cdef list found = []
    cdef Py_ssize_t offset = 0
    cdef Py_ssize_t end
    while offset < length and len(found) < most:
        end = offset + 1 + octets[offset]
        if end > length:
            break
        found.append(PyBytes_FromStringAndSize(<const char *>octets + offset + 1, end - offset - 1))
        offset = end
    return found


def strings(bytes octets not None, Py_ssize_t most=128):
    """Return the character strings of TXT or HINFO data (RFC 1035 3.3), as far as they are whole."""
    return strings_at(<const uint8_t *>PyBytes_AS_STRING(octets), PyBytes_GET_SIZE(octets), most)


@lru_cache(maxsize=16384)
def name_text(name):
    """Return ``name`` with dots between its labels, in lower case, without the last dot."""
    return printable(b".".join(name)).lower()


cdef object text_of = name_text


cdef inline bint folds_to(bytes label, const char *word, Py_ssize_t length) noexcept:
    """Tell whether a label is ``word``, which is in lower case, in whatever case."""
    cdef Py_ssize_t at
    cdef uint8_t octet
    if PyBytes_GET_SIZE(label) != length:
        return False
    for at in range(length):
        octet = PyBytes_AS_STRING(label)[at]
        if 65 <= octet <= 90:
            octet |= 32
        if octet != <uint8_t>word[at]:
            return False
    return True


cpdef object reverse_address(tuple name):
    """Return the address that a name below in-addr.arpa or ip6.arpa stands for (RFC 1035 3.5, RFC 3596 2.5).

    None where the name is none of these or incomplete.
    """
    cdef Py_ssize_t labels = len(name)
    if labels == 6 and folds_to(name[4], b"in-addr", 7) and folds_to(name[5], b"arpa", 4):
        quad = [int(label) for label in name[:4] if label.isdigit() and len(label) <= 3]
        return bytes(reversed(quad)) if len(quad) == 4 and max(quad) < 256 else None
    if labels == 34 and folds_to(name[32], b"ip6", 3) and folds_to(name[33], b"arpa", 4):
        digits = b"".join(reversed(name[:32]))
        if len(digits) == 32 and not digits.strip(b"0123456789abcdefABCDEF"):
            return bytes.fromhex(digits.decode("ascii"))
    return None


# What a message says: whose fact it is (None: the sender's, True: the receiver's, else an address), field, value.

cdef tuple dns_statements(bytes octets):
    """Return the statements of a message, and the fault where it breaks."""
    cdef list facts = []
    try:
        read_dns(octets, facts)
    except MalformedInput as error:
        return facts, (error.reason, error.offset)
    return facts, None


@lru_cache(maxsize=4096)
def _remembered_dns(octets):
    return dns_statements(octets)


cdef object remembered_dns = _remembered_dns


cdef int read_dns(bytes octets, list facts) except -1:
    cdef DnsMessage message = DnsMessage(octets, DNS)
    cdef Header header = message.header
    cdef uint32_t opcode = header.flags >> 11 & 15
    cdef uint32_t rcode = header.flags & 15
    cdef list questions
    if opcode != OPCODE_QUERY and opcode != OPCODE_NOTIFY and opcode != OPCODE_UPDATE:
        return 0
    questions = message.questions() if opcode == OPCODE_QUERY else NOBODY
    if not header.flags & 0x8000:
        for question in questions[:MOST_QUESTIONS]:
            text = text_of((<Question>question).name)
            if text:
                facts.append((None, "dns.query", text))
                domain = registrable_domain(text)
                if domain:
                    facts.append((None, "dns.domain", domain))
        return 0
    facts.append((None, "dns.role", "server"))
    name = text_of((<Question>questions[0]).name) if questions else ""
    if not name:
        return 0
    if rcode == RCODE_NAME_ERROR:
        facts.append((True, "dns.nxdomain", name))
    elif rcode == RCODE_NO_ERROR:
        for record in message.take_records(min(header.answers, <uint32_t>MOST_ANSWERS)):
            read_answer(message, name, <Record>record, facts)
    return 0


cdef int read_answer(DnsMessage message, object name, Record record, list facts) except -1:
    """Read an address or pointer record, under the name that was asked for.

    The asked name is the one a policy would write; the aliases between are the operator's.
    """
    cdef const uint8_t *octets
    cdef Py_ssize_t length
    cdef bytes stated
    if record.rtype == TYPE_A or record.rtype == TYPE_AAAA:
        octets = message.data_of + record.start
        length = record.end - record.start
    elif record.rtype == TYPE_PTR:
        stated = reverse_address(record.name) or b""
        octets = <const uint8_t *>PyBytes_AS_STRING(stated)
        length = PyBytes_GET_SIZE(stated)
        if not internal_at(octets, length):
            return 0
        name = text_of(message.target_of(record, 0))
    else:
        return 0
    address = ip_at(octets, length)
    if address is None or not name or loopback_at(octets, length):
        return 0
    if internal_at(octets, length):
        facts.append((address, "dns.name", name))
    else:
        facts.append((True, "dns.resolved", f"{name}={address}"[:MOST_CHARACTERS]))
    return 0


def facts_of_dns(segment, bytes octets not None):
    """Return the facts of one DNS message carried by ``segment``.

    Where the message breaks, reading what is returned raises MalformedInput after the facts before.
    """
    cdef list facts = []
    cdef tuple read
    check_segment(segment)
    if PyBytes_GET_SIZE(octets) > LONGEST_DNS_REMEMBERED:
        read = dns_statements(octets)
    else:
        # The id differs between repetitions; RFC 1035 has no name before byte 12 point to it.
        read = remembered_dns(b"\0\0" + octets[2:])
    for whose, field, value in <list>read[0]:
        if whose is None:
            mac, ip = of(segment, SRC_MAC), of(segment, SRC_IP)
        elif whose is True:
            mac, ip = of(segment, DST_MAC), of(segment, DST_IP)
        else:
            mac, ip = None, whose
        facts.append(Evidence(of(segment, TS), mac, ip, of(segment, VLAN), field, value, DNS))
    if read[1] is None:
        return facts
    return _broken(facts, MalformedInput(DNS, *read[1]))
