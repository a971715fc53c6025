"""A plain client for the simulator's tests that tells the ways a connection can end apart.

It runs TLS over memory BIOs, as the simulator does: Python's SSLSocket shows a FIN without
close_notify, and with OpenSSL 3.0 even an RST, as something else.
"""
import select
import socket
import ssl
import time

KEY = "0123456789abcdef0123456789abcdef"
TCP_CLOSE, TCP_CLOSE_WAIT = 7, 8


class Ended(Exception):
    """The connection ended; args[0] says how: fin, fin_no_notify, rst, notify_only; or open: it
    did not, but nothing came."""


class Peer:
    """One connection to a simulator; without `secure` bytes go as they are, even to a TLS port."""

    def __init__(self, simulator, *, address=None, context=None, session=None, secure=True,
                 timeout=5):
        self.timeout = timeout
        self.simulator = simulator
        self.tls = None
        self._received = b""
        self._end = None
        self.sock = socket.create_connection((address or simulator.host, simulator.port), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if secure and simulator.ca_file:
            context = context or ssl.create_default_context(cafile=simulator.ca_file)
            self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self.tls = context.wrap_bio(self._incoming, self._outgoing,
                                        server_hostname="ocr.captchaai.com", session=session)
            try:
                self._handshake()
            except BaseException:
                self.close()
                raise

    def _handshake(self):
        while True:
            try:
                self.tls.do_handshake()
                self._flush()
                return
            except ssl.SSLWantReadError:
                self._flush()
            except ssl.SSLError:
                self._flush()  # the alert that says why
                raise
            data = self._recv(self.timeout)
            if not data:
                raise Ended("fin_no_notify")
            self._incoming.write(data)

    # Sending

    def send(self, data):
        if self.tls is None:
            self.send_raw(data)
            return
        self.tls.write(data)
        self._flush()

    def send_raw(self, data):
        """Bytes below TLS."""
        self.sock.sendall(data)

    def send_close_notify(self):
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            pass  # it waits for the other's
        self._flush()

    def _flush(self):
        if self._outgoing.pending:
            self.sock.sendall(self._outgoing.read())

    def request(self, target, method="GET", body=b"", headers=()):
        """Sends a request; a body gets its Content-Length."""
        lines = [f"{method} {target} HTTP/1.1", "Host: ocr.captchaai.com", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    # Receiving

    def get(self, target, method="GET", body=b"", headers=()):
        """(head as text, body) of the answer to a request."""
        self.request(target, method, body, headers)
        return self.response(method)

    def response(self, method="GET"):
        while b"\r\n\r\n" not in self._received:
            self._receive(self.timeout)
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        head = head.decode("latin-1") + "\r\n"
        length = 0
        for line in head.split("\r\n"):
            if line.lower().startswith("content-length:"):
                length = int(line.split(":")[1])
        return head, b"" if method == "HEAD" else self.exactly(length)

    def exactly(self, length):
        while len(self._received) < length:
            self._receive(self.timeout)
        data, self._received = self._received[:length], self._received[length:]
        return data

    def rest(self, quiet_s=0.3):
        """(all that still comes, how it ends): fin, fin_no_notify, rst, notify_only, or open when
        nothing comes for `quiet_s` twice, the simulator having turned in between: one that was
        held up has its say. A plain connection's FIN is fin_no_notify."""
        was_quiet = False
        while True:
            try:
                self._receive(quiet_s)
                was_quiet = False
            except Ended as ended:
                if ended.args[0] != "open" or was_quiet:
                    data, self._received = self._received, b""
                    return data, ended.args[0]
                was_quiet = True
                self.simulator.counters()

    def _receive(self, timeout):
        if self._end is not None:
            raise Ended(self._end)
        try:
            data = self._recv(timeout)
        except ConnectionResetError:
            self._end = "rst"
        except TimeoutError:
            raise Ended("open") from None
        else:
            if not data:
                self._end = "fin_no_notify"
            elif self.tls is None:
                self._received += data
            else:
                self._decrypt(data)

    def _recv(self, timeout):
        self.sock.settimeout(timeout)
        try:
            return self.sock.recv(1 << 20)
        finally:
            self.sock.settimeout(self.timeout)

    def _decrypt(self, data):
        self._incoming.write(data)
        try:
            while piece := self.tls.read(1 << 20):
                self._received += piece
        except ssl.SSLWantReadError:
            return
        # Nothing at all stands for a close_notify.
        if not self.has_fin(0.2):
            self.simulator.counters()  # it has turned then: what it was about to send is out
        self._end = "fin" if self.has_fin(0.2) else "notify_only"

    # What the kernel knows

    def has_fin(self, timeout_s=5):
        """Whether a FIN (not an RST) has come or comes soon; reads nothing."""
        poller = select.poll()
        poller.register(self.sock, select.POLLRDHUP)
        return bool(poller.poll(timeout_s * 1000)) and self.tcp_state() == TCP_CLOSE_WAIT

    def tcp_state(self):
        return self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[0]

    def bytes_acked(self):
        """tcpi_bytes_acked, the SYN taken off."""
        info = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        return int.from_bytes(info[120:128], "little") - 1

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def exchange_times(simulator, tries=5):
    """Seconds that a connection's first and its second exchange take, the shortest of some tries:
    a busy machine makes them longer, and nothing makes them shorter than they are."""
    firsts, seconds = [], []
    for _ in range(tries):
        start = time.monotonic()
        with Peer(simulator) as peer:
            peer.get("/bytes/1")
            middle = time.monotonic()
            peer.get("/bytes/1")
            seconds.append(time.monotonic() - middle)
        firsts.append(middle - start)
    return min(firsts), min(seconds)


def wait_for(condition, timeout_s=5):
    """Whether the condition becomes true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
