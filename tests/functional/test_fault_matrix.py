"""Under load, whatever goes wrong: nothing lost, doubled or misplaced, and no crash.

The rows and the load are those of tests/bench/reliability (fault_cases.py), each for a second or two; here they are judged by what must
always hold, not by how soon or how often. test_faults.py looks at the same faults one by one, with what a client is told.
"""
import dataclasses
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench"))
import fault_cases  # noqa: E402  (the path comes first)
import fault_matrix  # noqa: E402

_TIMES = fault_matrix.Times(warm_s=0.2, fault_s=0.8, after_s=0.2)
_CASES = ["idle-rst", "idle-no-notify", "reuse-fin", "reuse-rst", "close", "half-head-rst", "half-body", "garbage", "too-long", "too-short", "stray",
          "every-half", "stall-half", "accept-rst", "handshake-close", "expired", "refuse", "hole", "emfile-accept", "emfile-connect", "memory",
          "reload", "suspend", "suspend-long", "slow-readers", "quitters", "dead-readers"]


@pytest.fixture(scope="module")
def ground():
    with fault_matrix.Ground() as made:
        yield made


@pytest.mark.slow
@pytest.mark.parametrize("name", _CASES)
def test_nothing_is_lost_doubled_or_misplaced(ground, name):
    case = fault_cases.BY_NAME[name]
    if not ground.can(case):
        pytest.skip(f"this machine has no {case.needs}")
    result = ground.run(case, "warmpool", _TIMES)
    print(result)
    assert result.requests > 20
    bare = dataclasses.replace(case, may_fail=fault_cases.ANYTHING)
    assert fault_matrix.problems(bare, result, with_times=False) == [], result
    assert ground.sim.counters()["internal_errors"] == []


def test_the_harness_sees_what_is_lost_doubled_and_misplaced():
    def one(kind, uniq, what, status=200):
        return fault_matrix.fault_clients.Outcome(kind, uniq, 1.5, 1.6, what, status, "")

    outcomes = [one("submit", "a", "lost", 0), one("submit", "b", "told", 502), one("poll", "c", "misplaced"), one("submit", "d", "told", 424),
                one("submit", "e", "told", 503), one("poll", "f", "told", 502)]
    submits = {"twice": ["a"], "made": {"a": 2, "b": 1, "d": 1}}
    case = fault_cases.BY_NAME["close"]
    result = fault_matrix.evaluate(case, "warmpool", outcomes, (0, 1, 2), submits)
    counted = (result.lost, result.doubled, result.misplaced, result.misled, result.polls_failed, result.submits_failed, result.submits_unknown)
    assert counted == (1, 1, 1, 1, 1, 2, 1)
    assert fault_matrix.problems(case, result, with_times=False) == [
        "1 lost", "1 doubled", "1 misplaced", "1 misled", "1 polls failed", "2 submits failed otherwise than by an unknown fate"]


@pytest.mark.parametrize("status,body,what", [
    (200, b"OK|token-73548291-a", "good"), (200, b"OK|token-73548291-b", "misplaced"), (200, b"OK|token-73548292-a", "misplaced"),
    (200, b"OK|forged", "misplaced"), (200, b"", "misplaced"), (200, b"OK|token-735", "passed"), (429, b"slow down\n", "passed"),
    (429, b"ERROR_TOO_MANY_FAILURES", "told"), (502, b"", "told"),
])
def test_the_harness_knows_whose_answer_it_is(status, body, what):
    assert fault_matrix.fault_clients.judge_poll(status, body, "73548291", "a") == what
