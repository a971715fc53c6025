"""What happened, counted. Everything the control port shows comes from here.

Connections open at once, made exact: a connection is open from accept() until our own FIN or RST
leaves or the peer's FIN or RST has *arrived* (not: has been read). Before the maximum is raised,
all open sockets are polled for POLLRDHUP, which the kernel sets with the arrival of a FIN even if
unread bytes lie before it; so a client that closes one connection and then opens another is never
seen with both. Likewise, before the maximum of handshakes under way is raised, what has arrived on
those under way is processed. What stays: connections wait in the listen queue while the loop is
busy, so an overlap shorter than a loop turn (well under 1 ms unless overloaded) can go unseen.

How often a submit arrived: requests are counted when they have arrived whole, keyed by the
parameter `uniq` (or else `token`) of query or body, and by a hash of target and body. One of
which only a part was read (hang-up, or a fault that ended it) is counted as partial, never both.
"""
import collections
import dataclasses
import hashlib
import select
import time

_RECORD_BYTES = 32 << 20
_SUBMITS = ("submit", "solve")
_UNKNOWN = "(no uniq)"


@dataclasses.dataclass(slots=True)
class Received:
    """One recorded request."""

    serial: int
    at: float
    connection: int
    connection_request: int
    connection_age_s: float   # since it was accepted
    address: str              # the listening one that it came to
    kind: str
    uniq: str
    whole: bool
    head: bytes
    body_length: int
    body_sha256: str

    def as_dict(self):
        shown = dataclasses.asdict(self)
        shown["head"] = self.head.decode("latin-1")
        shown["class"] = shown.pop("kind")
        return shown


class Counters:
    def __init__(self, keep_requests):
        self._keep = keep_requests
        self._open = {}              # descriptor -> connection
        self._poller = select.poll()
        self._handshaking = {}       # connection -> its stream
        self.internal_errors = []
        self.reset()

    def reset(self):
        """Forgets the past; what is open and under way stays counted."""
        self.since = time.time()
        self.accepts = 0
        self.connections = 0
        self._settle()
        self.max_open = len(self._open)
        self.ended_by = {"us": 0, "peer": 0}
        self.handshakes = {"full": 0, "resumed": 0, "failed": 0}
        self.max_handshaking = len(self._handshaking)
        self.handshake_errors = collections.Counter()
        self.requests = 0
        self.by_path = collections.Counter()
        self.by_kind = collections.Counter()
        self.pipelined = 0
        self.violations = []
        self.submits = collections.Counter()
        self.submits_by_hash = collections.Counter()
        self.partial_submits = collections.Counter()
        self.partial = 0
        self.arrivals = collections.Counter()
        self.polls = collections.Counter()
        self.lengths = collections.Counter()   # requests a connection -> ended connections
        self.records = collections.deque()
        self._record_bytes = 0

    # Connections and handshakes

    def connection_opened(self, connection, sock):
        self.connections += 1
        if len(self._open) + 1 > self.max_open:
            self._settle()
        self._open[sock.fileno()] = connection
        self._poller.register(sock, select.POLLRDHUP)
        self.max_open = max(self.max_open, len(self._open))

    def connection_closed(self, sock):
        """At the first sign of its end; further calls do nothing."""
        if self._open.pop(sock.fileno(), None) is not None:
            self._poller.unregister(sock)

    def connection_gone(self, connection, by):
        self.ended_by[by] += 1
        self.lengths[connection.requests] += 1
        self._handshaking.pop(connection, None)

    def open_now(self):
        self._settle()
        return list(self._open.values())

    def _settle(self):
        for descriptor, _events in self._poller.poll(0):
            self._poller.unregister(descriptor)
            self._open.pop(descriptor, None)

    def handshake_started(self, connection, stream):
        if len(self._handshaking) + 1 > self.max_handshaking:
            for other in list(self._handshaking.values()):
                other.on_readable()
        self._handshaking[connection] = stream
        self.max_handshaking = max(self.max_handshaking, len(self._handshaking))

    def handshake_done(self, connection, resumed):
        self._handshaking.pop(connection, None)
        self.handshakes["resumed" if resumed else "full"] += 1

    def handshake_failed(self, error):
        self.handshakes["failed"] += 1
        self.handshake_errors[error] += 1

    # Requests

    def arrived(self, connection, request):
        """A request that has been read whole, before anything is answered."""
        self.requests += 1
        self.by_kind[request.kind] += 1
        if len(self.by_path) < 1000:
            self.by_path[f"{request.method} {request.path.decode('latin-1')[:100]}"] += 1
        uniq = uniq_of(request)
        if uniq:
            self.arrivals[uniq] += 1
        if request.kind in _SUBMITS:
            self.submits[uniq or _UNKNOWN] += 1
            digest = hashlib.sha256(request.target + b"\0")
            digest.update(request.body)
            self.submits_by_hash[digest.hexdigest()] += 1
        elif request.kind == "poll":
            self.polls[request.params.get("id") or request.params.get("ids", "")] += 1
        self._record(connection, request, uniq, True)

    def arrived_partly(self, connection, request):
        self.partial += 1
        uniq = uniq_of(request)
        if request.kind in _SUBMITS:
            self.partial_submits[uniq or _UNKNOWN] += 1
        self._record(connection, request, uniq, False)

    def violation(self, text):
        if len(self.violations) < 100:
            self.violations.append(text)

    def _record(self, connection, request, uniq, whole):
        body = request.body
        self.records.append(Received(
            self.requests, time.time(), connection.number, request.number,
            round(connection.age_s(), 4), connection.address, request.kind, uniq, whole,
            request.head, len(body), hashlib.sha256(body).hexdigest() if body else ""))
        self._record_bytes += len(request.head)
        while self.records and (len(self.records) > self._keep
                                or self._record_bytes > _RECORD_BYTES):
            self._record_bytes -= len(self.records.popleft().head)

    # Reading it all

    def as_dict(self):
        now_open = self.open_now()
        lengths = self.lengths.copy()
        lengths.update(connection.requests for connection in now_open)
        return {
            "since": self.since,
            "accepts": self.accepts,
            "connections": {"total": self.connections, "open": len(now_open),
                            "max_open": self.max_open, "ended_by_us": self.ended_by["us"],
                            "ended_by_peer": self.ended_by["peer"]},
            "handshakes": {**self.handshakes, "now": len(self._handshaking),
                           "max": self.max_handshaking, "errors": self.handshake_errors},
            "requests": {"total": self.requests, "partial": self.partial,
                         "pipelined": self.pipelined, "by_path": self.by_path,
                         "by_class": self.by_kind},
            "requests_per_connection": {str(n): count for n, count in sorted(lengths.items())},
            "violations": self.violations,
            "internal_errors": self.internal_errors,
        }

    def submits_as_dict(self, made):
        """`made`: tasks made (paid for) by uniq."""
        return {
            "total": sum(self.submits.values()),
            "by_uniq": self.submits,
            "twice": sorted(uniq for uniq, count in self.submits.items()
                            if count > 1 and uniq != _UNKNOWN),
            "partial": self.partial_submits,
            "by_hash": self.submits_by_hash,
            "made": made,
            "arrivals": self.arrivals,
            "polls": self.polls,
        }


def uniq_of(request):
    params = request.params
    return params.get("uniq") or params.get("token", "") if params else ""
