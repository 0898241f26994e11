# TLS up to where it is encrypted; medwarden.dissect.tls describes it.

cdef enum:
    RECORD_CHANGE_CIPHER_SPEC = 20
    RECORD_ALERT = 21
    RECORD_HANDSHAKE = 22
    RECORD_APPLICATION_DATA = 23
    RECORD_HEARTBEAT = 24
    LONGEST_RECORD = 18432
    LONGEST_HANDSHAKE = 65536
    CLIENT_HELLO = 1
    SERVER_HELLO = 2
    CERTIFICATE = 11
    EXTENSION_ALPN = 16
    EXTENSION_VERSIONS = 43

cdef bytes HELLO_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


cdef bint is_old_hello(const uint8_t *octets, Py_ssize_t size) noexcept:
    """Tell whether octets open with a ClientHello in the form of SSL 2.0."""
    if size < 5 or not octets[0] & 0x80 or octets[2] != CLIENT_HELLO:
        return False
    return (octets[3] == 3 and octets[4] <= 3) or (octets[3] == 0 and octets[4] == 2)


cdef class TlsReading(Connection):
    """What :class:`~medwarden.dissect.tls.TlsDissector` does with every record."""

    cdef bytearray asking  # of the handshake, what is not read yet
    cdef bytearray answering
    cdef Py_ssize_t asking_skip
    cdef Py_ssize_t answering_skip
    cdef bint hello_seen
    cdef bint asking_begun
    cdef bint answering_begun

    def __init__(self):
        Connection.__init__(self)
        self.asking = bytearray()
        self.answering = bytearray()

    @staticmethod
    def recognises(bytes payload not None, bint from_client):
        """Tell whether the payload opens with a handshake record holding a hello, or an SSL 2.0 hello."""
        cdef const uint8_t *octets = <const uint8_t *>PyBytes_AS_STRING(payload)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(payload)
        if size < 6:
            return False
        if octets[0] == RECORD_HANDSHAKE:
            return octets[1] == 3 and octets[2] <= 4 and octets[5] == (CLIENT_HELLO if from_client else SERVER_HELLO)
        return from_client and size >= 11 and octets[10] % 16 == 0 and is_old_hello(octets, size)

    def client_hello(self, bytes body not None):
        """Read the first hello of the client."""
        raise NotImplementedError

    def certificate(self, bytes der not None, bint of_server):
        """Read the certificate of one side."""
        raise NotImplementedError

    def parse(self, Inbox inbox not None, bint from_client):
        """Read the records of one direction."""
        cdef const uint8_t *octets
        cdef uint32_t kind, length
        cdef bytes fragment
        if not (self.asking_begun if from_client else self.answering_begun) and not self.begin(inbox, from_client):
            return
        while PyByteArray_GET_SIZE(inbox.data) >= 5 and not inbox.deaf:
            octets = <const uint8_t *>PyByteArray_AS_STRING(inbox.data)
            kind = octets[0]
            length = be16(octets + 3)
            if not RECORD_CHANGE_CIPHER_SPEC <= kind <= RECORD_HEARTBEAT or octets[1] != 3 or length > LONGEST_RECORD:
                raise inbox.malformed("no TLS record")
            if kind == RECORD_CHANGE_CIPHER_SPEC or kind == RECORD_APPLICATION_DATA:
                inbox.close()  # everything further is encrypted
                return
            fragment = inbox.take(5 + length)
            if fragment is None:
                return
            if kind == RECORD_HANDSHAKE:
                self.handshake(fragment, inbox, from_client)
            elif kind == RECORD_ALERT and length == 2 and fragment[5] == 2:
                self.say("tls.alert", ALERTS.get(fragment[6]) or str(fragment[6]))

    cdef bint begin(self, Inbox inbox, bint from_client) except -1:
        """Deal with a hello in the form of SSL 2.0 at the start of a direction."""
        cdef const uint8_t *octets = <const uint8_t *>PyByteArray_AS_STRING(inbox.data)
        cdef Py_ssize_t size = PyByteArray_GET_SIZE(inbox.data)
        cdef bytes hello
        if octets[0] & 0x80 and size < 5:
            return False
        if octets[0] & 0x80 and octets[2] == SERVER_HELLO + 2 and not from_client:
            self.say("tls.version", version_name(2))
            self.close()
            return False
        if from_client and is_old_hello(octets, size):
            hello = inbox.take(2 + ((octets[0] & 0x7F) << 8 | octets[1]))
            if hello is None:
                return False
            octets = <const uint8_t *>PyBytes_AS_STRING(hello)
            within(3, 2, PyBytes_GET_SIZE(hello))
            code = be16(octets + 3)
            self.say(
                "tls.client_versions",
                version_name(2) if code == 2 else f"{version_name(2)}, {version_name(code)}",
            )
        if from_client:
            self.asking_begun = True
        else:
            self.answering_begun = True
        return True

    cdef int handshake(self, bytes fragment, Inbox inbox, bint from_client) except -1:
        """Add a piece of the handshake, behind its record header, and read the messages that are complete."""
        cdef bytearray waiting = self.asking if from_client else self.answering
        cdef Py_ssize_t piece = PyBytes_GET_SIZE(fragment) - 5
        cdef Py_ssize_t skipped = min(self.asking_skip if from_client else self.answering_skip, piece)
        cdef Py_ssize_t had = PyByteArray_GET_SIZE(waiting)
        cdef Py_ssize_t here
        cdef const uint8_t *octets
        cdef uint32_t kind, length
        cdef bytes body
        if from_client:
            self.asking_skip -= skipped
        else:
            self.answering_skip -= skipped
        PyByteArray_Resize(waiting, had + piece - skipped)
        memcpy(PyByteArray_AS_STRING(waiting) + had, PyBytes_AS_STRING(fragment) + 5 + skipped, piece - skipped)
        while PyByteArray_GET_SIZE(waiting) >= 4 and not inbox.deaf:
            octets = <const uint8_t *>PyByteArray_AS_STRING(waiting)
            kind = octets[0]
            length = <uint32_t>octets[1] << 16 | be16(octets + 2)
            if length > LONGEST_HANDSHAKE:
                raise inbox.malformed("a handshake message of more than 64 KiB")
            if kind != CLIENT_HELLO and kind != SERVER_HELLO and kind != CERTIFICATE:
                here = min(<Py_ssize_t>(4 + length), PyByteArray_GET_SIZE(waiting))
                if from_client:
                    self.asking_skip = 4 + length - here
                else:
                    self.answering_skip = 4 + length - here
                del waiting[:here]
                continue
            if PyByteArray_GET_SIZE(waiting) < <Py_ssize_t>(4 + length):
                return 0
            body = PyBytes_FromStringAndSize(<const char *>octets + 4, length)
            del waiting[: 4 + length]
            if kind == CLIENT_HELLO and from_client:
                if not self.hello_seen:  # the answer to a HelloRetryRequest repeats the first hello
                    self.hello_seen = True
                    self.client_hello(body)
            elif kind == SERVER_HELLO and not from_client:
                self.server_hello(body)
            elif kind == CERTIFICATE:
                self.certificates(body, from_client)
            else:
                raise inbox.malformed("the hello of the other side")
        return 0

    cdef int server_hello(self, bytes body) except -1:
        cdef const uint8_t *octets = <const uint8_t *>PyBytes_AS_STRING(body)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(body)
        cdef uint32_t version, cipher, kind
        cdef Py_ssize_t at, end, length
        cdef bint retry
        within(0, 35, size)
        version = be16(octets)
        retry = memcmp(octets + 2, PyBytes_AS_STRING(HELLO_RETRY), 32) == 0
        at = 35 + <Py_ssize_t>octets[34]
        within(at, 2, size)
        cipher = be16(octets + at)
        at += 3
        end = at + 2 + <Py_ssize_t>be16(octets + at) if at + 2 <= size else at
        at += 2
        if end > size:
            raise self.malformed("the extensions reach beyond the ServerHello", at)
        while at + 4 <= end:
            kind = be16(octets + at)
            length = be16(octets + at + 2)
            at += 4
            if kind == EXTENSION_VERSIONS and length == 2:
                within(at, 2, size)
                version = be16(octets + at)
            elif kind == EXTENSION_ALPN and length > 3:
                within(at + 2, 1, size)
                self.say("tls.alpn", body[at + 3 : at + min(length, 3 + <Py_ssize_t>octets[at + 2])].decode("latin-1"))
            at += length
        self.say("tls.version", version_name(version))
        self.say("tls.cipher", cipher_name(cipher))
        if version >= 0x0304 and not retry:
            self.server.close()  # RFC 8446 section 2: all that follows a ServerHello of 1.3 is encrypted
        return 0

    cdef int certificates(self, bytes body, bint from_client) except -1:
        """Read the end entity's certificate, the first of the list (RFC 5246 section 7.4.2)."""
        cdef const uint8_t *octets = <const uint8_t *>PyBytes_AS_STRING(body)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(body)
        cdef Py_ssize_t length
        if size < 6 or (<uint32_t>octets[0] << 16 | be16(octets + 1)) < 3:
            return 0
        length = <Py_ssize_t>octets[3] << 16 | be16(octets + 4)
        if 6 + length > size:
            raise self.malformed("a certificate reaches beyond its list")
        self.certificate(body[6 : 6 + length], not from_client)
        (self.client if from_client else self.server).close()
        return 0
