"""Fixtures: a simulated API, and the daemon before it."""
import pytest

from daemon import Warmpool
from simctl import Simulator


@pytest.fixture
def sim():
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def wp(sim):
    with Warmpool(sim) as daemon:
        yield daemon
