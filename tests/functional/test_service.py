"""What the daemon does for a service manager, without one: sockets handed over, and what it tells on NOTIFY_SOCKET.

tests/functional/test_systemd.py shows the same in a real systemd; this runs anywhere, as any user, and with sanitizers.
"""
import base64
import signal
import socket
import sys
import threading
import time

import pytest

from daemon import Warmpool, knows_systemd, read_all, read_response, stopped
from test_tokens import HERE, write_tokens

pytestmark = pytest.mark.skipif(not knows_systemd(), reason="built without libsystemd")

# systemd's part: the descriptors from 3 on, their number and names, and for whom they are.
_HAND_OVER = """
import fcntl, os, sys
names, fds = sys.argv[1], [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 100) for fd in sys.argv[2].split(",")]
for place, fd in enumerate(fds, 3):
    os.dup2(fd, place)
    os.close(fd)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=names)
os.execv(sys.argv[3], sys.argv[3:])
"""

REQUEST = b"GET /res.php?key=k&action=getbalance HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def _handed(sim, *sockets, names=None, **options):
    fds = [sock.fileno() for sock in sockets]
    names = names or ":".join(["http"] * len(fds))
    return Warmpool(sim, pass_fds=fds, wrapper=[sys.executable, "-c", _HAND_OVER, names, ",".join(map(str, fds))],
                    **options)


def _listening(family=socket.AF_INET, address=("127.0.0.1", 0)):
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.bind(address)
    sock.listen(128)
    return sock


def _until(condition, what=lambda: "", seconds=15):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.01)


def _ask(family, address, field=b""):
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(20)
        sock.connect(address)
        sock.sendall(REQUEST[:-2] + field + b"\r\n")
        return read_response(sock)[0]


def test_sockets_that_are_handed_over_take_the_place_of_listen(sim, tmp_path):
    path = str(tmp_path / "http.sock")
    with _listening() as tcp, _listening(socket.AF_UNIX, path) as local:
        with _handed(sim, tcp, local) as wp:
            assert wp.addresses == [f"127.0.0.1:{tcp.getsockname()[1]}", f"unix:{path}"]
            assert _ask(socket.AF_INET, tcp.getsockname()) == 200
            assert _ask(socket.AF_UNIX, path) == 200
        # Both still take connections: they are not the daemon's to end, nor is the file.
        for family, address in ((socket.AF_INET, tcp.getsockname()), (socket.AF_UNIX, path)):
            with socket.socket(family, socket.SOCK_STREAM) as sock:
                sock.connect(address)


@pytest.mark.skipif(HERE is None, reason="this machine has no address but loopback")
def test_a_handed_socket_that_others_reach_asks_whom_it_serves(sim, tmp_path):
    """It is systemd's address, and `listen` says nothing of it: networks and tokens count all the same."""
    tokens = write_tokens(tmp_path / "tokens", "team-a:secret-of-team-a")
    basic = base64.b64encode(b"team-a:secret-of-team-a")
    with _listening(address=(HERE, 0)) as tcp:
        with _handed(sim, tcp):
            assert _ask(socket.AF_INET, tcp.getsockname()) == 403
        with _handed(sim, tcp, **{"access.allow": f"{HERE}/32", "access.tokens": tokens}):
            assert _ask(socket.AF_INET, tcp.getsockname()) == 401
            assert _ask(socket.AF_INET, tcp.getsockname(), b"Authorization: Basic " + basic + b"\r\n") == 200


def test_who_connects_during_a_restart_is_served_by_the_next(sim):
    sim.fault(path="/res.php", action="delay", ms=5)
    statuses, is_over = [], threading.Event()

    def client(address):
        while not is_over.is_set():
            try:
                statuses.append(_ask(socket.AF_INET, address))
            except (OSError, AssertionError) as error:
                statuses.append(repr(error))

    with _listening() as sock:
        threads = [threading.Thread(target=client, args=(sock.getsockname(),)) for _ in range(8)]
        for turn in range(3):
            with _handed(sim, sock) as wp:
                if turn == 0:
                    for thread in threads:
                        thread.start()
                before = len(statuses)
                _until(lambda before=before: len(statuses) > before + 50)
                if turn == 2:
                    is_over.set()
                    for thread in threads:
                        thread.join(20)
                wp.terminate()
    assert set(statuses) == {200} and len(statuses) > 150


def test_a_socket_of_another_name_is_left_alone(sim):
    with _listening() as other, _handed(sim, other, names="other") as wp:
        wp.wait_log("warning listener: descriptor 3 from systemd is not used: it is named other")
        assert wp.port != other.getsockname()[1]
        assert _ask(socket.AF_INET, (wp.host, wp.port)) == 200


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_what_does_not_listen_is_refused(sim, kind):
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        wp = _handed(sim, sock, ready=False)
        wp.wait_log("error listener: descriptor 3 from systemd is no listening stream socket")
        assert wp.process.wait(10) == 1
        wp.stop(expect=1)


def test_a_socket_for_both_families_is_known_as_our_own():
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(("::", 0))
        sock.listen()
        wp = _handed(None, sock, ready=False, **{"upstream.url": f"https://127.0.0.1:{sock.getsockname()[1]}"})
        wp.wait_log("which is our own listener")
        assert wp.process.wait(10) == 1
        wp.stop(expect=1)


# --- what it tells ---

class Manager:
    """Where a service tells how it is."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(str(path))
        self.environment = {"NOTIFY_SOCKET": str(path)}
        self.told = []

    def read(self):
        """All told until now, one row a message."""
        self.sock.setblocking(False)
        try:
            while True:
                self.told.append(self.sock.recv(4096).decode())
        except BlockingIOError:
            return self.told

    def count(self, text):
        return sum(text in message.split("\n") for message in self.read())

    def wait(self, text, times=1):
        _until(lambda: self.count(text) >= times, lambda: self.told)

    def status(self):
        return [message for message in self.read() if message.startswith("STATUS=")][-1]


@pytest.fixture(name="manager")
def _manager(tmp_path):
    manager = Manager(tmp_path / "notify")
    with manager.sock:
        yield manager


def test_it_is_ready_when_warm_and_tells_its_figures(sim, manager):
    sim.fault(action="stall_handshake", stage="start")
    with Warmpool(sim, environment=manager.environment, ready=False, **{"pool.size": 6, "pool.min_idle": 3}) as wp:
        sim.wait(lambda counters: counters["handshakes"]["now"] >= 1)
        # A reload before that must not end the start.
        wp.process.send_signal(signal.SIGHUP)
        wp.wait_log("reload: done")
        manager.wait("RELOADING=1")
        assert manager.count("READY=1") == 0
        assert manager.status().startswith("STATUS=warming up; ")
        sim.clear_faults()
        manager.wait("READY=1")
        handshakes = sim.counters()["handshakes"]
        assert handshakes["full"] + handshakes["resumed"] >= 3
        assert f"STATUS=localhost:{sim.port}: 0 leased, 3 idle of 6 connections; 0 requests wait; 0 clients" == manager.status()
    assert "ready listen=" in wp.log()


def test_a_reload_is_told_from_begin_to_end(sim, manager):
    with Warmpool(sim, environment=manager.environment) as wp:
        manager.wait("READY=1")
        before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        wp.process.send_signal(signal.SIGHUP)
        manager.wait("READY=1", times=2)
        last = [message.split("\n") for message in manager.told if "STATUS" not in message][-2:]
        assert last[0][0] == "RELOADING=1" and last[1] == ["READY=1"]
        name, value = last[0][1].split("=")
        assert name == "MONOTONIC_USEC"
        assert before_us <= int(value) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_the_end_is_told_with_the_time_that_the_drain_may_take(sim, manager):
    rule = sim.fault(path="/res.php", action="hold")
    with Warmpool(sim, environment=manager.environment, drain_s=90) as wp, wp.connect(30) as sock:
        sock.sendall(REQUEST)
        sim.wait(lambda _: sim.acted(rule) == 1)
        wp.terminate()
        manager.wait("STOPPING=1")
        assert manager.count("EXTEND_TIMEOUT_USEC=95000000") == 1
        # A message of its own, after that.
        _until(lambda: manager.status().startswith("STATUS=stopping; "), lambda: manager.told)
        assert " 1 leased" in manager.status()
        sim.clear_faults()
        assert b" 200 " in read_all(sock)


def test_the_sign_of_life_comes_from_the_loop(sim, manager):
    with Warmpool(sim, environment={**manager.environment, "WATCHDOG_USEC": "300000"}) as wp:
        manager.wait("WATCHDOG=1", times=5)
        with stopped(wp.process):
            before = manager.count("WATCHDOG=1")
            time.sleep(0.5)  # a thread or a child that spoke for a loop that hangs would be heard
            assert manager.count("WATCHDOG=1") == before
        manager.wait("WATCHDOG=1", times=before + 3)


def test_nothing_is_told_where_nobody_asks(sim, manager):
    with Warmpool(sim) as wp:
        wp.process.send_signal(signal.SIGHUP)
        wp.wait_log("reload: done")
    assert manager.read() == []
