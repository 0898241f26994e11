# What multicast DNS announces; medwarden.dissect.mdns describes it.

cdef enum:
    MOST_SAID = 96
    MOST_ASKED = 32  # a Mac asks for 17 services at once
    LONGEST_MDNS_REMEMBERED = 1500

cdef str MDNS = "mdns"
cdef str SENDER = ""
cdef dict STRANGERS = {None: None, "4": "?", "6": "?:", "fe80": "fe80:?"}
cdef tuple META_QUERY = (b"_services", b"_dns-sd", b"_udp", b"local")
cdef tuple METADATA_TYPES = ("mdns.txt.md", "_raop._tcp")  # AirTunes lists kinds of metadata under a model's name


@lru_cache(maxsize=4096)
def split_service(name):
    """Return the service type (``_ipp._tcp``) in ``name`` and the labels before it, or "" and ``name``.

    RFC 6763 section 7: ``<instance>._service._proto.<domain>``, ``<subtype>._sub._service._proto``.
    """
    cdef Py_ssize_t index
    for index in range(1, len(name)):
        if (folds_to(name[index], b"_tcp", 4) or folds_to(name[index], b"_udp", 4)) and name[index - 1][:1] == b"_":
            return text_of(name[index - 1 : index + 1]), name[: index - 1]
    return "", name


cdef object split = split_service


@lru_cache(maxsize=4096)
def _host_text(name):
    if name and folds_to(name[-1], b"local", 5):
        name = name[:-1]
    return printable(b".".join(name))


cdef object host_text = _host_text


@lru_cache(maxsize=4096)
def _octets_of(address):
    return ip_address(address).packed


cdef object octets_of = _octets_of


cdef tuple folded(tuple name):
    return tuple([label.lower() for label in name])


cdef object kind_of_sender(object sender):
    """Return what makes a difference of a sender's address that a message does not name."""
    if sender is None:
        return None
    if ":" not in sender:
        return sender and "4"
    return "fe80" if sender.startswith("fe80:") else "6"


@cython.final
cdef class Announcement:
    """The records one responder stands for, and whose they are."""

    cdef set named
    cdef object sender
    cdef DnsMessage message
    cdef list records
    cdef dict keys
    cdef dict said
    cdef dict homes
    cdef dict targets
    cdef object default

    def __init__(self, sender, DnsMessage message, list records, dict keys):
        self.named = set()
        self.sender = sender
        self.message = message
        self.records = [record for record in records if (<Record>record).ttl]  # ttl 0: a goodbye (RFC 6762 10.1)
        self.keys = keys
        self.said = {}
        self.homes = {}
        self.targets = {}
        self.default = self.speaker()

    cdef object speaker(self):
        """Return whose records are that name no host, None where it cannot be told.

        A sender is its own speaker unless the message gives addresses of the sender's kind (IPv4 or
        IPv6 link-local; of other IPv6 addresses a host has too many) and the sender's is not among them.
        """
        cdef Record record
        cdef object sender = self.sender
        cdef bint six = sender is not None and ":" in sender
        cdef uint32_t wanted = TYPE_AAAA if six else TYPE_A
        cdef bint own = six and not sender.startswith("fe80:")
        for one in self.records:
            record = <Record>one
            if record.rtype == wanted:
                address = ip_at(self.message.data_of + record.start, record.end - record.start)
                if address is None or (six and not address.startswith("fe80:")):
                    continue
                self.named.add(address)
                own = own or address == sender
                self.homes.setdefault(folded(record.name), address)
            elif record.rtype == TYPE_SRV and record.end - record.start > 6:
                target = self.message.target_of(record, 6)
                self.targets.setdefault(folded(record.name), folded(target))
        if own or not self.homes or sender is None:
            self.homes.clear()
            return SENDER
        homes = set(self.homes.values())
        return homes.pop() if len(homes) == 1 else None

    cdef int add(self, tuple owner, str field, object value) except -1:
        """Keep a statement about the host that ``owner`` (a host or an instance) lives on."""
        cdef object whose = self.default
        if not value or len(self.said) >= MOST_SAID:
            return 0
        if self.homes:
            key = folded(owner)
            address = self.homes.get(self.targets.get(key, key))
            if address is not None:
                whose = address
        if whose is not None:
            self.said[(whose, field, value)] = None
        return 0

    cdef list statements(self):
        """Return what the records say, each once, in their order."""
        cdef Record record
        for one in self.records:
            record = <Record>one
            if record.rtype == TYPE_PTR:
                self.pointer(record)
            elif record.rtype == TYPE_SRV and record.end - record.start > 6:
                target = self.message.target_of(record, 6)
                self.service(record.name)
                self.add(target, "mdns.host_name", host_text(target))
            elif record.rtype == TYPE_A or record.rtype == TYPE_AAAA:
                self.add(record.name, "mdns.host_name", host_text(record.name))
            elif record.rtype == TYPE_TXT:
                self.service(record.name)
                self.texts(record)
            elif record.rtype == TYPE_HINFO:
                machine = strings_at(self.message.data_of + record.start, record.end - record.start, 2)
                for field, text in zip(("mdns.cpu", "mdns.os"), machine):
                    self.add(record.name, field, printable(text))
        return list(self.said)

    cdef int service(self, tuple name) except -1:
        service, instance = split(name)
        if service:
            self.add(name, "mdns.service", service)
            self.add(name, "mdns.instance", printable(b".".join(instance)))
        return 0

    cdef int pointer(self, Record record) except -1:
        cdef tuple target = self.message.target_of(record, 0)
        if folded(record.name) == META_QUERY:
            self.add(target, "mdns.service", split(target)[0])
            return 0
        address = reverse_address(record.name)
        if address is not None:
            stated = ip_text(address)
            if stated is not None:
                self.named.add(stated)
            if stated == self.sender:
                self.add(target, "mdns.host_name", host_text(target))
            return 0
        before = split(record.name)[1]
        self.service(target)
        if len(before) == 2 and folds_to(before[1], b"_sub", 4):
            self.add(target, "mdns.subtype", printable(before[0]))
        return 0

    cdef int texts(self, Record record) except -1:
        for pair in strings_at(self.message.data_of + record.start, record.end - record.start, 128):
            key, equals, value = pair.partition(b"=")
            field = self.keys.get(key.lower()) if equals else None
            if field is not None and (field, split(record.name)[0]) != METADATA_TYPES:
                self.add(record.name, field, printable(value))
        return 0


cdef list asked_for(list questions):
    """Return the service types and host names of a query, each once, as statements."""
    cdef dict asked = {}
    for question in questions[:MOST_ASKED]:
        name = (<Question>question).name
        if reverse_address(name) is not None or name == META_QUERY:
            continue
        service, _ = split(name)
        text = service or host_text(name)
        if text:
            asked[(SENDER, "mdns.query", text)] = None
    return list(asked)


@cython.final
cdef class Announcements:
    """Reads messages of multicast DNS; ``keys`` are the TXT keys that tell something, with their fields."""

    cdef dict keys
    cdef object remembered

    def __init__(self, dict keys not None):
        self.keys = keys
        # Responders repeat the same octets for hours: nine of ten messages have been read before. What is said by
        # an address that the message does not name, any other such would say.
        self.remembered = lru_cache(maxsize=4096)(self.read)

    def read(self, bytes payload not None, sender):
        """Return what the message ``payload`` of ``sender`` says, and the addresses that it names.

        Each statement says whose fact it is (an address, or "" for the sender's), field and value. Raises
        MalformedInput when the message breaks RFC 1035.
        """
        cdef DnsMessage message = DnsMessage(payload, MDNS)
        cdef Header header = message.header
        cdef Announcement announcement
        cdef list records
        if header.flags >> 11 & 15 != OPCODE_QUERY:
            return (), frozenset()  # to be ignored (RFC 6762 18.3)
        questions = message.questions()
        if not header.flags & 0x8000:
            said = asked_for(questions)
            if not header.authorities:
                return tuple(said), frozenset()
            message.take_records(header.answers)
            announcement = Announcement(sender, message, message.take_records(header.authorities), self.keys)
            said = dict.fromkeys(said) | dict.fromkeys(announcement.statements())
            return tuple(said), frozenset(announcement.named)
        records = message.take_records(header.answers)
        message.take_records(header.authorities)
        records += message.take_records(header.additionals)
        announcement = Announcement(sender, message, records, self.keys)
        return tuple(announcement.statements()), frozenset(announcement.named)

    def facts(self, segment):
        """Return the facts of one message; raises MalformedInput when it breaks RFC 1035."""
        cdef object sender, payload, now, vlan, mac
        check_segment(segment)
        payload, sender = of(segment, PAYLOAD), of(segment, SRC_IP)
        now, vlan, mac = of(segment, TS), of(segment, VLAN), of(segment, SRC_MAC)
        if PyBytes_GET_SIZE(payload) <= LONGEST_MDNS_REMEMBERED:
            own = sender is not None and octets_of(sender) in payload
            reader = sender if own else STRANGERS[kind_of_sender(sender)]
            statements, named = self.remembered(payload, reader)
            if not own and sender in named:
                statements, _ = self.remembered(payload, sender)
        else:
            statements, _ = self.read(payload, sender)
        return [
            Evidence(now, mac, sender, vlan, field, value, MDNS)
            if not whose
            else Evidence(now, None, whose, vlan, field, value, MDNS)
            for whose, field, value in statements
        ]
