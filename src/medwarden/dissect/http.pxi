# What HTTP heads say of machines; medwarden.dissect.http describes it.

cdef bint shows_title_of(HttpHead head) except -1:
    """Tell whether a response is an entry page: what its title says is about the site, not a person.

    Where the request was not seen it may be any page.
    """
    if not head.target or "?" in head.target:
        return False
    media_type = head.media_type
    if media_type and "html" not in media_type:
        return False
    return head.path.lstrip("/").lower().partition(".")[0] in TITLED_PAGES


cdef long long kept_of(HttpHead head) except -1:
    """Return how much of a body is worth keeping."""
    media_type = head.media_type
    if head.from_client:
        return LONGEST_FORM if media_type in FORM_TYPES else 0
    if media_type == IPP_TYPE or (media_type.endswith("xml") and "html" not in media_type):
        return LONGEST_DESCRIPTION
    return LONGEST_TITLED if shows_title_of(head) else 0


cdef class HttpReading(Connection):
    """What :class:`~medwarden.dissect.http.HttpDissector` does with every message."""

    cdef HttpStream asking
    cdef HttpStream answering
    cdef HttpHead titled
    cdef public object application

    def __init__(self):
        Connection.__init__(self)
        asked = deque()
        self.asking = HttpStream(True, asked, None)
        self.answering = HttpStream(False, asked, None)
        self.client, self.server = self.asking.inbox, self.answering.inbox
        self.application = HTTP

    def parse(self, inbox, from_client):
        """Read messages of one direction."""
        cdef HttpStream stream = self.asking if inbox is self.client else self.answering
        for event in stream.take_events():
            if type(event) is HttpBody:
                self.body(event)
            elif from_client:
                self.request(<HttpHead>event)
            else:
                self.response(<HttpHead>event)
        if stream.fault is not None:
            fault, stream.fault = stream.fault, None
            raise fault
        if not from_client and stream.head is not None and stream.wanted:
            if self.titled is not stream.head and shows_title_of(stream.head):
                self.look_for_title(stream.head, b"" if stream.body is None else bytes(stream.body))
        if stream.tunnel:
            self.close()

    cdef int request(self, HttpHead head) except -1:
        cdef dict headers = head.headers
        cdef object target = head.target
        self.say("http.method", head.method)
        self.say("http.user_agent", headers.get("user-agent", ""))
        self.say("http.host", headers.get("host", ""))
        path = public_path(head.path)
        if path != "/":
            self.say("http.path", path)
        self.say("http.content_type", head.media_type)
        if head.media_type == IPP_TYPE:
            self.application = "ipp"
        self.say("http.soap_action", headers.get("soapaction", "").strip('"'))
        self.say("http.via", headers.get("via", ""))
        if head.method == "CONNECT":
            self.say("http.proxied", target)
        elif "://" in target:
            self.say("http.proxied", target.partition("://")[2].partition("/")[0].rpartition("@")[2])
        for name in ("authorization", "proxy-authorization"):
            if name in headers:
                self.credentials(headers[name])
        if "?" in target and login_in_query(target):
            self.say("http.login_form", "query")
        return 0

    cdef int response(self, HttpHead head) except -1:
        cdef dict headers = head.headers
        self.say("http.status", str(head.status))
        self.say("http.server", headers.get("server", ""))
        self.say("http.powered_by", headers.get("x-powered-by", ""))
        self.say("http.content_type", head.media_type)
        self.say("http.via", headers.get("via", ""))
        for name in ("www-authenticate", "proxy-authenticate"):
            if name in headers:
                self.challenge(headers[name])
        return 0

    def credentials(self, value):
        """Read the credentials of a request."""
        raise NotImplementedError

    def challenge(self, value):
        """Read what log-in a response asks for."""
        raise NotImplementedError

    def body(self, body):
        """Read a body as far as it was kept."""
        raise NotImplementedError

    cdef int look_for_title(self, HttpHead head, bytes page) except -1:
        if self.titled is not head:
            title = title_of(page)
            if title is not None:
                self.titled = head
                self.say("http.title", title)
        return 0

    def title(self, HttpHead head not None, bytes page not None):
        """Tell the title of an entry page, once per page."""
        if shows_title_of(head):
            self.look_for_title(head, page)


cdef object title_of(bytes page):
    start = page[:LONGEST_TITLED].lower().find(b"<title")
    begin = page.find(b">", start) + 1
    end = page[:LONGEST_TITLED].lower().find(b"</title", begin)
    if start < 0 or not 0 < begin <= end:
        return None
    title = page[begin:end][: 4 * MOST_CHARACTERS].decode("utf-8", "replace")
    return " ".join(html.unescape(title).split())
