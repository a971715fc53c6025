"""Fixtures of the simulator's own tests."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "functional"))

from simctl import Simulator  # noqa: E402  (the path comes first)


@pytest.fixture(scope="module", name="shared")
def _shared():
    with Simulator(bind=["127.0.0.1", "::1"]) as simulator:
        yield simulator


@pytest.fixture
def sim(shared):
    """One simulator for all tests of a file, as new for each: no rules, counters from zero."""
    before = shared.set()
    shared.close_all("rst")
    shared.wait(lambda counters: counters["connections"]["open"] == 0)
    shared.reset()
    yield shared
    shared.clear_faults()
    from simulator.settings import ROWS
    shared.set(**{row.name: before[row.name] for row in ROWS if row.live})
    assert shared.counters()["internal_errors"] == []
