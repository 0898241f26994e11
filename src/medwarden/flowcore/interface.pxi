# What Python sees.

cdef class FlowCore:
    """Packets in memory to two-way flows and payload hand-offs, within fixed bounds of memory."""

    cdef Core *c
    cdef Names names
    cdef readonly object config
    cdef bint busy

    def __cinit__(self, config=None):
        if config is None:
            config = FlowCoreConfig()
        self.config = config
        self.names = Names()
        self.c = new_core(config)

    def __dealloc__(self):
        free_core(self.c)

    cdef int enter(self) except -1:
        """Refuse a second thread while one is inside with the lock released."""
        if self.busy:
            raise InternalError("a flow core is used by two threads at once")
        self.busy = True
        return 0

    cdef int leave(self) except -1:
        self.busy = False
        if self.c.out_of_memory:
            self.c.out_of_memory = 0
            raise MemoryError("no memory left for flows and payloads; some were lost")
        return 0

    cdef void empty_arena(self) noexcept:
        self.c.arena_used = 0
        self.c.arena_taken = 0
        self.c.waiting = 0
        self.c.arena_limit = self.c.arena_bound

    def packet(self, ts_ns, linktype, data, wire_length=None):
        cdef Py_buffer view
        cdef int64_t ts
        cdef uint32_t wire
        cdef int link = linktype
        ts = -1 if ts_ns < 0 or ts_ns > 0x7FFFFFFFFFFFFFFF else ts_ns
        wire = 0 if wire_length is None else wire_length
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            if view.len > MAX_PACKET:
                raise MalformedInput("packet", f"{view.len} bytes are more than any packet has")
            self.enter()
            try:
                with nogil:
                    take_packet(self.c, link, <const uint8_t *>view.buf, <uint32_t>view.len, wire, ts, NO_VLAN)
                    account_batch(self.c)
            finally:
                self.leave()
        finally:
            PyBuffer_Release(&view)

    def deal(self, services, parts=()):
        cdef uint8_t *dealt
        for (protocol, port), share in services.items():
            if protocol not in (PROTO_TCP, PROTO_UDP) or not 0 <= port <= 0xFFFF:
                raise InternalError(f"protocol {protocol} has no service {port} that could be dealt out")
            if share is not None and not 0 <= share < self.c.shares:
                raise InternalError(f"{share} is none of {self.c.shares} shares")
        if parts and (len(parts) != self.c.shares or min(parts) < 0 or not 0 < sum(parts) <= 0xFFFFFFFF):
            raise InternalError(f"{parts} are not the parts of {self.c.shares} shares")
        if self.c.started or self.c.dealt != NULL:
            raise InternalError("services are dealt out once, before the first packet")
        dealt = <uint8_t *>calloc(2 * DEALT, 1)
        if dealt == NULL:
            raise MemoryError("no memory left to deal services out")
        deal(self.c, dealt, services)
        self.c.dealt = dealt
        if parts:
            divide(self.c, parts)

    def service(self, protocol, port, other):
        return service_of(self.c, protocol == PROTO_UDP, port, other)

    def feed_block(self, block, linktype=1, tally=None):
        cdef Py_buffer view
        cdef Py_buffer noted
        cdef int64_t note[2]
        cdef int64_t count = 0
        cdef int link = linktype
        cdef uint8_t *memory
        PyObject_GetBuffer(block, &view, PyBUF_WRITABLE)
        try:
            memory = <uint8_t *>view.buf
            if view.len < BLOCK_HEADER or <size_t>memory & 3:
                raise InternalError(f"{view.len} bytes at this place are no block of a receive ring")
            if not load_acquire(memory + BLOCK_STATUS) & TP_STATUS_USER:
                return None
            self.enter()
            try:
                with nogil:
                    count = walk_block(self.c, link, memory, view.len)
                    account_batch(self.c)
                note[0] = <int64_t>raw64(memory + BLOCK_SEQUENCE)
                note[1] = <int64_t>(self.c.parsed + self.c.rejected)
                if tally is not None:
                    PyObject_GetBuffer(tally, &noted, PyBUF_WRITABLE)
                    if noted.len == sizeof(note):
                        memcpy(noted.buf, note, sizeof(note))
                    PyBuffer_Release(&noted)
                store_release(memory + BLOCK_STATUS, 0)
            finally:
                self.leave()
        finally:
            PyBuffer_Release(&view)
        if count < 0:
            raise MalformedInput("receive ring", "a packet header that leads out of its block")
        return count

    def advance(self, ts_ns):
        cdef int64_t ts = ts_ns
        self.enter()
        try:
            with nogil:
                if self.c.started and ts > self.c.high_ns:
                    self.c.mono += min(ts - self.c.high_ns, self.c.longest_ns)
                    self.c.high_ns = ts
                    expire(self.c)
        finally:
            self.leave()

    def take_segments(self):
        return list(self.segments())

    def segments(self):
        return Waiting(self)

    cdef object next_segment(self):
        """Return the next hand-off of a flow that is not passed over, or None when none waits."""
        cdef Core *c = self.c
        cdef Hand *hand
        self.enter()
        try:
            hand = next_hand(c)
            if hand != NULL:
                return make_segment(self.names, hand, <const uint8_t *>hand + sizeof(Hand))
            self.empty_arena()
            return None
        finally:
            self.leave()

    def pass_over(self, flow_id, unclaimed=False):
        pass_over(self.c, flow_id, unclaimed)

    def discard_segments(self):
        cdef uint64_t waiting = self.c.waiting
        self.enter()
        self.empty_arena()
        self.leave()
        return waiting

    def take_flows(self, final=False):
        cdef bint everything = final
        cdef int which
        self.enter()
        try:
            if everything:
                with nogil:
                    for which in range(LISTS):
                        while self.c.lists[which].head != NIL:
                            end_flow(self.c, self.c.lists[which].head, END_FINAL)
            batch = flow_batch(self.c)
            self.c.ended_count = 0
            self.c.ended_limit = ENDED_BOUND
        finally:
            self.leave()
        return batch

    @property
    def full(self):
        return is_full(self.c)

    @property
    def parsed(self):
        return self.c.parsed

    @property
    def rejected(self):
        return self.c.rejected

    @property
    def foreign(self):
        return self.c.foreign

    @property
    def reasons(self):
        return {
            REASON_NAMES[i]: self.c.reasons[i] for i in range(1, REASON_COUNT) if self.c.reasons[i]
        }

    @property
    def segments_handed(self):
        return self.c.hands

    @property
    def segments_passed_over(self):
        return self.c.passed_over

    @property
    def segments_repeated(self):
        return self.c.repeated

    @property
    def flows_active(self):
        return self.c.active

    @property
    def flows_created(self):
        return self.c.next_id // self.c.shares

    @property
    def flows_evicted(self):
        return self.c.evicted

    @property
    def flows_waiting(self):
        return self.c.ended_count

    @property
    def reassembly_held(self):
        return self.c.reassembly_held

    @property
    def reassembly_dropped(self):
        return self.c.reassembly_dropped

    @property
    def gaps(self):
        return self.c.gaps

    @property
    def fragments_held(self):
        return self.c.fragment_held

    @property
    def fragments_seen(self):
        return self.c.fragments_seen

    @property
    def fragments_reassembled(self):
        return self.c.fragments_reassembled

    @property
    def fragments_dropped(self):
        return self.c.fragments_dropped

    @property
    def first_ns(self):
        return self.c.first_ns if self.c.started else None

    @property
    def last_ns(self):
        return self.c.last_ns if self.c.started else None


cdef class Waiting:
    """The hand-offs that wait in a core, one by one."""

    cdef FlowCore core

    def __cinit__(self, FlowCore core not None):
        self.core = core

    def __iter__(self):
        return self

    def __next__(self):
        segment = self.core.next_segment()
        if segment is None:
            raise StopIteration
        return segment


cdef class CaptureReader:
    """Reads a pcap or pcapng file piece by piece into a flow core."""

    cdef Reader r
    cdef FlowCore core
    cdef readonly str name

    def __cinit__(self, FlowCore core not None, str name not None):
        self.core = core
        self.name = name
        memset(&self.r, 0, sizeof(Reader))
        self.r.bad_time_at = -1
        self.r.first_ns = -1
        self.r.last_ns = -1

    def __dealloc__(self):
        free(self.r.interfaces)

    def feed(self, buffer, offset=0, final=False):
        cdef Py_buffer view
        cdef int64_t consumed
        cdef size_t start = offset
        cdef size_t size = 0
        if self.r.damage:
            self.complain()
        PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE)
        try:
            if start > <size_t>view.len:
                raise InternalError(f"offset {offset} lies beyond a buffer of {view.len} bytes")
            size = view.len - start
            self.core.enter()
            try:
                with nogil:
                    go_on(self.core.c)
                    consumed = read_records(self.core.c, &self.r, <const uint8_t *>view.buf + start, size)
                    account_batch(self.core.c)
            finally:
                self.core.leave()
        finally:
            PyBuffer_Release(&view)
        if consumed == 0 and self.r.damage:
            self.complain()
        if consumed == 0 and final and not is_full(self.core.c):
            self.cut_short(size)
        return consumed

    cdef int complain(self) except -1:
        raise MalformedInput(self.name, DAMAGE_WORDS[<int>self.r.damage].format(self.r.detail), self.r.position)

    cdef int cut_short(self, size_t rest) except -1:
        if self.r.format == FORMAT_UNKNOWN:
            words = f"only {rest} bytes, too few for a capture file" if rest else "an empty file"
            raise MalformedInput(self.name, words, 0)
        if rest == 0:
            return 0
        raise MalformedInput(
            self.name, f"the file ends inside a packet record, of which {rest} bytes are there", self.r.position
        )

    @property
    def format(self):
        return ("", "pcap", "pcapng")[<int>self.r.format]

    @property
    def position(self):
        return self.r.position

    @property
    def packets_read(self):
        return self.r.packets

    @property
    def dropped(self):
        cdef uint32_t i
        total = self.r.dropped
        for i in range(self.r.interface_count):
            total += self.r.interfaces[i].dropped
        return total

    @property
    def fault(self):
        if self.r.bad_time_at < 0:
            return None
        return MalformedInput(self.name, "a packet whose time cannot be", self.r.bad_time_at)

    @property
    def first_ns(self):
        return None if self.r.first_ns < 0 else self.r.first_ns

    @property
    def last_ns(self):
        return None if self.r.last_ns < 0 else self.r.last_ns
