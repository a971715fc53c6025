"""Running out of descriptors neither spins nor ends the daemon."""
import os
import subprocess
import time

import pytest
import requests

from daemon import Warmpool, read_response

REQUEST = b"GET /res.php?key=k&action=getbalance HTTP/1.1\r\nHost: localhost\r\n\r\n"


def _cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _limit(wp, number):
    subprocess.run(["prlimit", f"--pid={wp.process.pid}", f"--nofile={number}:"], check=True)


def test_accepting_pauses_and_goes_on(sim, wp):
    in_use = wp.descriptors()
    _limit(wp, in_use + 3)
    held = [wp.connect() for _ in range(12)]
    try:
        wp.wait_log("accepting pauses")
        before = _cpu_seconds(wp.process.pid)
        deadline = time.monotonic() + 1
        answers = 0
        while time.monotonic() < deadline or answers <= 5:  # a second of being short, and still serving who is in
            held[0].sendall(REQUEST)
            assert read_response(held[0])[0] == 200
            answers += 1
            time.sleep(0.05)
        assert _cpu_seconds(wp.process.pid) - before < 0.5
        for sock in held[:11]:
            sock.close()
        held[11].sendall(REQUEST)
        assert read_response(held[11])[0] == 200
    finally:
        for sock in held:
            sock.close()


def test_connecting_backs_off_and_goes_on(sim):
    with Warmpool(sim, **{"pool.min_idle": 0, "queue.timeout": "500ms"}) as wp:
        wp.wait_log("resolved name=")  # the look-up's own sockets come and go before
        before_it = wp.descriptors()
        client = wp.connect()
        sim.wait(lambda _counters: wp.descriptors() > before_it)  # accepted
        _limit(wp, 3)  # the lowest number that may be given is in use: none is left, however they are numbered
        before = _cpu_seconds(wp.process.pid)
        client.sendall(REQUEST)
        status, headers, body, _ = read_response(client)
        assert status == 503
        assert body in (b"ERROR_NO_DESCRIPTORS", b"ERROR_BREAKER_OPEN")
        assert int(headers["retry-after"]) >= 1
        assert _cpu_seconds(wp.process.pid) - before < 0.5
        _limit(wp, 20000)
        deadline = time.monotonic() + 10
        while status != 200 and time.monotonic() < deadline:
            client.sendall(REQUEST)
            status = read_response(client)[0]
        assert status == 200
        client.close()


@pytest.mark.parametrize("call", ["accept4", "socket"])
def test_an_injected_shortage_costs_no_request(sim, call):
    wrapper = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:error=EMFILE:when=8+9"]
    # LeakSanitizer cannot look while another one traces.
    traced = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}
    with Warmpool(sim, wrapper=wrapper, environment=traced, **{"pool.max_requests": 2}) as wp:
        for _ in range(30):
            assert requests.get(wp.url + "/res.php?key=k&action=getbalance", timeout=20).status_code == 200
