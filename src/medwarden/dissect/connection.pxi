# What every dissector of a byte stream keeps; medwarden.dissect.connection describes it.

cdef enum:
    MOST_FACTS = 256

cdef extern from "limits.h":
    const long long LLONG_MAX

cdef extern from "Python.h":
    long long PyLong_AsLongLongAndOverflow(object number, int *overflow) except? -1

MAX_FACTS = MOST_FACTS
cdef tuple BEYOND = (struct.error, IndexError)


cdef long long amount(object count) except -1:
    """Return a count of bytes; what a field of 64 bits can ask for is more than ever comes."""
    cdef int overflow = 0
    cdef long long wanted = PyLong_AsLongLongAndOverflow(count, &overflow)
    if overflow > 0:
        return LLONG_MAX
    if wanted < 0 or overflow < 0:
        raise ValueError(f"{count} is no count of bytes")
    return wanted


@cython.final
cdef class Inbox:
    """The unread bytes of one direction.

    ``data`` may be looked at freely; ``offset`` is the position of its first byte in the stream.
    A ``deaf`` inbox takes no more bytes (encrypted from here on, or bytes were lost).
    """

    cdef public str source
    cdef public bytearray data
    cdef public long long offset
    cdef public bint deaf
    cdef long long skip

    def __init__(self, str source not None):
        self.source = source
        self.data = bytearray()

    @property
    def at_rest(self):
        """Tell whether bytes are taken and a message, if one comes now, begins with the next."""
        return not (PyByteArray_GET_SIZE(self.data) or self.skip or self.deaf)

    cdef int drop(self, Py_ssize_t count) except -1:
        """Remove the first ``count`` bytes, of which there are so many."""
        if count == PyByteArray_GET_SIZE(self.data):
            PyByteArray_Resize(self.data, 0)
        elif count:
            del self.data[:count]
        self.offset += count
        return 0

    cpdef add(self, payload):
        """Append ``payload``, less what was discarded ahead of its arrival."""
        cdef Py_ssize_t length = len(payload)
        cdef Py_ssize_t dropped = 0
        cdef Py_ssize_t before
        if self.skip:
            dropped = <Py_ssize_t>min(self.skip, <long long>length)
            self.skip -= dropped
            self.offset += dropped
            if dropped == length:
                return
        if type(payload) is not bytes:
            self.data += payload[dropped:]
            return
        before = PyByteArray_GET_SIZE(self.data)
        PyByteArray_Resize(self.data, before + length - dropped)
        memcpy(PyByteArray_AS_STRING(self.data) + before, PyBytes_AS_STRING(payload) + dropped, length - dropped)

    cpdef take(self, count):
        """Remove and return ``count`` bytes, or return None while there are fewer."""
        cdef long long wanted = amount(count)
        if PyByteArray_GET_SIZE(self.data) < wanted:
            return None
        taken = PyBytes_FromStringAndSize(PyByteArray_AS_STRING(self.data), <Py_ssize_t>wanted)
        self.drop(<Py_ssize_t>wanted)
        return taken

    cdef int leave(self, long long count) except -1:
        cdef long long here = min(count, <long long>PyByteArray_GET_SIZE(self.data))
        self.drop(<Py_ssize_t>here)
        count -= here
        self.skip = LLONG_MAX if count > LLONG_MAX - self.skip else self.skip + count
        return 0

    def discard(self, count):
        """Drop the next ``count`` bytes, also those still to come, without keeping them."""
        self.leave(amount(count))

    cpdef line(self, Py_ssize_t limit):
        """Remove and return the next line without its CR LF or LF, or None while it is incomplete.

        Raises MalformedInput when no line ends within ``limit`` bytes.
        """
        cdef Py_ssize_t held = PyByteArray_GET_SIZE(self.data)
        cdef const char *begin = PyByteArray_AS_STRING(self.data)
        cdef const char *end = NULL
        cdef Py_ssize_t length
        if limit > 0 and held:
            end = <const char *>memchr(begin, 10, <size_t>min(held, limit))
        if end == NULL:
            if held >= limit:
                raise self.malformed(f"no end of line within {limit} bytes")
            return None
        length = end - begin
        line = PyBytes_FromStringAndSize(begin, length - 1 if length and begin[length - 1] == 13 else length)
        self.drop(length + 1)
        return line

    cpdef close(self):
        """Take no more bytes and forget those at hand."""
        self.deaf = True
        self.offset += PyByteArray_GET_SIZE(self.data)
        self.data = bytearray()

    def malformed(self, reason):
        """Return the error that the bytes at the head of this inbox deserve."""
        return MalformedInput(self.source, reason, self.offset)


def _broken(facts, error):
    yield from facts
    raise error


cdef class Connection:
    """State of one TCP connection; for UDP, the worker that looks at one datagram after another."""

    cdef public Inbox client
    cdef public Inbox server
    cdef public list _facts
    cdef public object _inner
    cdef object heeded
    cdef object fault
    cdef str name
    cdef set told
    cdef dict states

    def __init__(self):
        self.name = self.manifest.name
        self.client = Inbox(self.name)
        self.server = Inbox(self.name)
        self.told = set()
        self._facts = []

    @staticmethod
    def recognises(payload, from_client):
        """Tell whether the payload is this protocol; a dissector that sniffs says how."""
        return False

    def feed(self, segment):
        """Return the facts that became known with ``segment``.

        Where the bytes break the protocol, reading what is returned raises MalformedInput after the facts
        before the fault.
        """
        check_segment(segment)
        facts = self.read(segment)
        if self.fault is None:
            return facts
        fault, self.fault = self.fault, None
        return _broken(facts, fault)

    cdef list read(self, object segment):
        """Return the facts of a segment; where the bytes break the protocol, ``fault`` is set."""
        cdef list facts
        if self.passes(segment):
            return []
        self.heeded = segment
        try:
            if of(segment, TRANSPORT) is UDP:
                self.told.clear()
                self.datagram(of(segment, PAYLOAD), of(segment, FROM_CLIENT))
            else:
                self.stream(segment)
        except MalformedInput as error:
            self.fault = error
        except BEYOND as error:
            # Every read of a fixed field is bounds-checked by these two: the message ended early.
            self.fault = MalformedInput(self.name, "a message ends within a field")
            self.fault.__cause__ = error
        facts = self._facts
        self._facts = []
        return facts

    cdef bint passes(self, object segment) except -1:
        """Tell whether a segment says nothing, without reading it as the others."""
        return False

    cdef int stream(self, object segment) except -1:
        cdef Inbox inbox
        cdef object side
        if self._inner is not None:
            self._facts.extend(self._inner.feed(segment))
            return 0
        side = of(segment, FROM_CLIENT)
        inbox = self.client if says(side) else self.server
        if says(of(segment, GAP)):
            inbox.close()
        if inbox.deaf:
            return 0
        inbox.add(of(segment, PAYLOAD))
        if PyByteArray_GET_SIZE(inbox.data):
            self.parse(inbox, side)
        return 0

    def parse(self, inbox, from_client):
        """Read the complete messages of one direction; the rest stays in the inbox."""
        raise NotImplementedError(f"{self.manifest.name} carries no TCP")

    def datagram(self, payload, from_client):
        """Read one datagram."""
        raise NotImplementedError(f"{self.manifest.name} carries no UDP")

    cdef object read_now(self):
        if self.heeded is None:
            raise LookupError("no segment is being read")
        return self.heeded

    cdef int say(self, object field, object value) except -1:
        cdef object segment = self.read_now()
        cdef tuple fact
        if not value or len(self.told) >= MOST_FACTS:
            return 0
        fact = (of(segment, FROM_CLIENT), field, value)
        if fact in self.told:
            return 0
        if not is_clean(value):
            return self.tell(field, value, True)
        self.told.add(fact)
        self._facts.append(
            Evidence(
                of(segment, TS), of(segment, SRC_MAC), of(segment, SRC_IP), of(segment, VLAN), field, value, self.name
            )
        )
        return 0

    def said(self, field, value):
        """Record that the sender said ``value``; blank values and repetitions are no facts."""
        self.say(field, value)

    def said_state(self, field, value):
        """Record a state of the sender: unlike other facts it is told again after another one."""
        side = of(self.read_now(), FROM_CLIENT)
        if self.states is None:
            self.states = {}
        if self.states.get((side, field)) != value:
            self.states[side, field] = value
            self.told.discard((side, field, value))
        self.say(field, value)

    def heard(self, field, value):
        """Record a fact about the receiver."""
        self.tell(field, value, False)

    def said_all(self, facts):
        """Record several facts that the sender said."""
        for field, value in facts:
            self.say(field, value)

    cdef int tell(self, object field, object value, bint by_sender) except -1:
        cdef object segment = self.read_now()
        cdef object side = says(of(segment, FROM_CLIENT)) == by_sender
        # Peers repeat themselves: what was told in this very form need not be cleaned again.
        if not value or (side, field, value) in self.told or len(self.told) >= MOST_FACTS:
            return 0
        value = value[: 2 * MOST_CHARACTERS]
        self.told.add((side, field, value))
        cleaned = clean(value)
        if cleaned != value:
            if not cleaned or (side, field, cleaned) in self.told:
                return 0
            self.told.add((side, field, cleaned))
        if by_sender:
            self._facts.append(segment.said(field, cleaned, self.name))
        else:
            self._facts.append(segment.heard(field, cleaned, self.name))
        return 0

    def said_from(self, ip, field, value):
        """Record a fact that a datagram states on behalf of ``ip``, where that is not its sender."""
        segment = self.read_now()
        if ip is None or ip == of(segment, SRC_IP):
            self.say(field, value)
        elif value := clean(value):
            self._facts.append(Evidence(of(segment, TS), None, ip, of(segment, VLAN), field, value, self.name))

    def become(self, inner):
        """Hand the rest of the connection to ``inner``, as after STARTTLS.

        Bytes that already wait are passed on; facts keep the name of the dissector that reads them.
        """
        self._inner = inner
        for inbox, from_client in ((self.client, True), (self.server, False)):
            waiting = inbox.take(len(inbox.data))
            if waiting:
                piece = msgspec.structs.replace(self.read_now(), payload=waiting, from_client=from_client)
                self._facts.extend(inner.feed(piece))

    @property
    def done(self):
        """Tell whether neither direction is of interest any more."""
        if self._inner is not None:
            return self._inner.done
        return self.client.deaf and self.server.deaf

    def close(self):
        """Take no more bytes of either direction."""
        self.client.close()
        self.server.close()

    @property
    def segment(self):
        """Return the segment being read."""
        return self.read_now()

    def malformed(self, reason, offset=None):
        """Return an error of this protocol."""
        return MalformedInput(self.name, reason, offset)
