"""A warm connection costs at most 30 kB of private memory, unused and used."""
import concurrent.futures
import time

import pytest

from daemon import Warmpool, is_sanitized, read_response

COUNT = 500
MOST_KB = 30


def _daemon(sim, spares):
    return Warmpool(sim, **{"pool.size": COUNT, "pool.min_idle": spares, "pool.max_connecting": 32, "log.access": "false"})


def _use_each(sim, wp):
    """As many requests at once as there are connections, each held until all have arrived."""
    sim.fault(action="hold", path="/res.php", times=-1)
    with concurrent.futures.ThreadPoolExecutor(COUNT) as many:
        def one(_):
            with wp.connect(60) as sock:
                sock.sendall(b"GET /res.php?key=k&action=getbalance HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return read_response(sock)[0]
        statuses = many.map(one, range(COUNT))
        sim.wait(lambda counters: counters["requests"]["total"] == COUNT, timeout=20)
        sim.clear_faults()
        assert set(statuses) == {200}
    used = [connection["requests"] for connection in sim.connections()]
    assert used == [1] * COUNT, f"{used.count(1)} of {len(used)} carried one request"


def _steady_kb(wp):
    """Its private memory once it has not changed for longer than a peak's memory is kept (proxy.c: a second)."""
    last, since = None, time.monotonic()
    for _ in range(200):
        now = wp.memory_kb()
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > 1.5:
            return now
        time.sleep(0.1)
    raise AssertionError("memory does not settle")


@pytest.mark.slow
def test_a_warm_connection_is_small(sim):
    if is_sanitized():
        pytest.skip("a sanitizer has memory of its own")
    with _daemon(sim, 0) as wp:
        empty_kb = _steady_kb(wp)
    with _daemon(sim, COUNT) as wp:
        unused_kb = (_steady_kb(wp) - empty_kb) / COUNT
        _use_each(sim, wp)
        sim.wait(lambda counters: counters["connections"]["open"] == COUNT, timeout=20)
        used_kb = (_steady_kb(wp) - empty_kb) / COUNT
    print(f"private memory a warm connection: {unused_kb:.1f} kB unused, {used_kb:.1f} kB used")
    assert unused_kb <= MOST_KB and used_kb <= MOST_KB
