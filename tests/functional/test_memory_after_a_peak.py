"""What a peak of large messages took goes back to the system, although requests never cease."""
import concurrent.futures
import time

import pytest

from crowd import Crowd
from daemon import Warmpool, is_sanitized
from replies import submit

_UPLOADS = 30
_BYTES = 2_000_000
_KEPT_KB = 20 << 10              # far below what the peak held
_PATIENCE_S = 18                 # memory is looked after every 10 s


def _peak(wp):
    with concurrent.futures.ThreadPoolExecutor(_UPLOADS) as many:
        answers = list(many.map(lambda _: submit(wp, None, method="POST", body=b"b" * _BYTES, timeout=60), range(_UPLOADS)))
    assert {answer.status_code for answer in answers} == {200}


def test_large_messages_leave_no_memory_behind(sim):
    if is_sanitized():
        pytest.skip("a sanitizer has memory of its own")
    sim.set(delay_ms=50)
    with Warmpool(sim, **{"log.access": "false"}) as wp, Crowd(wp, "steady", 4):
        before_kb = wp.memory_kb()
        for _ in range(3):           # the C library begins to keep large blocks when the first ones were freed
            _peak(wp)
        deadline = time.monotonic() + _PATIENCE_S
        while (kept_kb := wp.memory_kb() - before_kb) > _KEPT_KB:
            assert time.monotonic() < deadline, f"{kept_kb} kB more than before"
            time.sleep(0.2)
