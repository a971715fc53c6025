"""The line to the upstream is dead for a while, without a word: what comes after it is served at once, within the bounds."""
import asyncio
import collections
import re
import time

import pytest

import distance
import traffic

_DELAY_MS = 20
_CUT_AFTER_S = 5
_CUT_FOR_S = 5
_AFTER_S = 6                     # of traffic, when the line is back
_CONNECT_S = 2                   # timeouts.connect
_CLIENTS = 10                    # each 5 times a second: 50 polls a second
_POOL = {"pool.min_idle": 4, "pool.max_connecting": 3}
_SLACK_S = 0.05                  # of what the line's program was late


def hole(far, patience_s, pool_size, cut_for_s):
    clients = [traffic.Client(f"c{n}", "/res.php", lambda dice: dice.uniform(0.1, 0.2), patience_s)
               for n in range(_CLIENTS)]
    with far.warmpool(drain_s=1, **_POOL, **{"pool.size": pool_size, "timeouts.connect": f"{_CONNECT_S}s"}) as wp:
        far.reset()
        started = distance.line_started_at()
        cut, back = started + _CUT_AFTER_S, started + _CUT_AFTER_S + cut_for_s
        outcomes = asyncio.run(traffic.run(wp, clients, _watch(cut, back)))
        counters = far.counters()
        log = wp.stop()
    good = [(one.ended - back, one.began - back) for one in outcomes if one.status == 200]
    return {"before": sum(ended < cut - back for ended, _ in good), "rate": sum(
                one.ended < cut for one in outcomes) / (cut - min(one.began for one in outcomes)),
            "during": sum(cut - back < began and ended < 0 for ended, began in good),
            "first": min((ended for ended, _ in good if ended >= 0), default=None),
            "first_fresh": min((ended for ended, began in good if began >= 0), default=None),
            "statuses": _by_second(outcomes, back), "connections": counters["connections"],
            "handshakes": counters["handshakes"], "warnings": re.findall(r".* (?:warning|error) pool.*", log), "log": log}


async def _watch(cut, back):
    """Until some time after the cut; fails when the line was not cut then and back again."""
    await asyncio.sleep(cut + 0.5 - time.monotonic())
    assert await asyncio.to_thread(distance.connect_ms, 1.0) is None, "the line is not cut"
    await asyncio.sleep(back + 0.1 - time.monotonic())
    assert await asyncio.to_thread(distance.connect_ms, 1.0) is not None, "the line is not back"
    await asyncio.sleep(back + _AFTER_S - time.monotonic())


def _by_second(outcomes, back):
    seconds = collections.defaultdict(collections.Counter)
    for one in outcomes:
        seconds[int((one.ended - back) // 1)][one.status or one.error] += 1
    return sorted(seconds.items())


@pytest.mark.slow
@pytest.mark.parametrize("pool_size", [10, 25])
@pytest.mark.parametrize("patience_s", [60, 1], ids=["patient", "hanging_up"])
def test_the_first_good_answer_comes_soon_after_a_black_hole(patience_s, pool_size):
    # New polls and places for new connections: these decide. Patient clients ask nothing new, and 10 places are all held
    # by polls that were sent into the hole: then the first answer comes when the kernel sends one of those again, and its
    # back-off doubles, so that it lasts as long at most as the hole did.
    asks_anew = patience_s == 1 and pool_size == 25
    allowed = _CONNECT_S + 1 if asks_anew else max(_CONNECT_S + 1, _CUT_FOR_S)
    result = distance.over_wire(__file__, "hole", delay_ms=_DELAY_MS, patience_s=patience_s, pool_size=pool_size,
                                cut_for_s=_CUT_FOR_S, wire=["--cut-after", _CUT_AFTER_S, "--cut-for", _CUT_FOR_S])
    handshakes, connections = result["handshakes"], result["connections"]
    print(f"{result['rate']:.0f} answers a second before; after the line was back, the first good answer came in "
          f"{result['first']} s, to a poll that began after it in {result['first_fresh']} s", handshakes, connections, sep="\n")
    print(*(f"{second:3} s: {counts}" for second, counts in result["statuses"]), sep="\n")
    print(*result["warnings"], sep="\n")
    assert result["before"] > 0 and result["during"] == 0
    assert result["first"] is not None, result["log"][-4000:]
    assert result["first"] <= allowed + _SLACK_S
    assert handshakes["max"] <= _POOL["pool.max_connecting"]
    assert connections["max_open"] <= pool_size


if __name__ == "__main__":
    distance.main(hole)
