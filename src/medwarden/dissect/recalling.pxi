# What a payload came to, for the next that is equal; medwarden.dissect.recall describes it.

cdef str HELLOS = "tls"


@cython.final
cdef class Origin:
    """Where a conversation stands of itself: at its beginning or, for datagrams, wherever it is.

    Ports are those of server and client, 0 where they make no difference.
    """

    cdef bint stream
    cdef object near
    cdef object far
    cdef Member member
    cdef int strikes
    cdef int attempts


cdef class Recalling(Dispatch):
    """What :class:`~medwarden.dissect.recall.RecallingObserver` does with segments that nothing equals so far."""

    cdef dict courses

    def __init__(self, malformed, tokeniser, members, Py_ssize_t max_flows, pass_over, log):
        super().__init__(malformed, tokeniser, members, max_flows, pass_over, log)
        self.courses = {}

    def root(self, bint stream, near, far):
        """Return how a conversation begins, from the port of its server and of its client (0: no matter)."""
        cdef Table table = self.streams if stream else self.datagrams
        cdef Origin origin
        for member in table.of_port(near) + table.of_port(far):
            if not (<Member>member).from_payloads:
                return LIVE_COURSE
        if not stream:
            return self.datagram_course(near, far, None, 0, 0)
        origin = Origin.__new__(Origin)
        origin.stream, origin.near, origin.far = True, near, far
        return Course(origin=origin, hello=True)

    cdef object datagram_course(self, object near, object far, Member member, int strikes, int attempts):
        cdef tuple key = (near, far, member, strikes, attempts)
        cdef PyObject *found = PyDict_GetItem(self.courses, key)
        cdef Origin origin
        if found != NULL:
            return <object>found
        origin = Origin.__new__(Origin)
        origin.near, origin.far, origin.member = near, far, member
        origin.strikes, origin.attempts = strikes, attempts
        course = Course(origin=origin, unread=() if member is None else member.kind.manifest.volatile)
        self.courses[key] = course
        return course

    def learn(self, course, segment, bytes payload not None, bint live):
        """Observe a segment; return its facts, what it came to, and whether the flow's state is held here.

        ``payload`` is that of the segment without what no dissector reads; ``live`` says that the flow's
        state is held here already.
        """
        cdef object flow_id = of(segment, FLOW_ID)
        cdef bint stream = of(segment, TRANSPORT) is TCP
        cdef Flow flow = None
        cdef Origin origin
        cdef PyObject *found
        cdef list facts
        check_segment(segment)
        if not stream:
            read = self.datagram(course, segment, payload)
            if read is not None:
                return read
        if not live:
            self.stand(course, flow_id)
        before = self.names.get(flow_id)
        self.faults = []
        self.alone = True
        self.over = 0
        facts = self.look(segment)
        said = said_by(facts, segment) if self.alone else None
        found = PyDict_GetItem(self.flows, flow_id)
        if found != NULL:
            flow = <Flow>found
        if said is None or flow is None or (stream and flow.undecided):
            return facts, Step(course, LIVE_COURSE, payload, of(segment, FROM_CLIENT), of(segment, GAP)), True
        name = self.names.get(flow_id)
        step = Step(
            course, OVER_COURSE, payload, of(segment, FROM_CLIENT), of(segment, GAP),
            said, name if name != before else None, tuple(self.faults), self.over,
        )
        if flow.dissector is None and not flow.undecided:
            del self.flows[flow_id]
            return facts, step, False
        if stream:
            step.follow(flow.name == HELLOS)
            return facts, step, True
        del self.flows[flow_id]
        origin = origin_of(course)
        if flow.dissector is None:
            step.after = self.datagram_course(origin.near, origin.far, None, flow.strikes, flow.attempts)
        else:
            step.after = self.datagram_course(origin.near, origin.far, flow.member, flow.strikes, 0)
        return facts, step, False

    def resume(self, course, segment):
        """Observe a segment of a flow that followed known steps until now and is live from here on."""
        check_segment(segment)
        self.stand(course, of(segment, FLOW_ID))
        return self.look(segment)

    def settle(self, course, flow_id):
        """Hold the state of a flow that followed known steps until now."""
        self.stand(course, flow_id)

    cdef tuple datagram(self, object course, object segment, bytes payload):
        """Read a datagram of a flow whose dissector is known, or return None where that is not enough."""
        cdef Origin origin = origin_of(course)
        cdef Connection connection
        cdef list facts
        if origin.member is None or origin.strikes:
            return None
        dissector = origin.member.stateless
        if getattr(dissector, "application", MISSING) is not MISSING:
            return None
        try:
            if origin.member.reads_natively:
                connection = <Connection>dissector
                facts = connection.read(segment)
                if connection.fault is not None:
                    connection.fault = None
                    return None
            else:
                stated = dissector.feed(segment)
                facts = <list>stated if type(stated) is list else list(stated)
        except Exception:  # fed again by who counts what is wrong with it
            return None
        said = said_by(facts, segment)
        if said is None:
            return None
        return facts, Step(course, course, payload, of(segment, FROM_CLIENT), of(segment, GAP), said), False

    cdef int stand(self, object course, object flow_id) except -1:
        """Bring the flow's state to where ``course`` has led."""
        cdef list steps = []
        cdef Origin origin
        cdef Flow flow
        step = course.step
        while step is not None:
            steps.append(step)
            course = step.before
            step = course.step
        origin = origin_of(course)
        if origin.member is not None or origin.attempts:
            flow = Flow.__new__(Flow)
            self.flows[flow_id] = flow
            flow.strikes, flow.attempts = origin.strikes, origin.attempts
            if origin.member is not None:
                self.entrust(flow, origin.member, origin.member.stateless, True)
        if steps:
            self.tread(origin, flow_id, steps)
        return 0

    cdef int tread(self, Origin origin, object flow_id, list steps) except -1:
        """Read a stream again from its beginning, telling nothing."""
        cdef object from_client_at = 0
        cdef object from_server_at = 0
        cdef bint before = self.muted
        self.muted = True
        try:
            steps.reverse()
            for step in steps:
                side = step.from_client
                payload = step.payload
                if side:
                    at, near, far = from_client_at, origin.far, origin.near
                    from_client_at += len(payload)
                else:
                    at, near, far = from_server_at, origin.near, origin.far
                    from_server_at += len(payload)
                self.look(
                    Segment(
                        0, flow_id, TCP, None, None, None, None, near, far, None, side, payload, at, step.gap
                    )
                )
        finally:
            self.muted = before
        return 0


cdef Origin origin_of(object course):
    origin = course.origin
    if type(origin) is not Origin:
        raise InternalError("a conversation was followed from where it does not begin")
    return <Origin>origin


cdef inline bint same(object one, object other):
    return one is other or one == other


cdef object said_by(list facts, object segment):
    """Return whose fact each is, or None where that cannot be told for sure."""
    cdef object src_mac, src_ip, dst_mac, dst_ip, mac, ip, whose
    cdef list said
    if not facts:
        return ()
    src_mac, src_ip = of(segment, SRC_MAC), of(segment, SRC_IP)
    dst_mac, dst_ip = of(segment, DST_MAC), of(segment, DST_IP)
    if src_mac is None or src_ip is None or dst_mac is None or dst_ip is None:
        return None
    if same(src_mac, dst_mac) and same(src_ip, dst_ip):
        return None
    said = []
    for fact in facts:
        if type(fact) is not Evidence:
            raise TypeError(f"a fact is wanted, not {type(fact).__name__}")
        if not same(of(fact, FACT_TS), of(segment, TS)) or not same(of(fact, FACT_VLAN), of(segment, VLAN)):
            return None
        mac, ip = of(fact, FACT_MAC), of(fact, FACT_IP)
        if same(mac, src_mac) and same(ip, src_ip):
            whose = None
        elif same(mac, dst_mac) and same(ip, dst_ip):
            whose = True
        elif mac is None and ip is not None:
            whose = ip
        else:
            return None
        said.append((whose, (of(fact, FACT_FIELD), of(fact, FACT_VALUE), of(fact, FACT_SOURCE))))
    return tuple(said)
