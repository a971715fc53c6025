"""A line between the daemon and the simulator that a test can stop, cut and make deaf, byte-exactly.

    with Line(sim.port) as line:
        wp = Warmpool(sim, upstream=f"https://127.0.0.1:{line.port}")
        line.connections[0].go_deaf()

TLS runs through it end to end; `near` is the socket that the daemon is connected to. go_deaf() freezes
what a distance makes a matter of luck: the daemon's segments get lost before the kernel at the other
end sees them (a socket filter drops them), so they are not acknowledged and no RST answers them, while
what that end sends, a FIN too, still arrives.
"""
import ctypes
import fcntl
import select
import socket
import struct
import termios
import threading
import time

_SO_ATTACH_FILTER = 26
_SO_MEMINFO = 55
_DROP_ALL = struct.pack("HBBI", 6, 0, 0, 0)   # BPF_RET, 0 bytes
_STEP_S = 0.002


class Connection:
    """One connection through the line: `near` to the daemon, `far` to the simulator."""

    def __init__(self, near, port, turned):
        self.near = near
        self.far = socket.create_connection(("127.0.0.1", port))
        self.to_far_max = None       # bytes that may still go to the simulator; None: any number
        self.passed_far = 0
        self.near_ended = self.far_ended = False
        self.near_open = self.far_open = True
        self.turned = turned
        for sock in (self.near, self.far):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def go_deaf(self):
        """From now on nothing that the daemon sends arrives, nor is acknowledged."""
        # What is on its way to the daemon first: if its acknowledgement got lost, our FIN would wait for it.
        self.turned()
        self._wait(lambda: _asked(self.near, termios.TIOCOUTQ) == 0, "bytes to the daemon are not acknowledged")
        code = ctypes.create_string_buffer(_DROP_ALL)
        self.near.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER,
                             struct.pack("HxxxxxxP", 1, ctypes.addressof(code)))

    def wait_lost(self):
        """After go_deaf(): until something that the daemon sent got lost."""
        self._wait(lambda: self._drops() > 0, "the daemon has sent nothing")

    def wait_stuck(self, least=32 << 10):
        """After cut_after(): until so many bytes of the daemon's lie unread."""
        self._wait(lambda: self.to_far_max == 0 and _asked(self.near, termios.FIONREAD) >= least,
                   f"fewer than {least} bytes lie unread")

    def _drops(self):
        return struct.unpack("9I", self.near.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36))[8]

    @staticmethod
    def _wait(condition, otherwise, timeout=20):
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, otherwise
            time.sleep(_STEP_S)

    def fin(self):
        """To the daemon, without a close_notify; the socket lives on."""
        self.near.shutdown(socket.SHUT_WR)

    def rst(self):
        self.near_open = False
        self.turned()   # the thread must not poll it any more: a polled descriptor is closed late
        self._reset()

    def cut_after(self, count):
        """Lets so many bytes of the daemon's pass, then reads no more from it."""
        self.to_far_max = count

    # The line's thread calls these.

    def readers(self):
        found = []
        if self.near_open and not self.near_ended and self.to_far_max != 0:
            found.append(self.near)
        if self.far_open and not self.far_ended:
            found.append(self.far)
        return found

    def carry(self, sock):
        wanted = 65536
        if sock is self.near and self.to_far_max is not None:
            wanted = min(wanted, self.to_far_max)
        try:
            data = sock.recv(wanted) if wanted else None
        except OSError:
            self._ended_badly(sock)
            return
        if data is None:
            return
        other = self.far if sock is self.near else self.near
        if sock is self.near:
            self.passed_far += len(data)   # first: who has received it may ask at once
        try:
            if data:
                other.sendall(data)
            else:
                other.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # that end has gone; the other will learn it from its own
        if not data:
            self.near_ended |= sock is self.near
            self.far_ended |= sock is self.far
        elif sock is self.near and self.to_far_max is not None:
            self.to_far_max -= len(data)

    def _reset(self):
        self.near_open = False
        self.near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.near.close()

    def _ended_badly(self, sock):
        self.near_ended = self.far_ended = True
        if sock is self.far and self.near_open:
            self._reset()
        else:
            self.far_open = False
            self.far.close()

    def close(self):
        self.near.close()
        self.far.close()


def _asked(sock, request):
    return struct.unpack("i", fcntl.ioctl(sock, request, bytes(4)))[0]


class Line:
    def __init__(self, port, near_buffer=None):
        self._far_port = port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        if near_buffer:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, near_buffer)
        self.port = self._listener.getsockname()[1]
        self.connections = []
        self._stopping = False
        self._turns = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _turned(self):
        """Until the thread has begun a turn that knows what was set before."""
        least = self._turns + 2
        while self._turns < least and self._thread.is_alive():
            time.sleep(_STEP_S / 4)

    def _run(self):
        while not self._stopping:
            self._turns += 1
            owners = {sock: connection for connection in list(self.connections) for sock in connection.readers()}
            try:
                ready = select.select([self._listener, *owners], [], [], _STEP_S)[0]
            except (OSError, ValueError):
                continue  # a test has just closed one
            for sock in ready:
                if sock is self._listener:
                    self.connections.append(Connection(self._listener.accept()[0], self._far_port, self._turned))
                elif sock in owners[sock].readers():
                    owners[sock].carry(sock)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stopping = True
        self._thread.join()
        self._listener.close()
        for connection in self.connections:
            connection.close()
