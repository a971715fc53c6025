"""Private memory of a connection that is kept warm, and of a client that rests.

Each is a difference divided by a count, and what else the many need for a moment (clients beside the connections, the requests of
those that come together) has been there once before the difference begins.
"""
import time

import accounting
from clients import Barrier, Crowd, overlap
from proxies import ORDER, Proxy
from upstream import Upstream

CONNECTIONS, CLIENTS = 500, 5000
_AT_FIRST = 100


def _wait_until(condition, what, timeout_s=60):
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited in vain until {what}")
        time.sleep(0.05)


def _settled_kb(proxy):
    """Once it no longer changes: the end of clients is seen a moment later, and ours gives the memory of a peak back a second later."""
    last = -1
    while last != (last := accounting.private_kb(proxy.pids())):
        time.sleep(1.5)
    return last


def _bytes_per_connection(ground, kind, connections):
    """Of connections that have all carried a request, at the same time."""
    barrier = Barrier(connections)
    with Upstream(ground, barrier=barrier.port) as upstream:
        with Proxy(kind, ground, upstream.port, connections, clients=connections + 100) as proxy:
            proxy.wait_ready()
            with Crowd(proxy.port) as crowd:
                crowd.grow(connections)
            before, count = _settled_kb(proxy), accounting.connections_to(upstream.port)
            overlap(proxy.port, connections)
            after, more = _settled_kb(proxy), accounting.connections_to(upstream.port) - count
            if count + more < connections * 0.9:
                raise SystemExit(f"{kind} kept only {count + more} connections of {connections}")
            return (after - before) * 1024 / more


def _bytes_per_spare(ground, connections):
    """Of warmpool's spare connections, opened ahead and not used yet: two daemons, one with few of them."""
    with Upstream(ground) as upstream:
        found = []
        for spares in (4, connections):
            settings = {"pool.min_idle": spares}
            with Proxy("warmpool", ground, upstream.port, connections, settings=settings) as proxy:
                proxy.wait_ready()
                _wait_until(lambda wanted=spares: accounting.connections_to(upstream.port) >= wanted, "the spares stood")
                time.sleep(1)  # their session tickets
                found.append((_settled_kb(proxy), accounting.connections_to(upstream.port)))
            _wait_until(lambda: accounting.connections_to(upstream.port) == 0, "the connections were gone")
        (few_kb, few), (many_kb, many) = found
        return (many_kb - few_kb) * 1024 / (many - few)


def _bytes_per_client(ground, upstream, kind, clients):
    with Proxy(kind, ground, upstream.port, 32, clients=clients + 100) as proxy, Crowd(proxy.port) as crowd:
        proxy.wait_ready()
        crowd.grow(_AT_FIRST)
        before = _settled_kb(proxy)
        crowd.grow(clients)
        return (_settled_kb(proxy) - before) * 1024 / (clients - _AT_FIRST)


def measure(ground, upstream, quick):
    connections, clients = (100, 500) if quick else (CONNECTIONS, CLIENTS)
    clients = ground.crowd(clients)
    return {
        "connections": connections, "clients": clients,
        "spare": _bytes_per_spare(ground, connections),
        "connection": {kind: _bytes_per_connection(ground, kind, connections) for kind in ORDER},
        "client": {kind: _bytes_per_client(ground, upstream, kind, clients) for kind in ORDER},
    }
