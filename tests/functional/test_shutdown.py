"""SIGTERM: what is in flight is finished, what comes is told to come no more, the end is clean."""
import errno
import select
import signal
import socket

import pytest

import preload
from daemon import Warmpool, is_sanitized, read_response, stopped


def _hold(wp, sim):
    """A request that is answered when the simulator's rules are forgotten."""
    sim.fault(path="/echo", action="hold")
    sock = wp.connect(30)
    sock.sendall(b"GET /echo?held HTTP/1.1\r\nHost: localhost\r\n\r\n")
    sim.wait(lambda counters: counters["requests"]["by_path"].get("GET /echo", 0) >= 1)
    return sock


def test_what_is_in_flight_is_answered(sim):
    with Warmpool(sim, drain_s=60) as wp, _hold(wp, sim) as sock:
        wp.terminate()
        wp.wait_log("finishing 1 requests")
        sim.clear_faults()
        status, headers, _, _ = read_response(sock)
        assert status == 200
        assert headers["connection"] == "close"


def test_an_idle_client_is_closed(sim, wp):
    with wp.connect() as sock:
        sock.sendall(b"GET /res.php?key=k&action=getbalance HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert read_response(sock)[0] == 200
        wp.terminate()
        assert sock.recv(1) == b""
    wp.stop()


def test_past_the_drain_timeout_all_are_answered(sim):
    with Warmpool(sim, drain_s=0, **{"pool.size": 1}) as wp:
        with _hold(wp, sim) as held, wp.connect() as queued:
            queued.sendall(b"GET /in.php?key=k&uniq=q HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with wp.connect() as probe:
                probe.sendall(b"GET /in.php?key=k&uniq=r HTTP/1.1\r\nHost: localhost\r\n\r\n")
                # Answered in turn: when the last is refused, the first was queued.
                wp.terminate()
                assert read_response(probe)[0] == 503
            assert read_response(queued)[0] == 503
            assert read_response(held)[0] == 504
        wp.stop()
        assert sim.submits()["by_uniq"] == {}


def test_a_second_signal_ends_at_once(sim):
    with Warmpool(sim, drain_s=60) as wp:
        with _hold(wp, sim):
            wp.terminate()
            wp.wait_log("finishing 1 requests")
            wp.process.send_signal(signal.SIGTERM)
            assert wp.process.wait(20) == 1
        wp.stop(expect=1)


def test_who_waits_to_be_accepted_is_served(sim):
    with Warmpool(sim, drain_s=60) as wp:
        with stopped(wp.process):
            clients = [wp.connect(30) for _ in range(300)]
            for client in clients:
                client.sendall(b"GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wp.terminate()
        for client in clients:
            assert read_response(client)[0] == 200
            client.close()


def test_who_comes_as_the_listener_is_closed_is_refused_and_not_reset(sim, tmp_path):
    """Accepted by the kernel alone, a client would be reset with its request on the way. It has to find the next instance instead."""
    environment = preload.environment(tmp_path, "late_close")
    if environment is None or is_sanitized():
        pytest.skip("needs cc, and a library before all others")
    go = tmp_path / "go"
    with Warmpool(sim, environment={**environment, "PRELOAD_GO": str(go)}) as wp, socket.socket() as sock:
        wp.terminate()
        wp.wait_log("preload: closing")
        sock.setblocking(False)
        assert sock.connect_ex((wp.host, wp.port)) == errno.EINPROGRESS
        go.touch()
        assert select.select([], [sock], [], 20)[1]
        # Its SYN was not answered: it came again a second later, when nobody listened any more.
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
