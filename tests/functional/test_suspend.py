"""A machine that slept: nothing that was idle is lent afterwards, and what waits sees the time that passed."""
import concurrent.futures
import time

import pytest

import preload
from daemon import Warmpool
from replies import KEY, arrived, new_uniq, poll, submit

HOUR_S = 3600


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    """The environment that has the library in it."""
    environment = preload.environment(tmp_path_factory.mktemp("preload"), "boottime")
    if environment is None:
        pytest.skip("no cc here")
    return environment


class Sleeper:
    """A daemon whose machine can be put to sleep."""

    def __init__(self, sim, shim, directory, **options):
        self._clock = directory / "boottime"
        self._slept_s = 0
        self.sleep(0)
        self.wp = Warmpool(sim, secrets=[KEY], environment=shim | {"PRELOAD_BOOTTIME_FILE": str(self._clock)}, **options)

    def sleep(self, seconds):
        self._slept_s += seconds
        unfinished = self._clock.with_suffix(".new")
        unfinished.write_text(str(self._slept_s))
        unfinished.rename(self._clock)


@pytest.fixture
def sleeper(sim, shim, tmp_path):
    # Ages beyond the sleep: what retires the connections is the suspend, not an age.
    made = Sleeper(sim, shim, tmp_path, **{
        "pool.size": 25, "pool.min_idle": 10, "pool.idle_timeout": "1d", "pool.max_lifetime": "0", "log.level": "debug"})
    with made.wp:
        yield made


def numbers(sim):
    return {connection["number"] for connection in sim.connections()}


def test_after_a_suspend_nothing_that_was_idle_is_lent(sim, sleeper):
    before = numbers(sim)
    assert len(before) == 10
    # Dead on the way, as a sleeping machine's connections are: whoever uses one loses the request.
    for number in before:
        sim.fault(action="rst", connection=number, times=-1)
    sleeper.sleep(HOUR_S)
    uniq = new_uniq()
    assert submit(sleeper.wp, uniq).status_code == 200
    assert arrived(sim, uniq) == 1
    assert sim.requests(uniq=uniq)[0]["connection"] not in before
    assert "retry=" not in sleeper.wp.wait_log("access .*class=submit.*").group(0)
    assert "the machine was suspended" in sleeper.wp.log()
    sim.wait(lambda _: not before & numbers(sim))
    sim.wait(lambda counters: counters["connections"]["open"] in (10, 11))


def test_a_second_suspend_is_seen_too(sim, sleeper):
    for _ in range(3):
        # Idle for both sides: one whose handshake is being done is not retired, and need not be. While the
        # last submit was on its way, a spare was opened for it.
        before = set()

        def has_all_idle(_counters, before=before):
            before.clear()
            before.update(numbers(sim))
            known = sleeper.wp.log().count("connected conn=")
            return len(before) in (10, 11) and known == sim.counters()["connections"]["total"]

        sim.wait(has_all_idle)
        sleeper.sleep(HOUR_S)
        uniq = new_uniq()
        assert submit(sleeper.wp, uniq).status_code == 200
        assert sim.requests(uniq=uniq)[0]["connection"] not in before
        sim.wait(lambda _: not before & numbers(sim))


def test_a_short_nap_retires_nothing(sim, sleeper):
    before = numbers(sim)
    sleeper.sleep(1)
    for _ in range(5):
        assert poll(sleeper.wp, None).status_code == 200
    assert before <= numbers(sim)
    assert "suspended" not in sleeper.wp.log()


def test_a_leased_connection_ends_when_given_back(sim, sleeper):
    uniq, other = new_uniq(), new_uniq()
    sim.fault(action="delay", ms=300, path="/in.php", times=1)
    with concurrent.futures.ThreadPoolExecutor(1) as one:
        # Its deadline has not passed: that of a solve is longer than the sleep.
        slow = one.submit(submit, sleeper.wp, uniq)
        sim.wait(lambda counters: counters["requests"]["total"] == 1)
        sleeper.sleep(10)
        assert submit(sleeper.wp, other).status_code == 200
        assert slow.result().status_code == 200
    number = sim.requests(uniq=uniq)[0]["connection"]
    assert number != sim.requests(uniq=other)[0]["connection"]
    sim.wait(lambda _: number not in numbers(sim))
    assert (arrived(sim, uniq), arrived(sim, other)) == (1, 1)


def test_the_sleep_counts_for_a_response_that_is_awaited(sim, sleeper):
    # The script that waits has slept as well: after an hour its answer will not come any more.
    uniq = new_uniq()
    sim.fault(action="never", path="/in.php")
    with concurrent.futures.ThreadPoolExecutor(1) as one:
        waiting = one.submit(submit, sleeper.wp, uniq)
        sim.wait(lambda counters: counters["requests"]["total"] == 1)
        sleeper.sleep(HOUR_S)
        assert poll(sleeper.wp, None).status_code == 200
        assert waiting.result().status_code == 424
    assert arrived(sim, uniq) == 1


def test_ages_count_the_sleep(sim, shim, tmp_path):
    # Too short for a suspend, but with it the idle timeout is over.
    sleeper = Sleeper(sim, shim, tmp_path, **{"pool.size": 1, "pool.min_idle": 1, "pool.idle_timeout": "1400ms"})
    with sleeper.wp as wp:
        is_in_time = False
        while not is_in_time:  # on a busy machine it may be over before the sleep
            began = time.monotonic()
            assert poll(wp, None).status_code == 200
            before, answered = numbers(sim), time.monotonic()
            sim.wait(lambda _, answered=answered: time.monotonic() > answered + 0.5)
            after = numbers(sim)
            is_in_time = time.monotonic() < began + 1.4
        assert after == before
        sleeper.sleep(1)
        assert poll(wp, None).status_code == 200
        assert not before & {request["connection"] for request in sim.requests(last=1)}
        assert "suspended" not in wp.log()
