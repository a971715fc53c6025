"""One HTTP connection: reads a request, has it answered or spoilt, becomes idle, ends.

Requests are answered one by one; what arrives while one is being answered waits and is counted as
pipelined. A peer that ends its side (a FIN or a close_notify) is not answered any more.
"""
import socket

from . import actions, params
from .faults import facts_of
from .http1 import MAX_HEAD, Answer, BadRequest, Body, head_bytes, parse_head
from .stream import Stream

_APPLICATION_DATA = 0x17
_RESTED_S = 0.01
_SMALLEST_REQUEST_RECORD = 5 + 24   # an encrypted close_notify is a record of 5 + 19


class Connection:
    """Owns its stream; the site (server.Server) is borrowed and outlives it."""

    def __init__(self, site, sock, *, number, peer, address, tls_context):
        self.site = site
        self.loop = site.loop
        self.number = number
        self.peer = peer             # the client's address and port, as text
        self.address = address       # the listening address
        self.opened_at = self.loop.time()
        self.requests = 0            # how many have been read whole
        self.request = None          # the one being read or answered
        self.keep = True             # whether the answer under way leaves the connection open
        self._close_announced = False
        self._buffer = bytearray()
        self._searched = 0           # of the buffer, for the end of the head
        self._body = None
        self._rule = None            # acts while the body is still being read
        self._early_sent = False
        self._peer_ended = False
        self._answering = False
        self._timer = None           # the next step of the answer
        self._idle_timer = None
        self._idle_since = self.opened_at
        self._idle_too_long = False  # idle_close=reuse: ends at the next request's first byte
        self.stream = Stream(self.loop, sock, self, tls_context, site.settings.rtt_ms / 1000)
        self.stream.before_read = self._before_read
        if tls_context is None:
            self._became_idle()

    # What the stream tells

    def on_secured(self):
        self.site.counters.handshake_done(self, self.stream.tls.session_reused)
        self._became_idle()

    def on_data(self, data):
        self._buffer += data
        if self._answering:
            self.site.counters.pipelined += 1
        else:
            self._advance()

    def on_peer_end(self):
        self._peer_ended = True
        self.site.counters.connection_closed(self.stream.sock)
        self.end("fin")

    def on_shut(self, sock):
        self.site.counters.connection_closed(sock)

    def on_gone(self, by, error, sock):
        counters = self.site.counters
        by = "peer" if self._peer_ended else by
        counters.connection_closed(sock)
        if self.stream.handshaking:
            counters.handshake_failed(error or ("ended by " + by))
        if self.request is not None and not self._answering:
            self.request.body = bytes(self._body.parts)
            counters.arrived_partly(self, self.request)
        for timer in (self._timer, self._idle_timer):
            if timer is not None:
                timer.cancel()
        counters.connection_gone(self, by)
        self.site.connections.discard(self)

    # Reading a request

    def _advance(self):
        try:
            while self._buffer and not self._answering and self.stream.sock is not None:
                if self.request is None and not self._read_head():
                    return
                if not self._read_body():
                    return
        except BadRequest as wrong:
            self.site.counters.violation(str(wrong))
            self.write(head_bytes(Answer(400), length=0, extra=[("Connection", "close")]))
            self.end("linger")

    def _read_head(self):
        end = self._buffer.find(b"\r\n\r\n", self._searched)
        if end < 0:
            if len(self._buffer) > MAX_HEAD:
                raise BadRequest("head too large")
            self._searched = max(0, len(self._buffer) - 3)
            return False
        self._searched = 0
        request = parse_head(bytes(self._buffer[:end + 4]))
        del self._buffer[:end + 4]
        request.number = self.requests + 1
        params.read(request)
        self.request, self._body, self._early_sent = request, Body(request), False
        faults = self.site.faults
        self._rule = faults.pick("head", facts_of(self, request)) if faults.head else None
        if request.framing != "none" and not self._buffer:
            self._expect_continue(request)
        return True

    def _expect_continue(self, request):
        if request.first.get(b"expect", b"").lower() != b"100-continue":
            return
        if self._rule is None or self._rule.params["after_body"] > 0:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _read_body(self):
        whole = self.request.framing == "none" or self._body.feed(self._buffer)
        if self._rule is not None:
            if not whole and len(self._body.parts) < self._rule.params["after_body"]:
                return False
            rule, self._rule = self._rule, None
            self._spoil_reading(rule)
            if self.stream.sock is None or rule.action != "early":
                return False
        if whole:
            self._arrived()
        return whole

    def _spoil_reading(self, rule):
        what = rule.params
        if rule.action == "stall_read":
            self.stream.stop_reading()
        elif rule.action == "early":
            self._early_sent = True
            extra = [] if what["then"] == "read" else [("Connection", "close")]
            body = what["body"].encode("latin-1")
            self.write(head_bytes(Answer(what["status"]), length=len(body), extra=extra) + body)
            if what["then"] != "read":
                self.end(what["then"])
        else:
            self.end(what.get("how", "rst"))

    def _arrived(self):
        request = self.request
        if self._body.parts:
            request.body = bytes(self._body.parts)
            params.read(request)
        self._body = None
        self.requests += 1
        self._answering = True
        self.site.counters.arrived(self, request)
        if self._buffer:
            self.site.counters.pipelined += 1
        if self._early_sent:
            self.answered(not request.wants_close())
            return
        self._answer(request)

    # Answering it

    def _answer(self, request):
        settings, faults = self.site.settings, self.site.faults
        rule = faults.pick("request", facts_of(self, request)) if faults.request else None
        self._close_announced = (settings.connection_close or request.wants_close()
                                 or self.requests == settings.max_requests)
        self.keep = not self._close_announced
        if rule is not None and rule.action in actions.WITHOUT_SITE:
            answer = Answer()
        else:
            answer = self.site.api.answer(request, self.number)
        wait = answer.hold_s + settings.delay_ms / 1000
        if rule is None:
            self.later(wait, self.send, answer)
        elif rule.action == "hold":   # from its arrival on, or rules that are forgotten meanwhile would hold it for ever
            actions.perform(self, answer, rule)
        else:
            self.later(wait, actions.perform, self, answer, rule)

    def send(self, answer):
        """Answers as it should be."""
        head, body = self.pieces(answer)
        self.write(head + body)
        self.answered(self.keep)

    def pieces(self, answer, version="1.1", **length):
        """(head, body) as bytes; `length=` goes into Content-Length instead of the true one."""
        bodiless = answer.status in (204, 304)
        if not length and not bodiless:
            length = {"length": len(answer.body)}
        head = head_bytes(answer, version=version, extra=self._connection_fields(), **length)
        return head, b"" if bodiless or self.request.method == "HEAD" else answer.body

    def _connection_fields(self):
        if self._close_announced:
            return [("Connection", "close")]
        fields = []
        if self.request.version == "1.0":
            fields.append(("Connection", "keep-alive"))
        if self.site.settings.keep_alive_hint:
            fields.append(("Keep-Alive", f"timeout={self.site.settings.keep_alive_hint}"))
        return fields

    def announce_close(self):
        """The next head says `Connection: close`."""
        self._close_announced, self.keep = True, False

    def write(self, data):
        self.stream.write(data)

    def end(self, how):
        self.stream.end(how)

    def later(self, seconds, step, *arguments):
        """The next step of this answer, at once if in 0 s; dropped when the connection ends."""
        if seconds > 0:
            self._timer = self.loop.call_later(seconds, step, *arguments)
        else:
            step(*arguments)

    def after(self, seconds, step, *arguments):
        """Something that happens later, whatever the connection does in the meantime."""
        self.loop.call_later(seconds, step, *arguments)

    def answered(self, keep):
        """The answer is out; the connection is idle, or ends."""
        self.request, self._timer = None, None
        if not keep:
            self.end("fin")
            return
        self._answering = False
        self._became_idle()
        if self._buffer:
            self.loop.call_soon(self._advance)

    # Being idle

    def is_idle(self):
        stream = self.stream
        return (stream.sock is not None and not stream.handshaking and not stream.ending
                and self.request is None and not self._buffer)

    def state(self):
        if self.stream.handshaking:
            return "handshaking"
        if self.stream.ending:
            return "ending"
        return "idle" if self.is_idle() else "answering" if self._answering else "reading"

    def age_s(self):
        return self.loop.time() - self.opened_at

    def idle_s(self):
        return self.loop.time() - self._idle_since

    def end_if_idle(self, how):
        """Ends it unless a request has arrived meanwhile; says whether it did."""
        if self.is_idle():
            self.stream.on_readable()
        if not self.is_idle():
            return False
        self.end(how)
        return True

    def _became_idle(self):
        self._idle_since = self.loop.time()
        if self._idle_timer is None and self.site.settings.idle_timeout:
            due = self._idle_since + self.site.settings.idle_timeout
            self._idle_timer = self.loop.call_at(due, self._on_idle_timer)

    def _on_idle_timer(self):
        # Set once and looked at when it fires: a request costs no timer.
        self._idle_timer = None
        timeout = self.site.settings.idle_timeout
        if not timeout or not self.is_idle():
            return
        due = self._idle_since + timeout
        if self.loop.time() < due - 0.0005:
            self._idle_timer = self.loop.call_at(due, self._on_idle_timer)
        elif self.site.settings.idle_close == "reuse":
            self._idle_too_long = True
        else:
            self.end_if_idle(self.site.settings.idle_close)

    def _before_read(self):
        """Ends an idle connection at its next request's first byte, if it is to; says so."""
        unread = self.site.faults.unread
        if not unread and not self._idle_too_long:
            return False
        if not self.is_idle() or not self._request_waits():
            return False
        if self._idle_too_long:
            self.stream.end_unread("rst")
            return True
        facts = {"connection": self.number, "conn_request": self.requests + 1,
                 "reused": self.requests > 0, "rested": self.idle_s() >= _RESTED_S,
                 "address": self.address}
        rule = self.site.faults.pick("unread", facts)
        if rule is None:
            return False
        self.stream.end_unread(rule.params["how"])
        return True

    def _request_waits(self):
        """Whether the kernel holds bytes of a request: not a FIN, not an encrypted alert."""
        try:
            start = self.stream.sock.recv(5, socket.MSG_PEEK)
        except OSError:
            return False
        if self.stream.tls is None:
            return bool(start)
        return (len(start) == 5 and start[0] == _APPLICATION_DATA
                and 5 + int.from_bytes(start[3:], "big") >= _SMALLEST_REQUEST_RECORD)

    # The handshake's faults

    def spoil_handshake(self, rule):
        """Lets the rule's action happen in place of (the rest of) the TLS handshake."""
        def on_hello(data):
            stage = rule.params.get("stage", "start")
            flight = b""
            if stage == "half":
                flight = self.stream.flight_for(data)
                if not flight:
                    return  # the ClientHello is not whole yet
            elif rule.action == "garbage_handshake":
                flight = 2 * rule.params["data"].encode("latin-1")
            self.stream.write_below_tls(flight[:len(flight) // 2])
            if rule.action == "stall_handshake":
                self.stream.deaf = True
            else:
                how = {"close_in_handshake": "fin", "rst_in_handshake": "rst"}.get(rule.action)
                self.stream.end(how or rule.params["how"])
        self.stream.on_hello = on_hello

    def as_dict(self):
        tls = self.stream.tls
        secured = tls is not None and not self.stream.handshaking
        return {
            "number": self.number, "peer": self.peer, "address": self.address,
            "state": self.state(), "age_s": round(self.age_s(), 3),
            "idle_s": round(self.idle_s(), 3) if self.is_idle() else None,
            "requests": self.requests,
            "tls": tls.version() if secured else None,
            "resumed": tls.session_reused if secured else None,
            "alpn": tls.selected_alpn_protocol() if secured else None,
            "server_name": getattr(tls, "asked_name", None),
        }
