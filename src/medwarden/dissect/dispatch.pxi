# Each payload to the dissector that understands it; medwarden.dissect.observer describes it.

cdef enum:
    ATTEMPTS = 6  # segments of an undecided TCP flow looked at
    TELLING_BYTES = 64  # no dissector wants more of one side than this to say yes
    PORT_TRUST_BYTES = 8
    DATAGRAM_STRIKES = 3
    QUIET_SEGMENTS = 64  # of a known flow without a fact: what follows is more of the same
    HELD_BYTES = 33554432  # of all undecided TCP flows together

cdef object MISSING = object()
cdef object CONNECTION_FEED = Connection.feed
cdef object CONNECTION_DONE = Connection.done


@cython.final
cdef class Member:
    """A dissector's class, with what is asked of it again and again."""

    cdef readonly object kind
    cdef readonly object stateless  # the one made for datagrams and frames
    cdef object recognises
    cdef str name
    cdef bint from_payloads
    cdef bint refines
    cdef bint heard_out
    cdef bint reads_natively  # its ``feed`` is the Connection's own
    cdef bint done_natively

    def __init__(self, kind):
        self.kind = kind
        self.recognises = kind.recognises
        self.name = kind.manifest.name
        self.from_payloads = bool(getattr(kind, "from_payloads", False))
        self.refines = bool(getattr(kind, "refines", False))
        # medical peers are heard to the end: a system may say who it is late
        self.heard_out = kind.manifest.medical
        connection = issubclass(kind, Connection)
        self.reads_natively = connection and kind.feed is CONNECTION_FEED
        self.done_natively = connection and kind.done is CONNECTION_DONE

    def set_stateless(self, dissector):
        """Keep the dissector that reads all datagrams and frames."""
        self.stateless = dissector


@cython.final
@cython.freelist(256)
cdef class Flow:
    """What is known of one flow: its dissector, or the segments held until one is found."""

    cdef object dissector
    cdef Connection connection  # the same, where it may be read without asking how
    cdef Member member
    cdef str name
    cdef list held
    cdef int strikes
    cdef int attempts
    cdef int patience
    cdef bint undecided
    cdef bint tells
    cdef bint ends

    def __cinit__(self):
        self.undecided = True
        self.patience = -1

    cdef int leave(self) except -1:
        self.dissector = None
        self.connection = None
        return 0


@cython.final
cdef class Table:
    """The dissectors of one transport, by port and by first byte."""

    cdef readonly dict by_port
    cdef dict by_first_byte
    cdef list sniffers

    def __init__(self, members):
        self.by_port = {}
        self.by_first_byte = {}
        self.sniffers = []
        for member in members:
            manifest = member.kind.manifest
            for port in manifest.ports:
                self.by_port.setdefault(port, []).append(member)
            for start in manifest.starts:
                self.by_first_byte.setdefault(start[0], []).append((start, member))
            if manifest.sniff:
                self.sniffers.append(member)

    cdef list of_port(self, object port):
        cdef PyObject *found = PyDict_GetItem(self.by_port, port)
        return <list>found if found != NULL else NOBODY

    cdef int by_content(self, list chosen, bytes payload, object from_client) except -1:
        """Add the dissectors that recognise ``payload``: those whose start opens it, then sniffers."""
        cdef Member member
        cdef bytes start
        cdef Py_ssize_t length = PyBytes_GET_SIZE(payload)
        cdef PyObject *found
        if length:
            found = PyDict_GetItem(self.by_first_byte, <uint8_t>PyBytes_AS_STRING(payload)[0])
            if found != NULL:
                for pair in <list>found:
                    start = <bytes>(<tuple>pair)[0]
                    member = <Member>(<tuple>pair)[1]
                    if (
                        PyBytes_GET_SIZE(start) <= length
                        and memcmp(PyBytes_AS_STRING(start), PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(start)) == 0
                        and member.recognises(payload, from_client)
                    ):
                        chosen.append(member)
        for one in self.sniffers:
            member = <Member>one
            if member.recognises(payload, from_client):
                chosen.append(member)
        return 0


cdef list NOBODY = []


cdef class Dispatch:
    """What :class:`~medwarden.dissect.observer.Observer` does with every segment."""

    cdef public object malformed
    cdef public object pass_over
    cdef readonly object evicted
    cdef object log
    cdef object tokeniser
    cdef Py_ssize_t max_flows
    cdef Table streams
    cdef Table datagrams
    cdef dict ethernet
    cdef dict flows
    cdef dict names
    cdef int64_t held_bytes
    # what one segment came to, for who writes it down
    cdef bint alone
    cdef bint muted
    cdef int over
    cdef list faults

    def __init__(self, malformed, tokeniser, members, Py_ssize_t max_flows, pass_over, log):
        self.malformed = malformed
        self.tokeniser = tokeniser
        self.max_flows = max_flows
        self.pass_over = pass_over
        self.log = log
        self.evicted = 0
        self.flows = {}
        self.names = {}
        self.alone = True
        known = [Member(kind) for kind in members]
        self.streams = Table(m for m in known if TCP in m.kind.manifest.transports)
        self.datagrams = Table(m for m in known if UDP in m.kind.manifest.transports)
        self.ethernet = {}
        for member in known:
            if UDP in member.kind.manifest.transports or ETHERNET in member.kind.manifest.transports:
                member.set_stateless(self.made(member))
            for ethertype in member.kind.manifest.ethertypes:
                self.ethernet.setdefault(ethertype, []).append(channel_of(member))

    cdef object made(self, Member member):
        dissector = member.kind()
        if getattr(dissector, "tokeniser", MISSING) is not MISSING:
            dissector.tokeniser = self.tokeniser
        return dissector

    def ports(self, bint stream):
        """Return the TCP or UDP ports that dissectors name."""
        return (self.streams if stream else self.datagrams).by_port

    def observe(self, segment):
        """Return the facts that became known with ``segment``; never raises for what it holds."""
        check_segment(segment)
        return self.look(segment)

    def applications(self):
        """Return flow id -> name of the dissector that understood it, for flows not yet forgotten."""
        return self.names

    def forget(self, flow_ids):
        """Drop all state of flows that ended."""
        for flow_id in flow_ids:
            flow = self.flows.pop(flow_id, None)
            if flow is not None:
                self.release(<Flow>flow)
            self.names.pop(flow_id, None)

    def forget_all(self):
        """Drop the state of all flows."""
        self.flows.clear()
        self.names.clear()
        self.held_bytes = 0

    cdef list look(self, object segment):
        cdef PyObject *found = PyDict_GetItem(self.flows, of(segment, FLOW_ID))
        cdef Flow flow
        if found == NULL:
            return self.begin(segment)
        flow = <Flow>found
        if flow.dissector is not None:
            return self.feed(flow, segment)
        if flow.undecided:
            return self.decide(flow, segment)
        self.let_go(of(segment, FLOW_ID), False)
        return []

    cdef list begin(self, object segment):
        cdef object transport = of(segment, TRANSPORT)
        cdef list facts
        cdef Flow flow
        if transport is ETHERNET:
            facts = []
            for channel in self.ethernet.get(of(segment, ETHERTYPE), NOBODY):
                facts += self.feed(<Flow>channel, segment)
            return facts
        if transport is TCP and of(segment, STREAM_OFFSET):
            # The flow was forgotten or evicted: a dissector made now would start in mid-sentence.
            self.let_go(of(segment, FLOW_ID), False)
            return []
        if len(self.flows) >= self.max_flows:
            self.forget((next(iter(self.flows)),))
            self.evicted += 1
        flow = Flow.__new__(Flow)
        self.flows[of(segment, FLOW_ID)] = flow
        return self.decide(flow, segment)

    cdef list decide(self, Flow flow, object segment):
        """Choose the dissector of a flow; hold segments while their first bytes are too few to tell."""
        cdef bint stream = of(segment, TRANSPORT) is TCP
        cdef object side = of(segment, FROM_CLIENT)
        cdef bytes payload = of(segment, PAYLOAD)
        cdef bint one_sided = True
        cdef list facts
        flow.attempts += 1
        if stream and flow.held is not None:
            flow.held.append(segment)
            self.held_bytes += PyBytes_GET_SIZE(payload)
            payload = b"".join([of(held, PAYLOAD) for held in flow.held if of(held, FROM_CLIENT) is side])
        else:
            flow.held = [segment]
            if stream:
                self.held_bytes += PyBytes_GET_SIZE(payload)
        for member in self.candidates(
            self.streams if stream else self.datagrams, segment, payload, not stream or flow.attempts == ATTEMPTS
        ):
            facts = self.assign(flow, <Member>member)
            if facts is not None:
                return facts
        for held in flow.held:
            one_sided = one_sided and of(held, FROM_CLIENT) is side
        if stream and flow.attempts < ATTEMPTS and (one_sided or PyBytes_GET_SIZE(payload) < TELLING_BYTES):
            if self.held_bytes <= HELD_BYTES:
                return []
        elif not stream and flow.attempts < DATAGRAM_STRIKES:
            flow.held = None
            return []
        self.release(flow)
        flow.undecided = False
        self.let_go(of(segment, FLOW_ID), stream)
        return []

    cdef list candidates(self, Table table, object segment, bytes payload, bint last):
        """Return the dissectors to try: of the port and recognised, recognised, of the port.

        The port alone is trusted only where the payload is long enough that a peer's hesitant first
        bytes are not mistaken for another protocol, or when this is the ``last`` attempt. The sender's
        port counts where the receiver's says nothing: the start of the flow may not have been seen.
        """
        cdef object side = of(segment, FROM_CLIENT)
        cdef bint forward = says(side)
        cdef list of_port = table.of_port(of(segment, DST_PORT) if forward else of(segment, SRC_PORT))
        cdef list trusted = of_port or table.of_port(of(segment, SRC_PORT) if forward else of(segment, DST_PORT))
        cdef list chosen = []
        cdef Member member
        try:
            for one in of_port:
                member = <Member>one
                if member.recognises(payload, side):
                    chosen.append(member)
            if chosen and len(of_port) == 1:
                return chosen
            if not chosen:
                table.by_content(chosen, payload, side)
            if not chosen and not of_port:
                for one in trusted:
                    member = <Member>one
                    if member.recognises(payload, side):
                        chosen.append(member)
        except Exception as error:  # counted and logged; recognises() must not stop the sensor
            self.defect("recognises", error)
        if (of_port or of(segment, TRANSPORT) is UDP) and (PyBytes_GET_SIZE(payload) >= PORT_TRUST_BYTES or last):
            for one in trusted:
                member = <Member>one
                if not member.refines and member not in chosen:
                    chosen.append(member)
        return chosen

    cdef list assign(self, Flow flow, Member member):
        """Give ``flow`` to ``member`` and feed what was held; None when it breaks without a fact."""
        cdef list held = flow.held
        cdef list facts
        cdef object flow_id = of(held[0], FLOW_ID)
        cdef bint stateless = of(held[0], TRANSPORT) is UDP
        self.alone = self.alone and len(held) == 1 and member.from_payloads
        self.entrust(flow, member, member.stateless if stateless else self.made(member), stateless)
        if len(held) == 1:
            facts = self.feed(flow, held[0])
        else:
            facts = []
            for segment in held:
                if flow.dissector is not None:
                    facts += self.feed(flow, segment)
        if flow.strikes and not facts:
            self.names.pop(flow_id, None)
            flow.leave()
            flow.undecided = True
            flow.strikes = 0
            return None
        self.release(flow)
        if flow_id not in self.names:
            self.names[flow_id] = flow.name
        return facts

    cdef int entrust(self, Flow flow, Member member, object dissector, bint stateless) except -1:
        flow.dissector = dissector
        flow.connection = <Connection>dissector if member.reads_natively else None
        flow.member = member
        flow.name = member.name
        flow.tells = getattr(dissector, "application", MISSING) is not MISSING
        flow.ends = not stateless and (member.done_natively or getattr(dissector, "done", MISSING) is not MISSING)
        flow.patience = -1 if member.heard_out or stateless else QUIET_SEGMENTS
        flow.undecided = False
        return 0

    cdef list feed(self, Flow flow, object segment):
        """Feed one segment; return the facts, also those stated before it broke."""
        cdef list facts = []
        cdef Connection connection = flow.connection
        cdef bint done
        try:
            if connection is not None:
                facts = connection.read(segment)
                if connection.fault is not None:
                    connection.fault = None
                    self.count(flow.name)
                    self.break_off(flow, segment)
                    return facts
            else:
                stated = flow.dissector.feed(segment)
                if type(stated) is list:  # most are: nothing of it is left to be read
                    facts = <list>stated
                else:
                    facts.extend(stated)
        except MalformedInput:
            self.count(flow.name)
            self.break_off(flow, segment)
            return facts
        except Exception as error:  # a defect of ours: counted and logged, the sensor lives
            self.defect(flow.name, error)
            self.break_off(flow, segment)
            return facts
        if flow.tells:
            self.names[of(segment, FLOW_ID)] = getattr(flow.dissector, "application", flow.name)
        done = False
        if flow.ends:
            if flow.member.done_natively:
                connection = <Connection>flow.dissector
                if connection._inner is None:
                    done = connection.client.deaf and connection.server.deaf
                else:
                    done = connection._inner.done
            else:
                done = getattr(flow.dissector, "done", False)
        if done:
            flow.leave()
            self.let_go(of(segment, FLOW_ID), False)
        elif flow.patience >= 0:
            if facts:
                flow.patience = QUIET_SEGMENTS
            else:
                flow.patience -= 1
                if flow.patience < 0:
                    flow.leave()
                    self.let_go(of(segment, FLOW_ID), False)
        return facts

    cdef int break_off(self, Flow flow, object segment) except -1:
        cdef object transport = of(segment, TRANSPORT)
        flow.strikes += 1
        # A bad datagram says little about the next one; a broken stream stays broken.
        if transport is TCP or (transport is UDP and flow.strikes >= DATAGRAM_STRIKES):
            flow.leave()
            if flow.held is None:  # what is held may yet be another dissector's
                self.let_go(of(segment, FLOW_ID), False)
        return 0

    cdef int release(self, Flow flow) except -1:
        if flow.held is not None:
            for segment in flow.held:
                if of(segment, TRANSPORT) is TCP:
                    self.held_bytes -= len(of(segment, PAYLOAD))
            flow.held = None
        return 0

    cdef int count(self, str name) except -1:
        if not self.muted:
            if self.faults is not None:
                self.faults.append(name)
            self.malformed[name] += 1
        return 0

    cdef int let_go(self, object flow_id, bint unclaimed) except -1:
        if not self.muted:
            self.over = 2 if unclaimed else 1
            self.pass_over(flow_id, unclaimed)
        return 0

    cdef int defect(self, str name, object error) except -1:
        key = f"{name}!defect"
        self.count(key)
        if self.malformed[key] == 1 and not self.muted:
            self.log.error("Dissector %s has a defect; the flow is dropped", name, exc_info=error)
        return 0


cdef Flow channel_of(Member member):
    """Return the flow that all frames of an ethertype are, for one dissector."""
    cdef Flow channel = Flow.__new__(Flow)
    channel.dissector = member.stateless
    channel.connection = <Connection>member.stateless if member.reads_natively else None
    channel.member = member
    channel.name = member.name
    channel.undecided = False
    return channel
