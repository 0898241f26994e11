# Hand-offs to their reader: what equal payloads came to before is not worked out again, equal facts are summed.
#
# A conversation that went like another one so far, and goes on with the same payload, comes to the same: facts,
# application, faults, whether more is wanted. Payloads are compared byte by byte, with what no dissector reads
# of a TLS hello (random numbers and keys) or, by its manifest, of a datagram left out.

cdef enum:
    FOLLOWED = 0
    LIVE = 1  # only the reader knows how it goes on
    OVER = 2  # nothing more of it is wanted

cdef enum:
    STEP_SLOTS = 131072
    MOST_STEPS = 65536
    MOST_STEP_BYTES = 33554432
    MOST_COURSE_BYTES = 262144
    MOST_COURSE_STEPS = 512
    SCRATCH = 262144
    DOORS = 65536
    WINDOW = 4096  # payloads learnt or let pass, after which it is judged whether learning pays
    MOST_SERVICES = 100000
    WORTH = 3  # it does where one is recalled for so many learnt

cdef size_t remembered_bytes = 0


cdef class Course:
    """How a conversation went so far; ``origin`` is what its reader keeps to get there again."""

    cdef readonly int kind
    cdef readonly object origin
    cdef readonly Step step
    cdef uint32_t steps
    cdef uint32_t bytes
    cdef uint64_t number
    cdef bint hello
    cdef int ranges
    cdef uint16_t first[2]
    cdef uint16_t last[2]

    def __init__(self, int kind=FOLLOWED, object origin=None, *, bint hello=False, unread=()):
        self.kind = kind
        self.origin = origin
        self.hello = hello
        self.ranges = len(unread)
        for at, (first, last) in enumerate(unread):
            self.first[<int>at] = first
            self.last[<int>at] = last
        self.number = <uint64_t><size_t><void *>self


cdef class Step:
    """What one payload came to: who said what, and how the conversation goes on.

    ``said`` holds pairs of whose fact it is (None: the sender's, True: the receiver's, else an IP address)
    and the fact's field, value and source. ``over`` is 1 when no more is wanted, 2 when no dissector knows it.
    """

    cdef readonly Course before
    cdef public Course after
    cdef readonly bytes payload
    cdef readonly bint from_client
    cdef readonly bint gap
    cdef tuple said
    cdef object application
    cdef tuple faults
    cdef int over
    cdef bint again  # it was recalled since somebody watches

    def __init__(
        self, Course before not None, Course after not None, bytes payload not None, bint from_client, bint gap,
        tuple said=(), application=None, tuple faults=(), int over=0,
    ):
        global remembered_bytes
        self.before = before
        self.payload = payload
        self.from_client = from_client
        self.gap = gap
        self.said = said
        self.application = application
        self.faults = faults
        self.over = over
        self.after = after
        remembered_bytes += len(payload)

    def __dealloc__(self):
        global remembered_bytes
        if self.payload is not None:
            remembered_bytes -= len(self.payload)

    def follow(self, bint hello):
        """Let a course begin behind this step; where it grows too long to be kept, the flow goes on live."""
        cdef Course after = Course.__new__(Course)
        after.kind = FOLLOWED
        after.hello = hello
        after.number = <uint64_t><size_t><void *>after
        after.step = self
        after.steps = self.before.steps + 1
        after.bytes = self.before.bytes + <uint32_t>len(self.payload)
        if after.steps > MOST_COURSE_STEPS or after.bytes > MOST_COURSE_BYTES:
            self.after = LIVE_COURSE
        else:
            self.after = after


cdef class Heard:
    cdef int64_t first
    cdef int64_t last
    cdef int64_t count


cdef class FactSum:
    """Equal facts of equal addresses, summed up since they were last taken."""

    cdef dict endpoints
    cdef Py_ssize_t facts

    def __cinit__(self):
        self.endpoints = {}

    def __len__(self):
        return self.facts

    cdef dict said_of(self, object mac, object ip, object vlan):
        cdef tuple endpoint = (mac, ip, vlan)
        cdef PyObject *found = PyDict_GetItem(self.endpoints, endpoint)
        cdef dict said
        if found != NULL:
            return <dict>found
        said = {}
        self.endpoints[endpoint] = said
        return said

    cdef int hear(self, dict said, tuple statement, int64_t first, int64_t last, int64_t count) except -1:
        cdef PyObject *found = PyDict_GetItem(said, statement)
        cdef Heard heard
        if found != NULL:
            heard = <Heard>found
            heard.count += count
            if last > heard.last:
                heard.last = last
            return 0
        heard = Heard.__new__(Heard)
        heard.first = first
        heard.last = last
        heard.count = count
        said[statement] = heard
        self.facts += 1
        return 0

    def add(self, evidence):
        """Add one fact."""
        cdef int64_t ts = evidence.ts_ns
        self.hear(
            self.said_of(evidence.mac, evidence.ip, evidence.vlan),
            (evidence.field, evidence.value, evidence.source), ts, ts, 1,
        )

    def add_counted(self, evidence, int64_t last_ns, int64_t count):
        """Add a fact heard ``count`` times, first as ``evidence`` says and last at ``last_ns``."""
        self.hear(
            self.said_of(evidence.mac, evidence.ip, evidence.vlan),
            (evidence.field, evidence.value, evidence.source), evidence.ts_ns, last_ns, count,
        )

    def add_columns(self, table):
        """Add facts as columns; of equal ones the earliest and the latest time count."""
        cdef Py_ssize_t n = table.num_rows
        cdef Py_ssize_t row
        cdef Numbers first = Numbers(table, "ts_ns", 8)
        cdef Numbers last = Numbers(table, "last_ns", 8)
        cdef Numbers count = Numbers(table, "count", 8)
        cdef Numbers vlans = Numbers(table, "vlan", 4)
        cdef Words macs = Words(table, "mac")
        cdef Words ips = Words(table, "ip")
        cdef Words fields = Words(table, "field")
        cdef Words values = Words(table, "value")
        cdef Words sources = Words(table, "source")
        cdef object mac, ip, vlan
        cdef object mac_before = None
        cdef object ip_before = None
        cdef object vlan_before = None
        cdef dict said = None
        cdef tuple statement
        cdef PyObject *found
        for row in range(n):
            mac, ip = macs.at(row), ips.at(row)
            vlan = vlans.short_at(row) if vlans.is_valid(row) else None
            if said is None or mac is not mac_before or ip is not ip_before or vlan != vlan_before:
                said = self.said_of(mac, ip, vlan)
                mac_before, ip_before, vlan_before = mac, ip, vlan
            statement = (fields.at(row), values.at(row), sources.at(row))
            found = PyDict_GetItem(said, statement)
            if found != NULL and first.long_at(row) < (<Heard>found).first:
                (<Heard>found).first = first.long_at(row)
            self.hear(said, statement, first.long_at(row), last.long_at(row), count.long_at(row))

    def take(self):
        """Return the facts, in the order in which addresses and then facts became known, and begin anew."""
        cdef Heard heard
        facts = []
        for (mac, ip, vlan), said in self.endpoints.items():
            for (field, value, source), one in said.items():
                heard = one
                facts.append(
                    Fact(Evidence(heard.first, mac, ip, vlan, field, value, source), heard.last, heard.count)
                )
        self.endpoints = {}
        self.facts = 0
        return tuple(facts)


cdef struct Slot:
    uint64_t digest  # beside the step, so that looking for one touches no other
    PyObject *step
    const char *payload


cdef struct Place:
    int64_t flow_id
    PyObject *course
    uint8_t live


cdef class Router:
    """Brings the hand-offs of a core to their reader and sums up the facts it returns.

    ``reader`` is asked by :meth:`observe` as before; with ``recall`` it is asked what is new, and what
    equals something before is told without it.
    """

    cdef FlowCore core
    cdef readonly FactSum facts
    cdef object reader
    cdef object observe
    cdef dict applications
    cdef bint recall
    cdef Place *places
    cdef size_t placed
    cdef Slot *table
    cdef uint32_t steps
    cdef size_t step_bytes
    cdef dict roots
    cdef uint8_t *known
    cdef uint8_t *scratch
    cdef uint32_t *doors  # digests of what opened a conversation while learning did not pay
    cdef bint sparing
    cdef uint32_t tries
    cdef uint64_t recalled_before
    cdef readonly uint64_t recalled
    cdef dict services  # server and protocol -> application, the oldest first
    cdef dict recalled_of  # how often, by protocol and service; None where nobody asks
    cdef dict repeated_of  # of how many different payloads

    def __cinit__(self, FlowCore core not None, object reader, *, bint recall=True):
        self.core = core
        self.facts = FactSum()
        self.reader = reader
        self.observe = reader.observe
        self.applications = reader.applications()
        self.recall = recall
        self.roots = {}
        self.services = {}
        if recall:
            self.table = <Slot *>calloc(STEP_SLOTS, sizeof(Slot))
            self.known = <uint8_t *>calloc(65536, 1)
            self.scratch = <uint8_t *>malloc(SCRATCH)
            self.doors = <uint32_t *>calloc(DOORS, sizeof(uint32_t))
            if self.table == NULL or self.known == NULL or self.scratch == NULL or self.doors == NULL:
                raise MemoryError("no memory left to remember what was read")
            for port in reader.stream_ports:
                self.known[<int>port] |= 1
            for port in reader.datagram_ports:
                self.known[<int>port] |= 2

    def __dealloc__(self):
        self.forget_steps()
        self.forget_places()
        free(self.places)
        free(self.table)
        free(self.known)
        free(self.scratch)
        free(self.doors)

    cdef void forget_steps(self) noexcept:
        """Let all steps go; a step and the course behind it hold each other, and nobody else would part them."""
        cdef size_t at
        cdef PyObject *step
        if self.table != NULL and self.steps:
            for at in range(STEP_SLOTS):
                step = self.table[at].step
                if step != NULL:
                    self.table[at].step = NULL
                    (<Step>step).after = None
                    Py_XDECREF(step)
        self.steps = 0
        self.step_bytes = 0

    cdef void forget_places(self) noexcept:
        cdef size_t at
        for at in range(self.placed):
            Py_XDECREF(self.places[at].course)
            self.places[at].course = NULL
            self.places[at].flow_id = -1

    def forget_all(self):
        """Drop what is known of all flows; what payloads came to stays known."""
        self.forget_places()

    def names_of(self, records):
        """Return the application of each flow: its own, else the last of its service, else None."""
        cdef Py_ssize_t n = records.num_rows
        cdef Py_ssize_t row
        cdef int32_t begin, end
        cdef PyObject *found
        cdef list names = [None] * n
        cdef char key[TEXT_MOST + 8]
        cdef Column ids = Column(records.column("flow_id").buffers()[1], 8 * n)
        cdef Column ports = Column(records.column("server_port").buffers()[1], 4 * n)
        cdef Column protocols = Column(records.column("ip_protocol").buffers()[1], 2 * n)
        addresses = records.column("server_ip").buffers()
        cdef Column offsets = Column(addresses[1], 4 * (n + 1))
        cdef Column texts = Column(addresses[2], 0)
        for row in range(n):
            begin, end = (<int32_t *>offsets.memory)[row], (<int32_t *>offsets.memory)[row + 1]
            if not 0 <= begin <= end <= texts.size or end - begin > TEXT_MOST:
                raise InternalError("the addresses of flow records do not lie as they should")
            memcpy(key, &(<int32_t *>ports.memory)[row], 4)
            memcpy(key + 4, &(<int16_t *>protocols.memory)[row], 2)
            memcpy(key + 6, texts.memory + begin, end - begin)
            service = PyBytes_FromStringAndSize(key, 6 + end - begin)
            found = PyDict_GetItem(self.applications, (<int64_t *>ids.memory)[row])
            if found != NULL:
                names[row] = self.services[service] = <object>found
            else:
                found = PyDict_GetItem(self.services, service)
                if found != NULL:
                    names[row] = <object>found
        while len(self.services) > MOST_SERVICES:
            del self.services[next(iter(self.services))]
        return pa.array(names, pa.string())

    def watch(self):
        self.recalled_of = {}
        self.repeated_of = {}
        return self.recalled_of, self.repeated_of

    cdef int count_recalled(self, Step step, const Hand *hand) except -1:
        cdef bint datagrams = hand.transport == 1
        service = (
            PROTO_UDP if datagrams else PROTO_TCP,
            service_of(self.core.c, datagrams, hand.src_port, hand.dst_port),
        )
        self.recalled_of[service] = self.recalled_of.get(service, 0) + 1
        if not step.again:
            step.again = True
            self.repeated_of[service] = self.repeated_of.get(service, 0) + 1
        return 0

    def drain(self):
        """Take the hand-offs that wait through the reader."""
        cdef Core *c = self.core.c
        cdef Hand *hand
        while True:
            self.core.enter()
            try:
                hand = next_hand(c)
                if hand == NULL:
                    self.core.empty_arena()
            finally:
                self.core.leave()
            if hand == NULL:
                return
            if self.recall and hand.transport != 2:
                self.route(hand, <const uint8_t *>hand + sizeof(Hand))
            else:
                self.listen(make_segment(self.core.names, hand, <const uint8_t *>hand + sizeof(Hand)))

    cdef int listen(self, object segment) except -1:
        return self.sum_up(self.observe(segment))

    cdef int sum_up(self, object facts) except -1:
        cdef int64_t ts
        for evidence in facts:
            if type(evidence) is not Evidence:
                raise TypeError(f"a fact is wanted, not {type(evidence).__name__}")
            ts = of(evidence, FACT_TS)
            self.facts.hear(
                self.facts.said_of(of(evidence, FACT_MAC), of(evidence, FACT_IP), of(evidence, FACT_VLAN)),
                (of(evidence, FACT_FIELD), of(evidence, FACT_VALUE), of(evidence, FACT_SOURCE)), ts, ts, 1,
            )
        return 0

    cdef Place *place_of(self, uint32_t slot) except NULL:
        cdef size_t bigger
        cdef size_t at
        cdef void *moved
        if slot >= self.placed:
            bigger = max(<size_t>1024, 2 * self.placed)
            while bigger <= slot:
                bigger *= 2
            moved = realloc(self.places, bigger * sizeof(Place))
            if moved == NULL:
                raise MemoryError("no memory left for the state of flows")
            self.places = <Place *>moved
            for at in range(self.placed, bigger):
                self.places[at].flow_id = -1
                self.places[at].course = NULL
            self.placed = bigger
        return &self.places[slot]

    cdef Course root_of(self, const Hand *hand):
        cdef uint8_t bit = 1 if hand.transport == 0 else 2
        cdef uint16_t near = hand.dst_port if hand.from_client else hand.src_port
        cdef uint16_t far = hand.src_port if hand.from_client else hand.dst_port
        if not self.known[near] & bit:
            near = 0
        if not self.known[far] & bit:
            far = 0
        cdef uint64_t key = <uint64_t>bit << 32 | <uint64_t>near << 16 | far
        cdef PyObject *found = PyDict_GetItem(self.roots, key)
        if found != NULL:
            return <Course>found
        root = self.reader.root(hand.transport == 0, near, far)
        self.roots[key] = root
        return root

    cdef int put(self, Place *place, Course course, bint live) except -1:
        cdef PyObject *old = place.course
        Py_INCREF(course)
        place.course = <PyObject *>course
        place.live = live
        Py_XDECREF(old)
        return 0

    cdef int route(self, Hand *hand, const uint8_t *data) except -1:
        cdef Place *place = self.place_of(hand.slot)
        cdef Course course
        cdef Step step
        cdef const uint8_t *key
        cdef uint64_t h
        cdef uint32_t at
        if place.flow_id != hand.flow_id or place.course == NULL:
            place.flow_id = hand.flow_id
            self.put(place, LIVE_COURSE if hand.transport == 0 and hand.offset else self.root_of(hand), False)
        course = <Course>place.course
        if course.kind == OVER:
            pass_over(self.core.c, hand.flow_id, False)
            return 0
        if course.kind == LIVE:
            return self.listen(make_segment(self.core.names, hand, data))
        key = self.key_of(course, data, hand.length)
        h = digest(
            mum(course.number ^ self.core.c.seed0, (<uint64_t>hand.length << 2 | hand.from_client << 1 | hand.gap) ^ self.core.c.seed1),
            key, hand.length,
        )
        at = self.find(course, h, hand, key)
        if self.table[at].step == NULL and self.spares(course, h):
            self.put(place, LIVE_COURSE, True)
            return self.sum_up(self.reader.resume(course, make_segment(self.core.names, hand, data)))
        if place.live or self.table[at].step == NULL:
            return self.learn(place, course, at, h, hand, data, key)
        step = <Step>self.table[at].step
        if step.after.kind == LIVE:
            segment = make_segment(self.core.names, hand, data)
            self.put(place, LIVE_COURSE, True)
            return self.sum_up(self.reader.resume(course, segment))
        self.repeat(step, hand)
        self.put(place, step.after, False)
        return 0

    cdef bint spares(self, Course course, uint64_t h) noexcept:
        """Tell whether an unknown payload is not worth learning: little repeats, and it comes for the first time."""
        cdef uint32_t *door
        self.tries += 1
        if self.tries >= WINDOW:
            self.sparing = (self.recalled - self.recalled_before) * WORTH < self.tries
            self.recalled_before = self.recalled
            self.tries = 0
        if not self.sparing or course.step is not None:
            return False
        door = &self.doors[h & (DOORS - 1)]
        if door[0] == <uint32_t>(h >> 32):
            return False
        door[0] = <uint32_t>(h >> 32)
        return True

    cdef const uint8_t *key_of(self, Course course, const uint8_t *data, uint32_t length) noexcept:
        """Return the bytes by which a payload is recognised: those that may tell something."""
        cdef int i
        cdef uint32_t first, last
        if length > SCRATCH:
            return data
        if course.ranges:
            memcpy(self.scratch, data, length)
            for i in range(course.ranges):
                first = min(<uint32_t>course.first[i], length)
                last = min(<uint32_t>course.last[i], length)
                memset(self.scratch + first, 0, last - first)
            return self.scratch
        if course.hello and blank_hello(self.scratch, data, length):
            return self.scratch
        return data

    cdef uint32_t find(self, Course course, uint64_t h, const Hand *hand, const uint8_t *key) noexcept:
        """Return where a step is, or where it would be put."""
        cdef uint32_t at = <uint32_t>h & (STEP_SLOTS - 1)
        cdef Step step
        while self.table[at].step != NULL:
            if self.table[at].digest == h:
                step = <Step>self.table[at].step
                if (
                    <uint32_t>PyBytes_GET_SIZE(step.payload) == hand.length
                    and memcmp(self.table[at].payload, key, hand.length) == 0
                    and step.before is course and step.from_client == (hand.from_client != 0)
                    and step.gap == (hand.gap != 0)
                ):
                    break
            at = (at + 1) & (STEP_SLOTS - 1)
        return at

    cdef int repeat(self, Step step, const Hand *hand) except -1:
        """Tell what the same payload came to before."""
        cdef dict sender = None
        cdef dict receiver = None
        cdef dict said
        self.recalled += 1
        if self.recalled_of is not None:
            self.count_recalled(step, hand)
        if step.said:
            vlan = None if hand.vlan == NO_VLAN else hand.vlan
            for side, statement in step.said:
                if side is None:
                    if sender is None:
                        sender = self.facts.said_of(mac_text(self.core.names, hand, 0), ip_text(self.core.names, hand, 0), vlan)
                    said = sender
                elif side is True:
                    if receiver is None:
                        receiver = self.facts.said_of(mac_text(self.core.names, hand, 1), ip_text(self.core.names, hand, 1), vlan)
                    said = receiver
                else:
                    said = self.facts.said_of(None, side, vlan)
                self.facts.hear(said, statement, hand.ts, hand.ts, 1)
        if step.application is not None:
            self.applications[hand.flow_id] = step.application
        for name in step.faults:
            self.reader.malformed[name] += 1
        if step.over:
            pass_over(self.core.c, hand.flow_id, step.over == 2)
        return 0

    cdef int learn(
        self, Place *place, Course course, uint32_t at, uint64_t h, Hand *hand, const uint8_t *data, const uint8_t *key
    ) except -1:
        """Let the reader find out what a payload comes to, and remember it."""
        cdef Step step
        cdef bint live = place.live
        payload = PyBytes_FromStringAndSize(<const char *>key, hand.length)
        segment = make_segment(self.core.names, hand, data)
        facts, learnt, holds = self.reader.learn(course, segment, payload, live)
        step = learnt
        if self.table[at].step != NULL:  # known already: the flow was not followed from its beginning
            self.put(place, (<Step>self.table[at].step).after if step.after.kind == FOLLOWED else step.after, holds)
            step.after = None  # see forget_steps
        else:
            self.put(place, step.after, holds)
            Py_INCREF(step)
            self.table[at].step = <PyObject *>step
            self.table[at].payload = PyBytes_AS_STRING(step.payload)
            self.table[at].digest = h
            self.steps += 1
            self.step_bytes += len(step.payload)
            if self.steps >= MOST_STEPS or self.step_bytes >= MOST_STEP_BYTES:
                self.forget_steps()
                if remembered_bytes >= MOST_STEP_BYTES // 2:
                    self.settle()
        return self.sum_up(facts)

    cdef int settle(self) except -1:
        """Give every flow that is followed to its reader: their courses hold too much."""
        cdef size_t at
        cdef Course course
        for at in range(self.placed):
            if self.places[at].course != NULL and not self.places[at].live:
                course = <Course>self.places[at].course
                if course.kind == FOLLOWED and course.step is not None:
                    self.reader.settle(course, self.places[at].flow_id)
                    self.put(&self.places[at], LIVE_COURSE, True)
        return 0


LIVE_COURSE = Course(LIVE)
OVER_COURSE = Course(OVER)


cdef inline object mac_text(Names names, const Hand *hand, int receiver):
    if receiver:
        return names.text(KIND_L2, mac48(hand.dst_mac), 0) if hand.has_macs & 2 else None
    return names.text(KIND_L2, mac48(hand.src_mac), 0) if hand.has_macs & 1 else None


cdef inline object ip_text(Names names, const Hand *hand, int receiver):
    cdef uint64_t word1
    if hand.kind == KIND_L2:
        return None
    if receiver:
        return names.text(hand.kind, hand.dst0, hand.dst1 if hand.kind == KIND_IP6 else 0)
    return names.text(hand.kind, hand.src0, hand.src1 if hand.kind == KIND_IP6 else 0)
