"""The whole simulator: listening sockets, the connections they bring, and what these share.

Listening sockets can be closed and opened again (the fault `refuse`): a second socket, bound but
not listening, keeps the port ours meanwhile, so that no other test can take it.
"""
import resource
import socket

from .api import Api
from .connection import Connection
from .control import Control
from .counters import Counters
from .faults import Faults
from .stream import close_at_once, lose_all

_BACKLOG = 4096
_ACCEPTS_AT_ONCE = 64


class Listener:
    """One address. Calls on_accept(sock, peer, address) with each new connection."""

    def __init__(self, loop, address, port, on_accept):
        self.loop = loop
        self.address = address
        self.on_accept = on_accept
        self._family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._keeper = self._bound(port)
        self.port = self._keeper.getsockname()[1]
        self._sock = None
        self._reopen = None

    def open(self):
        """Listens; nothing if it does already."""
        self._stop_waiting()
        if self._sock is None:
            self._sock = self._bound(self.port)
            self._sock.listen(_BACKLOG)
            self.loop.add_reader(self._sock, self._on_readable)

    def refuse(self, seconds=None):
        """Connects are refused (RST) from now on, for so long or until open()."""
        self._stop_waiting()
        self._stop_listening()
        if seconds is not None:
            self._reopen = self.loop.call_later(seconds, self.open)

    def lose(self, lose):
        if self._sock is not None:
            lose_all(self._sock, lose)

    def close(self):
        self._stop_waiting()
        self._stop_listening()
        self._keeper.close()

    def _stop_waiting(self):
        if self._reopen is not None:
            self._reopen.cancel()
            self._reopen = None

    def _stop_listening(self):
        if self._sock is not None:
            self.loop.remove_reader(self._sock)
            self._sock.close()
            self._sock = None

    def _bound(self, port):
        sock = socket.socket(self._family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self._family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        try:
            sock.bind((self.address, port))
        except OSError as error:
            sock.close()
            raise OSError(error.errno, f"cannot listen on {self.address} port {port}: "
                          f"{error.strerror}") from None
        return sock

    def _on_readable(self):
        for _ in range(_ACCEPTS_AT_ONCE):
            if self._sock is None:
                return
            try:
                sock, peer = self._sock.accept()
            except OSError:
                return
            self.on_accept(sock, f"{peer[0]} {peer[1]}", self.address)


class Server:
    """What connections and the control port work on. `contexts` is None for plain HTTP."""

    def __init__(self, loop, settings, contexts):
        self.loop = loop
        self.settings = settings
        self.contexts = contexts
        self.counters = Counters(settings.keep_requests)
        self.faults = Faults(settings.seed)
        self.api = Api(settings, loop.time)
        self.connections = set()
        self.held = []               # connections and their answers, which wait until clear_faults()
        self.listeners = []
        self._last_number = 0
        self._in_hole = False
        self._control = Control(self)
        self.control_port = None
        loop.set_exception_handler(self._on_exception)

    async def start(self):
        """Listens everywhere. Raises OSError when it cannot."""
        raise_descriptor_limit()
        self.listeners = self._make_listeners()
        for listener in self.listeners:
            listener.open()
        self.control_port = await self._control.start(self.settings.control_bind,
                                                      self.settings.control_port)

    def _make_listeners(self):
        """All on one port; with port 0, another is tried when it is free on the first only."""
        for attempt in range(20):
            made, port = [], self.settings.port
            try:
                for address in self.settings.bind:
                    made.append(Listener(self.loop, address, port, self._on_accept))
                    port = made[0].port
                return made
            except OSError:
                for listener in made:
                    listener.close()
                if self.settings.port or not made or attempt == 19:
                    raise
        return []

    def stop(self):
        for listener in self.listeners:
            listener.close()
        for connection in list(self.connections):
            connection.end("fin")

    @property
    def port(self):
        return self.listeners[0].port

    # Connections

    def _on_accept(self, sock, peer, address):
        self.counters.accepts += 1
        self._last_number += 1
        rule = None
        if self.faults.accept:
            rule = self.faults.pick("accept", {"connection": self._last_number,
                                               "address": address})
        action = rule.action if rule else None
        if action in ("accept_close", "accept_rst"):
            close_at_once(sock, action == "accept_rst")
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context = None
        if self.contexts is not None:
            kind = rule.params["kind"] if action == "certificate" else "good"
            context = self.contexts.get(kind)
        connection = Connection(self, sock, number=self._last_number, peer=peer, address=address,
                                tls_context=context)
        self.connections.add(connection)
        self.counters.connection_opened(connection, sock)
        if context is not None:
            self.counters.handshake_started(connection, connection.stream)
            if action not in (None, "certificate"):
                connection.spoil_handshake(rule)

    # Commands

    def add_fault(self, values):
        rule = self.faults.add(values)
        if rule.action == "certificate" and self.contexts is not None:
            self.contexts.get(rule.params["kind"])  # made now, not in the middle of a handshake
        if rule.action == "refuse":
            self.refuse(rule.params["seconds"], rule.conditions.get("address"))
        return rule

    def clear_faults(self):
        self.faults.clear()
        held, self.held = self.held, []
        for connection, answer in held:
            if connection.stream.sock is not None:
                connection.send(answer)
        for listener in self.listeners:
            listener.open()

    def refuse(self, seconds, address):
        """Raises ValueError when nothing listens on that address."""
        hit = [one for one in self.listeners if address in (None, one.address)]
        if not hit:
            raise ValueError(f"not one of the listening addresses: {address!r}")
        for listener in hit:
            listener.refuse(seconds)

    def hole(self, is_open):
        """A black hole: nothing that comes reaches us, is acknowledged or answered by an RST."""
        if is_open == self._in_hole:
            return
        self._in_hole = is_open
        for listener in self.listeners:
            listener.lose(is_open)
        for connection in self.connections:
            if connection.stream.sock is not None:
                lose_all(connection.stream.sock, is_open)

    def close_connections(self, how, idle_s):
        """Ends all connections that have been idle so long now (None: all); says how many."""
        ended = 0
        for connection in list(self.connections):
            if idle_s is not None:
                if connection.idle_s() >= idle_s:
                    ended += connection.end_if_idle(how)
            elif not connection.stream.ending:
                connection.end(how)
                ended += 1
        return ended

    def reset(self):
        self.counters.reset()
        self.api.forget()

    def _on_exception(self, loop, context):
        error = context.get("exception")
        self.counters.internal_errors.append(f"{context['message']}: {error!r}")
        loop.default_exception_handler(context)


def raise_descriptor_limit():
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
