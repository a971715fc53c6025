"""What a request costs while more and more clients rest beside the 32 that work."""
from clients import Crowd
from loads import BY_KEY, drive, measure as measure_load
from proxies import ORDER, Proxy

COUNTS = [10, 100, 1000, 10_000]


def _one_round(ground, proxy, counts, seconds):
    load = BY_KEY["keepalive-32"]
    found = {}
    with Crowd(proxy.port) as crowd:
        for count in counts:
            crowd.grow(count)
            drive(ground, proxy.port, load, 1)
            found[str(count)] = measure_load(ground, proxy, load, seconds)["cpu_us"]
    return found


def measure(ground, upstream, quick, rounds, seconds):
    """For each proxy, rounds of: idle clients → CPU µs a request."""
    counts = [10, 100] if quick else sorted({ground.crowd(count) for count in COUNTS})
    proxies = {kind: Proxy(kind, ground, upstream.port, 32, clients=counts[-1] + 200) for kind in ORDER}
    try:
        for proxy in proxies.values():
            proxy.wait_ready()
        found = {kind: [] for kind in ORDER}
        for _ in range(rounds):
            for kind, proxy in proxies.items():
                found[kind].append(_one_round(ground, proxy, counts, seconds))
        return {"counts": counts, "rounds": found}
    finally:
        for proxy in proxies.values():
            proxy.stop()
