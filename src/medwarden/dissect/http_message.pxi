# HTTP/1.x: framing of messages; medwarden.dissect.http_message describes it.

cdef enum:
    LONGEST_HEAD = 32768
    LONGEST_CHUNK_LINE = 512
    MOST_PENDING = 64
    LONGEST_INFLATED = 262144
    LONGEST_TITLED = 8192
    LONGEST_DESCRIPTION = 65536
    LONGEST_FORM = 4096

cdef enum Stage:
    STAGE_HEAD
    STAGE_IDENTITY
    STAGE_TO_CLOSE
    STAGE_CHUNK_SIZE
    STAGE_CHUNK
    STAGE_CHUNK_END
    STAGE_TRAILER

HEAD_LIMIT = LONGEST_HEAD
cdef long long FOR_EVER = 1LL << 62
cdef str HTTP = "http"
cdef str IPP_TYPE = "application/ipp"
cdef tuple FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data", "application/json")
cdef frozenset TITLED_PAGES = frozenset(
    {"", "index", "login", "home", "main", "default", "start", "status", "logon", "signin"}
)
cdef bytes TOKEN_CHARACTERS = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
cdef uint8_t is_token[256]
cdef int _octet
for _octet in range(256):
    is_token[_octet] = _octet in TOKEN_CHARACTERS
HEX_DIGITS = b"0123456789abcdefABCDEF"


@lru_cache(maxsize=1024)
def _media_type(stated):
    return stated.partition(";")[0].strip().lower()


cdef object media_type_of = _media_type


@cython.final
cdef class HttpHead:
    """Start line and header fields of one message.

    Names in ``headers`` are lower case; repeated fields are joined by ``", "`` (RFC 9110 section 5.3).
    For a response, ``method`` and ``target`` are those of the request it answers ("" if that was not seen).
    """

    cdef readonly bint from_client
    cdef readonly object version
    cdef readonly dict headers
    cdef readonly object method
    cdef readonly object target
    cdef readonly int status
    cdef readonly object reason
    cdef object media

    def __init__(
        self, bint from_client, str version not None, dict headers not None, str method not None,
        str target not None, int status=0, str reason not None="",
    ):
        self.from_client = from_client
        self.version = version
        self.headers = headers
        self.method = method
        self.target = target
        self.status = status
        self.reason = reason

    @property
    def media_type(self):
        """Return the Content-Type without its parameters, in lower case."""
        if self.media is None:
            self.media = media_type_of(self.headers.get("content-type", ""))
        return self.media

    @property
    def path(self):
        """Return the target without scheme, authority and query."""
        target = self.target
        if "?" in target:
            target = target.partition("?")[0]
        if "://" in target:
            target = "/" + target.partition("://")[2].partition("/")[2]
        return target

    def __eq__(self, other):
        if type(other) is not HttpHead:
            return NotImplemented
        return self.parts() == (<HttpHead>other).parts()

    __hash__ = None

    def __repr__(self):
        return f"HttpHead{self.parts()}"

    cdef tuple parts(self):
        return self.from_client, self.version, self.headers, self.method, self.target, self.status, self.reason


@cython.final
cdef class HttpBody:
    """The body of one message as far as it was kept; ``complete`` tells whether that is all of it."""

    cdef readonly HttpHead head
    cdef readonly bytes data
    cdef readonly bint complete

    def __init__(self, HttpHead head not None, bytes data not None, bint complete):
        self.head = head
        self.data = data
        self.complete = complete

    def content(self):
        """Return the body without gzip or deflate content coding, at most 256 KiB of it.

        What cannot be inflated is returned as far as it could (RFC 9110 section 8.4).
        """
        coding = self.head.headers.get("content-encoding", "").strip().lower()
        if coding not in ("gzip", "x-gzip", "deflate"):
            return self.data
        for window in (47, -15):  # gzip or zlib by its header, else raw deflate as some servers send it
            try:
                return zlib.decompressobj(window).decompress(self.data, LONGEST_INFLATED)
            except zlib.error:
                continue
        return b""

    def __eq__(self, other):
        if type(other) is not HttpBody:
            return NotImplemented
        return self.head == other.head and self.data == other.data and self.complete == (<HttpBody>other).complete

    __hash__ = None

    def __repr__(self):
        return f"HttpBody({self.head!r}, {self.data!r}, {self.complete})"


def http_pair(keep):
    """Return the streams of client and server of one connection, the latter told of each request."""
    asked = deque()
    return HttpStream(True, asked, keep), HttpStream(False, asked, keep)


cdef inline bint blank(uint8_t octet) noexcept:
    """Tell whether ``str.strip`` would take an ASCII character off (without what only Unicode has)."""
    return octet == 32 or 9 <= octet <= 13 or 28 <= octet <= 31


@cython.final
cdef class HttpStream:
    """Messages of one direction of a connection, read as their bytes come in.

    ``inbox`` holds what is not read yet. ``tunnel`` turns true after a successful CONNECT or Upgrade: what
    follows is no HTTP and is ignored.
    """

    cdef readonly bint from_client
    cdef readonly bint tunnel
    cdef readonly Inbox inbox
    cdef object asked
    cdef object keep
    cdef list events
    cdef object fault
    cdef Stage stage
    cdef Py_ssize_t scanned
    cdef HttpHead head
    cdef bytearray body
    cdef long long wanted
    cdef long long remaining

    def __init__(self, bint from_client, asked, keep):
        self.from_client = from_client
        self.asked = asked
        self.keep = keep
        self.inbox = Inbox(HTTP)
        self.events = []
        self.stage = STAGE_HEAD

    def feed(self, data):
        """Return the events that ``data`` completes; reading on after those before a fault raises it.

        The fault is a MalformedInput.
        """
        if self.tunnel:
            return ()
        self.inbox.add(data)
        return self.read()

    def read(self):
        """Return the events of what was added to :attr:`inbox`, as :meth:`feed` does."""
        cdef list events = self.take_events()
        if self.fault is None:
            return events
        fault, self.fault = self.fault, None
        return _broken(events, fault)

    cdef list take_events(self):
        """Return the events of what waits; ``fault`` is set where the bytes broke HTTP after them."""
        cdef list events
        try:
            while PyByteArray_GET_SIZE(self.inbox.data) and self.go_on():
                pass
        except MalformedInput as error:
            self.fault = error
        events = self.events
        if events:
            self.events = []
        return events

    def partial(self):
        """Return head and bytes so far of a body that is kept and still under way."""
        if self.head is None or not self.wanted:
            return None
        return self.head, bytearray() if self.body is None else self.body

    cdef bint go_on(self) except -1:
        if self.stage == STAGE_HEAD:
            return self.read_head()
        if self.stage == STAGE_IDENTITY:
            return self.read_identity()
        if self.stage == STAGE_TO_CLOSE:
            return self.read_to_close()
        if self.stage == STAGE_CHUNK_SIZE:
            return self.read_chunk_size()
        if self.stage == STAGE_CHUNK:
            return self.read_chunk()
        if self.stage == STAGE_CHUNK_END:
            return self.read_chunk_end()
        return self.read_trailer()

    cdef bint read_head(self) except -1:
        cdef const uint8_t *octets = <const uint8_t *>PyByteArray_AS_STRING(self.inbox.data)
        cdef Py_ssize_t held = PyByteArray_GET_SIZE(self.inbox.data)
        cdef Py_ssize_t empty = 0
        cdef Py_ssize_t end, at
        cdef HttpHead head
        cdef bint ascii_only = True
        cdef bytes raw
        while empty < held and (octets[empty] == 13 or octets[empty] == 10):
            empty += 1  # RFC 9112 section 2.2: empty lines before a start line are ignored
        if empty:
            self.inbox.drop(empty)
            self.scanned = 0
            return empty < held
        end = self.end_of_head(octets, held)
        if end == 0:
            return False
        raw = PyBytes_FromStringAndSize(<const char *>octets, end)
        self.inbox.drop(end)
        octets = <const uint8_t *>PyBytes_AS_STRING(raw)
        for at in range(end):
            if octets[at] >= 128:
                ascii_only = False
                break
        if ascii_only:
            lines = None
            at = line_end(octets, 0, end)
            start = ascii_text(<const char *>octets, at)
        else:
            try:
                lines = raw.decode().split("\n")
            except UnicodeDecodeError:
                lines = raw.decode("latin-1").split("\n")
            at = 0
            start = lines[0]
        head = self.request(start) if self.from_client else self.response(start)
        head.headers = self.fields(lines) if lines is not None else self.ascii_fields(octets, at, end)
        if self.from_client and len(self.asked) < MOST_PENDING:
            self.asked.append(head)
        self.events.append(head)
        self.begin_body(head)
        return True

    cdef Py_ssize_t end_of_head(self, const uint8_t *octets, Py_ssize_t held) except -1:
        """Return how long the head is, its empty line included, or 0 while that has not come."""
        cdef Py_ssize_t within = min(held, <Py_ssize_t>LONGEST_HEAD)
        cdef Py_ssize_t at = max(self.scanned - 3, <Py_ssize_t>0)
        cdef const uint8_t *found
        while at + 1 < within:
            found = <const uint8_t *>memchr(octets + at, 10, <size_t>(within - at - 1))
            if found == NULL:
                break
            at = found - octets
            if octets[at + 1] == 10:
                self.scanned = 0
                return at + 2
            if octets[at + 1] == 13 and at + 2 < within and octets[at + 2] == 10:
                self.scanned = 0
                return at + 3
            at += 1
        if held >= LONGEST_HEAD:
            raise self.inbox.malformed(f"the head does not end within {LONGEST_HEAD} bytes")
        self.check_start(octets, held)
        self.scanned = held
        return 0

    cdef int check_start(self, const uint8_t *octets, Py_ssize_t held) except -1:
        """Refuse at once what cannot become a start line, instead of waiting for its end."""
        cdef Py_ssize_t at
        if self.from_client:
            for at in range(min(held, <Py_ssize_t>24)):
                if octets[at] == 32:
                    break
                if not is_token[octets[at]]:
                    raise self.inbox.malformed("no HTTP request line")
        elif memcmp(octets, b"HTTP/1.", <size_t>min(held, <Py_ssize_t>7)) != 0:
            raise self.inbox.malformed("no HTTP/1.x status line")
        return 0

    cdef HttpHead request(self, object start):
        method, _, rest = start.rstrip("\r").partition(" ")
        target, _, version = rest.rpartition(" ")
        if not method or not token(method) or not target or not version.startswith("HTTP/"):
            raise self.inbox.malformed("no HTTP request line")
        if method == "PRI":
            self.become_tunnel()  # RFC 9113 section 3.4: the connection preface of HTTP/2
        return HttpHead(True, version, {}, method, target.strip())

    cdef HttpHead response(self, object start):
        version, _, rest = start.rstrip("\r").partition(" ")
        code, _, reason = rest.strip().partition(" ")
        if not version.startswith("HTTP/1.") or len(code) != 3 or not code.isascii() or not code.isdigit():
            raise self.inbox.malformed("no HTTP/1.x status line")
        status = int(code)
        asked = self.asked[0] if self.asked else None
        if asked is None:
            return HttpHead(False, version, {}, "", "", status, reason.strip())
        if status >= 200 or status == 101:
            self.asked.popleft()
        return HttpHead(False, version, {}, asked.method, asked.target, status, reason.strip())

    cdef dict fields(self, list lines):
        cdef dict fields = {}
        name = ""
        for line in lines[1:]:
            if line.isspace() or not line:
                name = ""
                continue
            if line[0] in " \t" and name:
                fields[name] += " " + line.strip()  # RFC 9112 section 5.2: obsolete folding
                continue
            name, colon, value = line.partition(":")
            name = name.strip().lower()
            if not colon:
                if name:
                    raise self.inbox.malformed("a header field has no colon")
                continue
            fields[name] = f"{fields[name]}, {value.strip()}" if name in fields else value.strip()
        return fields

    cdef dict ascii_fields(self, const uint8_t *octets, Py_ssize_t at, Py_ssize_t size):
        """Read header fields that are ASCII throughout as :meth:`fields` does; ``at`` ends the start line."""
        cdef dict fields = {}
        cdef object name = None
        cdef object value
        cdef Py_ssize_t begin, end, colon
        cdef PyObject *known
        while at < size:
            begin = at + 1
            at = end = line_end(octets, begin, size)
            while end > begin and blank(octets[end - 1]):
                end -= 1
            if end == begin:
                name = None
                continue
            if (octets[begin] == 32 or octets[begin] == 9) and name is not None:
                while blank(octets[begin]):
                    begin += 1
                fields[name] += " " + ascii_text(<const char *>octets + begin, end - begin)
                continue
            colon = begin
            while colon < at and octets[colon] != 58:
                colon += 1
            name = lower_text(octets, begin, min(colon, end))
            if colon == at:
                if name is not None:
                    raise self.inbox.malformed("a header field has no colon")
                continue
            begin = colon + 1
            while begin < end and blank(octets[begin]):
                begin += 1
            value = ascii_text(<const char *>octets + begin, max(end - begin, <Py_ssize_t>0))
            known = PyDict_GetItem(fields, "" if name is None else name)
            fields["" if name is None else name] = value if known == NULL else f"{<object>known}, {value}"
        return fields

    cdef int begin_body(self, HttpHead head) except -1:
        """Choose the framing of the body by the rules of RFC 9112 section 6.3, in their order."""
        cdef int status = head.status
        self.head, self.body, self.wanted = head, None, 0
        if not self.from_client:
            if status == 101 or (200 <= status < 300 and head.method == "CONNECT"):
                return self.become_tunnel()
            if 100 <= status < 200 or status == 204 or status == 304 or head.method == "HEAD":
                return 0
        self.wanted = kept_of(head) if self.keep is None else self.keep(head)
        coding = head.headers.get("transfer-encoding", "").lower()
        if coding:
            if coding.endswith("chunked"):
                self.stage = STAGE_CHUNK_SIZE
            elif self.from_client:
                raise self.inbox.malformed("a request with a transfer coding other than chunked")
            else:
                self.stage = STAGE_TO_CLOSE
            return 0
        stated = head.headers.get("content-length")
        if stated is not None:
            lengths = {part.strip() for part in stated.split(",")} - {""}
            if lengths:
                length = lengths.pop()
                if lengths or not length.isascii() or not length.isdigit() or len(length) > 18:
                    raise self.inbox.malformed("the content length is no number")
                self.remaining = int(length)
                self.stage = STAGE_IDENTITY
                if not self.remaining:
                    self.end_body()
                return 0
        if self.from_client:
            return self.end_body()
        self.stage = STAGE_TO_CLOSE
        return 0

    cdef int become_tunnel(self) except -1:
        self.tunnel = True
        self.inbox.close()
        return 0

    cdef long long collect(self, long long most) except -1:
        """Take up to ``most`` body bytes from the inbox and return how many there were."""
        cdef long long count = min(most, <long long>PyByteArray_GET_SIZE(self.inbox.data))
        cdef long long had = 0 if self.body is None else PyByteArray_GET_SIZE(self.body)
        cdef long long missing = self.wanted - had
        cdef Py_ssize_t more
        if missing > 0:
            more = <Py_ssize_t>min(count, missing)
            if self.body is None:
                self.body = bytearray()
            PyByteArray_Resize(self.body, <Py_ssize_t>had + more)
            memcpy(PyByteArray_AS_STRING(self.body) + had, PyByteArray_AS_STRING(self.inbox.data), more)
        self.inbox.drop(<Py_ssize_t>count)
        if 0 < missing <= count:
            self.finish_body(False)
        return count

    cdef int finish_body(self, bint complete) except -1:
        cdef bytes data
        if self.wanted and self.head is not None:
            data = b"" if self.body is None else bytes(self.body)
            if data or complete:
                self.events.append(HttpBody(self.head, data, complete))
        self.wanted = 0
        self.body = None
        return 0

    cdef int end_body(self) except -1:
        self.finish_body(True)
        self.head = None
        self.stage = STAGE_HEAD
        return 0

    cdef int pass_rest(self) except -1:
        if not self.wanted:
            self.inbox.leave(self.remaining)
            self.remaining = 0
        return 0

    cdef bint read_identity(self) except -1:
        if self.wanted == self.remaining + (0 if self.body is None else PyByteArray_GET_SIZE(self.body)):
            self.wanted += 1  # exactly as much as wanted: complete, not cut
        self.remaining -= self.collect(self.remaining)
        self.pass_rest()
        if not self.remaining:
            self.end_body()
        return True

    cdef bint read_to_close(self) except -1:
        self.collect(PyByteArray_GET_SIZE(self.inbox.data))
        if not self.wanted:
            self.inbox.leave(FOR_EVER)
        return True

    cdef bint read_chunk_size(self) except -1:
        line = self.inbox.line(LONGEST_CHUNK_LINE)
        if line is None:
            return False
        size = line.partition(b";")[0].strip()
        if not size or len(size) > 15 or size.strip(HEX_DIGITS):
            raise self.inbox.malformed("a chunk size is no hexadecimal number")
        self.remaining = int(size, 16)
        self.stage = STAGE_CHUNK if self.remaining else STAGE_TRAILER
        return True

    cdef bint read_chunk(self) except -1:
        self.remaining -= self.collect(self.remaining)
        self.pass_rest()
        if not self.remaining:
            self.stage = STAGE_CHUNK_END
        return True

    cdef bint read_chunk_end(self) except -1:
        line = self.inbox.line(3)
        if line is None:
            return False
        if line:
            raise self.inbox.malformed("a chunk is longer than its size")
        self.stage = STAGE_CHUNK_SIZE
        return True

    cdef bint read_trailer(self) except -1:
        line = self.inbox.line(LONGEST_HEAD)
        if line is None:
            return False
        if not line:
            self.end_body()
        return True


cdef Py_ssize_t line_end(const uint8_t *octets, Py_ssize_t at, Py_ssize_t size) noexcept:
    """Return where the line that begins at ``at`` ends: at its LF, or with the bytes."""
    cdef const uint8_t *found
    if at >= size:
        return size
    found = <const uint8_t *>memchr(octets + at, 10, <size_t>(size - at))
    return size if found == NULL else found - octets


cdef object lower_text(const uint8_t *octets, Py_ssize_t begin, Py_ssize_t end):
    """Return ASCII octets stripped and in lower case, or None where nothing is left."""
    cdef char lowered[64]
    cdef Py_ssize_t at
    cdef uint8_t octet
    while begin < end and blank(octets[begin]):
        begin += 1
    while end > begin and blank(octets[end - 1]):
        end -= 1
    if begin >= end:
        return None
    if end - begin > 64:
        return ascii_text(<const char *>octets + begin, end - begin).lower()
    for at in range(end - begin):
        octet = octets[begin + at]
        lowered[at] = <char>(octet | 32 if 65 <= octet <= 90 else octet)
    return ascii_text(lowered, end - begin)


cdef bint token(object text) except -1:
    """Tell whether a text is made of the characters of a token (RFC 9110 section 5.6.2)."""
    cdef Py_ssize_t at
    cdef const uint8_t *octets
    if not PyUnicode_IS_COMPACT_ASCII(text):
        return False
    octets = PyUnicode_1BYTE_DATA(text)
    for at in range(PyUnicode_GET_LENGTH(text)):
        if not is_token[octets[at]]:
            return False
    return True
