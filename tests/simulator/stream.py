"""One accepted TCP connection: its bytes, its TLS, its line's delay and its ways of ending.

TLS runs over two memory BIOs, so every byte that leaves the socket passes through here and a
fault can be exact: cut a record in two, leave out the close_notify, reset at a chosen byte.

The stream calls its owner (borrowed):
    on_secured()        the TLS handshake is done (never called on a plain stream)
    on_data(bytes)      what the peer sent, decrypted
    on_peer_end()       the peer has ended its side; end() has to follow, at once or later
    on_shut(sock)       our FIN is on its way although the socket lives on (linger, end_unread)
    on_gone(by, error, sock)   exactly once, last: sock is closed next. by: "peer" or "us";
                        error: a broken TLS handshake or record in words, else None

Ways of ending (`end(how)`), always after what has been written before:
    fin             close_notify, then close(): a FIN; what the peer sends later meets an RST
    fin_no_notify   close() without close_notify
    rst             close() with SO_LINGER 0: an RST
    notify_only     close_notify and no FIN; the socket stays open, unheard, until the peer's FIN
    linger          close_notify and shutdown(SHUT_WR): a FIN; what the peer sends later is still
                    acknowledged (and dropped) until it ends, 30 s at most

`rtt_s` holds back everything that is sent, the connection's first bytes for two round trips (the
TCP handshake counts as one). What is held back keeps its order, an end included.
"""
import collections
import ctypes
import select
import socket
import ssl
import struct

READ_SIZE = 262144
LINGER_S = 30.0
SECURE_ENDINGS = ("fin", "notify_only", "linger")
_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
_DROP_ALL = struct.pack("HBBI", 6, 0, 0, 0)   # BPF_RET, 0 bytes


class Stream:
    """Owns the socket given to it; `tls_context` is None for plain HTTP."""

    def __init__(self, loop, sock, owner, tls_context, rtt_s):
        self.loop = loop
        self.sock = sock
        self.owner = owner
        self.rtt_s = rtt_s
        self.tls = None
        self.handshaking = tls_context is not None
        self.on_hello = None         # gets the handshake's first bytes in place of TLS
        self.before_read = None      # called before each read; true: it did something else
        self.deaf = False            # what comes is read and dropped
        self._unsent = bytearray()   # what the kernel did not take
        self._told_to_end = False    # end() was called; nothing is read or written any more
        self._ending = None          # how to end, as soon as _unsent is empty
        self._held = collections.deque()
        self._held_until = 0.0
        self._first = True
        self._error = None
        if tls_context is not None:
            self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self.tls = tls_context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        loop.add_reader(sock, self.on_readable)

    # Reading

    def on_readable(self):
        if self.sock is None or self.before_read is not None and self.before_read():
            return
        try:
            data = self.sock.recv(READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._gone("peer")
            return
        if self.ending:
            if not data:
                self._gone("peer")
        elif not data:
            self._peer_ended()
        elif self.tls is None:
            self.owner.on_data(data)
        else:
            self._decrypt(data)

    def stop_reading(self):
        """The kernel's receive buffer fills up. The peer's end is still noticed, by asking."""
        if self.sock is None:
            return
        if peer_has_ended(self.sock):
            self._gone("peer")
            return
        self.loop.remove_reader(self.sock)
        self.loop.call_later(0.1, self.stop_reading)

    @property
    def ending(self):
        return self.deaf or self._told_to_end

    def _decrypt(self, data):
        if self.on_hello is not None:
            self.on_hello(data)
            return
        self._incoming.write(data)
        tls, parts, ended = self.tls, [], False
        try:
            if self.handshaking:
                tls.do_handshake()
                self.handshaking = False
                self._send_encrypted()
                self.owner.on_secured()
                if self.sock is None:
                    return
            while True:
                piece = tls.read(READ_SIZE)
                if not piece:
                    ended = True  # a close_notify
                    break
                parts.append(piece)
                if not self._incoming.pending and not tls.pending():
                    break
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._error = error.reason or str(error)
        if self._outgoing.pending:
            self._send_encrypted()
        if parts:
            self.owner.on_data(b"".join(parts) if len(parts) > 1 else parts[0])
        if self._error:
            self.end("fin_no_notify")
        elif ended and self.sock is not None:
            self._peer_ended()

    def _peer_ended(self):
        # Level-triggered: an end that was seen must not be reported again and again.
        self.loop.remove_reader(self.sock)
        self.owner.on_peer_end()

    # Writing

    def write(self, data):
        """Encrypts and sends; silently nothing when the connection is ending or gone."""
        if self.sock is None or self.ending:
            return
        if self.tls is None:
            self.write_below_tls(data)
        elif data:
            self.tls.write(data)
            self._send_encrypted()

    def write_below_tls(self, data):
        """Sends the bytes as they are, whatever TLS makes of them."""
        if self.rtt_s or self._held:
            self._hold(data)
        else:
            self._send(data)

    def flight_for(self, hello):
        """What TLS would send now; empty while the ClientHello is not whole."""
        self._incoming.write(hello)
        try:
            self.tls.do_handshake()
        except ssl.SSLError:
            pass  # it wants to read more, or sends an alert
        return self._outgoing.read()

    def _send_encrypted(self):
        self.write_below_tls(self._outgoing.read())

    def _hold(self, item):
        due = self.loop.time() + self.rtt_s * (2 if self._first else 1)
        self._first = False
        self._held_until = max(due, self._held_until)
        self._held.append(item)
        self.loop.call_at(self._held_until, self._release_held)

    def _release_held(self):
        item = self._held.popleft()
        if self.sock is None:
            return
        if isinstance(item, str):
            self._end_when_flushed(item)
        else:
            self._send(item)

    def _send(self, data):
        if self._unsent:
            self._unsent += data
            return
        try:
            sent = self.sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self._gone("peer")
            return
        if sent < len(data):
            self._unsent += data[sent:]
            self.loop.add_writer(self.sock, self._on_writable)

    def _on_writable(self):
        try:
            with memoryview(self._unsent) as unsent:
                sent = self.sock.send(unsent[:READ_SIZE])
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._gone("peer")
            return
        del self._unsent[:sent]
        if not self._unsent:
            self.loop.remove_writer(self.sock)
            if self._ending is not None:
                self._end_now()

    # Ending

    def end(self, how):
        """Ends in the given way after all that was written; the first call counts."""
        if self.sock is None or self.ending:
            return
        self._told_to_end = True
        if self.tls is not None and not self.handshaking and how in SECURE_ENDINGS:
            self._say_close_notify()
        if self.rtt_s or self._held:
            self._hold(how)
        else:
            self._end_when_flushed(how)

    def _say_close_notify(self):
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            pass  # it wants the peer's close_notify, which we do not wait for
        if self._outgoing.pending:
            self._send_encrypted()

    def _end_when_flushed(self, how):
        if self.sock is None:
            return
        self._ending = how
        if not self._unsent:
            self._end_now()

    def _end_now(self):
        how, self._ending = self._ending, None
        if how == "rst":
            reset_on_close(self.sock)
            self._gone("us")
        elif how == "notify_only":
            self._stay_deaf()
        elif how == "linger":
            self._shut_down()
            self._stay_deaf()
            self.loop.call_later(LINGER_S, self._gone, "us")
        else:
            drain(self.sock)
            self._gone("us")

    def end_unread(self, how):
        """Ends without reading what has arrived. An RST follows a FIN by 1 s then, as close()
        with unread bytes always resets on Linux; the peer's bytes stay acknowledged meanwhile."""
        if how == "rst":
            reset_on_close(self.sock)
            self._gone("us")
            return
        if how == "fin" and self.tls is not None and not self.handshaking:
            self._say_close_notify()
        self.deaf = True
        self.loop.remove_reader(self.sock)
        self._shut_down()
        self.loop.call_later(1.0, self._gone, "us")

    def _shut_down(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the peer has reset it already
        self.owner.on_shut(self.sock)

    def _stay_deaf(self):
        self.deaf = True
        self.loop.remove_reader(self.sock)  # it may be off after the peer's close_notify
        self.loop.add_reader(self.sock, self.on_readable)

    def _gone(self, by):
        if self.sock is None:
            return
        sock, self.sock = self.sock, None
        self.loop.remove_reader(sock)
        self.loop.remove_writer(sock)
        self.owner.on_gone(by, self._error, sock)
        sock.close()


def peer_has_ended(sock):
    """Whether the peer's FIN or RST has arrived, even behind bytes that are still unread."""
    poller = select.poll()
    poller.register(sock, select.POLLRDHUP)
    return bool(poller.poll(0))


def drain(sock):
    """close() with unread bytes sends an RST: read them first, so that it is a FIN."""
    try:
        while sock.recv(READ_SIZE):
            pass
    except OSError:
        pass


def lose_all(sock, lose):
    """Whether what comes for this socket, a SYN for a listening one too, is lost before TCP sees it."""
    if lose:
        code = ctypes.create_string_buffer(_DROP_ALL)
        program = struct.pack("HxxxxxxP", 1, ctypes.addressof(code))
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
        return
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
    except FileNotFoundError:
        pass  # it came meanwhile, from the backlog of before


def reset_on_close(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def close_at_once(sock, reset):
    """Ends a connection that no Stream has taken: by RST or by FIN."""
    sock.setblocking(False)
    if reset:
        reset_on_close(sock)
    else:
        drain(sock)
    sock.close()
