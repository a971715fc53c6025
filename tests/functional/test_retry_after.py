"""Who is refused by the queue is told when to come back: by how fast the queue drains."""
import concurrent.futures

import requests

from crowd import Crowd
from daemon import Warmpool
from replies import assert_error
from simctl import Simulator

WAITING = 60
SIZE = 2
_ASKERS = 4
DELAY_MS = 200   # ten answers a second, sixty requests ahead: about six seconds


def _daemon(sim, **options):
    return Warmpool(sim, **{"pool.size": SIZE, **options})


def _ask(wp):
    with requests.Session() as session:
        session.trust_env = False
        return session.get(f"http://crowd:@{wp.host}:{wp.port}/res.php?key=k&action=getbalance", timeout=60)


def _ask_until_refused(wp):
    """The same client as the crowd: its requests wait in one line. Several at once, for which there is no place beside the crowd's."""
    with concurrent.futures.ThreadPoolExecutor(_ASKERS) as askers:
        while True:
            for answer in askers.map(_ask, [wp] * _ASKERS):
                if answer.status_code != 200:
                    return answer


def _assert_fits(answer, code, least, most):
    assert_error(answer, 503, code, "connection_limit_reached")
    seconds = int(answer.headers["Retry-After"])
    print(f"{code}: Retry-After {seconds}")
    assert least <= seconds <= most


def test_a_full_queue_says_how_fast_it_drains():
    options = {"queue.size": WAITING, "queue.timeout": "60s"}
    with Simulator(delay_ms=DELAY_MS) as sim, _daemon(sim, **options) as wp, Crowd(wp, "crowd", WAITING + SIZE) as crowd:
        crowd.wait(lambda: crowd.statuses[200] > 100, timeout=30)
        _assert_fits(_ask_until_refused(wp), "QUEUE_FULL", 4, 9)


def test_a_queue_that_filled_a_moment_ago_says_the_same():
    """Three seconds of answers are enough to tell the rate."""
    options = {"queue.size": WAITING, "queue.timeout": "60s"}
    with Simulator(delay_ms=DELAY_MS) as sim, _daemon(sim, **options) as wp, Crowd(wp, "crowd", WAITING + SIZE) as crowd:
        crowd.wait(lambda: crowd.statuses[200] >= 30)
        _assert_fits(_ask_until_refused(wp), "QUEUE_FULL", 3, 12)


def test_a_wait_that_took_too_long_says_how_fast_the_queue_drains():
    options = {"queue.timeout": "4s"}
    with Simulator(delay_ms=DELAY_MS) as sim, _daemon(sim, **options) as wp, Crowd(wp, "crowd", WAITING + SIZE) as crowd:
        crowd.wait(lambda: crowd.statuses[200] > 100, timeout=30)
        _assert_fits(_ask_until_refused(wp), "QUEUE_TIMEOUT", 3, 12)
