"""Warm connections: what comes after a pause is answered in one round trip, without a handshake on the way."""
import re
import select
import time

import pytest

import distance
from daemon import Warmpool
from replies import KEY

BURST = 4                        # pool.min_idle, its default
QUIET_S = [20, 3, 3.7, 4.1, 4.4, 5, 3.3, 4.8]   # before each burst, around the server's idle timeout
MORE_QUIET_S = [3] * 8           # before further ones, as long as this machine has disturbed each
OVER_ROUND_TRIP_MS = 5
_ANSWER_S = 10


def _burst(sockets, number):
    """One poll on each socket, all at once; the time that each took, and when all had been sent."""
    began, taken = {}, []
    for place, sock in enumerate(sockets):
        target = f"/res.php?key={KEY}&action=get&id=1&uniq=b{number}x{place}"
        began[sock] = time.perf_counter()
        sock.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    sent_at = time.time()   # a connection that was opened for one of them came later by more than a round trip
    waiting = set(sockets)
    while waiting:
        ready, _, _ = select.select(list(waiting), [], [], _ANSWER_S)
        assert ready, "no answer"
        now = time.perf_counter()
        for sock in ready:
            # Answers are far smaller than a segment: they come in one piece.
            assert sock.recv(65536).startswith(b"HTTP/1.1 200 "), "not answered well"
            taken.append((now - began[sock]) * 1000)
            waiting.remove(sock)
    return taken, sent_at


def _new_access_lines(wp, before):
    deadline = time.monotonic() + _ANSWER_S
    while len(lines := wp.access_lines()[before:]) < BURST:
        assert time.monotonic() < deadline, lines
        time.sleep(0.01)
    return lines


def _over_ms(burst):
    """Its slowest answer, over one round trip."""
    return max(burst["taken_ms"]) - burst["line_ms"]


def bursts(far, quiet_s, more_quiet_s):
    with far.warmpool() as wp:
        at_ready = far.counters()["handshakes"]
        sockets = [wp.connect() for _ in range(BURST)]
        found = []
        for number, pause_s in enumerate([*quiet_s, *more_quiet_s]):
            if number >= len(quiet_s) and min(map(_over_ms, found)) <= OVER_ROUND_TRIP_MS:
                break
            time.sleep(pause_s)   # the pause is the test: nothing is waited for
            line_ms = distance.round_trip_ms()
            lines_before = len(wp.access_lines())
            taken_ms, sent_at = _burst(sockets, number)
            arrived = far.requests(last=BURST)
            lines = _new_access_lines(wp, lines_before)
            found.append({
                "quiet_s": pause_s, "line_ms": line_ms, "taken_ms": taken_ms,
                "conns": [re.search(r"conn=(\w+)|$", line).group(1) for line in lines],
                "opened_before_s": [sent_at - (one["at"] - one["connection_age_s"]) for one in arrived],
            })
        counters = far.counters()
        return {"at_ready": at_ready, "bursts": found, "log": re.findall(r"idle timeout is .*", wp.log()),
                "handshakes": counters["handshakes"], "connections": counters["connections"]}


def _show(result):
    for one in result["bursts"]:
        print(f"after {one['quiet_s']:4} s: line {one['line_ms']:.1f} ms, burst "
              f"{' '.join(f'{ms:.1f}' for ms in sorted(one['taken_ms']))} ms, {' '.join(map(str, one['conns']))}, opened "
              f"{' '.join(f'{s:.2f}' for s in sorted(one['opened_before_s']))} s before")
    print(*result["log"], result["handshakes"], result["connections"], sep="\n")


@pytest.mark.slow
def test_a_burst_after_quiet_is_answered_in_one_round_trip():
    result = distance.over_wire(__file__, "bursts", delay_ms=20, simulator={"idle_timeout": 4}, quiet_s=QUIET_S,
                                more_quiet_s=MORE_QUIET_S)
    _show(result)
    for one in result["bursts"]:
        assert len(one["conns"]) == BURST and set(one["conns"]) <= {"warm", "reused"}, one
        assert min(one["opened_before_s"]) > 0, one
    # Other work on this machine can only make a burst slower, and it does by milliseconds, while a handshake on the way
    # would cost two round trips. That no burst had one is demanded above, of all; what warmpool and a
    # connection that is up cost is seen in the burst that was disturbed least, whose slowest answer must hold the bound. (On a
    # quiet machine the median holds it too: 1.7 to 3.2 ms over eight bursts.)
    over_ms = [_over_ms(one) for one in result["bursts"]]
    print("slowest answer of each burst, over one round trip:", *(f"{ms:.1f}" for ms in over_ms), "ms")
    assert min(over_ms) <= OVER_ROUND_TRIP_MS


def opening(far):
    with far.warmpool(**{"pool.max_connecting": 1}) as wp:
        handshakes = far.counters()["handshakes"]
        return {"handshakes": handshakes, "line": re.search("ready listen=.*", wp.log()).group()}


def test_ready_is_said_when_the_spares_are_up():
    # One handshake after the other, each of two round trips and more: had it been said before, fewer would be found.
    result = distance.over_wire(__file__, "opening", delay_ms=20)
    print(result)
    assert result["handshakes"]["full"] + result["handshakes"]["resumed"] >= BURST
    assert result["line"].endswith(f"warm={BURST} admin=off")


def test_ready_waits_for_the_last_of_the_spares(sim):
    sim.fault(action="stall_handshake", connection=BURST)
    with Warmpool(sim, ready=False, **{"timeouts.connect": "2s"}) as wp:
        # The others have been up for two seconds when the last one is given up, and another opened in its place.
        wp.wait_log("(?s)connect failed .*ready listen=")
        handshakes = sim.counters()["handshakes"]
        assert handshakes["full"] + handshakes["resumed"] >= BURST


if __name__ == "__main__":
    distance.main(bursts, opening)
