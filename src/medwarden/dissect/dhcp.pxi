# DHCP messages; medwarden.dissect.dhcp describes it.

cdef enum:
    BOOTP_FIXED = 236
    BOOT_REQUEST = 1
    BOOT_REPLY = 2
    MOST_OPTIONS = 512
    OPTION_PAD = 0
    OPTION_OVERLOAD = 52
    OPTION_TYPE = 53
    OPTION_SERVER_ID = 54
    OPTION_CLIENT_ID = 61
    OPTION_BOOT_SERVER = 66
    OPTION_BOOT_FILE = 67
    OPTION_RELAY = 82
    OPTION_IDENTITY = 125
    OPTION_END = 255
    DHCP_OFFER = 2
    DHCP_ACK = 5
    DHCP_NAK = 6

cdef str DHCP = "dhcp"
cdef tuple MESSAGE_TYPES = (
    "", "discover", "offer", "request", "decline", "ack", "nak", "release", "inform", "forcerenew",
    "leasequery", "leaseunassigned", "leaseunknown", "leaseactive",
)
cdef const char *DHCP_COOKIE = b"\x63\x82\x53\x63"


def numbers_text(bytes value not None):
    """Return the first 128 octets as decimal numbers between commas."""
    return decimals(<const uint8_t *>PyBytes_AS_STRING(value), min(PyBytes_GET_SIZE(value), 128), c",")


def quad_text(bytes value not None):
    """Return four octets as a dotted quad of any kind, or "" for another length."""
    return decimals(<const uint8_t *>PyBytes_AS_STRING(value), 4, c".") if PyBytes_GET_SIZE(value) == 4 else ""


def number_text(bytes value not None):
    """Return one, two or four octets as a number, or "" for another length."""
    return str(int.from_bytes(value, "big")) if PyBytes_GET_SIZE(value) in (1, 2, 4) else ""


def first_address(bytes value not None):
    """Return the first address of an option, or "" where it names no host."""
    return first_address_of(value) or ""


cdef object first_address_of(bytes value):
    return ipv4_at(<const uint8_t *>PyBytes_AS_STRING(value)) if PyBytes_GET_SIZE(value) >= 4 else None


cdef object decimals(const uint8_t *octets, Py_ssize_t count, char between):
    """Return at most 128 octets as decimal numbers with a character between."""
    cdef char text[512]
    cdef Py_ssize_t at
    cdef int length = 0
    for at in range(count):
        if at:
            text[length] = between
            length += 1
        length += put_decimal(text + length, octets[at])
    return ascii_text(text, length)


@cython.final
cdef class Leases:
    """Reads DHCP messages.

    ``asked`` and ``granted`` give for option codes of requests and of leases the field and who reads the
    value; ``relay``, ``identity`` and ``duid`` read options 82, 125 and the identifier within 61.
    """

    cdef dict asked
    cdef dict granted
    cdef object relay
    cdef object identity
    cdef object duid

    def __init__(self, dict asked not None, dict granted not None, relay, identity, duid):
        self.asked, self.granted = asked, granted
        self.relay, self.identity, self.duid = relay, identity, duid

    def facts(self, segment):
        """Return the facts of one message; plain BOOTP requests give none.

        Where the message is short or an option overruns its field, reading what is returned raises
        MalformedInput after the facts before.
        """
        cdef list facts = []
        check_segment(segment)
        try:
            self.read(segment, of(segment, PAYLOAD), facts)
        except MalformedInput as error:
            return _broken(facts, error)
        return facts

    cdef int read(self, object segment, bytes payload, list facts) except -1:
        cdef const uint8_t *octets = <const uint8_t *>PyBytes_AS_STRING(payload)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(payload)
        cdef dict options
        cdef bytes stated
        cdef list order = []
        cdef int kind
        if size < BOOTP_FIXED:
            raise MalformedInput(DHCP, "message is shorter than its fixed part", size)
        if (octets[0] != BOOT_REQUEST and octets[0] != BOOT_REPLY) or octets[2] > 16:
            raise MalformedInput(DHCP, "no BOOTP request or reply", 0)
        mac = mac_at(octets + 28) if octets[2] == 6 else None
        if size < BOOTP_FIXED + 4 or memcmp(octets + BOOTP_FIXED, DHCP_COOKIE, 4) != 0:
            return 0
        options = options_of(octets, size, order)
        stated = options.get(OPTION_TYPE, b"")
        kind = stated[0] if len(stated) == 1 else 0
        if octets[0] == BOOT_REQUEST:
            return self.request(segment, octets, mac, kind, options, order, facts)
        return self.reply(segment, octets, mac, kind, options, facts)

    cdef int request(
        self, object segment, const uint8_t *octets, object mac, int kind, dict options, list order, list facts
    ) except -1:
        cdef object now = of(segment, TS)
        cdef object vlan = of(segment, VLAN)
        cdef object ip = ipv4_at(octets + 12)  # ciaddr: an address the client already answers on
        cdef bytes stated
        cdef PyObject *found
        if mac is None:
            mac = of(segment, SRC_MAC)
        if mac is None and ip is None:
            return 0
        if 0 < kind < len(MESSAGE_TYPES):
            facts.append(Evidence(now, mac, ip, vlan, "dhcp.message_type", MESSAGE_TYPES[kind], DHCP))
        if order:
            facts.append(Evidence(now, mac, ip, vlan, "dhcp.options_order", numbers_text(bytes(order)), DHCP))
        for code, named in self.asked.items():
            found = PyDict_GetItem(options, code)
            if found != NULL:
                field, read = <tuple>named
                value = read(<object>found)
                if value:
                    facts.append(Evidence(now, mac, ip, vlan, field, value, DHCP))
        stated = options.get(OPTION_CLIENT_ID, b"")
        if len(stated) > 1:
            value = f"{stated[0]}:{stated[1:128].hex()}"
            facts.append(Evidence(now, mac, ip, vlan, "dhcp.client_id", value, DHCP))
            if stated[0] == 255:
                for field, value in self.duid(stated[5:]):
                    facts.append(Evidence(now, mac, ip, vlan, f"dhcp.{field}", value, DHCP))
        value = ipv4_at(octets + 24)
        if value is not None:
            facts.append(Evidence(now, mac, ip, vlan, "dhcp.relay_address", value, DHCP))
        if OPTION_IDENTITY in options:
            for field, value in self.identity(options[OPTION_IDENTITY]):
                facts.append(Evidence(now, mac, ip, vlan, field, value, DHCP))
        if OPTION_RELAY in options:
            for field, value in self.relay(options[OPTION_RELAY]):
                facts.append(Evidence(now, mac, ip, vlan, field, value, DHCP))
        return 0

    cdef int reply(
        self, object segment, const uint8_t *octets, object mac, int kind, dict options, list facts
    ) except -1:
        cdef object now = of(segment, TS)
        cdef object vlan = of(segment, VLAN)
        cdef object sender = of(segment, SRC_IP)
        cdef object server = first_address_of(options.get(OPTION_SERVER_ID, b""))
        cdef object ip, granted
        cdef bint relayed
        cdef PyObject *found
        if kind == DHCP_OFFER or kind == DHCP_ACK or kind == DHCP_NAK:
            # Behind a relay (giaddr set) the frame comes from a router, not from the server.
            relayed = (octets[24] | octets[25] | octets[26] | octets[27]) != 0
            server_mac = None if relayed or (server is not None and server != sender) else of(segment, SRC_MAC)
            facts.append(Evidence(now, server_mac, server or sender, vlan, "dhcp.role", "server", DHCP))
        if kind != DHCP_ACK or mac is None:
            return 0
        # An ACK to an INFORM grants nothing (RFC 2131 4.3.5): yiaddr is zero, the address is the client's own.
        granted = ipv4_at(octets + 16)
        ip = ipv4_at(octets + 12) if granted is None else granted
        if granted is not None:
            facts.append(Evidence(now, mac, granted, vlan, "dhcp.address", granted, DHCP))
        for code, named in self.granted.items():
            found = PyDict_GetItem(options, code)
            if found != NULL:
                field, read = <tuple>named
                value = read(<object>found)
                if value:
                    facts.append(Evidence(now, mac, ip, vlan, field, value, DHCP))
        if OPTION_RELAY in options:
            for field, value in self.relay(options[OPTION_RELAY]):
                facts.append(Evidence(now, mac, ip, vlan, field, value, DHCP))
        return 0


cdef dict options_of(const uint8_t *octets, Py_ssize_t size, list order):
    """Return the options joined by code (RFC 3396), and in ``order`` their codes as they first appear.

    Overloaded ``file`` and ``sname`` fields follow in this order (RFC 2131 4.1); where they hold names, these
    stand for the options of the same meaning (RFC 2132 9.4, 9.5) that are not sent.
    """
    cdef dict options = {}
    cdef int overload = scan_options(octets, BOOTP_FIXED + 4, size, options)
    order.extend(options)
    if overload == 1 or overload == 3:
        scan_options(octets, 108, BOOTP_FIXED, options)
    elif octets[108] and OPTION_BOOT_FILE not in options:
        options[OPTION_BOOT_FILE] = until_nul(octets + 108, BOOTP_FIXED - 108)
    if overload == 2 or overload == 3:
        scan_options(octets, 44, 108, options)
    elif octets[44] and OPTION_BOOT_SERVER not in options:
        options[OPTION_BOOT_SERVER] = until_nul(octets + 44, 108 - 44)
    return options


cdef bytes until_nul(const uint8_t *octets, Py_ssize_t size):
    cdef const void *end = memchr(octets, 0, <size_t>size)
    return PyBytes_FromStringAndSize(
        <const char *>octets, size if end == NULL else <const uint8_t *>end - octets
    )


cdef int scan_options(const uint8_t *octets, Py_ssize_t offset, Py_ssize_t end, dict options) except -1:
    """Read the options from ``offset`` up to ``end``; return what the first overload option says, or 0."""
    cdef int overload = -1
    cdef int number
    cdef Py_ssize_t behind
    cdef PyObject *before
    cdef bytes piece
    for number in range(MOST_OPTIONS):
        while offset < end and octets[offset] == OPTION_PAD:
            offset += 1
        if offset >= end or octets[offset] == OPTION_END:
            break
        if offset + 2 > end or offset + 2 + octets[offset + 1] > end:
            raise MalformedInput(DHCP, f"option {octets[offset]} overruns its field", offset)
        behind = offset + 2 + octets[offset + 1]
        piece = PyBytes_FromStringAndSize(<const char *>octets + offset + 2, behind - offset - 2)
        if octets[offset] == OPTION_OVERLOAD and overload < 0:
            overload = octets[offset + 2] if behind - offset == 3 else 0
        before = PyDict_GetItem(options, octets[offset])
        options[octets[offset]] = piece if before == NULL else <bytes>before + piece
        offset = behind
    return max(overload, 0)
