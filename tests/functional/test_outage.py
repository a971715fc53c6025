"""The upstream goes away under 200 polls a second, and comes back."""
import re
import time

import pytest

from daemon import Warmpool
from open_loop import OpenLoop

POOL = {"pool.size": 25, "pool.min_idle": 4, "pool.max_connecting": 4}
# Five failures in a row over 2 s open the breaker; the attempt that does it is made when they are over.
OPEN_AFTER_S = 2.3
# A probe comes after 750 ms at most; the rest is for a busy machine.
RECOVERED_S = 2


def _refuse(sim, seconds):
    sim.refuse(seconds + 60)
    sim.close_all("rst")
    time.sleep(seconds)  # the outage is the event itself
    sim.accept()


def _reset(sim, seconds):
    sim.fault(action="accept_rst", times=-1)
    sim.close_all("rst")
    time.sleep(seconds)
    sim.clear_faults()


def _run(sim, wp, break_it, seconds):
    """Polls before, during and after; returns them, when it broke, when it was mended, connections opened within 1 s."""
    with OpenLoop(wp, 200) as loop:
        time.sleep(1)
        broke = time.monotonic()
        break_it(sim, seconds)
        mended = time.monotonic()
        before = sim.counters()["accepts"]
        time.sleep(1)
        opened = sim.counters()["accepts"] - before  # whether a handshake followed or not
        time.sleep(1)
    return loop.polls, broke, mended, opened


def _slowest_ms(log):
    """Of the polls that found the breaker open, by the daemon's own measure: a busy machine delays others."""
    refused = log.split("the upstream is unreachable", 1)[1]
    took = [float(found) for found in re.findall(r"total_ms=([\d.]+) .*error=BREAKER_OPEN", refused)]
    # Those that had been waiting until then come first, the oldest before the younger.
    return max(took[next(at for at, ms in enumerate(took) if ms < 100):])


def _assert_bounds(sim, opened):
    counters = sim.counters()
    assert counters["handshakes"]["max"] <= POOL["pool.max_connecting"], counters
    assert counters["connections"]["max_open"] <= POOL["pool.size"], counters
    assert opened <= POOL["pool.size"] + 2, f"{opened} connections within a second of recovery"


@pytest.mark.parametrize("break_it", [_refuse, _reset], ids=["refused", "reset"])
def test_an_outage_of_five_seconds(sim, break_it):
    with Warmpool(sim, **POOL) as wp:
        polls, broke, mended, opened = _run(sim, wp, break_it, 5)
        slowest_ms = _slowest_ms(wp.stop())
    after_opening = [poll for poll in polls if broke + OPEN_AFTER_S <= poll.began < mended]
    during = [poll for poll in after_opening if poll.began + poll.took < mended - 0.1]  # mending takes a moment itself
    good_at = min(poll.began + poll.took for poll in polls if poll.status == 200 and poll.began + poll.took > mended)
    print(f"{len(polls)} polls, {len(during)} while the breaker was open, the slowest of them {slowest_ms:.1f} ms; "
          f"first good answer {(good_at - mended) * 1000:.0f} ms after recovery; {opened} opened within 1 s")
    assert len(during) > 300
    assert {poll.status for poll in during} == {503}
    assert all(b"\r\nRetry-After: " in poll.head for poll in during)
    assert all(b"error=destination_unavailable" in poll.head for poll in during)
    assert slowest_ms < 100
    assert good_at - mended < RECOVERED_S
    assert all(poll.status in (200, 503) for poll in polls), {poll.status for poll in polls}
    assert {poll.status for poll in polls if poll.began > good_at + 0.1} == {200}
    _assert_bounds(sim, opened)


@pytest.mark.parametrize("break_it", [_refuse, _reset], ids=["refused", "reset"])
def test_an_outage_of_one_second_costs_nothing(sim, break_it):
    with Warmpool(sim, **POOL) as wp:
        polls, _, mended, opened = _run(sim, wp, break_it, 1)
    slowest = max(poll.took for poll in polls)
    good_at = min(poll.began + poll.took for poll in polls if poll.began + poll.took > mended)
    print(f"{len(polls)} polls, the slowest {slowest * 1000:.0f} ms; first answer {(good_at - mended) * 1000:.0f} ms "
          f"after recovery; {opened} opened within 1 s")
    assert {poll.status for poll in polls} == {200}, [poll for poll in polls if poll.status != 200][:5]
    assert good_at - mended < RECOVERED_S
    _assert_bounds(sim, opened)
